//! What must hold of every manifest, and of every swap from one to the next. Who writes one checks before, and
//! `mayfly store verify` says by these names what is broken.

use std::collections::BTreeMap;
use std::fmt;

use object_store::path::Path;

use super::{Manifest, Reaching, Run};
use crate::layout::{Day, Minute, SegmentName};

/// Something that always holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Invariant {
    /// Watermark, the beginning of what is kept, epoch and the number of the lease never fall, and another holder has another
    /// number.
    WatermarkRises,
    /// Runs end at or before the watermark, and hold at least a minute and an object.
    RunsBelowWatermark,
    /// No minute is in two runs; of samples, no minute of one day of sample time.
    RunsDisjoint,
    /// The minutes of runs that go are covered by those that come, with as many rows, merged ones counted.
    NothingDropped,
    /// A frame lies at or before the watermark, and what it builds on is there and older.
    FramesBased,
    /// The number of deletions never falls, and one leaves only when all runs and frames, and what can still come, have nothing
    /// of it.
    DeletionsDone,
    /// What goes on after the watermark is called like a segment, is filed before the watermark, and ends at or after it.
    ReachingOver,
}

impl Invariant {
    /// The name in the documentation.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::WatermarkRises => "watermark-rises",
            Self::RunsBelowWatermark => "runs-below-watermark",
            Self::RunsDisjoint => "runs-disjoint",
            Self::NothingDropped => "nothing-dropped",
            Self::FramesBased => "frames-based",
            Self::DeletionsDone => "deletions-done",
            Self::ReachingOver => "reaching-over",
        }
    }
}

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{invariant} is violated: {what}")]
pub(crate) struct Violation {
    pub(crate) invariant: Invariant,
    /// Where, and what was found there.
    pub(crate) what: String,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn violated(invariant: Invariant, what: String) -> Result<(), Violation> {
    Err(Violation { invariant, what })
}

/// Whether `after` may follow `before`. Whether minutes may go without others that cover them – retention and deletion do that
/// – is for the caller to say: those before `kept_from` may.
pub(crate) fn check(before: &Manifest, after: &Manifest, kept_from: Option<Minute>) -> Result<(), Violation> {
    rises(before, after)?;
    stands(after)?;
    deletions_done(before, after)?;
    nothing_dropped(before, after, kept_from)
}

/// Whether a manifest by itself is sound.
pub(crate) fn stands(manifest: &Manifest) -> Result<(), Violation> {
    runs_below_watermark(manifest)?;
    runs_disjoint(manifest)?;
    frames_based(manifest)?;
    reaching_over(manifest)
}

fn rises(before: &Manifest, after: &Manifest) -> Result<(), Violation> {
    let violated = |what: String| violated(Invariant::WatermarkRises, what);
    if after.watermark < before.watermark {
        let [from, to] = [before.watermark, after.watermark].map(shown);
        return violated(format!("the watermark falls from {from} to {to}"));
    }
    if after.kept_from < before.kept_from {
        let [from, to] = [before.kept_from, after.kept_from].map(shown);
        return violated(format!("what is kept begins at {to} and not at {from}"));
    }
    if after.epoch < before.epoch {
        return violated(format!("the epoch falls from {} to {}", before.epoch, after.epoch));
    }
    let (old, new) = (&before.lease, &after.lease);
    if new.number < old.number || (new.holder != old.holder && new.number == old.number) {
        return violated(format!("the number of the lease goes from {} to {}", old.number, new.number));
    }
    Ok(())
}

fn shown(minute: Option<Minute>) -> String {
    minute.map_or_else(|| "the beginning".to_owned(), |minute| minute.to_string())
}

fn runs_below_watermark(manifest: &Manifest) -> Result<(), Violation> {
    for run in &manifest.runs {
        let what = if run.from >= run.to {
            "has no minute"
        } else if run.objects.is_empty() {
            "has no object"
        } else if Some(run.to) > manifest.watermark {
            "ends after the watermark"
        } else {
            continue;
        };
        let what = format!("{} {what} ({})", called(run), shown(manifest.watermark));
        return violated(Invariant::RunsBelowWatermark, what);
    }
    Ok(())
}

fn called(run: &Run) -> String {
    let day = run.day.map_or_else(String::new, |day| format!(" of {day}"));
    format!("the run from {} to {}{day}", run.from, run.to)
}

fn runs_disjoint(manifest: &Manifest) -> Result<(), Violation> {
    for of_day in by_day(&manifest.runs).values() {
        for pair in of_day.windows(2) {
            if let [earlier, later] = pair
                && later.from < earlier.to
            {
                let what = format!("{} and {} overlap", called(earlier), called(later));
                return violated(Invariant::RunsDisjoint, what);
            }
        }
    }
    Ok(())
}

/// The runs of each day of sample time, in order of minutes; those of pushes are all of no day.
fn by_day(runs: &[Run]) -> BTreeMap<Option<Day>, Vec<&Run>> {
    let mut days: BTreeMap<Option<Day>, Vec<&Run>> = BTreeMap::new();
    for run in runs {
        days.entry(run.day).or_default().push(run);
    }
    for of_day in days.values_mut() {
        of_day.sort_by_key(|run| (run.from, run.to));
    }
    days
}

fn nothing_dropped(before: &Manifest, after: &Manifest, kept_from: Option<Minute>) -> Result<(), Violation> {
    let violated = |what: String| violated(Invariant::NothingDropped, what);
    let (old, new) = (by_day(&before.runs), by_day(&after.runs));
    let none = Vec::new();
    for (day, old) in &old {
        let new = new.get(day).unwrap_or(&none);
        for gone in old.iter().filter(|run| !new.contains(run)) {
            if kept_from.is_some_and(|kept| gone.end() <= kept) {
                continue;
            }
            let Some(over) = new.iter().find(|run| run.from <= gone.from && gone.to <= run.to) else {
                return violated(format!("{} goes and none covers it", called(gone)));
            };
            let within = |run: &&&Run| over.from <= run.from && run.to <= over.to;
            let (had, has) = (old.iter().filter(within).map(|run| rows(run)).sum::<u64>(), rows(over));
            if has < had {
                return violated(format!("{} has {has} rows of {had}", called(over)));
            }
        }
    }
    Ok(())
}

/// Rows that came into a run, those counted that are merged with others. Heads say the same in fewer rows.
fn rows(run: &Run) -> u64 {
    let rows = |object: &super::Object| object.rows.saturating_sub(object.head_rows);
    run.objects.iter().map(rows).sum::<u64>() + run.rows_merged
}

fn deletions_done(before: &Manifest, after: &Manifest) -> Result<(), Violation> {
    let violated = |what: String| violated(Invariant::DeletionsDone, what);
    if after.deleted < before.deleted {
        return violated(format!(
            "the number of deletions falls from {} to {}",
            before.deleted, after.deleted
        ));
    }
    for gone in before.deletions.iter().filter(|recorded| !after.deletions.contains(recorded)) {
        let (number, through) = (gone.number, gone.through);
        if after.watermark.is_none_or(|watermark| watermark <= through) {
            let watermark = shown(after.watermark);
            return violated(format!(
                "deletion {number} goes at {watermark}, and segments of {through} may come"
            ));
        }
        if let Some(run) = after.runs.iter().find(|run| run.deleted < number) {
            return violated(format!("deletion {number} goes before {} was looked at", called(run)));
        }
        if let Some(frame) = after.frames.iter().find(|frame| frame.deleted < number) {
            return violated(format!(
                "deletion {number} goes before the frame at {} was looked at",
                frame.at
            ));
        }
    }
    let runs = after.runs.iter().map(|run| run.deleted);
    let highest = runs.chain(after.frames.iter().map(|frame| frame.deleted)).max().unwrap_or(0);
    if highest > after.deleted {
        return violated(format!("deletion {highest} is told of, and there were {}", after.deleted));
    }
    Ok(())
}

fn frames_based(manifest: &Manifest) -> Result<(), Violation> {
    let violated = |what: String| violated(Invariant::FramesBased, what);
    for (index, frame) in manifest.frames.iter().enumerate() {
        let at = frame.at;
        if Some(at) > manifest.watermark {
            return violated(format!(
                "the frame at {at} is after the watermark {}",
                shown(manifest.watermark)
            ));
        }
        if index > 0 && manifest.frames[index - 1].at >= at {
            return violated(format!("the frame at {at} stands after a later one"));
        }
        let is_there = |base: Minute| manifest.frames[..index].iter().any(|frame| frame.at == base);
        if let Some(base) = frame.base.filter(|base| !is_there(*base)) {
            return violated(format!(
                "the frame at {at} builds on one at {base}, which is not there before it"
            ));
        }
    }
    Ok(())
}

fn reaching_over(manifest: &Manifest) -> Result<(), Violation> {
    for Reaching { name, .. } in &manifest.reaching {
        let Ok(segment) = SegmentName::parse(&Path::from(name.as_str())) else {
            return violated(Invariant::ReachingOver, format!("{name} is not called like a segment"));
        };
        let is_over = manifest.watermark.is_some_and(|watermark| {
            Minute::of(segment.stamped_us) < watermark && segment.to_us >= watermark.start_us()
        });
        if !is_over {
            let what = format!("{name} does not reach over the watermark {}", shown(manifest.watermark));
            return violated(Invariant::ReachingOver, what);
        }
    }
    Ok(())
}
