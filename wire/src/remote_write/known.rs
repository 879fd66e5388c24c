//! Label sets of bodies that were read before. Senders send the same ones again and again, each with a sample.

use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use foldhash::{HashMap, HashSet};
use model::{Label, Labels};

/// Label sets by a hash of what stood for them, so that those which come again are not made again. Texts that several of them have are
/// there once. It may hold so many bytes; of those that did not come for long it knows nothing any more.
#[derive(Debug)]
pub struct KnownLabels {
    /// By the first bits of the hash, so that requests do not wait for each other.
    shards: Vec<Mutex<Shard>>,
    shard_bytes_max: usize,
    hashes: RandomState,
}

#[derive(Debug, Default)]
struct Shard {
    sets: HashMap<u64, Known>,
    texts: HashSet<Arc<str>>,
    bytes: usize,
}

#[derive(Debug)]
struct Known {
    labels: Labels,
    /// Since room was made the last time.
    came: bool,
}

const SHARDS: usize = 16;

/// What an entry takes besides its labels: a place in a map, a pointer, and counts of who uses it.
const ENTRY_BYTES: usize = 64;

/// What a label takes besides its texts: two pointers with their lengths.
const LABEL_BYTES: usize = size_of::<Label>();

/// What a text takes besides its bytes: a place in a set, and counts of who uses it.
const TEXT_BYTES: usize = 48;

/// Whatever a sender says of a series stands for its labels: texts in an order.
pub(super) trait Sent {
    /// Tells all of it to a hasher.
    fn hash(&self, hasher: &mut impl Hasher);

    /// Whether it says these labels, in their order, and nothing else.
    fn is(&self, labels: &Labels) -> bool;
}

impl KnownLabels {
    /// One that knows none yet. With 0 it never will.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            shard_bytes_max: bytes_max / SHARDS,
            hashes: RandomState::default(),
        }
    }

    /// The labels that these words stand for, unless they are more than that: who noted them may have had another limit.
    pub(super) fn get(&self, sent: &impl Sent, labels_max: usize) -> Option<Labels> {
        if self.shard_bytes_max == 0 {
            return None;
        }
        let hash = self.hash(sent);
        let labels = {
            let mut shard = self.shard(hash);
            let known = shard.sets.get_mut(&hash)?;
            known.came = true;
            known.labels.clone()
        };
        // others may have the same hash
        (labels.len() <= labels_max && sent.is(&labels)).then_some(labels)
    }

    /// Notes what they stand for, if they are in order. The same labels, of texts that are shared.
    pub(super) fn put(&self, sent: &impl Sent, labels: Labels) -> Labels {
        if self.shard_bytes_max == 0 || !sent.is(&labels) {
            return labels;
        }
        let hash = self.hash(sent);
        self.shard(hash).put(hash, labels, self.shard_bytes_max)
    }

    fn hash(&self, sent: &impl Sent) -> u64 {
        let mut hasher = self.hashes.build_hasher();
        sent.hash(&mut hasher);
        hasher.finish()
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        // whoever panicked while it held the lock has left maps that are whole
        self.shards[(hash >> 60) as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn put(&mut self, hash: u64, labels: Labels, bytes_max: usize) -> Labels {
        let texts = labels.iter().flat_map(|label| [&label.name, &label.value]);
        let most = bytes_of(&labels) + texts.map(|text| bytes_of_text(text)).sum::<usize>();
        if most > bytes_max / 2 {
            return labels;
        }
        if self.bytes + most > bytes_max {
            self.make_room(bytes_max);
        }
        let shared = labels
            .iter()
            .map(|Label { name, value }| Label { name: self.shared(name), value: self.shared(value) });
        let labels = Labels::from_sorted(shared.collect());
        self.bytes += bytes_of(&labels);
        if let Some(before) = self.sets.insert(hash, Known { labels: labels.clone(), came: true }) {
            self.bytes -= bytes_of(&before.labels);
        }
        labels
    }

    fn shared(&mut self, text: &Arc<str>) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        self.bytes += bytes_of_text(text);
        self.texts.insert(Arc::clone(text));
        Arc::clone(text)
    }

    /// Forgets what has not come since the last time, or else half of all, and the texts that nobody has any more.
    fn make_room(&mut self, bytes_max: usize) {
        self.sets.retain(|_, known| std::mem::take(&mut known.came));
        self.count();
        if self.bytes > bytes_max / 4 * 3 {
            let mut stays = false;
            self.sets.retain(|_, _| {
                stays = !stays;
                stays
            });
            self.count();
        }
    }

    fn count(&mut self) {
        self.texts.retain(|text| Arc::strong_count(text) > 1);
        let texts = self.texts.iter().map(|text| bytes_of_text(text));
        self.bytes =
            texts.sum::<usize>() + self.sets.values().map(|known| bytes_of(&known.labels)).sum::<usize>();
    }
}

fn bytes_of(labels: &Labels) -> usize {
    ENTRY_BYTES + LABEL_BYTES * labels.len()
}

fn bytes_of_text(text: &str) -> usize {
    TEXT_BYTES + text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Said<'a>(&'a Labels);

    impl Sent for Said<'_> {
        fn hash(&self, hasher: &mut impl Hasher) {
            hasher.write(&self.0.canonical_bytes());
        }

        fn is(&self, labels: &Labels) -> bool {
            self.0 == labels
        }
    }

    fn labels(number: usize) -> Labels {
        let value = format!("{number:08}");
        Labels::from_pairs([
            ("__name__", "metric"),
            ("instance", &value),
            ("job", "a job that all of them have"),
        ])
    }

    fn held(known: &KnownLabels) -> (usize, usize) {
        let shards = known.shards.iter().map(|shard| shard.lock().expect("unpoisoned"));
        shards.fold((0, 0), |(sets, bytes), shard| (sets + shard.sets.len(), bytes + shard.bytes))
    }

    #[test]
    fn what_comes_again_is_known_and_what_does_not_is_forgotten() {
        let bytes_max = 1 << 20;
        let known = KnownLabels::new(bytes_max);
        let often: Vec<_> = (0..100).map(labels).collect();
        for labels in &often {
            known.put(&Said(labels), labels.clone());
        }
        let mut missed = 0;
        for number in 100..100_000 {
            let new = labels(number);
            assert_eq!(known.get(&Said(&new), usize::MAX), None);
            known.put(&Said(&new), new.clone());
            let again = &often[number % often.len()];
            match known.get(&Said(again), usize::MAX) {
                Some(found) => assert_eq!(found, *again),
                None => {
                    missed += 1;
                    known.put(&Said(again), again.clone());
                }
            }
            assert!(held(&known).1 <= bytes_max || number % 1_000 != 0);
        }
        assert!(missed < 100, "{missed}");
        let bytes = ENTRY_BYTES + 3 * LABEL_BYTES + TEXT_BYTES + 8;
        let (sets, _) = held(&known);
        assert!((bytes_max / bytes / 4..=bytes_max / bytes).contains(&sets), "{sets}");
    }

    #[test]
    fn as_many_as_it_has_room_for_are_all_known() {
        let bytes = ENTRY_BYTES + 3 * LABEL_BYTES + TEXT_BYTES + 8;
        // shards are not filled alike
        let all: Vec<_> = (0..10_000).map(labels).collect();
        let known = KnownLabels::new(bytes * all.len() * 5 / 4);
        for labels in &all {
            known.put(&Said(labels), labels.clone());
        }
        assert!(
            (0..3).all(|_| all
                .iter()
                .all(|labels| known.get(&Said(labels), usize::MAX).as_ref() == Some(labels)))
        );
    }

    #[test]
    fn texts_are_there_once() {
        let known = KnownLabels::new(1 << 20);
        let all: Vec<_> =
            (0..1_000).map(|number| known.put(&Said(&labels(number)), labels(number))).collect();
        let mut jobs: Vec<_> = all.iter().map(|labels| labels.get_shared("job").map(Arc::as_ptr)).collect();
        jobs.sort_by_key(|job| job.map(<*const str>::addr));
        jobs.dedup_by_key(|job| job.map(<*const str>::addr));
        assert!(jobs.len() <= SHARDS, "{}", jobs.len());
    }

    #[test]
    fn others_with_the_same_hash_are_not_taken_for_it() {
        struct Same<'a>(&'a Labels);
        impl Sent for Same<'_> {
            fn hash(&self, _: &mut impl Hasher) {}

            fn is(&self, labels: &Labels) -> bool {
                self.0 == labels
            }
        }
        let known = KnownLabels::new(1 << 20);
        let (one, other) = (labels(1), labels(2));
        known.put(&Same(&one), one.clone());
        assert_eq!((known.get(&Same(&one), 9), known.get(&Same(&other), 9)), (Some(one), None));
    }

    #[test]
    fn nothing_is_known_without_room() {
        let known = KnownLabels::new(0);
        known.put(&Said(&labels(1)), labels(1));
        assert_eq!(known.get(&Said(&labels(1)), usize::MAX), None);
    }
}
