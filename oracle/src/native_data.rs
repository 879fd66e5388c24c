//! Native histograms as jobs and mishaps make them.

use std::sync::Arc;

use fastrand::Rng;
use model::{CounterReset, Histogram, Labels, Series, Span, Value, stale_nan};

use crate::data::{Data, times};

const BOUNDS: [&[f64]; 3] = [&[0.1, 0.5, 1.0, 5.0], &[0.1, 1.0, 5.0, 10.0], &[0.5, 2.0]];

/// Counts of the buckets from an index on.
#[derive(Clone, Default)]
struct Side {
    counts: Vec<u32>,
}

const BUCKETS: usize = 8;
/// The index of the first bucket with exponential bounds.
const FIRST: i32 = -3;

impl Side {
    fn observe(&mut self, rng: &mut Rng, buckets: usize) {
        self.counts.resize(BUCKETS, 0);
        self.counts[rng.usize(..buckets)] += rng.u32(1..9);
    }

    fn total(&self) -> u32 {
        self.counts.iter().sum()
    }

    /// Spans, empty buckets between them left out or not, and counts.
    fn buckets(&self, first: i32, dense: bool) -> (Vec<Span>, Vec<f64>) {
        let (mut spans, mut counts): (Vec<Span>, Vec<f64>) = (Vec::new(), Vec::new());
        let (mut index, mut end) = (first, 0);
        for count in &self.counts {
            if *count > 0 || dense && !spans.is_empty() {
                match spans.last_mut() {
                    Some(span) if index == end => span.length += 1,
                    _ => spans.push(Span { offset: index - end, length: 1 }),
                }
                end = index + 1;
                counts.push(f64::from(*count));
            }
            index += 1;
        }
        (spans, counts)
    }
}

/// Which kind of histograms a series has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Custom,
    /// Numbers among counters.
    Mixed,
}

/// The series of one instance.
pub(crate) fn generate(rng: &mut Rng, data: Data, labels: &dyn Fn(&str) -> Labels) -> Vec<Series> {
    let kinds =
        [("n", Kind::Counter), ("n_gauge", Kind::Gauge), ("nhcb", Kind::Custom), ("mixed", Kind::Mixed)];
    kinds.into_iter().map(|(name, kind)| series(rng, data, labels(name), kind)).collect()
}

fn series(rng: &mut Rng, data: Data, labels: Labels, kind: Kind) -> Series {
    let mut series = Series { labels, ..Series::default() };
    let has_negative = rng.u8(..3) == 0;
    let tells_resets = rng.bool();
    let (mut schema, mut threshold) = layout(rng);
    let mut bounds = BOUNDS[0];
    let (mut positive, mut negative, mut zero, mut sum) = (Side::default(), Side::default(), 0_u32, 0.0);
    let mut is_float = false;
    for (place, at_ms) in times(rng, data).into_iter().enumerate() {
        let ends = data.stale_markers && rng.u8(..40) == 0;
        is_float ^= kind == Kind::Mixed && rng.u8(..8) == 0;
        if is_float {
            series.samples.push(at_ms, if ends { stale_nan() } else { f64::from(positive.total()) });
            continue;
        }
        let resets = kind == Kind::Gauge || rng.u8(..15) == 0;
        if resets {
            (positive, negative, zero, sum) = (Side::default(), Side::default(), 0, 0.0);
            (schema, threshold) = layout(rng);
            bounds = BOUNDS[rng.usize(..BOUNDS.len())];
        }
        let buckets = if kind == Kind::Custom { bounds.len() + 1 } else { BUCKETS };
        for _ in 0..rng.u8(if resets { 1 } else { 0 }..5) {
            let goes_below = has_negative && kind != Kind::Custom && rng.u8(..3) == 0;
            if goes_below { &mut negative } else { &mut positive }.observe(rng, buckets);
            sum += f64::from(rng.u8(1..64)) / 16.0;
        }
        zero += if kind != Kind::Custom && threshold > 0.0 { rng.u32(..3) } else { 0 };
        let is_custom = kind == Kind::Custom;
        let (positive_spans, positive_counts) =
            positive.buckets(if is_custom { 0 } else { FIRST }, rng.bool());
        let (negative_spans, negative_counts) = negative.buckets(FIRST, rng.bool());
        let histogram = Histogram {
            schema: if is_custom { -53 } else { schema },
            zero_threshold: if is_custom { 0.0 } else { threshold },
            zero_count: f64::from(zero),
            count: f64::from(zero + positive.total() + negative.total()),
            sum: if ends { stale_nan() } else { sum },
            positive_spans,
            negative_spans,
            positive_counts,
            negative_counts,
            custom_bounds: if is_custom { bounds.to_vec() } else { Vec::new() },
            counter_reset: match kind {
                Kind::Gauge => CounterReset::Gauge,
                // as a storage tells them that has seen all samples
                Kind::Counter | Kind::Custom if tells_resets && place > 0 => match resets {
                    true => CounterReset::Reset,
                    false => CounterReset::NotReset,
                },
                _ => CounterReset::Unknown,
            },
        };
        series.samples.push_value(at_ms, &Value::Histogram(Arc::new(histogram)));
    }
    series
}

/// How fine buckets are, and how wide the one around zero, which no other lies in.
fn layout(rng: &mut Rng) -> (i8, f64) {
    let (schema, lowest) =
        *rng.choice(&[(-1, 0.003_906_25), (0, 0.0625), (1, 0.25), (3, 0.7)]).unwrap_or(&(0, 0.0));
    (schema, *rng.choice(&[0.0, 0.001, lowest]).unwrap_or(&0.0))
}
