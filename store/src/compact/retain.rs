//! What is too old leaves the manifest, and readers see nothing of the time before that.

use std::time::Duration;

use model::RETRY_WINDOW_US;

use super::inputs;
use super::lease::micros;
use super::merge::Kind;
use super::{CompactError, Compactor, Progress};
use crate::layout::Minute;
use crate::manifest::{Loaded, Manifest};

/// Retry keys count for a day, and frames stand at the ends of days.
pub const RETENTION_MIN: Duration = Duration::from_secs(2 * 86_400);

impl Compactor {
    /// Drops what is older than the retention, whole days at a time. Segments of minutes before `sealed` are all there.
    pub(super) async fn retain(
        &self,
        loaded: &Loaded,
        now_us: i64,
        sealed: Minute,
        progress: &mut Progress,
    ) -> Result<Loaded, CompactError> {
        let Some(retention) = self.settings.retention else { return Ok(loaded.clone()) };
        if !loaded.manifest.deletions.is_empty() {
            // frames from which sums are missing are made again from runs, so these stay for so long
            return Ok(loaded.clone());
        }
        let horizon = Minute::of(now_us.saturating_sub(micros(retention.max(RETENTION_MIN))));
        let to_merge = match loaded.manifest.watermark {
            Some(watermark) if !loaded.manifest.reaching.is_empty() => watermark,
            _ => progress.oldest_left_us.map_or(sealed, Minute::of).min(sealed),
        };
        if retained(&loaded.manifest, self.kind, horizon, to_merge).is_none() {
            return Ok(loaded.clone());
        }
        // what was put again is in a run already or not: that is known as long as the runs are there which it could be in
        let hot = inputs::list_hot(&*self.store, &self.stream, loaded.manifest.watermark).await?;
        let again = hot.iter().filter_map(|segment| segment.name.again_since).min();
        let horizon = again.map_or(horizon, |since| horizon.min(since));
        let after = retained(&loaded.manifest, self.kind, horizon, to_merge);
        let Some(after) = after else { return Ok(loaded.clone()) };
        let Some(taken) = self.take_lease(loaded, now_us).await? else { return Ok(loaded.clone()) };
        let (lease, dropped) = (taken.manifest.lease.clone(), loaded.manifest.runs.len() - after.runs.len());
        let kept_from = after.kept_from;
        let retained = self.commit(&taken, Manifest { lease, ..after }, kept_from).await?;
        progress.runs_dropped += dropped as u64;
        Ok(retained)
    }
}

/// The manifest without what was before the last day that ends before a time; `None` if that is what it is. Segments of minutes before
/// `to_merge` are all merged.
fn retained(manifest: &Manifest, kind: Kind, horizon: Minute, to_merge: Minute) -> Option<Manifest> {
    let kept_from = match kind {
        Kind::Samples => horizon.day().start(),
        // what is held still is in a frame, and nowhere else once the runs before it are gone
        Kind::Pushes => {
            // with them go their retry keys, which count for what is still to be merged
            let keys_count_from = Minute::of(to_merge.start_us().saturating_sub(RETRY_WINDOW_US));
            let horizon = horizon.min(keys_count_from);
            manifest.frames.iter().rev().find(|frame| frame.at <= horizon)?.at
        }
    };
    if manifest.kept_from.is_some_and(|known| kept_from <= known) {
        return None;
    }
    let base = manifest.frames_before(kept_from.start_us()).first().map(|frame| frame.at);
    let mut after = Manifest::clone(manifest);
    after.runs.retain(|run| run.end() > kept_from);
    after.frames.retain(|frame| Some(frame.at) >= base);
    let is_same = after.runs.len() == manifest.runs.len() && after.frames.len() == manifest.frames.len();
    // where nothing goes there is nothing to hide
    (!is_same).then_some(Manifest { kept_from: Some(kept_from), ..after })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Frame, check};

    fn frame(day: i64, base: Option<i64>) -> Frame {
        let minute = |day: i64| Minute::of(day * 86_400_000_000);
        Frame { at: minute(day), base: base.map(minute), objects: Vec::new(), deleted: 0 }
    }

    #[test]
    fn a_frame_that_stays_keeps_what_it_builds_on() {
        let manifest = Manifest {
            watermark: Some(Minute::of(10 * 86_400_000_000)),
            frames: vec![
                frame(1, None),
                frame(2, Some(1)),
                frame(3, None),
                frame(4, Some(3)),
                frame(5, Some(4)),
                frame(6, None),
            ],
            ..Manifest::default()
        };
        let kept = |horizon_days: f64| {
            #[expect(clippy::cast_possible_truncation, reason = "days")]
            let horizon = Minute::of((horizon_days * 86_400e6) as i64);
            let after = retained(&manifest, Kind::Pushes, horizon, Minute::of(10 * 86_400_000_000))?;
            check(&manifest, &after, after.kept_from).expect("is sound");
            let days = after.frames.iter().map(|frame| frame.at.start_us() / 86_400_000_000);
            Some((after.kept_from?.start_us() / 86_400_000_000, days.collect::<Vec<_>>()))
        };
        assert_eq!(kept(0.5), None);
        assert_eq!(kept(2.9), None, "the first is the base of the second");
        assert_eq!(kept(3.0), Some((3, vec![3, 4, 5, 6])));
        assert_eq!(kept(5.5), Some((5, vec![3, 4, 5, 6])));
        assert_eq!(kept(9.0), Some((6, vec![6])));
    }

    #[test]
    fn retry_keys_stay_for_what_is_still_to_be_merged() {
        let manifest =
            Manifest { frames: (1..=5).map(|day| frame(day, None)).collect(), ..Manifest::default() };
        let kept = |days: i64, minutes: i64| {
            let to_merge = Minute::of(days * 86_400_000_000 + minutes * 60_000_000);
            let after = retained(&manifest, Kind::Pushes, Minute::of(9 * 86_400_000_000), to_merge)?;
            Some(after.kept_from?.start_us() / 86_400_000_000)
        };
        assert_eq!([kept(5, 0), kept(5, 1), kept(6, -1), kept(6, 0)], [Some(4), Some(4), Some(4), Some(5)]);
    }
}
