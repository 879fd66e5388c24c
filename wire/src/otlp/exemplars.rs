//! Exemplars of data points.

use std::sync::Arc;

use model::EXEMPLAR_CHARS_MAX;

use super::attributes;
use super::message::{Common, Exemplar};
use crate::family;

/// Those of a data point that have a value. One without a time has that of its data point.
pub(super) fn of(common: &Common) -> Vec<family::Exemplar> {
    let of_point = common.exemplars.iter().filter_map(|exemplar| {
        let value = exemplar.as_double.or(exemplar.as_int.map(|value| value as f64))?;
        let nanos = if exemplar.time_unix_nano > 0 { exemplar.time_unix_nano } else { common.time_unix_nano };
        let timestamp_ms = Some((nanos / 1_000_000) as i64);
        Some(family::Exemplar { labels: labels(exemplar), value, timestamp_ms })
    });
    of_point.collect()
}

/// The ids, and the attributes as they are called, unless all of it together would be too long.
fn labels(exemplar: &Exemplar) -> Vec<(Arc<str>, Arc<str>)> {
    let ids = [("trace_id", &exemplar.trace_id), ("span_id", &exemplar.span_id)];
    let ids = ids.into_iter().filter(|(_, id)| id.bytes().any(|digit| digit != b'0'));
    let mut labels: Vec<(Arc<str>, Arc<str>)> =
        ids.map(|(name, id)| (name.into(), id.to_ascii_lowercase().into())).collect();
    let attributes: Vec<(Arc<str>, Arc<str>)> = exemplar
        .filtered_attributes
        .iter()
        .map(|attribute| (attribute.key.as_str().into(), attributes::text(&attribute.value).into()))
        .collect();
    let chars = |(name, value): &(Arc<str>, Arc<str>)| name.chars().count() + value.chars().count();
    if labels.iter().chain(&attributes).map(chars).sum::<usize>() <= EXEMPLAR_CHARS_MAX {
        labels.extend(attributes);
    }
    labels
}
