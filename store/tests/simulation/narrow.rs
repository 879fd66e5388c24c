//! What a seed hardly ever meets, since it takes a request to fall between two of one tick.

use std::path::Path as Folder;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mayfly_store::{
    CompactSettings, Compactor, Deleter, Deletion, LogSettings, Reader, ReaderSettings, SampleBatch, Source,
    Writer, WriterSettings,
};
use model::{
    Change, Clock, GroupKey, Labels, Matcher, Merge, MetricType, Push, PushedFamily, PushedSeries, Samples,
    Selection,
};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use testkit::{Fault, FaultyStore, ManualClock, Operation};
use tokio::sync::Semaphore;

use super::world::{pushes, samples};

/// A reader gets the manifest before a tick, and lists segments after it: what the tick has merged must still be there, whatever
/// the grace is.
#[tokio::test]
async fn nothing_is_lost_to_who_lists_after_a_tick_and_read_the_manifest_before_it() {
    // what the memory has is always old
    let at_ms = 1_921_658_430_000;
    let (store, clock) = (Arc::new(InMemory::new()) as Arc<dyn ObjectStore>, ManualClock::at_ms(at_ms));
    let clock = Arc::new(clock);
    let writer =
        Writer::start(Arc::clone(&store), samples(), Arc::clone(&clock) as _, WriterSettings::of_writer(1));
    let mut of_series = Samples::default();
    of_series.push(at_ms, 1.0);
    let batch = SampleBatch::of(vec![(Labels::from_pairs([("__name__", "a")]), of_series)]);
    writer.push(batch).await.expect("is stored");
    clock.advance_ms(3_600_000);

    let (listings, lists) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let slow = {
        let (listings, lists) = (Arc::clone(&listings), Arc::clone(&lists));
        move |operation, _: &Path| match operation {
            Operation::List => {
                lists.fetch_add(1, Ordering::SeqCst);
                Fault::Wait(Arc::clone(&listings))
            }
            _ => Fault::None,
        }
    };
    let slow = Arc::new(FaultyStore::new(Arc::clone(&store), slow));
    let sources = (Source::new(pushes(), None), Source::new(samples(), None));
    let reader = Reader::new(slow, sources.0, sources.1, ReaderSettings::default());
    let selection = Selection { matchers: Vec::new(), start_ms: at_ms, end_ms: at_ms };
    let mut read = Box::pin(reader.select(&selection));
    // until all that it waits for is the listings of both streams
    while lists.load(Ordering::SeqCst) < 2 {
        assert!(futures::poll!(&mut read).is_pending());
        tokio::task::yield_now().await;
    }
    let settings = CompactSettings { grace: Duration::ZERO, ..CompactSettings::of_holder(1) };
    let compactor = Compactor::of_samples(Arc::clone(&store), samples(), settings, clock);
    assert_eq!(compactor.tick().await.expect("ticks").segments, 1);
    assert!(store.head(&Path::from("default/samples/manifest.json")).await.is_ok(), "the tick has swapped");
    listings.add_permits(100);
    let found = read.await.expect("reads").found;
    assert_eq!(found.iter().map(|series| &series.samples.values[..]).collect::<Vec<_>>(), [[1.0]]);
}

/// A sweeper has found what a killed tick has left, and is about to delete it; another tick, of the same plan, finds the same
/// objects there. What it names must not be what goes.
#[tokio::test]
async fn nothing_is_lost_to_a_sweeper_that_is_slow() {
    const SWEEPER: u64 = 3;
    let at_ms = 1_921_658_430_000;
    let memory = Arc::new(InMemory::new()) as Arc<dyn ObjectStore>;
    let clock = Arc::new(ManualClock::at_ms(at_ms));
    let writer =
        Writer::start(Arc::clone(&memory), samples(), Arc::clone(&clock) as _, WriterSettings::of_writer(1));
    let write = async |value| {
        let mut of_series = Samples::default();
        of_series.push(clock.now_ms(), value);
        let batch = SampleBatch::of(vec![(Labels::from_pairs([("__name__", "a")]), of_series)]);
        writer.push(batch).await.expect("is stored");
    };
    let compactor = |store: &Arc<dyn ObjectStore>, holder| {
        let settings =
            CompactSettings { lease: Duration::from_secs(1), ..CompactSettings::of_holder(holder) };
        // to the sweeper nothing is due but to sweep
        let hour = Duration::from_secs(3_600);
        let of_sweeper = CompactSettings { margin: hour, sweep_interval: Duration::ZERO, ..settings.clone() };
        let settings = if holder == SWEEPER { of_sweeper } else { settings };
        Compactor::of_samples(Arc::clone(store), samples(), settings, Arc::clone(&clock) as _)
    };
    let (deletions, deletes) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicBool::new(false)));
    let slow = {
        let (deletions, deletes) = (Arc::clone(&deletions), Arc::clone(&deletes));
        move |operation, _: &Path| match operation {
            Operation::Delete => {
                deletes.store(true, Ordering::SeqCst);
                Fault::Wait(Arc::clone(&deletions))
            }
            _ => Fault::None,
        }
    };
    let slow = Arc::new(FaultyStore::new(Arc::clone(&memory), slow)) as Arc<dyn ObjectStore>;
    // it swaps its lease and nothing else: as one that is killed before the last request
    let swaps = AtomicUsize::new(0);
    let killed = move |operation, path: &Path| match operation {
        Operation::Put if path.as_ref().ends_with("manifest.json") => {
            if swaps.fetch_add(1, Ordering::SeqCst) == 0 { Fault::None } else { Fault::Fail }
        }
        _ => Fault::None,
    };
    let killed = Arc::new(FaultyStore::new(Arc::clone(&memory), killed)) as Arc<dyn ObjectStore>;

    write(1.0).await;
    clock.advance_ms(600_000);
    compactor(&memory, 1).tick().await.expect("ticks");
    write(2.0).await;
    clock.advance_ms(600_000);
    compactor(&killed, 2).tick().await.expect_err("is killed");
    clock.advance_ms(2_000);
    let sweeper = compactor(&slow, SWEEPER);
    let mut sweep = Box::pin(sweeper.tick());
    while !deletes.load(Ordering::SeqCst) {
        assert!(futures::poll!(&mut sweep).is_pending());
        tokio::task::yield_now().await;
    }
    // within the same minute, so that the plan is the same
    clock.advance_ms(2_000);
    assert_eq!(compactor(&memory, 4).tick().await.expect("ticks").segments, 1);
    deletions.add_permits(100);
    assert_eq!(sweep.await.expect("sweeps").swept, 2, "of the killed tick the run and its ids");
    let sources = (Source::new(pushes(), None), Source::new(samples(), None));
    let reader = Reader::new(memory, sources.0, sources.1, ReaderSettings::default());
    let selection = Selection { matchers: Vec::new(), start_ms: 0, end_ms: clock.now_ms() };
    let found = reader.select(&selection).await.expect("reads").found;
    assert_eq!(found.iter().map(|series| &series.samples.values[..]).collect::<Vec<_>>(), [[1.0, 2.0]]);
}

/// One that answers when a push is in its log; first it makes segments of what the log holds.
async fn logged(store: &Arc<dyn ObjectStore>, clock: &Arc<ManualClock>, of: (u64, &Folder)) -> Writer<Push> {
    logged_for(store, clock, of, Duration::from_millis(1)).await
}

/// One whose log becomes a segment after so long.
async fn logged_for(
    store: &Arc<dyn ObjectStore>,
    clock: &Arc<ManualClock>,
    (writer, folder): (u64, &Folder),
    flush_interval: Duration,
) -> Writer<Push> {
    let log = LogSettings { folder: folder.to_owned(), flush_interval };
    let (store, clock) = (Arc::clone(store), Arc::clone(clock) as _);
    let started = Writer::start_logged(store, pushes(), clock, WriterSettings::of_writer(writer), log).await;
    started.expect("starts").0
}

/// What a counter has come to, step by step.
async fn totals(store: &Arc<dyn ObjectStore>, end_ms: i64) -> Vec<f64> {
    totals_from(store, 0, end_ms).await
}

async fn totals_from(store: &Arc<dyn ObjectStore>, start_ms: i64, end_ms: i64) -> Vec<f64> {
    let sources = (Source::new(pushes(), None), Source::new(samples(), None));
    let reader = Reader::new(Arc::clone(store), sources.0, sources.1, ReaderSettings::default());
    let selection = Selection { matchers: Vec::new(), start_ms, end_ms };
    let found = reader.select(&selection).await.expect("reads").found;
    found.into_iter().flat_map(|series| series.steps.values.clone()).collect()
}

/// Adds to the counter.
fn adding(value: f64) -> Push {
    let labels = Labels::from_pairs([("__name__", "c"), ("job", "j")]);
    let series = vec![PushedSeries::float(labels, value).merging(Merge::Add)];
    let family =
        PushedFamily { name: "c".into(), r#type: MetricType::Counter, series, ..PushedFamily::default() };
    Push::new(GroupKey::of(&Labels::from_pairs([("job", "j")])), Change::Merge, vec![family])
}

/// A part of a sum is deleted that a frame tells as one number. What is left of it stands in runs alone, until the frame is made
/// again: it must be seen before that and after it.
#[tokio::test]
async fn nothing_is_lost_of_a_sum_of_which_a_part_is_deleted() {
    const HOUR_MS: i64 = 3_600_000;
    let at_ms = 1_921_658_430_000;
    let store = Arc::new(InMemory::new()) as Arc<dyn ObjectStore>;
    let clock = Arc::new(ManualClock::at_ms(at_ms));
    let settings = WriterSettings::of_writer(1);
    let writer = Writer::start(Arc::clone(&store), pushes(), Arc::clone(&clock) as _, settings);
    for value in [1.0, 2.0] {
        writer.push(adding(value)).await.expect("is stored");
        clock.advance_ms(HOUR_MS);
    }
    clock.advance_ms(24 * HOUR_MS);
    let settings = CompactSettings::of_holder(1);
    let compactor = Compactor::of_pushes(Arc::clone(&store), pushes(), settings, Arc::clone(&clock) as _);
    let listed = async |what: &str| {
        let manifest = store.get(&Path::from("default/pushes/manifest.json")).await.expect("is there");
        let manifest: serde_json::Value =
            serde_json::from_slice(&manifest.bytes().await.expect("is read")).expect("is JSON");
        manifest[what].as_array().map_or(0, Vec::len)
    };
    let seen = async || totals_from(&store, clock.now_ms(), clock.now_ms()).await;
    compactor.tick().await.expect("ticks");
    assert_eq!((listed("frames").await, seen().await), (1, vec![3.0]));

    let deleter = Deleter::new(Arc::clone(&store), pushes(), samples(), Arc::clone(&clock) as _);
    let matchers = vec![Matcher::equal(Labels::NAME, "c")];
    let deletion = Deletion { matchers, start_ms: None, end_ms: Some(at_ms + HOUR_MS / 2) };
    deleter.delete(&[deletion]).await.expect("is told");
    assert_eq!((listed("frames").await, seen().await), (1, vec![2.0]));
    for _ in 0..3 {
        clock.advance_ms(HOUR_MS);
        compactor.tick().await.expect("ticks");
        assert_eq!((listed("frames").await, seen().await), (1, vec![2.0]));
    }
    assert_eq!(listed("deletions").await, 0);
}

/// A segment comes to the store and the answer does not; it is merged, and then its log is replayed, under a later minute. What it
/// adds counts once, before the second is merged and after.
#[test]
fn nothing_is_lost_or_doubled_that_is_put_again_after_it_was_merged() {
    let at_ms = 1_921_658_430_000;
    let memory = Arc::new(InMemory::new()) as Arc<dyn ObjectStore>;
    let clock = Arc::new(ManualClock::at_ms(at_ms));
    let folder = tempfile::tempdir().expect("a folder");
    let process = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let unanswered = |operation, _: &Path| match operation {
        Operation::Put => Fault::FailAfterwards,
        _ => Fault::None,
    };
    let unanswered = Arc::new(FaultyStore::new(Arc::clone(&memory), unanswered)) as Arc<dyn ObjectStore>;
    let killed = process().expect("a runtime");
    killed.block_on(async {
        let writer = logged(&unanswered, &clock, (1, folder.path())).await;
        writer.push(adding(1.0)).await.expect("is in the log");
        while totals(&memory, at_ms).await.is_empty() {
            tokio::task::yield_now().await;
        }
        std::mem::forget(writer);
    });
    drop(killed);
    let runtime = process().expect("a runtime");
    runtime.block_on(async {
        let tick = async || {
            clock.advance_ms(3_600_000);
            let settings = CompactSettings::of_holder(1);
            let compactor =
                Compactor::of_pushes(Arc::clone(&memory), pushes(), settings, Arc::clone(&clock) as _);
            compactor.tick().await.expect("ticks")
        };
        assert_eq!(tick().await.segments, 1);
        logged(&memory, &clock, (2, folder.path())).await.close().await;
        let hot: Vec<_> =
            futures::TryStreamExt::try_collect(memory.list(Some(&pushes().hot()))).await.expect("lists");
        assert_eq!(hot.len(), 2, "it was put again");
        let end_ms = at_ms + 100 * 3_600_000;
        assert_eq!(totals(&memory, end_ms).await, [1.0]);
        tick().await;
        assert_eq!(totals(&memory, end_ms).await, [1.0]);
    });
}

/// A log is found after days, when what was merged of then is dropped, or just then. What it holds counts once, if it was in the store.
/// If it never was, it counts for good as soon as it has counted, which it does while all of its time is kept.
#[test]
fn nothing_is_lost_or_doubled_that_is_put_again_when_its_time_is_kept_no_more() {
    const DAY_MS: i64 = 86_400_000;
    for (found_on, was_stored) in (1..8).flat_map(|day| [(day, true), (day, false)]) {
        let memory = Arc::new(InMemory::new()) as Arc<dyn ObjectStore>;
        let clock = Arc::new(ManualClock::at_ms(1_921_658_430_000));
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let total =
                async || totals_from(&memory, clock.now_ms(), clock.now_ms()).await.iter().sum::<f64>();
            let elsewhere = Arc::new(InMemory::new()) as Arc<dyn ObjectStore>;
            let first = if was_stored { &memory } else { &elsewhere };
            // the log is there until the writer is closed
            let writer = logged_for(first, &clock, (1, folder.path()), Duration::from_secs(3_600)).await;
            writer.push(adding(1.0)).await.expect("is in the log");
            let mut files =
                folder.path().read_dir().expect("a folder").map(|file| file.expect("is read").path());
            let log = files.find(|file| file.extension().is_some_and(|end| end == "log")).expect("a log");
            let bytes = std::fs::read(&log).expect("is read");
            writer.close().await;
            let mut expected = if was_stored { 1.0 } else { 0.0 };
            for day in 1..10 {
                clock.advance_ms(DAY_MS);
                if day == found_on {
                    // as if the machine had been away meanwhile
                    std::fs::write(&log, &bytes).expect("is written");
                    logged(&memory, &clock, (2, folder.path())).await.close().await;
                    if !was_stored && (day < 4 || total().await > expected) {
                        expected += 1.0;
                    }
                }
                let retention = Some(Duration::from_secs(2 * 86_400));
                let settings = CompactSettings { retention, ..CompactSettings::of_holder(1) };
                let compactor =
                    Compactor::of_pushes(Arc::clone(&memory), pushes(), settings, Arc::clone(&clock) as _);
                compactor.tick().await.expect("ticks");
                assert_eq!(
                    total().await,
                    expected,
                    "day {day}, found on day {found_on}, stored: {was_stored}"
                );
                // on days on which nothing happens nothing is dropped
                let other = WriterSettings::of_writer(100 + day);
                let other = Writer::start(Arc::clone(&memory), pushes(), Arc::clone(&clock) as _, other);
                other.push(adding(1.0)).await.expect("is stored");
                expected += 1.0;
            }
        });
    }
}
