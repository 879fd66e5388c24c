//! Exponential histograms to native ones.

use model::{CounterReset, Span, stale_nan};

use super::message::{Buckets, Exponential};

/// The finest schema that there is; what is finer is made coarser.
const SCHEMA_MAX: i64 = 8;
const SCHEMA_MIN: i64 = -4;
/// What Prometheus takes where a sender does not say how far from zero is zero.
const ZERO_THRESHOLD: f64 = 1e-128;

pub(super) fn native(point: &Exponential) -> Result<model::Histogram, String> {
    if point.scale < SCHEMA_MIN {
        return Err(format!("scale {} is below {SCHEMA_MIN}", point.scale));
    }
    let schema = point.scale.min(SCHEMA_MAX);
    // two buckets become one with each step; beyond 63 they are all one
    let steps = u32::try_from(point.scale - schema).unwrap_or(u32::MAX).min(63);
    let (positive, negative) = (side(&point.positive, steps)?, side(&point.negative, steps)?);
    let is_absent = point.common.flags & 1 == 1;
    let found: u128 = [&point.positive, &point.negative]
        .iter()
        .flat_map(|buckets| &buckets.bucket_counts)
        .map(|count| u128::from(*count))
        .sum::<u128>()
        + u128::from(point.zero_count);
    let sum = if is_absent { stale_nan() } else { point.sum.unwrap_or(0.0) };
    let count = u128::from(point.count);
    if !is_absent && (found > count || (found < count && !sum.is_nan())) {
        return Err(format!("{found} observations found in buckets, but the count is {count}"));
    }
    let zero_threshold = if point.zero_threshold == 0.0 { ZERO_THRESHOLD } else { point.zero_threshold };
    if !(0.0..=f64::MAX).contains(&zero_threshold) {
        return Err(format!("zero threshold {zero_threshold} is not a positive number"));
    }
    Ok(model::Histogram {
        schema: schema as i8,
        zero_threshold,
        zero_count: point.zero_count as f64,
        count: point.count as f64,
        sum,
        positive_spans: positive.0,
        negative_spans: negative.0,
        positive_counts: positive.1,
        negative_counts: negative.1,
        custom_bounds: Vec::new(),
        counter_reset: CounterReset::Unknown,
    })
}

/// Spans and counts. A bucket of OTLP with index i ends where the one of Prometheus with index i + 1 ends.
fn side(buckets: &Buckets, steps: u32) -> Result<(Vec<Span>, Vec<f64>), String> {
    let mut counts: Vec<(i64, f64)> = Vec::new();
    for (position, &count) in buckets.bucket_counts.iter().enumerate() {
        let index = buckets.offset.saturating_add(position as i64);
        let index = (index >> steps).saturating_add(1);
        match counts.last_mut() {
            Some((last, sum)) if *last == index => *sum += count as f64,
            _ => counts.push((index, count as f64)),
        }
    }
    // neither end needs empty buckets
    let full = |(_, count): &(i64, f64)| *count > 0.0;
    let Some(first) = counts.iter().position(full) else { return Ok((Vec::new(), Vec::new())) };
    let last = counts.iter().rposition(full).unwrap_or(first);
    let counts = &counts[first..=last];
    let ends = |index: i64| i32::try_from(index).map_err(|_| format!("bucket {index} is out of range"));
    ends(counts[counts.len() - 1].0)?;
    let span = Span { offset: ends(counts[0].0)?, length: counts.len() as u32 };
    Ok((vec![span], counts.iter().map(|(_, count)| *count).collect()))
}
