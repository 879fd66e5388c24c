//! Puts together what segments of samples say about the series of a selection.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use model::{NeededLabels, Samples, Selection, Series};

use super::gather::{Identified, Identity};

use crate::segment::{Segment, Span};

/// The series of a span that have a sample within the selection's time. Segments are given in the order in which they were written:
/// of samples of one series with the same time, the one of the later segment counts.
pub(super) fn gather<'a>(
    segments: impl IntoIterator<Item = &'a Arc<Segment>>,
    selection: &Selection,
    needed: &NeededLabels,
    span: &Span,
) -> Vec<Identified> {
    let mut parts: HashMap<Identity, Vec<(&Segment, Range<usize>)>> = HashMap::new();
    let (start_us, end_us) = (
        selection.start_ms.saturating_mul(1_000),
        selection.end_ms.saturating_mul(1_000).saturating_add(999),
    );
    for segment in segments {
        for series in segment.matching(selection, span) {
            let times = &segment.rows.at_us[series.range.clone()];
            let first = series.range.start + times.partition_point(|&at_us| at_us < start_us);
            let end = series.range.start + times.partition_point(|&at_us| at_us <= end_us);
            if first < end {
                let parts = parts.entry(Identity::of(series, needed)).or_default();
                parts.push((segment, first..end));
            }
        }
    }
    let series = parts.into_iter().map(|(Identity { labels, fingerprint }, parts)| Identified {
        series: Series { labels, samples: merge(&parts), ..Series::default() },
        fingerprint,
    });
    series.collect()
}

/// The samples of one series.
fn merge(parts: &[(&Segment, Range<usize>)]) -> Samples {
    let mut order: Vec<(i64, &Segment, usize)> = parts
        .iter()
        .flat_map(|(segment, range)| range.clone().map(|row| (segment.rows.at_us[row], *segment, row)))
        .collect();
    if !order.is_sorted_by(|a, b| a.0 < b.0) {
        // the later written first, so that it is the one that stays
        order.reverse();
        order.sort_by_key(|(at_us, ..)| *at_us);
        order.dedup_by_key(|(at_us, ..)| *at_us);
    }
    let any_histogram = order.iter().any(|(_, segment, row)| segment.rows.histogram(*row).is_some());
    let histograms = match any_histogram {
        true => order.iter().map(|(_, segment, row)| segment.rows.histogram(*row).cloned()).collect(),
        false => Vec::new(),
    };
    Samples {
        timestamps_ms: order.iter().map(|(at_us, ..)| at_us.div_euclid(1_000)).collect(),
        values: order.iter().map(|(_, segment, row)| segment.rows.values[*row]).collect(),
        histograms,
        ..Samples::default()
    }
}
