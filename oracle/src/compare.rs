//! Compares what the engine gives with what the oracle gives.

use query::Value;

use crate::Row;

/// How far apart two numbers may be, as a share of the larger.
const TOLERANCE: f64 = 1e-9;
/// What is nearer to zero than this is zero beside numbers of the size that these data have.
const NOTHING: f64 = 1e-9;

/// A result of the engine as rows, sorted by labels; a scalar is a series without labels.
pub fn rows(value: &Value) -> Vec<Row> {
    let float = |value: &model::Value| match value {
        model::Value::Float(value) => *value,
        model::Value::Histogram(_) => f64::NAN,
    };
    let mut rows: Vec<Row> = match value {
        Value::Scalar { at_ms, value } => vec![(model::Labels::empty(), vec![(*at_ms, *value)])],
        Value::Vector(samples) => samples
            .iter()
            .map(|sample| (sample.labels.clone(), vec![(sample.at_ms, float(&sample.value))]))
            .collect(),
        Value::Matrix(all) => {
            all.iter().map(|series| (series.labels.clone(), series.floats.clone())).collect()
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
        let times = |points: &[(i64, f64)]| points.iter().map(|(time, _)| *time).collect::<Vec<_>>();
        if times(found) != times(points) {
            return Some(format!("{labels}: engine at {:?}, oracle at {:?}", times(found), times(points)));
        }
        for ((time, found), (_, expected)) in found.iter().zip(points) {
            if !same(*found, *expected) {
                return Some(format!("{labels} at {time} ms: engine {found:?}, oracle {expected:?}"));
            }
        }
    }
    (engine.len() != oracle.len()).then(|| "a series twice".to_owned())
}

#[expect(clippy::float_cmp, reason = "equal numbers are equal")]
fn same(a: f64, b: f64) -> bool {
    a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()) + NOTHING
}
