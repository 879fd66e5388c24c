//! What pushed groups hold at one time.

use super::files::Streams;
use super::gather::Gathered;
use super::groups::LiveGroup;
use super::request::{Request, everything};
use super::told::Viewer;
use super::{Answer, LiveFamily, ReadError, Reader};

impl Reader {
    /// Everything pushed that holds at `at_ms`, by family, in order of names.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn live(&self, at_ms: i64) -> Result<Answer<Vec<LiveFamily>>, ReadError> {
        self.live_for(at_ms, None).await
    }

    /// The same, as far as a viewer sees it; `None`: all of it.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn live_for(
        &self,
        at_ms: i64,
        viewer: Option<Viewer>,
    ) -> Result<Answer<Vec<LiveFamily>>, ReadError> {
        self.answer(Request::all_pushed(at_ms), move |Streams { pushes, labels, .. }| {
            Gathered::of(&pushes, &everything(at_ms), &labels).into_live(at_ms, viewer.as_ref())
        })
        .await
    }

    /// Every group that is there at `at_ms` and what it holds, in order of labels. A series that two groups hold stands in
    /// both.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn live_groups(&self, at_ms: i64) -> Result<Answer<Vec<LiveGroup>>, ReadError> {
        self.live_groups_for(at_ms, None).await
    }

    /// The same, without the series that a viewer does not see; `None`: all of it. Of other groups there is when they were pushed to.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn live_groups_for(
        &self,
        at_ms: i64,
        viewer: Option<Viewer>,
    ) -> Result<Answer<Vec<LiveGroup>>, ReadError> {
        self.answer(Request::all_pushed(at_ms), move |Streams { pushes, labels, .. }| {
            Gathered::of(&pushes, &everything(at_ms), &labels).into_live_groups(at_ms, viewer.as_ref())
        })
        .await
    }
}
