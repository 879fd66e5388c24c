//! What pushed groups hold at one time.

use super::files::Streams;
use super::gather::Gathered;
use super::groups::LiveGroup;
use super::request::{Request, everything};
use super::{Answer, LiveFamily, ReadError, Reader};

impl Reader {
    /// Everything pushed that holds at `at_ms`, by family, in order of names.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn live(&self, at_ms: i64) -> Result<Answer<Vec<LiveFamily>>, ReadError> {
        self.answer(Request::all_pushed(at_ms), move |Streams { pushes, labels, .. }| {
            Gathered::of(&pushes, &everything(at_ms), &labels).into_live(at_ms)
        })
        .await
    }

    /// Every group that is there at `at_ms` and what it holds, in order of labels. A series that two groups hold stands in
    /// both.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn live_groups(&self, at_ms: i64) -> Result<Answer<Vec<LiveGroup>>, ReadError> {
        self.answer(Request::all_pushed(at_ms), move |Streams { pushes, labels, .. }| {
            Gathered::of(&pushes, &everything(at_ms), &labels).into_live_groups(at_ms)
        })
        .await
    }
}
