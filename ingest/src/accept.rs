//! What of a request can be stored: limits on labels, and on the time of samples.

use std::collections::HashMap;
use std::sync::Arc;

use access::{Grant, Refused};
use model::{Labels, Metadata, MetricType, Samples, TYPE_LABEL, UNIT_LABEL, Value};
use store::{NewExemplar, SampleBatch};
use wire::remote_write::{Faults, Point, WriteRequest, WriteSeries};

use crate::labels::{Fault, shown};
use crate::settings::Settings;
use crate::told::Families;

/// What is going to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Floats.
    pub(crate) samples: u64,
    /// Native histograms.
    pub(crate) histograms: u64,
    /// Exemplars.
    pub(crate) exemplars: u64,
}

/// What is to be stored, and what of the request is not.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) batch: SampleBatch,
    pub(crate) exemplars: Vec<NewExemplar>,
    pub(crate) counts: Counts,
    pub(crate) faults: Faults,
}

/// What of a request can be stored at this time, if the grant allows that for all its series.
pub(crate) fn accept_from(
    request: WriteRequest,
    grant: &Grant,
    now_ms: i64,
    settings: &Settings,
) -> Result<Accepted, Refused> {
    request.series.iter().try_for_each(|series| grant.check_series(&series.labels))?;
    let mut accepted = accept(request, now_ms, settings);
    accepted.batch.told_by = grant.teller();
    Ok(accepted)
}

/// Sorts out a request at this time.
pub(crate) fn accept(request: WriteRequest, now_ms: i64, settings: &Settings) -> Accepted {
    let WriteRequest { series, families, faults } = request;
    let mut told = Told::default();
    families.into_iter().for_each(|(family, metadata)| told.add(|| family, &metadata, settings));
    let mut accepted =
        Accepted { batch: SampleBatch::default(), exemplars: Vec::new(), counts: Counts::default(), faults };
    let (times, limits) = (Times::at(now_ms, settings), settings.label_limits());
    for WriteSeries { labels, points, exemplars, metadata } in series {
        let labels = if settings.type_labels { typed(labels, &metadata) } else { labels };
        if let Err(excess) = limits.check(&labels) {
            Fault::of_labels(excess, &labels).add_to(&mut accepted.faults, str::to_owned);
            continue;
        }
        let exemplars = stored_exemplars(&labels, &exemplars, &times, settings);
        accepted.counts.exemplars += exemplars.len() as u64;
        accepted.exemplars.extend(exemplars);
        let (samples, counts) = samples(&labels, points, &times, &mut accepted.faults);
        if samples.is_empty() {
            continue;
        }
        accepted.counts.samples += counts.samples;
        accepted.counts.histograms += counts.histograms;
        told.add(|| family_of(&labels, metadata.r#type), &metadata, settings);
        accepted.batch.series.push((labels, samples));
    }
    accepted.batch.families = told.into_families();
    accepted
}

/// The exemplars of a series that can be stored. As with Prometheus, a sender is not told of others: too long, or of a time that
/// samples may not have.
pub(crate) fn stored_exemplars(
    labels: &Labels,
    exemplars: &[wire::Exemplar],
    times: &Times,
    settings: &Settings,
) -> Vec<NewExemplar> {
    let stored = exemplars.iter().filter_map(|exemplar| exemplar.stored(times.now_ms));
    let mut stored: Vec<NewExemplar> = stored
        .filter(|exemplar| times.check(exemplar.at_ms).is_ok())
        .map(|exemplar| NewExemplar { series: labels.clone(), exemplar, pushed_ms: None })
        .collect();
    if stored.len() > settings.exemplars_per_series_max {
        stored.sort_by_key(|new| std::cmp::Reverse(new.exemplar.at_ms));
        stored.truncate(settings.exemplars_per_series_max);
    }
    stored
}

/// What is told of families, of each the last.
#[derive(Debug, Default)]
pub(crate) struct Told(HashMap<Arc<str>, Metadata>);

impl Told {
    /// Takes it if it says something and is no longer than names and labels may be: senders are not told of it, as by Prometheus.
    /// The family is not named where nothing is told of it, as of most series.
    pub(crate) fn add(
        &mut self,
        family: impl FnOnce() -> Arc<str>,
        metadata: &Metadata,
        settings: &Settings,
    ) {
        if *metadata == Metadata::default() {
            return;
        }
        let family = family();
        let texts = [&metadata.help, &metadata.unit];
        if family.len() <= settings.metric_name_bytes_max
            && texts.iter().all(|text| text.len() <= settings.label_value_bytes_max)
        {
            self.0.insert(family, metadata.clone());
        }
    }

    /// In order of names.
    pub(crate) fn into_families(self) -> Families {
        let mut families: Families = self.0.into_iter().collect();
        families.sort_by(|a, b| a.0.cmp(&b.0));
        families
    }
}

/// The family of a series: that of the bucket `h_bucket` of a histogram is `h`.
fn family_of(labels: &Labels, r#type: MetricType) -> Arc<str> {
    let name = labels.metric_name();
    let suffixes: &[&str] = match r#type {
        MetricType::Histogram | MetricType::GaugeHistogram => &["_bucket", "_sum", "_count"],
        MetricType::Summary => &["_sum", "_count"],
        _ => &[],
    };
    suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name).into()
}

/// The labels with those of a type and a unit in the place of such as were sent, unless nothing is known.
fn typed(labels: Labels, metadata: &Metadata) -> Labels {
    let Metadata { r#type, unit, .. } = metadata;
    if *r#type == MetricType::Untyped && unit.is_empty() {
        return labels;
    }
    let mut sent = labels.to_builder();
    sent.remove(TYPE_LABEL).remove(UNIT_LABEL).build().with_type_and_unit(*r#type, unit)
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

    pub(crate) fn check(&self, at_ms: i64) -> Result<(), Fault> {
        let Self { now_ms, ahead_max_ms, age_max_ms } = self;
        let ahead_ms = at_ms.saturating_sub(*now_ms);
        if ahead_ms > *ahead_max_ms {
            let text = format!(
                "out of bounds: timestamp is too far in the future: {at_ms} is {ahead_ms} ms ahead, and samples_ahead_max_ms is {ahead_max_ms},"
            );
            return Err(Fault { limit: Some("samples_ahead_max_ms"), text });
        }
        match age_max_ms {
            Some(age_max_ms) if now_ms.saturating_sub(at_ms) > *age_max_ms => {
                let age_ms = now_ms.saturating_sub(at_ms);
                let text = format!(
                    "too old sample: {at_ms} is {age_ms} ms ago, and samples_age_max_ms is {age_max_ms},"
                );
                Err(Fault { limit: Some("samples_age_max_ms"), text })
            }
            None if at_ms < 0 => {
                Err(Fault { limit: None, text: format!("too old sample: {at_ms} is before 1970") })
            }
            _ => Ok(()),
        }
    }
}

/// The points in order of time, one for each time.
fn samples(labels: &Labels, mut points: Vec<Point>, times: &Times, faults: &mut Faults) -> (Samples, Counts) {
    points.retain(|point| match times.check(point.at_ms) {
        Ok(()) => true,
        Err(fault) => {
            fault.add_to(faults, |text| format!("{text} for series {}", shown(labels)));
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
        let exemplars = vec![wire::Exemplar::default(); 2];
        let metadata = Metadata { r#type: MetricType::Counter, help: "help".into(), unit: "s".into() };
        let series = vec![WriteSeries { labels, points, exemplars, metadata }];
        accept(WriteRequest { series, ..WriteRequest::default() }, NOW_MS, settings)
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
    fn families_are_told_by_their_names() {
        let check = |name: &str, r#type: MetricType, expect: &str| {
            let labels = Labels::from_pairs([("__name__", name)]);
            assert_eq!(&*family_of(&labels, r#type), expect);
        };
        check("h_bucket", MetricType::Histogram, "h");
        check("h_count", MetricType::Summary, "h");
        check("h_bucket", MetricType::Summary, "h_bucket");
        check("rows_count", MetricType::Gauge, "rows_count");
        check("rows_total", MetricType::Counter, "rows_total");
        check("h", MetricType::Histogram, "h");
    }

    #[test]
    fn exemplars_have_limits() {
        let settings = Settings { exemplars_per_series_max: 2, ..Settings::default() };
        let check = |exemplars: &[(&str, i64)], expect_ms: &[i64]| {
            let exemplar = |(trace, at_ms): &(&str, i64)| wire::Exemplar {
                labels: vec![("trace_id".into(), (*trace).into())],
                value: 1.0,
                timestamp_ms: Some(*at_ms),
            };
            let series = vec![WriteSeries {
                labels: Labels::from_pairs([("__name__", "m")]),
                points: Vec::new(),
                exemplars: exemplars.iter().map(exemplar).collect(),
                metadata: Metadata::default(),
            }];
            let found = accept(WriteRequest { series, ..WriteRequest::default() }, NOW_MS, &settings);
            let ats_ms: Vec<i64> = found.exemplars.iter().map(|new| new.exemplar.at_ms).collect();
            assert_eq!((&ats_ms[..], found.counts.exemplars), (expect_ms, expect_ms.len() as u64));
            assert!(found.faults.is_empty() && found.batch.is_empty());
        };
        check(&[("a", 1), ("b", 2)], &[1, 2]);
        check(&[("a", 1), ("b", 3), ("c", 2)], &[3, 2]);
        check(&[("a", NOW_MS + 600_000), ("b", NOW_MS + 600_001), ("c", -1)], &[NOW_MS + 600_000]);
        check(&[(&"x".repeat(120), 1), (&"x".repeat(121), 2)], &[1]);
    }

    #[test]
    fn what_is_told_has_limits() {
        let settings = Settings { label_value_bytes_max: 4, ..Settings::default() };
        let families = ["1234", "12345"].map(|help| {
            let metadata = Metadata { r#type: MetricType::Gauge, help: help.into(), unit: "".into() };
            (help.into(), metadata)
        });
        let nothing = ("m".into(), Metadata::default());
        let request =
            WriteRequest { families: [&families[..], &[nothing]].concat(), ..WriteRequest::default() };
        let found = accept(request, NOW_MS, &settings);
        assert_eq!((&found.batch.families[..], found.faults.is_empty()), (&families[..1], true));
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
