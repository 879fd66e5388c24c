//! What everybody shares: time, the store, the weather, and the books.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use mayfly_store::{Stream, Tenant};
use model::Clock;
use object_store::path::Path;

use super::bucket::Bucket;
use super::chance::Chance;
use super::disk::Disk;
use super::ledger::{Given, Ledger};
use super::schedule::{Schedule, Shown};
use super::weather::Weathers;

/// All that there is.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) schedule: Arc<Schedule>,
    pub(crate) weathers: Weathers,
    /// Where the log of a writer lies.
    pub(crate) disk: Disk,
    bucket: Mutex<Bucket>,
    ledger: Mutex<Ledger>,
    /// Pushes of which nobody knows what became of them, and that may be pushed again.
    failed: Mutex<VecDeque<Given>>,
    trace: Mutex<Vec<String>>,
    failure: Mutex<Option<String>>,
    began_us: i64,
    /// Whether the store says in its answers what time it is.
    pub(crate) has_date: bool,
    /// How many names are on one page of a listing.
    pub(crate) page: usize,
}

impl World {
    pub(crate) fn new(seed: u64, bucket: Bucket) -> Arc<Self> {
        let mut chance = Chance::of(seed, &["world"]);
        // 2026-11-20, some time of the day
        let began_us = 1_795_132_800_000_000 + chance.between(0, 86_400_000) * 1_000;
        Arc::new(Self {
            schedule: Arc::new(Schedule::at_us(began_us)),
            weathers: Weathers::new(seed),
            disk: Disk::new(seed),
            bucket: Mutex::new(bucket),
            ledger: Mutex::default(),
            failed: Mutex::default(),
            trace: Mutex::default(),
            failure: Mutex::default(),
            began_us,
            has_date: !chance.happens(250),
            page: chance.pick(&[2, 5, 1_000]),
        })
    }

    pub(crate) fn began_us(&self) -> i64 {
        self.began_us
    }

    pub(crate) fn now_us(&self) -> i64 {
        self.schedule.now_us()
    }

    pub(crate) fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().expect("unpoisoned")
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("unpoisoned")
    }

    pub(crate) fn failed(&self) -> MutexGuard<'_, VecDeque<Given>> {
        self.failed.lock().expect("unpoisoned")
    }

    /// Tells what happened.
    pub(crate) fn tell(&self, what: impl std::fmt::Display) {
        self.schedule.goes_on();
        let since_us = self.now_us() - self.began_us;
        self.trace.lock().expect("unpoisoned").push(format!(
            "{:>12}.{:06} {what}",
            since_us / 1_000_000,
            since_us % 1_000_000
        ));
    }

    /// Something happened that must never happen.
    pub(crate) fn fail(&self, what: impl std::fmt::Display) {
        self.tell(format!("FAILED: {what}"));
        self.failure.lock().expect("unpoisoned").get_or_insert(what.to_string());
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.lock().expect("unpoisoned").clone()
    }

    pub(crate) fn take_trace(&self) -> Vec<String> {
        std::mem::take(&mut *self.trace.lock().expect("unpoisoned"))
    }

    /// Lets a future go on by itself.
    pub(crate) fn spawn<F>(&self, of: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        tokio::spawn(Shown { of: Box::pin(of), schedule: Arc::clone(&self.schedule) })
    }
}

pub(crate) fn pushes() -> Stream {
    Stream::pushes(&Path::default(), &Tenant::default())
}

pub(crate) fn samples() -> Stream {
    Stream::samples(&Path::default(), &Tenant::default())
}

/// The clock of one machine, which is off by a little.
#[derive(Debug)]
pub(crate) struct MachineClock {
    pub(crate) schedule: Arc<Schedule>,
    pub(crate) off_us: AtomicI64,
}

impl Clock for MachineClock {
    fn now_us(&self) -> i64 {
        self.schedule.now_us() + self.off_us.load(Ordering::SeqCst)
    }
}
