//! Ticks that die at any point, late ones, and two at once: nothing is lost, and little comes twice.
//!
//! Every call through a port can be a tick's last: before it takes effect, or after. Dead is dead: the future is dropped.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::*;
use crate::Rules;
use crate::ports::{
    InstantQuery, LoadError, Loaded, Notifier, NotifyError, QueryError, QueryValue, RuleSample, SampleSink,
    SinkError, StateStore, SwapError, Version,
};
use crate::send::Alert;
use crate::testing::{FakeQuery, World, vector};

const STEP: i64 = 15_000;
const MINUTE: i64 = 60_000;
/// The first slot behind the delay of a minute.
const RESEND: i64 = 75_000;

const FILE: &str = "
groups:
- name: g
  interval: 15s
  rules:
  - {alert: Down, expr: down, for: 30s}
  - {record: downs, expr: down}
";

/// Burns down with every point that a tick passes; where it ends, the tick does.
#[derive(Default)]
struct Fuse {
    /// Points that may still be passed; `usize::MAX` for all.
    left: AtomicUsize,
    blown: Notify,
    /// Whether something was delivered since the fuse was lit: from then on a death may cause a repetition.
    delivered: AtomicBool,
}

impl Fuse {
    fn light(&self, points: usize) {
        self.left.store(points, Ordering::SeqCst);
        self.delivered.store(false, Ordering::SeqCst);
    }

    async fn pass(&self) {
        let left = self.left.load(Ordering::SeqCst);
        if left == usize::MAX {
            return;
        }
        if left == 0 {
            self.blown.notify_one();
            std::future::pending::<()>().await;
        }
        self.left.store(left - 1, Ordering::SeqCst);
    }
}

/// A port whose calls are points of a fuse.
struct Fused<T> {
    inner: Arc<T>,
    fuse: Arc<Fuse>,
}

#[async_trait]
impl InstantQuery for Fused<FakeQuery> {
    fn check(&self, expr: &str) -> Result<String, String> {
        self.inner.check(expr)
    }

    async fn query(&self, expr: &str, at_ms: i64) -> Result<QueryValue, QueryError> {
        self.fuse.pass().await;
        self.inner.query(expr, at_ms).await
    }
}

#[async_trait]
impl StateStore for Fused<crate::testing::MemoryState> {
    async fn load(&self, known: Option<&Version>) -> Result<Loaded, LoadError> {
        self.fuse.pass().await;
        self.inner.load(known).await
    }

    async fn swap(&self, bytes: Vec<u8>, expected: Option<&Version>) -> Result<Version, SwapError> {
        self.fuse.pass().await;
        let swapped = self.inner.swap(bytes, expected).await;
        self.fuse.pass().await;
        swapped
    }
}

#[async_trait]
impl SampleSink for Fused<crate::testing::Samples> {
    async fn write(&self, samples: &[RuleSample]) -> Result<(), SinkError> {
        self.fuse.pass().await;
        let written = self.inner.write(samples).await;
        self.fuse.pass().await;
        written
    }
}

/// Counts what it hears.
struct Ear {
    fuse: Arc<Fuse>,
    clock: Arc<dyn model::Clock>,
    /// With the time.
    heard: Mutex<Vec<(Alert, i64)>>,
}

#[async_trait]
impl Notifier for Ear {
    fn name(&self) -> &'static str {
        "ear"
    }

    async fn send(&self, batch: &[Alert]) -> Result<(), NotifyError> {
        self.fuse.pass().await;
        let now_ms = self.clock.now_ms();
        let heard = batch.iter().map(|alert| (alert.clone(), now_ms));
        self.heard.lock().expect("lock").extend(heard);
        self.fuse.delivered.store(true, Ordering::SeqCst);
        self.fuse.pass().await;
        Ok(())
    }
}

struct Scene {
    world: World,
    fuse: Arc<Fuse>,
    ear: Arc<Ear>,
    evaluators: [Evaluator; 2],
}

impl Scene {
    fn new() -> Self {
        let world = World::new();
        let fuse = Arc::new(Fuse::default());
        fuse.light(usize::MAX);
        let (fuse_of_ear, clock) = (Arc::clone(&fuse), world.clock.clone() as _);
        let ear = Arc::new(Ear { fuse: fuse_of_ear, clock, heard: Mutex::default() });
        let evaluators = [(); 2].map(|()| {
            let components = Components {
                query: Arc::new(Fused { inner: Arc::clone(&world.query), fuse: Arc::clone(&fuse) }),
                notifiers: vec![ear.clone()],
                state: Arc::new(Fused { inner: Arc::clone(&world.state), fuse: Arc::clone(&fuse) }),
                sink: Some(Arc::new(Fused { inner: Arc::clone(&world.samples), fuse: Arc::clone(&fuse) })),
                clock: world.clock.clone(),
            };
            let rules = Rules::load(&[("f.yml", FILE)], &FakeQuery::default()).expect("loads");
            Evaluator::new(rules, components, Settings::default())
        });
        Self { world, fuse, ear, evaluators }
    }

    fn at(&self, now_ms: i64) {
        self.world.clock.advance_ms(now_ms - model::Clock::now_ms(&*self.world.clock));
    }

    fn down(&self, is_down: bool) {
        let elements: &[(&[(&str, &str)], f64)] = if is_down { &[(&[("i", "a")], 1.0)] } else { &[] };
        self.world.query.answer("down", vector(elements));
    }

    /// Ticks until the fuse ends; whether the tick lived.
    async fn tick(&self, now_ms: i64) -> bool {
        tokio::select! {
            biased;
            ticked = self.evaluators[0].tick(now_ms) => ticked.map(|_| true).expect("no port fails"),
            () = self.fuse.blown.notified() => false,
        }
    }

    /// Two ticks at once; none of them dies.
    async fn two_ticks(&self, now_ms: i64) {
        let [first, second] = &self.evaluators;
        let (first, second) = futures::join!(first.tick(now_ms), second.tick(now_ms));
        first.expect("no port fails");
        second.expect("no port fails");
    }

    /// What was heard: start of the alert and whether it is over, in order.
    fn heard(&self) -> Vec<(i64, bool)> {
        self.ear
            .heard
            .lock()
            .expect("lock")
            .iter()
            .map(|(alert, _)| (alert.starts_at_ms, alert.resolved))
            .collect()
    }

    /// How often something was heard that had been heard before: a word about an alert that fires is known by its end,
    /// which moves on with each; words about one that is over are all alike, but there is one per [`RESEND`] at most.
    fn repetitions(&self) -> usize {
        let mut firing: BTreeMap<(i64, i64), usize> = BTreeMap::new();
        let mut over: BTreeMap<i64, (usize, i64)> = BTreeMap::new();
        for (alert, at_ms) in &*self.ear.heard.lock().expect("lock") {
            if alert.resolved {
                let (count, last_ms) = over.entry(alert.ends_at_ms).or_default();
                (*count, *last_ms) = (*count + 1, *at_ms);
            } else {
                *firing.entry((alert.starts_at_ms, alert.ends_at_ms)).or_default() += 1;
            }
        }
        let of_over = over.iter().map(|(ends_at_ms, (count, last_ms))| {
            let due = 1 + usize::try_from((last_ms - ends_at_ms) / RESEND).expect("heard behind the end");
            count.saturating_sub(due)
        });
        of_over.sum::<usize>() + firing.values().map(|count| count - 1).sum::<usize>()
    }
}

/// Down for five minutes, up for five: the tick at which it fires dies at `points`. The number of points that were passed
/// at most, and whether the alert fired and was over in time.
async fn dies_once(points: usize, while_down: bool) -> bool {
    let scene = Scene::new();
    let (start, end) = (100 * MINUTE, 105 * MINUTE);
    // the slot at which it fires is the third; that at which it is over is the first behind the end
    let fatal = if while_down { start + 2 * STEP } else { end };
    let mut lived = true;
    let mut may_repeat = 0;
    for now_ms in (start..start + 10 * MINUTE).step_by(STEP as usize) {
        scene.at(now_ms);
        scene.down(now_ms < end);
        scene.fuse.light(if now_ms == fatal { points } else { usize::MAX });
        if !scene.tick(now_ms).await {
            lived = false;
            may_repeat += usize::from(scene.fuse.delivered.load(Ordering::SeqCst));
        }
    }
    let heard = scene.heard();
    let first = heard.first().copied().expect("something is heard");
    assert!(!first.1, "it fires first: {heard:?}");
    assert!(heard.iter().all(|(starts_at_ms, _)| *starts_at_ms == first.0), "one alert: {heard:?}");
    assert!(heard.last().expect("something is heard").1, "it is over at the end: {heard:?}");
    let over = heard.iter().position(|(_, resolved)| *resolved).expect("it is over");
    assert!(heard[over..].iter().all(|(_, resolved)| *resolved), "no old word behind a newer one: {heard:?}");
    assert!(scene.repetitions() <= may_repeat, "points {points}: {heard:?}");
    lived
}

#[tokio::test]
async fn a_tick_may_die_at_every_point() {
    for while_down in [true, false] {
        let mut points = 0;
        while !dies_once(points, while_down).await {
            points += 1;
        }
        // load, two queries, two writes, state, send, state
        assert!(points >= 10, "only {points} points were tried");
    }
}

/// A small generator of numbers; its seed is its first state.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Half an hour of ticks, some of which die, come late, or twice at once. The condition holds and does not hold for at
/// least four minutes each, in which there is some time without harm: long enough for the claim of a dead tick to run out.
async fn half_an_hour(seed: u64) -> Vec<(i64, bool)> {
    let scene = Scene::new();
    let mut random = Random(seed);
    let start = 100 * MINUTE;
    let (mut is_down, mut until_ms) = (false, start);
    let (mut changes, mut may_repeat, mut since_ms) = (0, 0, start);
    for now_ms in (start..start + 40 * MINUTE).step_by(STEP as usize) {
        let calm = now_ms >= start + 30 * MINUTE;
        if now_ms >= until_ms && !calm {
            is_down = !is_down;
            changes += 1;
            since_ms = now_ms;
            until_ms = now_ms + 4 * MINUTE + i64::try_from(random.below(5)).expect("small") * MINUTE;
        }
        scene.at(now_ms);
        scene.down(is_down && !calm);
        scene.fuse.light(usize::MAX);
        let quiet = since_ms + 2 * MINUTE..since_ms + 2 * MINUTE + CLAIM_MS + 2 * STEP;
        match random.below(10) {
            _ if calm || quiet.contains(&now_ms) => assert!(scene.tick(now_ms).await),
            0..5 => {
                scene.fuse.light(usize::try_from(random.below(16)).expect("small"));
                let lived = scene.tick(now_ms).await;
                may_repeat += usize::from(!lived && scene.fuse.delivered.load(Ordering::SeqCst));
            }
            5 => {}
            6..8 => scene.two_ticks(now_ms).await,
            _ => assert!(scene.tick(now_ms).await),
        }
    }
    let heard = scene.heard();
    assert!(
        scene.repetitions() <= may_repeat,
        "seed {seed}: {may_repeat} deaths behind a delivery, {heard:?}"
    );
    // each time that the condition held is one alert, which is heard of when it fires, and when it is over
    let mut alerts: BTreeMap<i64, Vec<bool>> = BTreeMap::new();
    for (starts_at_ms, resolved) in &heard {
        alerts.entry(*starts_at_ms).or_default().push(*resolved);
    }
    let times_down = usize::div_ceil(changes, 2);
    assert_eq!(alerts.len(), times_down, "seed {seed}: {heard:?}");
    for (starts_at_ms, words) in alerts {
        assert!(!words[0] && words[words.len() - 1], "seed {seed}: {starts_at_ms}: {words:?}");
        assert!(words.is_sorted(), "no old word behind a newer one, seed {seed}: {starts_at_ms}: {words:?}");
    }
    heard
}

#[tokio::test]
async fn ticks_that_die_come_late_or_twice_lose_nothing() {
    assert_eq!(half_an_hour(1).await, half_an_hour(1).await, "a seed is a schedule");
    for seed in 2..40 {
        half_an_hour(seed).await;
    }
}
