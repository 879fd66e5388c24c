//! What is to be done next: a pure function of the manifest, of what lies in `hot/`, and of the time.

use std::collections::BTreeMap;

use super::CompactSettings;
use super::frames::Basis;
use super::inputs::HotSegment;
use crate::layout::{Day, Minute};
use crate::manifest::{Level, Manifest, Object, Run};

const HOUR: i64 = 60;

/// A piece of work that ends with a swap of the manifest.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Make runs of these segments: all that lie in these minutes, which are of one hour, and of those that go on after the
    /// watermark. The second minute is the new watermark.
    Tick { segments: Vec<HotSegment>, minutes: (Minute, Minute) },
    /// Make one run of these, which are of one hour or day.
    Merge { level: Level, runs: Vec<Run> },
    /// Say what is held at the end of a day of pushes.
    Frame { at: Minute },
    /// Nothing lies before this minute: say so, since something waits for it.
    Advance { to: Minute },
}

/// The next step, if there is one. `hot` is in order; everything before `sealed` is all that there will ever be.
pub(super) fn next(
    manifest: &Manifest,
    hot: &[HotSegment],
    sealed: Minute,
    settings: &CompactSettings,
) -> Option<Step> {
    let pending = |segment: &&HotSegment| {
        manifest.watermark.is_none_or(|watermark| segment.minute() >= watermark) && segment.minute() < sealed
    };
    let pending: Vec<&HotSegment> = hot.iter().filter(pending).collect();
    if let Some(first) = pending.first() {
        // what is over is merged first, so that a tick that is behind does not leave more and more files
        let due = manifest.watermark.and_then(|watermark| merge(manifest, watermark));
        return Some(due.unwrap_or_else(|| tick(manifest, first.minute(), &pending, sealed, settings)));
    }
    let watermark = manifest.watermark?;
    if let Some(step) = merge(manifest, watermark) {
        return Some(step);
    }
    if sealed > watermark && !manifest.reaching.is_empty() {
        // what goes on after the watermark is in no run yet, though nothing has come since
        return Some(tick(manifest, watermark, &pending, sealed, settings));
    }
    // the time alone may have made an hour or a day be over
    let is_due = sealed > watermark && merge(manifest, sealed).is_some();
    is_due.then_some(Step::Advance { to: sealed })
}

/// The next minutes that have something: from that of the first segment, or from the watermark where earlier segments go on.
fn tick(
    manifest: &Manifest,
    first: Minute,
    pending: &[&HotSegment],
    sealed: Minute,
    settings: &CompactSettings,
) -> Step {
    let watermark = manifest.watermark;
    let goes_on = watermark.filter(|_| !manifest.reaching.is_empty());
    let hour = goes_on.unwrap_or(first).hour();
    let hour_end = hour.plus(HOUR).min(sealed);
    let (mut segments, mut rows, mut bytes, mut end) = (Vec::new(), 0, 0, hour_end);
    for segment in pending.iter().take_while(|segment| segment.minute() < hour_end) {
        let minute = segment.minute();
        // whole minutes, and one at least
        let is_enough = rows >= settings.rows_max.min(settings.step_rows_max)
            || bytes >= settings.step_bytes_max
            || segments.len() >= settings.step_segments_max;
        if is_enough && segments.last().is_some_and(|last: &HotSegment| last.minute() < minute) {
            end = minute;
            break;
        }
        rows += segment.name.rows;
        bytes += segment.bytes;
        segments.push((*segment).clone());
    }
    let begin = watermark.map_or(hour, |watermark| watermark.max(hour));
    Step::Tick { segments, minutes: (begin, end) }
}

/// The first hour or day that is over and not yet one run.
fn merge(manifest: &Manifest, watermark: Minute) -> Option<Step> {
    let mut days: BTreeMap<(Day, Option<Day>), Vec<&Run>> = BTreeMap::new();
    // in order of minutes, as they are in the manifest
    for run in &manifest.runs {
        days.entry((run.from.day(), run.day)).or_default().push(run);
    }
    for ((day, of_samples), runs) in days {
        let end = day.next().start();
        if end <= watermark {
            if let Some(step) = merge_some(&runs, Level::Day) {
                return Some(step);
            }
            let has_frame = of_samples.is_some() || manifest.frames.iter().any(|frame| frame.at >= end);
            if !has_frame && fits_frame(manifest, end) {
                return Some(Step::Frame { at: end });
            }
            continue;
        }
        for of_hour in runs.chunk_by(|a, b| a.from.hour() == b.from.hour()) {
            if of_hour[0].from.hour().plus(HOUR) <= watermark
                && let Some(step) = merge_some(of_hour, Level::Hour)
            {
                return Some(step);
            }
        }
    }
    None
}

/// Runs that are merged at once.
const RUNS_MAX: usize = 64;

/// Of each run that is merged one file is in memory. Those of all runs together have no more bytes.
const OPEN_BYTES_MAX: u64 = 128 << 20;

/// What heads say is in memory as a whole. Of runs that are merged they have no more rows together, nor those that a frame is
/// made of; what has more stays as it is. It takes about 400 bytes for each.
pub(super) const HEAD_ROWS_MAX: u64 = 1 << 19;

/// Retry keys and ids of runs that are merged have no more bytes together.
const LIST_BYTES_MAX: u64 = 64 << 20;

/// What a merge of runs takes in memory.
#[derive(Clone, Copy, Default)]
struct Load {
    runs: usize,
    open_bytes: u64,
    head_rows: u64,
    list_bytes: u64,
}

impl Load {
    /// With another run, if that is not too much.
    fn and(self, run: &Run) -> Option<Self> {
        let more = Self {
            runs: self.runs + 1,
            open_bytes: self.open_bytes + run.objects.iter().map(|object| object.bytes).max().unwrap_or(0),
            head_rows: self.head_rows + head_rows(&run.objects),
            list_bytes: self.list_bytes + run.list_bytes,
        };
        let fits = more.runs <= RUNS_MAX
            && more.open_bytes <= OPEN_BYTES_MAX
            && more.head_rows <= HEAD_ROWS_MAX
            && more.list_bytes <= LIST_BYTES_MAX;
        fits.then_some(more)
    }
}

fn head_rows(objects: &[Object]) -> u64 {
    objects.iter().map(|object| object.head_rows).sum()
}

/// The first of some runs that follow each other and can be merged at once; `None` if no two can.
fn merge_some(runs: &[&Run], level: Level) -> Option<Step> {
    let mut first = 0;
    while first < runs.len() {
        let (mut load, mut end) = (Load::default(), first);
        while let Some(more) = runs.get(end).and_then(|run| load.and(run)) {
            (load, end) = (more, end + 1);
        }
        if end - first > 1 {
            // what is not all of it is merged again
            let level = if end - first == runs.len() { level } else { Level::Tick };
            let runs = runs[first..end].iter().copied().cloned().collect();
            return Some(Step::Merge { level, runs });
        }
        first = end.max(first + 1);
    }
    None
}

fn fits_frame(manifest: &Manifest, at: Minute) -> bool {
    let Basis { chain, runs } = Basis::of(manifest, at);
    let of_frames = chain.iter().map(|frame| head_rows(&frame.objects));
    of_frames.chain(runs.iter().map(|run| head_rows(&run.objects))).sum::<u64>() <= HEAD_ROWS_MAX
}
