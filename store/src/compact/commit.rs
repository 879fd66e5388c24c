//! The steps of a tick, each of which ends with a swap of the manifest.

use object_store::ObjectStoreExt;
use xxhash_rust::xxh3::Xxh3;

use super::ids::{self, Id};
use super::inputs::{HotSegment, Read, Unreadable};
use super::merge::{Merged, MergedRun};
use super::progress::Blocked;
use super::{CompactError, Compactor, Progress};
use crate::layout::{MergedName, Minute, frame_name};
use crate::manifest::{self, Frame, Level, Loaded, Manifest, Run};

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
        let mut read = Vec::with_capacity(segments.len());
        let (mut end, mut blocked) = (to, None);
        for (segment, found) in segments.iter().zip(self.read_segments(segments).await?) {
            match found {
                Ok(found) => read.push((segment, found)),
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
        let sealed_before = self.sealed_ids(&loaded.manifest, &read).await?;
        read.retain(|(segment, _)| !sealed_before.contains(&id(segment)));
        let inputs = hash(read.iter().map(|(segment, _)| segment.path.as_str()));
        let ids: Vec<Id> = read.iter().map(|(segment, _)| id(segment)).collect();
        progress.segments += read.len() as u64;
        let files = read.into_iter().map(|(_, read)| read).collect();
        let runs = self.merge_inputs(files, progress).await?;
        let runs = self.write_runs(loaded, Level::Tick, (from, end), inputs, runs, ids, progress).await?;
        let mut after = Manifest::clone(&loaded.manifest);
        after.runs.extend(runs);
        after.watermark = Some(end);
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
        let minutes = (first.from, last.to);
        let mut after = Manifest::clone(&loaded.manifest);
        if runs.len() > 1 {
            let files = self.read_runs(runs).await?;
            let inputs =
                hash(runs.iter().flat_map(|run| run.objects.iter().map(|object| object.name.as_str())));
            let ids = self.ids_of(runs).await?;
            let mut merged = self.merge_inputs(files, progress).await?;
            for run in &mut merged {
                // what was merged into those is merged into this
                run.rows_merged += runs.iter().map(|run| run.rows_merged).sum::<u64>();
            }
            let merged = self.write_runs(loaded, level, minutes, inputs, merged, ids, progress).await?;
            after.runs.retain(|run| !runs.contains(run));
            after.runs.extend(merged);
            after.runs.sort_by_key(|run| (run.from, run.day));
        }
        if level == Level::Day && first.day.is_none() {
            let at = first.from.day().next().start();
            after.frames.extend(self.write_frame(&after, at, progress).await?);
        }
        self.commit(loaded, after, None).await
    }

    async fn merge_inputs(
        &self,
        files: Vec<Read>,
        progress: &mut Progress,
    ) -> Result<Vec<MergedRun>, CompactError> {
        for file in &files {
            progress.rows += file.segment.row_count() as u64;
            progress.read_bytes += file.bytes;
        }
        let inputs: Vec<_> = files.into_iter().map(|file| file.segment).collect();
        let kind = self.kind;
        let merged = tokio::task::spawn_blocking(move || kind.merge(&inputs)).await;
        merged.map_err(|_| CompactError::Interrupted)
    }

    async fn write_runs(
        &self,
        loaded: &Loaded,
        level: Level,
        (from, to): (Minute, Minute),
        inputs: u64,
        merged: Vec<MergedRun>,
        ids: Vec<Id>,
        progress: &mut Progress,
    ) -> Result<Vec<Run>, CompactError> {
        let mut runs = Vec::new();
        let mut ids = Some(ids).filter(|ids| !ids.is_empty());
        for MergedRun { day, content: Merged { segment, keys }, rows_merged } in merged {
            let name = MergedName {
                day: day.unwrap_or(from.day()),
                level: level.name(),
                minutes: (from, to),
                epoch: loaded.manifest.epoch,
                inputs,
            };
            let mut objects = Vec::new();
            for (part, segment) in segment.split(self.settings.file_rows_max).into_iter().enumerate() {
                objects.push(self.write_file(name.part(part), segment, progress).await?);
            }
            let mut run = Run { level, from, to, day, objects, keys: None, ids: None, rows_merged };
            if let Some(keys) = keys {
                self.write(&name.keys(), keys, progress).await?;
                run.keys = Some(name.keys());
            }
            // of runs of several days the first has them all
            if let Some(ids) = ids.take() {
                self.write(&name.ids(), ids::encode(ids).into(), progress).await?;
                run.ids = Some(name.ids());
            }
            progress.runs += 1;
            runs.push(run);
        }
        Ok(runs)
    }

    /// What is held at `at`, in the frame of that minute; `None` if nothing has changed since the last.
    async fn write_frame(
        &self,
        manifest: &Manifest,
        at: Minute,
        progress: &mut Progress,
    ) -> Result<Option<Frame>, CompactError> {
        let chain = manifest.frames_before(at.start_us());
        let since = chain.last().map(|frame| frame.at);
        let is_new = |run: &&Run| run.to <= at && since.is_none_or(|since| run.from >= since);
        let runs: Vec<Run> = manifest.runs.iter().filter(is_new).cloned().collect();
        let (mut held, mut names) = (Vec::new(), Vec::new());
        for frame in &chain {
            names.extend(frame.objects.iter().map(|object| object.name.clone()));
            held.push(self.read_objects(&frame.objects).await?);
        }
        names.extend(runs.iter().flat_map(|run| run.objects.iter().map(|object| object.name.clone())));
        let happened = self.read_runs(&runs).await?;
        for file in held.iter().flatten().chain(&happened) {
            progress.rows += file.segment.row_count() as u64;
            progress.read_bytes += file.bytes;
        }
        let segments = |files: Vec<Read>| files.into_iter().map(|file| file.segment).collect::<Vec<_>>();
        let (held, happened) = (held.into_iter().map(segments).collect(), segments(happened));
        let computed = tokio::task::spawn_blocking(move || super::merge::frame(held, happened, at)).await;
        let Some(content) = computed.map_err(|_| CompactError::Interrupted)? else { return Ok(None) };
        let base = since.filter(|_| !content.is_full);
        let inputs = hash(names.iter().map(String::as_str));
        let mut objects = Vec::new();
        for (part, segment) in content.segment.split(self.settings.file_rows_max).into_iter().enumerate() {
            let name = frame_name(at, base.is_none(), manifest.epoch, inputs, part);
            objects.push(self.write_file(name, segment, progress).await?);
        }
        progress.frames += 1;
        Ok(Some(Frame { at, base, objects }))
    }

    /// Of the segments that were put again under a later minute, those that are in a run under their earlier one.
    async fn sealed_ids(
        &self,
        manifest: &Manifest,
        read: &[(&HotSegment, Read)],
    ) -> Result<Vec<Id>, CompactError> {
        let again: Vec<Id> = read
            .iter()
            .filter(|(segment, _)| segment.name.is_again)
            .map(|(segment, _)| id(segment))
            .collect();
        if again.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.ids_of(&manifest.runs).await?;
        Ok(again.into_iter().filter(|id| known.binary_search(id).is_ok()).collect())
    }

    /// The ids of the segments of runs, in ascending order.
    async fn ids_of(&self, runs: &[Run]) -> Result<Vec<Id>, CompactError> {
        let mut ids = Vec::new();
        for name in runs.iter().filter_map(|run| run.ids.as_ref()) {
            let object = self.stream.below(name);
            let failed = |source| CompactError::Store { object: object.clone(), source };
            let bytes = self.store.get(&object).await.map_err(failed)?.bytes().await.map_err(failed)?;
            let damaged = || CompactError::Damaged {
                object: object.clone(),
                reason: "it is no list of ids".to_owned(),
            };
            ids.extend(ids::decode(&bytes).ok_or_else(damaged)?);
        }
        ids.sort_unstable();
        Ok(ids)
    }
}

fn id(segment: &HotSegment) -> Id {
    (segment.name.writer, segment.name.number)
}

fn stopped(blocked: Option<Blocked>) -> CompactError {
    match blocked {
        Some(Blocked { object, reason }) => CompactError::Damaged { object, reason: reason.to_string() },
        None => CompactError::Interrupted,
    }
}

/// Of names, in their order.
fn hash<'n>(names: impl Iterator<Item = &'n str>) -> u64 {
    let mut hasher = Xxh3::new();
    for name in names {
        hasher.update(name.as_bytes());
        hasher.update(&[0]);
    }
    hasher.digest()
}
