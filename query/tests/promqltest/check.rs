//! Compares a result with what a script expects.

use mayfly_query::syntax::{SeriesItem, parse_series};
use mayfly_query::{MatrixSeries, Value};
use model::{Histogram, Labels, is_stale_nan};

use super::script::{Eval, Times};

/// A point that is expected, or was found.
#[derive(Clone, Debug)]
enum Point {
    Float(f64),
    Histogram { value: Box<Histogram>, states_reset: bool },
}

impl Point {
    fn found(histogram: &Histogram) -> Self {
        Self::Histogram { value: Box::new(histogram.clone()), states_reset: false }
    }
}

/// Whether the value is the expected one.
pub(crate) fn value(eval: &Eval, value: &Value) -> Result<(), String> {
    if let Some(expected) = &eval.string {
        return match value {
            Value::String { value, .. } if value == expected => Ok(()),
            other => Err(format!("expected string {expected:?}, got {other:?}")),
        };
    }
    match value {
        Value::Scalar { value, .. } => scalar(eval, *value),
        Value::String { value, .. } => Err(format!("unexpected string {value:?}")),
        Value::Vector(samples) => {
            let found = samples.iter().map(|sample| {
                let point = match &sample.value {
                    model::Value::Float(value) => Point::Float(*value),
                    model::Value::Histogram(histogram) => Point::found(histogram),
                };
                (sample.labels.clone(), vec![Some(point)])
            });
            series(eval, found.collect(), 1)
        }
        Value::Matrix(all) => matrix(eval, all),
    }
}

fn scalar(eval: &Eval, found: f64) -> Result<(), String> {
    let [line] = eval.lines.as_slice() else { return Err(format!("unexpected scalar {found}")) };
    let expected = number(line).ok_or_else(|| format!("expected {line:?}, got scalar {found}"))?;
    if almost_equal(expected, found) {
        Ok(())
    } else {
        Err(format!("expected scalar {expected}, got {found}"))
    }
}

fn number(text: &str) -> Option<f64> {
    let expr = mayfly_query::syntax::parse(text, &mayfly_query::syntax::Options::stable()).ok()?;
    match expr.kind {
        mayfly_query::syntax::ExprKind::Number(number) => Some(number.value),
        _ => None,
    }
}

fn matrix(eval: &Eval, all: &[MatrixSeries]) -> Result<(), String> {
    let times = match (eval.range_vector, eval.times) {
        (Some(times), _) | (None, times) => times,
    };
    let Times::Range { start, end, step } = times else { return Err("unexpected range vector".to_owned()) };
    let count = usize::try_from((end - start) / step.max(1)).map_err(|error| error.to_string())? + 1;
    let mut found = Vec::new();
    for one in all {
        let mut points = vec![None; count];
        let floats = one.floats.iter().map(|(at, value)| (*at, Point::Float(*value)));
        let histograms = one.histograms.iter().map(|(at, value)| (*at, Point::found(value)));
        for (at, point) in floats.chain(histograms) {
            let on_grid = (at - start) % step == 0;
            let index = usize::try_from((at - start) / step).ok().filter(|index| on_grid && *index < count);
            let index =
                index.ok_or_else(|| format!("{} has a point at the unexpected time {at}", one.labels))?;
            points[index] = Some(point);
        }
        found.push((one.labels.clone(), points));
    }
    if !all.is_sorted_by(|a, b| a.labels <= b.labels) {
        return Err("the series are not sorted".to_owned());
    }
    series(eval, found, count)
}

fn series(eval: &Eval, mut found: Vec<(Labels, Vec<Option<Point>>)>, count: usize) -> Result<(), String> {
    let mut expected = Vec::new();
    for line in &eval.lines {
        let description = parse_series(line).map_err(|error| format!("{line:?}: {error}"))?;
        let mut points: Vec<Option<Point>> = description
            .items
            .into_iter()
            .map(|item| match item {
                SeriesItem::Gap => None,
                SeriesItem::Float(value) => Some(Point::Float(value)),
                SeriesItem::Histogram { value, states_reset } => {
                    Some(Point::Histogram { value: Box::new((*value).clone()), states_reset })
                }
            })
            .collect();
        if points.len() > count {
            return Err(format!("{line:?} has more values than the query has times"));
        }
        points.resize_with(count, || None);
        if points.iter().any(Option::is_some) {
            expected.push((description.labels, points));
        }
    }
    if !eval.ordered {
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        found.sort_by(|a, b| a.0.cmp(&b.0));
    }
    for (index, (labels, points)) in expected.iter().enumerate() {
        let Some((found_labels, found_points)) = found.get(index) else {
            return Err(format!("{labels} is missing"));
        };
        if labels != found_labels {
            return Err(format!("expected {labels}, got {found_labels}"));
        }
        for (place, (expected, found)) in points.iter().zip(found_points).enumerate() {
            if !same(expected.as_ref(), found.as_ref()) {
                return Err(format!("{labels} at {place}: expected {expected:?}, got {found:?}"));
            }
        }
    }
    match found.get(expected.len()) {
        Some((labels, points)) => Err(format!("unexpected {labels}: {:?}", points.first())),
        None => Ok(()),
    }
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
