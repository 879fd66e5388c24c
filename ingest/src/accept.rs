//! What of a request can be stored: limits on labels, and on the time of samples.

use access::{Grant, Refused};
use model::{Labels, MetricType, Samples, TYPE_LABEL, UNIT_LABEL, Value};
use store::SampleBatch;
use wire::remote_write::{Faults, Point, WriteRequest, WriteSeries, show_labels};

use crate::settings::Settings;

/// What is going to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Floats.
    pub(crate) samples: u64,
    /// Native histograms.
    pub(crate) histograms: u64,
    /// Exemplars that came with them. They are taken and not kept, as by a Prometheus without storage for exemplars.
    pub(crate) exemplars: u64,
}

/// What is to be stored, and what of the request is not.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) batch: SampleBatch,
    pub(crate) counts: Counts,
    pub(crate) faults: Faults,
}

/// Whether all series of a request may be written.
pub(crate) fn check(request: &WriteRequest, grant: &Grant) -> Result<(), Refused> {
    request.series.iter().try_for_each(|series| grant.check_series(&series.labels))
}

/// Sorts out a request at this time.
pub(crate) fn accept(request: WriteRequest, now_ms: i64, settings: &Settings) -> Accepted {
    let WriteRequest { series, faults } = request;
    let mut accepted = Accepted { batch: SampleBatch::default(), counts: Counts::default(), faults };
    let times = Times::at(now_ms, settings);
    for WriteSeries { labels, points, exemplars, r#type, unit } in series {
        let labels = if settings.type_labels { typed(labels, r#type, &unit) } else { labels };
        if let Err(fault) = check_labels(&labels, settings) {
            accepted.faults.add(|| fault);
            continue;
        }
        let (samples, counts) = samples(&labels, points, &times, &mut accepted.faults);
        if samples.is_empty() {
            continue;
        }
        accepted.counts.samples += counts.samples;
        accepted.counts.histograms += counts.histograms;
        accepted.counts.exemplars += exemplars as u64;
        accepted.batch.series.push((labels, samples));
    }
    accepted
}

/// The labels with those of a type and a unit in the place of such as were sent, unless nothing is known.
fn typed(labels: Labels, r#type: MetricType, unit: &str) -> Labels {
    if r#type == MetricType::Untyped && unit.is_empty() {
        return labels;
    }
    let mut sent = labels.to_builder();
    sent.remove(TYPE_LABEL).remove(UNIT_LABEL).build().with_type_and_unit(r#type, unit)
}

pub(crate) fn shown(labels: &Labels) -> String {
    show_labels(labels.iter().map(|label| (label.name.as_bytes(), label.value.as_bytes())))
}

pub(crate) fn check_labels(labels: &Labels, settings: &Settings) -> Result<(), String> {
    for label in labels {
        let limits = [
            ("name", label.name.len(), settings.label_name_bytes_max, "label_name_bytes_max"),
            ("value", label.value.len(), settings.label_value_bytes_max, "label_value_bytes_max"),
        ];
        if let Some((what, bytes, max, limit)) = limits.into_iter().find(|(_, bytes, max, _)| bytes > max) {
            return Err(format!(
                "a label's {what} has {bytes} bytes, which is more than {max}, which is {limit}, in series {}",
                shown(labels)
            ));
        }
    }
    Ok(())
}

/// When samples may be of.
pub(crate) struct Times {
    now_ms: i64,
    ahead_max_ms: i64,
    age_max_ms: Option<i64>,
}

impl Times {
    pub(crate) fn at(now_ms: i64, settings: &Settings) -> Self {
        let (ahead_max_ms, age_max_ms) = (settings.samples_ahead_max_ms, settings.samples_age_max_ms);
        Self { now_ms, ahead_max_ms, age_max_ms }
    }

    pub(crate) fn check(&self, at_ms: i64) -> Result<(), String> {
        let Self { now_ms, ahead_max_ms, age_max_ms } = self;
        let ahead_ms = at_ms.saturating_sub(*now_ms);
        if ahead_ms > *ahead_max_ms {
            return Err(format!(
                "out of bounds: timestamp is too far in the future: {at_ms} is {ahead_ms} ms ahead, and samples_ahead_max_ms is {ahead_max_ms},"
            ));
        }
        match age_max_ms {
            Some(age_max_ms) if now_ms.saturating_sub(at_ms) > *age_max_ms => Err(format!(
                "too old sample: {at_ms} is {} ms ago, and samples_age_max_ms is {age_max_ms},",
                now_ms.saturating_sub(at_ms)
            )),
            None if at_ms < 0 => Err(format!("too old sample: {at_ms} is before 1970")),
            _ => Ok(()),
        }
    }
}

/// The points in order of time, one for each time.
fn samples(labels: &Labels, mut points: Vec<Point>, times: &Times, faults: &mut Faults) -> (Samples, Counts) {
    points.retain(|point| match times.check(point.at_ms) {
        Ok(()) => true,
        Err(fault) => {
            faults.add(|| format!("{fault} for series {}", shown(labels)));
            false
        }
    });
    // stable: of one time the later sent is the last, and that one counts
    if !points.is_sorted_by_key(|point| point.at_ms) {
        points.sort_by_key(|point| point.at_ms);
    }
    let (mut samples, mut counts) = (Samples::default(), Counts::default());
    for (index, Point { at_ms, start_ms, value }) in points.iter().enumerate() {
        match value {
            Value::Float(_) => counts.samples += 1,
            Value::Histogram(_) => counts.histograms += 1,
        }
        if points.get(index + 1).is_some_and(|next| next.at_ms == *at_ms) {
            continue;
        }
        samples.push_value(*at_ms, value);
        // nothing begins to count after it has counted
        if (1..=*at_ms).contains(start_ms) {
            let before = samples.len() - 1;
            samples.start_ms.resize(before, 0);
            samples.start_ms.push(*start_ms);
        }
    }
    (samples, counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn point(at_ms: i64, value: f64) -> Point {
        Point { at_ms, start_ms: 0, value: Value::Float(value) }
    }

    fn accepted(labels: &[(&str, &str)], points: Vec<Point>, settings: &Settings) -> Accepted {
        let labels = Labels::from_pairs(labels.iter().copied());
        let series =
            vec![WriteSeries { labels, points, exemplars: 2, r#type: MetricType::Counter, unit: "s".into() }];
        accept(WriteRequest { series, faults: Faults::default() }, NOW_MS, settings)
    }

    #[test]
    fn metadata_is_labels_where_that_is_on() {
        let check = |type_labels: bool, expect: &str| {
            let settings = Settings { type_labels, ..Settings::default() };
            let labels = [("__name__", "m"), ("__type__", "gauge")];
            let found = accepted(&labels, vec![point(7, 1.0)], &settings);
            assert_eq!(found.batch.series[0].0.to_string(), expect);
        };
        check(false, "m{__type__=\"gauge\"}");
        check(true, "m{__type__=\"counter\", __unit__=\"s\"}");
    }

    #[test]
    fn any_order_of_time_and_the_later_sent_counts() {
        let points = vec![
            point(7, 1.0),
            Point { start_ms: 2, ..point(5, 2.0) },
            point(7, 3.0),
            Point { start_ms: 10, ..point(9, 4.0) },
        ];
        let found = accepted(&[("__name__", "m")], points, &Settings::default());
        let samples = &found.batch.series[0].1;
        assert_eq!((&samples.timestamps_ms[..], &samples.values[..]), (&[5, 7, 9][..], &[2.0, 3.0, 4.0][..]));
        assert_eq!(samples.start_ms, [2, 0, 0]);
        assert_eq!(found.counts, Counts { samples: 4, histograms: 0, exemplars: 2 });
        assert!(found.faults.is_empty());
    }

    #[test]
    fn times_have_limits() {
        let unlimited = Settings::default();
        let aged = Settings { samples_age_max_ms: Some(1_000), ..Settings::default() };
        let check = |at_ms: i64, settings: &Settings, expect: &str| {
            let found = accepted(&[("__name__", "m")], vec![point(at_ms, 1.0), point(NOW_MS, 1.0)], settings);
            let expect = if expect.is_empty() {
                String::new()
            } else {
                format!("{expect} for series {{__name__=\"m\"}}")
            };
            assert_eq!(
                (found.faults.text(), found.counts.samples),
                (expect.clone(), 1 + u64::from(expect.is_empty()))
            );
        };
        check(NOW_MS + 600_000, &unlimited, "");
        check(
            NOW_MS + 600_001,
            &unlimited,
            "out of bounds: timestamp is too far in the future: 1800000600001 is 600001 ms ahead, and samples_ahead_max_ms is 600000,",
        );
        check(0, &unlimited, "");
        check(-1, &unlimited, "too old sample: -1 is before 1970");
        check(NOW_MS - 1_000, &aged, "");
        check(
            NOW_MS - 1_001,
            &aged,
            "too old sample: 1799999998999 is 1001 ms ago, and samples_age_max_ms is 1000,",
        );
        let far = "out of bounds: timestamp is too far in the future: 9223372036854775807 is 9223370236854775807 ms ahead, and samples_ahead_max_ms is 600000,";
        check(i64::MAX, &aged, far);
        check(
            i64::MIN,
            &aged,
            "too old sample: -9223372036854775808 is 9223372036854775807 ms ago, and samples_age_max_ms is 1000,",
        );
    }

    #[test]
    fn labels_have_limits() {
        let settings = Settings { label_name_bytes_max: 8, label_value_bytes_max: 4, ..Settings::default() };
        let check = |label: (&str, &str), expect: &str| {
            let found = accepted(&[("__name__", "m"), label], vec![point(1, 1.0)], &settings);
            assert_eq!(found.faults.text(), expect);
            assert_eq!(found.counts == Counts::default(), !expect.is_empty());
        };
        check(("12345678", "1234"), "");
        check(
            ("123456789", "1"),
            "a label's name has 9 bytes, which is more than 8, which is label_name_bytes_max, in series {\"123456789\"=\"1\", __name__=\"m\"}",
        );
        check(
            ("x", "12345"),
            "a label's value has 5 bytes, which is more than 4, which is label_value_bytes_max, in series {__name__=\"m\", x=\"12345\"}",
        );
    }
}
