//! What is to be done next: a pure function of the manifest, of what lies in `hot/`, and of the time.

use std::collections::{BTreeMap, BTreeSet};

use super::CompactSettings;
use super::frames::Basis;
use super::inputs::HotSegment;
use super::limits::{Load, MergeLimit, MergeLimits, head_rows};
use super::progress::Unmerged;
use crate::deletion::Recorded;
use crate::layout::{Day, Minute};
use crate::manifest::{Level, Manifest, Run};

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
    /// Take what is deleted out of runs.
    PurgeRuns,
    /// Take it out of frames.
    PurgeFrames,
    /// Nothing is left of some deletions.
    Forget,
}

/// The frames that follow on this one cannot be made; inside: the minute of that, `None` if there is none yet.
pub(super) type Uneven = Option<Option<Minute>>;

/// The next step, if there is one. `hot` is in order; everything before `sealed` is all that there will ever be.
pub(super) fn next(
    manifest: &Manifest,
    hot: &[HotSegment],
    sealed: Minute,
    settings: &CompactSettings,
    uneven: Uneven,
) -> Option<Step> {
    if let Some(step) = purge(manifest) {
        return Some(step);
    }
    let pending = |segment: &&HotSegment| {
        manifest.watermark.is_none_or(|watermark| segment.minute() >= watermark) && segment.minute() < sealed
    };
    let pending: Vec<&HotSegment> = hot.iter().filter(pending).collect();
    let due = |watermark| due(manifest, watermark, &settings.limits, uneven).0;
    if let Some(first) = pending.first() {
        // what is over is merged first, so that a tick that is behind does not leave more and more files
        let due = manifest.watermark.and_then(due);
        return Some(due.unwrap_or_else(|| tick(manifest, first.minute(), &pending, sealed, settings)));
    }
    if manifest.deletions.iter().any(|recorded| sealed > recorded.through)
        && manifest.reaching.is_empty()
        && manifest.watermark < Some(sealed)
    {
        // nothing of it can come any more
        return Some(Step::Advance { to: sealed });
    }
    let watermark = manifest.watermark?;
    if let Some(step) = due(watermark) {
        return Some(step);
    }
    if sealed > watermark && !manifest.reaching.is_empty() {
        // what goes on after the watermark is in no run yet, though nothing has come since
        return Some(tick(manifest, watermark, &pending, sealed, settings));
    }
    // the time alone may have made an hour or a day be over
    let is_due = sealed > watermark && due(sealed).is_some();
    is_due.then_some(Step::Advance { to: sealed })
}

/// What deletions want. Runs that are made later have nothing of what is deleted already.
fn purge(manifest: &Manifest) -> Option<Step> {
    if manifest.deletions.is_empty() {
        return None;
    }
    if manifest.runs.iter().any(|run| run.deleted < manifest.deleted) {
        return Some(Step::PurgeRuns);
    }
    if manifest.frames.iter().any(|frame| frame.deleted < manifest.deleted) {
        return Some(Step::PurgeFrames);
    }
    let is_over = |recorded: &Recorded| manifest.watermark.is_some_and(|mark| mark > recorded.through);
    manifest.deletions.iter().any(is_over).then_some(Step::Forget)
}

/// What is left as it is, since it would take too much memory.
pub(super) fn unmerged(manifest: &Manifest, limits: &MergeLimits, uneven: Uneven) -> Unmerged {
    manifest.watermark.map(|watermark| due(manifest, watermark, limits, uneven).1).unwrap_or_default()
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

/// The first hour or day that is over and not yet one run, and what cannot become one.
fn due(
    manifest: &Manifest,
    watermark: Minute,
    limits: &MergeLimits,
    uneven: Uneven,
) -> (Option<Step>, Unmerged) {
    let mut days: BTreeMap<(Day, Option<Day>), Vec<&Run>> = BTreeMap::new();
    // in order of minutes, as they are in the manifest
    for run in &manifest.runs {
        days.entry((run.from.day(), run.day)).or_default().push(run);
    }
    let mut unmerged = Unmerged::default();
    for ((day, of_samples), runs) in days {
        let end = day.next().start();
        if end <= watermark {
            match merge_some(&runs, Level::Day, limits) {
                Ok(step) => return (Some(step), unmerged),
                Err(reached) => unmerged.add_runs(runs.len(), reached),
            }
            if of_samples.is_some() || manifest.frames.iter().any(|frame| frame.at >= end) {
                continue;
            }
            match frame_limit(manifest, end, limits, uneven) {
                None => return (Some(Step::Frame { at: end }), unmerged),
                Some(limit) => unmerged.add_frame(limit),
            }
            continue;
        }
        for of_hour in runs.chunk_by(|a, b| a.from.hour() == b.from.hour()) {
            if of_hour[0].from.hour().plus(HOUR) <= watermark {
                match merge_some(of_hour, Level::Hour, limits) {
                    Ok(step) => return (Some(step), unmerged),
                    Err(reached) => unmerged.add_runs(of_hour.len(), reached),
                }
            }
        }
    }
    (None, unmerged)
}

/// The first of some runs that follow each other and can be merged at once. If no two can: what keeps them from it, nothing
/// where it is one run.
fn merge_some(runs: &[&Run], level: Level, limits: &MergeLimits) -> Result<Step, BTreeSet<MergeLimit>> {
    let (mut first, mut reached) = (0, BTreeSet::new());
    while first < runs.len() {
        let (mut load, mut end) = (Load::default(), first);
        while let Some(run) = runs.get(end) {
            match load.and(run, limits) {
                Ok(more) => (load, end) = (more, end + 1),
                Err(limit) => {
                    reached.insert(limit);
                    break;
                }
            }
        }
        if end - first > 1 {
            // what is not all of it is merged again
            let level = if end - first == runs.len() { level } else { Level::Tick };
            let runs = runs[first..end].iter().copied().cloned().collect();
            return Ok(Step::Merge { level, runs });
        }
        first = end.max(first + 1);
    }
    Err(reached)
}

/// What keeps the frame of a minute from being made.
fn frame_limit(manifest: &Manifest, at: Minute, limits: &MergeLimits, uneven: Uneven) -> Option<MergeLimit> {
    let basis = Basis::of(manifest, at);
    if uneven == Some(basis.since()) {
        // what a later one is made of is more
        return Some(MergeLimit::UnevenRows);
    }
    let of_frames = basis.chain.iter().map(|frame| head_rows(&frame.objects));
    let rows = of_frames.chain(basis.runs.iter().map(|run| head_rows(&run.objects))).sum::<u64>();
    (rows > limits.head_rows_max).then_some(MergeLimit::HeadRows)
}
