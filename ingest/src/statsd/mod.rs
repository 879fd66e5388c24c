//! StatsD and DogStatsD over UDP to pushes that add up.
//!
//! In the order in which a packet travels: [`StatsdPackets`] takes it, `interval` adds up what comes between two flushes, with `observed`
//! for histograms and `gauges` for what gauges were before; [`Statsd`] has the store write it as pushes to one group.

mod gauges;
mod interval;
mod observed;
mod packets;
mod stats;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use access::Quota;
use model::{Change, Clock, GroupKey, Labels, Push, PushedFamily, RetryKey};
use store::{WriteError, WriteErrorKind, Writer};
use wire::Family;
use xxhash_rust::xxh3::xxh3_128;

use crate::export::push_time;
use crate::labels::LabelLimits;

pub use packets::StatsdPackets;

/// What an operator may set about StatsD, and its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsdSettings {
    /// The group that everything is pushed to.
    pub group: Labels,
    /// How long that is held if nothing more comes; `None`: for ever.
    pub push_ttl_ms: Option<u64>,
    /// Whether series get the labels `__type__` and `__unit__`.
    pub type_labels: bool,
    /// Series between two flushes. What would be one more is left out and counted.
    pub series_max: usize,
    /// Members of all sets between two flushes.
    pub members_max: usize,
    /// About how much memory series may take between two flushes, and labels of gauges that are remembered.
    pub bytes_max: usize,
    /// Gauges whose value is remembered, so that it can become more or less.
    pub gauges_max: usize,
    /// Of one series, with the labels of the group.
    pub labels: LabelLimits,
    /// Bytes of the name and the tags of one series.
    pub labels_bytes_max: usize,
}

impl Default for StatsdSettings {
    fn default() -> Self {
        Self {
            group: Labels::from_pairs([("job", "statsd")]),
            push_ttl_ms: None,
            type_labels: false,
            series_max: 100_000,
            members_max: 1_000_000,
            bytes_max: 128 << 20,
            gauges_max: 100_000,
            labels: LabelLimits::default(),
            labels_bytes_max: 8 << 10,
        }
    }
}

/// Adds up what packets say, and pushes it when it is told to.
#[derive(Debug)]
pub struct Statsd {
    packets: StatsdPackets,
    pushes: Arc<Writer>,
    clock: Arc<dyn Clock>,
    /// Tells the keys of its pushes from those of others.
    identity: u64,
    flush: tokio::sync::Mutex<Flush>,
}

/// What has been taken out of an interval and is not known to be durable.
#[derive(Debug, Default)]
struct Flush {
    waiting: Vec<Push>,
    /// Pushes made so far.
    count: u64,
}

/// Series of one push. What does not fit into one is pushed in several.
const SERIES_PER_PUSH: usize = 1_000;

impl Statsd {
    /// Writes by this writer, with which others may write too. `identity` is one that nobody else has.
    pub fn new(pushes: Arc<Writer>, clock: Arc<dyn Clock>, settings: StatsdSettings, identity: u64) -> Self {
        let flush = tokio::sync::Mutex::default();
        Self { packets: StatsdPackets::new(settings), pushes, clock, identity, flush }
    }

    /// The same, which takes no more than a quota has room for: a series takes one sample of it between two flushes, when it comes first.
    #[must_use]
    pub fn within(self, quota: Option<Arc<Quota>>) -> Self {
        Self { packets: StatsdPackets { quota, ..self.packets }, ..self }
    }

    /// Takes a packet.
    pub fn take(&self, packet: &[u8]) {
        self.packets.take(packet);
    }

    /// Pushes what could not be written at the last flush, and then what has come since. Done when all of it is durable. What is not,
    /// also since nobody waited for the end, is kept for the next flush, with a key, so that it counts once; meanwhile an interval
    /// goes on, within its limits.
    ///
    /// # Errors
    /// Of the first push that could not be written.
    pub async fn flush(&self) -> Result<(), WriteError> {
        let mut flush = self.flush.lock().await;
        self.write(&mut flush).await?;
        let families = self.packets.end();
        self.queue(&mut flush, families);
        self.write(&mut flush).await
    }

    async fn write(&self, flush: &mut Flush) -> Result<(), WriteError> {
        // those that are on their way at once share segments
        let submitted: Vec<_> = flush.waiting.iter().map(|push| self.pushes.submit(push.clone())).collect();
        let mut written = Vec::with_capacity(submitted.len());
        for submitted in submitted {
            written.push(match submitted {
                Ok(submitted) => submitted.durable().await.err(),
                Err(error) => Some(error),
            });
        }
        // from here on nothing is waited for, so that none is forgotten
        let mut failed = None;
        for (push, error) in std::mem::take(&mut flush.waiting).into_iter().zip(written) {
            let Some(error) = error else { continue };
            self.packets.stats.failed();
            // another try would not help
            if matches!(error.kind(), WriteErrorKind::TooLarge | WriteErrorKind::Internal) {
                self.packets.stats.lost(push.families.iter().map(|family| family.series.len() as u64).sum());
            } else {
                flush.waiting.push(push);
            }
            failed.get_or_insert(error);
        }
        failed.map_or(Ok(()), Err)
    }

    fn queue(&self, flush: &mut Flush, families: Vec<PushedFamily>) {
        let settings = &self.packets.settings;
        let (group, now_us) = (&settings.group, self.clock.now_us());
        for mut families in in_parts(families, SERIES_PER_PUSH) {
            families.push(push_time(group, now_us));
            families.sort_by(|a, b| a.name.cmp(&b.name));
            let key = xxh3_128(&[self.identity, flush.count].map(u64::to_le_bytes).concat());
            let ttl_us = settings.push_ttl_ms.map(|ms| ms.saturating_mul(1_000));
            let push = Push::new(GroupKey::of(group), Change::Merge, families);
            flush.waiting.push(Push { ttl_us, retry_key: Some(RetryKey { key, body: flush.count }), ..push });
            flush.count += 1;
        }
    }

    /// What it has counted, as metric families.
    pub fn families(&self) -> Vec<Family> {
        self.packets.families()
    }
}

/// The families in parts of about so many series.
fn in_parts(families: Vec<PushedFamily>, series_max: usize) -> Vec<Vec<PushedFamily>> {
    let mut parts: Vec<(usize, Vec<PushedFamily>)> = Vec::new();
    for mut family in families {
        while !family.series.is_empty() {
            if parts.last().is_none_or(|(series, _)| *series >= series_max) {
                parts.push((0, Vec::new()));
            }
            let Some((series, part)) = parts.last_mut() else { break };
            let rest = family.series.split_off(family.series.len().min(series_max - *series));
            *series += family.series.len();
            part.push(family.clone());
            family.series = rest;
        }
    }
    parts.into_iter().map(|(_, part)| part).collect()
}
