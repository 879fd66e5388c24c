//! The four cases of Prometheus' compliance tests for generators of alerts, on a clock that is moved.
//!
//! As there, samples come every 15 s, groups are evaluated every 30 s, and alerts that still fire are sent again after a
//! minute. A change of the samples shows at the latest an interval later: in `/api/v1/rules` and `/api/v1/alerts`, in the
//! series `ALERTS`, and at the receiver, whose every alert has to be one that is due. What is looked at every 30 s there is
//! looked at every 5 s here, so at every phase between samples and evaluations.

use std::collections::BTreeMap;

use alert::{Alert, QueryValue, Settings};
use model::{Labels, Value};
use serde_json::{Value as Json, json};

use super::stage::{Stage, ZERO_MS};

const SAMPLE_MS: i64 = 15_000;
const INTERVAL_MS: i64 = 30_000;
const RESEND_MS: i64 = 60_000;
const RESOLVED_MS: i64 = 15 * 60_000;
/// How long a request may take.
const ROUND_TRIP_MS: i64 = 5_000;

type Pairs = Vec<(&'static str, &'static str)>;

/// One life of an alert; times are indices of samples.
struct Life {
    labels: &'static [(&'static str, &'static str)],
    /// `None` if it fires at once.
    pending: Option<i64>,
    /// `None` if it is over before it fires.
    firing: Option<i64>,
    over: i64,
    /// Its value and annotations, each from a time on.
    shown: Vec<(i64, f64, Pairs)>,
}

impl Life {
    fn begin(&self) -> i64 {
        self.pending.or(self.firing).expect("begins")
    }

    fn labels(&self) -> Labels {
        Labels::from_pairs(self.labels.iter().copied())
    }

    /// State, value and annotations at a sample, if it is alive.
    fn at(&self, sample: i64) -> Option<(&'static str, f64, Labels)> {
        if sample < self.begin() || sample >= self.over {
            return None;
        }
        let state = if self.firing.is_some_and(|firing| firing <= sample) { "firing" } else { "pending" };
        let (_, value, annotations) = self.shown.iter().rev().find(|(from, ..)| *from <= sample)?;
        Some((state, *value, Labels::from_pairs(annotations.iter().copied())))
    }

    /// What may be seen of it at a time: what it is, and what it was an interval ago or since.
    fn visible(&self, after_ms: i64) -> Vec<Option<(&'static str, f64, Labels)>> {
        let first = (after_ms - INTERVAL_MS).div_euclid(SAMPLE_MS);
        (first..=after_ms.div_euclid(SAMPLE_MS)).map(|sample| self.at(sample)).collect()
    }
}

/// A case: a group, its series, and the lives of its alerts.
struct Case {
    name: &'static str,
    rules: String,
    series: Vec<(String, &'static str)>,
    samples: i64,
    lives: Vec<Life>,
    /// The rules as the API shows them, without what changes.
    expected_rules: Json,
}

/// Plays a case, and gives what the receiver heard.
async fn play(case: &Case) -> Vec<Alert> {
    let file = format!("groups:\n- name: {}\n  interval: 30s\n  rules:\n{}", case.name, case.rules);
    let series: Vec<_> = case.series.iter().map(|(name, values)| (name.as_str(), *values)).collect();
    let settings = Settings { external_url: "http://mayfly".to_owned(), ..Settings::default() };
    let stage = Stage::with(&[("rules.yaml", &file)], &series, SAMPLE_MS, settings);
    let mut heard = Vec::new();
    for after_ms in (0..=case.samples * SAMPLE_MS).step_by(1_000) {
        stage.tick(after_ms).await;
        heard.extend(stage.receiver.take());
        if after_ms > 2 * INTERVAL_MS && after_ms % 5_000 == 0 {
            look(case, &stage, after_ms).await;
        }
    }
    check_heard(case, &heard);
    heard.into_iter().map(|(_, alert)| alert).collect()
}

/// Compares everything that can be asked for.
async fn look(case: &Case, stage: &Stage, after_ms: i64) {
    let place =
        format!("{} after {} samples and {} ms", case.name, after_ms / SAMPLE_MS, after_ms % SAMPLE_MS);
    let alerts = stage.get("/api/v1/alerts").await["alerts"].take();
    let mut seen: BTreeMap<Labels, &Json> = BTreeMap::new();
    for alert in alerts.as_array().expect("alerts") {
        assert!(seen.insert(labels(&alert["labels"]), alert).is_none(), "{place}: twice: {alert}");
    }
    let mut names: Vec<Labels> = case.lives.iter().map(Life::labels).collect();
    names.sort();
    names.dedup();
    for name in names {
        let found = seen.remove(&name);
        let mut lives = case.lives.iter().filter(|life| life.labels() == name);
        let fits = |life: &Life| {
            life.visible(after_ms).into_iter().any(|expected| match (expected, found) {
                (Some(expected), Some(found)) => is_like(life, &expected, found),
                _ => false,
            })
        };
        match found {
            Some(found) => assert!(lives.any(fits), "{place}: {found}"),
            None => {
                let gone = |life: &Life| life.visible(after_ms).contains(&None);
                assert!(lives.all(gone), "{place}: no {name}");
            }
        }
    }
    assert!(seen.is_empty(), "{place}: unexpected: {seen:?}");
    check_rules(case, stage, after_ms, &alerts, &place).await;
    check_series(stage, after_ms, &alerts, &place).await;
}

fn is_like(life: &Life, expected: &(&str, f64, Labels), found: &Json) -> bool {
    let (state, value, annotations) = expected;
    let begin_ms = life.begin() * SAMPLE_MS;
    let active_ms = time_ms(&found["activeAt"]) - ZERO_MS;
    found["state"] == **state
        && found["value"].as_str().and_then(|text| text.parse().ok()) == Some(*value)
        && labels(&found["annotations"]) == *annotations
        && (begin_ms..=begin_ms + INTERVAL_MS).contains(&active_ms)
}

/// The group and its rules, with the same alerts that the other route shows.
async fn check_rules(case: &Case, stage: &Stage, after_ms: i64, alerts: &Json, place: &str) {
    let groups = stage.get("/api/v1/rules").await["groups"].take();
    assert_eq!(groups.as_array().map(Vec::len), Some(1), "{place}");
    let group = &groups[0];
    assert_eq!((&group["name"], &group["interval"]), (&json!(case.name), &json!(30)), "{place}");
    let oldest_ms = ZERO_MS + after_ms - INTERVAL_MS - ROUND_TRIP_MS;
    assert!(time_ms(&group["lastEvaluation"]) >= oldest_ms, "{place}: {group}");
    let mut its_alerts = Vec::new();
    let mut shown = group["rules"].clone();
    for rule in shown.as_array_mut().expect("rules") {
        assert!(time_ms(&rule["lastEvaluation"]) >= oldest_ms, "{place}: {rule}");
        let rule = rule.as_object_mut().expect("a rule");
        let Some(Json::Array(alerts)) = rule.remove("alerts") else { panic!("{place}: no alerts") };
        let has = |state: &str| alerts.iter().any(|alert| alert["state"] == state);
        let state = if has("firing") {
            "firing"
        } else if has("pending") {
            "pending"
        } else {
            "inactive"
        };
        assert_eq!(rule.remove("state"), Some(json!(state)), "{place}");
        rule.retain(|name, _| {
            !matches!(name.as_str(), "lastEvaluation" | "evaluationTime" | "keepFiringFor")
        });
        its_alerts.extend(alerts);
    }
    assert_eq!(shown, case.expected_rules, "{place}");
    assert_eq!(Json::Array(its_alerts), *alerts, "{place}");
}

/// `ALERTS` holds what the API shows, and nothing else.
async fn check_series(stage: &Stage, after_ms: i64, alerts: &Json, place: &str) {
    let answer = stage.world.ask("ALERTS", ZERO_MS + after_ms).await.expect("answers");
    let QueryValue::Vector(found) = answer else { panic!("no vector") };
    let mut found: Vec<_> = found;
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let expected = alerts.as_array().expect("alerts").iter().map(|alert| {
        let mut series = labels(&alert["labels"]).to_builder();
        series.set("__name__", "ALERTS").set("alertstate", alert["state"].as_str().expect("a state"));
        (series.build(), Value::Float(1.0))
    });
    let mut expected: Vec<_> = expected.collect();
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(found, expected, "{place}");
}

/// Every alert that came was due, and every one that was due came.
fn check_heard(case: &Case, heard: &[(i64, Alert)]) {
    let mut by_name: BTreeMap<Labels, Vec<(i64, Alert)>> = BTreeMap::new();
    for (after_ms, alert) in heard {
        by_name.entry(alert.labels.clone()).or_default().push((*after_ms, alert.clone()));
    }
    for life in case.lives.iter().filter(|life| life.firing.is_some()) {
        let all = by_name.remove(&life.labels()).unwrap_or_default();
        let next = case.lives.iter().filter(|other| other.labels == life.labels).map(Life::begin);
        let next_ms = next.filter(|begin| *begin > life.over).min().map(|begin| begin * SAMPLE_MS);
        // the next life of the same alert has its own alerts
        let until_ms = next_ms.unwrap_or(i64::MAX);
        let (mine, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(_, alert)| alert.starts_at_ms - ZERO_MS < until_ms);
        if !others.is_empty() {
            by_name.insert(life.labels(), others);
        }
        let end_ms = until_ms.min(case.samples * SAMPLE_MS);
        check_life(life, &mine, end_ms);
    }
    assert!(by_name.is_empty(), "{}: unexpected: {by_name:?}", case.name);
}

fn check_life(life: &Life, heard: &[(i64, Alert)], end_ms: i64) {
    let (firing_ms, over_ms) = (life.firing.expect("fires") * SAMPLE_MS, life.over * SAMPLE_MS);
    let within = |from_ms: i64, at_ms: i64| (from_ms..=from_ms + INTERVAL_MS).contains(&at_ms);
    let (firing, resolved): (Vec<_>, Vec<_>) = heard.iter().partition(|(_, alert)| !alert.resolved);
    for (after_ms, alert) in heard {
        let what = format!("after {} samples: {alert:?}", *after_ms as f64 / SAMPLE_MS as f64);
        assert!(within(firing_ms, alert.starts_at_ms - ZERO_MS), "start, {what}");
        assert!(alert.generator_url.starts_with("http://mayfly/graph?g0.expr="), "{what}");
        let ends_at_ms = alert.ends_at_ms - ZERO_MS;
        if alert.resolved {
            assert!(within(over_ms, ends_at_ms), "end, {what}");
        } else {
            assert!(within(after_ms + 4 * RESEND_MS - ROUND_TRIP_MS, ends_at_ms), "end, {what}");
            let visible = life.visible(*after_ms);
            let mut annotations = visible.iter().flatten().map(|(_, _, annotations)| annotations);
            assert!(annotations.any(|expected| *expected == alert.annotations), "annotations, {what}");
        }
    }
    check_times(&firing, firing_ms, over_ms);
    check_times(&resolved, over_ms, end_ms.min(over_ms + RESOLVED_MS));
    let (last_firing, first_resolved) = (firing.last().expect("fired").0, resolved.first().expect("over").0);
    assert!(last_firing < first_resolved, "{last_firing} {first_resolved}");
}

/// The first within an interval of the beginning, each other one between a delay and an interval more after the one before,
/// up to the end and not after.
fn check_times(heard: &[&(i64, Alert)], from_ms: i64, until_ms: i64) {
    let mut due_ms = from_ms;
    for (after_ms, alert) in heard {
        assert!(
            (due_ms..=due_ms + INTERVAL_MS).contains(after_ms),
            "due at {due_ms}, came at {after_ms}: {alert:?}"
        );
        assert!(
            *after_ms <= until_ms + INTERVAL_MS,
            "nothing is sent after {until_ms}: {after_ms} {alert:?}"
        );
        due_ms = after_ms + RESEND_MS;
    }
    assert!(due_ms + INTERVAL_MS >= until_ms, "the next was due at {due_ms}, which is before {until_ms}");
}

fn labels(json: &Json) -> Labels {
    let map = json.as_object().expect("a map");
    Labels::from_pairs(map.iter().map(|(name, value)| (name.as_str(), value.as_str().expect("a text"))))
}

/// Milliseconds since the Unix epoch of a time as Go prints it in JSON.
fn time_ms(json: &Json) -> i64 {
    let text = json.as_str().expect("a time");
    chrono::DateTime::parse_from_rfc3339(text).expect("a time").timestamp_millis()
}

const NAME: &str = "alert_generator_test_suite";

#[tokio::test]
async fn pending_firing_and_resolved_twice() {
    const ALERT: &[(&str, &str)] = &[
        ("alertname", "PendingAndFiringAndResolved_SimpleAlert"),
        ("foo", "bar"),
        ("rulegroup", "PendingAndFiringAndResolved"),
    ];
    let metric = format!(
        "{NAME}{{alertname=\"PendingAndFiringAndResolved_SimpleAlert\",rulegroup=\"PendingAndFiringAndResolved\"}}"
    );
    let texts = |summary| vec![("description", "SimpleAlert is firing"), ("summary", summary)];
    let fifteen = "The value is 15 15";
    let first = Life {
        labels: ALERT,
        pending: Some(8),
        firing: Some(32),
        over: 69,
        shown: vec![
            (8, 11.0, texts("The value is 11 11")),
            (21, 15.0, texts(fifteen)),
            (53, 19.0, texts("The value is 19 19")),
        ],
    };
    let second = Life {
        labels: ALERT,
        pending: Some(89),
        firing: Some(113),
        over: 134,
        shown: vec![(89, 15.0, texts(fifteen))],
    };
    let case = Case {
        name: "PendingAndFiringAndResolved",
        rules: format!(
            "  - alert: PendingAndFiringAndResolved_SimpleAlert
    expr: '{metric} > 10'
    for: 6m
    labels: {{foo: bar, rulegroup: PendingAndFiringAndResolved}}
    annotations: {{description: SimpleAlert is firing, summary: 'The value is {{{{$value}}}} {{{{.Value}}}}'}}
"
        ),
        series: vec![(metric.clone(), "3 5+0x2 9+0x3 11+0x12 15+0x31 19+0x15 9+0x19 15+0x44 8+0x15")],
        samples: 150 + 60,
        lives: vec![first, second],
        expected_rules: json!([{
            "name": "PendingAndFiringAndResolved_SimpleAlert",
            "query": format!("{metric} > 10"),
            "duration": 360,
            "labels": {"foo": "bar", "rulegroup": "PendingAndFiringAndResolved"},
            "annotations": {
                "description": "SimpleAlert is firing", "summary": "The value is {{$value}} {{.Value}}"
            },
            "health": "ok",
            "type": "alerting",
        }]),
    };
    play(&case).await;
}

#[tokio::test]
async fn pending_and_resolved_beside_one_that_is_never_active() {
    let metric = |alert: &str| {
        format!("{NAME}{{alertname=\"{alert}\",rulegroup=\"PendingAndResolved_AlwaysInactive\"}}")
    };
    let (pending, inactive) = (
        metric("PendingAndResolved_AlwaysInactive_PendingAlert"),
        metric("PendingAndResolved_AlwaysInactive_InactiveAlert"),
    );
    let values = "3 5+0x2 9+0x3 11+0x10 9";
    let rule = |name: &str, expr: String, label: &str, value: &str, text: &str| {
        json!({
            "name": name,
            "query": expr,
            "duration": 180,
            "labels": {label: value, "rulegroup": "PendingAndResolved_AlwaysInactive"},
            "annotations": {"description": text},
            "health": "ok",
            "type": "alerting",
        })
    };
    let case = Case {
        name: "PendingAndResolved_AlwaysInactive",
        rules: format!(
            "  - alert: PendingAndResolved_AlwaysInactive_PendingAlert
    expr: '{pending} > 10'
    for: 3m
    labels: {{foo: bar, rulegroup: PendingAndResolved_AlwaysInactive}}
    annotations: {{description: SimpleAlert is firing}}
  - alert: PendingAndResolved_AlwaysInactive_InactiveAlert
    expr: '{inactive} > 99'
    for: 3m
    labels: {{ba_dum: tss, rulegroup: PendingAndResolved_AlwaysInactive}}
    annotations: {{description: This should never fire}}
"
        ),
        series: vec![(pending.clone(), values), (inactive.clone(), values)],
        samples: 20 + 40,
        lives: vec![Life {
            labels: &[
                ("alertname", "PendingAndResolved_AlwaysInactive_PendingAlert"),
                ("foo", "bar"),
                ("rulegroup", "PendingAndResolved_AlwaysInactive"),
            ],
            pending: Some(8),
            firing: None,
            over: 19,
            shown: vec![(8, 11.0, vec![("description", "SimpleAlert is firing")])],
        }],
        expected_rules: json!([
            rule(
                "PendingAndResolved_AlwaysInactive_PendingAlert",
                format!("{pending} > 10"),
                "foo",
                "bar",
                "SimpleAlert is firing"
            ),
            rule(
                "PendingAndResolved_AlwaysInactive_InactiveAlert",
                format!("{inactive} > 99"),
                "ba_dum",
                "tss",
                "This should never fire"
            ),
        ]),
    };
    play(&case).await;
}

#[tokio::test]
async fn no_for_and_one_that_is_shorter_than_the_interval() {
    const QUERY_TEST: &str = r#"{{ define "testtemplate" }}Args are: {{.arg0}} {{.arg1}} {{.arg2}}. {{ with query "alert_generator_test_suite{rulegroup='ZeroFor_SmallFor',for='template'}" }}first_id:{{ . | sortByLabel "id" | first | label "id"}},{{ range $v := sortByLabel "id" .}}{{ . | label "id" }}:{{ . | value }},{{end}}{{end}}{{ end }}{{ template "testtemplate" (args "foo" "bar" 99) }}"#;
    const HUMANIZE_TEST: &str = "{{humanize 1048576}} {{humanize1024 1048576}} {{humanizeDuration 135.3563}} {{humanizePercentage 0.959}} {{humanizeTimestamp 1643114203}}";
    const TEXT_TEST: &str = r#"{{title "this part"}} {{toUpper "is testing"}} {{toLower "THE STRINGS"}}. {{ stripPort "[::1]:6006"}} {{ stripPort "127.0.0.1:4004"}}. {{parseDuration "2h10m15s"}}. {{if match "[0-9]+" "1234"}}{{reReplaceAll "r.*d" "replaced" "rpld text"}}{{end}}. {{if match "[0-9]+$" "1234a"}}WRONG{{end}}."#;
    const ZERO: &[(&str, &str)] =
        &[("alertname", "ZeroFor_SmallFor_ZeroFor"), ("foo", "bar"), ("rulegroup", "ZeroFor_SmallFor")];
    let metric = |alert: &str| format!("{NAME}{{alertname=\"{alert}\",rulegroup=\"ZeroFor_SmallFor\"}}");
    let (zero, small) = (metric("ZeroFor_SmallFor_ZeroFor"), metric("ZeroFor_SmallFor_SmallFor"));
    let zero_texts = |ids| {
        vec![
            ("description", "This should immediately fire"),
            ("template_test", "1.049M 1Mi 2m 15s 95.9% 2022-01-25 12:36:43 +0000 UTC"),
            ("template_query_test", ids),
        ]
    };
    let values = "3 5+0x2 9+0x3 15+0x12 9+0x71 11+0x12 9";
    let mut series = vec![(zero.clone(), values), (small.clone(), values)];
    for (id, values) in [(1, "1+0x27 2+0x200"), (2, "2+0x27 4+0x200"), (3, "3+0x27 6+0x200")] {
        let labels =
            format!("rulegroup=\"ZeroFor_SmallFor\",for=\"template\",id=\"10{id}\",__value__=\"val{id}\"");
        series.push((format!("{NAME}{{{labels}}}"), values));
    }
    let case = Case {
        name: "ZeroFor_SmallFor",
        rules: format!(
            "  - alert: ZeroFor_SmallFor_ZeroFor
    expr: '{zero} > 10'
    labels: {{foo: bar, rulegroup: ZeroFor_SmallFor}}
    annotations:
      description: This should immediately fire
      template_test: '{HUMANIZE_TEST}'
      template_query_test: '{}'
  - alert: ZeroFor_SmallFor_SmallFor
    expr: '{small} > 13'
    for: 15s
    labels: {{ba_dum: tss, rulegroup: ZeroFor_SmallFor}}
    annotations:
      description: This should fire after an interval
      template_test: '{TEXT_TEST}'
",
            QUERY_TEST.replace('\'', "''")
        ),
        series,
        samples: 107 + 80,
        lives: vec![
            Life {
                labels: ZERO,
                pending: None,
                firing: Some(8),
                over: 21,
                shown: vec![(8, 15.0, zero_texts("Args are: foo bar 99. first_id:101,101:1,102:2,103:3,"))],
            },
            Life {
                labels: ZERO,
                pending: None,
                firing: Some(93),
                over: 106,
                shown: vec![(93, 11.0, zero_texts("Args are: foo bar 99. first_id:101,101:2,102:4,103:6,"))],
            },
            Life {
                labels: &[
                    ("alertname", "ZeroFor_SmallFor_SmallFor"),
                    ("ba_dum", "tss"),
                    ("rulegroup", "ZeroFor_SmallFor"),
                ],
                pending: Some(8),
                // not before the second evaluation
                firing: Some(10),
                over: 21,
                shown: vec![(
                    8,
                    15.0,
                    vec![
                        ("description", "This should fire after an interval"),
                        (
                            "template_test",
                            "This Part IS TESTING the strings. ::1 127.0.0.1. 7815. replaced text. .",
                        ),
                    ],
                )],
            },
        ],
        expected_rules: json!([
            {
                "name": "ZeroFor_SmallFor_ZeroFor",
                "query": format!("{zero} > 10"),
                "duration": 0,
                "labels": {"foo": "bar", "rulegroup": "ZeroFor_SmallFor"},
                "annotations": {
                    "description": "This should immediately fire",
                    "template_test": HUMANIZE_TEST,
                    "template_query_test": QUERY_TEST,
                },
                "health": "ok",
                "type": "alerting",
            },
            {
                "name": "ZeroFor_SmallFor_SmallFor",
                "query": format!("{small} > 13"),
                "duration": 15,
                "labels": {"ba_dum": "tss", "rulegroup": "ZeroFor_SmallFor"},
                "annotations": {
                    "description": "This should fire after an interval", "template_test": TEXT_TEST
                },
                "health": "ok",
                "type": "alerting",
            },
        ]),
    };
    play(&case).await;
}

#[tokio::test]
async fn new_alerts_and_a_rule_on_those_before_it() {
    const ONE: &[(&str, &str)] = &[
        ("alertname", "NewAlerts_OrderCheck_Rule1"),
        ("foo", "bar"),
        ("rulegroup", "NewAlerts_OrderCheck"),
        ("variant", "one"),
    ];
    const TWO: &[(&str, &str)] = &[
        ("alertname", "NewAlerts_OrderCheck_Rule1"),
        ("foo", "bar"),
        ("rulegroup", "NewAlerts_OrderCheck"),
        ("variant", "two"),
    ];
    let metric = |variant: &str| {
        let labels = "alertname=\"NewAlerts_OrderCheck_Rule1\",rulegroup=\"NewAlerts_OrderCheck\"";
        format!("{NAME}{{{labels}{variant}}}")
    };
    let firing = |variant: &str| {
        format!(
            "ALERTS{{alertname=\"NewAlerts_OrderCheck_Rule1\",alertstate=\"firing\",foo=\"bar\",rulegroup=\"NewAlerts_OrderCheck\",variant=\"{variant}\"}}"
        )
    };
    let second = format!("({} + ignoring (variant) {}) == 2", firing("one"), firing("two"));
    let life = |labels, pending, firing, over, value, text| Life {
        labels,
        pending,
        firing: Some(firing),
        over,
        shown: vec![(pending.unwrap_or(firing), value, vec![("description", text)])],
    };
    let more = "This should produce more alerts later";
    let case = Case {
        name: "NewAlerts_OrderCheck",
        rules: format!(
            "  - alert: NewAlerts_OrderCheck_Rule1
    expr: '{} > 10'
    for: 3m
    labels: {{foo: bar, rulegroup: NewAlerts_OrderCheck}}
    annotations: {{description: {more}}}
  - alert: NewAlerts_OrderCheck_Rule2
    expr: '{second}'
    labels: {{foo: baz, ba_dum: tss, rulegroup: NewAlerts_OrderCheck}}
    annotations:
      description: 'Based on ALERTS. Old alertname was {{{{$labels.alertname}}}}. foo was {{{{.Labels.foo}}}}.'
",
            metric("")
        ),
        series: vec![
            (metric(",variant=\"one\""), "1+0x7 11+0x64 9+0x20"),
            (metric(",variant=\"two\""), "1+0x31 11+0x32 9+0x20"),
        ],
        samples: 94 + 60,
        lives: vec![
            life(ONE, Some(8), 20, 73, 11.0, more),
            life(TWO, Some(32), 44, 65, 11.0, more),
            life(
                &[
                    ("alertname", "NewAlerts_OrderCheck_Rule2"),
                    ("alertstate", "firing"),
                    ("ba_dum", "tss"),
                    ("foo", "baz"),
                    ("rulegroup", "NewAlerts_OrderCheck"),
                ],
                None,
                44,
                65,
                2.0,
                "Based on ALERTS. Old alertname was NewAlerts_OrderCheck_Rule1. foo was bar.",
            ),
        ],
        expected_rules: json!([
            {
                "name": "NewAlerts_OrderCheck_Rule1",
                "query": format!("{} > 10", metric("")),
                "duration": 180,
                "labels": {"foo": "bar", "rulegroup": "NewAlerts_OrderCheck"},
                "annotations": {"description": more},
                "health": "ok",
                "type": "alerting",
            },
            {
                "name": "NewAlerts_OrderCheck_Rule2",
                "query": second,
                "duration": 0,
                "labels": {"foo": "baz", "ba_dum": "tss", "rulegroup": "NewAlerts_OrderCheck"},
                "annotations": {
                    "description":
                        "Based on ALERTS. Old alertname was {{$labels.alertname}}. foo was {{.Labels.foo}}."
                },
                "health": "ok",
                "type": "alerting",
            },
        ]),
    };
    let heard = play(&case).await;
    // the second rule sees what the first has written in the same evaluation
    let starts = |name: &str, label: (&str, &str)| {
        let is_it = |alert: &&Alert| {
            alert.labels.get("alertname") == Some(name) && alert.labels.get(label.0) == Some(label.1)
        };
        heard.iter().find(is_it).map(|alert| alert.starts_at_ms).expect("fired")
    };
    assert_eq!(
        starts("NewAlerts_OrderCheck_Rule1", ("variant", "two")),
        starts("NewAlerts_OrderCheck_Rule2", ("foo", "baz"))
    );
}
