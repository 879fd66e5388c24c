//! What is older than the retention goes, and what is held still lives on.

use model::{Change, GroupKey, Push};

use super::*;
use crate::RETENTION_MIN;
use crate::writer::tests::{gauge, stream};

const DAY_MS: i64 = 24 * HOUR_MS;

fn keeping(days: u32) -> CompactSettings {
    let retention = Some(Duration::from_secs(86_400) * days);
    CompactSettings { retention, grace: Duration::ZERO, ..CompactSettings::of_holder(7) }
}

async fn push(store: &Arc<dyn ObjectStore>, clock: &Arc<ManualClock>, writer: u64, push: Push) {
    let settings = WriterSettings::of_writer(writer);
    let writer = Writer::start(Arc::clone(store), stream(), Arc::clone(clock) as _, settings);
    writer.push(push).await.expect("is stored");
    writer.close().await;
}

/// What is held from one time to another, in days since the first push: `job from..until value`.
async fn held(store: &Arc<dyn ObjectStore>, from_ms: i64, until_ms: i64) -> Vec<String> {
    let samples = Source::new(Stream::samples(&Path::default(), &Tenant::default()), None);
    let reader =
        Reader::new(Arc::clone(store), Source::new(stream(), None), samples, ReaderSettings::default());
    let matchers = vec![model::Matcher::equal("__name__", "rows")];
    let selection = Selection { matchers, start_ms: from_ms, end_ms: until_ms };
    let answer = reader.select(&selection).await.expect("reads");
    assert_eq!(answer.left_out, []);
    let day =
        |at_ms: i64| if at_ms == i64::MAX { String::new() } else { ((at_ms - T0_MS) / DAY_MS).to_string() };
    let mut shown = Vec::new();
    for series in answer.found {
        let job = series.labels.get("job").unwrap_or_default().to_owned();
        let steps = &series.steps;
        for index in 0..steps.len() {
            let (from, until) = (day(steps.from_ms[index]), day(steps.until_ms[index]));
            shown.push(format!("{job} {from}..{until} {}", steps.values[index]));
        }
    }
    shown
}

#[tokio::test]
async fn what_is_held_still_outlives_its_push() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let clock = Arc::new(ManualClock::at_ms(T0_MS));
    let delete = Push::new(GroupKey::of(&Labels::from_pairs([("job", "gone")])), Change::Delete, Vec::new());
    push(&store, &clock, 1, gauge("held", 1.0)).await;
    push(&store, &clock, 2, gauge("gone", 2.0)).await;
    clock.advance_ms(DAY_MS);
    push(&store, &clock, 3, delete).await;
    clock.advance_ms(DAY_MS);
    push(&store, &clock, 4, gauge("late", 3.0)).await;
    let tick = async |days: u32| {
        let compactor =
            Compactor::of_pushes(Arc::clone(&store), stream(), keeping(days), Arc::clone(&clock) as _);
        compactor.tick().await.expect("ticks")
    };
    clock.advance_ms(4 * DAY_MS);
    let all = ["gone 0..1 2", "held 0.. 1", "late 2.. 3"];
    assert_eq!(tick(30).await.runs_dropped, 0);
    assert_eq!(held(&store, T0_MS, T0_MS + 6 * DAY_MS).await, all);
    // the last frame before the horizon is that of the end of the second day
    let progress = tick(4).await;
    assert_eq!(progress.runs_dropped, 2);
    assert_eq!(held(&store, T0_MS, T0_MS + 6 * DAY_MS).await, ["held 1.. 1", "late 2.. 3"]);
    assert_eq!(held(&store, T0_MS, T0_MS + HOUR_MS).await, [""; 0]);
    assert_eq!(tick(4).await.runs_dropped, 0);
    // a retention that is too short counts as the shortest
    assert_eq!(tick(0).await.runs_dropped, 1);
    assert!(RETENTION_MIN > Duration::from_secs(86_400));
    assert_eq!(held(&store, T0_MS, T0_MS + 6 * DAY_MS).await, ["held 2.. 1", "late 2.. 3"]);
    // and in the end the files are gone
    for _ in 0..3 {
        clock.advance_ms(2 * HOUR_MS);
        tick(0).await;
    }
    let left: Vec<_> = futures::TryStreamExt::try_collect(store.list(None)).await.expect("lists");
    let left: Vec<String> = left.into_iter().map(|entry| entry.location.to_string()).collect();
    assert!(left.iter().all(|name| name.contains("/frames/") || name.ends_with("manifest.json")), "{left:?}");
}

#[tokio::test]
async fn samples_go_by_their_own_day() {
    let mut world = World::new();
    let keeping_3 = |settings: &mut CompactSettings| settings.retention = keeping(3).retention;
    let compactor = world.compactor(7, keeping_3);
    for days_ago in [0, 1, 5] {
        world.write("a", T0_MS - days_ago * DAY_MS, 1.0).await;
    }
    world.clock.advance_ms(10 * MINUTE_MS);
    assert_eq!(compactor.tick().await.expect("ticks").runs_dropped, 1);
    world.written.retain(|(_, at_ms), _| *at_ms > T0_MS - 5 * DAY_MS);
    assert_eq!(world.held().await, world.written);
    // what comes too late is not seen, and goes with the next
    world.write("a", T0_MS - 6 * DAY_MS, 2.0).await;
    world.written.retain(|(_, at_ms), _| *at_ms > T0_MS - 5 * DAY_MS);
    assert_eq!(world.held().await, world.written);
    world.clock.advance_ms(3 * DAY_MS);
    let progress = compactor.tick().await.expect("ticks");
    assert_eq!(progress.runs_dropped, 2, "that one, and the day before the first");
    world.written.retain(|(_, at_ms), _| *at_ms > T0_MS - DAY_MS);
    assert_eq!(world.held().await, world.written);
}
