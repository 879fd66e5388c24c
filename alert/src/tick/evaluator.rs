//! The evaluator: one tick at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use model::{Clock, Labels};

use super::deliver::deliver;
use super::group::{Evaluated, Evaluation};
use super::outbox::{self, Outcome, Receipt};
use super::progress::{Progress, TickError};
use super::remembered::{Known, Remembered};
use crate::metrics::{Counters, GroupCounts, Snapshot};
use crate::ports::{InstantQuery, Notifier, SampleSink, StateStore, SwapError, Version};
use crate::rules::Rules;
use crate::state::{GroupState, Orphan, State};
use crate::step::stale;

/// How many groups are evaluated at once.
const GROUPS_AT_ONCE: usize = 8;

/// How often a tick tries to write what receivers have taken, when other ticks write meanwhile.
const SETTLE_ATTEMPTS: usize = 5;

/// How rules are evaluated.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For groups that set no interval.
    pub evaluation_interval_ms: i64,
    /// An alert that fires is sent again after this long.
    pub resend_delay_ms: i64,
    /// For groups that set no `query_offset`.
    pub query_offset_ms: i64,
    /// Added to alerts when they are sent, unless they have these labels.
    pub external_labels: Labels,
    /// What becomes of alerts when they are sent, behind the external labels.
    pub alert_relabel: Vec<relabel::Rule>,
    /// Whom configuration leaves out, by URL: only to be shown.
    pub dropped_receivers: Vec<String>,
    /// Where users reach the query page.
    pub external_url: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            evaluation_interval_ms: 60_000,
            resend_delay_ms: 60_000,
            query_offset_ms: 0,
            external_labels: Labels::empty(),
            alert_relabel: Vec::new(),
            dropped_receivers: Vec::new(),
            external_url: String::new(),
        }
    }
}

/// What an evaluator works with.
#[derive(Clone)]
pub struct Components {
    /// Answers the queries of rules and templates.
    pub query: Arc<dyn InstantQuery>,
    /// Every one of them gets every alert; [`Evaluator::replace`] takes others.
    pub notifiers: Vec<Arc<dyn Notifier>>,
    /// Holds what is remembered between ticks.
    pub state: Arc<dyn StateStore>,
    /// Takes the samples of rules; without one they are dropped.
    pub sink: Option<Arc<dyn SampleSink>>,
    /// Measures evaluations, and tells how old a claim is: what a scheduler's time of a tick cannot.
    pub clock: Arc<dyn Clock>,
}

impl fmt::Debug for Components {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Components").field("notifiers", &self.notifiers.len()).finish_non_exhaustive()
    }
}

/// Evaluates rules, tick by tick.
#[derive(Debug)]
pub struct Evaluator {
    in_force: RwLock<Arc<InForce>>,
    components: Components,
    state: Remembered,
    counters: Counters,
}

/// What a tick goes by from its beginning to its end, whatever is replaced meanwhile.
#[derive(Clone)]
struct InForce {
    rules: Arc<Rules>,
    settings: Arc<Settings>,
    notifiers: Vec<Arc<dyn Notifier>>,
}

impl InForce {
    /// Their names.
    fn receivers(&self) -> Vec<String> {
        self.notifiers.iter().map(|notifier| notifier.name().to_owned()).collect()
    }
}

impl fmt::Debug for InForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InForce").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Evaluator {
    /// An evaluator of these rules.
    pub fn new(rules: Rules, components: Components, settings: Settings) -> Self {
        let notifiers = components.notifiers.clone();
        let in_force = InForce { rules: Arc::new(rules), settings: tidy(settings), notifiers };
        let state = Remembered::of(Arc::clone(&components.state));
        Self { in_force: RwLock::new(Arc::new(in_force)), components, state, counters: Counters::default() }
    }

    /// Takes other rules from the next tick on. Rules that stay keep their alerts.
    pub fn replace_rules(&self, rules: Rules) {
        self.change(|in_force| in_force.rules = Arc::new(rules));
    }

    /// Takes other rules, settings and receivers from the next tick on, all at once. Rules that stay keep their alerts.
    pub fn replace(&self, rules: Rules, settings: Settings, notifiers: Vec<Arc<dyn Notifier>>) {
        let settings = tidy(settings);
        self.change(|in_force| *in_force = InForce { rules: Arc::new(rules), settings, notifiers });
    }

    fn change(&self, change: impl FnOnce(&mut InForce)) {
        let mut in_force = self.in_force.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut in_force));
    }

    fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The rules that are evaluated.
    pub fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.in_force().rules)
    }

    /// How they are evaluated.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.in_force().settings)
    }

    /// When a tick next finds something due; `None` if there are no rules.
    pub fn next_slot_ms(&self, now_ms: i64) -> Option<i64> {
        let in_force = self.in_force();
        in_force.rules.next_slot_ms(in_force.settings.evaluation_interval_ms, now_ms)
    }

    /// What has been counted since this evaluator was made.
    pub fn counts(&self) -> Snapshot {
        self.counters.snapshot()
    }

    /// The names of the receivers.
    pub fn receivers(&self) -> Vec<String> {
        self.in_force().receivers()
    }

    /// Evaluates every slot that is due at `now_ms`, and sends what is to be sent. Safe to call at any time, from any
    /// number of places, and again after it has failed.
    ///
    /// # Errors
    /// If the state cannot be read or written; nothing was sent then, or it will be sent again.
    pub async fn tick(&self, now_ms: i64) -> Result<Progress, TickError> {
        let Known { state: before, version, rules } = self.state.load().await?;
        let in_force = self.in_force();
        let mut progress = Progress::default();
        let mut after = before.clone();
        let mut counts = BTreeMap::new();
        let is_of_these = rules.is_some_and(|rules| Arc::ptr_eq(&rules, &in_force.rules));
        let notices =
            self.evaluate(&in_force, is_of_these, &mut after, now_ms, &mut progress, &mut counts).await;
        self.end_orphans(&mut after, now_ms).await;
        let receivers = in_force.receivers();
        let (claimed, dropped) =
            outbox::fill(&mut after, notices, &receivers, self.components.clock.now_ms());
        progress.alerts_dropped += dropped;
        if after.is_same(&before) {
            self.count(counts, &[]);
            return Ok(progress);
        }
        let version = match self.state.swap(&after, version.as_ref(), Some(&in_force.rules)).await {
            Ok(version) => version,
            Err(TickError::Swap(SwapError::Conflict)) => {
                return Ok(Progress {
                    slots_skipped: progress.slots_skipped,
                    superseded: true,
                    ..Progress::default()
                });
            }
            Err(error) => return Err(error),
        };
        let mut deliveries = after.outbox.clone();
        deliveries.retain(|delivery| claimed.contains(&delivery.id));
        let mut receipts = Vec::new();
        if !deliveries.is_empty() {
            receipts = deliver(&in_force.notifiers, &deliveries, &mut progress).await;
            self.settle(after, version, &in_force.rules, &receipts).await?;
        }
        self.count(counts, &receipts);
        Ok(progress)
    }

    /// Counts what a tick did. Groups that are gone are forgotten.
    fn count(&self, groups: BTreeMap<String, GroupCounts>, receipts: &[Receipt]) {
        let mut counted = self.counters.lock();
        let known = std::mem::take(&mut counted.groups);
        counted.groups = groups
            .into_iter()
            .map(|(key, mut counts)| {
                if let Some(before) = known.get(&key) {
                    counts.iterations += before.iterations;
                    counts.missed += before.missed;
                    counts.evaluations += before.evaluations;
                    counts.failures += before.failures;
                }
                (key, counts)
            })
            .collect();
        for receipt in receipts {
            let receiver = counted.receivers.entry(receipt.receiver.clone()).or_default();
            let alerts = receipt.alerts as u64;
            match receipt.outcome {
                Outcome::Taken => receiver.sent += alerts,
                Outcome::Refused => {
                    receiver.sent += alerts;
                    receiver.errors += alerts;
                    receiver.dropped += alerts;
                }
                Outcome::Unanswered => {
                    receiver.sent += alerts;
                    receiver.errors += alerts;
                }
                Outcome::NotTried => {}
            }
        }
        counted.last_tick_ms = Some(self.components.clock.now_ms());
    }

    /// The newest state.
    pub(crate) async fn load(&self) -> Result<State, TickError> {
        Ok(self.state.load().await?.state)
    }

    /// Evaluates all groups, and forgets those that are gone. `is_of_these`: the state was written by a tick of the same rules,
    /// so that what is not due stays as it is.
    async fn evaluate(
        &self,
        in_force: &InForce,
        is_of_these: bool,
        state: &mut State,
        now_ms: i64,
        progress: &mut Progress,
        counts: &mut BTreeMap<String, GroupCounts>,
    ) -> Vec<crate::send::Alert> {
        let tick = self.components.query.of_tick();
        let evaluation = Evaluation::new(&self.components, tick.as_deref(), &in_force.settings);
        let mut known = std::mem::take(&mut state.groups);
        // boxed: the compiler does not see that a closure over borrowed groups can go to another thread
        let mut evaluations: Vec<BoxFuture<'_, (String, Evaluated)>> = Vec::new();
        for group in &in_force.rules.groups {
            let key = group.key();
            let before = known.remove(&key).unwrap_or_default();
            let due = evaluation.due(group, &before, now_ms);
            if is_of_these && due.slots_ms.is_empty() {
                counts.insert(key.clone(), counted(&before, &Evaluated::default()));
                state.groups.insert(key, before);
                continue;
            }
            evaluations.push(async move { (key, evaluation.group(group, &before, due).await) }.boxed());
        }
        let mut results = futures::stream::iter(evaluations).buffered(GROUPS_AT_ONCE);
        let mut notices = Vec::new();
        while let Some((key, mut evaluated)) = results.next().await {
            let group = std::mem::take(&mut evaluated.state);
            counts.insert(key.clone(), counted(&group, &evaluated));
            state.groups.insert(key, Arc::new(group));
            notices.extend(evaluated.notices);
            progress.slots += evaluated.slots;
            progress.slots_skipped += evaluated.slots_skipped;
            progress.rules_failed += evaluated.rules_failed;
        }
        for group in known.into_values() {
            // As in Prometheus: a group that was renamed has the time to write its series anew.
            let ends_at_ms = group.last_slot_ms.unwrap_or(now_ms) + 2 * group.interval_ms;
            let series = group.rules.iter().flat_map(|rule| rule.series.iter().cloned());
            state.orphans.extend(series.map(|labels| Orphan { labels, ends_at_ms }));
        }
        notices
    }

    /// Ends the series of groups that are gone, once nobody has taken them over.
    async fn end_orphans(&self, state: &mut State, now_ms: i64) {
        if state.orphans.is_empty() {
            return;
        }
        let alive: BTreeSet<&Labels> =
            state.groups.values().flat_map(|group| &group.rules).flat_map(|rule| &rule.series).collect();
        let orphans = std::mem::take(&mut state.orphans);
        let (due, waiting): (Vec<Orphan>, Vec<Orphan>) = orphans
            .into_iter()
            .filter(|orphan| !alive.contains(&orphan.labels))
            .partition(|orphan| orphan.ends_at_ms <= now_ms);
        state.orphans = waiting;
        let Some(sink) = self.components.sink.as_ref().filter(|_| !due.is_empty()) else { return };
        let samples: Vec<_> = due.into_iter().map(|orphan| stale(orphan.labels, orphan.ends_at_ms)).collect();
        if let Err(error) = sink.write(&samples).await {
            tracing::warn!(%error, "series of removed groups not ended");
        }
    }

    /// Writes what receivers have taken. If that fails, the claim runs out and they get it again.
    async fn settle(
        &self,
        mut state: State,
        mut version: Version,
        rules: &Arc<Rules>,
        receipts: &[Receipt],
    ) -> Result<(), TickError> {
        let mut rules = Some(Arc::clone(rules));
        for _ in 0..SETTLE_ATTEMPTS {
            outbox::settle(&mut state, receipts);
            match self.state.swap(&state, Some(&version), rules.as_ref()).await {
                Ok(_) => return Ok(()),
                Err(TickError::Swap(SwapError::Conflict)) => {}
                Err(error) => return Err(error),
            }
            let newer = self.state.load().await?;
            let Some(newer_version) = newer.version else { return Ok(()) };
            (state, version, rules) = (newer.state, newer_version, newer.rules);
        }
        tracing::warn!("too many writers of the rule state: receivers may get alerts twice");
        Ok(())
    }
}

/// What is counted of a group.
fn counted(group: &GroupState, evaluated: &Evaluated) -> GroupCounts {
    let &Evaluated { slots, slots_skipped, rules_failed, .. } = evaluated;
    GroupCounts {
        rules: group.rules.len(),
        interval_ms: group.interval_ms,
        iterations: slots as u64 + slots_skipped.unsigned_abs(),
        missed: slots_skipped.unsigned_abs(),
        evaluations: (slots * group.rules.len()) as u64,
        failures: rules_failed as u64,
        last_evaluation_ms: group.last_slot_ms,
        last_duration_ms: group.evaluation_ms,
        last_samples: group.rules.iter().map(|rule| rule.series.len()).sum(),
    }
}

/// The external URL without a slash at its end.
fn tidy(mut settings: Settings) -> Arc<Settings> {
    settings.external_url.truncate(settings.external_url.trim_end_matches('/').len());
    Arc::new(settings)
}
