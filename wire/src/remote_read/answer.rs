//! Series to the messages of an answer.

use model::{CounterReset, Histogram, Labels, Span, Value};
use prost::encoding::{WireType, encode_key, encode_varint};

use super::chunk;
use super::run::{Kind, Run, is_stale, runs};

/// How series become frames of `STREAMED_XOR_CHUNKS`: each has one series, or a part of it.
#[derive(Clone, Copy, Debug)]
pub struct Frames {
    /// Which query of the request is answered.
    pub query_index: usize,
    /// A frame has no further chunk once its message has more bytes than this.
    pub bytes_max: usize,
}

impl Frames {
    /// Adds the frames of a series whose samples come in order of time; none if there are no samples. Returns how many chunks it has.
    pub fn write(
        &self,
        labels: &Labels,
        points: impl Iterator<Item = (i64, Value)>,
        into: &mut Vec<u8>,
    ) -> usize {
        let head = label_fields(labels);
        let room = self.bytes_max.saturating_sub(head.bytes.len());
        let (mut series, mut used, mut count) = (head.clone(), 0, 0);
        let mut runs = runs(points).peekable();
        while let Some(run) = runs.next() {
            let chunk = chunk_message(&run);
            used += chunk.bytes.len();
            series.bytes(2, &chunk.bytes);
            count += 1;
            if used >= room || runs.peek().is_none() {
                self.frame(&series, into);
                series = head.clone();
                used = 0;
            }
        }
        count
    }

    /// Adds a series of which only labels are wanted.
    pub fn write_labels(&self, labels: &Labels, into: &mut Vec<u8>) {
        self.frame(&label_fields(labels), into);
    }

    /// A length, a checksum and a message.
    fn frame(&self, series: &Message, into: &mut Vec<u8>) {
        let mut message = Message::default();
        message.bytes(1, &series.bytes);
        message.uint(2, self.query_index as u64);
        encode_varint(message.bytes.len() as u64, into);
        into.extend_from_slice(&castagnoli(&message.bytes).to_be_bytes());
        into.extend_from_slice(&message.bytes);
    }
}

/// CRC-32C.
pub(super) fn castagnoli(bytes: &[u8]) -> u32 {
    let sum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes);
    // it has 32 bits
    sum as u32
}

/// A series of `SAMPLES` as a field of a query's result, and how many samples it has. Its samples come in order of time.
pub fn sample_series(labels: &Labels, points: impl Iterator<Item = (i64, Value)>) -> (Vec<u8>, u64) {
    let mut series = label_fields(labels);
    let (mut histograms, mut count) = (Message::default(), 0);
    for run in runs(points) {
        count += run.times_ms.len() as u64;
        for (&at_ms, &value) in run.times_ms.iter().zip(&run.floats) {
            let mut sample = Message::default();
            sample.double(1, value);
            sample.uint(2, at_ms.cast_unsigned());
            series.bytes(2, &sample.bytes);
        }
        for index in 0..run.histograms.len() {
            histograms.bytes(4, &histogram_message(&run, index).bytes);
        }
    }
    series.bytes.extend_from_slice(&histograms.bytes);
    let mut field = Message::default();
    field.bytes(1, &series.bytes);
    (field.bytes, count)
}

/// A query's result of series that [`sample_series`] has written, as a field of the answer.
pub fn query_result<'a>(series: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let result = series.fold(Vec::new(), |mut result, series| {
        result.extend_from_slice(series);
        result
    });
    let mut field = Message::default();
    field.bytes(1, &result);
    field.bytes
}

/// The results of all queries as a body, which Snappy's block format makes smaller; `None` if they are more than that format can
/// hold, 4 GiB.
pub fn read_response(results: &[u8]) -> Option<Vec<u8>> {
    snap::raw::Encoder::new().compress_vec(results).ok()
}

/// The fields of a message, as they are written. Numbers that are zero are left out, as in proto3.
#[derive(Clone, Debug, Default)]
struct Message {
    bytes: Vec<u8>,
}

impl Message {
    fn bytes(&mut self, tag: u32, bytes: &[u8]) {
        encode_key(tag, WireType::LengthDelimited, &mut self.bytes);
        encode_varint(bytes.len() as u64, &mut self.bytes);
        self.bytes.extend_from_slice(bytes);
    }

    fn text(&mut self, tag: u32, text: &str) {
        if !text.is_empty() {
            self.bytes(tag, text.as_bytes());
        }
    }

    fn uint(&mut self, tag: u32, number: u64) {
        if number != 0 {
            self.always_uint(tag, number);
        }
    }

    fn always_uint(&mut self, tag: u32, number: u64) {
        encode_key(tag, WireType::Varint, &mut self.bytes);
        encode_varint(number, &mut self.bytes);
    }

    fn sint(&mut self, tag: u32, number: i64) {
        self.uint(tag, zigzag(number));
    }

    fn double(&mut self, tag: u32, value: f64) {
        if value.to_bits() != 0 {
            self.always_double(tag, value);
        }
    }

    fn always_double(&mut self, tag: u32, value: f64) {
        encode_key(tag, WireType::SixtyFourBit, &mut self.bytes);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    fn doubles(&mut self, tag: u32, values: &[f64]) {
        if !values.is_empty() {
            let packed: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            self.bytes(tag, &packed);
        }
    }

    fn sints(&mut self, tag: u32, numbers: impl Iterator<Item = i64>) {
        let mut packed = Vec::new();
        numbers.for_each(|number| encode_varint(zigzag(number), &mut packed));
        if !packed.is_empty() {
            self.bytes(tag, &packed);
        }
    }
}

fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

fn label_fields(labels: &Labels) -> Message {
    let mut fields = Message::default();
    for label in labels {
        let mut message = Message::default();
        message.text(1, &label.name);
        message.text(2, &label.value);
        fields.bytes(1, &message.bytes);
    }
    fields
}

fn chunk_message(run: &Run) -> Message {
    let mut message = Message::default();
    let [first, last] = [run.times_ms.first(), run.times_ms.last()].map(|at_ms| at_ms.copied().unwrap_or(0));
    message.uint(1, first.cast_unsigned());
    message.uint(2, last.cast_unsigned());
    message.uint(3, run.kind.encoding());
    message.bytes(4, &chunk::bytes(run));
    message
}

fn histogram_message(run: &Run, index: usize) -> Message {
    let (at_ms, histogram) = (run.times_ms[index], &*run.histograms[index]);
    // of a stale marker only its sum is told
    let marker = is_stale(histogram).then(|| Histogram { sum: histogram.sum, ..Histogram::default() });
    let histogram = marker.as_ref().unwrap_or(histogram);
    let (positive, negative) = match &marker {
        Some(_) => (&[][..], &[][..]),
        None => (&*run.layout.positive, &*run.layout.negative),
    };
    let [positive_counts, negative_counts] = match &marker {
        Some(_) => Default::default(),
        None => run.layout.counts(histogram),
    };
    let is_whole = run.kind == Kind::Histograms;
    let mut message = Message::default();
    // counts are written even if they are zero: they tell whole numbers from others
    match is_whole {
        true => message.always_uint(1, histogram.count as u64),
        false => message.always_double(2, histogram.count),
    }
    message.double(3, histogram.sum);
    message.sint(4, histogram.schema.into());
    message.double(5, histogram.zero_threshold);
    match is_whole {
        true => message.always_uint(6, histogram.zero_count as u64),
        false => message.always_double(7, histogram.zero_count),
    }
    for (tag, spans, counts) in [(8, negative, &negative_counts), (11, positive, &positive_counts)] {
        spans.iter().for_each(|span| message.bytes(tag, &span_message(span).bytes));
        match is_whole {
            true => message.sints(tag + 1, chunk::deltas(counts)),
            false => message.doubles(tag + 2, counts),
        }
    }
    let reset = match marker {
        Some(_) => CounterReset::Unknown,
        None => run.reset_before(index),
    };
    message.uint(
        14,
        match reset {
            CounterReset::Unknown => 0,
            CounterReset::Reset => 1,
            CounterReset::NotReset => 2,
            CounterReset::Gauge => 3,
        },
    );
    message.uint(15, at_ms.cast_unsigned());
    message.doubles(16, &histogram.custom_bounds);
    message
}

fn span_message(span: &Span) -> Message {
    let mut message = Message::default();
    message.sint(1, span.offset.into());
    message.uint(2, span.length.into());
    message
}
