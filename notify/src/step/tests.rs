use super::*;
use crate::state::{Reason, Silence, SilenceMatcher};

const SECOND: i64 = 1_000;

/// A dispatcher, its state and a clock that moves by whole seconds. The state goes through its bytes at each tick, and whatever
/// is to be sent is taken, unless the receiver is down.
struct World {
    dispatcher: Dispatcher,
    state: State,
    now: i64,
    outcome: Outcome,
    /// When, to which receiver, and what: names of alerts, with a dash before those that are over.
    sent: Vec<String>,
    attempts: Vec<i64>,
}

const ROUTE: &str = "group_by: [group], group_wait: 2s, group_interval: 4s, repeat_interval: 8s";

fn world(route: &str, rest: &str) -> World {
    let config = config(route, rest);
    World {
        dispatcher: Dispatcher::new(&config),
        state: State::default(),
        now: 0,
        outcome: Outcome::Sent,
        sent: Vec::new(),
        attempts: Vec::new(),
    }
}

fn config(route: &str, rest: &str) -> Config {
    let text = format!(
        "route: {{receiver: hook, {route}}}\nreceivers:\n- name: hook\n  webhook_configs: [{{url: 'http://x'}}]\n\
         - name: other\n  webhook_configs: [{{url: 'http://x', send_resolved: false}}]\n{rest}\n"
    );
    Config::read(&text).expect("reads")
}

fn labels(name: &str) -> Labels {
    Labels::from_pairs([("alertname", name)])
}

impl World {
    fn base(&self) -> i64 {
        1_767_225_600_000
    }

    fn time(&self) -> i64 {
        self.base() + self.now * SECOND
    }

    fn received(&self, labels: Labels, starts: Option<i64>, ends: Option<i64>) -> Received {
        Received {
            labels,
            annotations: Labels::empty(),
            starts_at_ms: starts.map(|at| self.base() + at * SECOND),
            ends_at_ms: ends.map(|at| self.base() + at * SECOND),
            generator_url: String::new(),
            at_ms: self.time(),
        }
    }

    fn tick(&mut self, received: Vec<Received>) {
        let now_ms = self.time();
        self.state = State::decode(&self.state.encode().expect("encodes")).expect("decodes");
        for intent in self.dispatcher.tick(&mut self.state, received, now_ms) {
            self.attempts.push(self.now);
            if self.outcome == Outcome::Sent {
                let names = intent.alerts.iter().map(|alert| {
                    let sign = if alert.is_resolved_at(intent.flushed_at_ms) { "-" } else { "" };
                    format!("{sign}{}", alert.labels.get("alertname").unwrap_or(""))
                });
                let to =
                    if intent.receiver == "hook" { String::new() } else { format!(" {}", intent.receiver) };
                self.sent.push(format!("{}{to}: {}", self.now, names.collect::<Vec<_>>().join(" ")));
            }
            self.dispatcher.settle(&mut self.state, intent.id, self.outcome, now_ms);
        }
    }

    /// Lets the clock run, second by second, up to a time.
    fn until(&mut self, second: i64) -> &mut Self {
        while self.now < second {
            self.now += 1;
            self.tick(Vec::new());
        }
        self
    }

    fn fires(&mut self, second: i64, name: &str) -> &mut Self {
        self.hears(second, labels(name), Some(second), Some(second + 3_600))
    }

    fn is_over(&mut self, second: i64, name: &str) -> &mut Self {
        let id = fingerprint(&labels(name));
        let starts = (self.state.alerts[&id].starts_at_ms - self.base()) / SECOND;
        self.hears(second, labels(name), Some(starts), Some(second))
    }

    fn hears(&mut self, second: i64, labels: Labels, starts: Option<i64>, ends: Option<i64>) -> &mut Self {
        if second > self.now {
            self.until(second - 1);
            self.now = second;
        }
        let received = self.received(labels, starts, ends);
        self.tick(vec![received]);
        self
    }

    fn silence(&mut self, id: &str, name: &str, until: i64) {
        let matcher = SilenceMatcher {
            name: "alertname".to_owned(),
            value: name.to_owned(),
            is_regex: false,
            is_equal: true,
        };
        let silence = Silence {
            matchers: vec![matcher],
            starts_at_ms: self.time(),
            ends_at_ms: self.base() + until * SECOND,
            created_by: "me".to_owned(),
            comment: "quiet".to_owned(),
            updated_at_ms: 0,
        };
        self.state.put_silence(id, silence);
    }
}

/// What a real Alertmanager sent for the same alerts, but for the first repetition: 8 s after the first one it looked some
/// milliseconds too early, and repeated with its next flush, at 18.
#[test]
fn a_group_from_its_first_alert_to_its_last() {
    let mut world = world(ROUTE, "");
    world.fires(1, "A1").fires(6, "A2").is_over(21, "A1").is_over(33, "A2").fires(41, "A1").until(44);
    let expect = ["3: A1", "7: A1 A2", "15: A1 A2", "23: -A1 A2", "31: A2", "35: -A2", "43: A1"];
    assert_eq!(world.sent, expect);
}

#[test]
fn alerts_of_a_group_are_told_together() {
    let mut world = world(ROUTE, "");
    world.fires(1, "A2").fires(2, "A1").fires(3, "A3").until(20);
    // in the order of their labels; the group flushes at 3, when the third comes too
    assert_eq!(world.sent, ["3: A1 A2 A3", "11: A1 A2 A3", "19: A1 A2 A3"]);
}

#[test]
fn groups_are_apart() {
    let mut world = world("group_by: ['...'], group_wait: 1s, group_interval: 10s", "");
    world.fires(1, "A1").fires(3, "A2").until(30);
    assert_eq!(world.sent, ["2: A1", "4: A2"]);
}

#[test]
fn what_came_and_went_while_the_group_waited_is_not_told() {
    let mut world = world(ROUTE, "");
    world.fires(1, "A1").is_over(2, "A1").until(20);
    assert_eq!(world.sent, [""; 0]);
    assert!(world.state.groups.is_empty());
}

#[test]
fn an_alert_that_is_not_heard_of_again_is_over() {
    let mut world = world(ROUTE, "global: {resolve_timeout: 5s}");
    world.hears(1, labels("A1"), None, None).until(20);
    assert_eq!(world.sent, ["3: A1", "7: -A1"]);
}

#[test]
fn an_old_alert_does_not_wait() {
    let mut world = world(ROUTE, "");
    world.hears(10, labels("A1"), Some(1), Some(100)).until(12);
    assert_eq!(world.sent, ["10: A1"]);
}

#[test]
fn who_hears_nothing_of_what_is_over() {
    let mut world = world(&format!("{ROUTE}, routes: [{{receiver: other}}]"), "");
    world.fires(1, "A1").fires(2, "A2").is_over(4, "A1").is_over(9, "A2").fires(16, "A2").until(19);
    // the last alert is over without a word, and what fires again is told at once
    assert_eq!(world.sent, ["3 other: A1 A2", "18 other: A2"]);
}

#[test]
fn an_alert_in_two_routes_is_told_twice() {
    let routes = "routes: [{receiver: other, continue: true}, {receiver: hook}]";
    let mut world = world(&format!("{ROUTE}, {routes}"), "");
    world.fires(1, "A1").until(4);
    assert_eq!(world.sent, ["3 other: A1", "3: A1"]);
}

#[test]
fn silences() {
    let mut world = world(ROUTE, "");
    world.silence("s", "A1", 9);
    world.fires(1, "A1").fires(1, "A2").until(20);
    assert_eq!(world.sent, ["3: A2", "11: A1 A2", "19: A1 A2"]);
    world.silence("s", "A2", 1_000);
    world.until(30);
    let now_ms = world.time();
    assert!(world.state.expire_silence("s", now_ms) && !world.state.expire_silence("t", now_ms));
    world.until(36);
    assert_eq!(world.sent[3..], ["27: A1", "31: A1 A2"]);
}

/// As in Alertmanager: what is over while nobody wants to hear of it leaves the group without a word, so the log says that it
/// fires, and when it fires again it is not told of before the interval has passed.
#[test]
fn what_is_over_in_a_silence_is_known_as_firing() {
    let mut world = world("group_wait: 1s, group_interval: 2s, repeat_interval: 20s", "");
    world.fires(1, "A1").until(3).silence("s", "A1", 8);
    world.is_over(4, "A1").until(9);
    assert!(world.state.groups.is_empty());
    world.fires(10, "A1").until(30);
    assert_eq!(world.sent, ["2: A1", "23: A1"]);
}

#[test]
fn inhibition() {
    let rule = "inhibit_rules: [{source_matchers: [alertname=A1], target_matchers: [alertname=A2]}]";
    let mut world = world(ROUTE, rule);
    world.fires(1, "A1").fires(2, "A2").is_over(9, "A1").until(16);
    assert_eq!(world.sent, ["3: A1", "11: -A1 A2"]);
}

#[test]
fn mute_and_active_times() {
    // the clock begins at midnight
    let intervals = "time_intervals: [{name: first, time_intervals: [{times: [{start_time: '00:00', end_time: '00:01'}]}]}]";
    for (field, expect) in [("mute", "61: A1"), ("active", "3: A1")] {
        let routes = format!("routes: [{{{field}_time_intervals: [first]}}]");
        let mut world =
            world(&format!("group_wait: 2s, group_interval: 2s, repeat_interval: 1h, {routes}"), intervals);
        world.fires(1, "A1").until(70);
        assert_eq!(world.sent, [expect], "{field}");
    }
}

#[test]
fn what_fails_is_tried_again_until_the_next_flush() {
    let mut world = world("group_wait: 1s, group_interval: 10s, repeat_interval: 1h", "");
    world.outcome = Outcome::Failed;
    world.fires(1, "A1").until(12);
    // 0.5 s, 0.75 s, 1.125 s, … after each attempt, at the next whole second; given up at 12, when the group decides again
    assert_eq!(world.attempts, [2, 3, 4, 6, 8, 11, 12]);
    world.outcome = Outcome::Sent;
    world.until(30);
    assert_eq!(world.sent, ["13: A1"]);
    assert!(world.state.outbox.is_empty());
}

#[test]
fn what_is_refused_is_not_tried_before_the_next_flush() {
    let mut world = world("group_wait: 1s, group_interval: 10s, repeat_interval: 1h", "");
    world.outcome = Outcome::Refused;
    world.fires(1, "A1").is_over(5, "A1").until(21);
    assert_eq!(world.attempts, [2]);
    // nobody was told that it fires, so nobody is told that it is over
    assert!(world.state.groups.is_empty());
    world.fires(22, "A1").until(44);
    assert_eq!(world.attempts, [2, 23, 33, 43]);
}

#[test]
fn an_intent_that_is_not_settled_is_returned_again() {
    let mut world = world("group_wait: 2s, group_interval: 5m", "");
    let received = vec![world.received(labels("A1"), Some(-10), Some(3_600))];
    let base = world.base();
    let first = world.dispatcher.tick(&mut world.state, received, base);
    let [intent] = first.as_slice() else { panic!("one intent") };
    assert_eq!((intent.reason, intent.group_key.as_str()), (Reason::FirstNotification, "{}:{}"));
    assert_eq!(world.dispatcher.next_due_ms(&world.state), Some(base + CLAIM_MS));
    let mut tick = |at_ms| world.dispatcher.tick(&mut world.state, Vec::new(), at_ms);
    assert_eq!(tick(base + CLAIM_MS - 1), [], "somebody is sending it");
    let again = tick(base + CLAIM_MS);
    assert_eq!(again.iter().map(|intent| intent.id).collect::<Vec<_>>(), [first[0].id]);
    world.dispatcher.settle(&mut world.state, first[0].id, Outcome::Sent, base + CLAIM_MS);
    assert_eq!(world.dispatcher.tick(&mut world.state, Vec::new(), base + 3 * CLAIM_MS), []);
}

/// What ticks once a minute flushes with the same tick that brings the first alert, and no flush slips to the next one because a
/// tick came a moment early.
#[test]
fn ticks_that_are_far_apart() {
    let mut world = world("group_wait: 30s, group_interval: 1m, repeat_interval: 2m", "");
    world.dispatcher = world.dispatcher.clone().ticking_every(60_000);
    let base = world.base();
    let received = vec![world.received(labels("A1"), Some(0), Some(3_600))];
    let mut tick = |received, at_ms| {
        let sent = world.dispatcher.tick(&mut world.state, received, base + at_ms);
        for intent in &sent {
            world.dispatcher.settle(&mut world.state, intent.id, Outcome::Sent, base + at_ms);
        }
        sent.iter().map(|intent| intent.reason).collect::<Vec<_>>()
    };
    assert_eq!(tick(received, 0), [Reason::FirstNotification]);
    assert_eq!(tick(Vec::new(), 59_700), []);
    assert_eq!(tick(Vec::new(), 119_500), [Reason::RepeatIntervalElapsed]);
}

/// The order in which Alertmanager 0.33 sends them.
#[test]
fn alerts_are_in_the_order_of_alertmanager() {
    let of = |pairs: &[(&str, &str)]| Labels::from_pairs(pairs.iter().copied());
    let sorted = [
        of(&[("instance", "b"), ("job", "a")]),
        of(&[("job", "a"), ("z", "1")]),
        of(&[("job", "b")]),
        of(&[("i", "2")]),
        of(&[("i", "3")]),
        of(&[("i", "1"), ("z", "1")]),
        of(&[("a", "1"), ("z", "1")]),
    ];
    let mut alerts = sorted.clone();
    alerts.reverse();
    alerts.sort_by(order);
    assert_eq!(alerts, sorted);
}

#[test]
fn other_routes_make_other_groups_and_the_log_still_counts() {
    let mut world = world(ROUTE, "");
    world.fires(1, "A1").until(4);
    // the same key: what was told is known
    world.dispatcher =
        Dispatcher::new(&config(&format!("{ROUTE}, routes: [{{matchers: [x=y], receiver: other}}]"), ""));
    world.until(10);
    assert_eq!(world.sent, ["3: A1"]);
    // another receiver was not told yet
    world.dispatcher = Dispatcher::new(&config(&format!("{ROUTE}, routes: [{{receiver: other}}]"), ""));
    world.until(12);
    assert_eq!(world.sent, ["3: A1", "11 other: A1"]);
}

#[test]
fn what_is_being_sent_while_routes_change_is_told_once() {
    let mut world = world(ROUTE, "");
    let received = vec![world.received(labels("A1"), Some(-10), Some(3_600))];
    let base = world.base();
    let first = world.dispatcher.tick(&mut world.state, received, base);
    assert_eq!(first.len(), 1);
    world.dispatcher =
        Dispatcher::new(&config(&format!("{ROUTE}, routes: [{{matchers: [x=y], receiver: other}}]"), ""));
    assert_eq!(world.dispatcher.tick(&mut world.state, Vec::new(), base + 1_000), [], "somebody sends it");
    world.dispatcher.settle(&mut world.state, first[0].id, Outcome::Sent, base + 2_000);
    assert_eq!(world.dispatcher.tick(&mut world.state, Vec::new(), base + 3_000), []);
    assert!(world.state.outbox.is_empty());
    // what nobody is sending is decided anew
    world.now = 20;
    world.outcome = Outcome::Failed;
    world.tick(Vec::new());
    let waiting: Vec<u64> = world.state.outbox.iter().map(|intent| intent.id).collect();
    world.dispatcher = Dispatcher::new(&config(ROUTE, ""));
    world.tick(Vec::new());
    assert!(waiting.len() == 1 && world.state.outbox.len() == 1, "{waiting:?}");
    assert_ne!(world.state.outbox[0].id, waiting[0]);
}

#[test]
fn which_routes_there_are() {
    let of = |route: &str, rest: &str| Dispatcher::new(&config(route, rest)).routes;
    let one = of("routes: [{matchers: [a=b]}]", "");
    assert_eq!(one, of("group_wait: 9s, routes: [{matchers: [a=b]}]", ""));
    assert_ne!(one, of("routes: [{matchers: [a=b], continue: true}]", ""));
    assert_ne!(
        one,
        of("routes: [{matchers: [a=b]}]", "- name: third\n  webhook_configs: [{url: 'http://x'}]")
    );
}

/// A batch of the inbox that was not deleted comes again after a newer one.
#[test]
fn what_comes_again_does_not_fire_again() {
    let mut world = world(ROUTE, "");
    world.now = 1;
    let stale = world.received(labels("A1"), Some(1), Some(3_600));
    world.fires(1, "A1").is_over(5, "A1");
    world.now = 6;
    world.tick(vec![stale]);
    world.until(30);
    assert_eq!(world.sent, ["3: A1", "7: -A1"]);
}

#[test]
fn what_nobody_asks_for_is_forgotten() {
    let mut world = world(ROUTE, "");
    world.silence("s", "A9", 10);
    world.fires(1, "A1").is_over(4, "A1").until(40);
    assert_eq!(world.sent, ["3: A1", "7: -A1"]);
    assert!(world.state.groups.is_empty() && world.state.log.is_empty());
    assert_eq!((world.state.alerts.len(), world.state.silences.len()), (1, 1));
    world.now = 5 * 24 * 3_600 + 10;
    world.tick(Vec::new());
    assert_eq!(world.state, State { routes: world.dispatcher.routes, next_intent: 2, ..State::default() });
}
