//! Remote write requests, as senders build them.

use std::collections::HashMap;

use crate::protobuf::Message;

/// The `Content-Type` of 1.0.
pub const V1: &str = "application/x-protobuf";
/// The `Content-Type` of 2.0.
pub const V2: &str = "application/x-protobuf;proto=io.prometheus.write.v2.Request";

/// A `Sample` of either version, without a start time.
pub fn sample(at_ms: i64, value: f64) -> Message {
    Message::new().double(1, value).int(2, at_ms)
}

/// A `Histogram` of whole numbers: schema 0, bounds 0.5, 1 and 2 (`counts` in them), one zero.
pub fn histogram(at_ms: i64, counts: [i64; 2], sum: f64) -> Message {
    let [first, second] = counts;
    Message::new()
        .int(1, first + second + 1)
        .double(3, sum)
        .sint(4, 0)
        .double(5, 0.001)
        .varint(6, 1)
        .message(11, Message::new().sint(1, 0).varint(2, 2))
        .sints(12, [first, second - first])
        .int(15, at_ms)
}

/// A `Histogram` with custom bounds 1 and 5, and `counts` below them and above.
pub fn custom_histogram(at_ms: i64, counts: [i64; 3], sum: f64) -> Message {
    Message::new()
        .int(1, counts.iter().sum())
        .double(3, sum)
        .sint(4, -53)
        .message(11, Message::new().sint(1, 0).varint(2, 3))
        .sints(12, [counts[0], counts[1] - counts[0], counts[2] - counts[1]])
        .int(15, at_ms)
        .doubles(16, [1.0, 5.0])
}

/// A `TimeSeries` of 1.0.
pub fn series_v1(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> Message {
    let label = |(name, value): &(&str, &str)| Message::new().bytes(1, name).bytes(2, value);
    let series = labels.iter().fold(Message::new(), |series, pair| series.message(1, label(pair)));
    samples.iter().fold(series, |series, (at_ms, value)| series.message(2, sample(*at_ms, *value)))
}

/// A `WriteRequest` of 1.0.
pub fn request_v1(series: impl IntoIterator<Item = Message>) -> Vec<u8> {
    series.into_iter().fold(Message::new(), |request, series| request.message(1, series)).into_bytes()
}

/// Builds a request of 2.0: its symbols and its series.
#[derive(Debug)]
pub struct RequestV2 {
    symbols: Vec<String>,
    known: HashMap<String, u64>,
    series: Vec<Message>,
}

impl Default for RequestV2 {
    fn default() -> Self {
        let (symbols, known) = (vec![String::new()], HashMap::from([(String::new(), 0)]));
        Self { symbols, known, series: Vec::new() }
    }
}

impl RequestV2 {
    /// The reference of a symbol.
    pub fn symbol(&mut self, text: &str) -> u64 {
        if let Some(reference) = self.known.get(text) {
            return *reference;
        }
        let reference = self.symbols.len() as u64;
        self.symbols.push(text.to_owned());
        self.known.insert(text.to_owned(), reference);
        reference
    }

    /// Packed references of labels, as they stand in series and exemplars.
    pub fn labels(&mut self, labels: &[(&str, &str)]) -> Message {
        let references: Vec<u64> =
            labels.iter().flat_map(|(name, value)| [self.symbol(name), self.symbol(value)]).collect();
        Message::new().varints(1, references)
    }

    /// Adds a series that holds, beside its labels, what `fill` adds.
    #[must_use]
    pub fn series(mut self, labels: &[(&str, &str)], fill: impl FnOnce(Message) -> Message) -> Self {
        let series = self.labels(labels);
        self.series.push(fill(series));
        self
    }

    /// Adds a series of floats.
    #[must_use]
    pub fn floats(self, labels: &[(&str, &str)], samples: &[(i64, f64)]) -> Self {
        self.series(labels, |series| {
            samples.iter().fold(series, |series, (at_ms, value)| series.message(2, sample(*at_ms, *value)))
        })
    }

    /// Adds a series as it is.
    #[must_use]
    pub fn raw(mut self, series: Message) -> Self {
        self.series.push(series);
        self
    }

    /// The request's bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        let request = self.symbols.iter().fold(Message::new(), |request, symbol| request.bytes(4, symbol));
        self.series.into_iter().fold(request, |request, series| request.message(5, series)).into_bytes()
    }
}
