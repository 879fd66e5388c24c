//! Takes what is deleted out of runs and frames: object by object, so that no more than one is in memory, and no more of them
//! in a tick than `sift_rows_max` says.

use super::commit::hash;
use super::inputs::{Read, Unreadable};
use super::merge::blocking;
use super::{CompactError, Compactor, Progress};
use crate::deletion::Mask;
use crate::layout::{MergedName, frame_name};
use crate::manifest::{Frame, Loaded, Manifest, Object, Run};
use crate::segment::Segment;

impl Compactor {
    /// Looks at the first run that has not been looked at, and at those after it that have nothing of what is deleted.
    pub(super) async fn purge_runs(
        &self,
        loaded: &Loaded,
        progress: &mut Progress,
    ) -> Result<Loaded, CompactError> {
        let manifest = &loaded.manifest;
        let mut after = Manifest::clone(manifest);
        for run in after.runs.iter_mut().filter(|run| run.deleted < manifest.deleted) {
            let purged = self.purge_run(manifest, run, progress).await?;
            let is_same = purged.objects == run.objects && purged.deleted == manifest.deleted;
            *run = purged;
            if !is_same {
                break;
            }
        }
        self.commit(loaded, after, None).await
    }

    /// The same for frames. One that tells of sums of which a part is deleted goes, with all that follow: they are made again.
    pub(super) async fn purge_frames(
        &self,
        loaded: &Loaded,
        progress: &mut Progress,
    ) -> Result<Loaded, CompactError> {
        let manifest = &loaded.manifest;
        let mut after = Manifest::clone(manifest);
        let mut frames = std::mem::take(&mut after.frames);
        let first = frames.iter().position(|frame| frame.deleted < manifest.deleted).unwrap_or(frames.len());
        if frames.get(first).is_some_and(|frame| !manifest.is_usable(frame)) {
            frames.truncate(first);
            // what could not be made then may be made now
            *self.uneven() = None;
        } else if let Some(frame) = frames.get_mut(first) {
            *frame = self.purge_frame(manifest, frame, progress).await?;
        }
        after.frames = frames;
        self.commit(loaded, after, None).await
    }

    async fn purge_run(
        &self,
        manifest: &Manifest,
        run: &Run,
        progress: &mut Progress,
    ) -> Result<Run, CompactError> {
        let name = |inputs, part| {
            let (day, level, epoch) = (run.day.unwrap_or(run.from.day()), run.level.name(), manifest.epoch);
            MergedName { day, level, minutes: (run.from, run.to), epoch, inputs }.part(part)
        };
        let rows = |objects: &[Object]| -> u64 {
            objects.iter().map(|object| object.rows.saturating_sub(object.head_rows)).sum()
        };
        let (objects, deleted) = self.purge(manifest, run.deleted, &run.objects, name, progress).await?;
        let gone = rows(&run.objects) - rows(&objects);
        progress.deleted += gone;
        let rows_merged = run.rows_merged + gone;
        Ok(Run { objects, rows_merged, deleted, ..run.clone() })
    }

    async fn purge_frame(
        &self,
        manifest: &Manifest,
        frame: &Frame,
        progress: &mut Progress,
    ) -> Result<Frame, CompactError> {
        let name = |inputs, part| frame_name(frame.at, frame.base.is_none(), manifest.epoch, inputs, part);
        let (objects, deleted) = self.purge(manifest, frame.deleted, &frame.objects, name, progress).await?;
        Ok(Frame { objects, deleted, ..frame.clone() })
    }

    /// The objects, written with the deletion `seen` in mind, without what was deleted since, and the last deletion of which
    /// nothing is left in all of them: that is `seen` where there are more than one tick looks at. The first stays even if
    /// nothing is left of it. `name` is of a hash of what a new object is made of, and its place.
    async fn purge(
        &self,
        manifest: &Manifest,
        seen: u64,
        objects: &[Object],
        name: impl Fn(u64, usize) -> String + Send + Sync,
        progress: &mut Progress,
    ) -> Result<(Vec<Object>, u64), CompactError> {
        let mut left: Vec<Object> = Vec::with_capacity(objects.len());
        for (part, object) in objects.iter().enumerate() {
            let mask = Mask::of_merged(manifest, seen.max(object.deleted));
            let Some(mask) = mask.as_deref().filter(|mask| mask.may_touch(object)) else {
                left.push(object.clone());
                continue;
            };
            if self.sifts_enough(progress) {
                let done = left.into_iter().map(|object| Object { deleted: manifest.deleted, ..object });
                return Ok((done.chain(objects[part..].iter().cloned()).collect(), seen));
            }
            progress.sifted += object.rows;
            match self.without(object, mask, progress).await? {
                None => left.push(object.clone()),
                Some(segment) if segment.row_count() == 0 && part > 0 => {}
                Some(segment) => {
                    let inputs = hash([&*object.name, &manifest.deleted.to_string()].into_iter());
                    left.push(self.write_file(name(inputs, part), segment, progress).await?);
                }
            }
        }
        Ok((left.into_iter().map(|object| Object { deleted: 0, ..object }).collect(), manifest.deleted))
    }

    /// What an object holds without what is deleted; `None`: it has nothing of it.
    async fn without(
        &self,
        object: &Object,
        mask: &Mask,
        progress: &mut Progress,
    ) -> Result<Option<Segment>, CompactError> {
        let read = self.read(self.stream.below(&object.name), object.checksum).await?;
        let Read { segment, bytes } = read.map_err(|Unreadable { object, error }| CompactError::Damaged {
            object,
            reason: error.to_string(),
        })?;
        progress.read_bytes += bytes;
        let mask = mask.clone();
        blocking(move || mask.apply(&segment)).await
    }
}
