//! What would take too much memory stays as it is, is told, keeps nothing else from being merged, and changes no answer.

use model::{Change, GroupKey, Merge, MetricType, Push, PushedFamily, PushedSeries, RetryKey};

use super::pushed::Pushed;
use super::*;
use crate::manifest::Manifest;
use crate::writer::tests::{steps, stream};

/// A histogram with one bound, which is another one each time, so that its pushes have different bounds.
fn histogram(number: u32) -> Push {
    let series = |name: &str, le: Option<String>| {
        let labels = [("__name__", name.to_owned()), ("job", "j".to_owned())];
        let labels = labels.into_iter().chain(le.map(|le| ("le", le)));
        PushedSeries::float(Labels::from_pairs(labels), 1.0).merging(Merge::Add)
    };
    let bounds = [f64::from(number + 1).to_string(), "+Inf".to_owned()];
    let mut all: Vec<PushedSeries> = bounds.map(|le| series("h_bucket", Some(le))).into();
    all.push(series("h_count", None));
    let family = PushedFamily {
        name: "h".into(),
        r#type: MetricType::Histogram,
        series: all,
        ..PushedFamily::default()
    };
    let group = GroupKey::of(&Labels::from_pairs([("job", "j")]));
    let retry_key = Some(RetryKey { key: u128::from(number), body: 0 });
    Push { retry_key, ..Push::new(group, Change::Merge, vec![family]) }
}

/// Two hours with three segments each, on a day, and another segment on the next.
async fn two_hours() -> Pushed {
    let pushed = Pushed::new();
    for number in 0..7 {
        let settings = WriterSettings::of_writer(u64::from(number) + 1);
        let (store, clock) = (Arc::clone(&pushed.store), Arc::clone(&pushed.clock) as _);
        let writer: Writer = Writer::start(store, stream(), clock, settings);
        writer.push(histogram(number)).await.expect("is stored");
        writer.close().await;
        pushed.clock.advance_ms(match number {
            2 => HOUR_MS,
            5 => 24 * HOUR_MS,
            _ => 10 * MINUTE_MS,
        });
    }
    pushed.clock.advance_ms(10 * MINUTE_MS);
    pushed
}

/// Ticks with limits, on what is large enough to reach them, until nothing is due.
async fn ticked(pushed: &Pushed, limits: &MergeLimits) -> Progress {
    let settings = CompactSettings {
        limits: limits.clone(),
        // each segment a tick
        step_rows_max: 1,
        grace: Duration::ZERO,
        ..CompactSettings::of_holder(7)
    };
    let store = Arc::clone(&pushed.store);
    let compactor = Compactor::of_pushes(store, stream(), settings, Arc::clone(&pushed.clock) as _);
    let mut done = Progress::default();
    for _ in 0..3 {
        done.add(&compactor.tick().await.expect("ticks"));
    }
    done
}

fn shape(manifest: &Manifest) -> (usize, usize) {
    (manifest.runs.len(), manifest.frames.len())
}

#[tokio::test]
async fn each_limit_is_reached_and_told_and_changes_no_answer() {
    let all = MergeLimits::default();
    let cases = [
        // the day is one run, and that of the next day another
        (all.clone(), (2, 1), None),
        // two at a time come to the same
        (MergeLimits { runs_max: 2, ..all.clone() }, (2, 1), None),
        (MergeLimits { runs_max: 1, ..all.clone() }, (7, 1), Some((6, 0, MergeLimit::Runs))),
        (MergeLimits { open_bytes_max: 1_000, ..all.clone() }, (7, 1), Some((6, 0, MergeLimit::OpenBytes))),
        (MergeLimits { list_bytes_max: 36, ..all.clone() }, (7, 1), Some((6, 0, MergeLimit::ListBytes))),
        (MergeLimits { head_rows_max: 1, ..all.clone() }, (7, 0), Some((6, 1, MergeLimit::HeadRows))),
        (MergeLimits { uneven_rows_max: 5, ..all.clone() }, (2, 0), Some((0, 1, MergeLimit::UnevenRows))),
    ];
    let mut before = None;
    for (limits, expect, told) in cases {
        let pushed = two_hours().await;
        let end_ms = T0_MS + 30 * HOUR_MS;
        let hot = steps(&pushed.store, None, end_ms).await;
        assert_eq!(before.get_or_insert_with(|| hot.clone()), &hot);
        let progress = ticked(&pushed, &limits).await;
        let manifest = pushed.manifest().await;
        assert_eq!((progress.left, progress.segments), (0, 7), "{limits:?}");
        assert_eq!(shape(&manifest), expect, "{limits:?}");
        let unmerged = &progress.unmerged;
        let limit = unmerged.limits.first().map(|limit| (unmerged.runs, unmerged.frames, *limit));
        assert_eq!(limit, told, "{limits:?}");
        assert_eq!(unmerged.limits_told(), told.map(|told| told.2.name()).unwrap_or_default());
        assert_eq!(steps(&pushed.store, None, end_ms).await, hot, "{limits:?}");
        // what fits later is merged later
        let progress = ticked(&pushed, &all).await;
        assert_eq!(progress.unmerged, Unmerged::default());
        assert_eq!(shape(&*pushed.manifest().await), (2, 1), "{limits:?}");
        assert_eq!(steps(&pushed.store, None, end_ms).await, hot, "{limits:?}");
    }
}
