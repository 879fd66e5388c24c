//! A story while it is compacted: stretched over hours, with ticks of compaction in between, and read after each.

use std::sync::Arc;
use std::time::Duration;

use mayfly_store::{
    CompactSettings, Compactor, Inspector, MergeLimits, Reader, ReaderSettings, SampleBatch, Source, Stream,
    Tenant, Writer, WriterSettings,
};
use model::{Push, Selection, Stamp};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use proptest::prelude::*;
use testkit::ManualClock;

use crate::cases;
use crate::pushes::{Story, show, story};
use crate::reference::Reference;
use crate::written::{Found, T0};

/// What is a millisecond in a story, in milliseconds: minutes go by from one push to the next.
const STRETCH_MS: i64 = 40_000;

/// What happens after a push.
#[derive(Clone, Copy, Debug)]
enum Then {
    Nothing,
    /// Everything that waits is written.
    Flush,
    /// And compaction ticks, so many times, each so many minutes later.
    Ticks(u8, u16),
}

fn then() -> impl Strategy<Value = Then> {
    let ticks = (1..4u8, prop_oneof![4 => 0..9u16, 2 => 30..90u16, 1 => 600..1_500u16]);
    prop_oneof![
        4 => Just(Then::Nothing),
        2 => Just(Then::Flush),
        3 => ticks.prop_map(|(count, minutes)| Then::Ticks(count, minutes)),
    ]
}

struct World {
    store: Arc<dyn ObjectStore>,
    clock: Arc<ManualClock>,
    compactor: Compactor,
    reader: Reader,
    stamped: Vec<(Stamp, Push)>,
}

impl World {
    fn new(seed: u64) -> Self {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let clock = Arc::new(ManualClock::at_ms(T0));
        let settings = CompactSettings {
            // small files, and a chain of frames soon
            file_rows_max: 1 + usize::from(seed.to_le_bytes()[0] % 5),
            rows_max: 1 + u64::from(seed.to_le_bytes()[1] % 9),
            // a minute that is too much to be sorted at once, by one segment or by several
            group_bytes_max: [1, 2_000, 128 << 20][usize::from(seed.to_le_bytes()[2] % 3)],
            limits: limits(seed.to_le_bytes()[3]),
            grace: Duration::ZERO,
            // a tick may end what the one before has begun
            aggregate_resolution: Duration::ZERO,
            ..CompactSettings::of_holder(7)
        };
        let compactor = Compactor::of_pushes(Arc::clone(&store), stream(), settings, Arc::clone(&clock) as _);
        let samples: Source<SampleBatch> =
            Source::new(Stream::samples(&Path::default(), &Tenant::default()), None);
        let reader =
            Reader::new(Arc::clone(&store), Source::new(stream(), None), samples, ReaderSettings::default());
        Self { store, clock, compactor, reader, stamped: Vec::new() }
    }

    fn now_ms(&self) -> i64 {
        model::Clock::now_ms(&*self.clock) - T0
    }

    /// Compares what is read of a time with what the pushes up to now say.
    async fn check(&mut self, (start_ms, end_ms): (i64, i64)) {
        self.stamped.sort_by_key(|(stamp, _)| *stamp);
        let reference = Reference::without(&self.stamped, &|_, _| false);
        let selection = Selection {
            matchers: vec![model::Matcher::new("__name__", model::MatchOp::Regex, ".+").expect("a pattern")],
            start_ms: T0 + start_ms,
            end_ms: T0 + end_ms,
        };
        let answer = self.reader.select(&selection).await.expect("reads");
        assert_eq!(answer.left_out, []);
        let found = Found(answer.found);
        let of_pushes = self.stamped.iter().map(|(stamp, _)| stamp.at_us / 1_000);
        let around =
            of_pushes.flat_map(|at_ms| [at_ms - 1, at_ms, at_ms + STRETCH_MS - 1, at_ms + STRETCH_MS]);
        let steps = (start_ms..=end_ms).step_by(usize::try_from(STRETCH_MS).expect("is positive"));
        for at_ms in around.chain(steps).filter(|at_ms| (start_ms..=end_ms).contains(at_ms)) {
            let different = reference.different(&found.at(at_ms), at_ms);
            assert_eq!(
                different,
                "",
                "at {at_ms} of {start_ms} to {end_ms}, now {} of {}",
                self.now_ms(),
                show(&self.stamped)
            );
        }
    }

    async fn tick(&mut self) {
        // one that is behind goes on
        for _ in 0..200 {
            if !self.compactor.tick().await.expect("ticks").is_behind {
                return;
            }
        }
        panic!("it is never done");
    }
}

/// What may be merged at once: all, a part, or nothing at all.
fn limits(seed: u8) -> MergeLimits {
    let usual = MergeLimits::default();
    match seed % 8 {
        0 => MergeLimits { runs_max: 2, ..usual },
        1 => MergeLimits { head_rows_max: 3, ..usual },
        2 => MergeLimits { open_bytes_max: 12_000, ..usual },
        3 => MergeLimits { list_bytes_max: 80, ..usual },
        4 => MergeLimits { uneven_rows_max: 2, ..usual },
        _ => usual,
    }
}

fn stream() -> Stream {
    Stream::pushes(&Path::default(), &Tenant::default())
}

async fn play(story: &Story, thens: &[Then], seed: u64, window: (f64, f64)) {
    let mut world = World::new(seed);
    let writer = |index: u32| {
        let settings = WriterSettings::of_writer(seed.rotate_left(index * 21).wrapping_add(u64::from(index)));
        Writer::start(Arc::clone(&world.store), stream(), Arc::clone(&world.clock) as _, settings)
    };
    let writers = [0, 1, 2].map(writer);
    let mut waiting = Vec::new();
    for (told, then) in story.iter().zip(thens) {
        world.clock.advance_ms(told.gap_ms * STRETCH_MS);
        let mut push = told.push.clone();
        push.ttl_us = push.ttl_us.map(|ttl_us| ttl_us * STRETCH_MS.unsigned_abs());
        let writer = &writers[told.writer];
        let mut answer = Box::pin(async move {
            let ack = writer.push(push.clone()).await?;
            Ok::<_, mayfly_store::WriteError>((ack.stamp, push))
        });
        // asked once, so that it is stamped now
        assert!(futures::poll!(&mut answer).is_pending());
        waiting.push(answer);
        let ticks = match then {
            Then::Nothing => continue,
            Then::Flush => (0, 0),
            Then::Ticks(count, minutes) => (*count, *minutes),
        };
        for (mut stamp, push) in
            futures::future::try_join_all(std::mem::take(&mut waiting)).await.expect("written")
        {
            stamp.at_us -= T0 * 1_000;
            world.stamped.push((stamp, push));
        }
        for _ in 0..ticks.0 {
            world.clock.advance_ms(i64::from(ticks.1) * 60_000);
            world.tick().await;
            let now_ms = world.now_ms();
            world.check(within(window, now_ms)).await;
        }
    }
    for (mut stamp, push) in futures::future::try_join_all(waiting).await.expect("written") {
        stamp.at_us -= T0 * 1_000;
        world.stamped.push((stamp, push));
    }
    for minutes in [0, 10, 60, 1_440, 2_880] {
        world.clock.advance_ms(minutes * 60_000);
        world.tick().await;
        let now_ms = world.now_ms();
        world.check((0, now_ms)).await;
        world.check(within(window, now_ms)).await;
        world.check((now_ms, now_ms)).await;
    }
    let inspector = Inspector::of_pushes(Arc::clone(&world.store), stream());
    assert_eq!(inspector.verify().await.expect("is looked at").problems, []);
}

/// A part of the time until now.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "days in milliseconds")]
fn within((a, b): (f64, f64), now_ms: i64) -> (i64, i64) {
    let at = |share: f64| (share * now_ms as f64) as i64;
    (at(a.min(b)), at(a.max(b)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases().cases / 8, max_shrink_iters: 300, ..cases() })]

    #[test]
    fn compaction_changes_no_answer(
        story in story(),
        thens in prop::collection::vec(then(), 30),
        seed in any::<u64>(),
        window in (0.0..1.0f64, 0.0..1.0f64),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(play(&story, &thens, seed, window));
    }
}
