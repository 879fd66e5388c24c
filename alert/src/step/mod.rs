//! The step of one rule: what it was, what its query answers and the time, to what it is and what it writes.
//!
//! Nothing here waits or reads a clock.

mod alerting;
mod notices;
mod recording;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

pub(crate) use alerting::skip_downtime;
use model::{Labels, Value, stale_nan};
pub(crate) use notices::{Sending, notices};

use crate::ports::{QueryValue, RuleSample};
use crate::rules::{Rule, RuleKind};
use crate::state::{Health, RuleState};
use crate::template::Environment;

/// How many elements the answer to a rule's query may have.
pub const ANSWER_ELEMENTS_MAX: usize = 100_000;

/// The times of one evaluation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    /// The slot: what `for`, resending and templates go by.
    pub(crate) slot_ms: i64,
    /// How far before the slot the query looks, and its samples are written.
    pub(crate) query_offset_ms: i64,
}

impl At {
    /// The time of the query and of the samples.
    pub(crate) fn sample_ms(self) -> i64 {
        self.slot_ms - self.query_offset_ms
    }
}

/// What becomes of a rule.
#[derive(Debug)]
pub(crate) enum Step {
    /// The new state, and the samples to write.
    Done(Box<RuleState>, Vec<RuleSample>),
    /// Queries that templates ask; the step must be taken anew with their answers.
    Needs(BTreeSet<String>),
}

/// Why the evaluation of a rule fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StepError {
    #[error("{reason}")]
    Query { reason: String },
    #[error("rule result is not a vector or scalar")]
    Type,
    #[error("the rule's answer has {elements} elements; the limit is {ANSWER_ELEMENTS_MAX}")]
    TooManyElements { elements: usize },
    #[error("vector contains metrics with the same labelset after applying alert labels")]
    DuplicateAlert,
    #[error("vector contains metrics with the same labelset after applying rule labels")]
    DuplicateSeries,
    #[error("exceeded limit of {limit} with {alerts} alerts")]
    TooManyAlerts { limit: usize, alerts: usize },
    #[error("exceeded limit of {limit} with {series} series")]
    TooManySeries { limit: usize, series: usize },
}

/// Takes the step of one rule.
pub(crate) fn step(
    rule: &Rule,
    limit: usize,
    before: &RuleState,
    answer: Result<&QueryValue, String>,
    environment: &Arc<Environment>,
    at: At,
) -> Step {
    let vector = match answer.map_err(|reason| StepError::Query { reason }).and_then(vector) {
        Ok(vector) => vector,
        Err(error) => return failed(before, &error),
    };
    match &rule.kind {
        RuleKind::Recording { labels } => match recording::record(&rule.name, labels, limit, vector, at) {
            Ok(samples) => done(before, before.alerts.clone(), samples, at),
            Err(error) => failed(before, &error),
        },
        RuleKind::Alerting { .. } => {
            let candidates = match alerting::candidates(rule, vector, environment) {
                Ok(Ok(candidates)) => candidates,
                Ok(Err(needed)) => return Step::Needs(needed),
                Err(error) => return failed(before, &error),
            };
            let alerts = alerting::advance(rule, &before.alerts, candidates, at.slot_ms);
            let active = alerting::active_count(&alerts);
            if limit > 0 && active > limit {
                let mut empty = before.clone();
                empty.alerts.clear();
                return failed(&empty, &StepError::TooManyAlerts { limit, alerts: active });
            }
            let samples = alerting::samples(rule, &alerts, at);
            done(before, alerts, samples, at)
        }
    }
}

/// The elements of an answer; a scalar is one without labels.
pub(crate) fn vector(answer: &QueryValue) -> Result<Vec<(Labels, Value)>, StepError> {
    match answer {
        QueryValue::Vector(elements) if elements.len() > ANSWER_ELEMENTS_MAX => {
            Err(StepError::TooManyElements { elements: elements.len() })
        }
        QueryValue::Vector(elements) => Ok(elements.clone()),
        QueryValue::Scalar(value) => Ok(vec![(Labels::empty(), Value::Float(*value))]),
        QueryValue::String(_) | QueryValue::Matrix => Err(StepError::Type),
    }
}

/// A failed evaluation changes nothing but the rule's health: alerts stay, and no series ends.
fn failed(before: &RuleState, error: &StepError) -> Step {
    let state = RuleState { health: Health::Err, last_error: error.to_string(), ..before.clone() };
    Step::Done(Box::new(state), Vec::new())
}

fn done(
    before: &RuleState,
    alerts: Vec<crate::state::ActiveAlert>,
    mut samples: Vec<RuleSample>,
    at: At,
) -> Step {
    let series: Vec<Labels> = samples.iter().map(|sample| sample.labels.clone()).collect();
    let written: BTreeSet<&Labels> = series.iter().collect();
    let gone = before.series.iter().filter(|labels| !written.contains(labels));
    samples.extend(gone.map(|labels| stale(labels.clone(), at.sample_ms())));
    let state = RuleState { health: Health::Ok, last_error: String::new(), alerts, series, ..before.clone() };
    Step::Done(Box::new(state), samples)
}

/// The sample that ends a series.
pub(crate) fn stale(labels: Labels, timestamp_ms: i64) -> RuleSample {
    RuleSample { labels, timestamp_ms, value: Value::Float(stale_nan()) }
}
