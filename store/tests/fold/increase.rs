//! What was added between two times is what the series grew by between them, whatever became of it in between.

use std::collections::BTreeMap;

use model::{Change, GroupKey, Labels, Merge, Push, Stamp, Steps, Value};
use proptest::prelude::*;

use crate::pushes::{Story, Told, histogram, show};
use crate::written::{Found, T0, written};

/// One group that is added to, deleted, and expires; every push in a millisecond of its own.
fn story() -> impl Strategy<Value = Story> {
    let counts = (any::<Option<bool>>(), any::<Option<bool>>(), any::<Option<bool>>());
    let added = (counts, 0..3u8).prop_map(|((a, b, c), above)| {
        Some(histogram([a, b, c].map(|count| count.map(u8::from)), above, Merge::Add))
    });
    let family = prop_oneof![6 => added, 1 => Just(None)];
    let ttl_us = prop_oneof![Just(None), (1_000..20_000u64).prop_map(Some)];
    let told = (1..12i64, 0..3usize, any::<bool>(), family, ttl_us).prop_map(
        |(gap_ms, writer, flushed, family, ttl_us)| {
            let change = if family.is_some() { Change::Merge } else { Change::Delete };
            let push = Push::new(GroupKey(1), change, family.into_iter().collect());
            Told { gap_ms, writer, flushed, push: Push { ttl_us, ..push } }
        },
    );
    prop::collection::vec(told, 1..20)
}

/// How much a counter grew in (start, end], as PromQL counts on steps: what holds at the start is the base; what grew from
/// zero, or fell, is new as a whole.
fn increase(steps: &Steps, start_ms: i64, end_ms: i64) -> f64 {
    let mut before = steps.at(start_ms).map(|step| steps.values[step]);
    let mut grown = 0.0;
    for step in 0..steps.len() {
        if steps.from_ms[step] <= start_ms || steps.from_ms[step] > end_ms {
            continue;
        }
        let value = steps.values[step];
        grown += match before {
            _ if steps.from_zero[step] => value,
            Some(before) if value >= before => value - before,
            Some(_) => value,
            None => 0.0,
        };
        before = Some(value);
    }
    grown
}

/// What was added to a series.
#[derive(Default)]
struct Added {
    /// When, in ms, and how much.
    counts: Vec<(i64, f64)>,
    /// Epochs in which the series was named late: when they began, and when it was named. A window from before the one to
    /// after the other may count what the series would have had between the two.
    late: Vec<(i64, i64)>,
}

/// What every push adds to each series that is named by then; a bound that a push lacks has what the next lower one has.
fn added(stamped: &[(Stamp, Push)]) -> BTreeMap<Labels, Added> {
    let mut added: BTreeMap<Labels, Added> = BTreeMap::new();
    let mut named: Vec<Labels> = Vec::new();
    let mut until_us = None;
    let mut since_ms = None;
    for (stamp, push) in stamped {
        let now_ms = stamp.at_us.div_euclid(1_000);
        if push.change == Change::Delete || until_us.is_some_and(|until_us| until_us <= stamp.at_us) {
            named.clear();
            since_ms = None;
        }
        until_us = push.ttl_us.map(|ttl_us| stamp.at_us + i64::try_from(ttl_us).expect("small"));
        let mut counts: Vec<(Labels, f64)> = Vec::new();
        for series in push.families.iter().flat_map(|family| &family.series) {
            let Value::Float(value) = series.value else { continue };
            counts.push((series.labels.clone(), value));
            if !named.contains(&series.labels) {
                named.push(series.labels.clone());
                let late = since_ms.map(|since_ms| (since_ms, now_ms));
                added.entry(series.labels.clone()).or_default().late.extend(late);
            }
        }
        if counts.is_empty() {
            continue;
        }
        since_ms = since_ms.or(Some(now_ms));
        for labels in &named {
            let bound = |labels: &Labels| labels.get("le").map(|le| le.parse::<f64>().expect("a bound"));
            let below = counts.iter().rfind(|(known, _)| match (bound(known), bound(labels)) {
                (Some(known), Some(bound)) => known <= bound,
                (known, bound) => known == bound,
            });
            let count = below.map_or(0.0, |(_, count)| *count);
            added.entry(labels.clone()).or_default().counts.push((now_ms, count));
        }
    }
    added
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn the_increase_is_what_was_added(story in story(), doubles in any::<u64>()) {
        let end_ms = crate::pushes::widest_ms(&story);
        let (Found(found), stamped) = written(&story, doubles, (0, end_ms));
        let added = added(&stamped);
        prop_assert_eq!(found.len(), added.len());
        for series in &found {
            let Added { counts, late } = &added[&series.labels];
            for start_ms in (-5..end_ms).step_by(3) {
                for end_ms in (start_ms..end_ms).step_by(5) {
                    let within = |(at_ms, _): &&(i64, f64)| start_ms < *at_ms && *at_ms <= end_ms;
                    let expect: f64 = counts.iter().filter(within).map(|(_, count)| count).sum();
                    if late.iter().any(|(since_ms, at_ms)| start_ms < *since_ms && *at_ms <= end_ms + 1) {
                        continue;
                    }
                    let grown = increase(&series.steps, T0 + start_ms, T0 + end_ms);
                    prop_assert_eq!(
                        grown, expect, "{} in ({}, {}] of {}", series.labels, start_ms, end_ms, show(&stamped)
                    );
                }
            }
        }
    }
}
