//! The steps of a tick, each of which ends with a swap of the manifest.

use xxhash_rust::xxh3::Xxh3;

use super::frames::Basis;
use super::ids::Id;
use super::inputs::{HotSegment, reaching};
use super::merge::{Merge, blocking};
use super::progress::Blocked;
use super::runs::Making;
use super::segments::{Hot, Stop};
use super::sources::Source;
use super::{CompactError, Compactor, Progress};
use crate::layout::Minute;
use crate::manifest::{self, Level, Loaded, Manifest, Reaching, Run};
use crate::merge::Span;

impl Compactor {
    /// Checks the next manifest and puts it in the place of the one that the work was planned on.
    pub(super) async fn commit(
        &self,
        before: &Loaded,
        after: Manifest,
        kept_from: Option<Minute>,
    ) -> Result<Loaded, CompactError> {
        manifest::check(&before.manifest, &after, kept_from)?;
        Ok(self.manifests.swap(before, after).await?)
    }

    /// Nothing lies before `to`.
    pub(super) async fn advance(&self, loaded: &Loaded, to: Minute) -> Result<Loaded, CompactError> {
        let after = Manifest { watermark: Some(to), ..Manifest::clone(&loaded.manifest) };
        self.commit(loaded, after, None).await
    }

    /// Forgets the deletions of which nothing is left and nothing can come.
    pub(super) async fn forget(&self, loaded: &Loaded) -> Result<Loaded, CompactError> {
        let mut after = Manifest::clone(&loaded.manifest);
        let watermark = after.watermark;
        after.deletions.retain(|recorded| watermark.is_none_or(|watermark| watermark <= recorded.through));
        self.commit(loaded, after, None).await
    }

    /// Makes runs of segments. The watermark stops before the minute of the first that cannot be read.
    pub(super) async fn merge_segments(
        &self,
        loaded: &Loaded,
        segments: &[HotSegment],
        (from, to): (Minute, Minute),
        progress: &mut Progress,
    ) -> Result<Loaded, CompactError> {
        let manifest = &loaded.manifest;
        let begun = reaching(&self.stream, manifest);
        let in_time = segments.iter().filter(|segment| {
            let is_too_late = segment.name.is_too_late(manifest.kept_from);
            if is_too_late {
                tracing::warn!(object = %segment.object, "left out: it was put again when what it may repeat was kept no more");
            }
            !is_too_late
        });
        let mut segments: Vec<&HotSegment> = begun.iter().chain(in_time).collect();
        let sealed = self.sealed(manifest, &segments).await?;
        segments.retain(|segment| !sealed.contains(&id(segment)));
        let mut end = to;
        let hot = loop {
            let Stop { minute, object, error } =
                match self.gather(&segments, (from, end), manifest, progress).await? {
                    Ok(hot) => break hot,
                    Err(stop) => stop,
                };
            let reason = error.to_string().into();
            tracing::error!(%object, %reason, "compaction goes no further: this object cannot be read");
            progress.blocked = Some(Blocked { object, reason });
            segments.retain(|segment| segment.minute() < minute);
            end = minute;
            if end <= from {
                return Err(stopped(progress));
            }
        };
        let goes_on = |segment: &&&HotSegment| self.has_stamps() && segment.name.to_us >= end.start_us();
        let going_on = segments.iter().filter(goes_on);
        let going_on = going_on.map(|segment| Reaching { name: segment.path.clone(), bytes: segment.bytes });
        let reaching = going_on.collect();
        let making = Making {
            level: Level::Tick,
            minutes: (from, end),
            inputs: hash(segments.iter().map(|segment| segment.path.as_str())),
            ids: segments.iter().map(|segment| id(segment)).collect(),
            keys: Vec::new(),
            day: None,
            deleted: manifest.deleted,
        };
        let counted = self.counted(manifest, &hot.heads, from).await?;
        let (kind, settings) = (self.kind, self.settings.clone());
        let span = Span { from_us: from.start_us(), end_us: end.start_us() };
        let (rows, merge, spilled) = blocking(move || {
            let Hot { heads, stamps, rows, spilled } = hot;
            let all = spilled.is_empty().then_some(&rows[..]);
            let merge = Merge::of_segments(kind, (&heads, all), span, &counted, stamps, &settings);
            (rows, merge, spilled)
        })
        .await?;
        let sources = if spilled.is_empty() {
            rows.into_iter().map(|rows| Source::Held(Some(rows))).collect()
        } else {
            self.open(spilled, progress).await?.1
        };
        let runs = self.make(manifest, making, (sources, merge), progress).await?;
        let mut after = Manifest::clone(manifest);
        after.runs.extend(runs);
        (after.watermark, after.reaching) = (Some(end), reaching);
        let loaded = self.commit(loaded, after, None).await?;
        progress.segments += segments.iter().filter(|segment| segment.minute() >= from).count() as u64;
        if end < to { Err(stopped(progress)) } else { Ok(loaded) }
    }

    /// Makes one run of several.
    pub(super) async fn merge_runs(
        &self,
        loaded: &Loaded,
        level: Level,
        runs: &[Run],
        progress: &mut Progress,
    ) -> Result<Loaded, CompactError> {
        let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return Ok(loaded.clone()) };
        let names = runs.iter().flat_map(|run| run.objects.iter().map(|object| object.name.as_str()));
        let making = Making {
            level,
            minutes: (first.from, last.to),
            inputs: hash(names),
            ids: self.ids_of(runs).await?,
            keys: self.keys_of(runs).await?,
            day: first.day,
            deleted: runs.iter().map(|run| run.deleted).min().unwrap_or(0),
        };
        let lists = runs.iter().map(|run| run.objects.clone()).collect();
        let (heads, sources) = self.open(lists, progress).await?;
        let (kind, settings) = (self.kind, self.settings.clone());
        let span = Span { from_us: first.from.start_us(), end_us: last.to.start_us() };
        let merge = blocking(move || Merge::of_runs(kind, &heads, span, &settings)).await?;
        let mut made = self.make(&loaded.manifest, making, (sources, merge), progress).await?;
        for run in &mut made {
            // what was merged into those is merged into this
            run.rows_merged += runs.iter().map(|run| run.rows_merged).sum::<u64>();
        }
        let mut after = Manifest::clone(&loaded.manifest);
        after.runs.retain(|run| !runs.contains(run));
        after.runs.extend(made);
        after.runs.sort_by_key(|run| (run.from, run.day));
        self.commit(loaded, after, None).await
    }

    /// Makes the frame of a minute, or remembers that it cannot be made.
    pub(super) async fn add_frame(
        &self,
        loaded: &Loaded,
        at: Minute,
        progress: &mut Progress,
    ) -> Result<Loaded, CompactError> {
        let manifest = &loaded.manifest;
        let Some(frame) = self.make_frame(manifest, at, progress).await? else {
            *self.uneven() = Some(Basis::of(manifest, at).since());
            return Ok(loaded.clone());
        };
        let mut after = Manifest::clone(manifest);
        after.frames.push(frame);
        self.commit(loaded, after, None).await
    }

    /// Of the segments that were put again under a later minute, those that are in a run under their earlier one.
    async fn sealed(&self, manifest: &Manifest, segments: &[&HotSegment]) -> Result<Vec<Id>, CompactError> {
        let again = segments.iter().filter(|segment| segment.name.again_since.is_some());
        let again: Vec<Id> = again.map(|segment| id(segment)).collect();
        if again.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.ids_of(&manifest.runs).await?;
        Ok(again.into_iter().filter(|id| super::ids::is_sealed(&known, *id)).collect())
    }
}

fn id(segment: &HotSegment) -> Id {
    (segment.name.writer, segment.name.number, segment.minute())
}

fn stopped(progress: &Progress) -> CompactError {
    match progress.blocked.clone() {
        Some(Blocked { object, reason }) => CompactError::Damaged { object, reason: reason.to_string() },
        None => CompactError::Interrupted,
    }
}

/// Of names, in their order.
pub(super) fn hash<'n>(names: impl Iterator<Item = &'n str>) -> u64 {
    let mut hasher = Xxh3::new();
    for name in names {
        hasher.update(name.as_bytes());
        hasher.update(&[0]);
    }
    hasher.digest()
}
