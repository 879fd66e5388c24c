//! One page to what is stored of it.

use std::sync::Arc;

use config::{SampleLimits, ScrapeConfig};
use model::{Histogram, HistogramSum, Labels, Metadata, Value};
use wire::remote_write::{Point, WriteSeries};

use crate::memory::Memory;
use crate::page::{self, Format, PageSample, Told};
use crate::report::{self, Report};

/// Nothing is coarser.
const SCHEMA_MIN: i8 = -4;

/// What comes of a page.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    /// Samples and ends of series.
    pub(crate) series: Vec<WriteSeries>,
    pub(crate) told: Told,
    /// How many samples were there, were kept, and are of new series.
    pub(crate) scraped: u64,
    pub(crate) kept: u64,
    pub(crate) new: u64,
    /// Samples of series that were there already, without a time of their own.
    pub(crate) duplicates: u64,
}

/// Reads a page that was asked for at `at_ms`. What is wrong with it comes beside what is stored then: the ends of all series.
pub(crate) fn pass(
    memory: &mut Memory,
    job: &Arc<ScrapeConfig>,
    target: &Labels,
    (body, format): (Vec<u8>, Format),
    at_ms: i64,
) -> (Passed, Result<(), String>) {
    memory.begin(job);
    let mut pass = Pass { memory, job, target, at_ms, passed: Passed::default() };
    let read = page::read(body, format, job.with_classic, &mut |sample| pass.sample(sample));
    let mut passed = pass.passed;
    let limit = job.limits.samples_max;
    let ended = match read {
        Ok(_) if limit > 0 && passed.kept > limit => Err("sample limit exceeded".to_owned()),
        Ok(told) => {
            passed.told = told;
            Ok(())
        }
        Err(error) => Err(error),
    };
    match &ended {
        Ok(()) => {
            passed.series.extend(memory.gone().map(|labels| report::end(labels.clone(), at_ms)));
            memory.finish();
        }
        Err(_) => passed.series = failed(memory, at_ms),
    }
    (passed, ended)
}

/// There is no page: all series end.
pub(crate) fn no_page(memory: &mut Memory, at_ms: i64) -> Passed {
    memory.begin_without();
    Passed { series: failed(memory, at_ms), ..Passed::default() }
}

fn failed(memory: &mut Memory, at_ms: i64) -> Vec<WriteSeries> {
    memory.undo().into_iter().map(|labels| report::end(labels, at_ms)).collect()
}

impl Passed {
    pub(crate) fn report(&self, is_up: bool, duration_us: i64) -> Report {
        Report { is_up, duration_us, scraped: self.scraped, kept: self.kept, new: self.new }
    }
}

struct Pass<'a> {
    memory: &'a mut Memory,
    job: &'a ScrapeConfig,
    target: &'a Labels,
    at_ms: i64,
    passed: Passed,
}

impl Pass<'_> {
    fn sample(&mut self, sample: PageSample<'_>) -> Result<(), String> {
        self.passed.scraped += 1;
        let (place, is_new) = match self.memory.find(sample.key) {
            Some(place) => (place, false),
            None => {
                let labels = self.labels(&(sample.labels)()?)?;
                self.memory.learn(sample.key, labels)
            }
        };
        let Some(place) = place else { return Ok(()) };
        let own_time = sample.timestamp_ms.filter(|_| self.job.honor_timestamps);
        let was_seen = self.memory.see(place, own_time.is_none() || self.job.ends_timestamped);
        if was_seen && own_time.is_none() {
            self.passed.duplicates += 1;
            return Ok(());
        }
        self.passed.kept += 1;
        self.passed.new += u64::from(is_new);
        let limit = self.job.limits.samples_max;
        let Some(labels) = self.memory.labels(place).filter(|_| limit == 0 || self.passed.kept <= limit)
        else {
            // it is counted all the same
            return Ok(());
        };
        let value = within(sample.value, self.job.limits.buckets_max)?;
        let point =
            Point { at_ms: own_time.unwrap_or(self.at_ms), start_ms: sample.created_ms.unwrap_or(0), value };
        let exemplars = sample.exemplars.into_iter();
        let exemplars = exemplars.map(|exemplar| wire::Exemplar {
            timestamp_ms: exemplar.timestamp_ms.or(Some(point.at_ms)),
            ..exemplar
        });
        self.passed.series.push(WriteSeries {
            labels: labels.clone(),
            exemplars: exemplars.collect(),
            points: vec![point],
            metadata: Metadata::default(),
        });
        Ok(())
    }

    /// What becomes of a sample's labels; `None` if it is dropped.
    fn labels(&self, own: &Labels) -> Result<Option<Labels>, String> {
        let merged = merged(own, self.target, self.job.honor_labels);
        let Some(labels) = relabel::apply(&self.job.metric_relabel, &merged) else { return Ok(None) };
        if labels.is_empty() {
            return Ok(None);
        }
        if labels.metric_name().is_empty() {
            return Err("missing metric name (__name__ label)".to_owned());
        }
        check(&labels, &self.job.limits)?;
        Ok(Some(labels))
    }
}

/// The labels of a sample and of its target. Where both have one, the target's wins and the sample's is renamed, or the other way round.
fn merged(own: &Labels, target: &Labels, honors: bool) -> Labels {
    let mut merged = own.to_builder();
    if honors {
        for label in target.iter().filter(|label| own.get(&label.name).is_none()) {
            merged.set(label.name.clone(), label.value.clone());
        }
        return merged.build();
    }
    let mut conflicting = Vec::new();
    for label in target {
        if let Some(value) = own.get_shared(&label.name) {
            conflicting.push((label.name.clone(), value.clone()));
        }
        merged.set(label.name.clone(), label.value.clone());
    }
    conflicting.sort_by_key(|(name, _)| name.len());
    for (name, value) in conflicting {
        let mut free = name.to_string();
        loop {
            free.insert_str(0, "exported_");
            if merged.build().get(&free).is_none() {
                break;
            }
        }
        merged.set(free, value);
    }
    merged.build()
}

/// Limits on labels, in the words of Prometheus.
fn check(labels: &Labels, limits: &SampleLimits) -> Result<(), String> {
    let short = |text: &str| text.chars().take(50).collect::<String>();
    let metric = || short(labels.metric_name());
    let count = labels.len() as u64;
    if limits.labels_max > 0 && count > limits.labels_max {
        return Err(format!(
            "label_limit exceeded (metric: {}, number of labels: {count}, limit: {})",
            metric(),
            limits.labels_max
        ));
    }
    for label in labels {
        let (name, value) = (label.name.len() as u64, label.value.len() as u64);
        if limits.label_name_bytes_max > 0 && name > limits.label_name_bytes_max {
            return Err(format!(
                "label_name_length_limit exceeded (metric: {}, label name: {}, length: {name}, limit: {})",
                metric(),
                short(&label.name),
                limits.label_name_bytes_max
            ));
        }
        if limits.label_value_bytes_max > 0 && value > limits.label_value_bytes_max {
            return Err(format!(
                "label_value_length_limit exceeded (metric: {}, label name: {}, value: {:?}, length: {value}, limit: {})",
                metric(),
                short(&label.name),
                short(&label.value),
                limits.label_value_bytes_max
            ));
        }
    }
    Ok(())
}

/// A native histogram that has no more buckets than it may have: it becomes coarser until that is so.
fn within(value: Value, buckets_max: u64) -> Result<Value, String> {
    let Value::Histogram(histogram) = &value else { return Ok(value) };
    let fits = |histogram: &Histogram| {
        buckets_max == 0
            || (histogram.positive_counts.len() + histogram.negative_counts.len()) as u64 <= buckets_max
    };
    if fits(histogram) {
        return Ok(value);
    }
    let mut coarse = histogram.compacted();
    while !fits(&coarse) {
        if coarse.has_custom_bounds() || coarse.schema <= SCHEMA_MIN {
            return Err("histogram bucket limit exceeded".to_owned());
        }
        let mut sum = HistogramSum::of(&coarse);
        sum.coarsen_to(coarse.schema - 1);
        coarse = Histogram { counter_reset: coarse.counter_reset, ..sum.value() };
    }
    Ok(Value::Histogram(Arc::new(coarse)))
}
