//! Rules evaluated at times that the caller chooses: no schedule, no receivers, and no state but the one in memory. For
//! tests of rules, and for trying them on history.

use std::sync::Arc;

use model::{Clock, Labels};

use crate::go::format_duration_ns;
use crate::ports::{InstantQuery, SampleSink};
use crate::rules::{Group, Rules};
use crate::schedule::Schedule;
use crate::send::Alert;
use crate::state::{AlertState, GroupState, Health};
use crate::step::At;
use crate::tick::{Evaluation, Settings};

/// Rules, and where their alerts stand.
pub struct Rehearsal {
    rules: Rules,
    query: Arc<dyn InstantQuery>,
    sink: Arc<dyn SampleSink>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    /// Durations in failures count from here.
    start_ms: i64,
    /// Indices of groups, in the order of their evaluation.
    order: Vec<usize>,
    /// By index of the group.
    states: Vec<GroupState>,
}

/// A rule that could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule: {rule}, time: {}, err: {reason}", format_duration_ns(.after_ms.saturating_mul(1_000_000)))]
pub struct RuleFailure {
    /// The rule's name.
    pub rule: String,
    /// When, in milliseconds since the start of the rehearsal.
    pub after_ms: i64,
    /// Why.
    pub reason: String,
}

/// An alert that fires.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FiringAlert {
    /// Its labels, `alertname` included.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
}

impl std::fmt::Debug for Rehearsal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rehearsal").field("start_ms", &self.start_ms).finish_non_exhaustive()
    }
}

impl Rehearsal {
    /// Rules that were never evaluated. `order` names groups: each comes at its place in the list, and those that it does
    /// not name come with the first.
    pub fn new(
        rules: Rules,
        order: &[String],
        query: Arc<dyn InstantQuery>,
        sink: Arc<dyn SampleSink>,
        clock: Arc<dyn Clock>,
        settings: Settings,
        start_ms: i64,
    ) -> Self {
        let place = |group: &Group| order.iter().position(|name| **name == *group.name).unwrap_or(0);
        let mut indices: Vec<usize> = (0..rules.groups.len()).collect();
        indices.sort_by_key(|index| place(&rules.groups[*index]));
        let states = rules.groups.iter().map(|group| {
            let mut state = GroupState::default();
            state.adopt(group);
            state
        });
        let states = states.collect();
        Self { rules, query, sink, clock, settings, start_ms, order: indices, states }
    }

    /// Evaluates all groups at one time, one after the other, whatever their intervals are.
    ///
    /// # Errors
    /// The rules that failed; the others were evaluated all the same.
    pub async fn evaluate(&mut self, at_ms: i64) -> Result<(), Vec<RuleFailure>> {
        let mut failures = Vec::new();
        for index in self.order.clone() {
            failures.extend(self.evaluate_group(index, at_ms).await.1);
        }
        if failures.is_empty() { Ok(()) } else { Err(failures) }
    }

    /// Evaluates one group: the alerts that would be sent, and the rules that failed.
    pub(crate) async fn evaluate_group(
        &mut self,
        index: usize,
        at_ms: i64,
    ) -> (Vec<Alert>, Vec<RuleFailure>) {
        let evaluation = Evaluation {
            query: &*self.query,
            tick: None,
            sink: Some(&*self.sink),
            clock: &*self.clock,
            settings: &self.settings,
        };
        let (group, state) = (&self.rules.groups[index], &mut self.states[index]);
        let at = At {
            slot_ms: at_ms,
            query_offset_ms: group.query_offset_ms.unwrap_or(self.settings.query_offset_ms),
        };
        let interval_ms = group.interval_ms.unwrap_or(self.settings.evaluation_interval_ms);
        let (mut alerts, mut failures) = (Vec::new(), Vec::new());
        for (rule, state) in group.rules.iter().zip(&mut state.rules) {
            // what it writes is written: there is no tick
            let (due, _) = evaluation.rule(group, rule, state, at, interval_ms).await;
            alerts.extend(due);
            if state.health == Health::Err {
                failures.push(RuleFailure {
                    rule: rule.name.to_string(),
                    after_ms: at_ms - self.start_ms,
                    reason: state.last_error.clone(),
                });
            }
        }
        (alerts, failures)
    }

    /// The schedule of each group, with its interval in milliseconds.
    pub(crate) fn schedules(&self) -> Vec<(Schedule, i64)> {
        let schedule = |group: &Group| {
            let interval_ms = group.interval_ms.unwrap_or(self.settings.evaluation_interval_ms);
            (Schedule::new(&group.file, &group.name, interval_ms), interval_ms)
        };
        self.rules.groups.iter().map(schedule).collect()
    }

    /// How many rules a group has.
    pub(crate) fn rule_count(&self, index: usize) -> u64 {
        self.rules.groups[index].rules.len() as u64
    }

    /// How many alerts fire.
    pub(crate) fn firing_count(&self) -> u64 {
        let alerts = self.states.iter().flat_map(|group| &group.rules).flat_map(|rule| &rule.alerts);
        alerts.filter(|alert| alert.state == AlertState::Firing).count() as u64
    }

    /// The alerts of a name that fire, of all groups.
    pub fn firing(&self, alertname: &str) -> Vec<FiringAlert> {
        let rules = self
            .rules
            .groups
            .iter()
            .zip(&self.states)
            .flat_map(|(group, state)| group.rules.iter().zip(&state.rules));
        let named = rules.filter(|(rule, _)| rule.is_alerting() && &*rule.name == alertname);
        named
            .flat_map(|(_, state)| &state.alerts)
            .filter(|alert| alert.state == AlertState::Firing)
            .map(|alert| FiringAlert { labels: alert.labels.clone(), annotations: alert.annotations.clone() })
            .collect()
    }
}
