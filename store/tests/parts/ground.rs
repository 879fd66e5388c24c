//! What answers rest on, and which of them something that is written changes.

use std::sync::Arc;
use std::time::Duration;

use mayfly_store::{Reader, ReaderSettings, SampleBatch, Source, View, Writer, WriterSettings};
use model::MatchOp::Equal;
use model::{
    Change, Ground, GroupKey, Labels, Merge, MetricType, NeededLabels, Push, PushedFamily, PushedSeries,
    Samples,
};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use testkit::ManualClock;

use crate::world::{T0, reader, selection, streams};

struct World {
    store: Arc<dyn ObjectStore>,
    clock: Arc<ManualClock>,
    reader: Arc<Reader>,
}

impl World {
    fn new() -> Self {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let reader = Arc::new(reader(&store, u64::MAX, 0));
        Self { clock: Arc::new(ManualClock::at_ms(T0)), store, reader }
    }

    fn settings(&self) -> WriterSettings {
        WriterSettings::of_writer(7)
    }

    async fn ground(&self) -> Ground {
        ground(&self.reader).await
    }
}

async fn ground(reader: &Arc<Reader>) -> Ground {
    View::new(Arc::clone(reader)).ground().await.expect("lists").0.expect("nothing is unclear")
}

fn batch(name: &str, times_ms: &[i64]) -> SampleBatch {
    let mut samples = Samples::default();
    times_ms.iter().for_each(|&at_ms| samples.push(at_ms, 1.0));
    SampleBatch::of(vec![(Labels::from_pairs([("__name__", name)]), samples)])
}

fn push(value: f64, merge: Merge) -> Push {
    let labels = Labels::from_pairs([("__name__", "rows"), ("job", "a")]);
    let series = vec![PushedSeries::float(labels, value).merging(merge)];
    let family =
        PushedFamily { name: "rows".into(), r#type: MetricType::Counter, series, ..PushedFamily::default() };
    let change = if merge == Merge::Set { Change::ReplaceGroup } else { Change::Merge };
    Push::new(GroupKey::of(&Labels::from_pairs([("job", "a")])), change, vec![family])
}

#[tokio::test]
async fn samples_change_their_time_and_pushes_what_comes_after_them() {
    let world = World::new();
    let (pushes, samples) = streams();
    let (store, clock) = (&world.store, &world.clock);
    let samples = Writer::start(Arc::clone(store), samples, Arc::clone(clock) as _, world.settings());
    let pushes = Writer::start(Arc::clone(store), pushes, Arc::clone(clock) as _, world.settings());
    let empty = world.ground().await;
    assert_eq!(world.ground().await.changes(&empty), Some(vec![]));
    samples.push(batch("up", &[T0 - 90_000, T0 - 5_000])).await.expect("written");
    let sampled = world.ground().await;
    assert_eq!(sampled.changes(&empty), Some(vec![(T0 - 90_000, T0 - 5_000)]));
    clock.advance_ms(1_000);
    pushes.push(push(1.0, Merge::Set)).await.expect("written");
    let pushed = world.ground().await;
    assert_eq!(pushed.changes(&sampled), Some(vec![(T0 + 1_000, i64::MAX.div_euclid(1_000))]));
    assert_eq!(pushed.changes(&world.ground().await), Some(vec![]));
}

#[tokio::test]
async fn what_is_not_written_yet_is_something_else_each_time() {
    let world = World::new();
    let (pushes, samples) = streams();
    let settings = WriterSettings { group_delay: Duration::from_secs(3_600), ..world.settings() };
    let clock = || Arc::clone(&world.clock) as Arc<dyn model::Clock>;
    let samples_writer = Writer::start(Arc::clone(&world.store), samples.clone(), clock(), settings.clone());
    let pushes_writer = Writer::start(Arc::clone(&world.store), pushes.clone(), clock(), settings);
    let sources = (Source::new(pushes, Some(&pushes_writer)), Source::new(samples, Some(&samples_writer)));
    let reader = Reader::new(Arc::clone(&world.store), sources.0, sources.1, ReaderSettings::default());
    let reader = Arc::new(reader);
    let empty = ground(&reader).await;
    let _waits = samples_writer.submit(batch("up", &[T0 - 20_000, T0 - 10_000])).expect("is taken");
    let sampled = ground(&reader).await;
    let of_samples = (T0 - 20_000, T0 - 10_000);
    assert_eq!(sampled.changes(&empty), Some(vec![of_samples]));
    assert_eq!(ground(&reader).await.changes(&sampled), Some(vec![of_samples; 2]), "it might have changed");
    let _waits_too = pushes_writer.submit(push(1.0, Merge::Set)).expect("is taken");
    let changes = ground(&reader).await.changes(&sampled).expect("not all");
    assert!(
        changes.iter().any(|&(from_ms, until_ms)| from_ms <= T0 && until_ms > T0 + 1_000_000),
        "{changes:?}"
    );
}

#[tokio::test]
async fn an_object_that_cannot_be_read_leaves_nothing_clear() {
    let world = World::new();
    let foreign = object_store::path::Path::from(format!("{}/x.parquet", hot_folder()));
    object_store::ObjectStoreExt::put(&*world.store, &foreign, "?".into()).await.expect("is put");
    assert!(View::new(Arc::clone(&world.reader)).ground().await.expect("lists").0.is_none());
}

fn hot_folder() -> &'static str {
    "default/samples/hot"
}

#[tokio::test]
async fn a_stream_shows_which_series_there_are_and_whether_they_are_sums() {
    let world = World::new();
    let (pushes, samples) = streams();
    let samples =
        Writer::start(Arc::clone(&world.store), samples, Arc::clone(&world.clock) as _, world.settings());
    let pushes =
        Writer::start(Arc::clone(&world.store), pushes, Arc::clone(&world.clock) as _, world.settings());
    samples.push(batch("up", &[T0])).await.expect("written");
    samples.push(batch("up", &[T0 + 5])).await.expect("written");
    samples.push(batch("down", &[T0])).await.expect("written");
    pushes.push(push(1.0, Merge::Set)).await.expect("written");
    let shown = async |name: &str, end_ms: i64| {
        let mut selection = selection(&[("__name__", Equal, name)]);
        selection.end_ms = end_ms;
        let few = NeededLabels::These(["__name__".into()].into());
        let view = View::new(Arc::clone(&world.reader));
        let mut stream = view.stream(&selection, &few);
        while stream.next().await.is_some() {}
        stream.shown()
    };
    let up = shown("up", T0 + 1_000).await;
    assert_eq!((up.all_labels, up.has_sums, up.was_listed_again), (false, false, false));
    assert_eq!(up, shown("up", T0).await, "the same series");
    assert_ne!(up.identities, shown("down", T0).await.identities);
    assert_eq!(shown("nothing", T0).await.identities, 0);
    world.clock.advance_ms(1_000);
    pushes.push(push(1.0, Merge::Add)).await.expect("written");
    let rows = shown("rows", T0 + 5_000).await;
    assert_eq!((rows.all_labels, rows.has_sums), (true, true));
    // what is no sum is none, but its labels are all there
    let up = shown("up", T0 + 5_000).await;
    assert_eq!((up.all_labels, up.has_sums), (true, false));
}
