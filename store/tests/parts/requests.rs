//! How many requests and bytes a query takes. These figures are promises: they may become smaller.

use std::sync::Arc;

use model::MatchOp::Equal;
use model::{NeededLabels, Selection};
use object_store::ObjectStore;
use object_store::memory::InMemory;

use futures::TryStreamExt;

use crate::world::{T0, reader, selection, write};

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
