//! Which buckets the histograms of a chunk have: all of them the same ones, those that a histogram lacks being empty in it.

use std::borrow::Cow;

use model::{Histogram, Span};

/// The buckets of both sides.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Layout {
    pub(super) positive: Vec<Span>,
    pub(super) negative: Vec<Span>,
}

impl Layout {
    pub(super) fn of(histogram: &Histogram) -> Self {
        Self { positive: histogram.positive_spans.clone(), negative: histogram.negative_spans.clone() }
    }

    /// Makes room for the buckets of another histogram.
    pub(super) fn widen(&mut self, histogram: &Histogram) {
        widen(&mut self.positive, &histogram.positive_spans);
        widen(&mut self.negative, &histogram.negative_spans);
    }

    /// The counts of a histogram that has no other buckets, for each bucket of the layout: positive and negative ones.
    pub(super) fn counts<'a>(&self, histogram: &'a Histogram) -> [Cow<'a, [f64]>; 2] {
        [
            placed(&self.positive, &histogram.positive_spans, &histogram.positive_counts),
            placed(&self.negative, &histogram.negative_spans, &histogram.negative_counts),
        ]
    }
}

/// Whether a bucket has less than before, or is gone and was not empty.
pub(super) fn any_lost(before: &Histogram, histogram: &Histogram) -> bool {
    let lost = |[spans, now_spans]: [&[Span]; 2], [counts, now_counts]: [&[f64]; 2]| {
        if spans == now_spans {
            return counts.iter().zip(now_counts).any(|(before, now)| before > now);
        }
        let mut now = indices(now_spans).zip(now_counts).peekable();
        indices(spans).zip(counts).any(|(index, count)| {
            while now.next_if(|(other, _)| *other < index).is_some() {}
            let here = now.next_if(|(other, _)| *other == index).map_or(0.0, |(_, count)| *count);
            *count > here
        })
    };
    lost(
        [&before.positive_spans, &histogram.positive_spans],
        [&before.positive_counts, &histogram.positive_counts],
    ) || lost(
        [&before.negative_spans, &histogram.negative_spans],
        [&before.negative_counts, &histogram.negative_counts],
    )
}

/// The index of each bucket.
fn indices(spans: &[Span]) -> impl Iterator<Item = i64> {
    let mut next = 0_i64;
    spans.iter().flat_map(move |span| {
        let start = next + i64::from(span.offset);
        next = start + i64::from(span.length);
        start..next
    })
}

fn widen(layout: &mut Vec<Span>, spans: &[Span]) {
    if layout == spans {
        return;
    }
    let mut all: Vec<i64> = indices(layout).chain(indices(spans)).collect();
    all.sort_unstable();
    all.dedup();
    // spans that have all buckets stay as they were sent
    if all.len() == indices(layout).count() {
        return;
    }
    *layout = if all.len() == indices(spans).count() { spans.to_vec() } else { spans_of(&all) };
}

fn spans_of(indices: &[i64]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut next = 0;
    for &index in indices {
        match spans.last_mut() {
            Some(last) if index == next => last.length += 1,
            // indices are those of spans, whose offsets are of this size
            _ => spans.push(Span { offset: i32::try_from(index - next).unwrap_or(i32::MAX), length: 1 }),
        }
        next = index + 1;
    }
    spans
}

fn placed<'a>(layout: &[Span], spans: &[Span], counts: &'a [f64]) -> Cow<'a, [f64]> {
    if layout == spans {
        return Cow::Borrowed(counts);
    }
    let mut own = indices(spans).zip(counts).peekable();
    let placed = indices(layout)
        .map(|index| own.next_if(|(own_index, _)| *own_index == index).map_or(0.0, |(_, count)| *count));
    Cow::Owned(placed.collect())
}
