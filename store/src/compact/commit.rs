//! The steps of a tick, each of which ends with a swap of the manifest.

use xxhash_rust::xxh3::Xxh3;

use super::ids::Id;
use super::inputs::{HotSegment, Read, Unreadable, reaching};
use super::progress::Blocked;
use super::runs::Making;
use super::{CompactError, Compactor, Progress};
use crate::layout::Minute;
use crate::manifest::{self, Level, Loaded, Manifest, Reaching, Run};

impl Compactor {
    /// Checks the next manifest and puts it in the place of the one that the work was planned on.
    pub(super) async fn commit(
        &self,
        before: &Loaded,
        after: Manifest,
        kept_from: Option<Minute>,
    ) -> Result<Loaded, CompactError> {
        manifest::check(&before.manifest, &after, kept_from)?;
        Ok(self.manifests.swap(before, after).await?)
    }

    /// Nothing lies before `to`.
    pub(super) async fn advance(&self, loaded: &Loaded, to: Minute) -> Result<Loaded, CompactError> {
        let after = Manifest { watermark: Some(to), ..Manifest::clone(&loaded.manifest) };
        self.commit(loaded, after, None).await
    }

    /// Makes runs of segments. The watermark stops before the minute of the first that cannot be read.
    pub(super) async fn merge_segments(
        &self,
        loaded: &Loaded,
        segments: &[HotSegment],
        (from, to): (Minute, Minute),
        progress: &mut Progress,
    ) -> Result<Loaded, CompactError> {
        let begun = reaching(&self.stream, &loaded.manifest);
        let segments: Vec<&HotSegment> = begun.iter().chain(segments).collect();
        let (mut read, mut end, mut blocked) = (Vec::new(), to, None);
        for (segment, found) in segments.iter().zip(self.read_segments(&segments).await?) {
            match found {
                Ok(found) => read.push((*segment, found)),
                Err(Unreadable { object, error }) => {
                    let reason = error.to_string().into();
                    tracing::error!(%object, %reason, "compaction goes no further: this object cannot be read");
                    (end, blocked) = (segment.minute(), Some(Blocked { object, reason }));
                    break;
                }
            }
        }
        read.retain(|(segment, _)| segment.minute() < end);
        if end <= from {
            return Err(stopped(blocked));
        }
        let sealed = self.sealed(&loaded.manifest, &read).await?;
        read.retain(|(segment, _)| !sealed.contains(&id(segment)));
        let goes_on = |segment: &HotSegment| self.has_stamps() && segment.name.to_us >= end.start_us();
        let going_on = read.iter().filter(|(segment, _)| goes_on(segment));
        let going_on =
            going_on.map(|(segment, _)| Reaching { name: segment.path.clone(), bytes: segment.bytes });
        let reaching = going_on.collect();
        progress.segments += read.iter().filter(|(segment, _)| segment.minute() >= from).count() as u64;
        let making = Making {
            level: Level::Tick,
            minutes: (from, end),
            inputs: hash(read.iter().map(|(segment, _)| segment.path.as_str())),
            ids: read.iter().map(|(segment, _)| id(segment)).collect(),
            keys: Vec::new(),
        };
        let files: Vec<Read> = read.into_iter().map(|(_, read)| read).collect();
        let counted = self.counted(&loaded.manifest, &files, from).await?;
        let runs = self.make(&loaded.manifest, making, files, counted, progress).await?;
        let mut after = Manifest::clone(&loaded.manifest);
        after.runs.extend(runs);
        (after.watermark, after.reaching) = (Some(end), reaching);
        let loaded = self.commit(loaded, after, None).await?;
        match blocked {
            Some(blocked) => {
                progress.blocked = Some(blocked.clone());
                Err(stopped(Some(blocked)))
            }
            None => Ok(loaded),
        }
    }

    /// Makes one run of several, and of a day of pushes the frame at its end.
    pub(super) async fn merge_runs(
        &self,
        loaded: &Loaded,
        level: Level,
        runs: &[Run],
        progress: &mut Progress,
    ) -> Result<Loaded, CompactError> {
        let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return Ok(loaded.clone()) };
        let mut after = Manifest::clone(&loaded.manifest);
        if runs.len() > 1 {
            let names = runs.iter().flat_map(|run| run.objects.iter().map(|object| object.name.as_str()));
            let making = Making {
                level,
                minutes: (first.from, last.to),
                inputs: hash(names),
                ids: self.ids_of(runs).await?,
                keys: self.keys_of(runs).await?,
            };
            let files = self.read_runs(runs).await?;
            let mut made = self.make(&loaded.manifest, making, files, Vec::new(), progress).await?;
            for run in &mut made {
                // what was merged into those is merged into this
                run.rows_merged += runs.iter().map(|run| run.rows_merged).sum::<u64>();
            }
            after.runs.retain(|run| !runs.contains(run));
            after.runs.extend(made);
            after.runs.sort_by_key(|run| (run.from, run.day));
        }
        if level == Level::Day && first.day.is_none() {
            let at = first.from.day().next().start();
            after.frames.push(self.make_frame(&after, at, progress).await?);
        }
        self.commit(loaded, after, None).await
    }

    /// Of the segments that were put again under a later minute, those that are in a run under their earlier one.
    async fn sealed(
        &self,
        manifest: &Manifest,
        read: &[(&HotSegment, Read)],
    ) -> Result<Vec<Id>, CompactError> {
        let again = read.iter().filter(|(segment, _)| segment.name.is_again);
        let again: Vec<Id> = again.map(|(segment, _)| id(segment)).collect();
        if again.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.ids_of(&manifest.runs).await?;
        Ok(again.into_iter().filter(|id| super::ids::is_sealed(&known, *id)).collect())
    }
}

fn id(segment: &HotSegment) -> Id {
    (segment.name.writer, segment.name.number, segment.minute())
}

fn stopped(blocked: Option<Blocked>) -> CompactError {
    match blocked {
        Some(Blocked { object, reason }) => CompactError::Damaged { object, reason: reason.to_string() },
        None => CompactError::Interrupted,
    }
}

/// Of names, in their order.
pub(super) fn hash<'n>(names: impl Iterator<Item = &'n str>) -> u64 {
    let mut hasher = Xxh3::new();
    for name in names {
        hasher.update(name.as_bytes());
        hasher.update(&[0]);
    }
    hasher.digest()
}
