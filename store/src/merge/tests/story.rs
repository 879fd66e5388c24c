//! Pushes and the segments that writers make of them.

use std::sync::Arc;

use model::{
    Change, GroupKey, Histogram, Labels, Merge, MetricType, Push, PushedFamily, PushedSeries, Span, Stamp,
    Value,
};
use proptest::prelude::*;

use super::pushes::{self, Story, Told};
use crate::fold::{PUSH_FAILURE_FAMILY, PUSH_TIME_FAMILY};
use crate::segment::Segment;
use crate::tail::Stamped;

/// When all stories begin.
pub(super) const T0: i64 = 1_795_391_160_000;

/// A story in which every push tells its time, but one that tells of a failure, which does nothing else: as the gateway's do.
pub(super) fn story() -> impl Strategy<Value = Story> {
    pushes::story().prop_map(|mut story| {
        story.iter_mut().for_each(|told| with_push_time(&mut told.push));
        story
    })
}

/// A story with native histograms and with values whose sums are not exact.
pub(super) fn wild() -> impl Strategy<Value = Story> {
    let natives = prop::collection::vec(prop::option::weighted(0.3, native()), 30);
    (story(), natives).prop_map(|(mut story, natives)| {
        for (Told { push, .. }, native) in story.iter_mut().zip(natives) {
            push.families.iter_mut().flat_map(|family| &mut family.series).for_each(|series| {
                if let Value::Float(value) = &mut series.value {
                    *value = if *value == 4.0 { 1e16 } else { *value * 0.1 };
                }
            });
            if !matches!(push.change, Change::Delete | Change::Wipe) {
                push.families.extend(native);
            }
        }
        story
    })
}

fn native() -> impl Strategy<Value = PushedFamily> {
    let merge = prop_oneof![4 => Just(Merge::Add), 1 => Just(Merge::Set)];
    (0..3i8, -3..3i32, prop_oneof![Just(0.1), Just(1e16), Just(3.0)], merge).prop_map(
        |(schema, offset, count, merge)| {
            let histogram = Histogram {
                schema,
                count,
                sum: -count,
                zero_count: count,
                positive_spans: vec![Span { offset, length: 2 }],
                positive_counts: vec![count, 0.3],
                ..Histogram::default()
            };
            let labels = Labels::from_pairs([("__name__", "n")]);
            let series = PushedSeries::histogram(labels, Arc::new(histogram)).merging(merge);
            PushedFamily {
                name: "n".into(),
                r#type: MetricType::Histogram,
                series: vec![series],
                ..PushedFamily::default()
            }
        },
    )
}

fn with_push_time(push: &mut Push) {
    let GroupKey(group) = push.group;
    if matches!(push.change, Change::Delete | Change::Wipe) {
        push.ttl_us = None;
        return;
    }
    let is_failure = |family: &PushedFamily| *family.name == *PUSH_FAILURE_FAMILY;
    if push.families.first().is_some_and(is_failure) {
        push.families.truncate(1);
        push.families[0].replaces = true;
        (push.change, push.ttl_us, push.retry_key) = (Change::Merge, None, None);
        return;
    }
    let labels = Labels::from_pairs([("__name__", PUSH_TIME_FAMILY.to_owned()), ("job", group.to_string())]);
    let series = vec![PushedSeries::float(labels, 7.0)];
    let name = PUSH_TIME_FAMILY.into();
    push.families.push(PushedFamily {
        name,
        r#type: MetricType::Gauge,
        series,
        replaces: true,
        ..PushedFamily::default()
    });
}

/// The segments of a story, some of them twice, and the pushes in order with stamps from the story's begin.
pub(super) fn pushed(story: &Story) -> (Vec<Arc<Segment>>, Vec<(Stamp, Push)>) {
    let mut waiting: [Vec<Stamped<Push>>; 3] = [Vec::new(), Vec::new(), Vec::new()];
    let (mut segments, mut stamped) = (Vec::new(), Vec::new());
    let (mut now_us, mut last_us) = (T0 * 1_000, [0; 3]);
    let mut flush = |waiting: &mut [Vec<Stamped<Push>>; 3]| {
        for (writer, pushes) in (1..).zip(waiting) {
            if !pushes.is_empty() {
                segments.push(Arc::new(Segment::from_pushes(writer, pushes.iter())));
                pushes.clear();
            }
        }
    };
    for (index, Told { gap_ms, writer, flushed, push }) in story.iter().enumerate() {
        if *flushed {
            flush(&mut waiting);
        }
        now_us += gap_ms * 1_000;
        let at_us = now_us.max(last_us[*writer] + 1);
        last_us[*writer] = at_us;
        let stamp = Stamp { at_us, writer: 1 + *writer as u64 };
        stamped.push((Stamp { at_us: at_us - T0 * 1_000, ..stamp }, push.clone()));
        waiting[*writer].push(Stamped {
            sequence: index as u64,
            stamp,
            entry: Arc::new(push.clone()),
            bytes: 1,
        });
    }
    flush(&mut waiting);
    let doubled = segments.first().cloned();
    segments.extend(doubled);
    stamped.sort_by_key(|(stamp, _)| *stamp);
    (segments, stamped)
}
