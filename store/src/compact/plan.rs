//! What is to be done next: a pure function of the manifest, of what lies in `hot/`, and of the time.

use std::collections::BTreeMap;

use super::CompactSettings;
use super::inputs::HotSegment;
use crate::layout::{Day, Minute};
use crate::manifest::{Level, Manifest, Run};

const HOUR: i64 = 60;

/// A piece of work that ends with a swap of the manifest.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Make runs of these segments: all that lie in these minutes, which are of one hour, and of those that go on after the
    /// watermark. The second minute is the new watermark.
    Tick { segments: Vec<HotSegment>, minutes: (Minute, Minute) },
    /// Make one run of these, which are of one hour or day; and for a day of pushes the frame at its end. There may be just
    /// one of them: then it stays.
    Merge { level: Level, runs: Vec<Run> },
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
    let (mut segments, mut rows, mut end) = (Vec::new(), 0, hour_end);
    for segment in pending.iter().take_while(|segment| segment.minute() < hour_end) {
        let minute = segment.minute();
        // whole minutes, and one at least
        if rows >= settings.rows_max
            && segments.last().is_some_and(|last: &HotSegment| last.minute() < minute)
        {
            end = minute;
            break;
        }
        rows += segment.name.rows;
        segments.push((*segment).clone());
    }
    let begin = watermark.map_or(hour, |watermark| watermark.max(hour));
    Step::Tick { segments, minutes: (begin, end) }
}

/// The first hour or day that is over and not yet one run.
fn merge(manifest: &Manifest, watermark: Minute) -> Option<Step> {
    let mut days: BTreeMap<(Day, Option<Day>), Vec<&Run>> = BTreeMap::new();
    for run in &manifest.runs {
        days.entry((run.from.day(), run.day)).or_default().push(run);
    }
    for ((day, of_samples), mut runs) in days {
        runs.sort_by_key(|run| run.from);
        let runs: Vec<Run> = runs.into_iter().cloned().collect();
        let end = day.next().start();
        let has_frame = of_samples.is_some() || manifest.frames.iter().any(|frame| frame.at >= end);
        if end <= watermark {
            if runs.len() > 1 || !has_frame {
                return Some(Step::Merge { level: Level::Day, runs });
            }
            continue;
        }
        for of_hour in runs.chunk_by(|a, b| a.from.hour() == b.from.hour()) {
            if of_hour.len() > 1 && of_hour[0].from.hour().plus(HOUR) <= watermark {
                return Some(Step::Merge { level: Level::Hour, runs: of_hour.to_vec() });
            }
        }
    }
    None
}
