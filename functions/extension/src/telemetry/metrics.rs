//! What events become: what was counted is added to what all sandboxes of the function have counted.

use std::sync::Arc;

use model::{Histogram as Native, MetricType, Span};
use wire::{Family, Histogram, Metric, MetricValue};

use super::event::{End, Init, Report, Status};

/// The job of these metrics.
pub(crate) const JOB: &str = "aws_lambda";

/// Of durations: buckets are 2^(1/8) times as wide as the one before.
const DURATION_SCHEMA: i8 = 3;
/// Of memory: 2^(1/32), so that 90 % of it can be told from 93 %.
const MEMORY_SCHEMA: i8 = 5;

/// That the function is done with an invocation.
pub(super) fn of_end(end: &End) -> Vec<Family> {
    let failed = end.status != Status::Success;
    let mut families = vec![
        counter("aws_lambda_invocations_total", "Invocations of the function that have ended.", 1.0),
        counter(
            "aws_lambda_errors_total",
            "Invocations that did not succeed: the function failed, its process ended, or its time ran out.",
            f64::from(u8::from(failed)),
        ),
        counter(
            "aws_lambda_timeouts_total",
            "Invocations whose time ran out; they are among the errors.",
            f64::from(u8::from(end.status == Status::Timeout)),
        ),
    ];
    families.extend(end.seconds.map(|seconds| {
        let help = "How long the function worked on an invocation.";
        histogram("aws_lambda_duration_seconds", help, seconds, DURATION_SCHEMA)
    }));
    families
}

/// What an invocation took.
pub(super) fn of_report(report: &Report) -> Vec<Family> {
    let mut families = Vec::new();
    families.extend(report.billed_seconds.map(|seconds| {
        counter("aws_lambda_billed_duration_seconds_total", "Time of invocations that is billed.", seconds)
    }));
    families.extend(
        report
            .memory_bytes
            .map(|bytes| gauge("aws_lambda_memory_size_bytes", "Memory that the function is given.", bytes)),
    );
    families.extend(report.memory_used_bytes.map(|bytes| {
        let help = "The most memory that the sandbox had used by the end of an invocation.";
        histogram("aws_lambda_max_memory_used_bytes", help, bytes, MEMORY_SCHEMA)
    }));
    families
}

/// That a sandbox has started.
pub(super) fn of_init(init: &Init) -> Vec<Family> {
    let help = "How long a sandbox took to start the function's code; it counts cold starts.";
    vec![histogram("aws_lambda_init_duration_seconds", help, init.seconds, DURATION_SCHEMA)]
}

fn family(name: &str, help: &str, r#type: MetricType, value: MetricValue) -> Family {
    let metrics = vec![Metric::new(Vec::new(), value)];
    Family { name: name.into(), help: help.into(), r#type, metrics, ..Family::default() }
}

fn counter(name: &str, help: &str, value: f64) -> Family {
    family(name, help, MetricType::Counter, MetricValue::Counter(value))
}

fn gauge(name: &str, help: &str, value: f64) -> Family {
    family(name, help, MetricType::Gauge, MetricValue::Gauge(value))
}

/// A native histogram of one observation, which needs no bounds that somebody would have to choose.
fn histogram(name: &str, help: &str, value: f64, schema: i8) -> Family {
    // what is no further from zero is zero: as in Prometheus' own client
    let zero_threshold = 2_f64.powi(-128);
    let mut native = Native { schema, zero_threshold, count: 1.0, sum: value, ..Native::default() };
    if value <= zero_threshold {
        native.zero_count = 1.0;
    } else {
        native.positive_spans = vec![Span { offset: bucket(value, schema), length: 1 }];
        native.positive_counts = vec![1.0];
    }
    let native = Some(Arc::new(native));
    let value = Histogram { count: 1.0, sum: value, buckets: Vec::new(), native };
    family(name, help, MetricType::Histogram, MetricValue::Histogram(value))
}

/// The bucket of a value above zero: it ends at 2^(index / 2^schema).
#[expect(clippy::cast_possible_truncation, reason = "a float has an exponent of eleven bits")]
fn bucket(value: f64, schema: i8) -> i32 {
    (value.log2() * f64::from(schema).exp2()).ceil() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_in_their_buckets() {
        for (value, schema) in [(0.001, 3), (0.14012, 3), (1.0, 3), (900.0, 3), (83.0 * 1_048_576.0, 5)] {
            let family = histogram("x", "", value, schema);
            let MetricValue::Histogram(found) = &family.metrics[0].value else { panic!("no histogram") };
            let buckets = found.native.as_ref().expect("a native one").buckets();
            let [bucket] = &buckets[..] else { panic!("{buckets:?}") };
            assert!(bucket.lower < value && value <= bucket.upper, "{value}: {bucket:?}");
        }
        let MetricValue::Histogram(zero) = histogram("x", "", 0.0, 3).metrics.remove(0).value else {
            panic!("none")
        };
        assert_eq!(zero.native.expect("a native one").zero_count, 1.0);
    }
}
