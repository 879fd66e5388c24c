//! Compares what the engine gives with what the oracle gives.

use query::Value;

use crate::{Native, Row, Sample};

/// How far apart two numbers may be, as a share of the larger.
const TOLERANCE: f64 = 1e-9;
/// What is nearer to zero than this is zero beside numbers of the size that these data have.
const NOTHING: f64 = 1e-9;

/// A result of the engine as rows, sorted by labels; a scalar is a series without labels.
pub fn rows(value: &Value) -> Vec<Row> {
    let sample = |value: &model::Value| match value {
        model::Value::Float(value) => Sample::Float(*value),
        model::Value::Histogram(histogram) => Sample::Histogram(Native::from(&**histogram)),
    };
    let mut rows: Vec<Row> = match value {
        Value::Scalar { at_ms, value } => {
            vec![(model::Labels::empty(), vec![(*at_ms, Sample::Float(*value))])]
        }
        Value::Vector(samples) => samples
            .iter()
            .map(|element| (element.labels.clone(), vec![(element.at_ms, sample(&element.value))]))
            .collect(),
        Value::Matrix(all) => {
            let points = |series: &query::MatrixSeries| {
                let floats = series.floats.iter().map(|(at_ms, value)| (*at_ms, Sample::Float(*value)));
                let histograms = series
                    .histograms
                    .iter()
                    .map(|(at_ms, histogram)| (*at_ms, Sample::Histogram(Native::from(&**histogram))));
                let mut points: Vec<(i64, Sample)> = floats.chain(histograms).collect();
                points.sort_by_key(|(at_ms, _)| *at_ms);
                points
            };
            all.iter().map(|series| (series.labels.clone(), points(series))).collect()
        }
        Value::String { .. } => Vec::new(),
    };
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    rows
}

/// The first difference between two results that are sorted by labels.
pub fn difference(engine: &[Row], oracle: &[Row]) -> Option<String> {
    for (labels, _) in engine {
        if oracle.iter().all(|(other, _)| other != labels) {
            return Some(format!("only the engine has {labels}"));
        }
    }
    for (labels, points) in oracle {
        let Some((_, found)) = engine.iter().find(|(other, _)| other == labels) else {
            return Some(format!("only the oracle has {labels}"));
        };
        let times = |points: &[(i64, Sample)]| points.iter().map(|(time, _)| *time).collect::<Vec<_>>();
        if times(found) != times(points) {
            return Some(format!("{labels}: engine at {:?}, oracle at {:?}", times(found), times(points)));
        }
        for ((time, found), (_, expected)) in found.iter().zip(points) {
            let different = match (found, expected) {
                (Sample::Float(found), Sample::Float(expected)) => {
                    (!same(*found, *expected)).then(String::new)
                }
                (Sample::Histogram(found), Sample::Histogram(expected)) => found.difference(expected, same),
                _ => Some("one is a number".to_owned()),
            };
            if let Some(what) = different {
                return Some(format!("{labels} at {time} ms: {what}: engine {found:?}, oracle {expected:?}"));
            }
        }
    }
    (engine.len() != oracle.len()).then(|| "a series twice".to_owned())
}

#[expect(clippy::float_cmp, reason = "equal numbers are equal")]
fn same(a: f64, b: f64) -> bool {
    a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()) + NOTHING
}
