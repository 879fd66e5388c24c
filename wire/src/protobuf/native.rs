//! Native histograms between protobuf and the form in which Mayfly keeps them.

use model::{CounterReset, Span};

use super::error::NativeFault;
use super::messages::{BucketSpan, Histogram};

/// The native histogram in a message; `None` if it holds only a classic one.
pub(super) fn decode(message: &Histogram, is_gauge: bool) -> Result<Option<model::Histogram>, NativeFault> {
    let (zero_count, zero_count_float) =
        (message.zero_count.unwrap_or(0), message.zero_count_float.unwrap_or(0.0));
    let zero_threshold = message.zero_threshold.unwrap_or(0.0);
    let has_spans = !message.positive_span.is_empty() || !message.negative_span.is_empty();
    let has_zero_bucket = zero_threshold > 0.0 || zero_count > 0 || zero_count_float > 0.0;
    if !has_spans && !has_zero_bucket {
        return Ok(None);
    }
    let schema = message.schema.unwrap_or(0);
    let is_float = message.sample_count_float.is_some_and(|count| count > 0.0) || zero_count_float > 0.0;
    let counts = |deltas: &[i64], floats: &[f64]| if is_float { floats.to_vec() } else { absolute(deltas) };
    let histogram = model::Histogram {
        schema: i8::try_from(schema)
            .ok()
            .filter(|schema| (-4..=8).contains(schema))
            .ok_or(NativeFault::Schema(schema))?,
        zero_threshold,
        zero_count: if is_float { zero_count_float } else { zero_count as f64 },
        count: super::decode::either(message.sample_count, message.sample_count_float),
        sum: message.sample_sum.unwrap_or(0.0),
        positive_counts: counts(&message.positive_delta, &message.positive_count),
        negative_counts: counts(&message.negative_delta, &message.negative_count),
        positive_spans: spans(&message.positive_span),
        negative_spans: spans(&message.negative_span),
        custom_bounds: Vec::new(),
        counter_reset: if is_gauge { CounterReset::Gauge } else { CounterReset::Unknown },
    };
    check(&histogram)?;
    Ok(Some(histogram))
}

/// Counts from differences, the first of which is from zero.
fn absolute(deltas: &[i64]) -> Vec<f64> {
    let running = deltas.iter().scan(0_i64, |count, delta| {
        *count = count.wrapping_add(*delta);
        Some(*count as f64)
    });
    running.collect()
}

fn spans(spans: &[BucketSpan]) -> Vec<Span> {
    let span =
        |span: &BucketSpan| Span { offset: span.offset.unwrap_or(0), length: span.length.unwrap_or(0) };
    spans.iter().map(span).collect()
}

fn check(histogram: &model::Histogram) -> Result<(), NativeFault> {
    let model::Histogram { zero_threshold, zero_count, count, .. } = histogram;
    for (spans, counts) in [
        (&histogram.positive_spans, &histogram.positive_counts),
        (&histogram.negative_spans, &histogram.negative_counts),
    ] {
        check_spans(spans, counts.len())?;
        // a NaN is not in the range either
        if !counts.iter().chain([zero_count, count]).all(|count| (0.0..=f64::MAX).contains(count)) {
            return Err(NativeFault::Count);
        }
    }
    if !(0.0..=f64::MAX).contains(zero_threshold) {
        return Err(NativeFault::ZeroThreshold);
    }
    Ok(())
}

fn check_spans(spans: &[Span], counts: usize) -> Result<(), NativeFault> {
    let length: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
    if length != counts as u64 {
        return Err(NativeFault::Buckets { spans: length, counts });
    }
    let mut end = 0_i64;
    for (index, span) in spans.iter().enumerate() {
        end += i64::from(span.offset) + i64::from(span.length);
        let in_range = i32::try_from(end).is_ok();
        if !in_range || (index > 0 && span.offset < 0) {
            return Err(NativeFault::Spans);
        }
    }
    Ok(())
}

/// Puts a native histogram into a message: as whole numbers if its counts are whole.
pub(crate) fn encode(histogram: &model::Histogram, message: &mut Histogram) {
    let counts = || histogram.positive_counts.iter().chain(&histogram.negative_counts);
    let whole = counts().chain([&histogram.count, &histogram.zero_count]).all(|count| is_whole(*count));
    message.schema = Some(histogram.schema.into());
    message.zero_threshold = Some(histogram.zero_threshold);
    message.positive_span = span_messages(&histogram.positive_spans);
    message.negative_span = span_messages(&histogram.negative_spans);
    if whole {
        message.zero_count = Some(histogram.zero_count as u64);
        message.positive_delta = deltas(&histogram.positive_counts);
        message.negative_delta = deltas(&histogram.negative_counts);
    } else {
        message.sample_count = None;
        message.sample_count_float = Some(histogram.count);
        message.zero_count_float = Some(histogram.zero_count);
        message.positive_count.clone_from(&histogram.positive_counts);
        message.negative_count.clone_from(&histogram.negative_counts);
    }
    if message.positive_span.is_empty() && message.negative_span.is_empty() {
        // tells an empty native histogram from a classic one
        message.positive_span = vec![BucketSpan { offset: Some(0), length: Some(0) }];
    }
}

/// Whether an integer field holds this count exactly.
pub(crate) fn is_whole(count: f64) -> bool {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    count.fract() == 0.0 && (0.0..=EXACT_MAX).contains(&count)
}

fn deltas(counts: &[f64]) -> Vec<i64> {
    let mut previous = 0;
    let delta = |count: &f64| {
        let count = *count as i64;
        count - std::mem::replace(&mut previous, count)
    };
    counts.iter().map(delta).collect()
}

fn span_messages(spans: &[Span]) -> Vec<BucketSpan> {
    spans.iter().map(|span| BucketSpan { offset: Some(span.offset), length: Some(span.length) }).collect()
}
