//! Values as JSON, written as Prometheus writes them: times as numbers with at most three decimals, values as texts.

use model::{Histogram, Labels, Value as Sample};

use crate::value::{MatrixSeries, Value, VectorSample};

pub(super) fn string(out: &mut String, text: &str) {
    out.push('"');
    if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        out.push_str(text);
        out.push('"');
        return;
    }
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if u32::from(control) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
}

/// The fields of an object.
pub(super) struct Fields<'o> {
    out: &'o mut String,
    is_first: bool,
}

impl<'o> Fields<'o> {
    /// Writes an object.
    pub(super) fn object(out: &'o mut String, write: impl FnOnce(&mut Fields<'o>)) {
        out.push('{');
        let mut fields = Self { out, is_first: true };
        write(&mut fields);
        fields.out.push('}');
    }

    /// Further fields of an object that has some and is not closed.
    pub(super) fn continued(out: &'o mut String) -> Self {
        Self { out, is_first: false }
    }

    /// Begins a field; what is written next is its value.
    pub(super) fn field(&mut self, name: &str) -> &mut String {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(',');
        }
        string(self.out, name);
        self.out.push(':');
        self.out
    }
}

pub(super) fn list<T>(
    out: &mut String,
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    out.push('[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

pub(super) fn labels(out: &mut String, labels: &Labels) {
    Fields::object(out, |fields| {
        for label in labels {
            string(fields.field(&label.name), &label.value);
        }
    });
}

/// A time in seconds.
pub(super) fn time(out: &mut String, at_ms: i64) {
    if at_ms < 0 {
        out.push('-');
    }
    let ms = at_ms.unsigned_abs();
    whole(out, ms / 1_000);
    let rest = ms % 1_000;
    if rest > 0 {
        let digits = [b'.', digit(rest / 100), digit(rest / 10 % 10), digit(rest % 10)];
        out.push_str(std::str::from_utf8(&digits).unwrap_or_default());
    }
}

/// A whole number: times are half of an answer's bytes.
fn whole(out: &mut String, number: u64) {
    let mut digits = [b'0'; 20];
    let (mut first, mut rest) = (digits.len(), number);
    loop {
        first -= 1;
        digits[first] = digit(rest % 10);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.push_str(std::str::from_utf8(&digits[first..]).unwrap_or_default());
}

#[expect(clippy::cast_possible_truncation, reason = "less than 10")]
fn digit(number: u64) -> u8 {
    b'0' + number as u8
}

fn point(out: &mut String, at_ms: i64, value: f64) {
    out.push('[');
    time(out, at_ms);
    out.push_str(",\"");
    model::float::write_api(out, value);
    out.push_str("\"]");
}

/// About how long the `data` of an answer are.
fn expected_bytes(value: &Value) -> usize {
    const HEAD_BYTES: usize = 64;
    const POINT_BYTES: usize = 32;
    let of_labels = |labels: &Labels| -> usize {
        labels.iter().map(|label| label.name.len() + label.value.len() + 6).sum::<usize>() + HEAD_BYTES
    };
    HEAD_BYTES
        + match value {
            Value::Scalar { .. } => POINT_BYTES,
            Value::String { value, .. } => value.len() + POINT_BYTES,
            Value::Vector(samples) => {
                samples.iter().map(|sample| of_labels(&sample.labels) + POINT_BYTES).sum()
            }
            Value::Matrix(series) => {
                let of_one = |one: &MatrixSeries| of_labels(&one.labels) + one.floats.len() * POINT_BYTES;
                series.iter().map(of_one).sum()
            }
        }
}

/// The `data` of a query's answer.
pub(super) fn query_data(value: &Value) -> String {
    // a text that grows is copied again and again
    let mut out = String::with_capacity(expected_bytes(value));
    out.push_str("{\"resultType\":\"");
    out.push_str(value.value_type().as_str());
    out.push_str("\",\"result\":");
    match value {
        Value::Scalar { at_ms, value } => point(&mut out, *at_ms, *value),
        Value::String { at_ms, value } => {
            out.push('[');
            time(&mut out, *at_ms);
            out.push(',');
            string(&mut out, value);
            out.push(']');
        }
        Value::Vector(samples) => {
            list(&mut out, samples.iter(), vector_sample);
        }
        Value::Matrix(series) => {
            list(&mut out, series.iter(), matrix_series);
        }
    }
    out.push('}');
    out
}

fn vector_sample(out: &mut String, sample: &VectorSample) {
    out.push_str("{\"metric\":");
    labels(out, &sample.labels);
    match &sample.value {
        Sample::Float(value) => {
            out.push_str(",\"value\":");
            point(out, sample.at_ms, *value);
        }
        Sample::Histogram(histogram) => {
            out.push_str(",\"histogram\":");
            histogram_point(out, sample.at_ms, histogram);
        }
    }
    out.push('}');
}

fn matrix_series(out: &mut String, series: &MatrixSeries) {
    out.push_str("{\"metric\":");
    labels(out, &series.labels);
    if !series.floats.is_empty() || series.histograms.is_empty() {
        out.push_str(",\"values\":");
        list(out, series.floats.iter(), |out, (at_ms, value)| point(out, *at_ms, *value));
    }
    if !series.histograms.is_empty() {
        out.push_str(",\"histograms\":");
        list(out, series.histograms.iter(), |out, (at_ms, value)| histogram_point(out, *at_ms, value));
    }
    out.push('}');
}

fn histogram_point(out: &mut String, at_ms: i64, histogram: &Histogram) {
    let text = |value: f64| format!("\"{}\"", model::float::api(value));
    out.push('[');
    time(out, at_ms);
    out.push_str(&format!(",{{\"count\":{},\"sum\":{}", text(histogram.count), text(histogram.sum)));
    let buckets = histogram.buckets();
    if !buckets.is_empty() {
        out.push_str(",\"buckets\":");
        list(out, buckets.iter(), |out, bucket| {
            // which of its bounds belong to the bucket
            let rule = match (bucket.lower_inclusive, bucket.upper_inclusive) {
                (false, true) => 0,
                (true, false) => 1,
                (false, false) => 2,
                (true, true) => 3,
            };
            let (lower, upper, count) = (text(bucket.lower), text(bucket.upper), text(bucket.count));
            out.push_str(&format!("[{rule},{lower},{upper},{count}]"));
        });
    }
    out.push_str("}]");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_decimals_or_none() {
        let check = |at_ms: i64, expect: &str| {
            let mut out = String::new();
            time(&mut out, at_ms);
            assert_eq!(out, expect);
        };
        check(1_435_781_430_781, "1435781430.781");
        check(1_435_781_430_000, "1435781430");
        check(1_435_781_430_010, "1435781430.010");
        check(-1_500, "-1.500");
        check(-1, "-0.001");
        check(0, "0");
        check(i64::MAX, "9223372036854775.807");
    }

    #[test]
    fn histograms_list_their_buckets() {
        let histogram = Histogram {
            count: 3.0,
            sum: 1.5,
            zero_threshold: 0.5,
            zero_count: 1.0,
            positive_spans: vec![model::Span { offset: 1, length: 1 }],
            positive_counts: vec![2.0],
            ..Histogram::default()
        };
        let mut out = String::new();
        histogram_point(&mut out, 1_000, &histogram);
        let expect = r#"[1,{"count":"3","sum":"1.5","buckets":[[3,"-0.5","0.5","1"],[0,"1","2","2"]]}]"#;
        assert_eq!(out, expect);
    }

    #[test]
    fn texts_are_escaped() {
        let mut out = String::new();
        string(&mut out, "a\"\\\n\u{1}é");
        assert_eq!(out, "\"a\\\"\\\\\\n\\u0001é\"");
    }
}
