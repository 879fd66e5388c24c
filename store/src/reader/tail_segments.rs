//! What is not written yet, sorted once and not for every query.
//!
//! Entries come at the end and go at the front, and when they are stamped anew all of them are, so what was sorted stays good: new entries become a segment of their own,
//! and segments of like size become one, as long as their entries are there.

use std::sync::{Arc, Mutex, PoisonError};

use model::Stamp;

use crate::entry::Entry;
use crate::segment::Segment;
use crate::tail::Stamped;

/// The sorted segments of one tail.
#[derive(Debug, Default)]
pub(super) struct TailSegments {
    chunks: Mutex<Vec<Chunk>>,
}

/// Some entries that follow each other, sorted.
#[derive(Debug)]
struct Chunk {
    first: Stamp,
    last: Stamp,
    entries: usize,
    segment: Arc<Segment>,
}

impl TailSegments {
    /// The segments of these entries, which stand in stamp order.
    pub(super) fn of<E: Entry>(&self, writer: u64, entries: &[Arc<Stamped<E>>]) -> Vec<Arc<Segment>> {
        // nothing is changed before all of it is made
        let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut made: Vec<Chunk> = Vec::new();
        let mut known = chunks.drain(..).collect::<Vec<_>>().into_iter().peekable();
        let mut rest = entries;
        let mut unsorted = 0;
        while unsorted < rest.len() {
            let at = rest[unsorted].stamp;
            while known.next_if(|chunk| chunk.first < at).is_some() {}
            let is_known =
                known.peek().is_some_and(|chunk| chunk.first == at && chunk.is_of(&rest[unsorted..]));
            let Some(chunk) = is_known.then(|| known.next()).flatten() else {
                unsorted += 1;
                continue;
            };
            let (before, from_here) = rest.split_at(unsorted);
            push(&mut made, writer, before, entries);
            rest = &from_here[chunk.entries..];
            made.push(chunk);
            unsorted = 0;
        }
        push(&mut made, writer, rest, entries);
        *chunks = made;
        chunks.iter().map(|chunk| Arc::clone(&chunk.segment)).collect()
    }
}

impl Chunk {
    fn new<E: Entry>(writer: u64, entries: &[Arc<Stamped<E>>]) -> Option<Self> {
        let (first, last) = (entries.first()?.stamp, entries.last()?.stamp);
        Some(Self { first, last, entries: entries.len(), segment: Arc::new(E::segment(writer, entries)) })
    }

    /// Whether entries begin with its own. None ever comes between two, but some are refused and go.
    fn is_of<E>(&self, entries: &[Arc<Stamped<E>>]) -> bool {
        entries.get(self.entries - 1).is_some_and(|entry| entry.stamp == self.last)
    }
}

/// Adds entries as a chunk, together with the chunks before it that are not much larger: so each entry is sorted again
/// only as often as its chunk doubles.
fn push<E: Entry>(made: &mut Vec<Chunk>, writer: u64, entries: &[Arc<Stamped<E>>], all: &[Arc<Stamped<E>>]) {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
    let (mut first, last, mut count) = (first.stamp, last.stamp, entries.len());
    while let Some(before) = made.pop_if(|before| before.entries < 2 * count) {
        first = before.first;
        count += before.entries;
    }
    let start = all.partition_point(|entry| entry.stamp < first);
    let end = all.partition_point(|entry| entry.stamp <= last);
    made.extend(Chunk::new(writer, &all[start..end]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::SampleBatch;

    fn entries(stamps: impl IntoIterator<Item = i64>) -> Vec<Arc<Stamped<SampleBatch>>> {
        let entry = |at_us| {
            let labels = model::Labels::from_pairs([("__name__", format!("m{at_us}"))]);
            let mut samples = model::Samples::default();
            samples.push(at_us, 1.0);
            let entry = Arc::new(SampleBatch::of(vec![(labels, samples)]));
            let sequence = at_us.cast_unsigned();
            Arc::new(Stamped { sequence, stamp: Stamp { at_us, writer: 1 }, entry, bytes: 1 })
        };
        stamps.into_iter().map(entry).collect()
    }

    /// All names, in order.
    fn names(segments: &[Arc<Segment>]) -> Vec<String> {
        let series = segments.iter().flat_map(|segment| &segment.series);
        let mut names: Vec<String> = series.map(|series| series.labels.metric_name().to_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn whatever_comes_and_goes_the_segments_are_those_of_the_entries() {
        let tail = TailSegments::default();
        let mut state = 1_u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let (mut present, mut next): (Vec<i64>, i64) = (Vec::new(), 1_000);
        for _ in 0..500 {
            for _ in 0..random(5) {
                present.push(next);
                next += 1;
            }
            if random(4) == 0 {
                let gone = usize::try_from(random(6)).unwrap_or(0).min(present.len());
                present.drain(..gone);
            }
            if random(8) == 0 && !present.is_empty() {
                let refused = random(present.len() as u64);
                present.remove(usize::try_from(refused).unwrap_or(0));
            }
            let segments = tail.of(1, &entries(present.iter().copied()));
            let mut expect: Vec<String> = present.iter().map(|at_us| format!("m{at_us}")).collect();
            expect.sort();
            assert_eq!(names(&segments), expect);
            assert!(segments.len() <= 12, "{} segments of {} entries", segments.len(), present.len());
        }
    }

    #[test]
    fn what_has_not_changed_is_not_sorted_again() {
        let tail = TailSegments::default();
        let before = tail.of(1, &entries(0..100));
        assert!(Arc::ptr_eq(&before[0], &tail.of(1, &entries(0..100))[0]));
        let after = tail.of(1, &entries(0..110));
        assert!(Arc::ptr_eq(&before[0], &after[0]));
        assert_eq!(after.len(), 2);
    }
}
