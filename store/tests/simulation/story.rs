//! What happens to a store in a few days, as a seed wants it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use mayfly_store::{CompactSettings, SampleBatch};
use model::{Change, Labels, MatchOp, Matcher, Push};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tokio::task::JoinHandle;

use super::bucket::{Broken, Bucket};
use super::chance::Chance;
use super::ledger::{Answer, Given};
use super::manifest::merged;
use super::processes::{DELETER, Reading, Slot, Writing, compact_settings, delete, tick, verify};
use super::weather::Weather;
use super::world::World;

const S: i64 = 1_000_000;
const MINUTE: i64 = 60 * S;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

const STEPS: usize = 120;

/// How often it is looked, in the end, whether all has gone that nobody needs.
const SWEEPS: usize = 6;

/// How many seconds anything may take when all is calm: less than a read may.
const PATIENCE: usize = 500;
const PUSHERS: [&str; 4] = ["pusher-0", "pusher-1", "pusher-2", LOGGED];
const LOGGED: &str = "logger";
const SAMPLERS: [&str; 2] = ["sampler-0", "sampler-1"];
const COMPACTORS: [&str; 3] = ["compactor-1", "compactor-2", "compactor-3"];
const READERS: [&str; 2] = ["reader-0", "reader-1"];

/// What came of a story.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) trace: Vec<String>,
    pub(crate) failure: Option<String>,
}

pub(crate) struct Story {
    seed: u64,
    chance: Chance,
    world: Arc<World>,
    /// What they write they acknowledge when it is in the store, the last of them when it is in its log.
    pushers: Vec<Slot>,
    samplers: Vec<Writing<SampleBatch>>,
    readers: Vec<Arc<Reading>>,
    /// Ticks under way, by compactor and stream.
    ticks: BTreeMap<(usize, bool), JoinHandle<Option<bool>>>,
    settings: CompactSettings,
    /// What will be pushed, in this order.
    pushes: Vec<Push>,
    sampled: u64,
    /// Whether something is deleted now and then, and what.
    deleting: Option<Chance>,
    /// Whether whoever writes samples tells of families too.
    tells: bool,
}

/// What happens in a story.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Kind {
    /// The store does not keep its word.
    pub(crate) broken: Option<Broken>,
    /// Something is deleted now and then.
    pub(crate) deletes: bool,
    /// With samples it is told of families, each of which is there once.
    pub(crate) tells: bool,
}

/// Plays the story of a seed.
pub(crate) fn play(seed: u64, Kind { broken, deletes, tells }: Kind) -> Ended {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .max_blocking_threads(1)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let world = World::new(seed, Bucket { broken, ..Bucket::default() });
        world.ledger().retention_us = keeping(&compact_settings(seed));
        let mut story = Story::new(seed, &world);
        story.deleting = deletes.then(|| Chance::of(seed, &["deletions"]));
        story.tells = tells;
        story.run().await;
        Ended { failure: world.failure(), trace: world.take_trace() }
    })
}

impl Story {
    fn new(seed: u64, world: &Arc<World>) -> Self {
        let mut chance = Chance::of(seed, &["story"]);
        Self {
            seed,
            world: Arc::clone(world),
            pushers: Vec::new(),
            samplers: SAMPLERS.iter().map(|actor| Writing::of_samples(world, actor, &mut chance)).collect(),
            readers: READERS.iter().map(|actor| Arc::new(Reading::new(world, actor))).collect(),
            ticks: BTreeMap::new(),
            settings: compact_settings(seed),
            pushes: some_pushes(seed, &mut chance),
            sampled: 0,
            deleting: None,
            tells: false,
            chance,
        }
    }

    async fn run(&mut self) {
        for actor in actors() {
            let weather = self.some_weather();
            self.world.weathers.set(actor, weather);
        }
        for index in 0..PUSHERS.len() {
            self.restart_pusher(index, false);
        }
        for _ in 0..STEPS {
            self.pass().await;
            self.delete();
            self.step().await;
            if self.world.failure().is_some() {
                return;
            }
        }
        self.end().await;
    }

    /// Time goes by: mostly little.
    async fn pass(&mut self) {
        let us = match self.chance.below(100) {
            0..45 => self.chance.between(1_000, 2 * S),
            45..70 => self.chance.between(2 * S, 90 * S),
            70..86 => self.chance.between(MINUTE, 8 * MINUTE),
            86..97 => self.chance.between(10 * MINUTE, 70 * MINUTE),
            _ => self.chance.between(3 * HOUR, 27 * HOUR),
        };
        self.advance(us).await;
    }

    async fn advance(&mut self, us: i64) {
        let to_us = self.world.now_us() + us;
        self.world.schedule.advance_to(to_us).await;
    }

    async fn step(&mut self) {
        match self.chance.below(100) {
            0..26 => self.push(),
            26..34 => self.sample(),
            34..48 => self.begin_tick(),
            48..60 => self.read(),
            60..70 => self.change_weather(),
            70..72 => self.kill_tick(),
            72..75 => self.restart(),
            75..84 => self.rush().await,
            84..87 => self.dribble().await,
            87..89 => self.fill_disk().await,
            _ => self.patrol().await,
        }
    }

    /// Pushes wait behind one that takes long, so that a segment goes over several minutes, while others merge them.
    async fn dribble(&mut self) {
        let index = self.chance.index(PUSHERS.len());
        self.world.tell(format!("what {} sends takes long", PUSHERS[index]));
        self.world.weathers.set(PUSHERS[index], Weather::Slow(800));
        for _ in 0..self.chance.between(3, 7) {
            self.push_to(index);
            let us = self.chance.between(S, 80 * S);
            self.advance(us).await;
        }
        self.world.weathers.set(PUSHERS[index], Weather::Calm);
        for _ in 0..self.chance.between(2, 8) {
            self.begin_tick();
            self.read();
            let us = self.chance.between(10 * S, 80 * S);
            self.advance(us).await;
        }
    }

    /// There is no space left where a log is, for a while; then there is again. The store is there all the time: how long a writer
    /// leaves it alone after a failure is told by no clock of the story.
    async fn fill_disk(&mut self) {
        let index = PUSHERS.iter().position(|actor| *actor == LOGGED).expect("it is there");
        let space = usize::try_from(self.chance.between(0, 2_000)).expect("is positive");
        self.world.tell(format!("there is space for {space} bytes"));
        self.world.weathers.pin(LOGGED);
        self.advance(2 * S).await;
        self.world.disk.set_space(Some(space));
        for _ in 0..self.chance.between(3, 9) {
            self.push_to(index);
            let us = self.chance.pick(&[1, 20_000, S, 70 * S]);
            self.advance(us).await;
            if self.chance.happens(300) {
                self.read();
                self.advance(1).await;
            }
            if self.chance.happens(100) {
                let is_closed = self.chance.happens(500);
                self.restart_pusher(index, is_closed);
            }
        }
        self.world.tell("there is space again");
        self.world.disk.set_space(None);
        // the first may find that its file has not been replaced yet
        self.push_to(index);
        self.advance(2 * S).await;
        let last = self.push_to(index);
        self.advance(2 * S).await;
        self.world.weathers.release(LOGGED);
        let is_refused = |last: usize| self.world.ledger().entries[last].answer == Answer::Unknown;
        if last.is_some_and(is_refused) {
            self.world.fail("there is space, and still nothing can be pushed");
        }
    }

    /// Much happens at once.
    async fn rush(&mut self) {
        for _ in 0..self.chance.between(4, 14) {
            match self.chance.below(12) {
                0..3 => self.push(),
                3 => self.sample(),
                4..8 => self.begin_tick(),
                8..10 => self.read(),
                10 => self.kill_tick(),
                _ => self.restart(),
            }
            let us = self.chance.pick(&[1, 20_000, 100_000, 400_000, 5 * S]);
            self.advance(us).await;
        }
    }

    fn push(&mut self) {
        let index = self.chance.index(PUSHERS.len());
        let _ = self.push_to(index);
    }

    /// Which was the last.
    fn push_to(&mut self, index: usize) -> Option<usize> {
        let slot = Arc::clone(&self.pushers[index]);
        let slot = slot.lock().expect("unpoisoned");
        let pusher = slot.as_ref()?;
        let mut last = None;
        for _ in 0..self.chance.pick(&[1, 1, 1, 2, 4]) {
            let again = self.world.failed().pop_front();
            let push = match again {
                Some(Given::Push(push)) if self.chance.happens(700) => push,
                _ => match self.pushes.pop() {
                    Some(push) => push,
                    None => return last,
                },
            };
            last = Some(pusher.push(push));
        }
        last
    }

    fn sample(&mut self) {
        let index = self.chance.index(self.samplers.len());
        let now_ms = self.world.now_us() / 1_000;
        let mut samples = Vec::new();
        for name in ["a", "b", "c"] {
            if self.chance.happens(600) {
                self.sampled += 1;
                // often the same times, and late ones
                let late_ms = self.chance.pick(&[0, 0, 0, 5, 3_000, 86_400]) * 1_000;
                let at_ms = (now_ms - late_ms) / 60_000 * 60_000;
                #[expect(clippy::cast_precision_loss, reason = "few")]
                samples.push((name.to_owned(), at_ms, self.sampled as f64));
            }
        }
        if !samples.is_empty() {
            self.samplers[index].write(samples, self.tells);
        }
    }

    /// Now and then.
    fn delete(&mut self) {
        let Some(chance) = &mut self.deleting else { return };
        if !chance.happens(60) {
            return;
        }
        let weather = chance.pick(&[Weather::Calm, Weather::Bad(150), Weather::Bad(500), Weather::Slow(300)]);
        self.world.weathers.set(DELETER, weather);
        let matcher = |name, value| Matcher::new(name, MatchOp::Regex, value).expect("a pattern");
        let matcher = match chance.below(8) {
            0..2 => Matcher::equal("x", "a"),
            2 => Matcher::equal(Labels::NAME, "g"),
            3..5 => matcher(Labels::NAME, "h_.*"),
            5 => matcher(Labels::NAME, "a|c"),
            6 => Matcher::equal(Labels::NAME, "b"),
            _ => matcher(Labels::NAME, ".+"),
        };
        // of sums from before what is kept nobody can take a part
        let kept_us = self.world.ledger().kept[0].last().map_or(i64::MIN, |kept| kept.from_us);
        let began_ms = self.world.began_us().max(kept_us) / 1_000;
        let now_ms = self.world.now_us() / 1_000;
        let mut times = [0; 2].map(|_| chance.between(began_ms, now_ms + 600_000));
        times.sort_unstable();
        let time = match chance.below(4) {
            0 => (None, None),
            1 => (None, Some(times[1])),
            2 => (Some(times[0]), None),
            _ => (Some(times[0]), Some(times[1])),
        };
        let off_us = chance.between(-5 * S, 5 * S);
        self.world.tell(format!("{matcher:?} is to be deleted, {time:?}"));
        // whoever wants it does not wait
        drop(self.world.spawn(delete(Arc::clone(&self.world), off_us, matcher, time)));
    }

    fn begin_tick(&mut self) {
        let (index, is_of_pushes) = (self.chance.index(COMPACTORS.len()), self.chance.happens(650));
        if self.ticks.get(&(index, is_of_pushes)).is_some_and(|tick| !tick.is_finished()) {
            return;
        }
        let tick = self.ticking(index, is_of_pushes);
        self.ticks.insert((index, is_of_pushes), tick);
    }

    fn ticking(&mut self, index: usize, is_of_pushes: bool) -> JoinHandle<Option<bool>> {
        let actor = COMPACTORS[index];
        let settings = CompactSettings { holder: index as u64 + 1, ..self.settings.clone() };
        let off_us = self.chance.between(-5 * S, 5 * S);
        self.world.tell(format!("{actor} begins a tick"));
        self.world.spawn(tick(Arc::clone(&self.world), actor.to_owned(), settings, off_us, is_of_pushes))
    }

    fn read(&mut self) {
        let index = self.chance.index(self.readers.len());
        if self.chance.happens(200) {
            // one that knows nothing yet
            self.readers[index] = Arc::new(Reading::new(&self.world, READERS[index]));
        }
        let now_ms = self.world.now_us() / 1_000;
        let began_ms = self.world.began_us() / 1_000 - 1;
        let window = match self.chance.below(4) {
            0 => (now_ms, now_ms),
            1 => (began_ms, now_ms),
            2 => (now_ms - self.chance.between(0, 3_600_000), now_ms),
            _ => {
                let mut times = [0; 2].map(|_| self.chance.between(began_ms, now_ms + 1));
                times.sort_unstable();
                times.into()
            }
        };
        let also = (0..5).map(|_| self.chance.between(window.0, window.1 + 1)).collect();
        let pusher = Arc::clone(&self.pushers[self.chance.index(PUSHERS.len())]);
        let own = pusher.lock().expect("unpoisoned").as_ref().map(Writing::reading);
        let reader =
            own.filter(|_| self.chance.happens(450)).unwrap_or_else(|| Arc::clone(&self.readers[index]));
        drop(reader.read(&self.world, window, also));
    }

    fn some_weather(&mut self) -> Weather {
        match self.chance.below(12) {
            0..3 => Weather::Calm,
            3..5 => Weather::Bad(30),
            5..7 => Weather::Bad(150),
            7 => Weather::Bad(500),
            8 => Weather::Slow(50),
            9..11 => Weather::Slow(300),
            _ => Weather::Away,
        }
    }

    fn change_weather(&mut self) {
        let weather = self.some_weather();
        if self.chance.happens(200) {
            self.world.tell(format!("the weather of all is {weather:?}"));
            actors().for_each(|actor| self.world.weathers.set(actor, weather));
        } else {
            let actor = self.chance.pick(&actors().collect::<Vec<_>>());
            self.world.tell(format!("the weather of {actor} is {weather:?}"));
            self.world.weathers.set(actor, weather);
        }
    }

    fn kill_tick(&mut self) {
        let under_way: Vec<_> =
            self.ticks.iter().filter(|(_, tick)| !tick.is_finished()).map(|(key, _)| *key).collect();
        if let Some((index, is_of_pushes)) = under_way.first() {
            self.world.tell(format!("{} is killed in its tick", COMPACTORS[*index]));
            self.ticks[&(*index, *is_of_pushes)].abort();
        }
    }

    fn restart(&mut self) {
        let index = self.chance.index(PUSHERS.len() + SAMPLERS.len());
        if let Some(actor) = PUSHERS.get(index) {
            let is_closed = *actor == LOGGED && self.chance.happens(600);
            self.restart_pusher(index, is_closed);
        } else {
            let index = index - PUSHERS.len();
            self.samplers[index].kill();
            self.samplers[index] = Writing::of_samples(&self.world, SAMPLERS[index], &mut self.chance);
        }
    }

    /// Another process takes the place of one, which is killed or closed.
    fn restart_pusher(&mut self, index: usize, is_closed: bool) {
        let before = self.pushers.get(index).and_then(|slot| slot.lock().expect("unpoisoned").take());
        if let Some(before) = before.as_ref().filter(|_| !is_closed) {
            before.kill();
        }
        let (world, chance, actor) = (&self.world, &mut self.chance, PUSHERS[index]);
        let slot = match actor {
            LOGGED => Writing::logged(world, actor, chance, before.filter(|_| is_closed)),
            _ => Arc::new(Mutex::new(Some(Writing::of_pushes(world, actor, chance)))),
        };
        match self.pushers.get_mut(index) {
            Some(pusher) => *pusher = slot,
            None => self.pushers.push(slot),
        }
    }

    /// Ticks at intervals, as a server makes them.
    async fn patrol(&mut self) {
        let pause_us = self.chance.pick(&[MINUTE, 5 * MINUTE, 20 * MINUTE, 65 * MINUTE]);
        for _ in 0..self.chance.pick(&[2, 4, 8]) {
            self.begin_tick();
            let us = self.chance.between(pause_us / 2, pause_us);
            self.advance(us).await;
        }
    }

    /// All is well again; and in the end all is there, once, and nothing else.
    async fn end(&mut self) {
        self.world.tell("all is calm");
        self.world.weathers.all_calm();
        // what is under way comes to its end
        while self.world.schedule.next_us().is_some() {
            self.advance(HOUR).await;
        }
        self.write_logs().await;
        self.verify().await;
        for _ in 0..4 {
            self.advance(26 * HOUR).await;
            for is_of_pushes in [true, false] {
                self.tick_until_done(is_of_pushes).await;
            }
            self.read_all().await;
            self.look_at_told().await;
            self.verify().await;
        }
        if self.world.failure().is_none() {
            self.check_retention();
            self.check_objects().await;
        }
    }

    /// What is too old has gone.
    fn check_retention(&self) {
        let Some(retention_us) = keeping(&self.settings) else { return };
        // a tick may have been a while ago
        let horizon_us = self.world.now_us() - retention_us - HOUR;
        let merged = self.world.ledger().merged.clone();
        let before_us = [
            merged[0].frames_us.iter().copied().filter(|at_us| *at_us <= horizon_us).max(),
            Some(horizon_us - horizon_us.rem_euclid(DAY)),
        ];
        for (merged, before_us) in merged.iter().zip(before_us) {
            let before_us = before_us.unwrap_or(i64::MIN);
            if merged.run_ends_us.iter().any(|end_us| *end_us <= before_us) {
                self.world.fail(format!("what was before {before_us} is kept still: {merged:?}"));
            }
        }
    }

    /// Lets time go by until something has ended, for which it has so many seconds.
    async fn wait_for<T>(&self, task: &JoinHandle<T>) {
        for _ in 0..PATIENCE {
            if task.is_finished() {
                return;
            }
            let to_us = self.world.now_us() + S;
            self.world.schedule.advance_to(to_us).await;
        }
        self.world.fail("all is calm, and still something does not end");
        task.abort();
    }

    /// What is in a log becomes segments.
    async fn write_logs(&mut self) {
        let index = PUSHERS.iter().position(|actor| *actor == LOGGED).expect("it is there");
        // the first closes what runs, and perhaps finds a file that it still holds
        for _ in 0..3 {
            self.restart_pusher(index, true);
            for _ in 0..PATIENCE {
                if self.pushers[index].lock().expect("unpoisoned").is_some() {
                    break;
                }
                self.advance(S).await;
            }
        }
        let left = self.world.disk.names();
        if !left.is_empty() {
            self.world.fail(format!("the log still holds {left:?}"));
        }
        self.world.ledger().are_logs_written = true;
    }

    async fn tick_until_done(&mut self, is_of_pushes: bool) {
        for _ in 0..200 {
            // the lease of another ends sometime
            self.advance(16 * MINUTE).await;
            let tick = self.ticking(0, is_of_pushes);
            self.wait_for(&tick).await;
            match tick.await {
                Ok(Some(false)) => return,
                // another version, or other settings, have left something
                Ok(Some(true) | None) => {}
                Err(error) => self.world.fail(error),
            }
            if self.world.failure().is_some() {
                return;
            }
        }
        self.world.fail("there is more to be done, again and again");
    }

    async fn read_all(&mut self) {
        let (began_ms, now_ms) = (self.world.began_us() / 1_000 - 1, self.world.now_us() / 1_000);
        for reader in self.readers.clone() {
            for window in [(began_ms, now_ms), (now_ms, now_ms)] {
                let read = reader.read(&self.world, window, Vec::new());
                self.wait_for(&read).await;
                if !read.await.unwrap_or(false) {
                    self.world.fail("all is calm, and still it cannot be read");
                }
            }
        }
    }

    /// What was told of families is known.
    async fn look_at_told(&self) {
        for reader in self.readers.iter().filter(|_| self.tells) {
            let looking = self.world.spawn(Arc::clone(reader).told(Arc::clone(&self.world)));
            self.wait_for(&looking).await;
            if let Err(error) = looking.await {
                self.world.fail(error);
            }
        }
    }

    /// `mayfly store verify` finds nothing broken.
    async fn verify(&self) {
        for is_of_pushes in [true, false] {
            let verifying = self.world.spawn(verify(Arc::clone(&self.world), is_of_pushes));
            self.wait_for(&verifying).await;
            if let Err(error) = verifying.await {
                self.world.fail(error);
            }
        }
    }

    /// In the end, nothing is left that nobody needs.
    async fn check_objects(&mut self) {
        let mut left = self.left();
        // what has just gone is swept later
        for _ in 0..SWEEPS {
            if left.is_ok() {
                return;
            }
            self.advance(65 * MINUTE).await;
            for is_of_pushes in [true, false] {
                self.tick_until_done(is_of_pushes).await;
            }
            left = self.left();
        }
        if let Err(left) = left {
            self.world.fail(format!("{left} (seed {})", self.seed));
        }
    }

    /// An error if something is left that no manifest names.
    fn left(&self) -> Result<(), String> {
        let bucket = self.world.bucket();
        for stream in ["pushes", "samples"] {
            let named = match merged(&bucket, stream)? {
                merged if merged.deletions > 0 => {
                    return Err(format!("{} deletions of {stream} are not done", merged.deletions));
                }
                merged => merged.objects,
            };
            let prefix = object_store::path::Path::from(format!("default/{stream}"));
            let is_left = |path: &&object_store::path::Path| {
                path.prefix_matches(&prefix)
                    && !named.contains(*path)
                    && path.filename() != Some("manifest.json")
            };
            let left: Vec<_> = bucket.objects.keys().filter(is_left).collect();
            if !left.is_empty() {
                return Err(format!("nobody needs {left:?}, and nobody deletes it"));
            }
        }
        Ok(())
    }
}

/// How long compactors with these settings keep what there is, in µs.
fn keeping(settings: &CompactSettings) -> Option<i64> {
    let retention = settings.retention?.max(mayfly_store::RETENTION_MIN);
    Some(i64::try_from(retention.as_micros()).expect("fits"))
}

fn actors() -> impl Iterator<Item = &'static str> {
    PUSHERS.into_iter().chain(SAMPLERS).chain(COMPACTORS).chain(READERS)
}

/// Pushes that meet in few groups and series; the last comes first.
fn some_pushes(seed: u64, chance: &mut Chance) -> Vec<Push> {
    let seeds: Vec<u8> = (0..4).flat_map(|_| chance.next().to_le_bytes()).collect();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seeds);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut pushes = Vec::new();
    let mut chance = Chance::of(seed, &["pushes"]);
    while pushes.len() < 90 {
        let story = super::pushes::story().new_tree(&mut runner).expect("a story").current();
        pushes.extend(story.into_iter().map(|told| told.push).filter(says_something));
    }
    for push in &mut pushes {
        let stretch = chance.pick(&[1_000, 40_000, 40_000, 2_000_000]);
        push.ttl_us = push.ttl_us.map(|ttl_us| ttl_us * stretch);
    }
    pushes
}

/// Whether a segment has a row of it.
fn says_something(push: &Push) -> bool {
    let ends_something = !matches!(push.change, Change::Merge | Change::ReplaceFamilies);
    ends_something || !push.families.is_empty() || push.ttl_us.is_some() || push.retry_key.is_some()
}
