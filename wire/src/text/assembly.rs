//! Lines become families: which family a sample belongs to, and which histogram or summary.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use model::MetricType;

use super::error::Fault;
use super::line::Line;
use super::number;
use crate::family::{Bucket, Family, Histogram, Metric, MetricValue, Quantile, Summary};

type SharedLabels = Vec<(Arc<str>, Arc<str>)>;

/// The families read so far.
#[derive(Default)]
pub(super) struct Assembly {
    families: Vec<Open>,
    by_name: HashMap<Arc<str>, usize>,
    /// Where the histogram or summary with these labels stands, in its family.
    assembled: HashMap<(usize, SharedLabels), usize>,
    /// Where the last such line went: the next one most often goes there too.
    last: Option<(usize, usize)>,
    names: HashSet<Arc<str>>,
}

/// A family of which more lines may come.
struct Open {
    family: Family,
    has_type: bool,
    has_help: bool,
}

/// What a sample's name says about its place in a histogram or summary.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A bucket or quantile, if it has a bound; else nothing.
    Bounded,
    Sum,
    Count,
}

impl Assembly {
    pub(super) fn help(&mut self, name: &str, text: &[u8]) -> Result<(), Fault> {
        let (index, _) = self.family_of(name);
        let open = &mut self.families[index];
        if open.has_help {
            return Err(Fault::SecondHelp(open.family.name.to_string()));
        }
        open.has_help = true;
        open.family.help = String::from_utf8_lossy(text).into();
        Ok(())
    }

    /// A HELP or TYPE line that names a family and says nothing about it.
    pub(super) fn mention(&mut self, name: &str) {
        self.family_of(name);
    }

    /// `word` is what stands after the name.
    pub(super) fn r#type(&mut self, name: &str, word: &[u8]) -> Result<(), Fault> {
        let (index, _) = self.family_of(name);
        let open = &mut self.families[index];
        if open.has_type {
            return Err(Fault::SecondType(open.family.name.to_string()));
        }
        open.has_type = true;
        open.family.r#type = match &*word.to_ascii_lowercase() {
            b"counter" => MetricType::Counter,
            b"gauge" => MetricType::Gauge,
            b"summary" => MetricType::Summary,
            b"untyped" => MetricType::Untyped,
            b"histogram" => MetricType::Histogram,
            b"gaugehistogram" | b"gauge_histogram" => MetricType::GaugeHistogram,
            _ => return Err(Fault::UnknownType(word.to_vec())),
        };
        Ok(())
    }

    pub(super) fn sample(&mut self, line: Line<'_>) -> Result<(), Fault> {
        let (index, part) = self.family_of(&line.name);
        self.families[index].has_type = true;
        let (value, timestamp_ms) = (line.value, line.timestamp_ms);
        let metric_value = match self.families[index].family.r#type {
            MetricType::Counter => MetricValue::Counter(value),
            MetricType::Gauge => MetricValue::Gauge(value),
            MetricType::Summary => return self.summary(index, part, line),
            MetricType::Histogram | MetricType::GaugeHistogram => return self.histogram(index, part, line),
            MetricType::Untyped | MetricType::Info | MetricType::StateSet => MetricValue::Untyped(value),
        };
        let labels = self.share(line.labels);
        let metric = Metric { timestamp_ms, ..Metric::new(labels, metric_value) };
        self.families[index].family.metrics.push(metric);
        Ok(())
    }

    /// All families with at least one sample, in the order in which they began.
    pub(super) fn finish(self) -> Vec<Family> {
        self.families
            .into_iter()
            .map(|open| open.family)
            .filter(|family| !family.metrics.is_empty())
            .collect()
    }

    fn summary(&mut self, index: usize, part: Part, mut line: Line<'_>) -> Result<(), Fault> {
        let quantile = take_bound(&mut line.labels, "quantile")?;
        let value = line.value;
        let metric = self.metric_of(index, line);
        let MetricValue::Summary(summary) = &mut metric.value else { return Ok(()) };
        match (part, quantile) {
            // the protobuf counts are whole numbers, and so are these
            (Part::Count, _) => summary.count = value as u64,
            (Part::Sum, _) => summary.sum = value,
            (Part::Bounded, Some(quantile)) => summary.quantiles.push(Quantile { quantile, value }),
            (Part::Bounded, None) => {}
        }
        Ok(())
    }

    fn histogram(&mut self, index: usize, part: Part, mut line: Line<'_>) -> Result<(), Fault> {
        let upper_bound = take_bound(&mut line.labels, "le")?;
        let value = line.value;
        if value < 0.0 && part == Part::Count {
            return Err(Fault::NegativeCount(self.families[index].family.name.to_string()));
        }
        if value < 0.0 && part == Part::Bounded && upper_bound.is_some() {
            return Err(Fault::NegativeBucket(self.families[index].family.name.to_string()));
        }
        let metric = self.metric_of(index, line);
        let MetricValue::Histogram(histogram) = &mut metric.value else { return Ok(()) };
        match (part, upper_bound) {
            (Part::Count, _) => histogram.count = value,
            (Part::Sum, _) => histogram.sum = value,
            (Part::Bounded, Some(upper_bound)) => {
                histogram.buckets.push(Bucket { upper_bound, cumulative_count: value, exemplar: None });
            }
            (Part::Bounded, None) => {}
        }
        Ok(())
    }

    /// The histogram or summary with the labels of this line, which hold no bound any more.
    fn metric_of(&mut self, family: usize, line: Line<'_>) -> &mut Metric {
        let index = match self.last {
            Some((last, index))
                if last == family && same_labels(&self.families[last].family.metrics[index], &line) =>
            {
                index
            }
            _ => self.find_metric(family, line.labels),
        };
        self.last = Some((family, index));
        let metric = &mut self.families[family].family.metrics[index];
        metric.timestamp_ms = line.timestamp_ms.or(metric.timestamp_ms);
        metric
    }

    fn find_metric(&mut self, family: usize, labels: Vec<(Cow<'_, str>, Cow<'_, str>)>) -> usize {
        let labels = self.share(labels);
        let mut key = labels.clone();
        key.sort();
        let Family { r#type, metrics, .. } = &mut self.families[family].family;
        *self.assembled.entry((family, key)).or_insert_with(|| {
            let value = match r#type {
                MetricType::Summary => MetricValue::Summary(Summary::default()),
                _ => MetricValue::Histogram(Histogram::default()),
            };
            metrics.push(Metric::new(labels, value));
            metrics.len() - 1
        })
    }

    /// The family that a sample of this name belongs to, made if there is none yet.
    fn family_of(&mut self, name: &str) -> (usize, Part) {
        if let Some(&index) = self.by_name.get(name) {
            return (index, Part::Bounded);
        }
        for (suffix, part) in [("_count", Part::Count), ("_sum", Part::Sum), ("_bucket", Part::Bounded)] {
            let Some(base) = name.strip_suffix(suffix).filter(|base| !base.is_empty()) else { continue };
            let Some(&index) = self.by_name.get(base) else { continue };
            match self.families[index].family.r#type {
                MetricType::Histogram | MetricType::GaugeHistogram => return (index, part),
                MetricType::Summary if suffix != "_bucket" => return (index, part),
                _ => {}
            }
        }
        let index = self.families.len();
        let name: Arc<str> = name.into();
        let family = Family { name: Arc::clone(&name), ..Family::default() };
        self.families.push(Open { family, has_type: false, has_help: false });
        self.by_name.insert(name, index);
        (index, Part::Bounded)
    }

    /// Label names are few and stand in every line: each is stored once.
    fn share(&mut self, labels: Vec<(Cow<'_, str>, Cow<'_, str>)>) -> SharedLabels {
        let mut name = |name: &str| match self.names.get(name) {
            Some(shared) => Arc::clone(shared),
            None => {
                let shared: Arc<str> = name.into();
                self.names.insert(Arc::clone(&shared));
                shared
            }
        };
        labels.into_iter().map(|(label, value)| (name(&label), Arc::from(&*value))).collect()
    }
}

fn same_labels(metric: &Metric, line: &Line<'_>) -> bool {
    metric.labels.len() == line.labels.len()
        && metric.labels.iter().zip(&line.labels).all(|(a, b)| *a.0 == *b.0 && *a.1 == *b.1)
}

/// Takes `le` or `quantile` out of the labels. A bound that is NaN counts as none.
fn take_bound(
    labels: &mut Vec<(Cow<'_, str>, Cow<'_, str>)>,
    label: &'static str,
) -> Result<Option<f64>, Fault> {
    let Some(at) = labels.iter().position(|(name, _)| name == label) else { return Ok(None) };
    let (_, value) = labels.remove(at);
    let bound = number::float(value.as_bytes());
    let bound = bound.ok_or_else(|| Fault::Bound { label, value: value.into_owned() })?;
    Ok(Some(bound).filter(|bound| !bound.is_nan()))
}
