//! Evaluates one group: its due slots in order, its rules one after the other.

use std::sync::Arc;

use model::{Clock, Labels};

use super::evaluator::{Components, Settings};
use crate::ports::{InstantQuery, QueryError, QueryValue, RuleSample, SampleSink, TickQuery};
use crate::rules::{Group, Rule};
use crate::schedule::{Due, Schedule};
use crate::send::Alert;
use crate::state::{GroupState, Health, RuleState};
use crate::step::{At, Sending, Step, notices, skip_downtime, stale, step, vector};
use crate::template::Environment;

/// How often templates of one rule may come back with further queries.
const TEMPLATE_ROUNDS_MAX: usize = 16;
/// How many queries the templates of one rule may ask in one evaluation.
const TEMPLATE_QUERIES_MAX: usize = 1_000;
/// A pause up to this long is treated like missed evaluations; a longer one does not count towards `for`.
const PAUSE_TOLERATED_MS: i64 = 5 * 60_000;

/// Samples of rules are written together, but no more than these where they are of several rules.
const WAITING_SAMPLES_MAX: usize = 10_000;

/// Samples that rules have made and that are not written yet, although later rules see them.
#[derive(Debug, Default)]
struct Waiting {
    samples: Vec<RuleSample>,
    /// The places of the rules.
    rules: Vec<usize>,
}

/// What came of one group.
#[derive(Debug, Default)]
pub(super) struct Evaluated {
    pub(super) state: GroupState,
    pub(super) notices: Vec<Alert>,
    pub(super) slots: usize,
    pub(super) slots_skipped: i64,
    pub(super) rules_failed: usize,
}

/// Evaluates groups.
#[derive(Clone, Copy)]
pub(crate) struct Evaluation<'a> {
    pub(crate) query: &'a dyn InstantQuery,
    /// What may know of all queries of a tick.
    pub(crate) tick: Option<&'a dyn TickQuery>,
    pub(crate) sink: Option<&'a dyn SampleSink>,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) settings: &'a Settings,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(
        components: &'a Components,
        tick: Option<&'a dyn TickQuery>,
        settings: &'a Settings,
    ) -> Self {
        let Components { query, sink, clock, .. } = components;
        Self { query: &**query, tick, sink: sink.as_deref(), clock: &**clock, settings }
    }
}

impl Evaluation<'_> {
    fn interval_ms(self, group: &Group) -> i64 {
        group.interval_ms.unwrap_or(self.settings.evaluation_interval_ms)
    }

    /// What of a group is due at `now_ms`.
    pub(super) fn due(self, group: &Group, state: &GroupState, now_ms: i64) -> Due {
        let schedule = Schedule::new(&group.file, &group.name, self.interval_ms(group));
        schedule.due(state.last_slot_ms, now_ms)
    }

    /// Evaluates the slots of a group that are due.
    pub(super) async fn group(self, group: &Group, before: &GroupState, due: Due) -> Evaluated {
        let (interval_ms, mut state) = (self.interval_ms(group), before.clone());
        let gone = state.adopt(group);
        state.interval_ms = interval_ms;
        let pause_ms = due.skipped * interval_ms;
        if pause_ms > PAUSE_TOLERATED_MS {
            tracing::warn!(group = &*group.name, pause_ms, "evaluations were skipped");
            state.rules.iter_mut().for_each(|rule| skip_downtime(&mut rule.alerts, pause_ms));
        }
        let mut evaluated =
            Evaluated { slots: due.slots_ms.len(), slots_skipped: due.skipped, ..Evaluated::default() };
        let query_offset_ms = group.query_offset_ms.unwrap_or(self.settings.query_offset_ms);
        for slot_ms in due.slots_ms {
            let started_ms = self.clock.now_ms();
            let at = At { slot_ms, query_offset_ms };
            let prepared = match self.tick {
                Some(tick) => {
                    let queries = group.rules.iter().map(|rule| (&*rule.expr, at.sample_ms()));
                    Some(tick.prepare(&queries.collect::<Vec<_>>()).await)
                }
                None => None,
            };
            let evaluation = Evaluation { query: prepared.as_deref().unwrap_or(self.query), ..self };
            let mut waiting = Waiting::default();
            for (place, rule) in group.rules.iter().enumerate() {
                let (notices, samples) =
                    evaluation.rule(group, rule, &mut state.rules[place], at, interval_ms).await;
                evaluated.notices.extend(notices);
                self.wait(place, samples, &mut waiting, &mut state).await;
            }
            self.write_waiting(&mut waiting, &mut state).await;
            evaluated.rules_failed += state.rules.iter().filter(|rule| rule.health == Health::Err).count();
            state.last_slot_ms = Some(slot_ms);
            state.evaluation_ms = self.clock.now_ms() - started_ms;
        }
        if let Some(slot_ms) = state.last_slot_ms.filter(|_| !gone.is_empty()) {
            self.end_series(gone, &state, slot_ms - query_offset_ms).await;
        }
        Evaluated { state, ..evaluated }
    }

    /// Evaluates one rule, and says which alerts are to be sent. Its samples are written, unless later queries see them anyway:
    /// then they are still to be written.
    pub(crate) async fn rule(
        self,
        group: &Group,
        rule: &Rule,
        state: &mut RuleState,
        at: At,
        interval_ms: i64,
    ) -> (Vec<Alert>, Vec<RuleSample>) {
        let started_ms = self.clock.now_ms();
        let (after, samples) = self.step(group, rule, state, at).await;
        *state = after;
        self.write(rule, state, &samples).await;
        let sending = Sending {
            interval_ms,
            resend_delay_ms: self.settings.resend_delay_ms,
            external_labels: &self.settings.external_labels,
            relabel: &self.settings.alert_relabel,
            external_url: &self.settings.external_url,
        };
        // A rule whose samples were not written is in error too, but its alerts are right.
        let failed = state.health == Health::Err && samples.is_empty();
        let due = if failed { Vec::new() } else { notices(rule, &mut state.alerts, at.slot_ms, &sending) };
        state.last_evaluation_ms = Some(started_ms);
        state.evaluation_ms = self.clock.now_ms() - started_ms;
        (due, if self.tick.is_some() { samples } else { Vec::new() })
    }

    /// Lets samples of the rule at a place wait for those of the rules after it.
    async fn wait(
        self,
        place: usize,
        samples: Vec<RuleSample>,
        waiting: &mut Waiting,
        state: &mut GroupState,
    ) {
        if self.sink.is_none() || samples.is_empty() {
            return;
        }
        if waiting.samples.len() + samples.len() > WAITING_SAMPLES_MAX {
            self.write_waiting(waiting, state).await;
        }
        waiting.samples.extend(samples);
        waiting.rules.push(place);
    }

    /// Writes what waits; if that fails, it fails all of the rules, but not their alerts.
    async fn write_waiting(self, waiting: &mut Waiting, state: &mut GroupState) {
        let Waiting { samples, rules } = std::mem::take(waiting);
        let Some(sink) = self.sink.filter(|_| !samples.is_empty()) else { return };
        if let Err(error) = sink.write(&samples).await {
            tracing::warn!(rules = rules.len(), %error, "rule samples not written");
            for place in rules {
                let rule = &mut state.rules[place];
                (rule.health, rule.last_error) = (Health::Err, error.to_string());
            }
        }
    }

    /// Asks the rule's query, and what its templates ask, until the step can be taken.
    async fn step(
        self,
        group: &Group,
        rule: &Rule,
        before: &RuleState,
        at: At,
    ) -> (RuleState, Vec<RuleSample>) {
        let answer = self.query.query(&rule.expr, at.sample_ms()).await;
        if let Err(error) = &answer {
            tracing::warn!(group = &*group.name, rule = &*rule.name, %error, "rule query failed");
        }
        let mut environment = Arc::new(Environment {
            external_labels: self.settings.external_labels.clone(),
            external_url: self.settings.external_url.clone(),
            now_ms: at.slot_ms,
            answers: Default::default(),
        });
        let mut rounds = 0;
        loop {
            let answer = answer.as_ref().map_err(QueryError::to_string);
            let needed = match step(rule, group.limit, before, answer, &environment, at) {
                Step::Done(state, samples) => return (*state, samples),
                Step::Needs(queries) => queries,
            };
            rounds += 1;
            for query in needed {
                let asked = environment.answers.len();
                let answer = if rounds > TEMPLATE_ROUNDS_MAX || asked >= TEMPLATE_QUERIES_MAX {
                    Err(format!(
                        "templates of one rule may ask {TEMPLATE_QUERIES_MAX} queries, {TEMPLATE_ROUNDS_MAX} of them one after the other"
                    ))
                } else {
                    self.template_query(&query, at.slot_ms).await
                };
                Arc::make_mut(&mut environment).answers.insert(query, answer);
            }
        }
    }

    async fn template_query(self, query: &str, at_ms: i64) -> Result<Vec<(Labels, model::Value)>, String> {
        let answer: QueryValue = self.query.query(query, at_ms).await.map_err(|error| error.to_string())?;
        vector(&answer).map_err(|error| error.to_string())
    }

    /// Writes the samples of a rule; one that cannot be written fails the rule, but not its alerts.
    async fn write(self, rule: &Rule, state: &mut RuleState, samples: &[RuleSample]) {
        let Some(sink) = self.sink else {
            // Nobody reads what nobody writes.
            state.series.clear();
            return;
        };
        if samples.is_empty() {
            return;
        }
        if let Some(tick) = self.tick {
            tick.wrote(samples).await;
        } else if let Err(error) = sink.write(samples).await {
            tracing::warn!(rule = &*rule.name, %error, "rule samples not written");
            state.health = Health::Err;
            state.last_error = error.to_string();
        }
    }

    /// Ends the series of rules that are gone from the group, except those that another rule of it writes now.
    async fn end_series(self, gone: Vec<Labels>, state: &GroupState, at_ms: i64) {
        let Some(sink) = self.sink else { return };
        let alive: std::collections::BTreeSet<&Labels> =
            state.rules.iter().flat_map(|rule| &rule.series).collect();
        let ended = gone.into_iter().filter(|labels| !alive.contains(labels));
        let samples: Vec<RuleSample> = ended.map(|labels| stale(labels, at_ms)).collect();
        if let Err(error) = sink.write(&samples).await {
            tracing::warn!(%error, "series of removed rules not ended");
        } else if let Some(tick) = self.tick {
            tick.wrote(&samples).await;
        }
    }
}
