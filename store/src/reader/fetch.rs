//! Requests of one query to the object store: bounded, counted, and close ranges together.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::future::try_join_all;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::sync::Semaphore;

use super::ReadError;
use super::deleted::Forgotten;

/// What a query asked of the object store, and what it found in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requests: a GET of an object or of a range, or a LIST of a page of at most 1000 names.
    pub requests: u64,
    /// Bytes that GETs answered.
    pub bytes: u64,
    /// Segments that were opened, in whole or in part; what is not written yet counts as none.
    pub segments: u64,
    /// Segments among which these were chosen, by their names, times and statistics.
    pub listed: u64,
    /// Segments of those that were opened which were in memory already, in whole or by their footer.
    pub known: u64,
    /// Row groups of opened segments that were read in parts.
    pub row_groups: u64,
    /// Row groups of them that were read, since statistics do not rule them out.
    pub row_groups_read: u64,
    /// Rows that were decoded.
    pub rows: u64,
    /// Bytes that were found in memory, as far as segments are read in parts, or on a local disk, instead of being asked
    /// for.
    pub cached_bytes: u64,
}

/// Names in one answer to a LIST.
pub(super) const LIST_PAGE: u64 = 1_000;

/// Ranges that are no further apart are fetched together: the bytes between them are sooner there than another answer.
const GAP_BYTES_MAX: u64 = 16 << 10;

/// Larger ranges are fetched in several requests at once.
const REQUEST_BYTES_MAX: u64 = 8 << 20;

/// The requests of one query.
#[derive(Debug)]
pub(super) struct Fetch {
    store: Arc<dyn ObjectStore>,
    permits: Semaphore,
    requests: AtomicU64,
    bytes: AtomicU64,
    segments: AtomicU64,
    listed: AtomicU64,
    known: AtomicU64,
    rows: AtomicU64,
    cached_bytes: AtomicU64,
    /// Of each object that is read in parts its row groups, and which of them were read: spans may meet within one.
    row_groups: Mutex<HashMap<Path, RowGroups>>,
    /// What was forgotten before it asked.
    forgotten: Mutex<Forgotten>,
}

#[derive(Debug, Default)]
struct RowGroups {
    all: usize,
    read: BTreeSet<usize>,
}

impl Fetch {
    pub(super) fn new(store: Arc<dyn ObjectStore>, requests_max: usize, forgotten: Forgotten) -> Self {
        Self {
            store,
            permits: Semaphore::new(requests_max),
            requests: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            segments: AtomicU64::new(0),
            listed: AtomicU64::new(0),
            known: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            cached_bytes: AtomicU64::new(0),
            row_groups: Mutex::default(),
            forgotten: Mutex::new(forgotten),
        }
    }

    pub(super) fn forgotten(&self) -> Forgotten {
        *self.forgotten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It has seen what was to be forgotten.
    pub(super) fn renew(&self, forgotten: Forgotten) {
        *self.forgotten.lock().unwrap_or_else(PoisonError::into_inner) = forgotten;
    }

    pub(super) fn usage(&self) -> Usage {
        let row_groups = self.row_groups.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = |of: fn(&RowGroups) -> usize| row_groups.values().map(of).sum::<usize>() as u64;
        Usage {
            listed: self.listed.load(Ordering::Relaxed),
            known: self.known.load(Ordering::Relaxed),
            row_groups: sum(|of| of.all),
            row_groups_read: sum(|of| of.read.len()),
            rows: self.rows.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            segments: self.segments.load(Ordering::Relaxed),
            cached_bytes: self.cached_bytes.load(Ordering::Relaxed),
        }
    }

    pub(super) fn count_requests(&self, count: u64) {
        self.requests.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn count_segment(&self) {
        self.segments.fetch_add(1, Ordering::Relaxed);
    }

    /// Segments among which is chosen.
    pub(super) fn count_listed(&self, count: usize) {
        self.listed.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// A segment that is opened is in memory already.
    pub(super) fn count_known(&self) {
        self.known.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_rows(&self, count: usize) {
        self.rows.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Of an object with so many row groups these are read.
    pub(super) fn count_row_groups(&self, object: &Path, all: usize, read: &[usize]) {
        let mut row_groups = self.row_groups.lock().unwrap_or_else(PoisonError::into_inner);
        if !row_groups.contains_key(object) {
            row_groups.insert(object.clone(), RowGroups { all, read: BTreeSet::new() });
        }
        if let Some(known) = row_groups.get_mut(object) {
            known.read.extend(read);
        }
    }

    pub(super) fn count_cached(&self, bytes: usize) {
        self.cached_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A whole object.
    pub(super) async fn whole(&self, object: &Path) -> Result<Bytes, ReadError> {
        let failed = |source| ReadError::Store { object: object.clone(), source };
        let _permit = self.permits.acquire().await.map_err(|_| ReadError::Interrupted)?;
        self.count_requests(1);
        let bytes = self.store.get(object).await.map_err(failed)?.bytes().await.map_err(failed)?;
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes)
    }

    /// A range of an object.
    pub(super) async fn range(&self, object: &Path, range: Range<u64>) -> Result<Bytes, ReadError> {
        let failed = |source| ReadError::Store { object: object.clone(), source };
        let _permit = self.permits.acquire().await.map_err(|_| ReadError::Interrupted)?;
        self.count_requests(1);
        let bytes = self.store.get_range(object, range).await.map_err(failed)?;
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes)
    }

    /// Ranges of an object, given in order and not overlapping; each of them is a part of one answer.
    pub(super) async fn ranges(&self, object: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, ReadError> {
        let requests = together(ranges);
        let answers = try_join_all(requests.iter().map(|(span, _)| self.range(object, span.clone()))).await?;
        let mut parts = Vec::with_capacity(ranges.len());
        for ((span, of), answer) in requests.into_iter().zip(answers) {
            for range in &ranges[of] {
                let place =
                    |at: u64| usize::try_from(at - span.start).unwrap_or(usize::MAX).min(answer.len());
                // an answer that is too short is a damaged page
                parts.push(answer.slice(place(range.start)..place(range.end)));
            }
        }
        Ok(parts)
    }
}

/// Which ranges one request each fetches, and what it asks for.
fn together(ranges: &[Range<u64>]) -> Vec<(Range<u64>, Range<usize>)> {
    let mut requests: Vec<(Range<u64>, Range<usize>)> = Vec::new();
    for (index, range) in ranges.iter().enumerate() {
        match requests.last_mut() {
            Some((span, of))
                if range.start <= span.end + GAP_BYTES_MAX && range.end - span.start <= REQUEST_BYTES_MAX =>
            {
                span.end = span.end.max(range.end);
                of.end = index + 1;
            }
            _ => requests.push((range.clone(), index..index + 1)),
        }
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_close_is_fetched_together() {
        let check = |ranges: &[Range<u64>], expect: &[Range<u64>]| {
            let spans: Vec<Range<u64>> = together(ranges).into_iter().map(|(span, _)| span).collect();
            assert_eq!(spans, expect);
        };
        check(&[], &[]);
        check(&[0..10, 10..20, 30..40], std::slice::from_ref(&(0..40)));
        check(
            &[0..10, 10 + GAP_BYTES_MAX..20 + GAP_BYTES_MAX],
            std::slice::from_ref(&(0..20 + GAP_BYTES_MAX)),
        );
        check(
            &[0..10, 11 + GAP_BYTES_MAX..20 + GAP_BYTES_MAX],
            &[0..10, 11 + GAP_BYTES_MAX..20 + GAP_BYTES_MAX],
        );
        check(
            &[0..REQUEST_BYTES_MAX, REQUEST_BYTES_MAX..REQUEST_BYTES_MAX + 1],
            &[0..REQUEST_BYTES_MAX, REQUEST_BYTES_MAX..REQUEST_BYTES_MAX + 1],
        );
    }
}
