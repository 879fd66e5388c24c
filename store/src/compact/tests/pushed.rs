//! Ticks over pushes: segments that go on after the watermark, and what an earlier version has left.

use super::*;
use crate::writer::tests::{gauge, steps, stream};

pub(super) struct Pushed {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) clock: Arc<ManualClock>,
}

impl Pushed {
    pub(super) fn new() -> Self {
        Self { store: Arc::new(InMemory::new()), clock: Arc::new(ManualClock::at_ms(T0_MS)) }
    }

    /// One segment of pushes that come so long after each other.
    async fn write(&self, writer: u64, pauses_ms: &[i64]) {
        let clock = Arc::clone(&self.clock) as _;
        let settings = WriterSettings::of_writer(writer);
        let writer = Writer::start(Arc::clone(&self.store), stream(), clock, settings);
        let mut submitted = vec![writer.submit(gauge("a", 0.5)).expect("is taken")];
        for (value, pause_ms) in (1..).zip(pauses_ms) {
            self.clock.advance_ms(*pause_ms);
            submitted.push(writer.submit(gauge("a", f64::from(value))).expect("is taken"));
        }
        for submitted in submitted {
            submitted.durable().await.expect("is stored");
        }
        writer.close().await;
    }

    pub(super) async fn tick(
        &self,
        change: impl FnOnce(&mut CompactSettings),
    ) -> Result<Progress, CompactError> {
        let mut settings = CompactSettings::of_holder(7);
        change(&mut settings);
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock) as _);
        Compactor::of_pushes(store, stream(), settings, clock).tick().await
    }

    pub(super) async fn manifest(&self) -> Arc<Manifest> {
        let manifests = Manifests::new(Arc::clone(&self.store), stream().manifest());
        manifests.load(None).await.expect("loads").manifest
    }
}

/// The second push of a segment lies in a later minute, and the watermark comes to lie between the two.
#[tokio::test]
async fn what_goes_on_after_the_watermark_is_not_lost() {
    // until the second push, until the tick, and until another segment comes, if one does
    for (pause_ms, tick_ms, next_ms) in [
        (MINUTE_MS, 4 * MINUTE_MS, None),
        (MINUTE_MS, 4 * MINUTE_MS, Some(3 * HOUR_MS)),
        (2 * MINUTE_MS, 3 * MINUTE_MS, Some(30 * HOUR_MS)),
        (3 * MINUTE_MS, 2 * MINUTE_MS, None),
    ] {
        let pushed = Pushed::new();
        pushed.write(1, &[pause_ms]).await;
        pushed.clock.advance_ms(tick_ms);
        let before = steps(&pushed.store, None, T0_MS + 90 * HOUR_MS).await;
        pushed.tick(|_| ()).await.expect("ticks");
        assert_eq!(pushed.manifest().await.reaching.len(), 1, "the case is the one that is meant");
        assert_eq!(steps(&pushed.store, None, T0_MS + 90 * HOUR_MS).await, before);
        // of this minute there may be nothing in the segment
        pushed.clock.advance_ms(MINUTE_MS);
        pushed.tick(|_| ()).await.expect("ticks");
        assert_eq!(steps(&pushed.store, None, T0_MS + 90 * HOUR_MS).await, before);
        pushed.clock.advance_ms(next_ms.unwrap_or(30 * HOUR_MS));
        if next_ms.is_some() {
            pushed.write(2, &[]).await;
            pushed.clock.advance_ms(10 * MINUTE_MS);
        }
        let before = steps(&pushed.store, None, T0_MS + 90 * HOUR_MS).await;
        for _ in 0..3 {
            pushed.tick(|_| ()).await.expect("ticks");
            assert_eq!(steps(&pushed.store, None, T0_MS + 90 * HOUR_MS).await, before);
            pushed.clock.advance_ms(26 * HOUR_MS);
        }
        let manifest = pushed.manifest().await;
        stands(&manifest).expect("is sound");
        assert_eq!(manifest.reaching, []);
    }
}

/// A tick was killed before its swap, and another version, or other settings, would have written other bytes.
#[tokio::test]
async fn what_another_version_has_left_stops_one_tick_and_not_the_next() {
    let pushed = Pushed::new();
    pushed.write(1, &[]).await;
    pushed.clock.advance_ms(10 * MINUTE_MS);
    let before = steps(&pushed.store, None, T0_MS + HOUR_MS).await;
    pushed.tick(|_| ()).await.expect("ticks");
    let left = stream().below(&pushed.manifest().await.runs[0].objects[0].name);
    pushed.store.delete(&stream().manifest()).await.expect("deleted");
    pushed.store.put(&left, "of another version".into()).await.expect("written");
    let error = pushed.tick(|_| ()).await.expect_err("differs");
    assert!(matches!(&error, CompactError::Differs(object) if *object == left), "{error}");
    pushed.tick(|_| ()).await.expect("goes on");
    assert_eq!(pushed.manifest().await.runs.len(), 1);
    assert_eq!(steps(&pushed.store, None, T0_MS + HOUR_MS).await, before);
}

/// A log that is replayed twice within a minute leaves its segment there twice, with stamps of their own. Readers of what is not
/// merged yet, and the run, go by the same one of them: the last by name.
#[tokio::test]
async fn of_a_segment_that_is_twice_under_one_minute_the_last_counts_before_and_after() {
    for order in [[0, 5_000], [5_000, 0]] {
        let pushed = Pushed::new();
        for after_ms in order {
            pushed.clock.advance_ms(T0_MS + after_ms - pushed.clock.now_ms());
            // the same writer, and its first segment
            pushed.write(1, &[100]).await;
        }
        let found: Vec<_> = futures::TryStreamExt::try_collect(pushed.store.list(None)).await.expect("lists");
        assert_eq!(found.len(), 2);
        for object in found {
            let again = Path::from(object.location.as_ref().replace(".parquet", "-again.parquet"));
            pushed.store.rename(&object.location, &again).await.expect("is renamed");
        }
        let expect = [(T0_MS + 5_000, 0.5), (T0_MS + 5_100, 1.0)];
        let end_ms = T0_MS + 40 * HOUR_MS;
        assert_eq!(steps(&pushed.store, None, end_ms).await, expect);
        for minutes in [10, 60, 26 * 60] {
            pushed.clock.advance_ms(minutes * MINUTE_MS);
            pushed.tick(|settings| settings.grace = Duration::ZERO).await.expect("ticks");
            assert_eq!(pushed.manifest().await.runs.len(), 1);
            assert_eq!(steps(&pushed.store, None, end_ms).await, expect, "{minutes} minutes later");
        }
    }
}
