//! What Prometheus' own tests expect of one alerting rule, evaluated at chosen times on the real query engine.

use std::sync::{Arc, Mutex};

use alert::{Rehearsal, Settings};
use model::Labels;
use testkit::ManualClock;

use super::stage::{Tee, load, world};

const MINUTE: i64 = 60_000;

/// A rule that is evaluated by hand.
struct Bench {
    sink: Arc<Tee>,
    rehearsal: Rehearsal,
}

impl Bench {
    fn new(rule: &str, series: &[(&str, &str)], step_ms: i64) -> Self {
        Self::with(rule, 0, series, step_ms, Settings::default())
    }

    fn with(rule: &str, limit: i64, series: &[(&str, &str)], step_ms: i64, settings: Settings) -> Self {
        let clock = Arc::new(ManualClock::at_ms(0));
        let world = world(0, series, step_ms, &clock);
        let file = format!("groups:\n- {{name: default, limit: {limit}, rules: [{{{rule}}}]}}\n");
        let rules = load(&[("rules.yml", &file)], &world);
        let sink = Arc::new(Tee { world: Arc::clone(&world), written: Mutex::default() });
        let rehearsal = Rehearsal::new(rules, &[], world, sink.clone(), clock, settings, 0);
        Self { sink, rehearsal }
    }

    /// What an evaluation writes of `ALERTS`, beside ends of series: the labels that `of` names, with their values.
    async fn alerts(&mut self, minute: i64, of: &[&str]) -> Vec<String> {
        self.written(minute, "ALERTS", of).await.into_iter().map(|(labels, _)| labels).collect()
    }

    async fn written(&mut self, minute: i64, name: &str, of: &[&str]) -> Vec<(String, String)> {
        self.sink.world.advance(minute * MINUTE);
        self.rehearsal.evaluate(minute * MINUTE).await.expect("evaluates");
        let fresh = self.sink.take().into_iter().filter(|(_, value)| value != "stale");
        let named = fresh.filter(|(labels, _)| labels.get(Labels::NAME) == Some(name));
        let shown = named.map(|(labels, value)| {
            let of = of.iter().map(|name| labels.get(name).unwrap_or("-"));
            (of.collect::<Vec<_>>().join(" "), value)
        });
        shown.collect()
    }

    async fn error(&mut self, minute: i64) -> Option<String> {
        self.sink.world.advance(minute * MINUTE);
        let failures = self.rehearsal.evaluate(minute * MINUTE).await.err()?;
        failures.first().map(|failure| failure.reason.clone())
    }
}

const CANARIES: &[(&str, &str)] = &[
    (
        r#"http_requests{job="app-server", instance="0", group="canary", severity="overwrite-me"}"#,
        "75 85 95 105 105 95 85",
    ),
    (
        r#"http_requests{job="app-server", instance="1", group="canary", severity="overwrite-me"}"#,
        "80 90 100 110 120 130 140",
    ),
];

const CANARY_RULE: &str = r#"alert: HTTPRequestRateLow, expr: 'http_requests{group="canary", job="app-server"} < 100', for: 1m, labels: {severity: '{{"c"}}ritical'}"#;

#[tokio::test]
async fn two_series_become_active_and_inactive() {
    let mut bench = Bench::new(CANARY_RULE, CANARIES, 5 * MINUTE);
    let table: &[(i64, &[&str])] = &[
        (0, &["pending 0 critical", "pending 1 critical"]),
        (5, &["firing 0 critical", "firing 1 critical"]),
        (10, &["firing 0 critical"]),
        (15, &[]),
        (20, &[]),
        (25, &["pending 0 critical"]),
        (30, &["firing 0 critical"]),
    ];
    for (minute, expected) in table {
        assert_eq!(bench.alerts(*minute, &["alertstate", "instance", "severity"]).await, *expected);
    }
}

#[tokio::test]
async fn since_when_they_are_active_is_written() {
    let mut bench = Bench::new(CANARY_RULE, CANARIES, 5 * MINUTE);
    // with the seconds since when
    let table: &[(i64, &[(&str, &str)])] = &[
        (0, &[("0 - canary", "0"), ("1 - canary", "0")]),
        (5, &[("0 - canary", "0"), ("1 - canary", "0")]),
        (10, &[("0 - canary", "0")]),
        (15, &[]),
        (20, &[]),
        (25, &[("0 - canary", "1500")]),
        (30, &[("0 - canary", "1500")]),
    ];
    for (minute, expected) in table {
        let written = bench.written(*minute, "ALERTS_FOR_STATE", &["instance", "alertstate", "group"]).await;
        let expected: Vec<_> =
            expected.iter().map(|(labels, value)| ((*labels).to_owned(), (*value).to_owned())).collect();
        assert_eq!(written, expected, "at {minute}m");
    }
}

#[tokio::test]
async fn a_label_that_follows_the_value_makes_other_alerts() {
    let rule = r"alert: Low, expr: http_requests < 100, for: 1m, labels: {severity: '{{ if lt $value 80.0 }}critical{{ else }}warning{{ end }}'}";
    let mut bench = Bench::new(rule, &[("http_requests{instance=\"0\"}", "75 85 70 70 stale")], MINUTE);
    let expected = ["pending critical", "pending warning", "pending critical", "firing critical"];
    for (minute, expected) in (0..).zip(expected) {
        assert_eq!(bench.alerts(minute, &["alertstate", "severity"]).await, [expected]);
    }
    assert_eq!(bench.alerts(4, &["alertstate", "severity"]).await, [""; 0]);
}

#[tokio::test]
async fn templates_know_what_is_outside() {
    let series = &[("http_requests{instance=\"0\"}", "75 85 70 70")];
    let check = async |external: &[(&str, &str)], url: &str, label: &str, expected: &str| {
        let settings = Settings {
            external_labels: Labels::from_pairs(external.iter().copied()),
            external_url: url.to_owned(),
            ..Settings::default()
        };
        let rule = format!("alert: A, expr: http_requests < 100, for: 1m, labels: {{templated: '{label}'}}");
        let mut bench = Bench::with(&rule, 0, series, MINUTE, settings);
        assert_eq!(bench.alerts(0, &["instance", "templated"]).await, [format!("0 {expected}")]);
    };
    let labels =
        "There are {{ len $externalLabels }} external Labels, of which foo is {{ $externalLabels.foo }}.";
    check(&[], "", labels, "There are 0 external Labels, of which foo is .").await;
    let two = [("foo", "bar"), ("dings", "bums")];
    check(&two, "", labels, "There are 2 external Labels, of which foo is bar.").await;
    let url = "The external URL is {{ $externalURL }}.";
    check(&[], "", url, "The external URL is .").await;
    check(&[], "http://localhost:1234", url, "The external URL is http://localhost:1234.").await;
    // an empty label is none
    check(&[], "", "", "-").await;
}

#[tokio::test]
async fn templates_ask_queries_and_show_histograms() {
    let rule = r#"alert: A, expr: sum(http_requests) < 100, for: 1m, labels: {found: '{{- with "sort(sum(http_requests) by (instance))" | query -}}{{- range $i,$v := . -}}instance: {{ $v.Labels.instance }}, value: {{ printf "%.0f" $v.Value }};{{- end -}}{{- end -}}'}"#;
    let mut bench = Bench::new(rule, &[("http_requests{instance=\"0\"}", "70 85 70 70")], MINUTE);
    assert_eq!(bench.alerts(0, &["found"]).await, ["instance: 0, value: 70;"]);
    let rule = "alert: A, expr: h, for: 1m, labels: {histogram: '{{ $value }}'}";
    let values = "{{schema:0 sum:5 count:4 buckets:[1 2 1]}}x2";
    let mut bench = Bench::new(rule, &[("h", values)], MINUTE);
    assert_eq!(
        bench.alerts(0, &["alertstate", "histogram"]).await,
        ["pending {count:4, sum:5, (0.5,1]:1, (1,2]:2, (2,4]:1}"]
    );
}

#[tokio::test]
async fn equal_label_sets_are_an_error() {
    let rule = r#"alert: foo, expr: 'vector(0) or label_replace(vector(0),"test","x","","")', for: 1m, labels: {test: test}"#;
    let mut bench = Bench::new(rule, &[], MINUTE);
    assert_eq!(
        bench.error(0).await.as_deref(),
        Some("vector contains metrics with the same labelset after applying alert labels")
    );
}

#[tokio::test]
async fn limits_of_alerts() {
    let series = &[("metric{label=\"1\"}", "1 1 0"), ("metric{label=\"2\"}", "1 1 0")];
    for (limit, expected) in
        [(0, None), (-1, None), (2, None), (1, Some("exceeded limit of 1 with 2 alerts"))]
    {
        let rule = "alert: foo, expr: metric > 0, for: 1m, labels: {test: test}";
        let mut bench = Bench::with(rule, limit, series, MINUTE, Settings::default());
        assert_eq!(bench.error(0).await.as_deref(), expected, "limit {limit}");
        // what is over the limit is forgotten
        let pending_since_start = bench.error(1).await.is_none();
        assert_eq!(bench.rehearsal.firing("foo").len(), if pending_since_start { 2 } else { 0 });
    }
}

#[tokio::test]
async fn what_fires_is_kept_firing() {
    let rule = "alert: High, expr: http_requests > 50, for: 1m, keep_firing_for: 1m";
    let mut bench = Bench::new(rule, &[("http_requests{instance=\"0\"}", "75 85 70 70 10x5")], MINUTE);
    for (minute, expected) in (0..).zip(["pending", "firing", "firing", "firing", "firing"]) {
        assert_eq!(bench.alerts(minute, &["alertstate"]).await, [expected], "at {minute}m");
    }
    assert_eq!(bench.alerts(5, &["alertstate"]).await, [""; 0]);
}

#[tokio::test]
async fn what_is_pending_is_not_kept() {
    let rule = "alert: High, expr: http_requests > 50, for: 1m, keep_firing_for: 1m";
    let mut bench = Bench::new(rule, &[("http_requests{instance=\"0\"}", "75 10x10")], MINUTE);
    assert_eq!(bench.alerts(0, &["alertstate"]).await, ["pending"]);
    assert_eq!(bench.alerts(1, &["alertstate"]).await, [""; 0]);
}
