//! Packets of StatsD, taken apart and added up.

use std::sync::{Arc, Mutex, PoisonError};

use access::{Quota, QuotaError};
use model::{Labels, PushedFamily};
use wire::Family;

use super::interval::Interval;
use super::stats::Stats;
use super::{StatsdSettings, gauges};

/// What packets say, added up until somebody asks for it.
#[derive(Debug)]
pub struct StatsdPackets {
    pub(super) settings: StatsdSettings,
    pub(super) interval: Mutex<Interval>,
    pub(super) stats: Stats,
    /// How much may come; `None`: as much as senders like.
    pub(super) quota: Option<Arc<Quota>>,
}

impl StatsdPackets {
    /// Nothing has come yet.
    pub fn new(settings: StatsdSettings) -> Self {
        let interval = Mutex::new(Interval::new(&settings));
        Self { settings, interval, stats: Stats::default(), quota: None }
    }

    /// Takes a packet.
    pub fn take(&self, packet: &[u8]) {
        self.stats.packet();
        // taken whole before it is added, so that another thread waits for little
        for line in wire::statsd::lines(packet) {
            let parsed = wire::statsd::parse(line, self.settings.labels.labels_per_series_max);
            match parsed {
                Ok(wire::statsd::Line::Samples { name, tags, bad_tags, samples }) => {
                    self.stats.bad_tags(bad_tags as u64);
                    let labels = self.labels(&name, tags);
                    let mut interval = self.interval.lock().unwrap_or_else(PoisonError::into_inner);
                    match labels.and_then(|labels| interval.add(&labels, &samples, || self.admit(&labels))) {
                        Ok(()) => self.stats.line(),
                        Err(reason) => self.stats.refused(reason),
                    }
                }
                Ok(wire::statsd::Line::Event) => self.stats.ignored("event"),
                Ok(wire::statsd::Line::ServiceCheck) => self.stats.ignored("service_check"),
                Err(fault) => self.stats.refused(fault.as_str()),
            }
        }
    }

    /// The labels of a series, over which those of the group go, or why it cannot have them.
    fn labels(&self, name: &Arc<str>, tags: Vec<(Arc<str>, Arc<str>)>) -> Result<Labels, &'static str> {
        let group =
            self.settings.group.iter().map(|label| (Arc::clone(&label.name), Arc::clone(&label.value)));
        let name = (Arc::from(Labels::NAME), Arc::clone(name));
        let labels = Labels::from_pairs(tags.into_iter().chain(group).chain([name]));
        let bytes = gauges::labels_bytes(&labels);
        self.settings.labels.check(&labels).map_err(|excess| excess.limit)?;
        if bytes > self.settings.labels_bytes_max { Err("labels_bytes_max") } else { Ok(labels) }
    }

    /// Whether there is room for one more series.
    fn admit(&self, labels: &Labels) -> Result<(), &'static str> {
        let Some(quota) = &self.quota else { return Ok(()) };
        quota.take(std::iter::once(labels), 1).map_err(|error: QuotaError| error.limit())
    }

    /// What has come since it was asked last, in order of names and labels: counters and histograms as what is to be added, gauges as
    /// what they are now.
    pub fn end(&self) -> Vec<PushedFamily> {
        self.interval.lock().unwrap_or_else(PoisonError::into_inner).end(&self.settings)
    }

    /// What it has counted, as metric families.
    pub fn families(&self) -> Vec<Family> {
        let series = self.interval.lock().unwrap_or_else(PoisonError::into_inner).len();
        self.stats.families(series)
    }
}
