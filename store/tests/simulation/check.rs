//! Compares what is read with what the books say.
//!
//! Of most segments it is known what must be seen: once acknowledged, all of it. Of some it is not: a PUT that failed may have been
//! done, and a segment that was stamped anew may count under either stamp until it is in a run. Then one of the choices must fit,
//! the same for everything that is read at once.

use std::collections::{BTreeMap, BTreeSet};

use model::{Labels, Push, Series, Stamp};

use super::ledger::{Answer, Batch, Given, Id, Kept, Ledger, MINUTE_US, Variant};
use super::manifest::{Deletion, Merged};
use super::processes::told_with;
use super::reference::Reference;

/// More choices are not tried: then the read tells nothing.
const CHOICES_MAX: usize = 4_096;

/// What may count of a segment: one of its variants, or nothing.
type Choice = Option<usize>;

/// What a read was and when.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) began_us: i64,
    pub(crate) ended_us: i64,
    /// The times that are asked for, in ms.
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    /// What the process of the reader holds itself, and where.
    pub(crate) tail: BTreeMap<usize, i64>,
    /// Whose process it is, if it writes too.
    pub(crate) writer: u64,
    /// How many entries there were when it began.
    pub(crate) entries: usize,
    /// Times to look at besides those at which something happened.
    pub(crate) also_ms: Vec<i64>,
}

/// What came of a comparison.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Fits,
    /// There are too many choices.
    Undecided,
}

/// What may count of a segment in a read, while there is something to be seen from a time on.
fn choices(
    ledger: &Ledger,
    merged: &Merged,
    id: Id,
    batch: &Batch,
    asked: &Asked,
    kept_us: i64,
) -> Result<Vec<Choice>, String> {
    let is_durable = ledger.is_durable(batch, asked.began_us);
    let minute = |variant: &Variant| variant.minute_us;
    if let Some(minute_us) = merged.minutes.get(&id).and_then(|minutes| minutes.first()) {
        return in_run(batch, *minute_us).ok_or_else(|| format!("{id:?} is in a run and was never there"));
    }
    if batch.variants.iter().any(|variant| variant.is_too_late(kept_us)) {
        // it may have been merged while somebody read, before what it may repeat was dropped
        let stream = usize::from(matches!(ledger.entries[batch.entries[0]].given, Given::Samples(_)));
        let minutes = ledger.merged[stream].minutes.get(&id);
        let merged = minutes.and_then(BTreeSet::first).and_then(|minute_us| in_run(batch, *minute_us));
        return Ok(merged.into_iter().flatten().chain([None]).collect());
    }
    let is_before = |variant: &Variant| minute(variant) < merged.watermark_us;
    if batch.variants.iter().all(is_before) && !ledger.is_waiting(batch) {
        let is_in_time = batch.variants.iter().any(|variant| variant.is_in_time(asked.began_us));
        if is_durable || is_in_time && !batch.is_taken_back {
            return Err(format!(
                "{id:?} counts, lies before the watermark and is in no run: {:?}",
                batch.variants
            ));
        }
        return Ok(vec![None]);
    }
    let has_landed = |variant: &Variant| variant.landed_us.is_some_and(|at_us| at_us <= asked.ended_us);
    let landed = batch.variants.iter().enumerate().filter(|(_, variant)| has_landed(variant));
    let mut choices: Vec<Choice> = landed.rev().map(|(index, _)| Some(index)).collect();
    let is_sure =
        batch.variants.iter().any(|variant| variant.is_in_time(asked.began_us)) && !batch.is_taken_back;
    if !is_durable && !is_sure {
        choices.push(None);
    }
    if choices.is_empty() {
        return Err(format!("{id:?} was acknowledged and never came to the store"));
    }
    Ok(choices)
}

/// What a run has of a segment that it has under a minute. Of several under one minute the last by name counts, as
/// docs/format.md says, but what came too late may not have been there when it was merged. `None`: nothing was.
fn in_run(batch: &Batch, minute_us: i64) -> Option<Vec<Choice>> {
    let of_minute = batch.variants.iter().enumerate().filter(|(_, variant)| variant.minute_us == minute_us);
    let in_time = of_minute.clone().filter(|(_, variant)| variant.is_in_time(i64::MAX));
    let last = in_time.max_by(|(_, a), (_, b)| a.path.cmp(&b.path));
    let late = of_minute.filter(|(_, variant)| {
        let is_later = last.is_none_or(|(_, last)| variant.path > last.path);
        variant.landed_us.is_some() && !variant.is_in_time(i64::MAX) && is_later
    });
    let choices: Vec<Choice> = last.into_iter().chain(late).map(|(index, _)| Some(index)).collect();
    (!choices.is_empty()).then_some(choices)
}

/// Tries all choices until one fits; tells what is wrong with the first if none does.
fn fit(
    ledger: &Ledger,
    merged: &Merged,
    asked: &Asked,
    kept_us: i64,
    is_asked: impl Fn(&Given) -> bool,
    different: impl Fn(&[(Id, &Batch, &Variant)]) -> String,
) -> Result<Outcome, String> {
    let mut all = Vec::new();
    for (id, batch) in &ledger.batches {
        if !asked.tail.contains_key(&batch.entries[0]) && is_asked(&ledger.entries[batch.entries[0]].given) {
            all.push((*id, batch, choices(ledger, merged, *id, batch, asked, kept_us)?));
        }
    }
    let mut at = vec![0; all.len()];
    let mut first = None;
    for _ in 0..CHOICES_MAX {
        let chosen: Vec<(Id, &Batch, &Variant)> = all
            .iter()
            .zip(&at)
            .filter_map(|((id, batch, choices), at)| Some((*id, *batch, &batch.variants[choices[*at]?])))
            .collect();
        let wrong = different(&chosen);
        if wrong.is_empty() {
            return Ok(Outcome::Fits);
        }
        first.get_or_insert(wrong);
        // the next one, as a number is counted up
        let mut next = None;
        for ((_, _, choices), at) in all.iter().zip(&mut at) {
            *at += 1;
            if *at < choices.len() {
                next = Some(());
                break;
            }
            *at = 0;
        }
        if next.is_none() {
            let open = all.iter().filter(|(_, _, choices)| choices.len() > 1).count();
            return Err(format!("{} ({open} segments may be there or not)", first.unwrap_or_default()));
        }
    }
    Ok(Outcome::Undecided)
}

/// Compares pushed series. `began_us` is when the story began: the reference counts from there.
pub(crate) fn pushed(
    ledger: &Ledger,
    merged: &Merged,
    asked: &Asked,
    story_us: i64,
    found: &[Series],
) -> Result<Outcome, String> {
    let story_ms = story_us / 1_000;
    let show = |labels: &BTreeMap<Labels, f64>| format!("{labels:?}");
    let at = |at_ms: i64| -> BTreeMap<Labels, f64> {
        let value = |series: &Series| Some(series.steps.values[series.steps.at(at_ms)?]);
        found.iter().filter_map(|series| Some((series.labels.clone(), value(series)?))).collect()
    };
    let with = |deletions: &[Deletion], kept_us: i64| {
        let kept_ms = kept_us.div_euclid(1_000);
        fit(
            ledger,
            merged,
            asked,
            kept_us,
            |given| matches!(given, Given::Push(_)),
            |chosen| {
                let mut stamped: Vec<(Stamp, Push)> = Vec::new();
                for ((writer, _), _, variant) in chosen {
                    for (index, at_us) in variant.entries.iter().zip(&variant.stamps_us) {
                        let Given::Push(push) = &ledger.entries[*index].given else { continue };
                        stamped.push((Stamp { at_us: at_us - story_us, writer: *writer }, push.clone()));
                    }
                }
                for (index, at_us) in &asked.tail {
                    let Given::Push(push) = &ledger.entries[*index].given else { continue };
                    stamped.push((Stamp { at_us: at_us - story_us, writer: asked.writer }, push.clone()));
                }
                stamped.sort_by_key(|(stamp, _)| *stamp);
                let is_deleted = |labels: &Labels, stamp: Stamp| {
                    deletions.iter().any(|deletion| deletion.means(labels, stamp.at_us + story_us, None))
                };
                let reference = Reference::without(&stamped, &is_deleted);
                for at_ms in times(&stamped, asked, story_ms, kept_ms) {
                    let found = at(at_ms);
                    let different = match at_ms < kept_ms {
                        true if found.is_empty() => String::new(),
                        true => format!("{} is kept no more", show(&found)),
                        false => reference.different(&found, at_ms - story_ms),
                    };
                    if !different.is_empty() {
                        return format!("at {} ms: {different}", at_ms - story_ms);
                    }
                }
                String::new()
            },
        )
    };
    as_manifests_say(&ledger.deletions[0], &ledger.kept[0], asked, with)
}

/// What goes while somebody reads, deleted or no longer kept, may be there or not; it is deleted in order. `with`: what was deleted,
/// and from when on, in µs, there is something to be seen.
fn as_manifests_say(
    deletions: &[Deletion],
    kept: &[Kept],
    asked: &Asked,
    with: impl Fn(&[Deletion], i64) -> Result<Outcome, String>,
) -> Result<Outcome, String> {
    let by = |at_us: i64| deletions.partition_point(|deletion| deletion.landed_us <= at_us);
    let kept_by = |at_us: i64| kept.partition_point(|kept| kept.landed_us <= at_us);
    let mut wrong = String::new();
    for kept_count in kept_by(asked.began_us)..=kept_by(asked.ended_us) {
        let kept = kept_count.checked_sub(1).map(|last| kept[last].from_us);
        for count in by(asked.began_us)..=by(asked.ended_us) {
            match with(&deletions[..count], kept.unwrap_or(i64::MIN)) {
                Err(found) if wrong.is_empty() => {
                    wrong = format!("{count} deletions, kept from {kept:?}: {found}");
                }
                Err(_) => {}
                fits => return fits,
            }
        }
    }
    Err(wrong)
}

/// The times at which something changes, just before them, and what else is to be looked at.
fn times(stamped: &[(Stamp, Push)], asked: &Asked, story_ms: i64, kept_ms: i64) -> BTreeSet<i64> {
    let changes = stamped.iter().flat_map(|(stamp, push)| {
        let until_us = push.ttl_us.map(|ttl_us| stamp.at_us + ttl_us.cast_signed());
        [Some(stamp.at_us), until_us].into_iter().flatten().map(|at_us| at_us.div_euclid(1_000) + story_ms)
    });
    let all = changes.flat_map(|at_ms| [at_ms - 1, at_ms]).chain(asked.also_ms.iter().copied());
    all.chain([asked.from_ms, asked.to_ms, kept_ms.saturating_sub(1), kept_ms])
        .filter(|at_ms| (asked.from_ms..=asked.to_ms).contains(at_ms))
        .collect()
}

/// Compares samples: of those of one series and time the one in the latest segment counts.
pub(crate) fn sampled(
    ledger: &Ledger,
    merged: &Merged,
    asked: &Asked,
    found: &[Series],
) -> Result<Outcome, String> {
    let mut held: BTreeMap<(&str, i64), f64> = BTreeMap::new();
    for series in found {
        for (at_ms, value) in series.samples.timestamps_ms.iter().zip(&series.samples.values) {
            if (asked.from_ms..=asked.to_ms).contains(at_ms) {
                held.insert((series.labels.metric_name(), *at_ms), *value);
            }
        }
    }
    let with = |deletions: &[Deletion], kept_us: i64| {
        let kept_ms = kept_us.div_euclid(1_000);
        fit(
            ledger,
            merged,
            asked,
            kept_us,
            |given| matches!(given, Given::Samples(_)),
            |chosen| {
                let mut chosen = chosen.to_vec();
                chosen.sort_by_key(|(id, _, variant)| (variant.minute_us / MINUTE_US, *id));
                let mut expected: BTreeMap<(&str, i64), f64> = BTreeMap::new();
                for (_, _, variant) in chosen {
                    let is_left = |name: &str, at_ms: i64| {
                        let labels = Labels::from_pairs([(Labels::NAME, name)]);
                        let minute_us = Some(variant.minute_us);
                        !deletions.iter().any(|deletion| deletion.means(&labels, at_ms * 1_000, minute_us))
                    };
                    for index in &variant.entries {
                        let Given::Samples(samples) = &ledger.entries[*index].given else { continue };
                        let within = samples
                            .iter()
                            .filter(|(_, at_ms, _)| {
                                (asked.from_ms.max(kept_ms)..=asked.to_ms).contains(at_ms)
                            })
                            .filter(|(name, at_ms, _)| is_left(name, *at_ms));
                        expected.extend(within.map(|(name, at_ms, value)| ((name.as_str(), *at_ms), *value)));
                    }
                }
                let all: BTreeSet<_> = held.keys().chain(expected.keys()).collect();
                let wrong = all.into_iter().filter(|key| held.get(*key) != expected.get(*key));
                wrong
                    .map(|key| {
                        format!("{key:?}: found {:?}, expected {:?}; ", held.get(key), expected.get(key))
                    })
                    .collect()
            },
        )
    };
    as_manifests_say(&ledger.deletions[1], &ledger.kept[1], asked, with)
}

/// Compares the families of which is told with samples: all that were acknowledged must be there, if they are still kept, and none that
/// nobody told.
pub(crate) fn told(ledger: &Ledger, by_us: i64, found: &BTreeSet<String>) -> Result<(), String> {
    let kept_us = ledger.kept[1].last().map_or(i64::MIN, |kept| kept.from_us).max(by_us - TOLD_US);
    let mut known = BTreeSet::new();
    for batch in ledger.batches.values() {
        // under whichever of its minutes it counts
        let is_kept = batch.variants.iter().all(|variant| variant.minute_us >= kept_us);
        for index in &batch.entries {
            let entry = &ledger.entries[*index];
            let Given::Samples(samples) = &entry.given else { continue };
            let Some(family) = told_with(samples) else { continue };
            let is_durable = matches!(entry.answer, Answer::Durable(at_us) if at_us <= by_us);
            if is_durable && is_kept && !found.contains(&family) {
                return Err(format!("{family} was told by #{index}, and is not known"));
            }
            known.insert(family);
        }
    }
    match found.difference(&known).next() {
        Some(family) => Err(format!("{family} is known, and nobody told it")),
        None => Ok(()),
    }
}

/// What is told of samples is known for a week, in whole minutes.
const TOLD_US: i64 = (7 * 24 * 60 - 1) * MINUTE_US;

#[test]
fn of_what_came_twice_under_one_minute_the_last_by_name_is_in_a_run() {
    let minute_us = 1_795_222_080_000_000;
    // by name, and how long after the end of the minute it came: the first was sent last
    let in_run_of = |came: [Option<i64>; 3]| {
        let mut ledger = Ledger::default();
        ledger.given(1, Given::Samples(Vec::new()), minute_us, true);
        for (name, came_s) in [3, 1, 2].into_iter().zip(came) {
            let name = format!(
                "hot/20261121T0048/000000000000000100000000-{name}-9-1-0-again-20261121T0048.parquet"
            );
            let path = object_store::path::Path::from(name);
            ledger.sent(&path, &bytes::Bytes::new(), None, minute_us).expect("was given");
            if let Some(came_s) = came_s {
                ledger.landed(&path, minute_us + MINUTE_US + came_s * 1_000_000);
            }
        }
        in_run(&ledger.batches[&(1, 0)], minute_us)
    };
    assert_eq!(in_run_of([None, Some(0), Some(0)]), Some(vec![Some(2)]));
    assert_eq!(in_run_of([Some(0), Some(0), Some(0)]), Some(vec![Some(0)]));
    assert_eq!(in_run_of([Some(0), Some(900), Some(900)]), Some(vec![Some(0)]));
    // it may have come before the run was made, or after it
    assert_eq!(in_run_of([Some(900), Some(0), None]), Some(vec![Some(1), Some(0)]));
    assert_eq!(in_run_of([Some(900), None, None]), Some(vec![Some(0)]));
    assert_eq!(in_run_of([None; 3]), None);
}
