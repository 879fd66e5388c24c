use std::time::Duration;

use model::{Change, GroupKey, Labels, MetricType, PushedFamily, PushedSeries, Selection};
use object_store::memory::InMemory;
use testkit::{Fault, FaultyStore, ManualClock, Operation};
use tokio::sync::Semaphore;

use bytes::Bytes;
use object_store::{ObjectStoreExt, PutOptions};

use super::*;
use crate::layout::SegmentName;
use crate::{Reader, ReaderSettings, Source, Tenant};

pub(crate) const NOW_MS: i64 = 1_795_391_160_000;

pub(crate) fn gauge(job: &str, value: f64) -> Push {
    let grouping = Labels::from_pairs([("job", job)]);
    let labels = Labels::from_pairs([("__name__", "rows"), ("job", job)]);
    let series = vec![PushedSeries::float(labels, value)];
    let family =
        PushedFamily { name: "rows".into(), r#type: MetricType::Gauge, series, ..PushedFamily::default() };
    Push::new(GroupKey::of(&grouping), Change::ReplaceGroup, vec![family])
}

pub(crate) fn stream() -> Stream {
    Stream::pushes(&Path::default(), &Tenant::default())
}

fn start(store: &Arc<dyn ObjectStore>, change: impl FnOnce(&mut WriterSettings)) -> Arc<Writer> {
    let mut settings = WriterSettings::of_writer(1);
    change(&mut settings);
    Arc::new(Writer::start(Arc::clone(store), stream(), Arc::new(ManualClock::at_ms(NOW_MS)), settings))
}

pub(crate) async fn listed(memory: &Arc<InMemory>) -> Vec<Path> {
    let mut found: Vec<Path> =
        futures::TryStreamExt::try_collect(futures::TryStreamExt::map_ok(memory.list(None), |meta| {
            meta.location
        }))
        .await
        .expect("lists");
    found.sort();
    found
}

/// From when on, in ms, which value held of whatever is known at `end_ms`.
pub(crate) async fn steps(
    store: &Arc<dyn ObjectStore>,
    writer: Option<&Writer>,
    end_ms: i64,
) -> Vec<(i64, f64)> {
    let selection = Selection { matchers: vec![], start_ms: 0, end_ms };
    let series = reader(store, writer).select(&selection).await.expect("reads").found;
    let steps = series.iter().flat_map(|series| series.steps.from_ms.iter().zip(&series.steps.values));
    steps.map(|(from_ms, value)| (*from_ms, *value)).collect()
}

fn reader(store: &Arc<dyn ObjectStore>, writer: Option<&Writer>) -> Reader {
    Reader::new(
        Arc::clone(store),
        Source::new(stream(), writer),
        Source::new(Stream::samples(&Path::default(), &Tenant::default()), None),
        ReaderSettings::default(),
    )
}

pub(crate) async fn values(store: &Arc<dyn ObjectStore>, writer: Option<&Writer>) -> Vec<f64> {
    let reader = reader(store, writer);
    let selection = Selection { matchers: vec![], start_ms: NOW_MS, end_ms: NOW_MS + 60_000 };
    let series = reader.select(&selection).await.expect("reads").found;
    series.iter().filter_map(|series| series.steps.values.last().copied()).collect()
}

/// A store whose PUTs wait for permits.
fn gated(memory: Arc<InMemory>) -> (Arc<dyn ObjectStore>, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let permits = Arc::clone(&gate);
    let plan = move |operation, _: &Path| match operation {
        Operation::Put => Fault::Wait(Arc::clone(&permits)),
        _ => Fault::None,
    };
    (Arc::new(FaultyStore::new(memory, plan)), gate)
}

pub(crate) async fn until(mut done: impl FnMut() -> bool) {
    for _ in 0..5_000 {
        if done() {
            return;
        }
        tokio::task::yield_now().await;
        #[expect(clippy::disallowed_methods, reason = "waits for another task of this test")]
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("did not come true in five seconds");
}

#[tokio::test]
async fn an_acknowledged_push_is_in_the_store() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let writer = start(&store, |_| {});
    let first = writer.push(gauge("a", 1.0)).await.expect("written");
    let second = writer.push(gauge("b", 2.0)).await.expect("written");
    assert_eq!(first.stamp, Stamp { at_us: NOW_MS * 1_000, writer: 1 });
    assert!(first.stamp < second.stamp, "stamps increase while the clock stands still");
    assert_eq!(values(&store, None).await, [1.0, 2.0]);
    assert_eq!((writer.tail().1.bytes(), writer.stats().segments()), (0, 2));
}

#[tokio::test]
async fn what_waits_is_visible_in_the_same_process_and_shares_a_segment() {
    let (store, gate) = gated(Arc::new(InMemory::new()));
    let writer = start(&store, |_| {});
    let pushes: Vec<_> = (0..10)
        .map(|i| {
            let writer = Arc::clone(&writer);
            tokio::spawn(async move { writer.push(gauge(&format!("job{i}"), f64::from(i))).await })
        })
        .collect();
    until(|| writer.tail().1.entries() == 10).await;
    assert_eq!(values(&store, None).await.len(), 0, "not durable yet");
    assert_eq!(values(&store, Some(&writer)).await.len(), 10);

    // those that came before the first segment was closed share it, the others share the second
    gate.add_permits(2);
    for push in pushes {
        push.await.expect("runs").expect("written");
    }
    assert_eq!(writer.stats().pushes(), 10);
    assert!(writer.stats().segments() <= 2);
    assert_eq!(values(&store, Some(&writer)).await.len(), 10);
    assert_eq!(values(&store, None).await.len(), 10);
}

#[tokio::test]
async fn a_segment_under_way_and_the_tail_it_is_made_of_are_not_both_read() {
    let memory = Arc::new(InMemory::new());
    let (store, gate) = gated(Arc::clone(&memory));
    let writer = start(&store, |_| {});
    let push = tokio::spawn({
        let writer = Arc::clone(&writer);
        async move { writer.push(gauge("a", 1.0)).await }
    });
    until(|| writer.tail().1.entries() == 1).await;
    // the store has it already, under whatever name, and the writer does not know yet
    let at_us = NOW_MS * 1_000;
    let (stamped_us, from_us, to_us) = (at_us, at_us, at_us);
    let name = SegmentName {
        stamped_us,
        writer: 1,
        number: 0,
        from_us,
        to_us,
        rows: 1,
        checksum: 0,
        again_since: None,
    };
    memory.put(&stream().segment(&name), "not to be read".into()).await.expect("written");
    let everything = Selection { matchers: vec![], start_ms: 0, end_ms: i64::MAX };
    let answer = reader(&store, Some(&writer)).select(&everything).await.expect("reads");
    assert_eq!((answer.found.len(), answer.left_out), (1, vec![]));
    gate.add_permits(1);
    push.await.expect("runs").expect("written");
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_nothing_back() {
    let (store, gate) = gated(Arc::new(InMemory::new()));
    let writer = start(&store, |_| {});
    let push = tokio::spawn({
        let writer = Arc::clone(&writer);
        async move { writer.push(gauge("a", 1.0)).await }
    });
    until(|| writer.tail().1.entries() == 1).await;
    push.abort();
    gate.add_permits(1);
    writer.close().await;
    assert_eq!(values(&store, None).await, [1.0]);
}

/// Ten pushes with this delay; closes the writer when all wait, if that is said.
async fn segments_of_ten(delay: Duration, bytes_max: usize, close: bool) -> u64 {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let writer = start(&store, |settings| {
        settings.group_delay = delay;
        settings.segment_bytes_max = bytes_max;
    });
    let pushes: Vec<_> = (0..10)
        .map(|i| {
            let writer = Arc::clone(&writer);
            tokio::spawn(async move { writer.push(gauge(&format!("job{i}"), f64::from(i))).await })
        })
        .collect();
    if close {
        until(|| writer.tail().1.entries() == 10).await;
        writer.close().await;
    }
    for push in pushes {
        push.await.expect("runs").expect("written");
    }
    assert_eq!(values(&store, None).await.len(), 10);
    writer.stats().segments()
}

#[tokio::test]
async fn a_group_is_bounded_by_time_and_by_size() {
    let never = Duration::from_secs(3_600);
    assert_eq!(segments_of_ten(never, usize::MAX, true).await, 1, "all wait for each other");
    // full groups do not wait: a group of one each, and nobody waits for an hour
    assert_eq!(segments_of_ten(never, 1, false).await, 10);
    assert!(segments_of_ten(Duration::from_millis(1), usize::MAX, false).await >= 1);
}

#[tokio::test]
async fn a_full_buffer_refuses_and_recovers() {
    let (store, gate) = gated(Arc::new(InMemory::new()));
    let writer = start(&store, |settings| settings.buffer_bytes_max = 1);
    let first = tokio::spawn({
        let writer = Arc::clone(&writer);
        async move { writer.push(gauge("a", 1.0)).await }
    });
    until(|| writer.tail().1.entries() == 1).await;
    let error = writer.push(gauge("b", 2.0)).await.expect_err("full");
    assert_eq!(error.kind(), WriteErrorKind::Busy);
    assert!(error.to_string().contains("no more than 1 may, which is buffer_bytes_max"), "{error}");
    gate.add_permits(2);
    first.await.expect("runs").expect("written");
    writer.push(gauge("b", 2.0)).await.expect("written");
    assert_eq!((writer.stats().refused(), values(&store, None).await), (1, vec![1.0, 2.0]));
}

#[tokio::test]
async fn an_entry_that_is_too_large_is_refused_and_leaves_nothing() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let max = gauge("a", 1.0).memory_bytes();
    let writer = start(&store, |settings| settings.entry_bytes_max = max);
    let error = writer.push(gauge("too long", 1.0)).await.expect_err("too large");
    assert_eq!(error.kind(), WriteErrorKind::TooLarge);
    assert!(
        error.to_string().contains(&format!("no more than {max} may at once, which is entry_bytes_max")),
        "{error}"
    );
    writer.push(gauge("a", 2.0)).await.expect("written");
    assert_eq!((values(&store, Some(&writer)).await, writer.stats().segments()), (vec![2.0], 1));
}

#[tokio::test]
async fn a_failed_write_is_told_and_the_next_one_works() {
    let down = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let plan = {
        let down = Arc::clone(&down);
        move |operation, _: &Path| match operation {
            Operation::Put if down.load(std::sync::atomic::Ordering::SeqCst) => Fault::Fail,
            _ => Fault::None,
        }
    };
    let store: Arc<dyn ObjectStore> = Arc::new(FaultyStore::new(Arc::new(InMemory::new()), plan));
    let writer = start(&store, |_| {});
    let error = writer.push(gauge("a", 1.0)).await.expect_err("refused");
    assert_eq!(error.kind(), WriteErrorKind::Unavailable);
    assert!(error.to_string().contains("default/pushes/hot/20261122T2346/"), "{error}");
    assert_eq!(values(&store, Some(&writer)).await, [0.0; 0]);

    down.store(false, std::sync::atomic::Ordering::SeqCst);
    writer.push(gauge("a", 2.0)).await.expect("written");
    assert_eq!((values(&store, None).await, writer.stats().failures()), (vec![2.0], 1));
}

/// Answers every PUT with "already exists"; writes it first, or writes something else.
async fn put_answered_with_already_exists(stored: Option<&'static [u8]>) -> Result<Ack, WriteError> {
    #[derive(Debug)]
    struct Lost {
        memory: InMemory,
        stored: Option<&'static [u8]>,
    }
    impl std::fmt::Display for Lost {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Lost")
        }
    }
    #[async_trait::async_trait]
    impl ObjectStore for Lost {
        async fn put_opts(
            &self,
            path: &Path,
            payload: object_store::PutPayload,
            _: PutOptions,
        ) -> object_store::Result<object_store::PutResult> {
            let payload = self.stored.map_or(payload, |bytes| Bytes::from_static(bytes).into());
            self.memory.put(path, payload).await?;
            Err(object_store::Error::AlreadyExists { path: path.to_string(), source: "412".into() })
        }
        async fn put_multipart_opts(
            &self,
            path: &Path,
            options: object_store::PutMultipartOptions,
        ) -> object_store::Result<Box<dyn object_store::MultipartUpload>> {
            self.memory.put_multipart_opts(path, options).await
        }
        async fn get_opts(
            &self,
            path: &Path,
            options: object_store::GetOptions,
        ) -> object_store::Result<object_store::GetResult> {
            self.memory.get_opts(path, options).await
        }
        fn delete_stream(
            &self,
            paths: futures::stream::BoxStream<'static, object_store::Result<Path>>,
        ) -> futures::stream::BoxStream<'static, object_store::Result<Path>> {
            self.memory.delete_stream(paths)
        }
        fn list(
            &self,
            prefix: Option<&Path>,
        ) -> futures::stream::BoxStream<'static, object_store::Result<object_store::ObjectMeta>> {
            self.memory.list(prefix)
        }
        async fn list_with_delimiter(
            &self,
            prefix: Option<&Path>,
        ) -> object_store::Result<object_store::ListResult> {
            self.memory.list_with_delimiter(prefix).await
        }
        async fn copy_opts(
            &self,
            from: &Path,
            to: &Path,
            options: object_store::CopyOptions,
        ) -> object_store::Result<()> {
            self.memory.copy_opts(from, to, options).await
        }
    }
    let store: Arc<dyn ObjectStore> = Arc::new(Lost { memory: InMemory::new(), stored });
    start(&store, |_| {}).push(gauge("a", 1.0)).await
}

#[tokio::test]
async fn an_object_that_is_there_already_counts_only_if_it_is_ours() {
    assert!(put_answered_with_already_exists(None).await.is_ok());
    let error = put_answered_with_already_exists(Some(b"of somebody else")).await.expect_err("not ours");
    assert_eq!(error.kind(), WriteErrorKind::Unavailable);
}

#[tokio::test]
async fn closing_writes_what_was_taken_and_refuses_the_rest() {
    let (store, gate) = gated(Arc::new(InMemory::new()));
    let writer = start(&store, |_| {});
    let push = tokio::spawn({
        let writer = Arc::clone(&writer);
        async move { writer.push(gauge("a", 1.0)).await }
    });
    until(|| writer.tail().1.entries() == 1).await;
    gate.add_permits(1);
    writer.close().await;
    push.await.expect("runs").expect("written");
    let error = writer.push(gauge("b", 2.0)).await.expect_err("closed");
    assert_eq!((error.kind(), values(&store, None).await), (WriteErrorKind::Closed, vec![1.0]));
}
