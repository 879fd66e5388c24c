//! The protocol by which a segment becomes part of the store.
//!
//! Whoever merges segments takes whole minutes, once they are over for longer than [`ANSWERED_WITHIN`] and a margin, and never
//! looks at them again. So a segment counts only if it came in time: its minute is that of its first stamp, and the answer to
//! its PUT must have come within [`ANSWERED_WITHIN`] of that minute's end by the store's own clock (by this machine's, where
//! the store has none). If it did not, its entries are stamped anew, and it is put again under the new minute, with the same
//! writer and number, before anything else of this writer. Readers count the later one of two with the same writer and number.

use std::sync::Arc;
use std::time::Duration;

use model::AnswerTime;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::WriteError;
use super::put::{Written, write_segment};
use super::store_clock::StoreClock;
use crate::entry::Entry;
use crate::layout::{MINUTE_US, Minute, Stream};
use crate::stats::{WriterStats, count};
use crate::tail::Stamped;

/// How long after the end of its minute the answer to a segment's PUT may come. Longer than one request can take with all its
/// tries, so that it takes a queue behind slow requests, or a store that was away, to miss it.
pub(crate) const ANSWERED_WITHIN: Duration = Duration::from_secs(180);

/// How often a segment is put under another minute before that is given up.
const STAMPINGS_MAX: usize = 3;

/// Which segment it is, whatever minute it counts under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentId {
    pub(crate) writer: u64,
    pub(crate) number: u32,
    /// Its entries have been stamped anew: it may be in the store under an earlier minute, which was this one at first. Once that is
    /// so it stays so.
    pub(crate) again_since: Option<Minute>,
}

impl SegmentId {
    /// One that nobody has tried to write.
    pub(crate) fn new(writer: u64, number: u32) -> Self {
        Self { writer, number, again_since: None }
    }

    /// Notes that its entries get other stamps than those that begin at this time.
    pub(crate) fn stamped_anew(&mut self, from_us: i64) {
        self.again_since.get_or_insert(Minute::of(from_us));
    }
}

/// The entries of one segment with stamps of their own order.
pub(crate) type Batch<E> = Vec<Arc<Stamped<E>>>;

/// Where the segments of one stream go, and by which clocks.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) stream: Stream,
    pub(crate) clock: Arc<StoreClock>,
    pub(crate) stats: Arc<WriterStats>,
}

impl Target {
    /// Writes a segment. Who calls this another time for the same segment does it with the same `id`. `stamp_anew` gives the same
    /// entries with stamps that are not before the time it is called with.
    pub(crate) async fn commit<E: Entry>(
        &self,
        id: &mut SegmentId,
        mut entries: Batch<E>,
        mut stamp_anew: impl FnMut(i64) -> Batch<E> + Send,
    ) -> Result<Written, WriteError> {
        for _ in 0..STAMPINGS_MAX {
            if self.clock.now_us() > due_us(&entries) {
                // it would come too late: that needs no PUT to know. An earlier process may have put it, though
                entries = self.again(id, first_us(&entries), &mut stamp_anew);
            }
            let (sent_us, answer) = (self.clock.now_us(), AnswerTime::default());
            let (first_us, due_us) = (first_us(&entries), due_us(&entries));
            let written = write_segment(&*self.store, &self.stream, *id, entries, answer.clone()).await?;
            let answered_us = match self.clock.compare(sent_us, &answer) {
                Ok(answered_us) => answered_us,
                Err(skew) => {
                    self.take_back(&written.object).await;
                    return Err(WriteError::Skew(skew));
                }
            };
            if answered_us <= due_us {
                return Ok(written);
            }
            tracing::warn!(object = %written.object, "segment came too late: stamped anew");
            entries = self.again(id, first_us, &mut stamp_anew);
        }
        Err(WriteError::Late { stampings: STAMPINGS_MAX, within_s: ANSWERED_WITHIN.as_secs() })
    }

    fn again<E>(
        &self,
        id: &mut SegmentId,
        from_us: i64,
        stamp_anew: &mut impl FnMut(i64) -> Batch<E>,
    ) -> Batch<E> {
        id.stamped_anew(from_us);
        count(&self.stats.stamped_anew, 1);
        stamp_anew(self.clock.now_us())
    }

    /// Deletes what was written by a clock that is off, and not acknowledged: its stamps could hide what others push.
    async fn take_back(&self, object: &Path) {
        if let Err(error) = self.store.delete(object).await {
            tracing::error!(%object, %error, "written by a clock that is off, and not deleted");
        }
    }
}

fn first_us<E>(entries: &[Arc<Stamped<E>>]) -> i64 {
    entries.first().map_or(i64::MAX, |entry| entry.stamp.at_us)
}

/// The last moment at which the PUT of these entries may be answered.
fn due_us<E>(entries: &[Arc<Stamped<E>>]) -> i64 {
    let minute_end_us = first_us(entries).div_euclid(MINUTE_US).saturating_add(1).saturating_mul(MINUTE_US);
    minute_end_us.saturating_add(i64::try_from(ANSWERED_WITHIN.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
