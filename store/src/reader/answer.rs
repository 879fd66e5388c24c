//! From a request to an answer that says what it lacks and what it took.

use std::sync::Arc;

use super::fetch::{Fetch, Usage};
use super::files::Streams;
use super::request::Request;
use super::unreadable::LeftOut;
use super::{ReadError, Reader};
use crate::compute::compute;
use crate::segment::Span;
use crate::stats::count;

/// What was read, and what could not be. An object that is damaged, foreign or of a later version does not keep others
/// from being read; a store that does not answer is an error.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer<T> {
    /// All that the readable objects say.
    pub found: T,
    /// The objects that could not be read, in order, each once. Where there are any, `found` may lack what was pushed,
    /// and may still show what has ended.
    pub left_out: Vec<LeftOut>,
    /// What it took.
    pub usage: Usage,
}

impl<T> Answer<T> {
    /// The same about something that is made of what was found.
    pub(super) fn map<U>(self, of: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { found: of(self.found), left_out: self.left_out, usage: self.usage }
    }
}

/// How often a request is begun: an object that is gone has been merged into another, which the next listing shows.
pub(super) const ATTEMPTS_MAX: usize = 3;

impl Reader {
    /// Requests to the object store for one answer.
    pub(super) fn fetch(&self) -> Fetch {
        Fetch::new(Arc::clone(&self.store), self.settings.requests_max, self.forgotten())
    }

    /// Reads what is asked for at once, and makes an answer of it.
    pub(super) async fn answer<T: Send + 'static>(
        &self,
        request: Request,
        of: impl FnOnce(Streams) -> T + Send + 'static,
    ) -> Result<Answer<T>, ReadError> {
        count(&self.stats.selections, 1);
        let fetch = self.fetch();
        let mut attempt = 1;
        let read = loop {
            match self.read_whole(&fetch, &request).await {
                Err(error) if error.is_gone() && attempt < ATTEMPTS_MAX => attempt += 1,
                result => break result,
            }
        };
        if read.is_err() {
            count(&self.stats.failures, 1);
        }
        let (streams, left_out) = read?;
        let left_out = self.told(left_out);
        Ok(Answer { found: compute(move || of(streams)).await?, left_out, usage: fetch.usage() })
    }

    async fn read_whole(
        &self,
        fetch: &Fetch,
        request: &Request,
    ) -> Result<(Streams, Vec<LeftOut>), ReadError> {
        let plan = self.plan(fetch, request).await?;
        let (streams, left_out) = self.read(fetch, request, &plan, Span::default()).await?;
        Ok((streams, [plan.left_out(), left_out].concat()))
    }

    /// What an answer goes without, in order. Counts the answer, if that is anything.
    pub(super) fn told(&self, mut left_out: Vec<LeftOut>) -> Vec<LeftOut> {
        left_out.sort();
        left_out.dedup();
        count(&self.stats.incomplete, usize::from(!left_out.is_empty()));
        left_out
    }
}
