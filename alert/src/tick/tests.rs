use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::*;
use crate::Rules;
use crate::ports::{InstantQuery, QueryError, QueryValue, RuleSample, TickQuery};
use crate::testing::{FakeQuery, MemoryState, Mood, Receiver, World, vector};

const MINUTE: i64 = 60_000;

/// Two groups; the first slots after 0 lie within the first minute.
const FILE: &str = "
groups:
- name: g
  rules:
  - {alert: Down, expr: up == 0, labels: {severity: page}}
  - {record: ups, expr: count(up)}
- name: slow
  interval: 5m
  rules:
  - {alert: Slow, expr: slow}
";

fn rules(text: &str) -> Rules {
    Rules::load(&[("f.yml", text)], &FakeQuery::default()).expect("loads")
}

fn evaluator(world: &World, text: &str) -> Evaluator {
    Evaluator::new(
        rules(text),
        world.components(),
        Settings { external_url: "http://m/".to_owned(), ..Settings::default() },
    )
}

impl World {
    fn down(&self, instances: &[&str]) {
        let elements: Vec<_> = instances.iter().map(|i| (vec![("instance", *i)], 0.0)).collect();
        let elements: Vec<_> = elements.iter().map(|(labels, value)| (labels.as_slice(), *value)).collect();
        self.query.answer("up == 0", vector(&elements));
    }

    /// What the first receiver got: instance, and whether it is over.
    fn got(&self) -> Vec<(String, bool)> {
        let alerts = self.receivers[0].take();
        alerts.iter().map(|a| (a.labels.get("instance").unwrap_or("-").to_owned(), a.resolved)).collect()
    }

    async fn tick(&self, evaluator: &Evaluator, now_ms: i64) -> Progress {
        self.clock.advance_ms(now_ms - model::Clock::now_ms(&*self.clock));
        evaluator.tick(now_ms).await.expect("ticks")
    }
}

fn fired(instance: &str) -> (String, bool) {
    (instance.to_owned(), false)
}

fn over(instance: &str) -> (String, bool) {
    (instance.to_owned(), true)
}

#[tokio::test]
async fn an_alert_is_sent_when_it_fires_and_when_it_is_over() {
    let world = World::new();
    let evaluator = evaluator(&world, FILE);
    world.down(&["a"]);
    let progress = world.tick(&evaluator, 10 * MINUTE).await;
    assert_eq!(progress, Progress { slots: 2, alerts_sent: 1, ..Progress::default() });
    assert_eq!(world.got(), [fired("a")]);
    // The same time again: nothing is due.
    assert_eq!(world.tick(&evaluator, 10 * MINUTE).await, Progress::default());
    world.down(&[]);
    world.tick(&evaluator, 11 * MINUTE).await;
    assert_eq!(world.got(), [over("a")]);
    let state = evaluator.load().await.expect("loads");
    assert!(state.outbox.is_empty());
}

#[tokio::test]
async fn state_survives_a_restart() {
    let world = World::new();
    let text = FILE.replace("expr: up == 0,", "expr: up == 0, for: 2m,");
    world.down(&["a"]);
    for minute in 10..12 {
        world.tick(&evaluator(&world, &text), minute * MINUTE).await;
        assert_eq!(world.got(), []);
    }
    world.tick(&evaluator(&world, &text), 12 * MINUTE).await;
    assert_eq!(world.got(), [fired("a")]);
}

#[tokio::test]
async fn samples_go_to_the_sink_rule_by_rule() {
    let world = World::new();
    let evaluator =
        evaluator(&world, "groups: [{name: g, query_offset: 10s, rules: [{record: r, expr: x}]}]");
    world.query.answer("x", vector(&[(&[], 3.0)]));
    world.tick(&evaluator, 10 * MINUTE).await;
    let (_, at_ms) = world.query.asked.lock().expect("lock")[0];
    assert_eq!(world.samples.take(), [("r".to_owned(), at_ms, "3".to_owned())]);
    let state = evaluator.load().await.expect("loads");
    assert_eq!(state.groups["f.yml;g"].last_slot_ms, Some(at_ms + 10_000));
    *world.samples.fails.lock().expect("lock") = true;
    assert_eq!(world.tick(&evaluator, 11 * MINUTE).await.rules_failed, 1);
    let state = evaluator.load().await.expect("loads");
    assert_eq!(state.groups["f.yml;g"].rules[0].last_error, "write rule samples: disk full");
}

#[tokio::test]
async fn a_failed_query_keeps_alerts_and_sends_nothing() {
    let world = World::new();
    let evaluator = evaluator(&world, FILE);
    world.down(&["a"]);
    world.tick(&evaluator, 10 * MINUTE).await;
    world.got();
    world.query.fail("up == 0", "storage is slow");
    for minute in 11..14 {
        assert_eq!(world.tick(&evaluator, minute * MINUTE).await.rules_failed, 1);
        assert_eq!(world.got(), []);
    }
    let state = evaluator.load().await.expect("loads");
    let rule = &state.groups["f.yml;g"].rules[0];
    assert_eq!((&*rule.last_error, rule.alerts.len()), ("storage is slow", 1));
    world.down(&["a"]);
    world.tick(&evaluator, 14 * MINUTE).await;
    assert_eq!(world.got(), [fired("a")]);
}

#[tokio::test]
async fn missed_slots_are_made_up_for_within_bounds() {
    let world = World::new();
    let evaluator = evaluator(&world, "groups: [{name: g, rules: [{alert: A, expr: up == 0, for: 30m}]}]");
    world.down(&["a"]);
    world.tick(&evaluator, 10 * MINUTE).await;
    let progress = world.tick(&evaluator, 14 * MINUTE).await;
    assert_eq!((progress.slots, progress.slots_skipped), (4, 0));
    let progress = world.tick(&evaluator, 34 * MINUTE).await;
    assert_eq!((progress.slots, progress.slots_skipped), (10, 10));
    // 10 minutes were skipped, and do not count towards `for`.
    let state = evaluator.load().await.expect("loads");
    let group = &state.groups["f.yml;g"];
    let held_ms = group.last_slot_ms.expect("evaluated") - group.rules[0].alerts[0].active_at_ms;
    assert_eq!(held_ms, 14 * MINUTE);
}

#[tokio::test]
async fn only_the_last_word_of_a_tick_is_sent() {
    let world = World::new();
    let evaluator = evaluator(&world, FILE);
    world.down(&["a"]);
    world.tick(&evaluator, 10 * MINUTE).await;
    world.got();
    // At the default delay, slots 2, 4, 6 and 8 after the first one send; receivers hear of it once.
    world.tick(&evaluator, 18 * MINUTE).await;
    let alerts = world.receivers[0].take();
    assert_eq!(alerts.len(), 1);
    assert!(alerts[0].ends_at_ms > 18 * MINUTE, "still firing when it arrives");
}

#[tokio::test]
async fn of_two_ticks_one_sends() {
    let world = World::new();
    let (first, second) = (evaluator(&world, FILE), evaluator(&world, FILE));
    world.down(&["a"]);
    world.clock.advance_ms(10 * MINUTE);
    let (a, b) = futures::join!(first.tick(10 * MINUTE), second.tick(10 * MINUTE));
    let (a, b) = (a.expect("ticks"), b.expect("ticks"));
    assert_eq!(world.got(), [fired("a")]);
    assert!(a.superseded != b.superseded, "{a:?} {b:?}");
    assert_eq!(a.alerts_sent + b.alerts_sent, 1);
}

/// Stops where a store stops answering: before the state is written, and after.
#[tokio::test]
async fn a_tick_that_dies_loses_nothing() {
    // Before the first write: nothing has happened, and the slot is still due.
    let world = World::new();
    let evaluator = evaluator(&world, FILE);
    world.down(&["a"]);
    *world.state.writes_left.lock().expect("lock") = Some(0);
    world.clock.advance_ms(10 * MINUTE);
    let error = evaluator.tick(10 * MINUTE).await.expect_err("the store is down");
    assert_eq!((error.kind(), world.got()), (TickErrorKind::Retry, vec![]));
    // After the send: the receivers have it, the outbox too; when the claim has run out it is sent again.
    *world.state.writes_left.lock().expect("lock") = Some(1);
    evaluator.tick(10 * MINUTE).await.expect_err("the store is down");
    assert_eq!(world.got(), [fired("a")]);
    *world.state.writes_left.lock().expect("lock") = None;
    world.tick(&evaluator, 10 * MINUTE + 30_000).await;
    assert_eq!(world.got(), [], "the claim of the dead tick still holds");
    world.tick(&evaluator, 11 * MINUTE).await;
    assert_eq!(world.got(), [fired("a")]);
    world.tick(&evaluator, 11 * MINUTE + 30_000).await;
    assert_eq!(world.got(), []);
}

#[tokio::test]
async fn a_silent_receiver_gets_it_at_the_next_tick() {
    let mut world = World::new();
    world.receivers.push(Receiver::new("second"));
    let evaluator = evaluator(&world, FILE);
    world.down(&["a"]);
    world.receivers[0].set(Mood::Silent);
    let progress = world.tick(&evaluator, 10 * MINUTE).await;
    assert_eq!((progress.alerts_sent, progress.alerts_waiting), (1, 1));
    assert_eq!(world.receivers[1].take().len(), 1);
    world.receivers[0].set(Mood::Takes);
    let progress = world.tick(&evaluator, 10 * MINUTE + 1_000).await;
    assert_eq!((progress.alerts_sent, world.got()), (1, vec![fired("a")]));
    assert_eq!(world.receivers[1].take().len(), 0);
    // A newer word takes the place of one that waits.
    world.receivers[0].set(Mood::Silent);
    world.tick(&evaluator, 12 * MINUTE).await;
    world.down(&[]);
    world.receivers[0].set(Mood::Takes);
    world.tick(&evaluator, 13 * MINUTE).await;
    assert_eq!(world.got(), [over("a")]);
}

#[tokio::test]
async fn what_is_refused_is_dropped() {
    let world = World::new();
    let evaluator = evaluator(&world, FILE);
    world.down(&["a"]);
    world.receivers[0].set(Mood::Refuses);
    assert_eq!(world.tick(&evaluator, 10 * MINUTE).await.alerts_dropped, 1);
    world.receivers[0].set(Mood::Takes);
    world.tick(&evaluator, 10 * MINUTE + 1_000).await;
    assert_eq!(world.got(), []);
}

#[tokio::test]
async fn what_waits_for_too_long_is_dropped() {
    let world = World::new();
    let evaluator =
        evaluator(&world, "groups: [{name: g, interval: 1d, rules: [{alert: A, expr: up == 0}]}]");
    world.down(&["a"]);
    world.receivers[0].set(Mood::Silent);
    let day = 24 * 60 * MINUTE;
    assert_eq!(world.tick(&evaluator, 10 * day).await.alerts_waiting, 1);
    evaluator.replace_rules(Rules::default());
    world.receivers[0].set(Mood::Takes);
    assert_eq!(world.tick(&evaluator, 15 * day).await.alerts_dropped, 1);
    assert_eq!(world.got(), []);
}

#[tokio::test]
async fn batches_and_the_outbox_have_limits() {
    let world = World::new();
    let evaluator = evaluator(&world, FILE);
    let names: Vec<String> = (0..600).map(|i| i.to_string()).collect();
    world.down(&names.iter().map(String::as_str).collect::<Vec<_>>());
    world.tick(&evaluator, 10 * MINUTE).await;
    assert_eq!(*world.receivers[0].batches.lock().expect("lock"), [256, 256, 88]);

    let mut state = crate::state::State::default();
    let alert = |i: usize| crate::Alert {
        labels: model::Labels::from_pairs([("i", i.to_string())]),
        annotations: model::Labels::empty(),
        starts_at_ms: 0,
        ends_at_ms: 1,
        resolved: false,
        generator_url: String::new(),
    };
    let alerts = (0..(DELIVERIES_MAX + 1) * DELIVERY_ALERTS_MAX).map(alert).collect();
    let (claimed, dropped) = outbox::fill(&mut state, alerts, &["am".to_owned()], 0);
    assert_eq!((claimed.len(), dropped), (DELIVERIES_MAX, DELIVERY_ALERTS_MAX));
}

#[tokio::test]
async fn templates_may_ask_queries() {
    let world = World::new();
    let text = "groups: [{name: g, rules: [{alert: A, expr: x, annotations: {a: '{{ with query \"y\" }}{{ . | first | value }}{{ end }}', b: '{{ query \"!\" }}'}}]}]";
    let evaluator = evaluator(&world, text);
    world.query.answer("x", crate::QueryValue::Scalar(1.0));
    world.query.answer("y", vector(&[(&[], 42.0)]));
    world.query.fail("!", "no");
    world.tick(&evaluator, 10 * MINUTE).await;
    let alert = world.receivers[0].take().remove(0);
    assert_eq!(alert.annotations.get("a"), Some("42"));
    assert!(alert.annotations.get("b").is_some_and(|text| text.ends_with("error calling query: no>")));
}

#[tokio::test]
async fn a_chain_of_template_queries_ends() {
    let world = World::new();
    let text = "groups: [{name: g, rules: [{alert: A, expr: x, annotations: {a: '{{ range $i := 100 }}{{ query (print \"q\" $i) }}{{ end }}'}}]}]";
    let evaluator = evaluator(&world, text);
    world.query.answer("x", crate::QueryValue::Scalar(1.0));
    world.tick(&evaluator, 10 * MINUTE).await;
    let alert = world.receivers[0].take().remove(0);
    assert!(alert.annotations.get("a").is_some_and(|text| text.contains("may ask 1000 queries, 16 of them")));
    assert_eq!(world.query.asked.lock().expect("lock").len(), 17);
}

#[tokio::test]
async fn templates_may_not_ask_without_end() {
    let world = World::new();
    let text = "groups: [{name: g, rules: [{alert: A, expr: up == 0, annotations: {a: '{{ query $labels.instance }}'}}]}]";
    let evaluator = evaluator(&world, text);
    let names: Vec<String> = (0..1_002).map(|i| i.to_string()).collect();
    world.down(&names.iter().map(String::as_str).collect::<Vec<_>>());
    world.tick(&evaluator, 10 * MINUTE).await;
    let refused =
        |alert: &&crate::Alert| alert.annotations.get("a").is_some_and(|text| text.contains("may ask 1000"));
    assert_eq!(world.receivers[0].take().iter().filter(refused).count(), 2);
}

#[tokio::test]
async fn rules_that_go_end_their_series() {
    let world = World::new();
    let file = |rules: &str, name: &str| format!("groups: [{{name: {name}, rules: [{rules}]}}]");
    let (r, s) = ("{record: r, expr: x}", "{record: s, expr: x}");
    let evaluator = evaluator(&world, &file(&format!("{r}, {s}"), "g"));
    world.query.answer("x", crate::QueryValue::Scalar(1.0));
    world.tick(&evaluator, 10 * MINUTE).await;
    world.samples.take();
    evaluator.replace_rules(rules(&file(r, "g")));
    world.tick(&evaluator, 11 * MINUTE).await;
    let ended = |samples: Vec<(String, i64, String)>| -> Vec<String> {
        samples.into_iter().filter(|sample| sample.2 == "stale").map(|sample| sample.0).collect()
    };
    assert_eq!(ended(world.samples.take()), ["s"]);
    // A group that is renamed takes its series over.
    evaluator.replace_rules(rules(&file(r, "h")));
    for minute in 12..16 {
        world.tick(&evaluator, minute * MINUTE).await;
        assert_eq!(ended(world.samples.take()), Vec::<String>::new());
    }
    evaluator.replace_rules(Rules::default());
    for minute in 16..20 {
        world.tick(&evaluator, minute * MINUTE).await;
    }
    assert_eq!(ended(world.samples.take()), ["r"]);
}

#[tokio::test]
async fn a_newer_state_is_refused() {
    let world = World::new();
    let evaluator = evaluator(&world, FILE);
    crate::StateStore::swap(&*world.state, br#"{"version":99}"#.to_vec(), None).await.expect("swaps");
    let error = evaluator.tick(0).await.expect_err("newer");
    assert_eq!(error.kind(), TickErrorKind::Fatal);
}

#[tokio::test]
async fn a_tick_without_work_writes_nothing() {
    let world = World::new();
    let evaluator = evaluator(&world, FILE);
    let writes = |state: &Arc<MemoryState>| *state.writes.lock().expect("lock");
    world.tick(&evaluator, 10 * MINUTE).await;
    assert_eq!(writes(&world.state), 1);
    world.tick(&evaluator, 10 * MINUTE).await;
    assert_eq!(writes(&world.state), 1);
    world.down(&["a"]);
    world.tick(&evaluator, 11 * MINUTE).await;
    assert_eq!(writes(&world.state), 3, "what is to be sent, and that it was sent");
}

/// A query whose ticks see what rules write before it is written.
struct Foreseeing(Arc<FakeQuery>, Arc<Mutex<Vec<usize>>>);

#[async_trait]
impl InstantQuery for Foreseeing {
    fn check(&self, expr: &str) -> Result<String, String> {
        self.0.check(expr)
    }

    async fn query(&self, expr: &str, at_ms: i64) -> Result<QueryValue, QueryError> {
        self.0.query(expr, at_ms).await
    }

    fn of_tick(&self) -> Option<Arc<dyn TickQuery>> {
        Some(Arc::new(Self(Arc::clone(&self.0), Arc::clone(&self.1))))
    }
}

#[async_trait]
impl TickQuery for Foreseeing {
    async fn prepare(&self, _: &[(&str, i64)]) -> Box<dyn InstantQuery> {
        Box::new(Self(Arc::clone(&self.0), Arc::clone(&self.1)))
    }

    async fn wrote(&self, samples: &[RuleSample]) {
        self.1.lock().expect("lock").push(samples.len());
    }
}

#[tokio::test]
async fn samples_of_a_slot_are_written_together() {
    let world = World::new();
    let seen = Arc::default();
    let query = Arc::new(Foreseeing(Arc::clone(&world.query), Arc::clone(&seen)));
    let components = Components { query, ..world.components() };
    let evaluator = Evaluator::new(rules(FILE), components, Settings::default());
    world.down(&["a", "b"]);
    world.query.answer("count(up)", vector(&[(&[], 3.0)]));
    world.tick(&evaluator, 10 * MINUTE).await;
    assert_eq!(*seen.lock().expect("lock"), [4, 1], "two alerts of two series each, and what is recorded");
    assert_eq!(world.samples.take().len(), 5);
    assert_eq!(*world.samples.writes.lock().expect("lock"), 1);
    world.got();
    *world.samples.fails.lock().expect("lock") = true;
    world.down(&["c"]);
    assert_eq!(world.tick(&evaluator, 11 * MINUTE).await.rules_failed, 2);
    assert_eq!(world.got(), [over("a"), over("b"), fired("c")], "alerts are right all the same");
    let state = evaluator.load().await.expect("loads");
    let told = state.groups["f.yml;g"].rules.iter().map(|rule| rule.last_error.as_str());
    assert_eq!(told.collect::<Vec<_>>(), ["write rule samples: disk full"; 2]);
}
