//! Whether an expression gives what it should.

use alert::QueryValue;
use model::{Labels, Value};
use query::syntax::{SeriesItem, format_duration_ms, parse_metric, parse_series};

use crate::alerts::braces;
use crate::file::{ExpectedSample, ExpressionTest};
use crate::histogram;

/// What is wrong with an answer, in promtool's words; nothing if it is as expected.
pub(crate) fn difference(
    test: &ExpressionTest,
    answer: Result<QueryValue, String>,
    fuzzy: bool,
) -> Option<String> {
    let head =
        format!("    expr: {}, time: {},", model::quote::quoted(&test.expr), format_duration_ms(test.at_ms));
    let fails = |reason: &str| Some(format!("{head} err: {reason}"));
    let mut got = match answer {
        Ok(QueryValue::Vector(samples)) => samples.into_iter().map(Sample::from).collect(),
        Ok(QueryValue::Scalar(value)) => vec![Sample::from((Labels::empty(), Value::Float(value)))],
        Ok(QueryValue::String(_) | QueryValue::Matrix) => {
            return fails("rule result is not a vector or scalar");
        }
        Err(reason) => return fails(&reason),
    };
    let expected: Result<Vec<Sample>, String> = test.expected.iter().map(Sample::expected).collect();
    let mut expected = match expected {
        Ok(expected) => expected,
        Err(reason) => return fails(&reason),
    };
    expected.sort_by(|a, b| a.labels.cmp(&b.labels));
    got.sort_by(|a, b| a.labels.cmp(&b.labels));
    let equal = expected.len() == got.len() && expected.iter().zip(&got).all(|(a, b)| a.equals(b, fuzzy));
    (!equal).then(|| format!("{head}\n        exp: {}\n        got: {}", list(&expected), list(&got)))
}

/// A sample as it is compared and shown.
struct Sample {
    labels: Labels,
    value: f64,
    /// In the notation of series; empty for a float.
    histogram: String,
}

impl From<(Labels, Value)> for Sample {
    fn from((labels, value): (Labels, Value)) -> Self {
        match value {
            Value::Float(value) => Self { labels, value, histogram: String::new() },
            Value::Histogram(histogram) => {
                Self { labels, value: 0.0, histogram: histogram::notation(&histogram) }
            }
        }
    }
}

impl Sample {
    fn expected(sample: &ExpectedSample) -> Result<Self, String> {
        let wrong = |reason: String| format!("labels {}: {reason}", model::quote::quoted(&sample.labels));
        let labels = if sample.labels.is_empty() {
            Labels::empty()
        } else {
            parse_metric(&sample.labels).map_err(|error| wrong(error.to_string()))?
        };
        let mut histogram = String::new();
        if !sample.histogram.is_empty() {
            let parsed = parse_series(&format!("{{}} {}", sample.histogram));
            let items = parsed.map_err(|error| wrong(error.to_string()))?.items;
            histogram = match items.as_slice() {
                [SeriesItem::Histogram { value, .. }] => histogram::notation(value),
                [SeriesItem::Gap] => return Err(wrong("expected histogram, got _".to_owned())),
                [SeriesItem::Float(value)] => {
                    return Err(wrong(format!("expected histogram, got {value:.6}")));
                }
                items => return Err(wrong(format!("expected 1 value, got {}", items.len()))),
            };
        }
        Ok(Self { labels, value: sample.value, histogram })
    }

    fn equals(&self, other: &Self, fuzzy: bool) -> bool {
        self.labels == other.labels
            && self.histogram == other.histogram
            && same(self.value, other.value, fuzzy)
    }
}

/// With `fuzzy`, numbers that are neighbours count as one. NaN is not even what itself is, as in promtool.
#[expect(clippy::float_cmp, reason = "equal numbers are equal")]
fn same(a: f64, b: f64, fuzzy: bool) -> bool {
    a == b || fuzzy && (a.next_up() == b || a.next_down() == b)
}

fn list(samples: &[Sample]) -> String {
    if samples.is_empty() {
        return "nil".to_owned();
    }
    let shown = samples.iter().map(|sample| match sample.histogram.as_str() {
        "" => format!("{} {}", braces(&sample.labels), exponential(sample.value)),
        histogram => format!("{} {histogram}", braces(&sample.labels)),
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// Go's `strconv.FormatFloat(v, 'E', -1, 64)`.
fn exponential(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let shown = format!("{value:E}");
    let (digits, exponent) = shown.split_once('E').unwrap_or((&shown, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}E{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_an_exponent() {
        let check = |value: f64, expect: &str| assert_eq!(exponential(value), expect);
        check(0.0, "0E+00");
        check(-1.5, "-1.5E+00");
        check(1_234_567.0, "1.234567E+06");
        check(1e-7, "1E-07");
        check(1e300, "1E+300");
        check(f64::NEG_INFINITY, "-Inf");
    }

    #[test]
    fn neighbours_are_the_same_if_allowed() {
        assert!(same(0.3, 0.1 + 0.2, true));
        assert!(!same(0.3, 0.1 + 0.2, false));
        assert!(!same(0.3, 0.300_000_000_1, true));
        assert!(!same(f64::NAN, f64::NAN, false));
    }
}
