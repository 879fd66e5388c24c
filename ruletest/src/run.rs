//! Runs the tests of a file.

use std::sync::Arc;

use alert::{Rehearsal, RuleFileOptions, Rules, Settings};
use model::{Clock, Labels};
use promqltest::Memory;
use query::Engine;
use query::syntax::{format_duration_ms, parse_series};

use crate::file::{Test, TestFile};
use crate::world::World;
use crate::{alerts, expressions};

/// A rule file that was read.
#[derive(Clone, Debug)]
pub struct RuleText {
    /// Its path, as mistakes in it name it.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// How tests are run.
pub struct TestOptions<'a> {
    /// How expressions are evaluated. The step of subqueries is the file's.
    pub query: query::Settings,
    /// How rule files are read.
    pub rules: RuleFileOptions,
    /// Which tests are run, by their names.
    pub selected: &'a (dyn Fn(&str) -> bool + Sync),
    /// For timeouts only.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for TestOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestOptions").field("query", &self.query).finish_non_exhaustive()
    }
}

/// How many steps one test may take.
const STEPS_MAX: i64 = 1_000_000;

/// What each test that was run gives: its name and what is wrong, in promtool's words; nothing if it passed.
pub async fn run(
    file: &TestFile,
    rules: &[RuleText],
    options: &TestOptions<'_>,
) -> Vec<(String, Vec<String>)> {
    let mut results = Vec::new();
    for test in file.tests.iter().filter(|test| (options.selected)(&test.name)) {
        let wrong = match run_one(file, test, rules, options).await {
            Ok(wrong) | Err(wrong) => wrong,
        };
        results.push((test.name.clone(), wrong));
    }
    results
}

/// `Err` if the test ended early.
async fn run_one(
    file: &TestFile,
    test: &Test,
    rules: &[RuleText],
    options: &TestOptions<'_>,
) -> Result<Vec<String>, Vec<String>> {
    let step_ms = file.evaluation_interval_ms;
    let settings = query::Settings { subquery_step_ms: step_ms, ..options.query.clone() };
    let memory = memory(test).map_err(|error| vec![error])?;
    let world = World::new(Engine::new(settings, Arc::clone(&options.clock)), memory);
    let files: Vec<_> = rules.iter().map(|rules| (&rules.path, &rules.text)).collect();
    let rules = Rules::load_with(&files, &*world, &options.rules)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let external = test.external_labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let settings = Settings {
        evaluation_interval_ms: test.interval_ms,
        external_labels: Labels::from_pairs(external),
        external_url: test.external_url.clone(),
        ..Settings::default()
    };
    named(test)?;
    let rehearsal = Rehearsal::new(
        rules,
        &file.group_eval_order,
        world.clone(),
        world.clone(),
        Arc::clone(&options.clock),
        settings,
        test.start_ms,
    );
    let mut wrong = evaluate(test, step_ms, rehearsal, &world).await?;
    for expression in &test.expressions {
        let answer = world.ask(&expression.expr, test.start_ms + expression.at_ms).await;
        wrong.extend(expressions::difference(expression, answer, file.fuzzy_compare));
    }
    Ok(wrong)
}

/// Evaluates all rules from the start to the last time that a test names, and compares alerts on the way.
async fn evaluate(
    test: &Test,
    step_ms: i64,
    mut rehearsal: Rehearsal,
    world: &World,
) -> Result<Vec<String>, Vec<String>> {
    let times = test.alerts.iter().map(|alert| alert.at_ms).chain(test.expressions.iter().map(|e| e.at_ms));
    let end_ms = times.max().unwrap_or(0);
    if end_ms / step_ms >= STEPS_MAX {
        return Err(vec![format!(
            "    a test may take {STEPS_MAX} evaluations; up to {} at every {} it is more",
            format_duration_ms(end_ms),
            format_duration_ms(step_ms)
        )]);
    }
    let mut due: Vec<_> = test.alerts.iter().collect();
    due.sort_by_key(|alert| alert.at_ms);
    let mut due = due.into_iter().peekable();
    let mut wrong = Vec::new();
    for after_ms in (0..=end_ms).step_by(usize::try_from(step_ms).unwrap_or(usize::MAX)) {
        world.advance(test.start_ms + after_ms);
        if let Err(failures) = rehearsal.evaluate(test.start_ms + after_ms).await {
            wrong.extend(failures.iter().map(|failure| format!("    {failure}")));
            return Err(wrong);
        }
        // the last evaluation before the time counts
        while let Some(alert) = due.next_if(|alert| alert.at_ms < after_ms + step_ms) {
            let got = rehearsal.firing(&alert.alertname);
            let time = format_duration_ms(alert.at_ms);
            wrong.extend(alerts::difference(&test.name, alert, &time, got));
        }
    }
    Ok(wrong)
}

/// The series of a test; a mistake stands at the line that it would have in a load command.
fn memory(test: &Test) -> Result<Memory, String> {
    let mut memory = Memory::default();
    for (index, (series, values)) in test.series.iter().enumerate() {
        let parsed = parse_series(&format!("{series} {values}")).map_err(|error| match error.position {
            Some(position) => {
                format!("{}:{}: parse error: {}", index + 2, position.column, error.message)
            }
            None => error.to_string(),
        })?;
        memory.load_from(test.start_ms, &parsed.labels, &parsed.items, test.interval_ms);
    }
    Ok(memory)
}

fn named(test: &Test) -> Result<(), Vec<String>> {
    let Some(nameless) = test.alerts.iter().find(|alert| alert.alertname.is_empty()) else { return Ok(()) };
    let place = if test.name.is_empty() { String::new() } else { format!(" (in TestGroup {})", test.name) };
    let time = format_duration_ms(nameless.at_ms);
    Err(vec![format!(
        "an item under alert_rule_test misses required attribute alertname at eval_time {time}{place}"
    )])
}
