//! Round trips: what is written reads back as it was.

use std::sync::Arc;

use model::MetricType;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;
use crate::name_escaping::Escaping;
use crate::{
    Bucket, Exemplar, Family, Histogram, Limits, Metric, MetricValue, Quantile, Summary, protobuf, text,
};

type Labels = Vec<(Arc<str>, Arc<str>)>;

fn name() -> impl Strategy<Value = Arc<str>> {
    // never a name that text could take for a part of another family
    prop_oneof!["[a-d][a-z]{0,3}", "\\PC{1,4}:"].prop_map(Arc::from)
}

fn labels() -> impl Strategy<Value = Labels> {
    let label_name = prop_oneof!["[a-d]{1,2}", "\\PC{1,3}-"];
    btree_map(label_name, any::<String>(), 0..4)
        .prop_map(|pairs| pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
}

fn number() -> impl Strategy<Value = f64> {
    use proptest::num::f64;
    prop_oneof![
        f64::NORMAL | f64::SUBNORMAL | f64::ZERO | f64::INFINITE,
        (-9.0..9.0_f64).prop_map(std::primitive::f64::round)
    ]
}

fn count() -> impl Strategy<Value = f64> {
    prop_oneof![(0..1_u64 << 53).prop_map(|count| count as f64), 0.5..1e9]
}

fn exemplars(up_to: usize) -> impl Strategy<Value = Vec<Exemplar>> {
    let exemplar = (labels(), number(), any::<Option<i32>>()).prop_map(|(labels, value, at)| Exemplar {
        labels,
        value,
        timestamp_ms: at.map(i64::from),
    });
    vec(exemplar, 0..=up_to)
}

fn histogram(with_exemplars: bool) -> impl Strategy<Value = Histogram> {
    let exemplars = exemplars(usize::from(with_exemplars));
    let bucket = (number(), count(), exemplars).prop_map(|(upper_bound, cumulative_count, exemplars)| {
        Bucket { upper_bound, cumulative_count, exemplar: exemplars.into_iter().next().map(Box::new) }
    });
    (count(), number(), vec(bucket, 0..4)).prop_map(|(count, sum, mut buckets)| {
        // the text format always writes this bucket
        buckets.push(Bucket { upper_bound: f64::INFINITY, cumulative_count: count, exemplar: None });
        Histogram { count, sum, buckets, native: None }
    })
}

fn native() -> impl Strategy<Value = Option<Arc<model::Histogram>>> {
    let side = || vec((0..9_i32, vec(0..99_u32, 0..4)), 0..3);
    let native = (-4..=8_i8, side(), side(), 0..9_u32, any::<bool>(), number()).prop_map(
        |(schema, positive, negative, zero_count, fractions, sum)| {
            let scale = if fractions { 0.25 } else { 1.0 };
            let spans = |side: &[(i32, Vec<u32>)]| {
                let span = |(offset, counts): &(i32, Vec<u32>)| model::Span {
                    offset: *offset,
                    length: counts.len() as u32,
                };
                side.iter().map(span).collect::<Vec<_>>()
            };
            let counts = |side: &[(i32, Vec<u32>)]| -> Vec<f64> {
                side.iter().flat_map(|(_, counts)| counts).map(|count| f64::from(*count) * scale).collect()
            };
            Arc::new(model::Histogram {
                schema,
                zero_threshold: 1e-128,
                zero_count: f64::from(zero_count) * scale,
                count: 1000.0 + scale,
                sum,
                // an empty native histogram travels with one empty span
                positive_spans: if positive.is_empty() {
                    vec![model::Span { offset: 0, length: 0 }]
                } else {
                    spans(&positive)
                },
                positive_counts: counts(&positive),
                negative_spans: spans(&negative),
                negative_counts: counts(&negative),
                ..model::Histogram::default()
            })
        },
    );
    proptest::option::of(native)
}

fn summary() -> impl Strategy<Value = Summary> {
    let quantile = (0.0..1.0, number()).prop_map(|(quantile, value)| Quantile { quantile, value });
    (0..1_u64 << 53, number(), vec(quantile, 0..4)).prop_map(|(count, sum, quantiles)| Summary {
        count,
        sum,
        quantiles,
    })
}

fn value(r#type: MetricType, for_text: bool) -> BoxedStrategy<MetricValue> {
    match r#type {
        MetricType::Counter => number().prop_map(MetricValue::Counter).boxed(),
        MetricType::Gauge => number().prop_map(MetricValue::Gauge).boxed(),
        MetricType::Summary => summary().prop_map(MetricValue::Summary).boxed(),
        MetricType::Histogram if for_text => histogram(false).prop_map(MetricValue::Histogram).boxed(),
        MetricType::Histogram => (histogram(true), native())
            .prop_map(|(classic, native)| {
                let count = native.as_ref().map_or(classic.count, |native| native.count);
                let sum = native.as_ref().map_or(classic.sum, |native| native.sum);
                MetricValue::Histogram(Histogram { count, sum, native, ..classic })
            })
            .boxed(),
        _ => number().prop_map(MetricValue::Untyped).boxed(),
    }
}

fn family(for_text: bool) -> impl Strategy<Value = Family> {
    let r#type = prop_oneof![
        Just(MetricType::Counter),
        Just(MetricType::Gauge),
        Just(MetricType::Summary),
        Just(MetricType::Histogram),
        Just(MetricType::Untyped)
    ];
    (name(), any::<String>(), r#type).prop_flat_map(move |(name, help, r#type)| {
        let times = any::<Option<i64>>();
        let metric = (labels(), value(r#type, for_text), times, any::<Option<i32>>(), exemplars(1));
        let metrics = vec(metric, 1..4).prop_map(move |metrics| {
            let mut seen = std::collections::HashSet::new();
            let metric =
                |(labels, value, timestamp_ms, created, exemplars): (Labels, _, _, Option<i32>, _)| {
                    let mut metric = Metric { timestamp_ms, ..Metric::new(labels, value) };
                    let keeps_more =
                        !for_text && !matches!(metric.value, MetricValue::Gauge(_) | MetricValue::Untyped(_));
                    if keeps_more {
                        metric.created_ms = created.map(i64::from);
                    }
                    if keeps_more && !matches!(metric.value, MetricValue::Summary(_)) {
                        metric.exemplars = exemplars;
                    }
                    metric
                };
            // equal label sets would be one histogram in text
            let metrics = metrics.into_iter().map(metric).filter(|metric| seen.insert(metric.labels.clone()));
            metrics.collect::<Vec<_>>()
        });
        let help = if help.starts_with([' ', '\t']) { format!("x{help}") } else { help };
        (Just(name), Just(help), Just(r#type), metrics).prop_map(move |(name, help, r#type, metrics)| {
            Family {
                name,
                help: help.into(),
                unit: if for_text { "".into() } else { "s".into() },
                r#type,
                metrics,
            }
        })
    })
}

fn families(for_text: bool) -> impl Strategy<Value = Vec<Family>> {
    vec(family(for_text), 0..4).prop_map(|mut families| {
        let mut seen = std::collections::HashSet::new();
        families.retain(|family| seen.insert(Arc::clone(&family.name)));
        sort(&mut families);
        families
    })
}

proptest! {
    #[test]
    fn text_round_trip(families in families(true)) {
        let written = write_text(&families, Escaping::AllowUtf8);
        let options = text::Options { utf8_names: true, ..text::Options::default() };
        let mut read = text::parse(written.as_bytes(), &options).map_err(|e| TestCaseError::fail(format!("{e}\n{written}")))?;
        sort(&mut read);
        prop_assert_eq!(read, families, "{}", written);
    }

    #[test]
    fn protobuf_round_trip(families in families(false)) {
        let written = write_protobuf(&families, Escaping::AllowUtf8);
        prop_assert_eq!(protobuf::parse(&written, &Limits::default())?, families);
    }

    #[test]
    fn no_body_is_too_strange(bytes in vec(any::<u8>(), 0..64), text_like in "[a{}\",=#\\\\ \n1HELPTY_sum]{0,64}") {
        for body in [&bytes[..], text_like.as_bytes()] {
            let _ = text::parse(body, &text::Options::default());
            let _ = protobuf::parse(body, &Limits::default());
        }
    }
}

#[test]
fn in_the_order_of_the_pushgateway() {
    let check = |body: &str, expect: &str| {
        let mut families = text::parse(body.as_bytes(), &text::Options::default()).expect("parses");
        sort(&mut families);
        assert_eq!(write_text(&families, Escaping::Underscores), expect);
    };
    check(
        "b 1\na{x=\"1\"} 2\na 1\na{x=\"0\"} 3\na{w=\"5\"} 1\na{b=\"0\",a=\"9\"} 5\n",
        "# TYPE a untyped\na 1\na{x=\"0\"} 3\na{x=\"1\"} 2\na{w=\"5\"} 1\na{a=\"9\",b=\"0\"} 5\n# TYPE b untyped\nb 1\n",
    );
    check(
        "# TYPE g gaugehistogram\n# HELP g a \"b\"\ng_bucket{z=\"1\",le=\"1\"} 1\n",
        "# HELP g a \"b\"\n# TYPE g histogram\ng_bucket{z=\"1\",le=\"1\"} 1\ng_bucket{z=\"1\",le=\"+Inf\"} 0\n\
         g_sum{z=\"1\"} 0\ng_count{z=\"1\"} 0\n",
    );
}

#[test]
fn names_are_escaped_for_readers_who_do_not_know_utf8() {
    let metric = Metric::new(vec![("x.y".into(), "é".into())], MetricValue::Gauge(1.0));
    let family =
        Family { name: "a.b".into(), r#type: MetricType::Gauge, metrics: vec![metric], ..Family::default() };
    let check = |escaping, expect: &str| {
        assert_eq!(write_text(std::slice::from_ref(&family), escaping), expect);
        let body = write_protobuf(std::slice::from_ref(&family), escaping);
        let read = protobuf::parse(&body, &Limits::default()).expect("parses");
        assert_eq!(write_text(&read, Escaping::AllowUtf8), expect);
    };
    check(Escaping::Underscores, "# TYPE a_b gauge\na_b{x_y=\"é\"} 1\n");
    check(Escaping::AllowUtf8, "# TYPE \"a.b\" gauge\n{\"a.b\",\"x.y\"=\"é\"} 1\n");
}

#[test]
fn there_is_one_zero_in_text() {
    let family = Family {
        name: "a".into(),
        r#type: MetricType::Gauge,
        metrics: vec![Metric::new(Vec::new(), MetricValue::Gauge(-0.0))],
        ..Family::default()
    };
    assert_eq!(write_text(&[family], Escaping::Underscores), "# TYPE a gauge\na 0\n");
}
