//! Who may be evaluated now, and who waits.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::answer::{ApiError, ApiErrorKind};

/// Places for queries that are evaluated, and a queue of those that wait for one.
#[derive(Debug)]
pub(super) struct Queue {
    places: Semaphore,
    waiting: AtomicUsize,
    waiting_max: usize,
}

/// One less waits.
struct Waiting<'q>(&'q AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Queue {
    pub(super) fn new(places: usize, waiting_max: usize) -> Self {
        Self { places: Semaphore::new(places), waiting: AtomicUsize::new(0), waiting_max }
    }

    /// A place, at once or after waiting for it. Whoever stops asking leaves the queue.
    ///
    /// # Errors
    /// If too many wait already.
    pub(super) async fn enter(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        if let Ok(place) = self.places.try_acquire() {
            return Ok(place);
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= self.waiting_max {
            let message = format!(
                "too many queries wait to be executed: more than queued_queries_max, {}",
                self.waiting_max
            );
            return Err(ApiError::new(ApiErrorKind::Unavailable, message));
        }
        let place = self.places.acquire().await;
        place.map_err(|_| ApiError::new(ApiErrorKind::Internal, "the queue of queries is closed"))
    }
}
