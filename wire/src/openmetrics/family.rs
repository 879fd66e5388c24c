//! The lines of one family.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use model::{Metadata, MetricType};

use super::Headline;
use super::error::Fault;
use super::sample::{Sample, milliseconds};
use crate::family::{Bucket, Family, Histogram, Metric, MetricValue, Quantile, Summary};
use crate::text::cursor::Cursor;
use crate::text::line::LineLabels;
use crate::text::number;

type SharedLabels = Vec<(Arc<str>, Arc<str>)>;

/// A family of which more lines may come.
pub(super) struct Open {
    /// Its name without any suffix.
    family: Family,
    has_type: bool,
    has_unit: bool,
    has_help: bool,
    /// Where the metric with these labels stands.
    places: HashMap<SharedLabels, Place>,
}

struct Place {
    index: usize,
    timestamp_ms: Option<i64>,
    /// What of it has been read, apart from buckets and quantiles.
    parts: Vec<Part>,
}

impl Place {
    /// Whether the sample is of another time, and so begins another point of the same metric.
    fn is_before(&self, part: Part, sample: &Sample<'_>) -> bool {
        let differ = |times: (Option<i64>, Option<i64>)| matches!(times, (Some(a), Some(b)) if a != b);
        part != Part::Created && differ((self.timestamp_ms, sample.timestamp_ms))
    }
}

/// What a sample's name says about its place in a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Value,
    Quantile,
    Bucket,
    Sum,
    Count,
    Created,
}

impl Open {
    pub(super) fn new(name: &str) -> Self {
        let family = Family { name: name.into(), ..Family::default() };
        Self { family, has_type: false, has_unit: false, has_help: false, places: HashMap::new() }
    }

    pub(super) fn name(&self) -> &str {
        &self.family.name
    }

    pub(super) fn metric_type(&self) -> MetricType {
        self.family.r#type
    }

    /// What has been told of it, under the name that Prometheus gives its series.
    pub(super) fn told(&self) -> (Arc<str>, Metadata) {
        (self.family.shown_name(), self.family.metadata())
    }

    /// Reads the rest of a line that tells of the family.
    pub(super) fn headline(&mut self, keyword: Headline, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        match keyword {
            Headline::Type => self.r#type(cursor.line()?),
            Headline::Unit => self.unit(cursor.line()?),
            Headline::Help => self.help(&cursor.help()?),
        }
    }

    fn once(&self, keyword: &'static str, has: bool) -> Result<(), Fault> {
        if has || !self.places.is_empty() {
            return Err(Fault::Second { keyword, family: self.name().to_owned() });
        }
        Ok(())
    }

    fn r#type(&mut self, word: &[u8]) -> Result<(), Fault> {
        self.once("TYPE", self.has_type)?;
        self.has_type = true;
        self.family.r#type = match word {
            b"counter" => MetricType::Counter,
            b"gauge" => MetricType::Gauge,
            b"summary" => MetricType::Summary,
            b"unknown" => MetricType::Untyped,
            b"histogram" => MetricType::Histogram,
            b"gaugehistogram" => MetricType::GaugeHistogram,
            b"info" => MetricType::Info,
            b"stateset" => MetricType::StateSet,
            _ => return Err(Fault::UnknownType(word.to_vec())),
        };
        Ok(())
    }

    fn unit(&mut self, word: &[u8]) -> Result<(), Fault> {
        self.once("UNIT", self.has_unit)?;
        self.has_unit = true;
        let unit = std::str::from_utf8(word).ok();
        let fits = |unit: &&str| {
            unit.is_empty() || self.name().strip_suffix(unit).is_some_and(|rest| rest.ends_with('_'))
        };
        let wrong = || Fault::Unit { family: self.name().to_owned(), unit: word.to_vec() };
        self.family.unit = unit.filter(fits).ok_or_else(wrong)?.into();
        Ok(())
    }

    fn help(&mut self, text: &[u8]) -> Result<(), Fault> {
        self.once("HELP", self.has_help)?;
        self.has_help = true;
        self.family.help = String::from_utf8_lossy(text).into();
        Ok(())
    }

    /// What a sample of this name is of the family, if it belongs to it.
    pub(super) fn part(&self, name: &str) -> Option<Part> {
        let suffix = name.strip_prefix(self.name())?;
        Some(match (self.family.r#type, suffix) {
            (MetricType::Counter, "_total") | (MetricType::Info, "_info") => Part::Value,
            (MetricType::Gauge | MetricType::Untyped | MetricType::StateSet, "") => Part::Value,
            (MetricType::Summary, "") => Part::Quantile,
            (MetricType::Histogram | MetricType::GaugeHistogram, "_bucket") => Part::Bucket,
            (MetricType::Summary | MetricType::Histogram, "_sum") => Part::Sum,
            (MetricType::Summary | MetricType::Histogram, "_count") => Part::Count,
            (MetricType::GaugeHistogram, "_gsum") => Part::Sum,
            (MetricType::GaugeHistogram, "_gcount") => Part::Count,
            (MetricType::Counter | MetricType::Summary | MetricType::Histogram, "_created") => Part::Created,
            _ => return None,
        })
    }

    pub(super) fn sample(&mut self, part: Part, mut sample: Sample<'_>) -> Result<(), Fault> {
        let r#type = self.family.r#type;
        let takes_exemplar = part == Part::Bucket || (part == Part::Value && r#type == MetricType::Counter);
        if sample.exemplar.is_some() && !takes_exemplar {
            return Err(Fault::Exemplar);
        }
        let bound = match part {
            Part::Bucket => Some(bound(&mut sample.labels, "le")?),
            Part::Quantile => Some(bound(&mut sample.labels, "quantile")?),
            _ => None,
        };
        let is_state = |(name, _): &(_, _)| *name == self.family.name.as_ref();
        if r#type == MetricType::StateSet && !sample.labels.iter().any(is_state) {
            return Err(Fault::State(self.name().to_owned()));
        }
        let counts = matches!(part, Part::Count | Part::Bucket);
        if counts && (sample.value < 0.0 || sample.value.is_nan()) {
            return Err(Fault::Count(sample.name.into_owned()));
        }
        let metric = self.metric(part, &sample)?;
        metric.timestamp_ms = sample.timestamp_ms.or(metric.timestamp_ms);
        let Sample { value, exemplar, name, .. } = sample;
        match (part, &mut metric.value) {
            (Part::Created, _) => {
                let ms = milliseconds(value);
                metric.created_ms = Some(ms.ok_or_else(|| Fault::Count(name.into_owned()))?);
            }
            (Part::Value, held) => {
                *held = match r#type {
                    MetricType::Counter => MetricValue::Counter(value),
                    MetricType::Gauge => MetricValue::Gauge(value),
                    _ => MetricValue::Untyped(value),
                };
                metric.exemplars.extend(exemplar);
            }
            (Part::Quantile, MetricValue::Summary(summary)) => {
                summary.quantiles.push(Quantile { quantile: bound.unwrap_or_default(), value });
            }
            (Part::Sum, MetricValue::Summary(summary)) => summary.sum = value,
            (Part::Count, MetricValue::Summary(summary)) => summary.count = value as u64,
            (Part::Bucket, MetricValue::Histogram(histogram)) => histogram.buckets.push(Bucket {
                upper_bound: bound.unwrap_or_default(),
                cumulative_count: value,
                exemplar: exemplar.map(Box::new),
            }),
            (Part::Sum, MetricValue::Histogram(histogram)) => histogram.sum = value,
            (Part::Count, MetricValue::Histogram(histogram)) => histogram.count = value,
            // a metric has the value of its family's type
            _ => {}
        }
        Ok(())
    }

    /// The metric with the labels of a sample, which hold no bound any more.
    fn metric(&mut self, part: Part, sample: &Sample<'_>) -> Result<&mut Metric, Fault> {
        let labels = sample.labels.iter().map(|(name, value)| (Arc::from(&**name), Arc::from(&**value)));
        let labels: SharedLabels = labels.collect();
        let mut key = labels.clone();
        key.sort();
        let Family { r#type, metrics, .. } = &mut self.family;
        let mut begin = || {
            let value = match r#type {
                MetricType::Summary => MetricValue::Summary(Summary::default()),
                MetricType::Histogram | MetricType::GaugeHistogram => {
                    MetricValue::Histogram(Histogram::default())
                }
                _ => MetricValue::Absent,
            };
            metrics.push(Metric::new(labels.clone(), value));
            Place { index: metrics.len() - 1, timestamp_ms: sample.timestamp_ms, parts: Vec::new() }
        };
        let place = match self.places.entry(key) {
            Entry::Vacant(vacant) => vacant.insert(begin()),
            Entry::Occupied(mut held) => {
                if held.get().is_before(part, sample) {
                    held.insert(begin());
                }
                held.into_mut()
            }
        };
        if !matches!(part, Part::Bucket | Part::Quantile) {
            if place.parts.contains(&part) {
                return Err(Fault::SecondSample(sample.name.to_string()));
            }
            place.parts.push(part);
        }
        Ok(&mut metrics[place.index])
    }

    /// Under the name that Prometheus gives its series.
    pub(super) fn family(mut self) -> Family {
        self.family.name = self.family.shown_name();
        self.family
    }
}

impl Family {
    /// The name that Prometheus gives its series, of the name that stands in the text.
    fn shown_name(&self) -> Arc<str> {
        let suffix = match self.r#type {
            MetricType::Counter => "_total",
            MetricType::Info => "_info",
            _ => return Arc::clone(&self.name),
        };
        format!("{}{suffix}", self.name).into()
    }
}

/// Takes a bound out of the labels.
fn bound(labels: &mut LineLabels<'_>, label: &'static str) -> Result<f64, Fault> {
    let at = labels.iter().position(|(name, _)| name == label).ok_or(Fault::Bound(label))?;
    let (_, value) = labels.remove(at);
    number::float(value.as_bytes()).filter(|bound| !bound.is_nan()).ok_or(Fault::Bound(label))
}
