//! Which retry keys this process has seen: so that a retry costs nothing, and a key that is used for another request is
//! refused.
//!
//! This is help, and not what makes a key count once: the store's fold does that, also between replicas and after a restart.
//! So a key may be forgotten here.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::{RETRY_WINDOW_US, RetryKey};

use crate::terms::TermsError;

/// Longer than the store remembers a key from the stamp that counts, which comes a little after the request.
const REMEMBERED_US: i64 = RETRY_WINDOW_US + 60_000_000;

/// The keys of the last day; if they are too many, the latest of them.
#[derive(Debug)]
pub(crate) struct Retries {
    seen: Mutex<Seen>,
    keys_max: usize,
}

#[derive(Debug, Default)]
struct Seen {
    by_key: HashMap<u128, Request>,
    /// In the order in which they were first seen.
    order: VecDeque<(i64, u128)>,
}

/// A request with a key.
#[derive(Clone, Copy, Debug)]
struct Request {
    at_us: i64,
    body: u64,
    is_done: bool,
}

/// What is to be done with a request that has a key.
#[derive(Debug)]
pub(crate) enum Claim<'a> {
    /// Nothing: it was done before.
    Repeats,
    /// It is to be done, and then to be told.
    New(Claimed<'a>),
}

/// A request that is being done. Until it is told that it is done, a retry is done as well.
#[derive(Debug)]
pub(crate) struct Claimed<'a> {
    retries: &'a Retries,
    key: RetryKey,
    at_us: i64,
}

impl Retries {
    pub(crate) fn new(keys_max: usize) -> Self {
        Self { seen: Mutex::new(Seen::default()), keys_max }
    }

    /// Sees a request that could be done.
    pub(crate) fn claim(&self, key: RetryKey, now_us: i64) -> Result<Claim<'_>, TermsError> {
        let mut seen = self.lock();
        seen.forget(now_us.saturating_sub(REMEMBERED_US), self.keys_max.saturating_sub(1));
        match seen.by_key.get(&key.key) {
            Some(known) if known.body != key.body => return Err(TermsError::KeyReused),
            Some(known) if known.is_done => return Ok(Claim::Repeats),
            Some(_) => {}
            None => seen.insert(key, now_us, false),
        }
        Ok(Claim::New(Claimed { retries: self, key, at_us: now_us }))
    }

    /// Sees what was done according to the store, in order of time; of other processes, and of this one before it started.
    pub(crate) fn fill(&self, done: impl Iterator<Item = (i64, RetryKey)>) {
        let mut seen = self.lock();
        for (at_us, key) in done {
            if !seen.by_key.contains_key(&key.key) {
                seen.insert(key, at_us, true);
            }
        }
        seen.forget(i64::MIN, self.keys_max);
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        // nothing in here panics between two changes that belong together
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claimed<'_> {
    /// The request is done.
    pub(crate) fn done(self) {
        let mut seen = self.retries.lock();
        match seen.by_key.get_mut(&self.key.key) {
            Some(known) => known.is_done = true,
            None => seen.insert(self.key, self.at_us, true),
        }
    }

    /// It was not done, and nothing of it is there.
    pub(crate) fn undone(self) {
        let mut seen = self.retries.lock();
        if seen.by_key.get(&self.key.key).is_some_and(|known| !known.is_done) {
            seen.by_key.remove(&self.key.key);
        }
    }
}

impl Seen {
    fn insert(&mut self, key: RetryKey, at_us: i64, is_done: bool) {
        self.by_key.insert(key.key, Request { at_us, body: key.body, is_done });
        self.order.push_back((at_us, key.key));
    }

    /// Forgets what is old, and what is too much.
    fn forget(&mut self, before_us: i64, keys_max: usize) {
        while let Some((at_us, key)) = self.order.front().copied() {
            if at_us >= before_us && self.order.len() <= keys_max {
                break;
            }
            self.order.pop_front();
            if self.by_key.get(&key).is_some_and(|known| known.at_us == at_us) {
                self.by_key.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: u128, body: u64) -> RetryKey {
        RetryKey { key, body }
    }

    fn claimed(retries: &Retries, key: RetryKey, now_us: i64) -> Claimed<'_> {
        match retries.claim(key, now_us) {
            Ok(Claim::New(claimed)) => claimed,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_key_is_for_one_request() {
        let retries = Retries::new(10);
        let first = claimed(&retries, key(1, 5), 0);
        // as long as it is not done, it is tried again; something else is refused at once
        let second = claimed(&retries, key(1, 5), 1);
        assert_eq!(retries.claim(key(1, 6), 1).err(), Some(TermsError::KeyReused));
        first.done();
        assert!(matches!(retries.claim(key(1, 5), 2), Ok(Claim::Repeats)));
        // one that found the buffer full does not undo the other
        second.undone();
        assert!(matches!(retries.claim(key(1, 5), 2), Ok(Claim::Repeats)));
        assert_eq!(retries.claim(key(1, 6), REMEMBERED_US).err(), Some(TermsError::KeyReused));
        claimed(&retries, key(1, 6), REMEMBERED_US + 1).undone();
        claimed(&retries, key(1, 7), REMEMBERED_US + 1).done();
    }

    #[test]
    fn what_the_store_has_is_done() {
        let retries = Retries::new(2);
        let first = claimed(&retries, key(1, 5), 7);
        retries.fill([(5, key(1, 5)), (6, key(2, 5))].into_iter());
        assert_eq!(retries.claim(key(2, 6), 8).err(), Some(TermsError::KeyReused));
        assert!(matches!(retries.claim(key(2, 5), 8), Ok(Claim::Repeats)));
        first.done();
        retries.fill((3..100).map(|n| (9, key(n, 5))));
        assert_eq!(retries.lock().by_key.len(), 2);
    }

    #[test]
    fn no_more_keys_are_kept_than_allowed() {
        let retries = Retries::new(2);
        (1..=3).for_each(|n| claimed(&retries, key(n, 0), 0).done());
        assert_eq!(retries.lock().by_key.len(), 2);
        assert!(matches!(retries.claim(key(3, 0), 0), Ok(Claim::Repeats)));
        // forgotten here, so it is written again; the store counts it once
        claimed(&retries, key(1, 0), 0).done();
        let seen = retries.lock();
        assert_eq!((seen.by_key.len(), seen.order.len()), (2, 2));
    }
}
