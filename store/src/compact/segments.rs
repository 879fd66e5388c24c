//! The segments of some minutes, read. What is too much to be in memory at once is sorted by parts and written beside the runs;
//! nothing names these files, so the sweeper takes them when they are old.

use futures::stream::{self, StreamExt};
use object_store::path::Path;

use super::commit::hash;
use super::inputs::{HotSegment, REQUESTS_MAX, Read, Unreadable};
use super::merge::blocking;
use super::{CompactError, Compactor, Progress};
use crate::deletion::Mask;
use crate::layout::{MergedName, Minute};
use crate::manifest::{Manifest, Object};
use crate::merge::{Stamps, sorted};
use crate::segment::{Segment, SegmentError};

/// What some segments hold.
#[derive(Debug, Default)]
pub(super) struct Hot {
    /// Of each segment.
    pub(super) heads: Vec<Segment>,
    pub(super) stamps: Stamps,
    /// Of each segment, if they are not spilled.
    pub(super) rows: Vec<Segment>,
    /// Files with the rows of all segments: lists that follow each other as the segments do.
    pub(super) spilled: Vec<Vec<Object>>,
}

/// A segment that cannot be read, and its minute.
#[derive(Debug)]
pub(super) struct Stop {
    pub(super) minute: Minute,
    pub(super) object: Path,
    pub(super) error: SegmentError,
}

/// So many bytes of segments are read at once, before they are decoded.
const READ_BYTES_MAX: u64 = 8 << 20;

impl Compactor {
    /// Reads segments, in their order, until one cannot be read.
    pub(super) async fn gather(
        &self,
        segments: &[&HotSegment],
        minutes: (Minute, Minute),
        manifest: &Manifest,
        progress: &mut Progress,
    ) -> Result<Result<Hot, Stop>, CompactError> {
        let epoch = manifest.epoch;
        let read = |segment: &&HotSegment| self.read(segment.object.clone(), segment.name.checksum);
        // as a list, since a tick could not be spawned otherwise
        let reads: Vec<_> = segments.iter().map(read).collect();
        let largest = segments.iter().map(|segment| segment.bytes).max().unwrap_or(0).max(1);
        let at_once = usize::try_from(READ_BYTES_MAX / largest).unwrap_or(REQUESTS_MAX);
        let mut reads = stream::iter(reads).buffered(at_once.clamp(1, REQUESTS_MAX));
        let (mut hot, mut bytes, mut names) = (Hot::default(), 0, Vec::new());
        for segment in segments {
            let Some(read) = reads.next().await else { break };
            let Read { segment: mut read, bytes: length } = match read? {
                Ok(read) => read,
                Err(Unreadable { object, error }) => {
                    return Ok(Err(Stop { minute: segment.minute(), object, error }));
                }
            };
            progress.read_bytes += length;
            if let Some(mask) = Mask::of_segment(manifest, segment.minute()) {
                let before = read.rows.len();
                read = blocking(move || mask.apply(&read).unwrap_or(read)).await?;
                progress.deleted += (before - read.rows.len()) as u64;
            }
            if self.has_stamps() {
                hot.stamps.add(&read);
            }
            bytes += read.memory_bytes();
            hot.heads.push(read.take_head());
            hot.rows.push(read);
            names.push(segment.path.as_str());
            if bytes >= self.settings.group_bytes_max {
                self.spill(&mut hot, &names, minutes, epoch, progress).await?;
                names.clear();
                bytes = 0;
            }
        }
        if !hot.spilled.is_empty() && !hot.rows.is_empty() {
            self.spill(&mut hot, &names, minutes, epoch, progress).await?;
        }
        Ok(Ok(hot))
    }

    async fn spill(
        &self,
        hot: &mut Hot,
        names: &[&str],
        (from, to): (Minute, Minute),
        epoch: u64,
        progress: &mut Progress,
    ) -> Result<(), CompactError> {
        let inputs = hash(names.iter().copied());
        let name = MergedName { day: from.day(), level: "spill", minutes: (from, to), epoch, inputs };
        let (rows, limits) = (std::mem::take(&mut hot.rows), self.settings.file_limits());
        let of_samples = !self.has_stamps();
        let mut objects = Vec::new();
        let files = blocking(move || sorted(&rows, of_samples, limits)).await?;
        for (part, file) in files.into_iter().enumerate() {
            objects.push(self.write_file(name.part(part), file, progress).await?);
        }
        hot.spilled.push(objects);
        Ok(())
    }
}
