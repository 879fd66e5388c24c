//! Makes runs and frames: what was read is merged, and what comes of it written.

use std::collections::HashSet;

use bytes::Bytes;
use model::{RETRY_WINDOW_US, RetryKey};
use object_store::ObjectStoreExt;

use super::commit::hash;
use super::ids::{self, Id};
use super::inputs::Read;
use super::keys::{self, Counted};
use super::merge::{Kind, MergedRun};
use super::{CompactError, Compactor, Progress};
use crate::layout::{MergedName, Minute, frame_name};
use crate::manifest::{Frame, Level, Manifest, Run};
use crate::merge::{Span, frame};

/// A frame that builds on others says all when those that it builds on, but for the full one, have so many parts of its rows.
const DELTAS_PART: u64 = 2;

/// And when they are so many.
const CHAIN_MAX: usize = 16;

/// That a group has expired is told for so long, while nobody pushes to it.
const EXPIRED_KEPT_US: i64 = 30 * 86_400_000_000;

/// What runs are made of.
#[derive(Debug)]
pub(super) struct Making {
    pub(super) level: Level,
    pub(super) minutes: (Minute, Minute),
    /// Of the names of all that they are made of.
    pub(super) inputs: u64,
    /// Of all segments that are in them.
    pub(super) ids: Vec<Id>,
    /// That stand beside what they are made of.
    pub(super) keys: Vec<Counted>,
}

impl Compactor {
    /// Whether rows have the times of their pushes, and not times of their own.
    pub(super) fn has_stamps(&self) -> bool {
        self.kind == Kind::Pushes
    }

    /// The runs of files: of pushes one, of samples one for each day of their time.
    pub(super) async fn make(
        &self,
        manifest: &Manifest,
        making: Making,
        files: Vec<Read>,
        counted: Vec<Counted>,
        progress: &mut Progress,
    ) -> Result<Vec<Run>, CompactError> {
        count(&files, progress);
        let Making { level, minutes: (from, to), inputs, ids, keys: mut beside } = making;
        let span = Span { from_us: from.start_us(), end_us: to.start_us() };
        let (kind, settings) = (self.kind, self.settings.clone());
        let merged = tokio::task::spawn_blocking(move || {
            let files: Vec<_> = files.into_iter().map(|file| file.segment).collect();
            kind.merge(&files, span, &counted, &settings)
        });
        let merged = merged.await.map_err(|_| CompactError::Interrupted)?;
        let mut runs = Vec::new();
        // of runs of several days the first has them all
        let mut ids = Some(ids).filter(|ids| !ids.is_empty());
        for MergedRun { day, segment, mut keys, rows_merged } in merged {
            let (level_name, epoch) = (level.name(), manifest.epoch);
            let name = MergedName {
                day: day.unwrap_or(from.day()),
                level: level_name,
                minutes: (from, to),
                epoch,
                inputs,
            };
            let mut objects = Vec::new();
            for (part, segment) in segment.split(self.settings.file_rows_max).into_iter().enumerate() {
                objects.push(self.write_file(name.part(part), segment, progress).await?);
            }
            let mut run = Run { level, from, to, day, objects, keys: None, ids: None, rows_merged };
            keys.append(&mut beside);
            if !keys.is_empty() {
                self.write(&name.keys(), keys::encode(keys).into(), progress).await?;
                run.keys = Some(name.keys());
            }
            if let Some(ids) = ids.take() {
                self.write(&name.ids(), ids::encode(ids).into(), progress).await?;
                run.ids = Some(name.ids());
            }
            progress.runs += 1;
            runs.push(run);
        }
        Ok(runs)
    }

    /// What is held at `at`, in the frame of that minute.
    pub(super) async fn make_frame(
        &self,
        manifest: &Manifest,
        at: Minute,
        progress: &mut Progress,
    ) -> Result<Frame, CompactError> {
        let chain = manifest.frames_before(at.start_us());
        let since = chain.last().map(|frame| frame.at);
        let is_new = |run: &&Run| run.to <= at && since.is_none_or(|since| run.from >= since);
        let runs: Vec<Run> = manifest.runs.iter().filter(is_new).cloned().collect();
        let of_frames = chain.iter().flat_map(|frame| &frame.objects);
        let of_runs = runs.iter().flat_map(|run| &run.objects);
        let inputs = hash(of_frames.chain(of_runs).map(|object| object.name.as_str()));
        let mut held = Vec::new();
        for frame in &chain {
            held.extend(self.read_objects(&frame.objects).await?);
        }
        let happened = self.read_runs(&runs).await?;
        count(&held, progress);
        count(&happened, progress);
        let is_full = is_full(&chain);
        let content = tokio::task::spawn_blocking(move || {
            let segments = |files: Vec<Read>| files.into_iter().map(|file| file.segment).collect::<Vec<_>>();
            let (held, happened) = (segments(held), segments(happened));
            let expired_from_us = at.start_us().saturating_sub(EXPIRED_KEPT_US);
            frame(&held, &happened, at.start_us(), is_full, expired_from_us)
        });
        let content = content.await.map_err(|_| CompactError::Interrupted)?;
        let mut objects = Vec::new();
        if content.row_count() > 0 {
            for (part, segment) in content.split(self.settings.file_rows_max).into_iter().enumerate() {
                let name = frame_name(at, is_full, manifest.epoch, inputs, part);
                objects.push(self.write_file(name, segment, progress).await?);
            }
        }
        progress.frames += 1;
        Ok(Frame { at, base: since.filter(|_| !is_full), objects })
    }

    /// The ids of the segments of runs, in ascending order.
    pub(super) async fn ids_of(&self, runs: &[Run]) -> Result<Vec<Id>, CompactError> {
        let mut all = Vec::new();
        for name in runs.iter().filter_map(|run| run.ids.as_ref()) {
            all.extend(self.beside(name, ids::decode, "it is no list of ids").await?);
        }
        all.sort_unstable();
        Ok(all)
    }

    /// The retry keys of the pushes of runs.
    pub(super) async fn keys_of(&self, runs: &[Run]) -> Result<Vec<Counted>, CompactError> {
        let mut all = Vec::new();
        for name in runs.iter().filter_map(|run| run.keys.as_ref()) {
            all.extend(self.beside(name, keys::decode, "it is no list of retry keys").await?);
        }
        Ok(all)
    }

    /// Of the retry keys of some segments those that counted before `from`.
    pub(super) async fn counted(
        &self,
        manifest: &Manifest,
        files: &[Read],
        from: Minute,
    ) -> Result<Vec<Counted>, CompactError> {
        let pushes = files.iter().flat_map(|file| &file.segment.pushes);
        let asked: HashSet<u128> =
            pushes.filter_map(|push| push.retry_key).map(|RetryKey { key, .. }| key).collect();
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let window_us = from.start_us().saturating_sub_unsigned(RETRY_WINDOW_US.unsigned_abs());
        let within = |run: &&Run| run.to.start_us() > window_us && run.from < from;
        let runs: Vec<Run> = manifest.runs.iter().filter(within).cloned().collect();
        let mut counted = self.keys_of(&runs).await?;
        counted.retain(|(retry, _)| asked.contains(&retry.key));
        Ok(counted)
    }

    async fn beside<T>(
        &self,
        name: &str,
        decode: impl Fn(&[u8]) -> Option<T>,
        damaged: &str,
    ) -> Result<T, CompactError> {
        let object = self.stream.below(name);
        let failed = |source| CompactError::Store { object: object.clone(), source };
        let bytes: Bytes = self.store.get(&object).await.map_err(failed)?.bytes().await.map_err(failed)?;
        let reason = damaged.to_owned();
        decode(&bytes).ok_or(CompactError::Damaged { object, reason })
    }
}

fn count(files: &[Read], progress: &mut Progress) {
    for file in files {
        progress.rows += file.segment.row_count() as u64;
        progress.read_bytes += file.bytes;
    }
}

/// Whether the next frame after these says all.
fn is_full(chain: &[&Frame]) -> bool {
    let rows = |frame: &&Frame| frame.objects.iter().map(|object| object.rows).sum::<u64>();
    match chain {
        [] => true,
        [full, deltas @ ..] => {
            let of_deltas: u64 = deltas.iter().map(rows).sum();
            deltas.len() >= CHAIN_MAX || of_deltas * DELTAS_PART > rows(full)
        }
    }
}
