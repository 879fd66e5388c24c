//! Rows that come part by part: segments that are in memory, and files of which one at a time is.

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::inputs::REQUESTS_MAX;
use super::merge::blocking;
use super::{CompactError, Compactor, Progress};
use crate::manifest::Object;
use crate::segment::{Segment, SegmentError, Streamed};

/// In order of series and time.
#[derive(Debug)]
pub(super) enum Source {
    Held(Option<Segment>),
    Files(Files),
}

/// Files that follow each other.
#[derive(Debug)]
pub(super) struct Files {
    /// In reverse order.
    left: Vec<Object>,
    open: Option<(Path, Streamed)>,
    /// So many are decoded at a time.
    rows: usize,
}

/// Of one source no more and no fewer rows are decoded at once, however many sources there are.
const PART_ROWS: std::ops::RangeInclusive<usize> = (1 << 7)..=(1 << 14);

impl Compactor {
    /// Opens lists of files that follow each other, and reads the heads of the first of each.
    pub(super) async fn open(
        &self,
        lists: Vec<Vec<Object>>,
        progress: &mut Progress,
    ) -> Result<(Vec<Segment>, Vec<Source>), CompactError> {
        let rows =
            (self.settings.round_rows / lists.len().max(1)).clamp(*PART_ROWS.start(), *PART_ROWS.end());
        let bytes = |list: &Vec<Object>| list.first().map_or(0, |first| first.bytes);
        progress.read_bytes += lists.iter().map(bytes).sum::<u64>();
        let open = |mut left: Vec<Object>| async move {
            left.reverse();
            let mut files = Files { left, open: None, rows };
            let head = self.open_next(&mut files).await?.unwrap_or_default();
            Ok::<_, CompactError>((head, Source::Files(files)))
        };
        // as a list, since a tick could not be spawned otherwise
        let opened: Vec<_> = lists.into_iter().map(open).collect();
        let opened: Vec<(Segment, Source)> =
            stream::iter(opened).buffered(REQUESTS_MAX).try_collect().await?;
        Ok(opened.into_iter().unzip())
    }

    /// Opens the next file, and gives its head; `None` if there is none.
    async fn open_next(&self, files: &mut Files) -> Result<Option<Segment>, CompactError> {
        let Some(Object { name, checksum, .. }) = files.left.pop() else { return Ok(None) };
        let object = self.stream.below(&name);
        let failed = |source| CompactError::Store { object: object.clone(), source };
        let bytes: Bytes = self.store.get(&object).await.map_err(failed)?.bytes().await.map_err(failed)?;
        let rows = files.rows;
        let (head, open) = blocking(move || Streamed::open(&bytes, checksum, rows))
            .await?
            .map_err(|error| damaged(&object, &error))?;
        files.open = Some((object, open));
        Ok(Some(head))
    }

    /// The next rows of a source; `None` if there are no more.
    pub(super) async fn next_part(
        &self,
        source: &mut Source,
        progress: &mut Progress,
    ) -> Result<Option<Segment>, CompactError> {
        let part = match source {
            Source::Held(segment) => segment.take().filter(|segment| segment.rows.len() > 0),
            Source::Files(files) => loop {
                if let Some((object, mut open)) = files.open.take() {
                    let (next, open) = blocking(move || (open.next(), open)).await?;
                    if let Some(part) = next.map_err(|error| damaged(&object, &error))? {
                        files.open = Some((object, open));
                        break Some(part);
                    }
                }
                progress.read_bytes += files.left.last().map_or(0, |next| next.bytes);
                if self.open_next(files).await?.is_none() {
                    break None;
                }
            },
        };
        progress.rows += part.as_ref().map_or(0, |part| part.rows.len() as u64);
        Ok(part)
    }
}

fn damaged(object: &Path, error: &SegmentError) -> CompactError {
    CompactError::Damaged { object: object.clone(), reason: error.to_string() }
}
