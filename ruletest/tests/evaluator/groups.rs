//! What Prometheus' own tests expect of groups: restarts, reloads, series that end, and what is sent.
//!
//! Where Mayfly remembers more than Prometheus over a restart, the tables say what it makes of the same story.

use alert::Settings;
use serde_json::Value as Json;

use super::stage::Stage;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60_000;

/// Ticks at each minute from `first` to `last`.
async fn ticks(stage: &Stage, first: i64, last: i64) {
    for minute in first..=last {
        stage.tick(minute * MINUTE).await;
    }
}

/// Each alert: instance, state, and since how many minutes it has been active at a time.
async fn active(stage: &Stage, now_minute: i64) -> Vec<String> {
    let alerts = stage.get("/api/v1/alerts").await["alerts"].take();
    let minutes_ago = |time: &Json| {
        let time = chrono::DateTime::parse_from_rfc3339(time.as_str().expect("a time")).expect("a time");
        let now_ms = super::stage::ZERO_MS + now_minute * MINUTE;
        // slots lie up to an interval before the tick
        (now_ms - time.timestamp_millis()) / MINUTE
    };
    let shown = alerts.as_array().expect("alerts").iter().map(|alert| {
        let text = |field: &Json| field.as_str().expect("a text").to_owned();
        let (instance, state) = (text(&alert["labels"]["instance"]), text(&alert["state"]));
        format!("{instance} {state} for {}", minutes_ago(&alert["activeAt"]))
    });
    shown.collect()
}

const LOW: &[(&str, &str)] = &[(
    "rules.yml",
    r"
groups:
- name: default
  rules:
  - {alert: HTTPRequestRateLow, expr: http_requests < 100, for: 25m, labels: {severity: critical}}
",
)];

/// Below 100 at all times.
const REQUESTS: &[(&str, &str)] =
    &[("http_requests{instance=\"0\"}", "75+0x200"), ("http_requests{instance=\"1\"}", "90+0x200")];

#[tokio::test]
async fn a_restart_keeps_what_is_pending() {
    // Down for ten minutes: Prometheus restores when they became active, shifted by ten minutes. Here the slots of these
    // ten minutes are made up for, so nothing is shifted.
    let mut stage = Stage::new(LOW, REQUESTS, MINUTE);
    ticks(&stage, 0, 5).await;
    assert_eq!(active(&stage, 5).await, ["0 pending for 5", "1 pending for 5"]);
    stage.restart(LOW);
    assert_eq!(active(&stage, 5).await, ["0 pending for 5", "1 pending for 5"]);
    stage.tick(15 * MINUTE).await;
    assert_eq!(active(&stage, 15).await, ["0 pending for 15", "1 pending for 15"]);
    ticks(&stage, 16, 24).await;
    assert_eq!(stage.receiver.take(), []);
    stage.tick(25 * MINUTE).await;
    assert_eq!(active(&stage, 25).await, ["0 firing for 25", "1 firing for 25"]);
    assert_eq!(stage.receiver.take().len(), 2);
}

#[tokio::test]
async fn a_long_outage_does_not_count() {
    // Of 35 minutes ten slots are made up for; the 25 minutes before do not count towards `for`. Prometheus would forget
    // that they were pending, since the outage is longer than it tolerates.
    let mut stage = Stage::new(LOW, REQUESTS, MINUTE);
    ticks(&stage, 0, 5).await;
    stage.restart(LOW);
    stage.tick(40 * MINUTE).await;
    assert_eq!(active(&stage, 40).await, ["0 pending for 15", "1 pending for 15"]);
    ticks(&stage, 41, 49).await;
    assert_eq!(stage.receiver.take(), []);
    stage.tick(50 * MINUTE).await;
    assert_eq!(stage.receiver.take().len(), 2);
}

#[tokio::test]
async fn a_restart_keeps_what_fires_and_what_is_kept_firing() {
    // Prometheus forgets both: https://github.com/prometheus/prometheus/issues/13957 and 15175.
    let files: &[(&str, &str)] = &[(
        "rules.yml",
        "groups: [{name: g, rules: [{alert: A, expr: m > 0, for: 2m, keep_firing_for: 10m}]}]",
    )];
    let series = &[("m{instance=\"fires\"}", "1+0x100"), ("m{instance=\"kept\"}", "1+0x4 0+0x100")];
    let mut stage = Stage::new(files, series, MINUTE);
    ticks(&stage, 0, 6).await;
    let starts = |stage: &Stage| {
        stage.receiver.take().iter().map(|(_, alert)| alert.starts_at_ms).min().expect("sent")
    };
    assert_eq!(active(&stage, 6).await, ["fires firing for 6", "kept firing for 6"]);
    let before_ms = starts(&stage);
    stage.restart(files);
    ticks(&stage, 7, 13).await;
    assert_eq!(active(&stage, 13).await, ["fires firing for 13", "kept firing for 13"]);
    assert_eq!(starts(&stage), before_ms);
    ticks(&stage, 14, 16).await;
    assert_eq!(active(&stage, 16).await, ["fires firing for 16"]);
}

#[tokio::test]
async fn nothing_active_is_nothing_to_restore() {
    let series = &[("http_requests{instance=\"0\"}", "75+0x5 120+0x100")];
    let mut stage = Stage::new(LOW, series, MINUTE);
    ticks(&stage, 0, 10).await;
    stage.restart(LOW);
    stage.tick(50 * MINUTE).await;
    assert_eq!(active(&stage, 50).await, [""; 0]);
}

#[tokio::test]
async fn a_longer_for_makes_what_fires_pending_again() {
    let file = |r#for: &str| {
        format!("groups: [{{name: g, rules: [{{alert: A, expr: m > 0, for: {for}}}]}}]", r#for = r#for)
    };
    let stage = Stage::new(&[("rules.yml", &file("2m"))], &[("m{instance=\"a\"}", "1+0x100")], MINUTE);
    ticks(&stage, 0, 3).await;
    assert_eq!(active(&stage, 3).await, ["a firing for 3"]);
    stage.receiver.take();
    stage.reload(&[("rules.yml", &file("6m"))]);
    stage.tick(4 * MINUTE).await;
    assert_eq!(active(&stage, 4).await, ["a pending for 4"]);
    stage.tick(5 * MINUTE).await;
    assert_eq!(stage.receiver.take(), []);
    stage.tick(6 * MINUTE).await;
    assert_eq!(active(&stage, 6).await, ["a firing for 6"]);
    let heard = stage.receiver.take();
    assert_eq!(heard.len(), 1);
    assert!(!heard[0].1.resolved);
    // a shorter one changes nothing about what fires
    stage.reload(&[("rules.yml", &file("1m"))]);
    stage.tick(7 * MINUTE).await;
    assert_eq!(active(&stage, 7).await, ["a firing for 7"]);
}

#[tokio::test]
async fn a_recorded_series_ends_with_its_source() {
    let files: &[(&str, &str)] =
        &[("rules.yml", "groups: [{name: g, interval: 1s, rules: [{record: a_plus_one, expr: a + 1}]}]")];
    let stage = Stage::new(files, &[("a", "1 2 stale")], SECOND);
    let mut written = Vec::new();
    for second in 0..=3 {
        stage.tick(second * SECOND).await;
        written.extend(stage.sink.take().into_iter().map(|(labels, value)| format!("{labels} {value}")));
    }
    assert_eq!(written, ["a_plus_one 2", "a_plus_one 3", "a_plus_one stale"]);
}

#[tokio::test]
async fn rules_take_their_series_and_alerts_along() {
    let before = "
groups:
- name: g
  rules:
  - {alert: alert, expr: m > 0, for: 10m}
  - {record: rule1, expr: m}
  - {record: rule3, expr: m, labels: {l1: v1}}
  - {record: rule3, expr: m, labels: {l1: v2}}
  - {record: rule3, expr: m, labels: {l1: v3}}
  - {alert: alert2, expr: m > 0, for: 10m, labels: {l2: v1}}
";
    let after = "
groups:
- name: g
  rules:
  - {record: rule3, expr: m, labels: {l1: v0}}
  - {record: rule3, expr: m, labels: {l1: v1}}
  - {record: rule3, expr: m, labels: {l1: v2}}
  - {alert: alert, expr: m > 0, for: 10m}
  - {record: rule1, expr: m}
  - {alert: alert2, expr: m > 0, for: 10m, labels: {l2: v0}}
  - {alert: alert2, expr: m > 0, for: 10m, labels: {l2: v1}}
  - {record: rule4, expr: m}
";
    let stage = Stage::new(&[("rules.yml", before)], &[("m{instance=\"i\"}", "1+0x100")], MINUTE);
    ticks(&stage, 0, 4).await;
    stage.sink.take();
    stage.reload(&[("rules.yml", after)]);
    stage.tick(5 * MINUTE).await;
    assert_eq!(stage.sink.ended(), [r#"rule3{instance="i", l1="v3"}"#]);
    let alerts = stage.get("/api/v1/alerts").await["alerts"].take();
    let mut since = alerts.as_array().expect("alerts").iter().map(|alert| {
        let time = chrono::DateTime::parse_from_rfc3339(alert["activeAt"].as_str().expect("a time"));
        let after_ms = time.expect("a time").timestamp_millis() - super::stage::ZERO_MS;
        let label = alert["labels"]["l2"].as_str().unwrap_or("-");
        format!("{} {label} {}", alert["labels"]["alertname"], after_ms.div_euclid(MINUTE))
    });
    // the slot of a tick lies up to a minute before it
    let expected = [r#""alert" - -1"#, r#""alert2" v0 4"#, r#""alert2" v1 -1"#];
    assert!(expected.iter().all(|expected| since.next().as_deref() == Some(*expected)), "{alerts}");
}

#[tokio::test]
async fn series_of_a_group_that_is_gone_end_unless_they_are_written_on() {
    const FILE: &str = "groups: [{name: g, rules: [{record: test_2, expr: m}]}]";
    let stage = Stage::new(&[("a.yml", FILE)], &[("m", "1+0x100")], MINUTE);
    ticks(&stage, 0, 2).await;
    assert_eq!(stage.sink.ended(), [""; 0]);
    // gone: the series ends two intervals later, as in Prometheus
    stage.reload(&[]);
    ticks(&stage, 3, 3).await;
    assert_eq!(stage.sink.ended(), [""; 0]);
    ticks(&stage, 4, 6).await;
    assert_eq!(stage.sink.ended(), ["test_2"]);
    // the same rule in another file takes it over
    stage.reload(&[("a.yml", FILE)]);
    ticks(&stage, 7, 8).await;
    stage.reload(&[("b.yml", FILE)]);
    ticks(&stage, 9, 14).await;
    assert_eq!(stage.sink.ended(), [""; 0]);
    stage.reload(&[]);
    ticks(&stage, 15, 20).await;
    assert_eq!(stage.sink.ended(), ["test_2"]);
}

#[tokio::test]
async fn alerts_are_sent_again_after_the_delay_and_once_they_are_over() {
    let files: &[(&str, &str)] =
        &[("rules.yml", "groups: [{name: g, interval: 1s, rules: [{alert: aTooHigh, expr: a > 1}]}]")];
    let settings = Settings { resend_delay_ms: 2 * SECOND, ..Settings::default() };
    let stage = Stage::with(files, &[("a", "0 2 3 3 3 3 0 0")], SECOND, settings);
    let mut heard: Vec<Vec<&str>> = Vec::new();
    for second in 0..=7 {
        stage.tick(second * SECOND).await;
        let alerts = stage.receiver.take();
        heard.push(alerts.iter().map(|(_, alert)| if alert.resolved { "over" } else { "fires" }).collect());
    }
    // slots lie up to a second before the tick; a delay of 2 s is over at the third slot behind the one that sent
    let none: Vec<&str> = Vec::new();
    let expected = [
        none.clone(),
        none.clone(),
        vec!["fires"],
        none.clone(),
        none.clone(),
        vec!["fires"],
        none,
        vec!["over"],
    ];
    assert_eq!(heard, expected);
}
