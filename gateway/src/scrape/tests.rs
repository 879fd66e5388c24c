//! What is held, and what a scrape shows of it.

use std::sync::Arc;

use model::{Labels, Metadata, MetricType, Value};
use store::LiveFamily;
use wire::encoding::AnswerEncoding;
use wire::{Accepted, Limits, encoding, protobuf};

use super::assemble::assemble;
use super::*;
use crate::settings::Settings;

/// A series per line of text, `name{label="value"} value`.
fn live(name: &str, r#type: MetricType, help: &str, lines: &[&str]) -> LiveFamily {
    let series = lines.iter().map(|line| {
        let options = wire::text::Options::default();
        let family = wire::text::parse(format!("{line}\n").as_bytes(), &options).expect("parses").remove(0);
        let flat = wire::flatten(&family).remove(0);
        let labels = Labels::from_pairs(flat.labels.into_iter().chain([(Labels::NAME.into(), flat.name)]));
        (labels, flat.value)
    });
    let metadata = Metadata { r#type, help: help.into(), unit: "".into() };
    LiveFamily { name: name.into(), metadata, series: series.collect(), pushed_ms: Vec::new() }
}

fn check(live: &[LiveFamily], expect: &str) {
    let page = page(
        live,
        &HeldExemplars::new(),
        Accepted::of_header(None, false),
        AnswerEncoding::Identity,
        &Settings::default(),
    )
    .expect("is shown");
    assert_eq!(String::from_utf8(page.body).as_deref(), Ok(expect));
    assert_eq!(page.content_type, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores");
}

#[test]
fn plain_families() {
    check(&[], "");
    check(
        &[
            live("b", MetricType::Gauge, "", &["b{instance=\"i\",job=\"j\"} 2", "b{job=\"j\"} 1"]),
            live("a", MetricType::Counter, "Help.", &["a{job=\"j\"} 1e6"]),
        ],
        "# HELP a Help.\n# TYPE a counter\na{instance=\"\",job=\"j\"} 1e+06\n\
         # TYPE b gauge\nb{instance=\"\",job=\"j\"} 1\nb{instance=\"i\",job=\"j\"} 2\n",
    );
}

#[test]
fn labels_that_tell_type_and_unit_are_not_shown() {
    let mut a = live("a", MetricType::Counter, "", &["a{job=\"j\"} 1"]);
    a.series[0].0 = a.series[0].0.with_type_and_unit(MetricType::Counter, "seconds");
    check(&[a], "# TYPE a counter\na{instance=\"\",job=\"j\"} 1\n");
}

#[test]
fn histograms_and_summaries() {
    check(
        &[
            live(
                "h",
                MetricType::Histogram,
                "",
                &[
                    "h_bucket{job=\"j\",le=\"+Inf\"} 9",
                    "h_bucket{job=\"j\",le=\"10\"} 8",
                    "h_bucket{job=\"j\",le=\"9\"} 7",
                    "h_bucket{job=\"k\",le=\"+Inf\"} 1",
                    "h_count{job=\"j\"} 9",
                    "h_count{job=\"k\"} 1",
                    "h_sum{job=\"j\"} 5",
                ],
            ),
            live(
                "s",
                MetricType::Summary,
                "",
                &[
                    "s{job=\"j\",quantile=\"0.9\"} 2",
                    "s{job=\"j\",quantile=\"0.5\"} 1",
                    "s_count{job=\"j\"} 3",
                    "s_sum{job=\"j\"} 4",
                ],
            ),
        ],
        "# TYPE h histogram\n\
         h_bucket{instance=\"\",job=\"j\",le=\"9\"} 7\n\
         h_bucket{instance=\"\",job=\"j\",le=\"10\"} 8\n\
         h_bucket{instance=\"\",job=\"j\",le=\"+Inf\"} 9\n\
         h_sum{instance=\"\",job=\"j\"} 5\n\
         h_count{instance=\"\",job=\"j\"} 9\n\
         h_bucket{instance=\"\",job=\"k\",le=\"+Inf\"} 1\n\
         h_sum{instance=\"\",job=\"k\"} 0\n\
         h_count{instance=\"\",job=\"k\"} 1\n\
         # TYPE s summary\n\
         s{instance=\"\",job=\"j\",quantile=\"0.5\"} 1\n\
         s{instance=\"\",job=\"j\",quantile=\"0.9\"} 2\n\
         s_sum{instance=\"\",job=\"j\"} 4\n\
         s_count{instance=\"\",job=\"j\"} 3\n",
    );
}

#[test]
fn a_group_that_never_failed_shows_zero() {
    let push = live(
        "push_time_seconds",
        MetricType::Gauge,
        "",
        &["push_time_seconds{job=\"j\"} 5", "push_time_seconds{job=\"k\"} 5"],
    );
    let failure =
        live("push_failure_time_seconds", MetricType::Gauge, "", &["push_failure_time_seconds{job=\"k\"} 7"]);
    check(
        std::slice::from_ref(&push),
        "# HELP push_failure_time_seconds Last Unix time when changing this group in the Pushgateway failed.\n\
         # TYPE push_failure_time_seconds gauge\n\
         push_failure_time_seconds{instance=\"\",job=\"j\"} 0\npush_failure_time_seconds{instance=\"\",job=\"k\"} 0\n\
         # TYPE push_time_seconds gauge\n\
         push_time_seconds{instance=\"\",job=\"j\"} 5\npush_time_seconds{instance=\"\",job=\"k\"} 5\n",
    );
    check(
        &[failure, push],
        "# TYPE push_failure_time_seconds gauge\n\
         push_failure_time_seconds{instance=\"\",job=\"j\"} 0\npush_failure_time_seconds{instance=\"\",job=\"k\"} 7\n\
         # TYPE push_time_seconds gauge\n\
         push_time_seconds{instance=\"\",job=\"j\"} 5\npush_time_seconds{instance=\"\",job=\"k\"} 5\n",
    );
}

#[test]
fn groups_that_disagree_about_a_type_hide_nothing() {
    let lines = ["h{job=\"k\"} 1", "h_bucket{job=\"j\",le=\"+Inf\"} 2", "h_count{job=\"j\"} 2"];
    let expect = "# TYPE h untyped\nh{instance=\"\",job=\"k\"} 1\n\
        # TYPE h_bucket untyped\nh_bucket{instance=\"\",job=\"j\",le=\"+Inf\"} 2\n\
        # TYPE h_count untyped\nh_count{instance=\"\",job=\"j\"} 2\n";
    for r#type in [MetricType::Gauge, MetricType::Histogram, MetricType::Summary, MetricType::Untyped] {
        check(&[live("h", r#type, "", &lines)], expect);
    }
}

fn native() -> LiveFamily {
    let histogram = model::Histogram {
        schema: 3,
        count: 2.0,
        sum: 3.0,
        positive_spans: vec![model::Span { offset: 1, length: 1 }],
        positive_counts: vec![2.0],
        ..model::Histogram::default()
    };
    let labels = Labels::from_pairs([(Labels::NAME, "h"), ("job", "j")]);
    let series = vec![(labels, Value::Histogram(Arc::new(histogram)))];
    LiveFamily { series, ..live("h", MetricType::Histogram, "", &[]) }
}

#[test]
fn native_histograms_show_count_and_sum_in_text_and_all_in_protobuf() {
    check(
        &[native()],
        "# TYPE h histogram\nh_bucket{instance=\"\",job=\"j\",le=\"+Inf\"} 2\n\
         h_sum{instance=\"\",job=\"j\"} 3\nh_count{instance=\"\",job=\"j\"} 2\n",
    );
    let accept = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
    let page = page(
        &[native()],
        &HeldExemplars::new(),
        Accepted::of_header(Some(accept), false),
        AnswerEncoding::Gzip,
        &Settings::default(),
    )
    .expect("is shown");
    assert!(
        page.encoding == AnswerEncoding::Gzip
            && page.content_type.starts_with("application/vnd.google.protobuf")
    );
    let plain = encoding::inflate(encoding::Encoding::Gzip, &page.body, 1 << 20).expect("inflates");
    let families = protobuf::parse(&plain, &Limits::default()).expect("parses");
    match (&families[0].metrics[0].value, &native().series[0].1) {
        (wire::MetricValue::Histogram(shown), Value::Histogram(held)) => {
            assert_eq!(shown.native.as_ref(), Some(held));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_limit_is_named() {
    let settings = Settings { series_per_scrape_max: 1, ..Settings::default() };
    let two = live("a", MetricType::Gauge, "", &["a 1", "a{x=\"1\"} 1"]);
    let found = page(
        &[two],
        &HeldExemplars::new(),
        Accepted::of_header(None, false),
        AnswerEncoding::Identity,
        &settings,
    )
    .map_err(|error| error.to_string());
    assert_eq!(found, Err("2 series are held, which exceeds series_per_scrape_max = 1".to_owned()));
}

#[test]
fn exemplars_stand_where_they_belong() {
    let exemplars: HeldExemplars = [
        (r#"h_bucket|le=1.0"#, 0.5, true),
        (r#"h_bucket|le=+Inf"#, 7.0, false),
        ("a_total|", 1.0, true),
        ("b_total|", 1.0, true),
    ]
    .into_iter()
    .map(|(series, value, has_time)| {
        let (name, label) = series.split_once('|').expect("has a name");
        let label = label.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        let labels = Labels::from_pairs([("__name__".to_owned(), name.to_owned())].into_iter().chain(label));
        let own = Labels::from_pairs([("trace_id", "t")]);
        let exemplar = model::Exemplar { labels: own, value, at_ms: 1_500 };
        (labels, vec![store::PushedExemplar { exemplar, has_time }])
    })
    .collect();
    let series = |name: &str, le: Option<&str>| {
        let le = le.map(|le| ("le", le));
        (Labels::from_pairs([("__name__", name)].into_iter().chain(le)), Value::Float(2.0))
    };
    let family = |name: &str, r#type, series| LiveFamily {
        name: name.into(),
        metadata: Metadata { r#type, ..Metadata::default() },
        series,
        pushed_ms: Vec::new(),
    };
    let live = [
        family("a_total", MetricType::Counter, vec![series("a_total", None)]),
        family(
            "h",
            MetricType::Histogram,
            vec![
                series("h_bucket", Some("1.0")),
                series("h_bucket", Some("2.0")),
                series("h_bucket", Some("+Inf")),
                series("h_count", None),
            ],
        ),
    ];
    let families: Vec<wire::Family> = live.iter().flat_map(|family| assemble(family, &exemplars)).collect();
    let shown = |exemplar: &wire::Exemplar| (exemplar.value, exemplar.timestamp_ms);
    let of_counter: Vec<_> = families[0].metrics[0].exemplars.iter().map(shown).collect();
    assert_eq!(of_counter, [(1.0, Some(1_500))]);
    let wire::MetricValue::Histogram(histogram) = &families[1].metrics[0].value else {
        panic!("a histogram")
    };
    let of_buckets: Vec<_> =
        histogram.buckets.iter().map(|bucket| bucket.exemplar.as_deref().map(shown)).collect();
    assert_eq!(of_buckets, [Some((0.5, Some(1_500))), None, Some((7.0, None))]);
}
