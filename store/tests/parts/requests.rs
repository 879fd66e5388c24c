//! How many requests and bytes a query takes. These figures are promises: they may become smaller.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::TryStreamExt;
use mayfly_store::{CompactSettings, Compactor, ReaderSettings};
use model::MatchOp::{Equal, Regex};
use model::{NeededLabels, Selection};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use testkit::{Fault, FaultyStore, ManualClock};
use tokio::sync::Semaphore;

use crate::world::{T0, reader, reader_with, selection, streams, write};

async fn written() -> (Arc<dyn ObjectStore>, u64) {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    write(&store).await;
    let objects: Vec<_> = store.list(None).try_collect().await.expect("lists");
    assert_eq!(objects.len(), 4);
    let bytes = objects.iter().map(|object| object.size).sum();
    (store, bytes)
}

/// Small segments, which are fetched whole, are smaller than this.
const SMALL: u64 = 64 << 10;

#[tokio::test]
async fn one_metric_takes_few_requests_and_a_part_of_the_bytes() {
    let (store, bytes) = written().await;
    let reader = reader(&store, SMALL, 64 << 20);
    let one = selection(&[("__name__", Equal, "metric_3")]);
    let cold = reader.select(&one).await.expect("reads").usage;
    // two manifests and two listings, two small segments, and of two large ones: their ends, what tells the rows, and the rows
    assert!(cold.requests <= 4 + 2 + 2 * (1 + 1 + 6), "{cold:?}");
    assert!(cold.bytes < bytes * 2 / 3, "{cold:?} of {bytes}");
    assert_eq!(cold.segments, 4);
    let warm = reader.select(&one).await.expect("reads").usage;
    assert_eq!((warm.requests, warm.bytes), (4, 0), "two manifests and two listings");
    assert!(warm.cached_bytes > 0);
}

#[tokio::test]
async fn what_is_not_there_takes_no_more_than_the_ends_of_files() {
    let (store, _) = written().await;
    let none = selection(&[("__name__", Equal, "no_such_metric")]);
    let usage = reader(&store, SMALL, 0).select(&none).await.expect("reads").usage;
    // and the head of the pushes
    assert!(usage.requests <= 4 + 2 + 2 + 3, "{usage:?}");
    assert!(usage.bytes < 100_000, "{usage:?}");
    let before = Selection { start_ms: T0 - 2_000, end_ms: T0 - 1_000, ..none };
    let usage = reader(&store, SMALL, 0).select(&before).await.expect("reads").usage;
    assert_eq!((usage.requests, usage.segments), (4, 0), "names tell the time");
}

#[tokio::test]
async fn a_sum_by_job_does_not_read_the_instances() {
    let (store, bytes) = written().await;
    let all = selection(&[("__name__", Equal, "metric_3")]);
    let by_job = NeededLabels::These(["__name__", "job"].map(Into::into).into());
    let of_all = reader(&store, SMALL, 0).select(&all).await.expect("reads").usage;
    let of_job = reader(&store, SMALL, 0).select_labels(&all, &by_job).await.expect("reads").usage;
    // a dictionary of 1,100 instances of 16 digits of which half says nothing
    assert!(of_job.bytes + 1_100 * 8 < of_all.bytes, "{of_job:?} and {of_all:?} of {bytes}");
}

#[tokio::test]
async fn labels_take_no_samples() {
    let (store, bytes) = written().await;
    let everything = [selection(&[])];
    let labels = reader(&store, SMALL, 0).label_values("job", &everything).await.expect("reads");
    assert_eq!(labels.found.len(), 5);
    let all = reader(&store, SMALL, 0).select(&everything[0]).await.expect("reads").usage;
    let one = [selection(&[("__name__", Equal, "metric_3")])];
    let of_one = reader(&store, SMALL, 0).label_values("job", &one).await.expect("reads").usage;
    let of_series = reader(&store, SMALL, 0).select(&one[0]).await.expect("reads").usage;
    assert!(labels.usage.bytes < all.bytes * 3 / 4, "{:?} and {all:?} of {bytes}", labels.usage);
    assert!(of_one.bytes < of_series.bytes * 3 / 4, "{of_one:?} and {of_series:?}");
}

/// How often a reader of the store waits for answers, of all that it asks for at once, until it has its first series.
async fn round_trips(store: &Arc<dyn ObjectStore>, settings: ReaderSettings, of: Selection) -> usize {
    let (asked, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let held = {
        let (asked, gate) = (Arc::clone(&asked), Arc::clone(&gate));
        move |_, _: &Path| {
            asked.fetch_add(1, Ordering::SeqCst);
            Fault::Wait(Arc::clone(&gate))
        }
    };
    let held: Arc<dyn ObjectStore> = Arc::new(FaultyStore::new(Arc::clone(store), held));
    let reading = tokio::spawn(async move {
        let reader = reader_with(&held, settings);
        let mut stream = reader.stream(&of, &NeededLabels::All);
        let first = stream.next().await.expect("there are some").expect("reads");
        assert!(!first.is_empty());
    });
    for trips in 0.. {
        let answered = asked.load(Ordering::SeqCst);
        let waiting = loop {
            let waiting = asked.load(Ordering::SeqCst) - answered;
            settle(&asked).await;
            if reading.is_finished() {
                reading.await.expect("reads");
                return trips;
            }
            if waiting > 0 && asked.load(Ordering::SeqCst) == answered + waiting {
                break waiting;
            }
        };
        gate.add_permits(waiting);
    }
    unreachable!("it ends")
}

/// Until nothing is computed any more, or something is asked for: one thread computes, in order.
async fn settle(asked: &AtomicUsize) {
    let before = asked.load(Ordering::SeqCst);
    for _ in 0..20 {
        tokio::task::spawn_blocking(|| ()).await.expect("works");
        tokio::task::yield_now().await;
        if asked.load(Ordering::SeqCst) > before {
            return;
        }
    }
}

/// The manifest with the listing, the ends of files, the pages.
const TRIPS_MAX: usize = 3;

/// The same of what is read in many spans: before the pages of the first comes what tells which rows match.
const TRIPS_OF_SPANS_MAX: usize = 4;

#[test]
fn the_first_series_of_a_merged_day_are_there_after_three_answers_or_four() {
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build();
    runtime.expect("a runtime").block_on(async {
        let (store, _) = written().await;
        let clock = Arc::new(ManualClock::at_ms(T0 + 48 * 3_600_000));
        let (pushes, samples) = streams();
        let settings = CompactSettings::of_holder(1);
        let compactors = [
            Compactor::of_pushes(Arc::clone(&store), pushes, settings.clone(), Arc::clone(&clock) as _),
            Compactor::of_samples(Arc::clone(&store), samples, settings, clock),
        ];
        for compactor in compactors {
            assert!(compactor.tick().await.expect("ticks").segments > 0);
        }
        let data: Vec<_> = store.list(Some(&Path::from("default"))).try_collect().await.expect("lists");
        let is_large = |object: &&object_store::ObjectMeta| {
            object.size > 64 << 10 && object.location.as_ref().contains("/data/")
        };
        assert!(data.iter().filter(is_large).count() >= 2, "{data:?}");
        for meta in data.iter().filter(|object| object.location.as_ref().contains("/hot/")) {
            store.delete(&meta.location).await.expect("goes");
        }
        // what is small is read whole
        let in_parts = ReaderSettings { whole_bytes_max: SMALL, ..ReaderSettings::default() };
        let metric = ("__name__", Equal, "metric_3");
        for matchers in [
            vec![metric],
            vec![metric, ("job", Equal, "job-3")],
            vec![metric, ("job", Regex, "job-[34]"), ("Zone", Equal, "z1")],
            vec![("job", Equal, "job-3"), ("region", Equal, "eu")],
        ] {
            let of = selection(&matchers);
            let trips = round_trips(&store, in_parts.clone(), of.clone()).await;
            assert!(trips <= TRIPS_MAX, "{trips} for {matchers:?}");
            let in_spans = ReaderSettings { batch_rows: 100, ..in_parts.clone() };
            let trips = round_trips(&store, in_spans, of.clone()).await;
            assert!(trips <= TRIPS_OF_SPANS_MAX, "{trips} for {matchers:?} in spans");
            // part of the time
            let later = Selection { start_ms: T0 + 100_000, end_ms: T0 + 150_000, ..of };
            let trips = round_trips(&store, in_parts.clone(), later).await;
            assert!(trips <= TRIPS_MAX, "{trips} for {matchers:?}");
        }
    });
}
