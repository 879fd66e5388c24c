//! Samples by day, and of two with the same time the later written.

use std::sync::Arc;

use model::{Labels, Metadata, Samples, Stamp};

use crate::layout::Day;
use crate::merge::merge_samples;
use crate::segment::{Description, Segment};

const DAY_MS: i64 = 86_400_000;

fn written(samples: &[(&str, i64, f64)]) -> Arc<Segment> {
    let series = |(name, at_ms, value): &(&str, i64, f64)| {
        let mut one = Samples::default();
        one.push(*at_ms, *value);
        one.start_ms = vec![7];
        (Labels::from_pairs([("__name__", *name)]), one)
    };
    let series: Vec<_> = samples.iter().map(series).collect();
    Arc::new(Segment::from_samples(1, &series))
}

fn shown(segment: &Segment) -> String {
    let of_series = |series: &crate::segment::SeriesRows| {
        let rows = series.range.clone().map(|row| {
            let start_us = segment.rows.start_us(row);
            format!(" {}={}/{start_us:?}", segment.rows.at_us[row] / 1_000, segment.rows.values[row])
        });
        format!("{}{}; ", series.labels.metric_name(), rows.collect::<String>())
    };
    segment.series.iter().map(of_series).collect()
}

#[test]
fn samples_are_merged_by_their_day_and_the_later_written_counts() {
    let first = written(&[("b", 1, 1.0), ("a", 5, 2.0), ("a", DAY_MS, 3.0)]);
    let second = written(&[("a", 4, 4.0), ("a", 5, 5.0), ("b", -1, 6.0)]);
    let (days, dropped) = merge_samples(&[Arc::clone(&first), Arc::clone(&second)], Day::of(0));
    assert_eq!(dropped, 1);
    let shown_days: Vec<(String, String)> =
        days.iter().map(|(day, segment)| (day.to_string(), shown(segment))).collect();
    let expect = [
        ("19691231", "b -1=6/Some(7000); "),
        ("19700101", "a 4=4/Some(7000) 5=5/Some(7000); b 1=1/Some(7000); "),
        ("19700102", "a 86400000=3/Some(7000); "),
    ];
    let expect = expect.map(|(day, text)| (day.to_owned(), text.to_owned()));
    assert_eq!(shown_days, expect);
    // the other way round the other one counts
    let (days, _) = merge_samples(&[second, first], Day::of(0));
    assert_eq!(shown(&days[&Day::of(0)]), "a 4=4/Some(7000) 5=2/Some(7000); b 1=1/Some(7000); ");
}

/// What is told of families at which stamps, in order of stamps.
fn told(writer: u64, families: &[(&str, i64, &str)]) -> Arc<Segment> {
    let families = families.iter().map(|(family, at_us, help)| {
        let metadata = Metadata { help: (*help).into(), ..Metadata::default() };
        (Stamp { at_us: *at_us, writer }, Arc::from(*family), metadata)
    });
    let families: Vec<(Stamp, Arc<str>, Metadata)> = families.collect();
    let mut segment = Segment::clone(&written(&[("a", DAY_MS, 1.0)]));
    let described = families.into_iter().map(|(stamp, family, metadata)| Description {
        stamp,
        family,
        told_by: None,
        metadata,
    });
    segment.describe(writer, described);
    Arc::new(segment)
}

#[test]
fn what_was_told_last_of_a_family_goes_with_the_day_on_which_it_was_told() {
    let day_us = 2 * DAY_MS * 1_000;
    let first = told(1, &[("a", day_us + 1, "old"), ("b", day_us + 2, "b"), ("a", day_us + 5, "new")]);
    let second = told(2, &[("a", day_us + 4, "between")]);
    for inputs in [[Arc::clone(&first), Arc::clone(&second)], [second, first]] {
        let (days, _) = merge_samples(&inputs, Day::of(day_us));
        let heads: Vec<(String, Vec<String>, usize)> = days
            .iter()
            .map(|(day, segment)| {
                let told = segment.descriptions.iter();
                let told =
                    told.map(|told| format!("{} {} {}", told.family, told.metadata.help, told.stamp.writer));
                (day.to_string(), told.collect(), segment.rows.len())
            })
            .collect();
        let told = vec!["a new 0".to_owned(), "b b 0".to_owned()];
        assert_eq!(heads, [("19700102".to_owned(), vec![], 1), ("19700103".to_owned(), told, 0)]);
    }
}
