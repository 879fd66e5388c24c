//! Runs as chunks, bit by bit as Prometheus writes them.

use model::{CounterReset, Histogram, Span};

use super::bits::{Bits, Xor};
use super::run::{Kind, Run, is_stale};

/// The schema of custom bounds.
const CUSTOM: i8 = -53;

impl Kind {
    /// The number of an encoding.
    pub(super) fn encoding(self) -> u64 {
        match self {
            Self::Floats => 1,
            Self::Histograms => 2,
            Self::FloatHistograms => 3,
        }
    }
}

/// The bytes of a chunk.
pub(super) fn bytes(run: &Run) -> Vec<u8> {
    // a run has far less samples than that
    let mut bytes = u16::try_from(run.times_ms.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
    if run.kind != Kind::Floats {
        bytes.push(match run.reset {
            CounterReset::Unknown => 0,
            CounterReset::Reset => 0b1000_0000,
            CounterReset::NotReset => 0b0100_0000,
            CounterReset::Gauge => 0b1100_0000,
        });
    }
    let mut bits = Bits::behind(bytes);
    match run.kind {
        Kind::Floats => floats(run, &mut bits),
        Kind::Histograms => histograms(run, &mut bits),
        Kind::FloatHistograms => float_histograms(run, &mut bits),
    }
    bits.into_bytes()
}

fn floats(run: &Run, bits: &mut Bits) {
    let mut distance = 0_i64;
    let mut before: Option<(i64, Xor)> = None;
    for (index, (&at_ms, &value)) in run.times_ms.iter().zip(&run.floats).enumerate() {
        let Some((before_ms, xor)) = &mut before else {
            bits.varint(at_ms);
            bits.float(value);
            before = Some((at_ms, Xor::behind(value)));
            continue;
        };
        let next = at_ms.wrapping_sub(*before_ms);
        match index {
            1 => bits.uvarint(next.cast_unsigned()),
            _ => bits.change_of_distance(next.wrapping_sub(distance)),
        }
        xor.push(bits, value);
        (distance, *before_ms) = (next, at_ms);
    }
}

/// Numbers of which the change of the change is written.
#[derive(Clone, Copy, Debug, Default)]
struct Course {
    value: i64,
    change: i64,
}

impl Course {
    fn push(&mut self, bits: &mut Bits, value: i64) {
        let change = value.wrapping_sub(self.value);
        bits.varbit(change.wrapping_sub(self.change));
        *self = Self { value, change };
    }
}

fn histograms(run: &Run, bits: &mut Bits) {
    let [mut time, mut count, mut zero_count] = [Course::default(); 3];
    let mut sum: Option<Xor> = None;
    let mut buckets: Vec<Course> = Vec::new();
    for (&at_ms, histogram) in run.times_ms.iter().zip(&run.histograms) {
        let stale = is_stale(histogram);
        let (counted, zeros) =
            if stale { (0, 0) } else { (whole(histogram.count), whole(histogram.zero_count)) };
        let deltas = match stale {
            true => Vec::new(),
            false => run.layout.counts(histogram).iter().flat_map(|counts| deltas(counts)).collect(),
        };
        if let Some(sum) = &mut sum {
            time.push(bits, at_ms);
            if stale {
                // nothing is counted by a marker
                bits.varbit(0);
                bits.varbit(0);
            } else {
                count.push(bits, counted);
                zero_count.push(bits, zeros);
            }
            sum.push(bits, histogram.sum);
            deltas.iter().zip(&mut buckets).for_each(|(delta, bucket)| bucket.push(bits, *delta));
            continue;
        }
        layout(run, histogram, bits);
        bits.varbit(at_ms);
        bits.unsigned_varbit(counted.cast_unsigned());
        bits.unsigned_varbit(zeros.cast_unsigned());
        bits.float(histogram.sum);
        deltas.iter().for_each(|delta| bits.varbit(*delta));
        let first = |value| Course { value, change: 0 };
        (time, count, zero_count) = (first(at_ms), first(counted), first(zeros));
        buckets = deltas.into_iter().map(first).collect();
        sum = Some(Xor::behind(histogram.sum));
    }
}

/// Counts of a run of whole numbers.
fn whole(count: f64) -> i64 {
    count as i64
}

/// Each count less the one before it.
pub(super) fn deltas(counts: &[f64]) -> impl Iterator<Item = i64> {
    let mut before = 0;
    counts.iter().map(move |count| whole(*count) - std::mem::replace(&mut before, whole(*count)))
}

fn float_histograms(run: &Run, bits: &mut Bits) {
    let mut time = Course::default();
    let mut numbers: Option<Vec<Xor>> = None;
    for (&at_ms, histogram) in run.times_ms.iter().zip(&run.histograms) {
        let mut values = vec![histogram.count, histogram.zero_count, histogram.sum];
        if is_stale(histogram) {
            (values[0], values[1]) = (0.0, 0.0);
        } else {
            values.extend(run.layout.counts(histogram).iter().flat_map(|counts| counts.iter()));
        }
        if let Some(numbers) = &mut numbers {
            time.push(bits, at_ms);
            values.iter().zip(numbers).for_each(|(value, xor)| xor.push(bits, *value));
            continue;
        }
        layout(run, histogram, bits);
        bits.varbit(at_ms);
        values.iter().for_each(|value| bits.float(*value));
        time = Course { value: at_ms, change: 0 };
        numbers = Some(values.into_iter().map(Xor::behind).collect());
    }
}

/// What all histograms of the run have in common; the first is one of them. A marker that is first has nothing.
fn layout(run: &Run, first: &Histogram, bits: &mut Bits) {
    let none = Histogram::default();
    let first = if is_stale(first) { &none } else { first };
    zero_threshold(first.zero_threshold, bits);
    bits.varbit(first.schema.into());
    spans(&run.layout.positive, bits);
    spans(&run.layout.negative, bits);
    if first.schema == CUSTOM {
        bits.unsigned_varbit(first.custom_bounds.len() as u64);
        first.custom_bounds.iter().for_each(|bound| custom_bound(*bound, bits));
    }
}

/// A power of two as one byte.
fn zero_threshold(threshold: f64, bits: &mut Bits) {
    /// What is added to the exponent of a power of two to get its byte: the powers from -243 to 10 are from 1 to 254.
    const BYTE_OF_EXPONENT_0: i64 = 244;
    const MANTISSA: u64 = (1 << 52) - 1;
    let of_bits = threshold.to_bits();
    let exponent = (of_bits >> 52).cast_signed() - 1_023;
    match exponent {
        _ if threshold == 0.0 => bits.push(0, 8),
        -243..=10 if of_bits & MANTISSA == 0 => {
            bits.push((exponent + BYTE_OF_EXPONENT_0).cast_unsigned(), 8);
        }
        _ => {
            bits.push(255, 8);
            bits.float(threshold);
        }
    }
}

fn spans(spans: &[Span], bits: &mut Bits) {
    bits.unsigned_varbit(spans.len() as u64);
    for span in spans {
        bits.unsigned_varbit(span.length.into());
        bits.varbit(span.offset.into());
    }
}

/// Up to three decimals as a whole number.
fn custom_bound(bound: f64, bits: &mut Bits) {
    const THOUSANDTHS_MAX: f64 = 33_554_430.0;
    let thousandths = bound * 1_000.0;
    let rounded = thousandths.round();
    if (0.0..=THOUSANDTHS_MAX).contains(&thousandths) && rounded / 1_000.0 == bound {
        bits.unsigned_varbit(rounded as u64 + 1);
    } else {
        bits.push(0, 1);
        bits.float(bound);
    }
}
