//! How much a deletion would delete.

use model::Selection;

use super::{Answer, ReadError, Reader};
use crate::deletion::Deletion;

/// What is seen now, and would not be seen any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deletable {
    /// Series of which something would go.
    pub series: u64,
    /// Their samples in the time of the deletion.
    pub samples: u64,
    /// Values that were pushed to them in that time. Of several within a millisecond one counts, and where a group holds a series
    /// instead of another, only what shows.
    pub pushed_values: u64,
}

impl Reader {
    /// What would go, read part by part. What `deletion` says of a time after `now_ms` concerns samples only.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn deletable(&self, deletion: &Deletion, now_ms: i64) -> Result<Answer<Deletable>, ReadError> {
        let (start_ms, end_ms) = (deletion.start_ms.unwrap_or(i64::MIN), deletion.end_ms.unwrap_or(i64::MAX));
        let selection = Selection { matchers: deletion.matchers.clone(), start_ms, end_ms };
        let mut stream =
            self.stream(&selection, &model::NeededLabels::These(std::collections::BTreeSet::new()));
        let mut found = Deletable::default();
        while let Some(batch) = stream.next().await {
            for series in batch? {
                let in_time = |from_ms: &&i64| (start_ms..=end_ms.min(now_ms)).contains(*from_ms);
                let pushed = series.steps.from_ms.iter().filter(in_time).count();
                let samples = series.samples.len();
                found.series += u64::from(pushed + samples > 0);
                found.samples += samples as u64;
                found.pushed_values += pushed as u64;
            }
        }
        let Answer { left_out, usage, .. } = stream.finish();
        Ok(Answer { found, left_out, usage })
    }
}
