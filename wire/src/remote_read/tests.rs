use std::collections::BTreeMap;
use std::sync::Arc;

use model::{CounterReset, Histogram, Labels, MatchOp, Matcher, Span, Value, is_stale_nan, stale_nan};
use proptest::prelude::*;

use super::*;
use crate::fields::{self, Fields};

/// Reads what [`bits::Bits`] writes.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> u64 {
        (0..count).fold(0, |number, _| {
            let bit = self.bytes[self.at / 8] >> (7 - self.at % 8) & 1;
            self.at += 1;
            number << 1 | u64::from(bit)
        })
    }

    fn float(&mut self) -> f64 {
        f64::from_bits(self.take(64))
    }

    fn uvarint(&mut self) -> u64 {
        let mut number = 0;
        for shift in (0..).step_by(7) {
            let byte = self.take(8);
            number |= (byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        number
    }

    /// The bits behind a prefix of ones, which ends with a zero unless it is the longest, and how many they are.
    fn sized(&mut self, sizes: &[u32]) -> (u64, u32) {
        let ones = (0..=sizes.len()).take_while(|_| self.take(1) == 1).count();
        let bits = [&[0], sizes, &[64]].concat()[ones];
        (self.take(bits), bits)
    }

    fn signed(&mut self, sizes: &[u32]) -> i64 {
        let (number, bits) = self.sized(sizes);
        match bits {
            1..64 if number > 1 << (bits - 1) => number.cast_signed() - (1 << bits),
            _ => number.cast_signed(),
        }
    }

    fn varbit(&mut self) -> i64 {
        self.signed(&[3, 6, 9, 12, 18, 25, 56])
    }

    fn unsigned_varbit(&mut self) -> u64 {
        self.sized(&[3, 6, 9, 12, 18, 25, 56]).0
    }
}

/// Reads what [`bits::Xor`] writes.
#[derive(Clone, Copy)]
struct Xor {
    before: u64,
    zeros: (u32, u32),
}

impl Xor {
    fn behind(value: f64) -> Self {
        Self { before: value.to_bits(), zeros: (0, 0) }
    }

    fn next(&mut self, bits: &mut Bits<'_>) -> f64 {
        if bits.take(1) == 1 {
            if bits.take(1) == 1 {
                let leading = bits.take(5) as u32;
                let differing = match bits.take(6) as u32 {
                    0 => 64,
                    some => some,
                };
                self.zeros = (leading, 64 - leading - differing);
            }
            let (leading, trailing) = self.zeros;
            self.before ^= bits.take(64 - leading - trailing) << trailing;
        }
        f64::from_bits(self.before)
    }
}

fn floats(bytes: &[u8]) -> Vec<(i64, Value)> {
    let count = u16::from_be_bytes([bytes[0], bytes[1]]);
    let mut bits = Bits { bytes: &bytes[2..], at: 0 };
    let mut at_ms = fields::zigzag(bits.uvarint());
    let mut value = bits.float();
    let (mut xor, mut distance, mut points) = (Xor::behind(value), 0, Vec::new());
    for index in 0..count {
        if index == 1 {
            distance = bits.uvarint().cast_signed();
        } else if index > 1 {
            distance += bits.signed(&[14, 17, 20]);
        }
        if index > 0 {
            at_ms += distance;
            value = xor.next(&mut bits);
        }
        points.push((at_ms, Value::Float(value)));
    }
    points
}

fn histograms(bytes: &[u8], whole: bool) -> Vec<(i64, Value)> {
    let count = u16::from_be_bytes([bytes[0], bytes[1]]);
    let mut bits = Bits { bytes: &bytes[3..], at: 0 };
    let zero_threshold = match bits.take(8) {
        0 => 0.0,
        255 => bits.float(),
        byte => 2.0_f64.powi(byte as i32 - 244),
    };
    let schema = bits.varbit() as i8;
    let mut spans = || {
        let count = bits.unsigned_varbit();
        let span = |_| {
            let length = bits.unsigned_varbit() as u32;
            Span { offset: bits.varbit() as i32, length }
        };
        (0..count).map(span).collect::<Vec<_>>()
    };
    let (positive_spans, negative_spans) = (spans(), spans());
    let bounds = if schema == -53 { bits.unsigned_varbit() } else { 0 };
    let bound = |_| match bits.unsigned_varbit() {
        0 => bits.float(),
        thousandths => (thousandths - 1) as f64 / 1_000.0,
    };
    let custom_bounds: Vec<f64> = (0..bounds).map(bound).collect();
    let buckets = |spans: &[Span]| spans.iter().map(|span| span.length as usize).sum::<usize>();
    let (positive, negative) = (buckets(&positive_spans), buckets(&negative_spans));
    let mut time = (bits.varbit(), 0);
    let mut points = Vec::new();
    let course = |bits: &mut Bits<'_>, (value, change): &mut (i64, i64)| {
        *change += bits.varbit();
        *value += *change;
    };
    // of whole numbers: values and their changes; the deltas of buckets among them
    let (mut courses, mut xors, mut sum) = (Vec::<(i64, i64)>::new(), Vec::<Xor>::new(), Xor::behind(0.0));
    for index in 0..count {
        if index == 0 && whole {
            courses = vec![(bits.unsigned_varbit() as i64, 0), (bits.unsigned_varbit() as i64, 0)];
            sum = Xor::behind(bits.float());
            courses.extend((0..positive + negative).map(|_| (bits.varbit(), 0)));
        } else if index == 0 {
            xors = (0..3 + positive + negative).map(|_| Xor::behind(bits.float())).collect();
        } else {
            course(&mut bits, &mut time);
            if whole {
                courses[..2].iter_mut().for_each(|number| course(&mut bits, number));
                sum.next(&mut bits);
            } else {
                xors[..3].iter_mut().for_each(|xor| {
                    xor.next(&mut bits);
                });
                sum = xors[2];
            }
            if !is_stale_nan(f64::from_bits(sum.before)) {
                courses.iter_mut().skip(2).for_each(|number| course(&mut bits, number));
                xors.iter_mut().skip(3).for_each(|xor| {
                    xor.next(&mut bits);
                });
            }
        }
        let numbers: Vec<f64> = match whole {
            true => courses.iter().map(|(value, _)| *value as f64).collect(),
            false => [&xors[..2], &xors[3..]].concat().iter().map(|xor| f64::from_bits(xor.before)).collect(),
        };
        let total = if whole { f64::from_bits(sum.before) } else { f64::from_bits(xors[2].before) };
        let counts = |from: usize, count: usize| {
            let mut before = 0.0;
            let of = |number: &f64| {
                before = if whole { before + number } else { *number };
                before
            };
            numbers[from..from + count].iter().map(of).collect::<Vec<_>>()
        };
        let histogram = Histogram {
            schema,
            zero_threshold,
            zero_count: numbers[1],
            count: numbers[0],
            sum: total,
            positive_counts: counts(2, positive),
            negative_counts: counts(2 + positive, negative),
            positive_spans: positive_spans.clone(),
            negative_spans: negative_spans.clone(),
            custom_bounds: custom_bounds.clone(),
            counter_reset: CounterReset::Unknown,
        };
        points.push((time.0, Value::Histogram(Arc::new(histogram))));
    }
    points
}

/// A chunk as it was sent.
#[derive(Debug, PartialEq)]
struct Chunk {
    first_ms: i64,
    last_ms: i64,
    encoding: u64,
    data: Vec<u8>,
}

impl Chunk {
    fn points(&self) -> Vec<(i64, Value)> {
        match self.encoding {
            1 => floats(&self.data),
            2 => histograms(&self.data, true),
            _ => histograms(&self.data, false),
        }
    }
}

fn chunks_of(series: &[u8]) -> Vec<Chunk> {
    let (mut chunks, mut fields) = (Vec::new(), Fields::of(series));
    while let Some((tag, field)) = fields.next().expect("a series") {
        if tag != 2 {
            continue;
        }
        let mut chunk = Chunk { first_ms: 0, last_ms: 0, encoding: 0, data: Vec::new() };
        let mut fields = Fields::of(field.bytes("chunk").expect("a message"));
        while let Some((tag, field)) = fields.next().expect("a chunk") {
            match tag {
                1 => chunk.first_ms = field.int("first").expect("a number"),
                2 => chunk.last_ms = field.int("last").expect("a number"),
                3 => chunk.encoding = field.uint("encoding").expect("a number"),
                _ => chunk.data = field.bytes("data").expect("bytes").to_vec(),
            }
        }
        chunks.push(chunk);
    }
    chunks
}

/// The chunks of each frame.
fn frames(mut bytes: &[u8]) -> Vec<Vec<Chunk>> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.iter().position(|byte| byte & 0x80 == 0).expect("a length");
        let length =
            bytes[..=end].iter().rev().fold(0, |length, byte| length << 7 | usize::from(byte & 0x7f));
        let (sum, message) = bytes[end + 1..].split_first_chunk::<4>().expect("a checksum");
        let (message, rest) = message.split_at(length);
        assert_eq!(u32::from_be_bytes(*sum), answer::castagnoli(message));
        let mut fields = Fields::of(message);
        let (tag, series) = fields.next().expect("a field").expect("a series");
        assert_eq!(tag, 1);
        frames.push(chunks_of(series.bytes("series").expect("a message")));
        bytes = rest;
    }
    frames
}

const FRAMES: Frames = Frames { query_index: 0, bytes_max: 1 << 20 };

fn labels() -> Labels {
    Labels::from_pairs([("__name__", "x"), ("job", "a")])
}

fn chunks(points: &[(i64, Value)]) -> Vec<Chunk> {
    let mut bytes = Vec::new();
    FRAMES.write(&labels(), points.iter().cloned(), &mut bytes);
    frames(&bytes).into_iter().flatten().collect()
}

/// What a reader makes of a value: bits, so that a NaN is equal to itself, and the buckets that are not empty.
#[derive(Debug, PartialEq)]
enum Seen {
    Float(u64),
    Stale,
    Histogram { head: Vec<u64>, buckets: BTreeMap<(bool, i64), u64>, bounds: Vec<u64> },
}

fn seen(value: &Value) -> Seen {
    let histogram = match value {
        Value::Float(value) if is_stale_nan(*value) => return Seen::Stale,
        Value::Float(value) => return Seen::Float(value.to_bits()),
        Value::Histogram(histogram) if is_stale_nan(histogram.sum) => return Seen::Stale,
        Value::Histogram(histogram) => histogram,
    };
    let mut buckets = BTreeMap::new();
    for (side, spans, counts) in [
        (true, &histogram.positive_spans, &histogram.positive_counts),
        (false, &histogram.negative_spans, &histogram.negative_counts),
    ] {
        let (mut index, mut counts) = (0, counts.iter());
        for span in spans {
            index += i64::from(span.offset);
            for count in counts.by_ref().take(span.length as usize) {
                if *count != 0.0 {
                    buckets.insert((side, index), count.to_bits());
                }
                index += 1;
            }
        }
    }
    let Histogram { schema, zero_threshold, zero_count, count, sum, .. } = **histogram;
    let head = [f64::from(schema), zero_threshold, zero_count, count, sum].map(f64::to_bits).to_vec();
    Seen::Histogram { head, buckets, bounds: histogram.custom_bounds.iter().map(|b| b.to_bits()).collect() }
}

#[test]
fn a_chunk_of_floats_bit_by_bit() {
    let points = [(1_000, 1.0), (2_000, 1.0), (3_000, 2.0), (4_500, stale_nan())]
        .map(|(at_ms, value)| (at_ms, Value::Float(value)));
    let expect = [
        "0003", // samples
        "d00f", // 1,000 with a sign, in groups of seven bits
        "3ff0000000000000",
        "e807", // 1,000 later
        // 0: the same value; 0: as much later; 11 00001 001011 11111111111: 11 bits behind one zero differ
        "3097ffc0",
    ]
    .concat();
    let data: String = chunks(&points[..3])[0].data.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(data, expect);
    let chunk = &chunks(&points)[0];
    assert_eq!((chunk.first_ms, chunk.last_ms, chunk.encoding), (1_000, 4_500, 1));
    let found: Vec<_> = chunk.points().iter().map(|(at_ms, value)| (*at_ms, seen(value))).collect();
    assert_eq!(found, points.map(|(at_ms, value)| (at_ms, seen(&value))));
}

fn histogram(spans: &[(i32, u32)], counts: &[f64]) -> Histogram {
    Histogram {
        schema: 1,
        zero_threshold: 0.001,
        zero_count: 2.0,
        count: counts.iter().sum::<f64>() + 2.0,
        sum: 1.5,
        positive_spans: spans.iter().map(|&(offset, length)| Span { offset, length }).collect(),
        positive_counts: counts.to_vec(),
        ..Histogram::default()
    }
}

/// How many samples each chunk has of these, a second apart, and the first bits of its head.
fn cuts(histograms: &[Value]) -> Vec<(usize, u8)> {
    let points: Vec<_> = (0..).step_by(1_000).zip(histograms.iter().cloned()).collect();
    let chunks = chunks(&points);
    let found: Vec<_> = chunks.iter().flat_map(Chunk::points).map(|(at, value)| (at, seen(&value))).collect();
    assert_eq!(found, points.iter().map(|(at, value)| (*at, seen(value))).collect::<Vec<_>>());
    let cut =
        |chunk: &Chunk| (chunk.points().len(), if chunk.encoding == 1 { 0 } else { chunk.data[2] >> 6 });
    chunks.iter().map(cut).collect()
}

#[test]
fn chunks_are_cut_where_a_reader_could_not_go_on() {
    const UNKNOWN: u8 = 0;
    const NOT_RESET: u8 = 1;
    const RESET: u8 = 2;
    const GAUGE: u8 = 3;
    let value = |histogram: &Histogram| Value::Histogram(Arc::new(histogram.clone()));
    let stale = Value::Float(stale_nan());
    let one = &histogram(&[(0, 2)], &[1.0, 2.0]);
    let wider = &histogram(&[(-1, 1), (0, 2), (2, 1)], &[1.0, 1.0, 2.0, 1.0]);
    let gauge = |histogram: &Histogram| Histogram { counter_reset: CounterReset::Gauge, ..histogram.clone() };
    let finer = &Histogram { schema: 2, ..one.clone() };
    let floating = &Histogram { count: 5.5, ..one.clone() };
    let more = |by: f64| histogram(&[(0, 2)], &[1.0 + by, 2.0]);
    let check = |values: &[Value], expect: &[(usize, u8)]| assert_eq!(cuts(values), expect, "{values:?}");
    check(&[value(one), value(&more(1.0)), value(&more(7.0))], &[(3, UNKNOWN)]);
    // new buckets have been empty before, and those that are gone were not
    check(&[value(one), value(wider), value(wider)], &[(3, UNKNOWN)]);
    check(&[value(wider), value(one)], &[(1, UNKNOWN), (1, RESET)]);
    check(&[value(&more(1.0)), value(one)], &[(1, UNKNOWN), (1, RESET)]);
    let told = Histogram { counter_reset: CounterReset::Reset, ..more(9.0) };
    check(&[value(&told), value(&told)], &[(1, RESET), (1, RESET)]);
    check(&[value(one), value(finer)], &[(1, UNKNOWN), (1, UNKNOWN)]);
    check(&[value(one), value(floating), value(one)], &[(1, UNKNOWN); 3]);
    check(&[value(one), stale.clone(), stale.clone(), value(one)], &[(3, UNKNOWN), (1, UNKNOWN)]);
    check(&[value(floating), stale.clone(), value(floating)], &[(2, UNKNOWN), (1, UNKNOWN)]);
    check(&[stale.clone(), value(one), Value::Float(1.0), stale.clone()], &[(1, 0), (1, UNKNOWN), (2, 0)]);
    check(&[value(&gauge(wider)), value(&gauge(one)), value(&gauge(&more(3.0)))], &[(3, GAUGE)]);
    check(&[value(&gauge(one)), value(one)], &[(1, GAUGE), (1, NOT_RESET)]);
    check(&[value(one), value(&gauge(one)), stale.clone()], &[(1, UNKNOWN), (1, GAUGE), (1, NOT_RESET)]);
    let custom = |bounds: &[f64]| Histogram {
        schema: -53,
        zero_threshold: 0.0,
        zero_count: 0.0,
        count: 3.0,
        custom_bounds: bounds.to_vec(),
        ..one.clone()
    };
    let bounds = [0.005, 0.1, 1.0, 2.5, 33_554.43, 33_554.431, 1e9, 1.0 / 3.0 + 1e9];
    check(&[value(&custom(&bounds)), value(&custom(&bounds))], &[(2, UNKNOWN)]);
    check(&[value(&custom(&bounds)), value(&custom(&bounds[1..]))], &[(1, UNKNOWN), (1, RESET)]);
    let long = vec![Value::Float(0.5); 250];
    check(&long, &[(120, 0), (120, 0), (10, 0)]);
}

#[test]
fn a_frame_has_no_further_chunk_once_it_is_full() {
    let points: Vec<_> = (0..1_000).map(|i| (i * 1_000, Value::Float(i as f64 * 1.1))).collect();
    let check = |bytes_max: usize, expect: &[usize]| {
        let mut bytes = Vec::new();
        let count = Frames { bytes_max, ..FRAMES }.write(&labels(), points.iter().cloned(), &mut bytes);
        let found: Vec<usize> = frames(&bytes).iter().map(Vec::len).collect();
        assert_eq!((found.as_slice(), count), (expect, 9), "{bytes_max}");
    };
    check(1 << 20, &[9]);
    check(2_500, &[3, 4, 2]);
    check(1, &[1; 9]);
    let mut nothing = Vec::new();
    FRAMES.write(&labels(), std::iter::empty(), &mut nothing);
    assert_eq!(nothing, [0; 0]);
    FRAMES.write_labels(&labels(), &mut nothing);
    assert_eq!(frames(&nothing), [vec![]]);
}

#[test]
fn samples_are_told_one_by_one() {
    let value = |histogram: Histogram| Value::Histogram(Arc::new(histogram));
    let points = [
        (1, Value::Float(0.0)),
        (2, value(histogram(&[(0, 1)], &[3.0]))),
        (3, value(histogram(&[(0, 1), (1, 1)], &[3.0, 0.5]))),
    ];
    let (series, count) = sample_series(&labels(), points.into_iter());
    assert_eq!(count, 3);
    let body = read_response(&query_result([series.as_slice()].into_iter())).expect("is small");
    let response = crate::encoding::snappy_block(&body, 1 << 20).expect("a block");
    let hex: String = response.iter().map(|byte| format!("{byte:02x}")).collect();
    let expect = [
        "0a8901", // the length of the only result
        "0a8601", // and of its only series
        "0a0d0a085f5f6e616d655f5f120178",
        "0a080a036a6f62120161",
        "12021001", // 0 at 1
        // whole numbers at 2: a count of 5, a sum of 1.5, schema 1, a threshold, two in it, a span, a difference
        "2221080519000000000000f83f200229fca9f1d24d62503f30025a0210016201067802",
        // floats at 3, which nothing is known to continue
        "224411000000000000164019000000000000f83f200229fca9f1d24d62503f390000000000000040",
        "5a0210015a04080210016a100000000000000840000000000000e03f7803",
    ];
    assert_eq!(hex, expect.concat());
    assert_eq!(sample_series(&labels(), std::iter::empty()).1, 0);
}

#[test]
fn requests() {
    let query = b"\x08\x01\x10\x02\x1a\x06\x12\x01a\x1a\x01b\x1a\x08\x08\x02\x12\x01a\x1a\x01.\x22\x0c\x08\x05\x12\x04rate\x18\x03\x20\x04";
    let body = [&[0x0a, query.len() as u8], &query[..], b"\x12\x02\x01\x00"].concat();
    let request = ReadRequest::decode(&body).expect("a request");
    let expect = Query {
        start_ms: 1,
        end_ms: 2,
        matchers: vec![
            Matcher::equal("a", "b"),
            Matcher::new("a", MatchOp::Regex, ".").expect("an expression"),
        ],
        hints: Some(Hints { start_ms: 3, end_ms: 4, function: "rate".to_owned() }),
    };
    assert_eq!(request, ReadRequest { queries: vec![expect], accepted: vec![1, 0] });
    assert_eq!(request.response_type().expect("is known"), ResponseType::StreamedXorChunks);
    assert_eq!(ReadRequest::default().response_type().expect("is known"), ResponseType::Samples);
    let check = |body: &[u8], expect: &str| {
        let refused = ReadRequest::decode(body).map(|request| request.response_type());
        let error = match refused {
            Ok(Ok(form)) => panic!("{body:?} is {form:?}"),
            Ok(Err(error)) | Err(error) => error.to_string(),
        };
        assert_eq!(error, expect, "{body:?}");
    };
    check(b"\x0a", "unexpected EOF");
    check(b"\x08\x01", "proto: wrong wireType for field Queries");
    check(b"\x0a\x04\x1a\x02\x08\x07", "invalid matcher type");
    check(b"\x0a\x0a\x1a\x08\x08\x02\x12\x01a\x1a\x01(", "error parsing regexp: missing closing ): `(`");
    check(b"\x0a\x05\x1a\x03\x12\x01\xff", "proto: field Name contains invalid UTF-8");
    let unknown = "server does not support any of the requested response types: [5 7]; supported: map[SAMPLES:{} STREAMED_XOR_CHUNKS:{}]";
    check(b"\x10\x05\x10\x07", unknown);
    check(&b"\x0a\x00".repeat(101), "more than 100 queries in a request");
}

fn any_value() -> impl Strategy<Value = Value> {
    let buckets = prop::collection::vec((0..3_i32, prop::collection::vec(0..5_u32, 1..3)), 0..3);
    let histogram = (buckets.clone(), buckets, -1..2_i8, 0..4_u8, any::<bool>(), any::<f64>()).prop_map(
        |(positive, negative, schema, reset, halves, sum)| {
            let spans = |buckets: &[(i32, Vec<u32>)]| {
                let span = |(offset, counts): &(i32, Vec<u32>)| Span {
                    offset: *offset,
                    length: counts.len() as u32,
                };
                buckets.iter().map(span).collect::<Vec<_>>()
            };
            let counts = |buckets: &[(i32, Vec<u32>)]| {
                let all = buckets.iter().flat_map(|(_, counts)| counts);
                all.map(|count| f64::from(*count) + if halves { 0.5 } else { 0.0 }).collect::<Vec<_>>()
            };
            let (positive_counts, negative_counts) = (counts(&positive), counts(&negative));
            Value::Histogram(Arc::new(Histogram {
                schema,
                zero_threshold: f64::from(schema.abs()) * 0.3,
                zero_count: f64::from(reset),
                count: positive_counts.iter().chain(&negative_counts).sum::<f64>() + f64::from(reset),
                sum,
                positive_spans: spans(&positive),
                negative_spans: spans(&negative),
                positive_counts,
                negative_counts,
                custom_bounds: Vec::new(),
                counter_reset: [
                    CounterReset::Unknown,
                    CounterReset::Reset,
                    CounterReset::NotReset,
                    CounterReset::Gauge,
                ][usize::from(reset)],
            }))
        },
    );
    prop_oneof![
        4 => histogram,
        2 => any::<f64>().prop_map(Value::Float),
        1 => (0..9_i32).prop_map(|value| Value::Float(value.into())),
        1 => Just(Value::Float(stale_nan())),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        values in prop::collection::vec((prop_oneof![Just(15_000_i64), 1..40_000_000_i64, 1..1_i64 << 40], any_value()), 1..300),
        start_ms in -(1_i64 << 45)..1 << 45,
    ) {
        let mut at_ms = start_ms;
        let points: Vec<_> = values
            .into_iter()
            .map(|(later, value)| {
                at_ms += later;
                (at_ms, value)
            })
            .collect();
        let chunks = chunks(&points);
        for chunk in &chunks {
            let times: Vec<i64> = chunk.points().iter().map(|(at_ms, _)| *at_ms).collect();
            prop_assert!(times.len() <= 120);
            prop_assert_eq!((times.first(), times.last()), (Some(&chunk.first_ms), Some(&chunk.last_ms)));
        }
        let found: Vec<_> = chunks.iter().flat_map(Chunk::points).map(|(at_ms, value)| (at_ms, seen(&value))).collect();
        prop_assert_eq!(found, points.iter().map(|(at_ms, value)| (*at_ms, seen(value))).collect::<Vec<_>>());
        prop_assert_eq!(sample_series(&labels(), points.iter().cloned()).1, points.len() as u64);
    }
}
