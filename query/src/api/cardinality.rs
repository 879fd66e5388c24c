//! `status/tsdb`: which names and labels there are most of.
//!
//! Prometheus counts what its head block holds, that is about the last two hours; here it is what was there at some time of
//! them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use axum::extract::State;
use model::{Labels, Selection};

use super::Api;
use super::answer::{ApiError, Success};
use super::json::{self, Fields};
use super::parameters::Parameters;
use super::seen::Seen;
use crate::source::SourceNotes;

const HEAD_MS: i64 = 2 * 3_600_000;
const LIMIT_DEFAULT: usize = 10;
const LIMIT_MAX: usize = 10_000;

pub(super) async fn cardinality(
    State(api): State<Arc<Api>>,
    seen: Seen,
    parameters: Parameters,
) -> Result<Success, ApiError> {
    let limit = limit(parameters.get("limit"))?;
    let now_ms = api.clock.now_ms();
    let recent = Selection { matchers: Vec::new(), start_ms: now_ms - HEAD_MS, end_ms: now_ms };
    let notes = SourceNotes::default();
    let _place = api.place(api.engine.settings().timeout_ms).await?;
    let series = seen.source.series(std::slice::from_ref(&recent), &notes).await?;
    let counted = tokio::task::spawn_blocking(move || {
        let counts = Counts::of(&series);
        let mut data = String::new();
        Fields::object(&mut data, |fields| counts.write(fields, &recent, limit));
        data
    });
    let broken = |_| ApiError::new(super::answer::ApiErrorKind::Internal, "the counting broke off");
    Ok(Success { data: counted.await.map_err(broken)?, warnings: notes.into_texts(), ..Success::default() })
}

fn limit(text: &str) -> Result<usize, ApiError> {
    if text.is_empty() {
        return Ok(LIMIT_DEFAULT);
    }
    match text.parse::<usize>() {
        Ok(limit @ 1..=LIMIT_MAX) => Ok(limit),
        Ok(0) | Err(_) => Err(ApiError::bad_data("limit must be a positive number")),
        Ok(_) => Err(ApiError::bad_data(format!("limit must not exceed {LIMIT_MAX}"))),
    }
}

/// How many series there are of what.
#[derive(Default)]
struct Counts<'l> {
    series: usize,
    by_metric: HashMap<&'l str, usize>,
    /// By label, its values.
    values: HashMap<&'l str, HashSet<&'l str>>,
    by_pair: HashMap<(&'l str, &'l str), usize>,
}

impl<'l> Counts<'l> {
    fn of(series: &'l [Labels]) -> Self {
        let mut counts = Self { series: series.len(), ..Self::default() };
        for labels in series {
            *counts.by_metric.entry(labels.metric_name()).or_default() += 1;
            for label in labels {
                let (name, value): (&str, &str) = (&label.name, &label.value);
                counts.values.entry(name).or_default().insert(value);
                *counts.by_pair.entry((name, value)).or_default() += 1;
            }
        }
        counts
    }

    fn write(&self, fields: &mut Fields<'_>, of: &Selection, limit: usize) {
        Fields::object(fields.field("headStats"), |fields| {
            fields.field("numSeries").push_str(&self.series.to_string());
            fields.field("numLabelPairs").push_str(&self.by_pair.len().to_string());
            fields.field("chunkCount").push('0');
            fields.field("minTime").push_str(&of.start_ms.to_string());
            fields.field("maxTime").push_str(&of.end_ms.to_string());
        });
        let names = self.by_metric.iter().map(|(name, count)| ((*name).to_owned(), *count));
        most(fields.field("seriesCountByMetricName"), names, limit);
        let values = self.values.iter().map(|(name, values)| ((*name).to_owned(), values.len()));
        most(fields.field("labelValueCountByLabelName"), values, limit);
        let bytes = |values: &HashSet<&str>| values.iter().map(|value| value.len()).sum();
        let memory = self.values.iter().map(|(name, values)| ((*name).to_owned(), bytes(values)));
        most(fields.field("memoryInBytesByLabelName"), memory, limit);
        let pairs = self.by_pair.iter().map(|((name, value), count)| (format!("{name}={value}"), *count));
        most(fields.field("seriesCountByLabelValuePair"), pairs, limit);
    }
}

/// The largest counts; of equal ones the first by name.
fn most(out: &mut String, counts: impl Iterator<Item = (String, usize)>, limit: usize) {
    let mut counts: Vec<(String, usize)> = counts.collect();
    counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    json::list(out, counts.iter().take(limit), |out, (name, count)| {
        Fields::object(out, |fields| {
            json::string(fields.field("name"), name);
            fields.field("value").push_str(&count.to_string());
        });
    });
}
