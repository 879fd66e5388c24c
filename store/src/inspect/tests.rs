//! What is there is told, and whatever is broken by hand is named.

use std::time::Duration;

use model::{Clock, Labels, RetryKey, Samples};
use object_store::memory::InMemory;
use serde_json::Value;
use testkit::ManualClock;

use super::*;
use crate::compact::{CompactSettings, Compactor};
use crate::layout::Tenant;
use crate::settings::WriterSettings;
use crate::writer::Writer;
use crate::writer::tests::{gauge, stream};
use crate::{Entry, SampleBatch};
use object_store::ObjectStoreExt;

/// 2030-11-23T10:00:30Z: what the memory has is always old.
const T0_MS: i64 = 1_921_658_430_000;
const HOUR_MS: i64 = 3_600_000;

struct World {
    store: Arc<dyn ObjectStore>,
    clock: Arc<ManualClock>,
    writers: u64,
}

impl World {
    async fn write<E: Entry>(&mut self, stream: Stream, entries: Vec<E>) {
        self.writers += 1;
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock) as _);
        let writer = Writer::start(store, stream, clock, WriterSettings::of_writer(self.writers));
        for entry in entries {
            writer.push(entry).await.expect("is stored");
        }
        writer.close().await;
    }

    /// A day of pushes in runs and a frame, an hour of the next, and a segment in no run.
    async fn of_pushes() -> Self {
        let (store, clock) = (Arc::new(InMemory::new()), Arc::new(ManualClock::at_ms(T0_MS)));
        let mut world = Self { store, clock, writers: 0 };
        for (hour, job) in ["a", "b", "c"].into_iter().enumerate() {
            let retry_key = Some(RetryKey { key: hour as u128, body: 0 });
            world.write(stream(), vec![model::Push { retry_key, ..gauge(job, 1.0) }]).await;
            world.clock.advance_ms(if hour == 1 { 14 * HOUR_MS } else { HOUR_MS });
        }
        let settings = CompactSettings {
            sweep_interval: Duration::MAX,
            file_rows_max: 1,
            ..CompactSettings::of_holder(7)
        };
        let (store, clock) = (Arc::clone(&world.store), Arc::clone(&world.clock) as _);
        Compactor::of_pushes(store, stream(), settings, clock).tick().await.expect("ticks");
        world.write(stream(), vec![gauge("d", 1.0)]).await;
        world
    }

    fn inspector(&self) -> Inspector {
        Inspector::of_pushes(Arc::clone(&self.store), stream())
    }

    async fn verified(&self) -> Verified {
        self.inspector().verify().await.expect("can be looked at")
    }

    /// The one object whose name has a part.
    async fn one(&self, part: &str) -> Path {
        let all: Vec<_> = futures::TryStreamExt::try_collect(self.store.list(None)).await.expect("lists");
        let mut found: Vec<Path> = all.into_iter().map(|entry| entry.location).collect();
        found.retain(|object| object.as_ref().contains(part));
        found.sort();
        found.into_iter().next().unwrap_or_else(|| panic!("nothing is called {part}"))
    }

    async fn bytes(&self, object: &Path) -> Vec<u8> {
        self.store.get(object).await.expect("is there").bytes().await.expect("is read").to_vec()
    }

    /// Changes the manifest by hand.
    async fn edit(&self, edit: impl FnOnce(&mut Value)) {
        let object = stream().manifest();
        let mut manifest: Value = serde_json::from_slice(&self.bytes(&object).await).expect("is JSON");
        edit(&mut manifest);
        self.store.put(&object, manifest.to_string().into()).await.expect("is put");
    }
}

#[tokio::test]
async fn an_inventory_tells_what_there_is() {
    let world = World::of_pushes().await;
    let found = world.inspector().inventory().await.expect("is told");
    let places: Vec<(String, u64, u64)> = found
        .partitions
        .iter()
        .map(|Partition { place, holds }| {
            let place = match place {
                Place::Hot { day } => format!("hot {day}"),
                Place::Run { level, from, to, day } => format!("{level} {from} {to} {day:?}"),
                Place::Frame { at, base } => format!("frame {at} {base:?}"),
                Place::Unneeded => "unneeded".to_owned(),
            };
            assert!(holds.bytes > 0 && holds.times_us.is_some(), "{place}: {holds:?}");
            (place, holds.objects, holds.series.unwrap_or_default())
        })
        .collect();
    let expect = [
        ("day 20301123T1000 20301123T1200 None", 4, 2),
        ("tick 20301124T0100 20301124T0156 None", 3, 1),
        ("frame 20301124T0000 None", 2, 2),
        ("hot 20301124", 1, 0),
        ("unneeded", 3, 0),
    ];
    for ((place, objects, series), (as_place, as_objects, as_series)) in places.iter().zip(expect) {
        assert_eq!(place, as_place, "{places:?}");
        assert_eq!((*objects, *series), (as_objects, as_series), "{places:?}");
    }
    assert_eq!(places.len(), expect.len());
    assert_eq!(found.watermark.as_deref(), Some("20301124T0156"));
    assert_eq!((found.waiting, found.lease.0, found.foreign.len()), (1, 7, 0));
    let minute_us = world.clock.now_us().div_euclid(60_000_000) * 60_000_000;
    assert_eq!(found.oldest_waiting_us, Some(minute_us));
    let total = found.total();
    assert_eq!(total.times_us.map(|(first_us, _)| first_us), Some(T0_MS * 1_000));
    assert_eq!(world.verified().await.problems, []);
    assert!(world.verified().await.objects >= 9);
}

#[tokio::test]
async fn nothing_at_all_is_sound() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let inspector = Inspector::of_samples(store, stream());
    assert_eq!(inspector.inventory().await.expect("is told"), Inventory::default());
    assert_eq!(inspector.verify().await.expect("is looked at"), Verified::default());
}

#[tokio::test]
async fn samples_are_verified_by_their_own_day() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let mut world = World { store, clock: Arc::new(ManualClock::at_ms(T0_MS)), writers: 0 };
    let of_samples = Stream::samples(&Path::from("p"), &Tenant::default());
    let mut samples = Samples::default();
    [T0_MS - 30 * HOUR_MS, T0_MS].into_iter().for_each(|at_ms| samples.push(at_ms, 1.0));
    let series = vec![(Labels::from_pairs([("__name__", "a")]), samples)];
    world.write(of_samples.clone(), vec![SampleBatch::of(series)]).await;
    world.clock.advance_ms(HOUR_MS);
    let (store, clock) = (Arc::clone(&world.store), Arc::clone(&world.clock) as _);
    let settings = CompactSettings::of_holder(7);
    Compactor::of_samples(store, of_samples.clone(), settings, clock).tick().await.expect("ticks");
    let inspector = Inspector::of_samples(Arc::clone(&world.store), of_samples);
    let days = inspector.inventory().await.expect("is told").partitions;
    let days = days.iter().filter(|partition| matches!(&partition.place, Place::Run { day: Some(_), .. }));
    assert_eq!(days.count(), 2);
    assert_eq!(inspector.verify().await.expect("is looked at").problems, []);
}

/// Breaks an object, and expects that it, or the manifest, is named with a reason.
#[tokio::test]
async fn whatever_is_broken_is_named() {
    for part in ["-0001.parquet", "frames/", "hot/20301124T02", ".keys", ".ids"] {
        // bytes that differ, bytes that are missing, and nothing at all
        for damage in 0..3 {
            let world = World::of_pushes().await;
            let object = world.one(part).await;
            let mut bytes = world.bytes(&object).await;
            let expect = match damage {
                0 => {
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 1;
                    world.store.put(&object, bytes.into()).await.expect("is put");
                    "damaged"
                }
                1 => {
                    bytes.truncate(bytes.len() / 2);
                    world.store.put(&object, bytes.into()).await.expect("is put");
                    "damaged"
                }
                _ => {
                    world.store.delete(&object).await.expect("is deleted");
                    "it is not there"
                }
            };
            let problems = world.verified().await.problems;
            // a segment that is gone leaves no trace: the others are named
            if damage == 2 && part.starts_with("hot/") {
                assert_eq!(problems, []);
                continue;
            }
            let named = |problem: &&Problem| problem.object == object.to_string();
            let of_object: Vec<_> = problems.iter().filter(named).collect();
            assert!(
                of_object.iter().any(|problem| problem.what.contains(expect)),
                "{part} {damage}: {problems:?}"
            );
        }
    }
}

#[tokio::test]
async fn what_the_manifest_says_and_is_not_so_is_named() {
    type Edit = fn(&mut Value);
    let edits: [(&str, Edit, &str); 9] = [
        ("data/", |m| m["runs"][0]["objects"][0]["rows"] = 9.into(), "rows: it has"),
        ("data/", |m| m["runs"][0]["objects"][0]["head_rows"] = 9.into(), "rows of the head: it has"),
        ("data/", |m| m["runs"][0]["objects"][0]["series"] = 9.into(), "series: it has"),
        ("data/", |m| m["runs"][0]["objects"][0]["bytes"] = 9.into(), "and the manifest says 9"),
        ("data/", |m| m["runs"][0]["objects"][0]["footer_start"] = 9.into(), "beginning of the footer"),
        ("data/", |m| m["runs"][0]["objects"].as_array_mut().expect("a list").reverse(), "stands after"),
        ("manifest.json", |m| m["runs"][0]["list_bytes"] = 9.into(), "bytes, not 9"),
        ("manifest.json", |m| m["watermark"] = "20301123T1000".into(), "runs-below-watermark"),
        ("manifest.json", |m| m["format"] = 99.into(), "newer"),
    ];
    for (part, edit, expect) in edits {
        let world = World::of_pushes().await;
        world.edit(edit).await;
        let problems = world.verified().await.problems;
        let told = |problem: &Problem| problem.object.contains(part) && problem.what.contains(expect);
        assert!(problems.iter().any(told), "{expect}: {problems:?}");
    }
    // an inventory cannot be told without a manifest
    let world = World::of_pushes().await;
    world.edit(|manifest| manifest["format"] = 99.into()).await;
    let error = world.inspector().inventory().await.expect_err("is refused").to_string();
    assert!(error.contains("manifest.json") && error.contains("newer"), "{error}");
}

#[tokio::test]
async fn names_that_lie_and_names_that_are_not_ours_are_told() {
    let world = World::of_pushes().await;
    let object = world.one("hot/20301124T02").await;
    let bytes = world.bytes(&object).await;
    // of two with one id only the last by name would be looked at
    world.store.delete(&object).await.expect("is deleted");
    let (folder, file) = object.as_ref().rsplit_once('/').expect("has a folder");
    let parts: Vec<&str> = file.split('-').collect();
    let lie = |index: usize, part: &str| {
        let mut parts = parts.clone();
        parts[index] = part;
        Path::from(format!("{folder}/{}", parts.join("-")))
    };
    for (index, part, expect) in [
        (0, "00000000000000990000000f", "of writer"),
        (1, "1", "its times go from"),
        (3, "99", "its name says 99"),
        (4, "0000000000000000.parquet", "checksum"),
    ] {
        let lie = lie(index, part);
        world.store.put(&lie, bytes.clone().into()).await.expect("is put");
        let problems = world.verified().await.problems;
        let told = |problem: &Problem| problem.object == lie.to_string() && problem.what.contains(expect);
        assert!(problems.iter().any(told), "{expect}: {problems:?}");
        world.store.delete(&lie).await.expect("is deleted");
    }
    let notes = ["hot/20301124T0200/notes.txt", "data/notes.txt"].map(|name| stream().below(name));
    for object in &notes {
        world.store.put(object, "mine".into()).await.expect("is put");
    }
    let verified = world.verified().await;
    assert_eq!((verified.problems, verified.foreign), (vec![], notes.map(|name| name.to_string()).into()));
}
