//! What keeps processors busy is done by a few threads of its own, and by none that serves requests.
//!
//! Decoding and merging allocate much and free it soon, and an allocator keeps what a thread freed for that thread: were
//! each of the dozens of threads that wait for disks to compute now and then, the process would hold what all of them once
//! needed.

use std::sync::LazyLock;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use crate::segment::SegmentError;

/// What was to be computed was not.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum ComputeError {
    /// There is a defect in it.
    #[error("a computation panicked")]
    Panicked,
    /// The process is going down.
    #[error("interrupted: the process is shutting down")]
    Interrupted,
    /// The system gives no threads.
    #[error("could not start threads to compute with: {0}")]
    Threads(&'static ThreadPoolBuildError),
}

type Pool = LazyLock<Result<ThreadPool, ThreadPoolBuildError>>;

/// Somebody waits for it: a thread for each processor.
static FOREGROUND: Pool =
    LazyLock::new(|| ThreadPoolBuilder::new().thread_name(|index| format!("compute-{index}")).build());

/// Merges take long, and one of them runs at a time: a thread of their own, so that answers do not queue behind them.
static BACKGROUND: Pool =
    LazyLock::new(|| ThreadPoolBuilder::new().num_threads(1).thread_name(|_| "merge".to_owned()).build());

/// Does work for which somebody waits, and which itself waits for nothing. It begins when what was given before has begun
/// and a processor is free, and is done even if the future is dropped.
///
/// # Errors
/// If it panics, or there are no threads.
pub async fn compute<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ComputeError> {
    on(&FOREGROUND, work).await
}

/// The same for what nobody waits for.
///
/// # Errors
/// If it panics, or there are no threads.
pub(crate) async fn merge<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ComputeError> {
    on(&BACKGROUND, work).await
}

async fn on<T: Send + 'static>(
    pool: &'static Pool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ComputeError> {
    let pool = pool.as_ref().map_err(ComputeError::Threads)?;
    // a thread that waits costs nothing, and a runtime whose clock is paused sees that something is under way
    let done = tokio::task::spawn_blocking(move || pool.install(work)).await;
    done.map_err(|error| if error.is_panic() { ComputeError::Panicked } else { ComputeError::Interrupted })
}

/// What a computation that decodes a file came to: where the decoder panicked, the file cannot be read.
pub(crate) fn decoded<T>(
    computed: Result<Result<T, SegmentError>, ComputeError>,
) -> Result<Result<T, SegmentError>, ComputeError> {
    match computed {
        Err(ComputeError::Panicked) => Ok(Err(SegmentError::Panic)),
        computed => computed,
    }
}

#[cfg(test)]
mod tests {
    use super::{ComputeError, compute, merge};

    #[tokio::test]
    async fn a_panic_is_told_and_the_next_computation_done() {
        let panics: Result<(), _> = compute(|| panic!("on purpose")).await;
        assert!(matches!(panics, Err(ComputeError::Panicked)));
        let panics: Result<(), _> = merge(|| panic!("on purpose")).await;
        assert!(matches!(panics, Err(ComputeError::Panicked)));
        assert_eq!(compute(|| 1 + 1).await.ok(), Some(2));
        assert_eq!(merge(|| 1 + 1).await.ok(), Some(2));
    }
}
