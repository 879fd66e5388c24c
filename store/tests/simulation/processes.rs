//! Who works on the store: writers of pushes and of samples, compactors, readers.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mayfly_store::{
    CompactError, CompactSettings, Compactor, DeleteError, Deleter, Deletion, Entry as Written, Inspector,
    LogFiles, MergeLimits, Reader, ReaderSettings, SampleBatch, Source, Submitted, Tail, WriteError, Writer,
    WriterSettings,
};
use model::{Clock, Labels, MatchOp, Matcher, Metadata, Push, Samples, Selection, Series};
use object_store::ObjectStore;

use super::chance::Chance;
use super::check::{self, Asked, Outcome};
use super::client::Client;
use super::ledger::{Answer, Given, Ledger};
use super::manifest::Merged;
use super::world::{MachineClock, World, pushes, samples};

pub(crate) const DELETER: &str = "deleter";

/// A read that takes longer is given up: the grace of the sweeper exceeds it.
const READ_US: i64 = 9 * 60_000_000;

fn clock(world: &Arc<World>, off_us: i64) -> Arc<dyn Clock> {
    Arc::new(MachineClock { schedule: Arc::clone(&world.schedule), off_us: AtomicI64::new(off_us) })
}

/// A process that writes.
#[derive(Debug)]
pub(crate) struct Writing<E> {
    world: Arc<World>,
    actor: String,
    client: Client,
    id: u64,
    clock: Arc<dyn Clock>,
    writer: Arc<Writer<E>>,
    is_logged: bool,
}

/// A process that may be starting.
pub(crate) type Slot = Arc<Mutex<Option<Writing<Push>>>>;

impl<E: Written> Writing<E> {
    fn start(
        world: &Arc<World>,
        actor: &str,
        chance: &mut Chance,
        start: impl FnOnce(Arc<dyn ObjectStore>, Arc<dyn Clock>, WriterSettings) -> Writer<E>,
    ) -> Self {
        let (client, clock, id) = machine(world, actor, chance);
        let writer = start(Arc::new(client.clone()), Arc::clone(&clock), WriterSettings::of_writer(id));
        Self::with(world, actor, (client, clock, id), writer, false)
    }

    fn with(
        world: &Arc<World>,
        actor: &str,
        (client, clock, id): (Client, Arc<dyn Clock>, u64),
        writer: Writer<E>,
        is_logged: bool,
    ) -> Self {
        let (world, writer) = (Arc::clone(world), Arc::new(writer));
        Self { world, actor: actor.to_owned(), client, id, clock, writer, is_logged }
    }

    /// The process is killed: nothing that it has not sent yet comes to the store.
    pub(crate) fn kill(&self) {
        self.world.tell(format!("{} is killed", self.actor));
        self.client.kill();
    }

    /// Which entry of the books it is.
    fn submit(&self, given: Given, entry: E) -> usize {
        let index = self.world.ledger().given(self.id, given.clone(), self.clock.now_us(), self.is_logged);
        self.world.tell(format!("{} takes #{index}: {given:?}", self.actor));
        match self.writer.submit(entry) {
            Ok(submitted) => drop(self.world.spawn(self.answer(index, given, submitted))),
            Err(error) => {
                self.world.tell(format!("{} refuses #{index}: {error}", self.actor));
                self.world.ledger().refused(self.id, index);
            }
        }
        index
    }

    fn answer(&self, index: usize, given: Given, submitted: Submitted) -> impl Future<Output = ()> + use<E> {
        let (world, actor) = (Arc::clone(&self.world), self.actor.clone());
        let (id, writer) = (self.id, Arc::downgrade(&self.writer));
        async move {
            match submitted.durable().await {
                Ok(ack) => {
                    world.tell(format!("{actor} has #{index} at {}", ack.stamp.at_us));
                    let now_us = world.now_us();
                    world.ledger().answered(index, Answer::Durable(now_us));
                }
                Err(error) => {
                    world.tell(format!("{actor} does not know of #{index}: {error}"));
                    if matches!(error, WriteError::Log(_)) {
                        world.ledger().not_logged(id, index);
                    }
                    if matches!(error, WriteError::Late { .. }) {
                        world.ledger().gave_up(id);
                    }
                    world.ledger().answered(index, Answer::Unknown);
                    world.failed().push_back(given);
                    // a clock that was off is looked at again
                    if let Some(writer) = writer.upgrade() {
                        let _ = writer.ready().await;
                    }
                }
            }
        }
    }
}

/// A machine, with a clock that may be off.
fn machine(world: &Arc<World>, actor: &str, chance: &mut Chance) -> (Client, Arc<dyn Clock>, u64) {
    let off_us = chance.pick(&[0, 0, 300_000, -2_000_000, 5_000_000, -20_000_000, 20_000_000]);
    let id = chance.next();
    world.tell(format!("{actor} starts as {id:016x}, its clock {} ms off", off_us / 1_000));
    (Client::new(world, actor), clock(world, off_us), id)
}

impl Writing<Push> {
    /// One that answers when its segment is in the store.
    pub(crate) fn of_pushes(world: &Arc<World>, actor: &str, chance: &mut Chance) -> Self {
        Self::start(world, actor, chance, |store, clock, settings| {
            Writer::start(store, pushes(), clock, settings)
        })
    }

    /// One that answers when a push is in its log; what an earlier one has left there becomes segments first. It writes its own
    /// when it is closed.
    pub(crate) fn logged(world: &Arc<World>, actor: &str, chance: &mut Chance, before: Option<Self>) -> Slot {
        let slot = Slot::default();
        let (started, world_of, actor) = (Arc::clone(&slot), Arc::clone(world), actor.to_owned());
        let of = machine(world, &actor, chance);
        drop(world.spawn(async move {
            if let Some(before) = before {
                before.writer.close().await;
            }
            // what is in the log becomes segments when it is closed, and what is in a file that broke
            let (disk, never) = (world_of.disk.clone(), Duration::from_secs(1_000_000));
            let (store, log): (Arc<dyn ObjectStore>, Arc<dyn LogFiles>) =
                (Arc::new(of.0.clone()), Arc::new(disk));
            let settings = WriterSettings::of_writer(of.2);
            let writer =
                Writer::start_logged_on(store, pushes(), Arc::clone(&of.1), settings, log, never).await;
            match writer {
                Ok((writer, replayed)) => {
                    world_of.tell(format!("{actor} runs: {replayed:?}"));
                    let writing = Self::with(&world_of, &actor, of, writer, true);
                    *started.lock().expect("unpoisoned") = Some(writing);
                }
                Err(error) => world_of.tell(format!("{actor} does not start: {error}")),
            }
        }));
        slot
    }

    pub(crate) fn push(&self, push: Push) -> usize {
        self.submit(Given::Push(push.clone()), push)
    }

    /// A reader in the same process.
    pub(crate) fn reading(&self) -> Arc<Reading> {
        let store: Arc<dyn ObjectStore> = Arc::new(self.client.clone());
        let sources = (Source::new(pushes(), Some(&*self.writer)), Source::new(samples(), None));
        let reader = Reader::new(store, sources.0, sources.1, reader_settings(&self.actor));
        let own = Some(self.writer.tail());
        Arc::new(Reading { actor: self.actor.clone(), reader, own })
    }
}

impl Writing<SampleBatch> {
    pub(crate) fn of_samples(world: &Arc<World>, actor: &str, chance: &mut Chance) -> Self {
        Self::start(world, actor, chance, |store, clock, settings| {
            Writer::start(store, samples(), clock, settings)
        })
    }

    /// `tells`: of a family, too, that nobody else tells of.
    pub(crate) fn write(&self, of: Vec<(String, i64, f64)>, tells: bool) {
        let series = of.iter().map(|(name, at_ms, value)| {
            let mut samples = Samples::default();
            samples.push(*at_ms, *value);
            (Labels::from_pairs([("__name__", name.as_str())]), samples)
        });
        let series = series.collect();
        let told = told_with(&of).filter(|_| tells).map(|family| (Arc::from(family), Metadata::default()));
        let batch = SampleBatch { series, families: told.into_iter().collect(), told_by: None };
        self.submit(Given::Samples(of), batch);
    }
}

/// The family of which is told with some samples.
pub(crate) fn told_with(of: &[(String, i64, f64)]) -> Option<String> {
    of.last().map(|(_, _, value)| format!("told_{value}"))
}

/// Settings that all compactors of a story share: what they write depends on them.
pub(crate) fn compact_settings(seed: u64) -> CompactSettings {
    let mut chance = Chance::of(seed, &["settings"]);
    CompactSettings {
        lease: Duration::from_secs(chance.pick(&[1, 5, 60, 900])),
        rows_max: chance.pick(&[4, 50, 4 << 20]),
        file_rows_max: chance.pick(&[1, 3, 10, 4 << 20]),
        grace: Duration::from_secs(chance.pick(&[600, 1_800])),
        sweep_interval: Duration::from_secs(chance.pick(&[600, 3_600])),
        // the reference knows nothing of it
        aggregate_resolution: Duration::ZERO,
        // of a minute all is sorted by parts first, and of what is over some stays apart
        group_bytes_max: chance.pick(&[128 << 20, 128 << 20, 2_000, 1]),
        limits: MergeLimits { runs_max: chance.pick(&[64, 64, 64, 2]), ..MergeLimits::default() },
        sift_rows_max: chance.pick(&[16 << 20, 1]),
        retention: chance.pick(&[None, Some(2), Some(3)]).map(|days| Duration::from_secs(days * 86_400)),
        // so few rows are else read whole
        paged_rows_min: chance.pick(&[1 << 13, 1]),
        ..CompactSettings::of_holder(0)
    }
}

/// Every other process reads in parts what can be read so, and series by series.
fn reader_settings(actor: &str) -> ReaderSettings {
    let number = actor.bytes().last().unwrap_or_default();
    match number % 2 {
        0 => ReaderSettings::default(),
        _ => ReaderSettings { whole_bytes_max: 0, batch_rows: 100, ..ReaderSettings::default() },
    }
}

/// One tick; whether there is more to do, if that is known.
pub(crate) async fn tick(
    world: Arc<World>,
    actor: String,
    settings: CompactSettings,
    off_us: i64,
    is_of_pushes: bool,
) -> Option<bool> {
    let store: Arc<dyn ObjectStore> = Arc::new(Client::new(&world, &actor));
    let clock = clock(&world, off_us);
    let compactor = match is_of_pushes {
        true => Compactor::of_pushes(store, pushes(), settings, clock),
        false => Compactor::of_samples(store, samples(), settings, clock),
    };
    match compactor.tick().await {
        Ok(progress) => {
            world.tell(format!("{actor} is done: {progress:?}"));
            Some(progress.is_behind)
        }
        Err(error) => {
            world.tell(format!("{actor} stops: {error}"));
            // those are of the store; what else there is must never be
            let is_allowed = matches!(
                error,
                CompactError::Store { .. } | CompactError::Conflict(_) | CompactError::Differs(_)
            );
            if !is_allowed {
                world.fail(format!("{actor}: {error}"));
            }
            None
        }
    }
}

/// Deletes what matches, of a time.
pub(crate) async fn delete(
    world: Arc<World>,
    off_us: i64,
    matcher: Matcher,
    (start_ms, end_ms): (Option<i64>, Option<i64>),
) {
    let store: Arc<dyn ObjectStore> = Arc::new(Client::new(&world, DELETER));
    let deleter = Deleter::new(store, pushes(), samples(), clock(&world, off_us));
    let began_us = world.now_us();
    let deletion = Deletion { matchers: vec![matcher.clone()], start_ms, end_ms };
    match deleter.delete(&[deletion]).await {
        Ok(()) => {
            world.tell(format!("{matcher:?} is deleted"));
            let has_come =
                world.ledger().deletions.each_ref().map(|known| {
                    known.iter().any(|known| known.landed_us >= began_us && known.is_by(&matcher))
                });
            // of pushes there are none yet of a time after now
            let may_lack = start_ms.is_some_and(|start_ms| start_ms * 1_000 > began_us + off_us);
            if !has_come[1] || !has_come[0] && !may_lack {
                world.fail(format!("{matcher:?} was deleted, and no manifest says so: {has_come:?}"));
            }
        }
        Err(error @ (DeleteError::Store(_) | DeleteError::Conflict(_) | DeleteError::TooMany { .. })) => {
            world.tell(format!("{matcher:?} may be deleted or not: {error}"));
        }
        Err(error) => world.fail(format!("{matcher:?} cannot be deleted: {error}")),
    }
}

/// Looks whether anything is broken, which must never be.
pub(crate) async fn verify(world: Arc<World>, is_of_pushes: bool) {
    let store: Arc<dyn ObjectStore> = Arc::new(Client::new(&world, "inspector"));
    let inspector = match is_of_pushes {
        true => Inspector::of_pushes(store, pushes()),
        false => Inspector::of_samples(store, samples()),
    };
    match inspector.verify().await {
        Ok(verified) if verified.problems.is_empty() && verified.foreign.is_empty() => {
            world.tell(format!("{} objects are sound", verified.objects));
        }
        Ok(verified) => world.fail(format!("it is broken: {verified:?}")),
        Err(error) => world.fail(format!("it cannot be verified: {error}")),
    }
}

/// Somebody who reads.
#[derive(Debug)]
pub(crate) struct Reading {
    actor: String,
    reader: Reader,
    /// What a writer in the same process holds.
    own: Option<(u64, Arc<Tail<Push>>)>,
}

impl Reading {
    pub(crate) fn new(world: &Arc<World>, actor: &str) -> Self {
        let store: Arc<dyn ObjectStore> = Arc::new(Client::new(world, actor));
        let (pushes, samples) = (Source::new(pushes(), None), Source::new(samples(), None));
        let reader = Reader::new(store, pushes, samples, reader_settings(actor));
        Self { actor: actor.to_owned(), reader, own: None }
    }

    /// Reads a part of the time until now, and compares.
    pub(crate) fn read(
        self: &Arc<Self>,
        world: &Arc<World>,
        (from_ms, to_ms): (i64, i64),
        also_ms: Vec<i64>,
    ) -> tokio::task::JoinHandle<bool> {
        let (began_us, began) = (world.now_us(), Arc::clone(world));
        let end_us = began_us + READ_US;
        let (tail, entries) = (BTreeMap::new(), world.ledger().entries.len());
        let mut asked = Asked { began_us, ended_us: 0, from_ms, to_ms, tail, writer: 0, entries, also_ms };
        let mut is_known = true;
        if let Some((writer, of)) = &self.own {
            asked.writer = *writer;
            match world.ledger().tail(*writer, of.entries(), began_us) {
                Some(tail) => asked.tail = tail,
                None => is_known = false,
            }
        }
        let reading = world.spawn(Arc::clone(self).compare(began, asked, is_known));
        let (given_up, schedule) = (reading.abort_handle(), Arc::clone(&world.schedule));
        world.schedule.at(end_us, Chance::of(0, &[&self.actor, "given up"]).next(), move || {
            schedule.goes_on();
            given_up.abort();
        });
        reading
    }

    /// Reads what is told of families, when all is calm, and compares.
    pub(crate) async fn told(self: Arc<Self>, world: Arc<World>) {
        let began_us = world.now_us();
        let answer = match self.reader.descriptions().await {
            Ok(answer) => answer,
            Err(error) => return world.fail(format!("{} cannot read what is told: {error}", self.actor)),
        };
        let names = answer.found.iter().map(|(family, _)| family.to_string());
        let found = names.filter(|name| name.starts_with("told_")).collect();
        if let Err(wrong) = check::told(&world.ledger(), began_us, &found) {
            world.fail(format!("{} reads what is told: {wrong}", self.actor));
        }
    }

    /// Compares pushed series. Whoever has to list anew, because a run is gone, looks anew at what its own process holds, and sees what was
    /// given to it meanwhile too.
    fn pushed(
        &self,
        ledger: &Ledger,
        merged: &Merged,
        asked: &mut Asked,
        story_us: i64,
        found: &[Series],
    ) -> Result<Outcome, String> {
        let mut outcome = check::pushed(ledger, merged, asked, story_us, found);
        for (index, at_us) in ledger.taken_since(asked.writer, asked.entries) {
            if outcome.is_ok() {
                break;
            }
            asked.tail.insert(index, at_us);
            outcome = check::pushed(ledger, merged, asked, story_us, found).or(outcome);
        }
        outcome
    }

    /// Whether it could be read.
    async fn compare(self: Arc<Self>, world: Arc<World>, mut asked: Asked, is_known: bool) -> bool {
        let [of_pushes, of_samples] = world.ledger().merged.clone();
        for merged in [&of_pushes, &of_samples] {
            if let Err(error) = merged.is_there(&world.bucket()) {
                world.fail(error);
                return false;
            }
        }
        let any = vec![Matcher::new(Labels::NAME, MatchOp::Regex, ".+").expect("a pattern")];
        let selection = Selection { matchers: any, start_ms: asked.from_ms, end_ms: asked.to_ms };
        let answer = match self.reader.select(&selection).await {
            Ok(answer) => answer,
            Err(error) => {
                world.tell(format!("{} cannot read: {error}", self.actor));
                return false;
            }
        };
        asked.ended_us = world.now_us();
        if !answer.left_out.is_empty() {
            world.fail(format!("{} reads without {:?}", self.actor, answer.left_out));
        }
        let (samples, pushed): (Vec<_>, Vec<_>) =
            answer.found.into_iter().partition(|series| !series.samples.timestamps_ms.is_empty());
        let (pushes, samples) = {
            let ledger = world.ledger();
            let samples = check::sampled(&ledger, &of_samples, &asked, &samples);
            (self.pushed(&ledger, &of_pushes, &mut asked, world.began_us(), &pushed), samples)
        };
        let are_sums_known = !world.ledger().are_sums_unknown;
        for (outcome, are_known) in [(pushes, are_sums_known), (samples, true)] {
            match outcome {
                _ if !is_known => {
                    world.tell(format!("{} reads, and nobody knows what it holds itself", self.actor));
                }
                _ if !are_known => {
                    world.tell(format!("{} reads, and nobody knows what was deleted", self.actor));
                }
                Ok(Outcome::Fits) => world.tell(format!("{} reads what it should", self.actor)),
                Ok(Outcome::Undecided) => {
                    world.tell(format!("{} reads, and it cannot be told whether that is right", self.actor));
                }
                Err(wrong) => world.fail(format!("{} reads {asked:?}: {wrong}", self.actor)),
            }
        }
        true
    }
}
