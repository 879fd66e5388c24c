//! Makes frames.

use std::sync::Arc;

use super::commit::hash;
use super::merge::blocking;
use super::sources::Source;
use super::{CompactError, Compactor, Progress};
use crate::layout::{Minute, frame_name};
use crate::manifest::{Frame, Manifest, Object, Run};
use crate::merge::{FrameHeads, FrameMerge, Rounds, Survey, Surveyed, Uneven};
use crate::segment::Segment;

/// A frame that builds on others says all when those that it builds on, but for the full one, have so many parts of its rows.
const DELTAS_PART: u64 = 2;

/// And when they are so many.
const CHAIN_MAX: usize = 16;

/// That a group has expired is told for so long, while nobody pushes to it.
const EXPIRED_KEPT_US: i64 = 30 * 86_400_000_000;

/// What a frame is made of.
#[derive(Debug)]
pub(super) struct Basis<'m> {
    /// The frame that it goes on from, after those that that one builds on.
    pub(super) chain: Vec<&'m Frame>,
    /// What was pushed since.
    pub(super) runs: Vec<&'m Run>,
}

impl<'m> Basis<'m> {
    /// Of the frame at a minute.
    pub(super) fn of(manifest: &'m Manifest, at: Minute) -> Self {
        let chain = manifest.frames_before(at.start_us());
        let since = chain.last().map(|frame| frame.at);
        let is_new = |run: &&Run| run.to <= at && since.is_none_or(|since| run.from >= since);
        Self { runs: manifest.runs.iter().filter(is_new).collect(), chain }
    }

    /// The minute of the frame that it goes on from.
    pub(super) fn since(&self) -> Option<Minute> {
        self.chain.last().map(|frame| frame.at)
    }

    fn lists(&self) -> Vec<Vec<Object>> {
        let of_frames = self.chain.iter().map(|frame| frame.objects.clone());
        of_frames.chain(self.runs.iter().map(|run| run.objects.clone())).collect()
    }

    /// Whether the next frame says all.
    fn is_full(&self) -> bool {
        let rows = |frame: &&Frame| frame.objects.iter().map(|object| object.rows).sum::<u64>();
        match &self.chain[..] {
            [] => true,
            [full, deltas @ ..] => {
                let of_deltas: u64 = deltas.iter().map(rows).sum();
                deltas.len() >= CHAIN_MAX || of_deltas * DELTAS_PART > rows(full)
            }
        }
    }
}

impl Compactor {
    /// What is held at `at`, in the frame of that minute; `None`: that takes too much memory, since histograms whose pushes have
    /// different bounds have too many rows since the last frame.
    pub(super) async fn make_frame(
        &self,
        manifest: &Manifest,
        at: Minute,
        progress: &mut Progress,
    ) -> Result<Option<Frame>, CompactError> {
        let basis = Basis::of(manifest, at);
        let (lists, frames, is_full) = (basis.lists(), basis.chain.len(), basis.is_full());
        let since = basis.since();
        let inputs = hash(lists.iter().flatten().map(|object| object.name.as_str()));
        let (heads, mut sources) = self.open(lists.clone(), progress).await?;
        let mut heads = blocking(move || {
            let mut heads: Vec<Arc<Segment>> = heads.into_iter().map(Arc::new).collect();
            let runs = heads.split_off(frames);
            FrameHeads::of(&heads, &runs, at.start_us())
        })
        .await?;
        let mut surveyed = Surveyed::default();
        if heads.needs_survey() {
            let Some(found) = self.survey(heads, sources, &lists, progress).await? else { return Ok(None) };
            (heads, surveyed) = found;
            sources = self.open(lists, progress).await?.1;
        }
        let (limits, mut rounds) = (self.settings.file_limits(), Rounds::new(sources.len()));
        let expired_from_us = at.start_us().saturating_sub(EXPIRED_KEPT_US);
        let mut merge =
            blocking(move || FrameMerge::new(heads, surveyed, is_full, expired_from_us, limits)).await?;
        let mut objects = Vec::new();
        loop {
            let round;
            (rounds, round) = self.next_round(rounds, &mut sources, progress).await?;
            let is_last = round.is_last();
            let mut full;
            (merge, full) = blocking(move || {
                let full = merge.take(&round);
                (merge, full)
            })
            .await?;
            if is_last {
                full.extend(merge.finish());
                // a frame that says nothing needs no file
                full.retain(|file| file.row_count() > 0);
                self.write_frame(full, (at, is_full, manifest.epoch, inputs), &mut objects, progress).await?;
                break;
            }
            self.write_frame(full, (at, is_full, manifest.epoch, inputs), &mut objects, progress).await?;
        }
        progress.frames += 1;
        let deleted = manifest.deleted;
        Ok(Some(Frame { at, base: since.filter(|_| !is_full), objects, deleted }))
    }

    async fn write_frame(
        &self,
        files: Vec<Segment>,
        (at, is_full, epoch, inputs): (Minute, bool, u64, u64),
        objects: &mut Vec<Object>,
        progress: &mut Progress,
    ) -> Result<(), CompactError> {
        for file in files {
            let name = frame_name(at, is_full, epoch, inputs, objects.len());
            objects.push(self.write_file(name, file, progress).await?);
        }
        Ok(())
    }

    /// Looks at all rows, and another time at those of histograms whose pushes have different bounds; `None`: they are too many.
    async fn survey(
        &self,
        mut heads: FrameHeads,
        mut sources: Vec<Source>,
        lists: &[Vec<Object>],
        progress: &mut Progress,
    ) -> Result<Option<(FrameHeads, Surveyed)>, CompactError> {
        let (mut survey, mut rounds) = (Survey::new(&heads), Rounds::new(sources.len()));
        loop {
            let round;
            (rounds, round) = self.next_round(rounds, &mut sources, progress).await?;
            let is_last = round.is_last();
            survey = blocking(move || {
                survey.take(&round);
                survey
            })
            .await?;
            if is_last {
                break;
            }
        }
        let (mut surveyed, histograms) = survey.finish();
        if histograms.is_empty() {
            return Ok(Some((heads, surveyed)));
        }
        sources = self.open(lists.to_vec(), progress).await?.1;
        let (mut uneven, mut rounds) =
            (Uneven::new(histograms, self.settings.limits.uneven_rows_max), Rounds::new(sources.len()));
        loop {
            let round;
            (rounds, round) = self.next_round(rounds, &mut sources, progress).await?;
            let is_last = round.is_last();
            let fits;
            (uneven, fits) = blocking(move || {
                let fits = uneven.take(&round);
                (uneven, fits)
            })
            .await?;
            if !fits {
                return Ok(None);
            }
            if is_last {
                break;
            }
        }
        (heads, surveyed) = blocking(move || {
            uneven.finish(&heads, &mut surveyed);
            (heads, surveyed)
        })
        .await?;
        Ok(Some((heads, surveyed)))
    }
}
