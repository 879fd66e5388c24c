//! The JSON is that of the Pushgateway 1.11.2 for the same pushes.

use model::{GroupKey, Labels, Metadata, MetricType, Value};
use store::{HeldFamily, LiveGroup};
use wire::text;

use super::*;
use crate::About;

const AT_US: i64 = 1_795_695_046_117_109;

/// A group `{instance="i", job="j"}` of what a body says.
fn live(body: &str) -> LiveGroup {
    let labels = Labels::from_pairs([("instance", "i"), ("job", "j")]);
    let families = text::parse(body.as_bytes(), &text::Options::default()).expect("parses");
    let mut families: Vec<HeldFamily> = families
        .iter()
        .map(|family| HeldFamily {
            name: family.name.clone(),
            metadata: Metadata { r#type: family.r#type, help: family.help.clone(), unit: "".into() },
            pushed_us: AT_US,
            series: wire::flatten(family)
                .into_iter()
                .map(|series| {
                    let all = labels.iter().map(|label| (label.name.clone(), label.value.clone()));
                    let all = all.chain(series.labels).chain([(Labels::NAME.into(), series.name)]);
                    (Labels::from_pairs(all), series.value)
                })
                .collect(),
        })
        .collect();
    families.sort_by(|a, b| a.name.cmp(&b.name));
    LiveGroup { key: GroupKey::of(&labels), labels, until_us: None, families }
}

#[test]
fn all_kinds_of_metrics() {
    let body = "# HELP g Gee\n# TYPE g gauge\ng 1.23456789e8\ng{x=\"1\"} NaN\ng{x=\"2\"} +Inf\n\
        # TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"2.5\"} 2\nh_sum 3\nh_count 4000000\n\
        # TYPE s summary\ns{quantile=\"0.5\"} 1\ns{quantile=\"0.99\"} 2e10\ns_sum 3.5\ns_count 2\nu 5\n\
        # TYPE c counter\nc 1e21\n# TYPE push_time_seconds gauge\npush_time_seconds 1.7956950461171095e+09\n";
    let expect = concat!(
        r#"[{"c":{"time_stamp":"2026-11-26T12:10:46.117109Z","type":"COUNTER","metrics":[{"labels":{"instance":"i","job":"j"},"value":"1e+21"}]},"#,
        r#""g":{"time_stamp":"2026-11-26T12:10:46.117109Z","type":"GAUGE","help":"Gee","metrics":[{"labels":{"instance":"i","job":"j"},"value":"1.23456789e+08"},{"labels":{"instance":"i","job":"j","x":"1"},"value":"NaN"},{"labels":{"instance":"i","job":"j","x":"2"},"value":"+Inf"}]},"#,
        r#""h":{"time_stamp":"2026-11-26T12:10:46.117109Z","type":"HISTOGRAM","metrics":[{"buckets":{"+Inf":"4000000","1":"1","2.5":"2"},"count":"4000000","labels":{"instance":"i","job":"j"},"sum":"3"}]},"#,
        r#""labels":{"instance":"i","job":"j"},"last_push_successful":true,"#,
        r#""push_failure_time_seconds":{"time_stamp":"2026-11-26T12:10:46.117109Z","type":"GAUGE","help":"Last Unix time when changing this group in the Pushgateway failed.","metrics":[{"labels":{"instance":"i","job":"j"},"value":"0"}]},"#,
        r#""push_time_seconds":{"time_stamp":"2026-11-26T12:10:46.117109Z","type":"GAUGE","metrics":[{"labels":{"instance":"i","job":"j"},"value":"1.7956950461171095e+09"}]},"#,
        r#""s":{"time_stamp":"2026-11-26T12:10:46.117109Z","type":"SUMMARY","metrics":[{"count":"2","labels":{"instance":"i","job":"j"},"quantiles":{"0.5":"1","0.99":"2e+10"},"sum":"3.5"}]},"#,
        r#""u":{"time_stamp":"2026-11-26T12:10:46.117109Z","type":"UNTYPED","metrics":[{"labels":{"instance":"i","job":"j"},"value":"5"}]}}]"#
    );
    let found = serde_json::to_value(groups(&[live(body)])).expect("JSON");
    let expect: serde_json::Value = serde_json::from_str(expect).expect("JSON");
    assert_eq!(found, expect);
    // their order is that of the original too
    let text = serde_json::to_string(&groups(&[live(body)])).expect("JSON");
    let keys = [
        "\"c\":{\"time_stamp\"",
        "\"type\":\"COUNTER\"",
        "\"metrics\":[{\"labels\"",
        "\"g\":",
        "\"last_push",
    ];
    let places: Vec<_> =
        keys.iter().map(|key| text.find(key).unwrap_or_else(|| panic!("{key}: {text}"))).collect();
    assert!(places.is_sorted(), "{text}");
}

#[test]
fn native_histograms() {
    let mut live = live("");
    let native = model::Histogram {
        zero_count: 1.0,
        zero_threshold: 0.5,
        count: 3.0,
        sum: 5.0,
        positive_spans: vec![model::Span { offset: 1, length: 1 }],
        positive_counts: vec![2.0],
        ..model::Histogram::default()
    };
    let labels = live.labels.to_builder().set(Labels::NAME, "n").build();
    live.families.push(HeldFamily {
        name: "n".into(),
        metadata: Metadata { r#type: MetricType::Histogram, ..Metadata::default() },
        pushed_us: AT_US,
        series: vec![(labels, Value::Histogram(native.into()))],
    });
    let found = serde_json::to_value(groups(&[live])).expect("JSON");
    let expect = serde_json::json!([[3, "-0.5", "0.5", "1"], [0, "1", "2", "2"]]);
    assert_eq!(found[0]["n"]["metrics"][0]["buckets"], expect, "{found}");
}

#[test]
fn whether_the_last_push_succeeded() {
    let check = |body: &str, expect: bool| assert_eq!(last_push_succeeded(&live(body)), expect, "{body}");
    check("push_time_seconds 5\n", true);
    check("push_time_seconds 5\npush_failure_time_seconds 4\n", true);
    check("push_time_seconds 5\npush_failure_time_seconds 6\n", false);
    check("push_time_seconds 0\npush_failure_time_seconds 6\n", false);
}

#[test]
fn the_status() {
    let about = About {
        version: "1.2.3".to_owned(),
        flags: [("a.b".to_owned(), "5m".to_owned())].into(),
        started_us: AT_US,
        ..About::default()
    };
    let expect = r#"{"build_information":{"branch":"","buildDate":"","buildUser":"","goVersion":"","revision":"","version":"1.2.3"},"flags":{"a.b":"5m"},"start_time":"2026-11-26T12:10:46.117109Z"}"#;
    assert_eq!(serde_json::to_string(&status(&about)).expect("JSON"), expect);
}
