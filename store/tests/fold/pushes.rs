//! Stories: pushes that meet in few groups and few series, so that everything happens to everything.

use std::fmt::Write as _;
use std::sync::Arc;

use model::{Change, GroupKey, Labels, Merge, MetricType, Push, PushedFamily, PushedSeries, RetryKey, Stamp};
use proptest::prelude::*;

/// A push, who takes it, and how long after the one before.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) gap_ms: i64,
    pub(crate) writer: usize,
    /// Whether what was pushed up to here is written before this one.
    pub(crate) flushed: bool,
    pub(crate) push: Push,
}

pub(crate) type Story = Vec<Told>;

/// No time later than this, in milliseconds after the first push, is of interest.
pub(crate) fn widest_ms(story: &Story) -> i64 {
    story.iter().map(|told| told.gap_ms).sum::<i64>() + 60
}

/// Pushes with their stamps, one to a line.
pub(crate) fn show(stamped: &[(Stamp, Push)]) -> String {
    let mut text = String::new();
    for (stamp, push) in stamped {
        let (ttl, key) = (push.ttl_us, push.retry_key.map(|retry| retry.key));
        write!(text, "\n{}us {:?} {:?} ttl {ttl:?} key {key:?}", stamp.at_us, push.group, push.change)
            .expect("a text");
        for family in &push.families {
            write!(text, " | {} {}{}", family.r#type, family.name, if family.replaces { "!" } else { "" })
                .expect("a text");
            for series in &family.series {
                write!(text, " {} {:?} {:?}", series.labels, series.merge, series.value).expect("a text");
            }
        }
    }
    text
}

fn series(name: &str, labels: &[(&str, &str)], value: u8, merge: Merge) -> PushedSeries {
    let labels = labels.iter().copied().chain([("__name__", name)]);
    PushedSeries::float(Labels::from_pairs(labels), f64::from(value)).merging(merge)
}

fn family(name: &str, r#type: MetricType, series: Vec<PushedSeries>) -> PushedFamily {
    PushedFamily { name: name.into(), r#type, series, ..PushedFamily::default() }
}

/// A histogram with some of the bounds 1, 2 and 4; every count is what that bucket adds to the one below.
pub(crate) fn histogram(counts: [Option<u8>; 3], above: u8, merge: Merge) -> PushedFamily {
    let mut total = 0;
    let mut all = Vec::new();
    for (bound, count) in ["1.0", "2.0", "4.0"].into_iter().zip(counts) {
        if let Some(count) = count {
            total += count;
            all.push(series("h_bucket", &[("le", bound)], total, merge));
        }
    }
    all.push(series("h_bucket", &[("le", "+Inf")], total + above, merge));
    all.push(series("h_count", &[], total + above, merge));
    family("h", MetricType::Histogram, all)
}

pub(crate) fn merge() -> impl Strategy<Value = Merge> {
    prop_oneof![3 => Just(Merge::Add), 1 => Just(Merge::Set), 1 => Just(Merge::Min), 1 => Just(Merge::Max)]
}

fn some_family() -> impl Strategy<Value = PushedFamily> {
    let add_or_set = prop_oneof![3 => Just(Merge::Add), 1 => Just(Merge::Set)];
    let counter =
        (0..5u8, add_or_set.clone(), prop_oneof![Just("a"), Just("b")]).prop_map(|(value, merge, x)| {
            family("c", MetricType::Counter, vec![series("c", &[("x", x)], value, merge)])
        });
    let gauge = (0..5u8, merge())
        .prop_map(|(value, merge)| family("g", MetricType::Gauge, vec![series("g", &[], value, merge)]));
    // the same name, as something else
    let other = (0..5u8)
        .prop_map(|value| family("g", MetricType::Counter, vec![series("g", &[], value, Merge::Add)]));
    let counts = (any::<Option<bool>>(), any::<Option<bool>>(), any::<Option<bool>>());
    let buckets = (counts, 0..3u8, add_or_set).prop_map(|((a, b, c), above, merge)| {
        histogram([a, b, c].map(|count| count.map(u8::from)), above, merge)
    });
    let failure = Just(family(
        "push_failure_time_seconds",
        MetricType::Gauge,
        vec![series("push_failure_time_seconds", &[], 9, Merge::Set)],
    ));
    (prop_oneof![3 => counter, 2 => gauge, 1 => other, 4 => buckets, 1 => failure], prop::bool::weighted(0.2))
        .prop_map(|(family, replaces)| PushedFamily { replaces, ..family })
}

fn push() -> impl Strategy<Value = Push> {
    let change = prop_oneof![
        2 => Just(Change::ReplaceGroup),
        2 => Just(Change::ReplaceFamilies),
        8 => Just(Change::Merge),
        1 => Just(Change::Delete),
        1 => Just(Change::Wipe),
    ];
    let ttl_us = prop_oneof![2 => Just(None), 1 => (1..40_000u64).prop_map(Some), 1 => (1..9u64).prop_map(|ms| Some(ms * 1_000))];
    let key = prop_oneof![4 => Just(None), 1 => (0..3u128).prop_map(Some)];
    (change, 1..3u128, prop::collection::vec(some_family(), 0..3), ttl_us, key).prop_map(
        |(change, group, mut families, ttl_us, key)| {
            let mut names: Vec<Arc<str>> = Vec::new();
            families.retain(|family| {
                let is_new = !names.contains(&family.name);
                names.push(Arc::clone(&family.name));
                is_new && !matches!(change, Change::Delete | Change::Wipe)
            });
            let retry_key = key.map(|key| RetryKey { key, body: 0 });
            Push { ttl_us, retry_key, ..Push::new(GroupKey(group), change, families) }
        },
    )
}

pub(crate) fn story() -> impl Strategy<Value = Story> {
    let told = (prop_oneof![1 => Just(0), 4 => 1..12i64], 0..3usize, prop::bool::weighted(0.4), push())
        .prop_map(|(gap_ms, writer, flushed, push)| Told { gap_ms, writer, flushed, push });
    prop::collection::vec(told, 1..30)
}
