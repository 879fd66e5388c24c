//! Runs the commands of a script.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use mayfly_query::syntax::{Expr, SeriesItem, parse_series};
use mayfly_query::{Engine, Outcome, QueryError, Settings, Severity, Value};
use model::Histogram;
use testkit::ManualClock;

use super::custom_buckets::of_classic;
use super::memory::Memory;
use super::script::{Command, Eval, Expected, Kind, Times, parse};
use super::{check, rewrite, starts};

/// What became of the queries of a script.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// How many gave what was expected.
    pub(crate) passed: usize,
    /// Those that did not: the line, the query and why.
    pub(crate) failures: Vec<Failure>,
}

/// A query that did not give what was expected.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) line: usize,
    pub(crate) query: String,
    pub(crate) reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.query, self.reason)
    }
}

/// Runs a script with the given settings.
pub(crate) fn run_with(text: &str, settings: Settings) -> Report {
    let engine = Engine::new(settings, Arc::new(ManualClock::at_ms(0)));
    let mut memory = Memory::default();
    let mut broken: Option<String> = None;
    let mut report = Report::default();
    for Command { line, kind } in parse(text) {
        match kind {
            Kind::Clear => (memory, broken) = (Memory::default(), None),
            Kind::Load { step_ms, custom_buckets, lines } => {
                let mut all = Vec::new();
                for line in &lines {
                    match starts::parse(line) {
                        None => {}
                        Some(Ok(starts)) => {
                            memory.load_starts(&starts.labels, &starts.offsets_ms, step_ms);
                            continue;
                        }
                        Some(Err(error)) => {
                            broken = Some(format!("cannot load {line:?}: {error}"));
                            continue;
                        }
                    }
                    match parse_series(line) {
                        Ok(series) => all.push(series),
                        Err(error) => broken = Some(format!("cannot load {line:?}: {error}")),
                    }
                }
                for series in &all {
                    memory.load(&series.labels, &series.items, step_ms);
                }
                if custom_buckets {
                    for (labels, histograms) in of_classic(&all) {
                        memory.load(&labels, &in_places(&histograms), step_ms);
                    }
                }
            }
            Kind::Eval(eval) => {
                let result = match evaluate(&engine, &memory, &eval) {
                    Err(reason) => Err(match &broken {
                        Some(broken) => format!("{reason} ({broken})"),
                        None => reason,
                    }),
                    Ok(()) => Ok(()),
                };
                match result {
                    Ok(()) => report.passed += 1,
                    Err(reason) => report.failures.push(Failure { line, query: eval.expr.clone(), reason }),
                }
            }
            Kind::Broken(reason) => {
                report.failures.push(Failure { line, query: String::new(), reason });
            }
        }
    }
    report
}

fn in_places(histograms: &BTreeMap<usize, Arc<Histogram>>) -> Vec<SeriesItem> {
    let end = histograms.keys().last().map_or(0, |last| last + 1);
    let item = |place| match histograms.get(&place) {
        Some(value) => SeriesItem::Histogram { value: Arc::clone(value), states_reset: false },
        None => SeriesItem::Gap,
    };
    (0..end).map(item).collect()
}

fn evaluate(engine: &Engine, memory: &Memory, eval: &Eval) -> Result<(), String> {
    let expr = engine.parse(&eval.expr).map_err(|error| error.to_string())?;
    let result = query(engine, memory, &expr, eval.times);
    judge(eval, &eval.expr, result)?;
    if let Times::At(at_ms) = eval.times {
        at_other_times(engine, memory, eval, at_ms)?;
    }
    Ok(())
}

/// Nothing in these tests waits for anything.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn query(engine: &Engine, memory: &Memory, expr: &Expr, times: Times) -> Result<Outcome, QueryError> {
    match times {
        Times::At(at_ms) => block_on(engine.instant(memory, expr, at_ms)),
        Times::Range { start, end, step } => block_on(engine.range(memory, expr, start, end, step)),
    }
}

fn judge(eval: &Eval, text: &str, result: Result<Outcome, QueryError>) -> Result<(), String> {
    let outcome = match result {
        Ok(_) if eval.fails => return Err("expected an error".to_owned()),
        Ok(outcome) => outcome,
        Err(error) if error.to_string().contains("is not supported yet") => return Err(error.to_string()),
        Err(error) if eval.fails => {
            let error = error.to_string();
            return match &eval.fail {
                Some(expected) if !expected.matches(&error) => {
                    Err(format!("expected {expected:?}, got {error:?}"))
                }
                _ => Ok(()),
            };
        }
        Err(error) => return Err(error.to_string()),
    };
    annotations("warning", &eval.warnings, &outcome.annotations.texts(Severity::Warning, text))?;
    annotations("info", &eval.infos, &outcome.annotations.texts(Severity::Info, text))?;
    check::value(eval, &outcome.value)
}

fn annotations(kind: &str, expected: &Expected, found: &[String]) -> Result<(), String> {
    if expected.none && !found.is_empty() {
        return Err(format!("unexpected {kind}: {found:?}"));
    }
    if expected.any && found.is_empty() {
        return Err(format!("expected a {kind}"));
    }
    if expected.texts.is_empty() {
        return Ok(());
    }
    for text in &expected.texts {
        if !found.iter().any(|found| text.matches(found)) {
            return Err(format!("expected {kind} {text:?}, got {found:?}"));
        }
    }
    for found in found {
        if !expected.texts.iter().any(|text| text.matches(found)) {
            return Err(format!("unexpected {kind} {found:?}"));
        }
    }
    Ok(())
}

/// An instant query must give the same with `@` at other times, and as the middle of a range query.
fn at_other_times(engine: &Engine, memory: &Memory, eval: &Eval, at_ms: i64) -> Result<(), String> {
    if eval.fails {
        return Ok(());
    }
    let mut variants = vec![(engine.parse(&eval.expr).map_err(|error| error.to_string())?, at_ms)];
    let others =
        if at_ms == 0 { vec![-1_000, 0, 1_000] } else { vec![-10 * at_ms, 0, at_ms / 5, at_ms, 10 * at_ms] };
    for other in others {
        let mut pinned = engine.parse(&eval.expr).map_err(|error| error.to_string())?;
        if rewrite::pin(&mut pinned, at_ms) {
            variants.push((pinned, other));
        }
    }
    let text = eval.expr.to_lowercase();
    let depends_on_range = ["start()", "end()", "range()", "step()"].iter().any(|call| text.contains(call));
    for (expr, at_ms) in variants {
        let described = |error: String| format!("{expr} at {at_ms} ms: {error}");
        let result =
            query(engine, memory, &expr, Times::At(at_ms)).map_err(|error| described(error.to_string()))?;
        check::value(eval, &result.value).map_err(described)?;
        if eval.ordered || eval.string.is_some() || eval.range_vector.is_some() || depends_on_range {
            continue;
        }
        let described = |error: String| format!("{expr} in a range around {at_ms} ms: {error}");
        let times = Times::Range { start: at_ms - 60_000, end: at_ms + 60_000, step: 60_000 };
        let result = query(engine, memory, &expr, times).map_err(|error| described(error.to_string()))?;
        check::value(eval, &middle(result.value, at_ms, &eval.lines)).map_err(described)?;
    }
    Ok(())
}

/// The values of a range query at one time, as an instant query would give them.
fn middle(value: Value, at_ms: i64, expected: &[String]) -> Value {
    let Value::Matrix(series) = value else { return value };
    let scalar = matches!(expected, [line] if line.parse::<f64>().is_ok());
    let mut samples = Vec::new();
    for one in series {
        let float =
            one.floats.iter().find(|(at, _)| *at == at_ms).map(|(_, value)| model::Value::Float(*value));
        let histogram = one.histograms.iter().find(|(at, _)| *at == at_ms);
        let value =
            float.or_else(|| histogram.map(|(_, histogram)| model::Value::Histogram(histogram.clone())));
        if let Some(value) = value {
            samples.push(mayfly_query::VectorSample { labels: one.labels, at_ms, value });
        }
    }
    match samples.as_slice() {
        [sample] if scalar => match &sample.value {
            model::Value::Float(value) => Value::Scalar { at_ms, value: *value },
            model::Value::Histogram(_) => Value::Vector(samples),
        },
        _ => Value::Vector(samples),
    }
}
