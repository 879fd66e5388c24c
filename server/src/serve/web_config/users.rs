//! Users and their passwords.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

/// So many answers are remembered: a password takes a tenth of a second of a processor.
const REMEMBERED_MAX: usize = 100;

/// What the password of a user is compared with that is not there, so that it takes as long.
const NOBODY: &str = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

/// What is known about passwords that were presented.
pub(super) struct Users {
    known: Mutex<HashMap<[u8; 32], bool>>,
    /// One at a time, so that those who guess do not take all processors.
    comparing: Semaphore,
}

impl Default for Users {
    fn default() -> Self {
        Self { known: Mutex::default(), comparing: Semaphore::new(1) }
    }
}

impl Users {
    /// Whether one of the users, given with the bcrypt hashes of their passwords, has this one.
    pub(super) async fn admit(&self, users: &BTreeMap<String, String>, user: &[u8], password: &[u8]) -> bool {
        let hash = std::str::from_utf8(user).ok().and_then(|user| users.get(user));
        let key = key(user, hash.map_or(NOBODY, String::as_str), password);
        if let Some(known) = self.known(&key) {
            return known;
        }
        let Ok(_alone) = self.comparing.acquire().await else { return false };
        // somebody may have come first
        if let Some(known) = self.known(&key) {
            return known;
        }
        let (compared, password) = (hash.map_or_else(|| NOBODY.to_owned(), String::clone), password.to_vec());
        let same = tokio::task::spawn_blocking(move || bcrypt::verify(&password, &compared).unwrap_or(false));
        let admitted = same.await.unwrap_or(false) && hash.is_some();
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        while all.len() >= REMEMBERED_MAX {
            let Some(any) = all.keys().next().copied() else { break };
            all.remove(&any);
        }
        all.insert(key, admitted);
        admitted
    }

    fn known(&self, key: &[u8; 32]) -> Option<bool> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied()
    }
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
    use super::*;

    #[tokio::test]
    async fn passwords_are_compared_once() {
        let hash = bcrypt::hash("pw", 4).expect("a hash");
        let all = BTreeMap::from([("ann".to_owned(), hash)]);
        let users = Users::default();
        for _ in 0..2 {
            assert!(users.admit(&all, b"ann", b"pw").await);
            assert!(!users.admit(&all, b"ann", b"PW").await);
            assert!(!users.admit(&all, b"ben", b"pw").await);
            // what nobody's hash is of
            assert!(!users.admit(&all, b"ben", b"fakepassword").await);
        }
        assert_eq!(users.known.lock().expect("a lock").len(), 4);
        // another password is another hash
        let others = BTreeMap::from([("ann".to_owned(), bcrypt::hash("new", 4).expect("a hash"))]);
        assert!(!users.admit(&others, b"ann", b"pw").await && users.admit(&others, b"ann", b"new").await);
        for guess in 0..REMEMBERED_MAX {
            users.admit(&all, b"ann", guess.to_string().as_bytes()).await;
        }
        assert_eq!(users.known.lock().expect("a lock").len(), REMEMBERED_MAX);
    }
}
