use super::*;

fn spans_of(first: i32, length: usize) -> Vec<Span> {
    vec![Span { offset: first, length: u32::try_from(length).expect("few") }]
}

fn exponential(schema: i8, first: i32, counts: &[f64]) -> Histogram {
    Histogram {
        schema,
        count: counts.iter().sum(),
        positive_spans: spans_of(first, counts.len()),
        positive_counts: counts.to_vec(),
        ..Histogram::default()
    }
}

fn custom(bounds: &[f64], counts: &[f64]) -> Histogram {
    Histogram { custom_bounds: bounds.to_vec(), ..exponential(-53, 0, counts) }
}

#[test]
fn the_lower_resolution_wins() {
    let mut sum = HistogramSum::of(&exponential(1, 1, &[1.0, 2.0, 3.0, 4.0]));
    sum.add(&exponential(0, 1, &[10.0, 20.0])).expect("both exponential");
    let sum = sum.value();
    assert_eq!((sum.schema, sum.positive_counts, sum.count), (0, vec![13.0, 27.0], 40.0));
    assert_eq!(sum.positive_spans, spans_of(1, 2));
}

#[test]
fn a_wider_zero_bucket_swallows_whole_buckets() {
    let mut sum = HistogramSum::of(&exponential(0, 0, &[1.0, 2.0, 4.0]));
    // 1.5 cuts the bucket (1, 2]
    let wide = Histogram { zero_threshold: 1.5, zero_count: 8.0, count: 8.0, ..Histogram::default() };
    sum.add(&wide).expect("both exponential");
    let sum = sum.value();
    assert_eq!((sum.zero_threshold, sum.zero_count, sum.positive_counts), (2.0, 11.0, vec![4.0]));
}

#[test]
fn custom_bounds_are_reconciled() {
    let mut sum = HistogramSum::of(&custom(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 4.0]));
    let remarks = sum.add(&custom(&[1.0, 3.0], &[10.0, 20.0, 30.0])).expect("both custom");
    assert!(remarks.bounds_reconciled);
    let sum = sum.value();
    assert_eq!((sum.custom_bounds, sum.positive_counts), (vec![1.0, 3.0], vec![11.0, 25.0, 34.0]));
    assert_eq!(HistogramSum::of(&custom(&[], &[1.0])).add(&exponential(0, 0, &[])), Err(IncompatibleBuckets));
}

#[test]
fn what_becomes_smaller_starts_anew() {
    let before = exponential(0, 1, &[1.0, 2.0]);
    let check = |now: &Histogram, expect: bool| assert_eq!(now.starts_anew_after(&before), expect, "{now:?}");
    check(&before, false);
    check(&exponential(0, 1, &[1.0, 3.0]), false);
    check(&exponential(0, 1, &[3.0, 1.0]), true);
    check(&exponential(0, 2, &[9.0]), true);
    check(&exponential(1, 1, &[9.0, 9.0, 9.0]), true);
    check(&Histogram { counter_reset: CounterReset::Reset, ..before.clone() }, true);
    check(&Histogram { counter_reset: CounterReset::NotReset, ..exponential(0, 1, &[0.0]) }, false);
}

#[test]
fn estimates() {
    let histogram = custom(&[5.0, 10.0, 15.0, 20.0], &[1.0, 6.0, 4.0, 3.0, 1.0]);
    assert_eq!(histogram.fraction(f64::NEG_INFINITY, 15.0) * 15.0, 11.0);
    assert_eq!(histogram.quantile(1.0).0, 20.0);
    let trimmed = histogram.trimmed(Trim::Upper, 13.0);
    assert!((trimmed.sum - 75.1).abs() < 1e-9 && (trimmed.count - 9.4).abs() < 1e-9, "{trimmed:?}");
    let exponential = exponential(0, 1, &[2.0, 2.0]);
    assert_eq!(exponential.quantile(0.5).0, 2.0);
    assert_eq!(exponential.quantile(0.25).0, 2_f64.sqrt());
    assert_eq!(Histogram::default().quantile(0.5).0.to_bits(), f64::NAN.to_bits());
}
