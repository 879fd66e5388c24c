use std::sync::atomic::{AtomicBool, Ordering};

use object_store::ObjectStore;
use object_store::memory::InMemory;
use testkit::{Fault, FaultyStore, ManualClock, Operation};

use super::super::tests::{NOW_MS, gauge, stream, until, values};
use super::super::{WriteErrorKind, Writer};
use super::*;
use crate::log::Replayed;
use crate::log::tests::{Broken, Forgetful};

/// Never by itself: a test that wants a flush closes the writer.
const NEVER: Duration = Duration::from_secs(3_600);

/// A store whose PUTs fail while the switch is off.
fn switched(memory: &Arc<InMemory>) -> (Arc<dyn ObjectStore>, Arc<AtomicBool>) {
    let on = Arc::new(AtomicBool::new(true));
    let plan = {
        let on = Arc::clone(&on);
        move |operation, _: &object_store::path::Path| match operation {
            Operation::Put if !on.load(Ordering::SeqCst) => Fault::Fail,
            _ => Fault::None,
        }
    };
    (Arc::new(FaultyStore::new(Arc::clone(memory) as _, plan)), on)
}

async fn start(
    store: &Arc<dyn ObjectStore>,
    files: &Forgetful,
    writer: u64,
    flush_interval: Duration,
) -> (Writer, Replayed) {
    let clock = Arc::new(ManualClock::at_ms(NOW_MS));
    let settings = WriterSettings::of_writer(writer);
    let files = Arc::new(files.clone());
    let started =
        Writer::start_logged_on(Arc::clone(store), stream(), clock, settings, files, flush_interval).await;
    started.expect("starts")
}

#[tokio::test]
async fn an_answer_waits_for_the_log_only_and_the_segment_follows() {
    let (store, on) = switched(&Arc::new(InMemory::new()));
    on.store(false, Ordering::SeqCst);
    let files = Forgetful::default();
    let (writer, _) = start(&store, &files, 1, Duration::from_millis(1)).await;
    writer.push(gauge("a", 1.0)).await.expect("logged");
    assert_eq!(values(&store, None).await, [0.0; 0]);
    assert_eq!(values(&store, Some(&writer)).await, [1.0]);
    until(|| writer.stats().failures() > 0).await;
    writer.push(gauge("b", 2.0)).await.expect("logged while the store is away");
    on.store(true, Ordering::SeqCst);
    until(|| writer.tail().1.entries() == 0).await;
    assert_eq!(values(&store, None).await, [1.0, 2.0]);
    until(|| files.names().is_empty()).await;
}

#[tokio::test]
async fn closing_writes_what_is_in_the_log() {
    let (store, _) = switched(&Arc::new(InMemory::new()));
    let files = Forgetful::default();
    let (writer, _) = start(&store, &files, 1, NEVER).await;
    for i in 0..5 {
        writer.push(gauge(&format!("job{i}"), f64::from(i))).await.expect("logged");
    }
    writer.close().await;
    assert_eq!(values(&store, None).await, [0.0, 1.0, 2.0, 3.0, 4.0]);
    assert_eq!((writer.stats().segments(), files.names()), (1, vec![]));
}

#[tokio::test]
async fn while_the_store_is_away_no_more_than_a_few_files_are_sealed() {
    let (store, on) = switched(&Arc::new(InMemory::new()));
    on.store(false, Ordering::SeqCst);
    let files = Forgetful::default();
    let settings = WriterSettings { segment_bytes_max: 1, ..WriterSettings::of_writer(1) };
    let (clock, log) = (Arc::new(ManualClock::at_ms(NOW_MS)), Arc::new(files.clone()));
    let (writer, _) = Writer::start_logged_on(Arc::clone(&store), stream(), clock, settings, log, NEVER)
        .await
        .expect("starts");
    for job in 0..20 {
        // each is as large as a segment may be
        writer.push(gauge(&format!("job{job:02}"), f64::from(job))).await.expect("logged");
        // the flusher has one, some wait for it, and one is open
        assert!(files.names().len() <= SEALED_MAX + 2, "{:?}", files.names());
    }
    on.store(true, Ordering::SeqCst);
    writer.close().await;
    assert_eq!(files.names(), [""; 0]);
    assert_eq!(values(&store, None).await, (0..20).map(f64::from).collect::<Vec<_>>());
}

/// Pushes, pulls the plug, starts again: the values that are found, and those that had been acknowledged.
async fn after_a_crash(broken: Broken) -> (Vec<f64>, Vec<f64>) {
    let memory = Arc::new(InMemory::new());
    let (store, _) = switched(&memory);
    let files = Forgetful::broken(broken);
    let (writer, _) = start(&store, &files, 1, NEVER).await;
    let mut acknowledged = Vec::new();
    for i in 0..5 {
        writer.push(gauge(&format!("job{i}"), f64::from(i))).await.expect("logged");
        acknowledged.push(f64::from(i));
    }
    files.crash();
    let (_, replayed) = start(&store, &files, 2, NEVER).await;
    assert_eq!(replayed.damaged, []);
    (values(&store, None).await, acknowledged)
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_crash_and_without_any_one_sync_it_would_not() {
    let (found, acknowledged) = after_a_crash(Broken::Nothing).await;
    assert_eq!(found, acknowledged);
    for broken in [Broken::FileSync, Broken::FolderSync] {
        let (found, acknowledged) = after_a_crash(broken).await;
        assert_ne!(found, acknowledged, "{broken:?}");
    }
}

#[tokio::test]
async fn a_log_that_is_replayed_twice_becomes_one_segment() {
    let memory = Arc::new(InMemory::new());
    let (store, _) = switched(&memory);
    let files = Forgetful::default();
    let (writer, _) = start(&store, &files, 1, NEVER).await;
    writer.push(gauge("a", 1.0)).await.expect("logged");
    writer.push(gauge("a", 2.0)).await.expect("logged");
    let copy = files.copy();
    let expected = Replayed { files: 1, entries: 2, damaged: vec![] };
    assert_eq!(start(&store, &files.copy(), 2, NEVER).await.1, expected);
    assert_eq!(start(&store, &copy, 3, NEVER).await.1, expected);
    // and the process that was thought dead writes it too
    writer.close().await;
    let segments: Vec<_> = futures::StreamExt::collect(memory.list(None)).await;
    assert_eq!((segments.len(), values(&store, None).await), (1, vec![2.0]));
}

#[tokio::test]
async fn a_full_disk_refuses_loses_nothing_and_recovers() {
    let (store, _) = switched(&Arc::new(InMemory::new()));
    let files = Forgetful::default();
    let (writer, _) = start(&store, &files, 1, NEVER).await;
    writer.push(gauge("a", 1.0)).await.expect("logged");
    files.set_space(Some(20));
    let error = writer.push(gauge("b", 2.0)).await.expect_err("full");
    assert_eq!(error.kind(), WriteErrorKind::Unavailable);
    assert!(error.to_string().contains("could not write the log"), "{error}");
    assert_eq!(values(&store, Some(&writer)).await, [1.0], "what was refused is not shown");
    files.set_space(None);
    writer.push(gauge("c", 3.0)).await.expect("logged");
    writer.close().await;
    assert_eq!(values(&store, None).await, [1.0, 3.0]);
}

#[tokio::test]
async fn what_is_refused_while_the_disk_is_full_leaves_no_files() {
    let (store, _) = switched(&Arc::new(InMemory::new()));
    let files = Forgetful::default();
    let (writer, _) = start(&store, &files, 1, NEVER).await;
    // no file has its first bytes, or all have them and nothing else
    for space in [0, 20] {
        for _ in 0..10 {
            files.set_space(Some(space));
            writer.push(gauge("a", 1.0)).await.expect_err("full");
        }
    }
    files.set_space(None);
    writer.push(gauge("b", 2.0)).await.expect("logged");
    until(|| files.names().len() == 1).await;
    writer.close().await;
    assert_eq!(files.names(), [""; 0]);
    assert_eq!(values(&store, None).await, [2.0]);
}

#[tokio::test]
async fn a_store_that_is_away_at_the_end_gets_it_at_the_next_start() {
    let (store, on) = switched(&Arc::new(InMemory::new()));
    on.store(false, Ordering::SeqCst);
    let files = Forgetful::default();
    let (writer, _) = start(&store, &files, 1, NEVER).await;
    writer.push(gauge("a", 1.0)).await.expect("logged");
    writer.close().await;
    assert_eq!(files.names().len(), 1);
    on.store(true, Ordering::SeqCst);
    let (_, replayed) = start(&store, &files, 2, NEVER).await;
    assert_eq!((replayed.entries, values(&store, None).await), (1, vec![1.0]));
    assert_eq!(files.names(), [""; 0]);
}
