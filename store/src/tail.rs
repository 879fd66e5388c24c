//! Pushes that are not in the object store yet: readers of the same process see them at once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{Push, Stamp, Value};

/// A push and its place in the order.
#[derive(Debug)]
pub(crate) struct StampedPush {
    pub(crate) stamp: Stamp,
    pub(crate) push: Push,
    /// About how much memory it takes.
    pub(crate) bytes: usize,
}

/// What one writer holds in memory. Shared by the writer, its flusher and the readers of the process.
///
/// Pushes stand in stamp order, and a segment is always a run of them taken from the front; so a segment of this writer
/// whose first stamp is not older than the first push of a snapshot holds nothing that the snapshot lacks but pushes that
/// came later.
#[derive(Debug, Default)]
pub struct Tail {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    pushes: VecDeque<Arc<StampedPush>>,
    bytes: usize,
    last_us: i64,
}

/// A tail would hold more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full {
    pub(crate) waiting: usize,
}

impl Tail {
    /// Stamps a push and makes it visible: later than every push before it, and not before `now_us`.
    pub(crate) fn append(
        &self,
        push: Push,
        writer: u64,
        now_us: i64,
        bytes_max: usize,
    ) -> Result<Arc<StampedPush>, Full> {
        let bytes = size(&push);
        let mut inner = self.lock();
        // an empty tail takes any push that the gateway's own limits let through
        if !inner.pushes.is_empty() && inner.bytes + bytes > bytes_max {
            return Err(Full { waiting: inner.bytes });
        }
        let at_us = now_us.max(inner.last_us + 1);
        let stamped = Arc::new(StampedPush { stamp: Stamp { at_us, writer }, push, bytes });
        inner.last_us = at_us;
        inner.bytes += bytes;
        inner.pushes.push_back(Arc::clone(&stamped));
        Ok(stamped)
    }

    /// Forgets the pushes up to and including `last`: they are in the object store, or have been refused.
    pub(crate) fn remove_through(&self, last: Stamp) {
        let mut inner = self.lock();
        while inner.pushes.front().is_some_and(|push| push.stamp <= last) {
            if let Some(push) = inner.pushes.pop_front() {
                inner.bytes -= push.bytes;
            }
        }
    }

    /// What is waiting, in stamp order.
    pub(crate) fn snapshot(&self) -> Vec<Arc<StampedPush>> {
        self.lock().pushes.iter().cloned().collect()
    }

    /// About how many bytes are waiting.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// How many pushes are waiting.
    pub fn pushes(&self) -> usize {
        self.lock().pushes.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // nothing in here panics between two changes that belong together
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// About how much memory a push takes.
fn size(push: &Push) -> usize {
    const PER_SERIES: usize = 96;
    const PER_LABEL: usize = 48;
    let series = push.families.iter().flat_map(|family| &family.series);
    let of_series = |series: &model::PushedSeries| {
        let labels: usize = series.labels.iter().map(|l| PER_LABEL + l.name.len() + l.value.len()).sum();
        let histogram = match &series.value {
            Value::Float(_) => 0,
            Value::Histogram(h) => {
                8 * (h.positive_counts.len()
                    + h.negative_counts.len()
                    + h.positive_spans.len()
                    + h.negative_spans.len()
                    + h.custom_bounds.len())
                    + 128
            }
        };
        PER_SERIES + labels + histogram
    };
    let texts: usize = push.families.iter().map(|family| family.name.len() + family.help.len() + 64).sum();
    series.map(of_series).sum::<usize>() + texts + 128
}
