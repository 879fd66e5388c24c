//! What the store counts about itself.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of one writer since its start.
#[derive(Debug, Default)]
pub struct WriterStats {
    pub(crate) pushes: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) segments: AtomicU64,
    pub(crate) segment_bytes: AtomicU64,
    pub(crate) rows: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) stamped_anew: AtomicU64,
}

impl WriterStats {
    pub(crate) fn count_segment(&self, bytes: usize, rows: usize) {
        count(&self.segments, 1);
        count(&self.segment_bytes, bytes);
        count(&self.rows, rows);
    }

    pub(crate) fn count_failure(&self) {
        count(&self.failures, 1);
    }

    /// Pushes acknowledged.
    pub fn pushes(&self) -> u64 {
        self.pushes.load(Ordering::Relaxed)
    }

    /// Pushes refused because too much was waiting.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Segments written.
    pub fn segments(&self) -> u64 {
        self.segments.load(Ordering::Relaxed)
    }

    /// Bytes of segments written.
    pub fn segment_bytes(&self) -> u64 {
        self.segment_bytes.load(Ordering::Relaxed)
    }

    /// Rows written.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Segments whose entries were stamped anew, since they came, or would have come, too late for their minute.
    pub fn stamped_anew(&self) -> u64 {
        self.stamped_anew.load(Ordering::Relaxed)
    }

    /// Segments that could not be written.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }
}

/// Counts of one reader since its start.
#[derive(Debug, Default)]
pub struct ReaderStats {
    pub(crate) selections: AtomicU64,
    pub(crate) segments_fetched: AtomicU64,
    pub(crate) segments_cached: AtomicU64,
    pub(crate) names_decoded: AtomicU64,
    pub(crate) names_cached: AtomicU64,
    pub(crate) incomplete: AtomicU64,
    pub(crate) failures: AtomicU64,
}

impl ReaderStats {
    /// Selections answered or failed.
    pub fn selections(&self) -> u64 {
        self.selections.load(Ordering::Relaxed)
    }

    /// Segments fetched from the object store.
    pub fn segments_fetched(&self) -> u64 {
        self.segments_fetched.load(Ordering::Relaxed)
    }

    /// Segments that were found in memory.
    pub fn segments_cached(&self) -> u64 {
        self.segments_cached.load(Ordering::Relaxed)
    }

    /// Metric names of segments that were decoded to be kept.
    pub fn names_decoded(&self) -> u64 {
        self.names_decoded.load(Ordering::Relaxed)
    }

    /// Metric names of segments that were found decoded in memory.
    pub fn names_cached(&self) -> u64 {
        self.names_cached.load(Ordering::Relaxed)
    }

    /// Selections answered without an object that cannot be read.
    pub fn incomplete(&self) -> u64 {
        self.incomplete.load(Ordering::Relaxed)
    }

    /// Selections that failed.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }
}

pub(crate) fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}
