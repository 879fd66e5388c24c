use model::{Labels, Value};

use super::*;
use crate::Rules;
use crate::state::{ActiveAlert, AlertState};
use crate::testing::{FakeQuery, vector};

const MINUTE: i64 = 60_000;

/// A rule that is stepped by hand.
struct Bench {
    rules: Rules,
    state: RuleState,
    environment: Arc<Environment>,
    samples: Vec<RuleSample>,
    relabel: Vec<relabel::Rule>,
}

impl Bench {
    /// A group with one rule, given as the fields of a flow mapping.
    fn new(rule: &str) -> Self {
        Self::limited(rule, 0)
    }

    fn limited(rule: &str, limit: usize) -> Self {
        let text = format!("groups:\n- {{name: g, limit: {limit}, rules: [{{{rule}}}]}}\n");
        let rules = Rules::load(&[("f.yml", text)], &FakeQuery::default()).expect("loads");
        let state = RuleState {
            identity: crate::state::Identity::of(&rules.groups[0].rules[0]),
            ..RuleState::default()
        };
        Self { rules, state, environment: Arc::default(), samples: Vec::new(), relabel: Vec::new() }
    }

    fn rule(&self) -> &Rule {
        &self.rules.groups[0].rules[0]
    }

    /// Takes a step at a minute, with an answer.
    fn step(&mut self, minute: i64, answer: &QueryValue) {
        let at = At { slot_ms: minute * MINUTE, query_offset_ms: 0 };
        match step(self.rule(), self.rules.groups[0].limit, &self.state, Ok(answer), &self.environment, at) {
            Step::Done(state, samples) => (self.state, self.samples) = (*state, samples),
            Step::Needs(queries) => panic!("needs {queries:?}"),
        }
    }

    /// Takes a step with an element for each of these instances.
    fn see(&mut self, minute: i64, instances: &[&str]) -> String {
        let elements: Vec<_> = instances
            .iter()
            .map(|i| (Labels::from_pairs([("__name__", "m"), ("i", *i)]), Value::Float(minute as f64)))
            .collect();
        self.step(minute, &QueryValue::Vector(elements));
        self.shown()
    }

    /// Each alert with its state and the minutes of what has happened to it.
    fn shown(&self) -> String {
        let minute =
            |name: &str, ms: Option<i64>| ms.map(|ms| format!(" {name}@{}", ms / MINUTE)).unwrap_or_default();
        let alert = |alert: &ActiveAlert| {
            format!(
                "{} {}{}{}{}{}",
                alert.labels.get("i").unwrap_or("-"),
                alert.state.as_str(),
                minute("active", Some(alert.active_at_ms)),
                minute("fired", alert.fired_at_ms),
                minute("over", alert.resolved_at_ms),
                minute("kept", alert.keep_firing_since_ms),
            )
        };
        self.state.alerts.iter().map(alert).collect::<Vec<_>>().join("; ")
    }

    fn sent(&mut self, minute: i64, interval_ms: i64, resend_delay_ms: i64) -> Vec<crate::send::Alert> {
        let external_labels = Labels::from_pairs([("i", "external"), ("cluster", "c")]);
        let sending = Sending {
            interval_ms,
            resend_delay_ms,
            external_labels: &external_labels,
            relabel: &self.relabel,
            external_url: "http://m",
        };
        notices(&self.rules.groups[0].rules[0], &mut self.state.alerts, minute * MINUTE, &sending)
    }
}

#[test]
fn pending_then_firing_then_over() {
    let mut bench = Bench::new("alert: A, expr: up, for: 2m");
    assert_eq!(bench.see(0, &["a"]), "a pending active@0");
    assert_eq!(bench.see(1, &["a", "b"]), "a pending active@0; b pending active@1");
    assert_eq!(bench.see(2, &["a"]), "a firing active@0 fired@2");
    assert_eq!(bench.see(3, &[]), "a inactive active@0 fired@2 over@3");
    assert_eq!(bench.see(18, &[]), "a inactive active@0 fired@2 over@3");
    assert_eq!(bench.see(19, &[]), "");
}

#[test]
fn without_for_it_fires_at_once() {
    let mut bench = Bench::new("alert: A, expr: up");
    assert_eq!(bench.see(0, &["a"]), "a firing active@0 fired@0");
    assert_eq!(bench.see(1, &[]), "a inactive active@0 fired@0 over@1");
    assert_eq!(bench.see(2, &["a"]), "a firing active@2 fired@2");
}

#[test]
fn keep_firing_for() {
    let mut bench = Bench::new("alert: A, expr: up, for: 1m, keep_firing_for: 3m");
    bench.see(0, &["a"]);
    assert_eq!(bench.see(1, &["a"]), "a firing active@0 fired@1");
    assert_eq!(bench.see(2, &[]), "a firing active@0 fired@1 kept@2");
    assert_eq!(bench.see(4, &[]), "a firing active@0 fired@1 kept@2");
    assert_eq!(bench.samples.len(), 2);
    assert_eq!(bench.see(4, &["a"]), "a firing active@0 fired@1");
    assert_eq!(bench.see(5, &[]), "a firing active@0 fired@1 kept@5");
    assert_eq!(bench.see(8, &[]), "a inactive active@0 fired@1 over@8 kept@5");
    // What is pending is not kept.
    let mut bench = Bench::new("alert: A, expr: up, for: 5m, keep_firing_for: 3m");
    bench.see(0, &["a"]);
    assert_eq!(bench.see(1, &[]), "");
}

#[test]
fn a_longer_for_makes_it_pending_again() {
    let mut bench = Bench::new("alert: A, expr: up, for: 1m");
    bench.see(0, &["a"]);
    bench.see(1, &["a"]);
    let state = bench.state.clone();
    let mut longer = Bench::new("alert: A, expr: up, for: 5m");
    longer.state = state;
    assert_eq!(longer.see(2, &["a"]), "a pending active@0");
    assert_eq!(longer.see(5, &["a"]), "a firing active@0 fired@5");
}

#[test]
fn labels_and_annotations_are_expanded() {
    let mut bench = Bench::new(
        "alert: A, expr: up, labels: {i: 'x-{{ $labels.i }}', gone: '', job: '{{ $labels.nope }}', alertname: B}, annotations: {v: '{{ $value }}', bad: '{{ first }}'}",
    );
    bench.step(1, &vector(&[(&[("__name__", "m"), ("i", "1"), ("job", "j")], 2e6)]));
    let alert = &bench.state.alerts[0];
    assert_eq!(alert.labels.to_string(), r#"{alertname="A", i="x-1"}"#);
    assert_eq!(alert.annotations.get("v"), Some("2e+06"));
    assert!(alert.annotations.get("bad").is_some_and(|text| {
        text.starts_with("<error expanding template: error executing template __alert_A: ")
    }));
    // New values replace the old ones; labels stay.
    bench.step(2, &vector(&[(&[("i", "1")], 3.0)]));
    assert_eq!(bench.state.alerts[0].annotations.get("v"), Some("3"));
}

#[test]
fn templates_say_which_queries_they_need() {
    let bench = Bench::new(
        "alert: A, expr: up, annotations: {a: '{{ query \"x\" }}{{ query \"y\" }}', b: '{{ query \"z\" }}'}",
    );
    let at = At { slot_ms: 0, query_offset_ms: 0 };
    let answer = QueryValue::Scalar(1.0);
    let needed = |environment: &Arc<Environment>| match step(
        bench.rule(),
        0,
        &bench.state,
        Ok(&answer),
        environment,
        at,
    ) {
        Step::Needs(queries) => queries.into_iter().collect(),
        Step::Done(..) => Vec::new(),
    };
    let mut environment = Arc::<Environment>::default();
    assert_eq!(needed(&environment), ["x", "z"]);
    for query in ["x", "z"] {
        Arc::make_mut(&mut environment).answers.insert(query.to_owned(), Ok(Vec::new()));
    }
    assert_eq!(needed(&environment), ["y"]);
}

#[test]
fn samples_follow_the_state() {
    let series = |bench: &Bench| {
        let mut lines: Vec<String> = bench
            .samples
            .iter()
            .map(|sample| match sample.value {
                Value::Float(value) if model::is_stale_nan(value) => format!("{} stale", sample.labels),
                Value::Float(value) => format!("{} {value}", sample.labels),
                Value::Histogram(_) => String::new(),
            })
            .collect();
        lines.sort();
        lines
    };
    let mut bench = Bench::new("alert: A, expr: up, for: 1m, labels: {s: p}");
    bench.see(1, &["a"]);
    assert_eq!(
        series(&bench),
        [
            r#"ALERTS_FOR_STATE{alertname="A", i="a", s="p"} 60"#,
            r#"ALERTS{alertname="A", alertstate="pending", i="a", s="p"} 1"#,
        ]
    );
    bench.see(2, &["a"]);
    assert_eq!(
        series(&bench),
        [
            r#"ALERTS_FOR_STATE{alertname="A", i="a", s="p"} 60"#,
            r#"ALERTS{alertname="A", alertstate="firing", i="a", s="p"} 1"#,
            r#"ALERTS{alertname="A", alertstate="pending", i="a", s="p"} stale"#,
        ]
    );
    bench.see(3, &[]);
    assert_eq!(
        series(&bench),
        [
            r#"ALERTS_FOR_STATE{alertname="A", i="a", s="p"} stale"#,
            r#"ALERTS{alertname="A", alertstate="firing", i="a", s="p"} stale"#,
        ]
    );
    bench.see(4, &[]);
    assert_eq!(series(&bench), Vec::<String>::new());
}

#[test]
fn recordings() {
    let mut bench = Bench::new("record: r, expr: up, labels: {job: '', x: y}");
    bench.step(1, &vector(&[(&[("__name__", "m"), ("job", "j"), ("i", "1")], 5.0)]));
    assert_eq!(bench.samples[0].labels.to_string(), r#"r{i="1", x="y"}"#);
    assert_eq!((bench.samples[0].timestamp_ms, &bench.samples[0].value), (MINUTE, &Value::Float(5.0)));
    bench.step(2, &QueryValue::Scalar(7.0));
    assert_eq!(bench.samples[0].labels.to_string(), r#"r{x="y"}"#);
    assert_eq!(bench.samples.len(), 2);
}

#[test]
fn failures_leave_the_alerts() {
    let check = |rule: &str, limit: usize, answer: &QueryValue, expect: &str, left: &str| {
        let mut bench = Bench::limited(rule, limit);
        bench.see(0, &["a"]);
        bench.step(1, answer);
        assert_eq!((&*bench.state.last_error, bench.state.health), (expect, Health::Err));
        assert_eq!(bench.shown(), left);
        assert!(bench.samples.is_empty());
    };
    let two = vector(&[(&[("i", "a")], 1.0), (&[("i", "b")], 1.0)]);
    let twins = vector(&[(&[("__name__", "x"), ("i", "a")], 1.0), (&[("__name__", "y"), ("i", "a")], 1.0)]);
    let many = QueryValue::Vector(vec![(Labels::empty(), Value::Float(1.0)); ANSWER_ELEMENTS_MAX + 1]);
    let alert = "alert: A, expr: up, for: 9m";
    let left = "a pending active@0";
    check(alert, 0, &QueryValue::Matrix, "rule result is not a vector or scalar", left);
    check(alert, 0, &QueryValue::String("x".to_owned()), "rule result is not a vector or scalar", left);
    check(
        alert,
        0,
        &twins,
        "vector contains metrics with the same labelset after applying alert labels",
        left,
    );
    check(alert, 0, &many, "the rule's answer has 100001 elements; the limit is 100000", left);
    check(alert, 1, &two, "exceeded limit of 1 with 2 alerts", "");
    let record = "record: r, expr: up";
    check(record, 1, &two, "exceeded limit of 1 with 2 series", "");
    check(record, 0, &twins, "vector contains metrics with the same labelset after applying rule labels", "");
}

#[test]
fn a_failed_query_is_the_last_error() {
    let mut bench = Bench::new("alert: A, expr: up");
    bench.see(0, &["a"]);
    let at = At { slot_ms: MINUTE, query_offset_ms: 0 };
    let Step::Done(state, samples) =
        step(bench.rule(), 0, &bench.state, Err("many-to-many".to_owned()), &bench.environment, at)
    else {
        panic!("is done")
    };
    assert_eq!((&*state.last_error, state.alerts.len(), samples.len()), ("many-to-many", 1, 0));
    assert_eq!(state.series.len(), 2, "nothing has ended");
}

/// At an interval of 1m and a delay of 1m a firing alert is sent every second minute: the rule is strict.
#[test]
fn resending() {
    let mut bench = Bench::new("alert: A, expr: up == 0, for: 1m");
    let mut sent = Vec::new();
    for minute in 0..8 {
        bench.see(minute, if minute < 6 { &["a"] } else { &[] });
        sent.extend(
            bench.sent(minute, MINUTE, MINUTE).into_iter().map(|alert| {
                (minute, alert.starts_at_ms / MINUTE, alert.ends_at_ms / MINUTE, alert.resolved)
            }),
        );
    }
    assert_eq!(sent, [(1, 1, 5, false), (3, 1, 7, false), (5, 1, 9, false), (6, 1, 6, true)]);
    // What is over is sent again for 15 minutes.
    let again: Vec<i64> = (8..30)
        .filter(|minute| {
            bench.see(*minute, &[]);
            !bench.sent(*minute, MINUTE, MINUTE).is_empty()
        })
        .collect();
    assert_eq!(again, [8, 10, 12, 14, 16, 18, 20]);
}

#[test]
fn external_labels_are_added_when_sent() {
    let mut bench = Bench::new("alert: A, expr: up == 0");
    bench.see(0, &["a"]);
    let alert = bench.sent(0, MINUTE, 2 * MINUTE).remove(0);
    assert_eq!(alert.labels.to_string(), r#"{alertname="A", cluster="c", i="a"}"#);
    assert_eq!(alert.generator_url, "http://m/graph?g0.expr=up+%3D%3D+0&g0.tab=1");
    assert_eq!(alert.ends_at_ms, 8 * MINUTE);
    assert_eq!(bench.state.alerts[0].labels.get("cluster"), None);
}

#[test]
fn downtime_does_not_count() {
    let mut bench = Bench::new("alert: A, expr: up, for: 10m");
    bench.see(0, &["a"]);
    skip_downtime(&mut bench.state.alerts, 60 * MINUTE);
    assert_eq!(bench.see(61, &["a"]), "a pending active@60");
    assert!(bench.state.alerts.iter().all(|alert| alert.state == AlertState::Pending));
}

#[test]
fn alerts_are_relabelled_behind_external_labels() {
    let mut bench = Bench::new("alert: A, expr: x");
    let rules = "[{source_labels: [cluster], target_label: place}, {regex: cluster, action: labeldrop}, \
                 {source_labels: [i], regex: b, action: drop}]";
    let mut reader = yaml::Reader::new();
    let root = yaml::parse(rules).expect("parses").root.expect("a list");
    bench.relabel = relabel::read_all(&mut reader, &root, "alert_relabel_configs");
    reader.finish().expect("no mistakes");
    bench.see(1, &["a", "b"]);
    let sent = bench.sent(1, MINUTE, MINUTE);
    let labels: Vec<_> = sent.iter().map(|alert| alert.labels.to_string()).collect();
    assert_eq!(labels, [r#"{alertname="A", i="a", place="c"}"#]);
    // what was dropped counts as sent
    assert!(bench.sent(2, MINUTE, MINUTE).is_empty());
}
