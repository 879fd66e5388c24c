//! What Lambda itself reports: the Telemetry API's events of the platform, to metrics that need no code in the function.
//!
//! `event` reads them, `metrics` says what each means, [`Telemetry`] remembers which invocations were counted and tells who waits for the
//! end of one.

mod event;
mod metrics;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::routing::any;
use gateway::Adds;
use http::StatusCode;
use model::Labels;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::outbox::Outbox;
use crate::stats::Stats;
use event::Event;

pub(crate) use metrics::JOB;

/// A request of the platform has at most a quarter of this, by the terms of the subscription.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Invocations that are remembered: of a sandbox one runs at a time, and what is told of it comes soon.
const INVOCATIONS_MAX: usize = 64;

/// What is known of the invocations of this sandbox.
#[derive(Debug)]
pub(crate) struct Telemetry {
    outbox: Arc<Outbox>,
    stats: Arc<Stats>,
    group: Labels,
    labels: Labels,
    state: Mutex<Known>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Known {
    /// The oldest first.
    invocations: VecDeque<Invocation>,
    events: u64,
    /// How many of them said that an invocation begins.
    starts: u64,
    /// How many of them said that the function is done with an invocation.
    ends: u64,
    /// How often the platform said that it could not tell something.
    losses: u64,
    has_init: bool,
}

#[derive(Debug, Default)]
struct Invocation {
    id: String,
    /// Whether the platform has told of it.
    is_known: bool,
    is_done: bool,
    is_reported: bool,
}

impl Telemetry {
    pub(crate) fn new(outbox: Arc<Outbox>, stats: Arc<Stats>, labels: Labels) -> Arc<Self> {
        let group = Labels::from_pairs([("job", JOB)]);
        let (state, changed) = (Mutex::default(), Notify::new());
        Arc::new(Self { outbox, stats, group, labels, state, changed })
    }

    /// What the platform posts to.
    pub(crate) fn router(self: &Arc<Self>) -> Router {
        Router::new().fallback(any(receive)).with_state(Arc::clone(self))
    }

    /// Takes what was posted, as far as it can be read.
    fn take(&self, body: &[u8]) -> StatusCode {
        let Ok(events) = serde_json::from_slice::<Vec<serde_json::Value>>(body) else {
            self.stats.unreadable_report();
            tracing::warn!(bytes = body.len(), "what the platform reports is no JSON list");
            return StatusCode::BAD_REQUEST;
        };
        for event in events {
            match Event::of(event) {
                Ok(event) => self.happened(event),
                Err(error) => {
                    self.stats.unreadable_report();
                    tracing::warn!(%error, "a report of the platform that cannot be read");
                }
            }
        }
        self.changed.notify_waiters();
        StatusCode::OK
    }

    fn happened(&self, event: Event) {
        let mut known = self.lock();
        known.events += 1;
        let families = match event {
            Event::Started { id } => {
                known.starts += 1;
                known.invocation(&id).is_known = true;
                return;
            }
            Event::Initialized(init) => {
                known.has_init = true;
                metrics::of_init(&init)
            }
            Event::Restored(init) => {
                known.has_init = true;
                metrics::of_init(&init)
            }
            Event::Done(done) => {
                known.ends += 1;
                match known.is_first(&done.id, |known| &mut known.is_done) {
                    true => metrics::of_end(&done),
                    false => return,
                }
            }
            Event::Reported(report) => {
                if !known.is_first(&report.end.id, |known| &mut known.is_reported) {
                    return;
                }
                let mut families = metrics::of_report(&report);
                // where nothing has told of its end, this does
                if known.is_first(&report.end.id, |known| &mut known.is_done) {
                    families.extend(metrics::of_end(&report.end));
                }
                if let Some(init) =
                    report.init.as_ref().filter(|_| !std::mem::replace(&mut known.has_init, true))
                {
                    families.extend(metrics::of_init(init));
                }
                families
            }
            Event::Lost { reports } => {
                known.losses += 1;
                self.stats.lost_reports(reports);
                return;
            }
            Event::Other => return,
        };
        drop(known);
        self.outbox.add_own(Adds::of(&self.group, families, &self.labels));
    }

    /// Adds what the extension has counted about itself.
    pub(crate) fn add_own(&self, families: Vec<wire::Family>) {
        self.outbox.add_own(Adds::of(&self.group, families, &self.labels));
    }

    /// How many events have come.
    pub(crate) fn events(&self) -> u64 {
        self.lock().events
    }

    /// How many of them told the end of an invocation.
    pub(crate) fn ends(&self) -> u64 {
        self.lock().ends
    }

    /// Waits until the function is done with an invocation; false if that was not told in time, or nothing at all of it until `silence`.
    /// Where the platform loses what it had to tell, that may have been among it, and nobody waits any longer: the time is billed.
    pub(crate) async fn is_done(&self, id: &str, silence: Instant, until: Instant) -> bool {
        let losses = self.lock().losses;
        let of_it = |known: &Known, is: fn(&Invocation) -> bool| {
            known.losses > losses || known.invocations.iter().any(|one| one.id == id && is(one))
        };
        // some emulators tell of ends only
        let tells_no_starts = |known: &Known| known.starts == 0 && known.ends > 0;
        let is_told_of = |known: &Known| {
            of_it(known, |one| one.is_known || one.is_done || one.is_reported) || tells_no_starts(known)
        };
        self.wait(silence.min(until), is_told_of).await
            && self.wait(until, |known| of_it(known, |one| one.is_done)).await
    }

    /// Waits until there is a report of each invocation; false if some did not come in time.
    pub(crate) async fn are_reported(&self, until: Instant) -> bool {
        self.wait(until, |known| known.invocations.iter().all(|one| one.is_reported)).await
    }

    async fn wait(&self, until: Instant, holds: impl Fn(&Known) -> bool) -> bool {
        loop {
            let changed = self.changed.notified();
            if holds(&self.lock()) {
                return true;
            }
            if timeout_at(until, changed).await.is_err() {
                return holds(&self.lock());
            }
        }
    }

    /// Knows of an invocation before anything is reported of it.
    pub(crate) fn begins(&self, id: &str) {
        self.lock().invocation(id);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn invocation(&mut self, id: &str) -> &mut Invocation {
        let at = self.invocations.iter().position(|one| one.id == id).unwrap_or_else(|| {
            if self.invocations.len() >= INVOCATIONS_MAX {
                self.invocations.pop_front();
            }
            self.invocations.push_back(Invocation { id: id.to_owned(), ..Invocation::default() });
            self.invocations.len() - 1
        });
        &mut self.invocations[at]
    }

    /// Whether this is told of an invocation for the first time: the platform may send twice what it was not answered.
    fn is_first(&mut self, id: &str, of: impl Fn(&mut Invocation) -> &mut bool) -> bool {
        !std::mem::replace(of(self.invocation(id)), true)
    }
}

async fn receive(State(telemetry): State<Arc<Telemetry>>, body: Body) -> StatusCode {
    match to_bytes(body, BODY_BYTES_MAX).await {
        Ok(body) => telemetry.take(&body),
        Err(error) => {
            telemetry.stats.unreadable_report();
            tracing::warn!(%error, "what the platform reports was not received");
            StatusCode::BAD_REQUEST
        }
    }
}

#[cfg(test)]
mod tests;
