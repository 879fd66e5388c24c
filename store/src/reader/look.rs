//! What a stream consists of at one moment: what is listed, and what is not written yet.

use std::sync::Arc;

use super::fetch::Fetch;
use super::listing::Listed;
use super::{ReadError, Reader, Source};
use crate::compute::compute;
use crate::entry::Entry;
use crate::layout::Minute;
use crate::segment::Segment;

/// See the module.
#[derive(Debug)]
pub(super) struct Look {
    /// Without what the tail holds.
    pub(super) listed: Listed,
    /// What is not written yet, sorted.
    pub(super) tail: Vec<Arc<Segment>>,
    /// The minute of the first of it.
    pub(super) tail_from: Option<Minute>,
}

/// Both streams.
#[derive(Clone, Debug)]
pub(super) struct Looks {
    pub(super) pushes: Arc<Look>,
    pub(super) samples: Arc<Look>,
}

impl Reader {
    /// Looks at both streams.
    pub(super) async fn looks(&self, fetch: &Fetch) -> Result<Looks, ReadError> {
        let both = futures::try_join!(self.look(fetch, &self.pushes), self.look(fetch, &self.samples));
        both.map(|(pushes, samples)| Looks { pushes: Arc::new(pushes), samples: Arc::new(samples) })
    }

    /// Looks at a stream.
    pub(super) async fn look<E: Entry>(&self, fetch: &Fetch, source: &Source<E>) -> Result<Look, ReadError> {
        // the tail first: what leaves it between this line and the next is listed, and then left out again
        let tail = source.tail.as_ref().map(|(writer, tail)| (*writer, tail.snapshot()));
        let mut listed = self.list(fetch, &source.stream, &source.manifest).await?;
        let Some((writer, tail)) = tail else {
            return Ok(Look { listed, tail: Vec::new(), tail_from: None });
        };
        listed.leave_out(writer, tail.first_number);
        let tail_from = tail.entries.first().map(|first| Minute::of(first.stamp.at_us));
        let sorted = Arc::clone(&source.sorted);
        let tail = match tail.entries.is_empty() {
            true => Vec::new(),
            false => compute(move || sorted.of(writer, &tail.entries)).await?,
        };
        Ok(Look { listed, tail, tail_from })
    }
}
