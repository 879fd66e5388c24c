//! Ticks on a clock that the test moves: what is merged when, what is left, and what is never lost.

mod limits;
mod pushed;
mod retained;
mod told;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::{Labels, Samples, Selection};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use testkit::{Fault, FaultyStore, ManualClock, Operation};

use super::*;
use crate::layout::Tenant;
use crate::manifest::{Level, Manifest, stands};
use crate::reader::{Reader, Source};
use crate::settings::{ReaderSettings, WriterSettings};
use crate::writer::Writer;
use crate::{Entry, SampleBatch};

/// 2030-11-23T10:00:30Z: what the memory has is always old.
const T0_MS: i64 = 1_921_658_430_000;
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// From which request of a kind on all of them fail.
struct Cut {
    operation: Operation,
    left: usize,
    fault: Fault,
}

struct World {
    memory: Arc<dyn ObjectStore>,
    faulty: Arc<FaultyStore>,
    cut: Arc<Mutex<Option<Cut>>>,
    clock: Arc<ManualClock>,
    reader: Reader,
    writers: u64,
    /// What was acknowledged: by series and time, the last value.
    written: BTreeMap<(String, i64), f64>,
}

impl World {
    fn new() -> Self {
        let memory: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let cut: Arc<Mutex<Option<Cut>>> = Arc::default();
        let plan = {
            let cut = Arc::clone(&cut);
            move |operation, _: &Path| match &mut *cut.lock().expect("unpoisoned") {
                Some(cut) if cut.operation == operation => {
                    cut.left = cut.left.saturating_sub(1);
                    if cut.left == 0 { cut.fault.clone() } else { Fault::None }
                }
                _ => Fault::None,
            }
        };
        let faulty = Arc::new(FaultyStore::new(Arc::clone(&memory), plan));
        let clock = Arc::new(ManualClock::at_ms(T0_MS));
        let pushes = Stream::pushes(&Path::from("p"), &Tenant::default());
        let reader = Reader::new(
            Arc::clone(&memory),
            Source::new(pushes, None),
            Source::new(Self::stream(), None),
            ReaderSettings::default(),
        );
        Self { memory, faulty, cut, clock, reader, writers: 0, written: BTreeMap::new() }
    }

    fn stream() -> Stream {
        Stream::samples(&Path::from("p"), &Tenant::default())
    }

    async fn write(&mut self, name: &str, at_ms: i64, value: f64) {
        self.writers += 1;
        let settings = WriterSettings::of_writer(self.writers);
        let (store, clock) = (Arc::clone(&self.memory), Arc::clone(&self.clock));
        let writer: Writer<SampleBatch> = Writer::start(store, Self::stream(), clock as _, settings);
        let mut samples = Samples::default();
        samples.push(at_ms, value);
        let batch = SampleBatch::of(vec![(Labels::from_pairs([("__name__", name)]), samples)]);
        assert!(batch.memory_bytes() > 0);
        writer.push(batch).await.expect("is stored");
        writer.close().await;
        self.written.insert((name.to_owned(), at_ms), value);
    }

    fn compactor(&self, holder: u64, change: impl FnOnce(&mut CompactSettings)) -> Compactor {
        let mut settings = CompactSettings::of_holder(holder);
        change(&mut settings);
        let store = Arc::clone(&self.faulty) as _;
        Compactor::of_samples(store, Self::stream(), settings, Arc::clone(&self.clock) as _)
    }

    async fn manifest(&self) -> Arc<Manifest> {
        let manifests = Manifests::new(Arc::clone(&self.memory), Self::stream().manifest());
        let manifest = manifests.load(None).await.expect("loads").manifest;
        stands(&manifest).expect("is sound");
        manifest
    }

    /// All that a reader sees.
    async fn held(&self) -> BTreeMap<(String, i64), f64> {
        self.manifest().await;
        let selection = Selection { matchers: Vec::new(), start_ms: i64::MIN, end_ms: i64::MAX };
        let answer = self.reader.select(&selection).await.expect("reads");
        assert_eq!(answer.left_out, []);
        let mut held = BTreeMap::new();
        for series in answer.found {
            let name = series.labels.metric_name();
            for (at_ms, value) in series.samples.timestamps_ms.iter().zip(series.samples.values) {
                held.insert((name.to_owned(), *at_ms), value);
            }
        }
        held
    }

    async fn objects(&self, folder: &str) -> Vec<String> {
        let folder = Path::from(format!("p/default/samples/{folder}"));
        let listed: Vec<_> =
            futures::TryStreamExt::try_collect(self.memory.list(Some(&folder))).await.expect("lists");
        let mut names: Vec<String> = listed.into_iter().map(|entry| entry.location.to_string()).collect();
        names.sort();
        names
    }
}

fn levels(manifest: &Manifest) -> Vec<(Level, String, String)> {
    manifest.runs.iter().map(|run| (run.level, run.from.to_string(), run.to.to_string())).collect()
}

#[tokio::test]
async fn minutes_become_ticks_hours_and_days() {
    let mut world = World::new();
    let compactor = world.compactor(7, |settings| settings.grace = Duration::ZERO);
    world.write("a", T0_MS, 1.0).await;
    world.clock.advance_ms(MINUTE_MS);
    world.write("a", T0_MS, 2.0).await;
    // a writer may still write to these minutes
    let progress = compactor.tick().await.expect("ticks");
    assert_eq!((progress.waiting, progress.runs), (2, 0));
    assert!(world.objects("data").await.is_empty());
    world.clock.advance_ms(4 * MINUTE_MS);
    world.write("b", T0_MS, 3.0).await;
    let progress = compactor.tick().await.expect("ticks");
    assert_eq!((progress.waiting, progress.segments, progress.runs), (3, 1, 1));
    assert_eq!(
        levels(&*world.manifest().await),
        [(Level::Tick, "20301123T1000".into(), "20301123T1001".into())]
    );
    assert_eq!(world.held().await, world.written);

    world.clock.advance_ms(HOUR_MS);
    world.write("c", T0_MS, 4.0).await;
    compactor.tick().await.expect("ticks");
    assert_eq!(
        levels(&*world.manifest().await),
        [(Level::Hour, "20301123T1000".into(), "20301123T1100".into())]
    );
    assert_eq!(world.held().await, world.written);

    world.clock.advance_ms(24 * HOUR_MS);
    compactor.tick().await.expect("ticks");
    let day = [(Level::Day, "20301123T1000".to_owned(), "20301123T1200".to_owned())];
    assert_eq!(levels(&*world.manifest().await), day);
    assert_eq!(world.held().await, world.written);
    // and in the end nothing else is left
    world.clock.advance_ms(24 * HOUR_MS);
    compactor.tick().await.expect("ticks");
    world.clock.advance_ms(2 * HOUR_MS);
    compactor.tick().await.expect("ticks");
    assert_eq!(world.objects("hot").await, Vec::<String>::new());
    assert_eq!(world.objects("data").await.len(), 2, "{:?}", world.objects("data").await);
    assert_eq!(world.held().await, world.written);
    // nothing is to be done, and little is
    let before = world.manifest().await;
    compactor.tick().await.expect("ticks");
    assert_eq!(world.manifest().await, before);
}

#[tokio::test]
async fn late_samples_are_further_runs_of_their_day() {
    let mut world = World::new();
    let compactor = world.compactor(7, |_| {});
    world.write("a", T0_MS, 1.0).await;
    world.write("a", T0_MS - 24 * HOUR_MS, 2.0).await;
    world.clock.advance_ms(10 * MINUTE_MS);
    compactor.tick().await.expect("ticks");
    let days: Vec<_> =
        world.manifest().await.runs.iter().map(|run| run.day.map(|day| day.to_string())).collect();
    assert_eq!(days, [Some("20301122".to_owned()), Some("20301123".to_owned())]);
    world.clock.advance_ms(48 * HOUR_MS);
    world.write("a", T0_MS, 3.0).await;
    world.clock.advance_ms(48 * HOUR_MS);
    compactor.tick().await.expect("ticks");
    assert_eq!(world.manifest().await.runs.len(), 3);
    assert_eq!(world.held().await, world.written);
}

#[tokio::test]
async fn what_cannot_be_read_stops_the_watermark_before_it() {
    let mut world = World::new();
    let compactor = world.compactor(7, |_| {});
    world.write("a", T0_MS, 1.0).await;
    world.clock.advance_ms(MINUTE_MS);
    world.write("b", T0_MS, 2.0).await;
    world.clock.advance_ms(MINUTE_MS);
    world.write("c", T0_MS, 3.0).await;
    world.clock.advance_ms(HOUR_MS);
    let second = Path::from(world.objects("hot").await[1].as_str());
    let good = world.memory.get(&second).await.expect("is there").bytes().await.expect("is read");
    world.memory.put(&second, good.slice(..good.len() - 1).into()).await.expect("is put");
    for _ in 0..2 {
        let error = compactor.tick().await.expect_err("is stopped").to_string();
        assert!(error.contains(second.as_ref()) && error.contains("checksum"), "{error}");
        assert_eq!(world.manifest().await.watermark.map(|w| w.to_string()).as_deref(), Some("20301123T1001"));
    }
    // when it is good again all goes on
    world.memory.put(&second, good.into()).await.expect("is put");
    compactor.tick().await.expect("ticks");
    assert_eq!(world.held().await, world.written);
}

#[tokio::test]
async fn a_tick_takes_no_more_than_it_may() {
    let mut world = World::new();
    let compactor = world.compactor(7, |settings| settings.rows_max = 2);
    for minute in 0..6 {
        world.write("a", T0_MS + minute, 1.0).await;
        world.clock.advance_ms(MINUTE_MS);
    }
    world.clock.advance_ms(10 * MINUTE_MS);
    let progress = compactor.tick().await.expect("ticks");
    assert_eq!((progress.segments, progress.is_behind), (2, true));
    let progress = compactor.tick().await.expect("ticks");
    assert_eq!((progress.segments, progress.is_behind), (2, true));
    compactor.tick().await.expect("ticks");
    let progress = compactor.tick().await.expect("ticks");
    assert_eq!((progress.segments, progress.is_behind), (0, false));
    assert_eq!(world.held().await, world.written);
}

#[tokio::test]
async fn who_has_the_lease_works_alone() {
    let mut world = World::new();
    world.write("a", T0_MS, 1.0).await;
    world.clock.advance_ms(10 * MINUTE_MS);
    let (first, second) = (world.compactor(1, |_| {}), world.compactor(2, |_| {}));
    first.tick().await.expect("ticks");
    world.write("a", T0_MS, 2.0).await;
    world.clock.advance_ms(10 * MINUTE_MS);
    assert!(second.tick().await.expect("ticks").held_by_another);
    // the lease is over when its holder is silent for long
    world.clock.advance_ms(10 * MINUTE_MS);
    let progress = second.tick().await.expect("ticks");
    assert_eq!((progress.held_by_another, progress.segments), (false, 1));
    assert_eq!(world.manifest().await.lease.number, 2);
    assert_eq!(world.held().await, world.written);
}

/// However a tick is cut off, what was acknowledged is there, once, and the next tick goes on.
#[tokio::test]
async fn a_tick_may_be_cut_off_at_every_request() {
    for fault in [Fault::Fail, Fault::FailAfterwards] {
        for operation in [Operation::Put, Operation::Get, Operation::List] {
            for cut in 0..40 {
                let mut world = World::new();
                for minute in 0..3 {
                    world.write("a", T0_MS + minute, 1.0).await;
                    world.write("b", T0_MS - 48 * HOUR_MS, 2.0).await;
                    world.clock.advance_ms(25 * MINUTE_MS);
                }
                world.clock.advance_ms(30 * HOUR_MS);
                let compactor = world.compactor(7, |settings| settings.grace = Duration::ZERO);
                let left = cut + 1;
                *world.cut.lock().expect("unpoisoned") = Some(Cut { operation, left, fault: fault.clone() });
                let cut_off = compactor.tick().await;
                *world.cut.lock().expect("unpoisoned") = None;
                assert_eq!(world.held().await, world.written, "{fault:?} {operation:?} {cut}");
                // another one takes over when the lease has ended
                world.clock.advance_ms(20 * MINUTE_MS);
                let other = world.compactor(8, |settings| settings.grace = Duration::ZERO);
                other.tick().await.expect("goes on");
                assert_eq!(world.held().await, world.written, "{fault:?} {operation:?} {cut}");
                for _ in 0..2 {
                    world.clock.advance_ms(2 * HOUR_MS);
                    other.tick().await.expect("sweeps");
                }
                assert_eq!(world.held().await, world.written, "{fault:?} {operation:?} {cut}");
                assert_eq!(world.objects("hot").await, Vec::<String>::new());
                let named = world.manifest().await.object_names().count();
                assert_eq!(world.objects("data").await.len(), named);
                if cut_off.is_ok() {
                    break;
                }
                assert!(cut < 39, "it needs more requests than were cut");
            }
        }
    }
}
