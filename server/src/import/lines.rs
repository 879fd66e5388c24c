//! A file's samples one after the other, checked as those of a sender are.

use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

use anyhow::{Context, bail};
use ingest::Settings;
use model::{Labels, Metadata};
use store::NewExemplar;
use wire::Limits;
use wire::openmetrics::LineReader;
use wire::text::Options;

/// A line of more bytes is refused.
const LINE_BYTES_MAX: usize = 1 << 20;

/// A sample that can be stored.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) labels: Labels,
    pub(super) at_ms: i64,
    pub(super) value: f64,
    pub(super) exemplar: Option<NewExemplar>,
}

/// What is left of a file.
#[derive(Debug)]
pub(super) struct Lines<R> {
    name: String,
    input: BufReader<R>,
    reader: LineReader,
    line: Vec<u8>,
    number: u64,
    /// For every series.
    labels: Vec<(String, String)>,
    now_ms: i64,
    limits: Settings,
}

impl<R: Read> Lines<R> {
    /// A file from its beginning; `name` is what mistakes name.
    pub(super) fn new(name: &str, input: BufReader<R>, labels: Vec<(String, String)>, now_ms: i64) -> Self {
        let limits = Settings::default();
        let of_line = Limits { labels_max: limits.labels_per_series_max, ..Limits::default() };
        let reader = LineReader::new(Options { utf8_names: true, limits: of_line });
        Self { name: name.to_owned(), input, reader, line: Vec::new(), number: 0, labels, now_ms, limits }
    }

    /// What was told of families since the last call.
    pub(super) fn take_families(&mut self) -> Vec<(Arc<str>, Metadata)> {
        self.reader.take_families()
    }

    /// The next sample; `None` at the end.
    ///
    /// # Errors
    /// What is wrong, with file and line.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Sample>> {
        loop {
            self.line.clear();
            let limited = &mut (&mut self.input).take(LINE_BYTES_MAX as u64 + 1);
            let read = limited.read_until(b'\n', &mut self.line).with_context(|| self.name.clone())?;
            if read == 0 {
                self.reader.finish().map_err(|fault| anyhow::anyhow!("{}: {fault}", self.name))?;
                return Ok(None);
            }
            self.number += 1;
            let place = || format!("{}:{}", self.name, self.number);
            if read > LINE_BYTES_MAX {
                bail!("{}: the line has more than {LINE_BYTES_MAX} bytes", place());
            }
            if self.line.last() != Some(&b'\n') {
                self.line.push(b'\n');
            }
            let found =
                self.reader.read(&self.line).map_err(|fault| anyhow::anyhow!("{}: {fault}", place()))?;
            let Some(line) = found else { continue };
            let Some(at_ms) = line.timestamp_ms else {
                bail!("{}: expected a timestamp behind the value, in seconds since 1970", place());
            };
            self.check_time(at_ms).map_err(|fault| anyhow::anyhow!("{}: {fault}", place()))?;
            let labels = self.labelled(line.labels);
            self.check_labels(&labels).map_err(|fault| anyhow::anyhow!("{}: {fault}", place()))?;
            let exemplar = line.exemplar.and_then(|exemplar| exemplar.stored(at_ms));
            if let Some(exemplar) = &exemplar {
                self.check_time(exemplar.at_ms)
                    .map_err(|fault| anyhow::anyhow!("{}: of its exemplar, {fault}", place()))?;
            }
            let exemplar =
                exemplar.map(|exemplar| NewExemplar { series: labels.clone(), exemplar, pushed_ms: None });
            return Ok(Some(Sample { labels, at_ms, value: line.value, exemplar }));
        }
    }

    fn labelled(&self, labels: Labels) -> Labels {
        if self.labels.is_empty() {
            return labels;
        }
        let mut builder = labels.to_builder();
        for (name, value) in &self.labels {
            builder.set(&**name, &**value);
        }
        builder.build()
    }

    fn check_time(&self, at_ms: i64) -> Result<(), String> {
        let ahead_max_ms = self.limits.samples_ahead_max_ms;
        if at_ms < 0 {
            return Err("the time is before 1970".to_owned());
        }
        if at_ms.saturating_sub(self.now_ms) > ahead_max_ms {
            return Err(format!("the time is more than {} s ahead of the clock", ahead_max_ms / 1_000));
        }
        Ok(())
    }

    fn check_labels(&self, labels: &Labels) -> Result<(), String> {
        let Settings { label_name_bytes_max, label_value_bytes_max, labels_per_series_max, .. } = self.limits;
        if labels.len() > labels_per_series_max {
            return Err(format!("the series has more than {labels_per_series_max} labels"));
        }
        for label in labels {
            if label.name.len() > label_name_bytes_max {
                return Err(format!("a label's name has more than {label_name_bytes_max} bytes"));
            }
            if label.value.len() > label_value_bytes_max {
                return Err(format!("a label's value has more than {label_value_bytes_max} bytes"));
            }
        }
        Ok(())
    }
}
