//! Where fragments run.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use model::Series;

use super::{Fragment, Partial};
use crate::exec::{Budget, Counted, ExecError, evaluate};

/// Runs fragments.
pub trait FragmentRunner {
    /// Runs one, and hands its partial results to `take`, always in the same order. How they are cut depends on the data
    /// alone, never on where or on how many threads they are computed.
    ///
    /// # Errors
    /// If the evaluation stops, or `take` wants no more.
    fn run(
        &self,
        fragment: &Fragment,
        take: &mut dyn FnMut(Partial) -> Result<(), ExecError>,
    ) -> Result<(), ExecError>;
}

/// Runs fragments on threads of this process, over series in memory.
#[derive(Debug)]
pub(crate) struct LocalRunner<'a> {
    /// What was read for each selection of the query, in the order of labels.
    pub(crate) data: &'a [Vec<Series>],
    pub(crate) budget: &'a Budget,
    /// How many threads compute at the same time, at least 1.
    pub(crate) threads: usize,
}

/// A chunk ends with so many series …
pub(crate) const CHUNK_SERIES_MAX: usize = 128;
/// … or with so many samples and steps.
pub(crate) const CHUNK_SAMPLES_MAX: usize = 1 << 18;
/// So many chunks per thread may be ready before the first of them is taken.
const CHUNKS_AHEAD: usize = 2;

/// Cuts series into chunks.
fn chunks(series: &[Series]) -> Vec<Range<usize>> {
    let mut chunks = Vec::new();
    let (mut start, mut samples) = (0, 0);
    for (index, one) in series.iter().enumerate() {
        samples += one.samples.len() + one.steps.len();
        if index + 1 - start >= CHUNK_SERIES_MAX || samples >= CHUNK_SAMPLES_MAX {
            chunks.push(start..index + 1);
            (start, samples) = (index + 1, 0);
        }
    }
    if start < series.len() {
        chunks.push(start..series.len());
    }
    chunks
}

/// To evaluate so many samples and points takes less than to start threads for it; a series counts like so many of them.
const LITTLE_MAX: usize = 1 << 15;
const SERIES_COUNTS: usize = 8;

/// Whether one thread evaluates series at so many times in no time.
fn is_little(series: &[Series], times: usize) -> bool {
    let of_one = |one: &Series| SERIES_COUNTS + times + one.samples.len() + one.steps.len();
    series.len() <= LITTLE_MAX / SERIES_COUNTS && series.iter().map(of_one).sum::<usize>() <= LITTLE_MAX
}

impl FragmentRunner for LocalRunner<'_> {
    fn run(
        &self,
        fragment: &Fragment,
        take: &mut dyn FnMut(Partial) -> Result<(), ExecError>,
    ) -> Result<(), ExecError> {
        let series = &self.data[fragment.selected];
        let chunks = chunks(series);
        let work = |chunk: &Range<usize>| evaluate(fragment, &series[chunk.clone()], self.budget);
        let threads =
            if is_little(series, fragment.leaf.count()) { 1 } else { self.threads.min(chunks.len()) };
        if threads <= 1 {
            return chunks.iter().try_for_each(|chunk| hand_over(work(chunk)?, take));
        }
        let queue = Queue::new(chunks.len(), threads * CHUNKS_AHEAD);
        thread::scope(|scope| {
            let _stop_all = StopOnDrop(&queue);
            for _ in 0..threads {
                let thread = thread::Builder::new().name("query".to_owned());
                let started = thread.spawn_scoped(scope, || {
                    let _tell = BreakOnPanic(&queue);
                    while let Some(place) = queue.next_job() {
                        queue.put(place, work(&chunks[place]));
                    }
                });
                started.map_err(|_| ExecError::Internal { what: "a thread could not be started" })?;
            }
            (0..chunks.len()).try_for_each(|_| hand_over(queue.take()??, take))
        })
    }
}

/// What was counted while it waited is counted by who takes it from here on.
fn hand_over(
    (partial, counted): (Partial, Counted<'_>),
    take: &mut dyn FnMut(Partial) -> Result<(), ExecError>,
) -> Result<(), ExecError> {
    drop(counted);
    take(partial)
}

/// Hands out jobs in order and gives their results back in order, however they are finished.
struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    count: usize,
    ahead_max: usize,
}

struct State<T> {
    next_job: usize,
    taken: usize,
    stopped: bool,
    /// Whether a thread panicked, so that its result will never come.
    broken: bool,
    /// The results from `taken` on.
    ready: VecDeque<Option<T>>,
}

impl<T> Queue<T> {
    fn new(count: usize, ahead_max: usize) -> Self {
        let state = State { next_job: 0, taken: 0, stopped: false, broken: false, ready: VecDeque::new() };
        Self { state: Mutex::new(state), changed: Condvar::new(), count, ahead_max }
    }

    /// Nothing is left half done while the lock is held, so what another thread's panic leaves can be used.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'q>(&self, state: MutexGuard<'q, State<T>>) -> MutexGuard<'q, State<T>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job; waits while too many results are waiting themselves.
    fn next_job(&self) -> Option<usize> {
        let mut state = self.lock();
        while !state.stopped && state.next_job < self.count && state.next_job >= state.taken + self.ahead_max
        {
            state = self.wait(state);
        }
        if state.stopped || state.next_job >= self.count {
            return None;
        }
        state.next_job += 1;
        Some(state.next_job - 1)
    }

    fn put(&self, place: usize, result: T) {
        let mut state = self.lock();
        let slot = place - state.taken;
        while state.ready.len() <= slot {
            state.ready.push_back(None);
        }
        state.ready[slot] = Some(result);
        self.changed.notify_all();
    }

    /// The result of the next job in order.
    fn take(&self) -> Result<T, ExecError> {
        let mut state = self.lock();
        loop {
            if let Some(result) = state.ready.front_mut().and_then(Option::take) {
                state.ready.pop_front();
                state.taken += 1;
                self.changed.notify_all();
                return Ok(result);
            }
            if state.broken {
                return Err(ExecError::Internal { what: "a thread of the evaluation broke off" });
            }
            state = self.wait(state);
        }
    }
}

/// Tells those who wait that a thread panics.
struct BreakOnPanic<'q, T>(&'q Queue<T>);

impl<T> Drop for BreakOnPanic<'_, T> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.lock().broken = true;
            self.0.changed.notify_all();
        }
    }
}

/// Ends the threads of a queue when nobody takes their results any more.
struct StopOnDrop<'q, T>(&'q Queue<T>);

impl<T> Drop for StopOnDrop<'_, T> {
    fn drop(&mut self) {
        self.0.lock().stopped = true;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(samples: &[usize]) -> Vec<Series> {
        let of = |&count: &usize| {
            let mut series = Series::default();
            (0..count).for_each(|at| series.samples.push(i64::try_from(at).expect("small"), 1.0));
            series
        };
        samples.iter().map(of).collect()
    }

    #[test]
    fn chunks_end_with_many_series_or_many_samples() {
        let check = |samples: &[usize], expect: &[Range<usize>]| assert_eq!(chunks(&series(samples)), expect);
        let full = 0..CHUNK_SERIES_MAX;
        check(&[], &[]);
        check(&[1; CHUNK_SERIES_MAX], std::slice::from_ref(&full));
        check(&[1; CHUNK_SERIES_MAX + 1], &[full, CHUNK_SERIES_MAX..CHUNK_SERIES_MAX + 1]);
        check(&[1, CHUNK_SAMPLES_MAX, 1, 1], &[0..2, 2..4]);
    }

    #[test]
    fn results_come_in_order_and_not_too_early() {
        let queue = Queue::new(5, 2);
        assert_eq!((queue.next_job(), queue.next_job()), (Some(0), Some(1)));
        queue.put(1, "b");
        queue.put(0, "a");
        assert_eq!((queue.take(), queue.take()), (Ok("a"), Ok("b")));
        assert_eq!((queue.next_job(), queue.next_job()), (Some(2), Some(3)));
        drop(StopOnDrop(&queue));
        assert_eq!(queue.next_job(), None, "who waits for room is let go");
    }

    #[test]
    fn a_panic_is_told_to_who_waits() {
        let queue = Queue::<()>::new(1, 1);
        thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let _tell = BreakOnPanic(&queue);
                queue.next_job();
                std::panic::resume_unwind(Box::new("on purpose"));
            });
            assert!(matches!(queue.take(), Err(ExecError::Internal { .. })));
            assert!(worker.join().is_err());
        });
    }
}
