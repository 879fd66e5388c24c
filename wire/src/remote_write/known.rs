//! Label sets of bodies that were read before. Senders send the same ones again and again, each with a sample.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use model::Labels;

/// Label sets by the bytes that stood for them, so that those which come again are not read again. It may hold so many bytes; of those
/// that did not come for long it knows nothing any more.
#[derive(Debug)]
pub struct KnownLabels {
    /// By the first bits of a hash, so that requests do not wait for each other.
    shards: Vec<Mutex<Shard>>,
    shard_bytes_max: usize,
}

#[derive(Debug, Default)]
struct Shard {
    recent: HashMap<Box<[u8]>, Labels>,
    recent_bytes: usize,
    /// What was recent before that was too much.
    before: HashMap<Box<[u8]>, Labels>,
}

const SHARDS: usize = 16;

/// What an entry takes besides its bytes, which are there once for the key and once for the texts of labels: a place in a map.
const ENTRY_BYTES: usize = 128;

/// What a label takes besides its bytes: pointers, and counts of who uses its texts.
const LABEL_BYTES: usize = 64;

impl KnownLabels {
    /// One that knows none yet. With 0 it never will.
    pub fn new(bytes_max: usize) -> Self {
        // two generations share it
        let shard_bytes_max = bytes_max / SHARDS / 2;
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), shard_bytes_max }
    }

    /// What these bytes stood for.
    pub(super) fn get(&self, sent: &[u8]) -> Option<Labels> {
        let mut shard = self.shard(sent)?;
        if let Some(labels) = shard.recent.get(sent) {
            return Some(labels.clone());
        }
        let (sent, labels) = shard.before.remove_entry(sent)?;
        shard.put(sent, labels.clone(), self.shard_bytes_max);
        Some(labels)
    }

    /// Notes what they stand for.
    pub(super) fn put(&self, sent: &[u8], labels: &Labels) {
        if let Some(mut shard) = self.shard(sent) {
            shard.put(sent.into(), labels.clone(), self.shard_bytes_max);
        }
    }

    fn shard(&self, sent: &[u8]) -> Option<std::sync::MutexGuard<'_, Shard>> {
        if self.shard_bytes_max == 0 {
            return None;
        }
        // the ends of label sets differ most
        let sum = sent
            .iter()
            .rev()
            .take(32)
            .fold(sent.len(), |sum, byte| sum.wrapping_mul(31) + usize::from(*byte));
        // whoever panicked while it held the lock has left a map that is whole
        Some(self.shards[sum % SHARDS].lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Shard {
    fn put(&mut self, sent: Box<[u8]>, labels: Labels, bytes_max: usize) {
        let bytes = 2 * sent.len() + ENTRY_BYTES + LABEL_BYTES * labels.len();
        if bytes > bytes_max {
            return;
        }
        if self.recent_bytes + bytes > bytes_max {
            self.before = std::mem::take(&mut self.recent);
            self.recent_bytes = 0;
        }
        if self.recent.insert(sent, labels).is_none() {
            self.recent_bytes += bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(number: usize) -> (Vec<u8>, Labels) {
        let value = format!("{number:08}");
        (value.clone().into_bytes(), Labels::from_pairs([("__name__", value)]))
    }

    #[test]
    fn what_comes_again_is_known_and_what_does_not_is_forgotten() {
        let known = KnownLabels::new(1 << 20);
        let often: Vec<_> = (0..100).map(labels).collect();
        for (sent, labels) in &often {
            known.put(sent, labels);
        }
        for number in 100..100_000 {
            let (sent, labels) = labels(number);
            assert_eq!(known.get(&sent), None);
            known.put(&sent, &labels);
            let (sent, labels) = &often[number % often.len()];
            assert_eq!(known.get(sent).as_ref(), Some(labels));
        }
        assert_eq!(known.get(&labels(150).0), None);
        let held: usize = known
            .shards
            .iter()
            .map(|shard| {
                let shard = shard.lock().expect("unpoisoned");
                shard.recent.len() + shard.before.len()
            })
            .sum();
        assert!((100..(1 << 20) / ENTRY_BYTES).contains(&held), "{held}");
    }

    #[test]
    fn nothing_is_known_without_room() {
        let known = KnownLabels::new(0);
        let (sent, labels) = labels(1);
        known.put(&sent, &labels);
        assert_eq!(known.get(&sent), None);
    }
}
