//! What compaction makes of segments, step by step.

use std::sync::Arc;

use model::{RetryKey, Stamp};
use proptest::prelude::*;

use super::story::T0;
use crate::deletion::{Mask, Recorded};
use crate::merge::{MergeSettings, Span, frame, merge_pushes};
use crate::reader::Pushes;
use crate::segment::{Placing, Segment, checksum, decode, encode};

/// What a compactor does next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Merges segments up to so many milliseconds after the watermark.
    Tick(i64),
    /// Merges so many of the runs after the last frame to one.
    Merge(usize),
    /// Writes a frame: a full one, or one that says what differs.
    Frame(bool),
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..120i64).prop_map(Step::Tick),
        2 => (2..4usize).prop_map(Step::Merge),
        2 => any::<bool>().prop_map(Step::Frame),
    ]
}

/// A stream, and what a manifest would name.
pub(super) struct World {
    segments: Vec<Arc<Segment>>,
    cell_ms: Option<i64>,
    watermark_us: i64,
    runs: Vec<(Span, Arc<Segment>)>,
    /// When, and the frame with those that it builds on.
    frames: Vec<(i64, Vec<Arc<Segment>>)>,
    counted: Vec<(RetryKey, Stamp)>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let since = |at_us: i64| at_us / 1_000 - T0;
        let runs = self.runs.iter().map(|(span, _)| (since(span.from_us), since(span.end_us)));
        let frames = self.frames.iter().map(|(at_us, chain)| (since(*at_us), chain.len()));
        write!(f, "runs {:?} frames {:?}", runs.collect::<Vec<_>>(), frames.collect::<Vec<_>>())
    }
}

/// As it comes out of its file.
fn stored(segment: &Segment) -> Arc<Segment> {
    let file = encode(segment).expect("encodes");
    let sum = checksum(&file);
    Arc::new(decode(file, sum).expect("decodes"))
}

impl World {
    /// `cell_ms`: the resolution to which sums are kept.
    pub(super) fn new(segments: Vec<Arc<Segment>>, cell_ms: Option<i64>) -> Self {
        // long before there was anything, as a whole cell
        let watermark_us = (T0 - T0.rem_euclid(8) - 8) * 1_000;
        let (runs, frames, counted) = (Vec::new(), Vec::new(), Vec::new());
        Self { segments, cell_ms, watermark_us, runs, frames, counted }
    }

    pub(super) fn take(&mut self, step: &Step) {
        match *step {
            Step::Tick(more_ms) => {
                let more_ms = if self.cell_ms.is_some() { (more_ms + 7) / 8 * 8 } else { more_ms };
                let span = Span { from_us: self.watermark_us, end_us: self.watermark_us + more_ms * 1_000 };
                let inputs: Vec<_> = self.segments.clone();
                self.merge(&inputs, span);
                self.watermark_us = span.end_us;
            }
            Step::Merge(count) => {
                let framed_us = self.frames.last().map_or(i64::MIN, |(at_us, _)| *at_us);
                let free = self.runs.iter().rev().take_while(|(span, _)| span.from_us >= framed_us).count();
                let runs = self.runs.split_off(self.runs.len() - count.min(free));
                if let (Some((first, _)), Some((last, _))) = (runs.first(), runs.last()) {
                    let span = Span { from_us: first.from_us, end_us: last.end_us };
                    let inputs: Vec<_> = runs.into_iter().map(|(_, run)| run).collect();
                    self.merge(&inputs, span);
                }
            }
            Step::Frame(is_full) => {
                let base = self.frames.last().map_or(&[][..], |(_, chain)| &chain[..]);
                let framed_us = self.frames.last().map_or(i64::MIN, |(at_us, _)| *at_us);
                if framed_us == self.watermark_us || self.runs.is_empty() {
                    return;
                }
                let runs = self.runs.iter().filter(|(span, _)| span.from_us >= framed_us);
                let runs: Vec<_> = runs.map(|(_, run)| Arc::clone(run)).collect();
                let is_full = is_full || base.is_empty();
                let frame = stored(&frame(base, &runs, self.watermark_us, is_full, i64::MIN));
                let chain = if is_full { vec![frame] } else { [base, &[frame]].concat() };
                self.frames.push((self.watermark_us, chain));
            }
        }
    }

    fn merge(&mut self, inputs: &[Arc<Segment>], span: Span) {
        let settings = MergeSettings { aggregate_resolution_us: self.cell_ms.map(|ms| ms * 1_000) };
        let merged = merge_pushes(inputs, span, &self.counted, settings);
        self.counted.extend(merged.keys);
        let had =
            inputs.iter().flat_map(|input| &input.rows.at_us).filter(|at_us| span.contains(**at_us)).count();
        let has = merged.run.rows.len() as u64;
        assert_eq!(has + merged.repeated_rows + merged.joined_rows, had as u64, "every row is accounted for");
        self.runs.push((span, stored(&merged.run)));
    }

    /// Up to when everything is in runs.
    pub(super) fn known_ms(&self) -> i64 {
        self.watermark_us / 1_000
    }

    /// Takes what is deleted out of everything, as a compactor does.
    pub(super) fn delete(&mut self, recorded: &Recorded) {
        let mask = Mask::new([recorded].into_iter());
        let without =
            |file: &Arc<Segment>| mask.apply(file).map_or_else(|| Arc::clone(file), |left| stored(&left));
        self.segments.iter_mut().for_each(|segment| *segment = without(segment));
        self.runs.iter_mut().for_each(|(_, run)| *run = without(run));
        let spares = |(at_us, _): &(i64, Vec<Arc<Segment>>)| recorded.spares_sums_at(*at_us);
        let usable = self.frames.iter().position(|frame| !spares(frame)).unwrap_or(self.frames.len());
        self.frames.truncate(usable);
        self.frames.iter_mut().flat_map(|(_, chain)| chain).for_each(|frame| *frame = without(frame));
    }

    /// What a reader reads for a time from `start_ms` on.
    pub(super) fn readable(&self, start_ms: i64) -> Pushes {
        let frame = self.frames.iter().rfind(|(at_us, _)| *at_us <= start_ms * 1_000);
        let from_us = frame.map_or(i64::MIN, |(at_us, _)| *at_us);
        let runs =
            self.runs.iter().filter(|(span, _)| span.from_us >= from_us).map(|(_, run)| Arc::clone(run));
        let hot = self.segments.iter().map(|segment| Arc::new(since(segment, self.watermark_us)));
        Pushes {
            frames: frame.map(|(_, chain)| chain.clone()).unwrap_or_default(),
            segments: runs.chain(hot).collect(),
            counted: self.counted.iter().map(|(retry, stamp)| (*stamp, *retry)).collect(),
        }
    }
}

/// What of a segment was stamped at `from_us` or later: the rest is in a run.
fn since(segment: &Segment, from_us: i64) -> Segment {
    let is_since = |stamp: &Stamp| stamp.at_us >= from_us;
    let mut since = Segment {
        writer: segment.writer,
        aggregates: segment.aggregates,
        clears: segment.clears.iter().filter(|clear| is_since(&clear.stamp)).cloned().collect(),
        pushes: segment.pushes.iter().filter(|push| is_since(&push.stamp)).copied().collect(),
        descriptions: segment.descriptions.iter().filter(|d| is_since(&d.stamp)).cloned().collect(),
        ..Segment::default()
    };
    for series in &segment.series {
        for row in series.range.clone().filter(|row| segment.rows.at_us[*row] >= from_us) {
            let (at_us, value, told) =
                (segment.rows.at_us[row], segment.rows.value(row), segment.rows.told(row));
            let placing = Placing { at_us, value: &value, start_us: segment.rows.start_us(row), told };
            since.add(&series.labels, series.fingerprint, series.held.clone(), placing);
        }
    }
    since
}
