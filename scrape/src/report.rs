//! What a scrape tells of itself.

use model::{Labels, Metadata, Value, stale_nan};
use wire::remote_write::{Point, WriteSeries};

const NAMES: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];

/// How a scrape went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Report {
    pub(crate) is_up: bool,
    pub(crate) duration_us: i64,
    /// Samples of the page.
    pub(crate) scraped: u64,
    /// Those that relabelling left.
    pub(crate) kept: u64,
    /// Series that were not there before.
    pub(crate) new: u64,
}

impl Report {
    /// Its series, for a target with these labels.
    pub(crate) fn series(&self, labels: &Labels, at_ms: i64) -> impl Iterator<Item = WriteSeries> {
        let values = [
            if self.is_up { 1.0 } else { 0.0 },
            self.duration_us as f64 / 1_000_000.0,
            self.scraped as f64,
            self.kept as f64,
            self.new as f64,
        ];
        named(labels).zip(values).map(move |(labels, value)| series(labels, at_ms, Value::Float(value)))
    }
}

/// The ends of the series of reports: the target is gone.
pub(crate) fn ends(labels: &Labels, at_ms: i64) -> impl Iterator<Item = WriteSeries> {
    named(labels).map(move |labels| end(labels, at_ms))
}

fn named(labels: &Labels) -> impl Iterator<Item = Labels> {
    NAMES.into_iter().map(|name| labels.to_builder().set(Labels::NAME, name).build())
}

/// The end of a series.
pub(crate) fn end(labels: Labels, at_ms: i64) -> WriteSeries {
    series(labels, at_ms, Value::Float(stale_nan()))
}

pub(crate) fn series(labels: Labels, at_ms: i64, value: Value) -> WriteSeries {
    let points = vec![Point { at_ms, start_ms: 0, value }];
    WriteSeries { labels, points, exemplars: Vec::new(), metadata: Metadata::default() }
}
