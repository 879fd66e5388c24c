//! Compares a result with what a script expects.

use std::fmt;

use model::{Histogram, Labels, is_stale_nan};
use query::syntax::{SeriesDescription, SeriesItem};
use query::{MatrixSeries, Value, VectorSample};

use crate::script::{Eval, ExpectedValue, Times};

/// What should have come and what came instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// What the script expects.
    pub expected: String,
    /// What there is.
    pub got: String,
}

impl Mismatch {
    pub(crate) fn new(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { expected: expected.into(), got: got.into() }
    }
}

type Result = std::result::Result<(), Mismatch>;

/// A point that is expected, or was found.
#[derive(Clone)]
enum Point {
    Float(f64),
    Histogram { value: Box<Histogram>, states_reset: bool },
}

impl Point {
    fn found(value: &model::Value) -> Self {
        match value {
            model::Value::Float(value) => Self::Float(*value),
            model::Value::Histogram(histogram) => Self::found_histogram(histogram),
        }
    }

    fn found_histogram(histogram: &Histogram) -> Self {
        Self::Histogram { value: Box::new(histogram.clone()), states_reset: false }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Float(value) if is_stale_nan(*value) => f.write_str("stale"),
            Self::Float(value) => f.write_str(&model::float::shortest(*value)),
            Self::Histogram { value, .. } => {
                write!(f, "{value} schema:{} reset:{:?}", value.schema, value.counter_reset)
            }
        }
    }
}

/// Series with a point, or none, per time.
type Rows = Vec<(Labels, Vec<Option<Point>>)>;

/// Whether the value is the expected one.
pub(crate) fn value(eval: &Eval, value: &Value) -> Result {
    match (&eval.value, value) {
        (ExpectedValue::String(expected), Value::String { value, .. }) if expected == value => Ok(()),
        (ExpectedValue::String(expected), found) => {
            Err(Mismatch::new(format!("the string {expected:?}"), described(found)))
        }
        (ExpectedValue::Scalar(expected), Value::Scalar { value, .. }) if almost_equal(*expected, *value) => {
            Ok(())
        }
        (ExpectedValue::Scalar(expected), found) => {
            Err(Mismatch::new(format!("the scalar {expected}"), described(found)))
        }
        (ExpectedValue::Series(expected), Value::Vector(samples)) => {
            let Times::At(at_ms) = eval.times else {
                return Err(Mismatch::new("a range vector", described(value)));
            };
            let found =
                samples.iter().map(|sample| (sample.labels.clone(), vec![Some(Point::found(&sample.value))]));
            let grid = Grid { start_ms: at_ms, step_ms: 0, count: 1 };
            rows(eval, wanted(expected, grid)?, found.collect(), grid)
        }
        (ExpectedValue::Series(expected), Value::Matrix(all)) => matrix(eval, expected, all),
        (ExpectedValue::Series(_), found) => Err(Mismatch::new("series", described(found))),
    }
}

/// A value in few words.
fn described(value: &Value) -> String {
    match value {
        Value::Scalar { value, .. } => format!("the scalar {}", model::float::shortest(*value)),
        Value::String { value, .. } => format!("the string {value:?}"),
        Value::Vector(samples) => {
            let rows = samples
                .iter()
                .map(|VectorSample { labels, value, .. }| format!("{labels} {}", Point::found(value)));
            format!("a vector of {}: {}", samples.len(), rows.take(3).collect::<Vec<_>>().join(", "))
        }
        Value::Matrix(all) => format!("a range vector of {} series", all.len()),
    }
}

/// The times of a result.
#[derive(Clone, Copy)]
struct Grid {
    start_ms: i64,
    step_ms: i64,
    count: usize,
}

impl Grid {
    #[expect(clippy::cast_precision_loss, reason = "for the eye")]
    fn at(self, index: usize) -> String {
        let ms = self.start_ms as f64 + self.step_ms as f64 * index as f64;
        format!("at {} s", ms / 1_000.0)
    }
}

fn matrix(eval: &Eval, expected: &[SeriesDescription], all: &[MatrixSeries]) -> Result {
    let times = eval.range_vector.unwrap_or(eval.times);
    let Times::Range { start, end, step } = times else {
        return Err(Mismatch::new("an instant vector", "a range vector"));
    };
    let count =
        usize::try_from((end - start) / step).map_err(|_| Mismatch::new("fewer times", "too many"))? + 1;
    let grid = Grid { start_ms: start, step_ms: step, count };
    let mut found = Vec::new();
    for one in all {
        let mut points = vec![None; count];
        let floats = one.floats.iter().map(|(at, value)| (*at, Point::Float(*value)));
        let histograms = one.histograms.iter().map(|(at, value)| (*at, Point::found_histogram(value)));
        for (at, point) in floats.chain(histograms) {
            let on_grid = (at - start) % step == 0;
            let index = usize::try_from((at - start) / step).ok().filter(|index| on_grid && *index < count);
            let Some(index) = index else {
                return Err(Mismatch::new(
                    "no point between the times",
                    format!("{} {point} at {at} ms", one.labels),
                ));
            };
            points[index] = Some(point);
        }
        found.push((one.labels.clone(), points));
    }
    in_order(all)?;
    rows(eval, wanted(expected, grid)?, found, grid)
}

/// The series of a range query stand in the order of their labels.
pub(crate) fn in_order(all: &[MatrixSeries]) -> Result {
    match all.windows(2).find(|pair| pair[0].labels > pair[1].labels) {
        Some(pair) => Err(Mismatch::new(
            "series sorted by labels",
            format!("{} before {}", pair[0].labels, pair[1].labels),
        )),
        None => Ok(()),
    }
}

/// What is expected, one point per time.
fn wanted(expected: &[SeriesDescription], grid: Grid) -> std::result::Result<Rows, Mismatch> {
    let mut rows = Vec::new();
    for description in expected {
        let mut points: Vec<Option<Point>> = description
            .items
            .iter()
            .map(|item| match item {
                SeriesItem::Gap => None,
                SeriesItem::Float(value) => Some(Point::Float(*value)),
                SeriesItem::Histogram { value, states_reset } => {
                    Some(Point::Histogram { value: Box::new((**value).clone()), states_reset: *states_reset })
                }
            })
            .collect();
        if points.len() > grid.count {
            let text = format!("{} with {} values", description.labels, points.len());
            return Err(Mismatch::new(text, format!("{} times", grid.count)));
        }
        points.resize_with(grid.count, || None);
        if points.iter().any(Option::is_some) {
            rows.push((description.labels.clone(), points));
        }
    }
    Ok(rows)
}

fn rows(eval: &Eval, mut expected: Rows, mut found: Rows, grid: Grid) -> Result {
    if !eval.ordered {
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        found.sort_by(|a, b| a.0.cmp(&b.0));
    }
    let missing = expected.iter().find(|(labels, _)| found.iter().all(|(found, _)| found != labels));
    let extra = found.iter().find(|(labels, _)| expected.iter().all(|(expected, _)| expected != labels));
    match (missing, extra) {
        (None, None) => {}
        (missing, extra) => return Err(Mismatch::new(row(missing), row(extra))),
    }
    if expected.len() != found.len() {
        return Err(Mismatch::new(format!("{} series", expected.len()), format!("{} series", found.len())));
    }
    for ((labels, points), (found_labels, found_points)) in expected.iter().zip(&found) {
        if labels != found_labels {
            return Err(Mismatch::new(format!("{labels} in this place"), found_labels.to_string()));
        }
        for (place, (expected, found)) in points.iter().zip(found_points).enumerate() {
            if !same(expected.as_ref(), found.as_ref()) {
                let described = |point: Option<&Point>| match point {
                    Some(point) => format!("{labels} {point} {}", grid.at(place)),
                    None => format!("{labels} without a value {}", grid.at(place)),
                };
                return Err(Mismatch::new(described(expected.as_ref()), described(found.as_ref())));
            }
        }
    }
    Ok(())
}

fn row(row: Option<&(Labels, Vec<Option<Point>>)>) -> String {
    let Some((labels, points)) = row else { return "no such series".to_owned() };
    let shown = points.iter().map(|point| point.as_ref().map_or("_".to_owned(), ToString::to_string));
    format!("{labels} {}", shown.take(10).collect::<Vec<_>>().join(" "))
}

fn same(expected: Option<&Point>, found: Option<&Point>) -> bool {
    match (expected, found) {
        (None, None) => true,
        (Some(Point::Float(expected)), Some(Point::Float(found))) => almost_equal(*expected, *found),
        (
            Some(Point::Histogram { value: expected, states_reset }),
            Some(Point::Histogram { value: found, .. }),
        ) => {
            (!states_reset || expected.counter_reset == found.counter_reset)
                && same_histograms(expected, found)
        }
        _ => false,
    }
}

/// Layouts are compared exactly, numbers with tolerance.
fn same_histograms(expected: &Histogram, found: &Histogram) -> bool {
    let (a, b) = (expected.compacted(), found.compacted());
    let all = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| almost_equal(*a, *b));
    a.schema == b.schema
        && a.custom_bounds == b.custom_bounds
        && a.positive_spans == b.positive_spans
        && a.negative_spans == b.negative_spans
        && all(&[a.zero_threshold], &[b.zero_threshold])
        && all(&[a.count, a.sum, a.zero_count], &[b.count, b.sum, b.zero_count])
        && all(&a.positive_counts, &b.positive_counts)
        && all(&a.negative_counts, &b.negative_counts)
}

/// How far apart two numbers may be, as a share of them.
const TOLERANCE: f64 = 1e-6;

#[expect(clippy::float_cmp, reason = "equal numbers are equal")]
fn almost_equal(a: f64, b: f64) -> bool {
    if is_stale_nan(a) || is_stale_nan(b) {
        return is_stale_nan(a) == is_stale_nan(b);
    }
    if a.is_nan() && b.is_nan() || a == b {
        return true;
    }
    let distance = (a - b).abs();
    let sum = a.abs() + b.abs();
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return distance < TOLERANCE * f64::MIN_POSITIVE;
    }
    distance / sum.min(f64::MAX) < TOLERANCE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_equal_within_a_share_of_them() {
        let check = |a: f64, b: f64, expect: bool| assert_eq!(almost_equal(a, b), expect, "{a} {b}");
        check(1.0, 1.000_000_1, true);
        check(1.0, 1.000_01, false);
        check(0.0, 1e-300, false);
        check(f64::NAN, f64::NAN, true);
        check(f64::NAN, 1.0, false);
        check(f64::NAN, model::stale_nan(), false);
        check(model::stale_nan(), model::stale_nan(), true);
        check(f64::INFINITY, f64::INFINITY, true);
        check(f64::INFINITY, f64::NEG_INFINITY, false);
        check(f64::INFINITY, 1.0, false);
        check(f64::MAX, f64::MAX / 2.0, false);
        check(-1.0, 1.0, false);
    }
}
