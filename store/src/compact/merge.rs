//! Merges what comes part by part, by the kind of the stream, and writes files as they are full.

use std::collections::BTreeMap;

use model::{RetryKey, Stamp};

use super::lease::micros;
use super::sources::Source;
use super::{CompactError, CompactSettings, Compactor, Progress};
use crate::compute;
use crate::layout::{Day, MergedName};
use crate::manifest::Object;
use crate::merge::{
    Cells, Contested, FileLimits, Known, PushMerge, Round, Rounds, SampleMerge, Span, Stamps,
};
use crate::segment::Segment;

/// What a stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Pushes,
    Samples,
}

/// A merge under way.
#[derive(Debug)]
pub(super) enum Merge {
    Pushes(Box<PushMerge>),
    Samples(SampleMerge),
}

/// What inputs have become: of pushes one run, of samples one for each day of their time.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) files: BTreeMap<Option<Day>, Vec<Object>>,
    /// The retry keys that counted in segments.
    pub(super) keys: Vec<(RetryKey, Stamp)>,
    /// How many rows are gone.
    pub(super) rows_merged: u64,
}

impl CompactSettings {
    pub(super) fn file_limits(&self) -> FileLimits {
        FileLimits { rows_max: self.file_rows_max, bytes_max: self.file_bytes_max }
    }
}

impl Merge {
    /// A merge of segments. `rows`: of all of them, if they are there.
    pub(super) fn of_segments(
        kind: Kind,
        (heads, rows): (&[Segment], Option<&[Segment]>),
        span: Span,
        counted: &[(RetryKey, Stamp)],
        stamps: Stamps,
        settings: &CompactSettings,
    ) -> Self {
        let limits = settings.file_limits();
        if kind == Kind::Samples {
            return Self::Samples(SampleMerge::new(limits, heads, Day::of(span.from_us)));
        }
        let by_us = Some(micros(settings.aggregate_resolution)).filter(|by_us| *by_us > 0);
        let cells = by_us.map(|by_us| match rows {
            Some(rows) => Cells::of(rows, span, by_us),
            None => Cells::without_histograms(by_us),
        });
        let contested = Contested::of(stamps);
        let known = Known { heads, span, counted, contested, cells, limits };
        Self::Pushes(Box::new(PushMerge::new(known)))
    }

    /// A merge of runs: what may be joined is joined, what repeats another is gone, and writers stand where they are needed.
    pub(super) fn of_runs(kind: Kind, heads: &[Segment], span: Span, settings: &CompactSettings) -> Self {
        let limits = settings.file_limits();
        if kind == Kind::Samples {
            return Self::Samples(SampleMerge::new(limits, heads, Day::of(span.from_us)));
        }
        let contested = Contested::told();
        let known = Known { heads, span, counted: &[], contested, cells: None, limits };
        Self::Pushes(Box::new(PushMerge::new(known)))
    }

    fn take(&mut self, round: &Round) -> Vec<(Option<Day>, Segment)> {
        match self {
            Self::Pushes(merge) => merge.take(round).into_iter().map(|file| (None, file)).collect(),
            Self::Samples(merge) => {
                merge.take(round).into_iter().map(|(day, file)| (Some(day), file)).collect()
            }
        }
    }

    fn finish(self) -> Vec<(Option<Day>, Segment)> {
        match self {
            Self::Pushes(merge) => merge.finish().into_iter().map(|file| (None, file)).collect(),
            Self::Samples(merge) => merge.finish().into_iter().map(|(day, file)| (Some(day), file)).collect(),
        }
    }

    fn made(&mut self) -> Made {
        match self {
            Self::Pushes(merge) => Made {
                keys: std::mem::take(&mut merge.keys),
                rows_merged: merge.repeated_rows + merge.joined_rows,
                ..Made::default()
            },
            Self::Samples(merge) => Made { rows_merged: merge.rows_dropped, ..Made::default() },
        }
    }
}

impl Compactor {
    /// Merges all that sources give. `name` tells what the files of a day are called.
    pub(super) async fn merge(
        &self,
        mut sources: Vec<Source>,
        mut merge: Merge,
        name: impl Fn(Option<Day>) -> MergedName + Send + Sync,
        progress: &mut Progress,
    ) -> Result<Made, CompactError> {
        let mut rounds = Rounds::new(sources.len());
        let mut files: BTreeMap<Option<Day>, Vec<Object>> = BTreeMap::new();
        loop {
            let round;
            (rounds, round) = self.next_round(rounds, &mut sources, progress).await?;
            let (full, is_last);
            (merge, full, is_last) = blocking(move || {
                let full = merge.take(&round);
                (merge, full, round.is_last())
            })
            .await?;
            self.write_files(full, &name, &mut files, progress).await?;
            if is_last {
                break;
            }
        }
        drop(sources);
        let made = merge.made();
        self.write_files(merge.finish(), &name, &mut files, progress).await?;
        Ok(Made { files, ..made })
    }

    /// Takes rows of all sources until some can be merged.
    pub(super) async fn next_round(
        &self,
        mut rounds: Rounds,
        sources: &mut [Source],
        progress: &mut Progress,
    ) -> Result<(Rounds, Round), CompactError> {
        while let Some(index) = rounds.wanting() {
            let part = self.next_part(&mut sources[index], progress).await?;
            rounds.give(index, part);
        }
        blocking(move || {
            let round = rounds.take();
            (rounds, round)
        })
        .await
    }

    async fn write_files(
        &self,
        full: Vec<(Option<Day>, Segment)>,
        name: impl Fn(Option<Day>) -> MergedName + Send,
        files: &mut BTreeMap<Option<Day>, Vec<Object>>,
        progress: &mut Progress,
    ) -> Result<(), CompactError> {
        for (day, file) in full {
            let of_day = files.entry(day).or_default();
            let name = name(day).part(of_day.len());
            of_day.push(self.write_file(name, file, progress).await?);
        }
        Ok(())
    }
}

/// Does what takes a processor and not the store.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, CompactError> {
    Ok(compute::merge(work).await?)
}
