//! What answers rest on: the files of both streams, what is not written yet, and what is deleted or kept no longer.
//!
//! A file of samples speaks of the times of its samples. What is pushed holds until something ends it, so a file of pushes speaks of
//! its first stamp and all that comes later, and of nothing before that. Objects never change, so their names stand for them.

use std::sync::atomic::Ordering;

use model::{Ground, GroundPiece};
use xxhash_rust::xxh3::Xxh3;

use super::look::{Look, Looks};
use super::{Reader, deleted};
use crate::layout::Minute;
use crate::manifest::Manifest;

impl Reader {
    /// See [`View::ground`](super::View::ground).
    pub(super) fn ground(&self, looks: &Looks) -> Option<Ground> {
        let Looks { pushes, samples } = looks;
        let is_unclear = |look: &Look| {
            !look.listed.left_out.is_empty() || look.listed.file_count() > self.settings.segments_max
        };
        if self.unreadable.count() > 0 || is_unclear(pushes) || is_unclear(samples) {
            return None;
        }
        // what is not written yet is something else at each moment
        let moment = self.moments.fetch_add(1, Ordering::Relaxed);
        let mut pieces = of_pushes(pushes, moment);
        pieces.extend(of_samples(samples, moment));
        Some(Ground::new(whole(&pushes.listed.manifest, &samples.listed.manifest), pieces))
    }
}

/// What concerns all times: what is deleted, and from when on is kept what there is.
fn whole(pushes: &Manifest, samples: &Manifest) -> u128 {
    let mut all = Xxh3::new();
    for manifest in [pushes, samples] {
        let kept_from_us = manifest.kept_from.map(Minute::start_us);
        all.update(format!("{} {kept_from_us:?};", deleted::told(manifest)).as_bytes());
    }
    all.digest128()
}

fn of_pushes(look: &Look, moment: u64) -> Vec<GroundPiece> {
    let manifest = &*look.listed.manifest;
    let since = |id, from_us| piece(id, (from_us, i64::MAX));
    let of_frames = manifest.frames.iter().flat_map(|frame| {
        let at_us = frame.at.start_us();
        let objects = frame.objects.iter().map(move |object| since(id("frame", &object.name, 0), at_us));
        // one of which nothing is held has no objects
        objects.chain([since(id("frame", "", at_us), at_us)])
    });
    let of_runs = manifest.runs.iter().flat_map(|run| &run.objects);
    let of_runs = of_runs.map(|object| since(id("run of pushes", &object.name, 0), object.times_us.0));
    // of these only counts what is in no run
    let watermark_us = manifest.watermark.map_or(i64::MIN, Minute::start_us);
    let reaching = manifest.reaching.iter();
    let reaching = reaching.map(|file| since(id("reaching", &file.name, watermark_us), watermark_us));
    let hot = look.listed.hot.iter();
    let hot = hot.map(|hot| since(id("hot", hot.found.object.as_ref(), 0), hot.name.from_us));
    let tail = look.tail_from.iter();
    let tail = tail.map(|minute| since(id("tail of pushes", "", moment.cast_signed()), minute.start_us()));
    of_frames.chain(of_runs).chain(reaching).chain(hot).chain(tail).collect()
}

fn of_samples(look: &Look, moment: u64) -> Vec<GroundPiece> {
    let of_runs = look.listed.manifest.runs.iter().flat_map(|run| &run.objects);
    let of_runs = of_runs.map(|object| piece(id("run of samples", &object.name, 0), object.times_us));
    let hot = look.listed.hot.iter();
    let hot =
        hot.map(|hot| piece(id("hot", hot.found.object.as_ref(), 0), (hot.name.from_us, hot.name.to_us)));
    let tail = look.tail.iter().enumerate().filter_map(|(place, segment)| {
        let times_us = &segment.rows.at_us;
        let (first, last) = (times_us.iter().min()?, times_us.iter().max()?);
        let name = format!("{place}");
        Some(piece(id("tail of samples", &name, moment.cast_signed()), (*first, *last)))
    });
    of_runs.chain(hot).chain(tail).collect()
}

fn id(kind: &str, name: &str, more: i64) -> u128 {
    let mut all = Xxh3::new();
    for part in [kind, name] {
        all.update(part.as_bytes());
        all.update(&[0]);
    }
    all.update(&more.to_le_bytes());
    all.digest128()
}

/// What speaks of some microseconds.
fn piece(id: u128, (from_us, until_us): (i64, i64)) -> GroundPiece {
    GroundPiece { id, from_ms: from_us.div_euclid(1_000), until_ms: until_us.div_euclid(1_000) }
}
