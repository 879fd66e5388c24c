//! Users and their passwords.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

/// So many wrong answers are remembered: a password takes a tenth of a second of a processor.
const WRONG_MAX: usize = 100;

/// So many passwords may be under way: one is compared, and others wait.
const UNDER_WAY_MAX: usize = 64;

/// What the password of a user is compared with that is not there, so that it takes as long.
const NOBODY: &str = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

/// What is known about passwords that were presented.
pub(super) struct Users {
    known: Arc<Mutex<Known>>,
    /// One at a time, so that those who guess do not take all processors.
    comparing: Arc<Semaphore>,
    under_way: Semaphore,
}

/// Answers that were found.
#[derive(Default)]
struct Known {
    /// Of each user the last, so that guesses displace none of them.
    right: HashMap<String, [u8; 32]>,
    wrong: HashSet<[u8; 32]>,
}

/// So many passwords wait to be compared that this one has no place among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) struct Busy;

impl Default for Users {
    fn default() -> Self {
        Self {
            known: Arc::default(),
            comparing: Arc::new(Semaphore::new(1)),
            under_way: Semaphore::new(UNDER_WAY_MAX),
        }
    }
}

impl Users {
    /// Whether one of the users, given with the bcrypt hashes of their passwords, has this one.
    pub(super) async fn admit(
        &self,
        users: &BTreeMap<String, String>,
        user: &[u8],
        password: &[u8],
    ) -> Result<bool, Busy> {
        let named = std::str::from_utf8(user).ok().and_then(|user| users.get_key_value(user));
        let hash = named.map_or(NOBODY, |(_, hash)| hash);
        let (name, key) = (named.map(|(name, _)| name.as_str()), key(user, hash, password));
        if let Some(known) = self.known(name, &key) {
            return Ok(known);
        }
        let _place = self.under_way.try_acquire().map_err(|_| Busy)?;
        let alone = Arc::clone(&self.comparing).acquire_owned().await.map_err(|_| Busy)?;
        // somebody may have come first
        if let Some(known) = self.known(name, &key) {
            return Ok(known);
        }
        lock(&self.known).right.retain(|name, _| users.contains_key(name));
        let (known, name) = (Arc::clone(&self.known), name.map(str::to_owned));
        let (compared, password) = (hash.to_owned(), password.to_vec());
        // it goes on when the client is gone, so it keeps its turn itself
        let compared = tokio::task::spawn_blocking(move || {
            let same = bcrypt::verify(&password, &compared).unwrap_or(false);
            let admitted = lock(&known).remember(name.filter(|_| same), key);
            drop(alone);
            admitted
        });
        Ok(compared.await.unwrap_or(false))
    }

    fn known(&self, name: Option<&str>, key: &[u8; 32]) -> Option<bool> {
        let known = lock(&self.known);
        if name.is_some_and(|name| known.right.get(name) == Some(key)) {
            return Some(true);
        }
        known.wrong.contains(key).then_some(false)
    }
}

impl Known {
    /// `right`: whose password it is.
    fn remember(&mut self, right: Option<String>, key: [u8; 32]) -> bool {
        let Some(name) = right else {
            while self.wrong.len() >= WRONG_MAX {
                let Some(any) = self.wrong.iter().next().copied() else { break };
                self.wrong.remove(&any);
            }
            self.wrong.insert(key);
            return false;
        };
        self.right.insert(name, key);
        true
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Of no use to whoever reads it, other than the password.
fn key(user: &[u8], hash: &str, password: &[u8]) -> [u8; 32] {
    let mut all = Sha256::new();
    for part in [user, hash.as_bytes(), password] {
        all.update((part.len() as u64).to_le_bytes());
        all.update(part);
    }
    all.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use futures::poll;

    use super::*;

    fn hash(password: &str) -> String {
        bcrypt::hash(password, 4).expect("a hash")
    }

    #[tokio::test]
    async fn passwords_are_compared_once() {
        let all = BTreeMap::from([("ann".to_owned(), hash("pw"))]);
        let users = Users::default();
        for _ in 0..2 {
            assert_eq!(users.admit(&all, b"ann", b"pw").await, Ok(true));
            assert_eq!(users.admit(&all, b"ann", b"PW").await, Ok(false));
            assert_eq!(users.admit(&all, b"ben", b"pw").await, Ok(false));
            // what nobody's hash is of
            assert_eq!(users.admit(&all, b"ben", b"fakepassword").await, Ok(false));
        }
        let remembered = || {
            let known = lock(&users.known);
            (known.right.len(), known.wrong.len())
        };
        assert_eq!(remembered(), (1, 3));
        for guess in 0..WRONG_MAX {
            assert_eq!(users.admit(&all, b"ann", guess.to_string().as_bytes()).await, Ok(false));
        }
        assert_eq!(remembered(), (1, WRONG_MAX));
        // nobody else is asked for a turn to know ann
        users.comparing.close();
        assert_eq!(users.admit(&all, b"ann", b"pw").await, Ok(true));
        assert_eq!(users.admit(&all, b"ann", b"another").await, Err(Busy));
    }

    #[tokio::test]
    async fn another_hash_is_another_password() {
        let users = Users::default();
        let (old, new) = (hash("pw"), hash("new"));
        let of = |name: &str, hash: &String| BTreeMap::from([(name.to_owned(), hash.clone())]);
        assert_eq!(users.admit(&of("ann", &old), b"ann", b"pw").await, Ok(true));
        assert_eq!(users.admit(&of("ann", &new), b"ann", b"pw").await, Ok(false));
        assert_eq!(users.admit(&of("ann", &new), b"ann", b"new").await, Ok(true));
        // who is no user any more is forgotten
        assert_eq!(users.admit(&of("ben", &old), b"ann", b"new").await, Ok(false));
        assert!(lock(&users.known).right.is_empty());
    }

    #[tokio::test]
    async fn one_is_compared_at_a_time_and_few_wait() {
        // long enough to look at it meanwhile
        let all = BTreeMap::from([("ann".to_owned(), bcrypt::hash("pw", 12).expect("a hash"))]);
        let users = Users::default();
        let mut first = Box::pin(users.admit(&all, b"ann", b"pw"));
        assert_eq!(poll!(&mut first), Poll::Pending);
        // the client is gone, and the work goes on
        drop(first);
        assert_eq!(users.comparing.available_permits(), 0);
        let guesses: Vec<String> = (0..=UNDER_WAY_MAX).map(|guess| guess.to_string()).collect();
        let mut waiting: Vec<_> =
            guesses.iter().map(|guess| Box::pin(users.admit(&all, b"ann", guess.as_bytes()))).collect();
        let mut last = waiting.pop().expect("one");
        for guess in &mut waiting {
            assert_eq!(poll!(guess), Poll::Pending);
        }
        assert_eq!(poll!(&mut last), Poll::Ready(Err(Busy)));
        drop(waiting);
        // what was found for nobody is known to the next
        assert_eq!(users.admit(&all, b"ann", b"pw").await, Ok(true));
        assert_eq!(lock(&users.known).right.len(), 1);
        assert_eq!(users.under_way.available_permits(), UNDER_WAY_MAX);
    }
}
