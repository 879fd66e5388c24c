//! Pushes whose clients left before the store answered: what they did to the table is in doubt if they were not stored.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use futures::task::noop_waker_ref;
use store::{Submitted, WriteError};

/// More than this, and what they did is in doubt without waiting for any of them.
const LEFT_MAX: usize = 65_536;

/// Whether a push was stored.
pub(super) type Outcome = BoxFuture<'static, Result<(), WriteError>>;

/// Pushes that nobody waits for any more.
#[derive(Default)]
pub(super) struct Unsure(Mutex<Vec<Outcome>>);

impl fmt::Debug for Unsure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unsure({})", self.lock().len())
    }
}

impl Unsure {
    /// Answers whether there was room for one more.
    pub(super) fn add(&self, outcome: Outcome) -> bool {
        let mut left = self.lock();
        let has_room = left.len() < LEFT_MAX;
        if has_room {
            left.push(outcome);
        }
        has_room
    }

    /// Forgets those of which it is known by now. Answers whether one of them failed.
    pub(super) fn settle(&self) -> bool {
        let mut has_failed = false;
        self.lock().retain_mut(|outcome| {
            match outcome.as_mut().poll(&mut Context::from_waker(noop_waker_ref())) {
                Poll::Pending => true,
                Poll::Ready(stored) => {
                    has_failed |= stored.is_err();
                    false
                }
            }
        });
        has_failed
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Outcome>> {
        // nothing in here panics between two changes that belong together
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether what was handed on was stored.
pub(super) fn outcome(submitted: Submitted) -> Outcome {
    Box::pin(async { submitted.durable().await.map(|_| ()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_are_not_known_yet_stay() {
        let unsure = Unsure::default();
        let (tell, told) = tokio::sync::oneshot::channel::<bool>();
        assert!(unsure.add(Box::pin(async {
            match told.await {
                Ok(true) => Ok(()),
                _ => Err(WriteError::Closed),
            }
        })));
        assert!(unsure.add(Box::pin(std::future::ready(Ok(())))));
        assert!(!unsure.settle());
        assert_eq!(format!("{unsure:?}"), "Unsure(1)");
        tell.send(false).expect("waits");
        assert!(unsure.settle());
        assert!(!unsure.settle());
        let mut added = 0;
        while unsure.add(Box::pin(std::future::pending())) {
            added += 1;
        }
        assert_eq!(added, LEFT_MAX);
    }
}
