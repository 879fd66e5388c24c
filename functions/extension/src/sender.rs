//! Takes what waits to its target, within the time that there is.
//!
//! No request is cut off for being slow: what is not answered when the time is over is heard the next time. One over a connection that was
//! kept, and may have died while the sandbox was frozen, is sent again on a new one beside it if half of the time brings no answer: what
//! has a key counts once. A target that fails is left alone for a while, so that it takes a small part of the time of invocations.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{BoxFuture, pending};
use futures::stream::{FuturesUnordered, StreamExt as _};
use http::StatusCode;
use model::Clock;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use crate::outbox::{Batch, Outbox, Outcome};
use crate::stats::Stats;
use crate::target::Target;

/// A request, and the same on a new connection.
const REQUESTS_AT_ONCE: usize = 2;
/// How often a target is asked that answers with an error, of those that have another chance.
const ATTEMPTS: u32 = 2;
/// The time between the last attempts of a sandbox; it doubles.
const LAST_PAUSE: Duration = Duration::from_millis(25);

/// Sends what an outbox holds.
pub(crate) struct Sender {
    outbox: Arc<Outbox>,
    target: Arc<Target>,
    clock: Arc<dyn Clock>,
    stats: Arc<Stats>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What has not been answered yet: it goes on when there is time again.
    on_its_way: FuturesUnordered<BoxFuture<'static, (Batch, Answered)>>,
    has_sent: bool,
    failing: Failing,
}

type Answered = anyhow::Result<(StatusCode, Bytes)>;

/// Whether something can be sent later, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chance {
    /// After a later invocation, or when the sandbox ends.
    OfMany,
    /// The sandbox ends.
    Last,
}

/// How long a target that fails is left alone. The clock is that on the wall, since others may stand still while the sandbox is frozen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Failing {
    times: u32,
    since_ms: i64,
    pause_ms: i64,
}

impl Failing {
    /// The pause is so many times what an invocation was held in vain,
    const TIMES: i64 = 10;
    /// and twice as long after the next failure, so often,
    const DOUBLINGS_MAX: u32 = 6;
    /// but then not longer.
    const PAUSE_MS_MAX: i64 = 2 * 60_000;

    fn is_paused(&self, now_ms: i64) -> bool {
        // a clock that was put back does not make it longer
        (0..self.pause_ms).contains(&(now_ms - self.since_ms))
    }

    /// After another failure, which took so long.
    fn after(self, held: Duration, now_ms: i64) -> Self {
        let held_ms = i64::try_from(held.as_millis()).unwrap_or(i64::MAX);
        let shortest_ms = held_ms.saturating_mul(Self::TIMES);
        let longest_ms = Self::PAUSE_MS_MAX.max(shortest_ms);
        let pause_ms = shortest_ms.saturating_mul(1 << self.times.min(Self::DOUBLINGS_MAX)).min(longest_ms);
        Self { times: self.times.saturating_add(1), since_ms: now_ms, pause_ms }
    }
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    status: u16,
    #[serde(default)]
    error: String,
}

impl Sender {
    pub(crate) fn new(
        outbox: Arc<Outbox>,
        target: Arc<Target>,
        clock: Arc<dyn Clock>,
        stats: Arc<Stats>,
    ) -> Self {
        Self { outbox, target, clock, stats, state: Mutex::default() }
    }

    /// Sends what waits, batch by batch, until nothing waits, the target fails or the time is over. What is left waits on. While a
    /// target that has failed is left alone, only what it has answered meanwhile is heard.
    pub(crate) async fn flush(&self, until: Instant, chance: Chance) {
        let mut state = self.state.lock().await;
        let (began, was_failing) = (Instant::now(), state.failing.times > 0);
        if let Err(why) = self.send_all(&mut state, until, chance).await {
            state.failing = state.failing.after(began.elapsed(), self.clock.now_ms());
            if !was_failing {
                let (metrics, pause_ms) = (self.outbox.metrics(), state.failing.pause_ms);
                tracing::warn!(error = format!("{why:#}"), metrics, pause_ms, "metrics not sent: they wait");
            }
        }
    }

    /// # Errors
    /// If the target fails, and not if it is left alone.
    async fn send_all(&self, state: &mut State, until: Instant, chance: Chance) -> anyhow::Result<()> {
        let mut may_be_dead = self.target.keeps_connection() && state.has_sent;
        let mut failures = 0;
        while Instant::now() < until {
            let is_paused = chance == Chance::OfMany && state.failing.is_paused(self.clock.now_ms());
            if state.on_its_way.is_empty() && (is_paused || !self.send(state, false)) {
                return Ok(());
            }
            let now = Instant::now();
            let end = match may_be_dead {
                _ if is_paused => now,
                true => now + until.saturating_duration_since(now).div_f64(2.0),
                false => until,
            };
            let (batch, answered) = match timeout_at(end, state.on_its_way.next()).await {
                Ok(Some(answered)) => answered,
                Ok(None) => continue,
                Err(_) if is_paused => return Ok(()),
                Err(_) if may_be_dead => {
                    may_be_dead = false;
                    if state.on_its_way.len() >= REQUESTS_AT_ONCE {
                        state.on_its_way.clear();
                    }
                    self.send(state, true);
                    continue;
                }
                Err(_) => {
                    self.stats.send_failure();
                    bail!("no answer in time");
                }
            };
            match answered.and_then(|(status, answer)| self.answered(&batch, status, &answer)) {
                Ok(()) => {
                    // of the same on another connection nothing more need be heard
                    state.on_its_way.clear();
                    if std::mem::take(&mut state.failing).times > 0 {
                        tracing::info!("metrics are sent again");
                    }
                    (may_be_dead, failures) = (false, 0);
                }
                // there is another one of it
                Err(_) if !state.on_its_way.is_empty() => {}
                Err(error) => {
                    self.outbox.settle(&batch, |_| Outcome::NotNow);
                    if is_paused {
                        return Ok(());
                    }
                    self.stats.send_failure();
                    // the first one may have failed on a connection that died while the sandbox was frozen
                    failures += 1;
                    match chance {
                        Chance::OfMany if failures >= ATTEMPTS => return Err(error),
                        Chance::OfMany => {}
                        Chance::Last => {
                            let pause = LAST_PAUSE * (1 << failures.min(8));
                            let _ = timeout_at((Instant::now() + pause).min(until), pending::<()>()).await;
                        }
                    }
                }
            }
        }
        if failures > 0 {
            bail!("no success in time");
        }
        Ok(())
    }

    /// Sends the next batch, if there is one, over a new connection if `anew`.
    fn send(&self, state: &mut State, anew: bool) -> bool {
        let Some(batch) = self.outbox.next_batch() else { return false };
        let target = Arc::clone(&self.target);
        let answered = async move {
            let answered = target.send(batch.body.clone(), anew).await;
            (batch, answered)
        };
        state.on_its_way.push(answered.boxed());
        state.has_sent = true;
        true
    }

    /// Takes note of an answer.
    fn answered(&self, batch: &Batch, status: StatusCode, answer: &[u8]) -> anyhow::Result<()> {
        let text = || String::from_utf8_lossy(answer).trim().chars().take(500).collect::<String>();
        if !status.is_success() {
            // a token that is exchanged or a gateway that is put in place anew says nothing about what is sent
            if !is_about_the_body(status) {
                bail!("answered {status}: {}", text());
            }
            self.outbox.refused(batch, &format!("{}: {}", status.as_u16(), text()));
            return Ok(());
        }
        let Ok(Answer { data }) = serde_json::from_slice(answer) else {
            bail!("answered {status} and not as a gateway of Mayfly does: {}", text());
        };
        let outcome = |index: usize| {
            let told = data.get(index).and_then(|told| Some((StatusCode::from_u16(told.status).ok()?, told)));
            told.map_or(Outcome::NotNow, |(status, told)| Outcome::of(status, &told.error))
        };
        match self.outbox.settle(batch, outcome) {
            true => Ok(()),
            false => {
                let first = data.iter().find(|told| told.status >= 400);
                let (status, error) = first.map_or((0, ""), |told| (told.status, told.error.as_str()));
                bail!("some of it was answered {status}: {error}")
            }
        }
    }
}

/// Whether a whole batch is refused for what it holds, and will be so the next time.
fn is_about_the_body(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY
    )
}

/// How much of the time that is left may be used, so that what comes after has some.
pub(crate) fn before(left: Duration, reserve: Duration) -> Instant {
    Instant::now() + left.saturating_sub(reserve)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_fails_is_left_alone_for_longer_and_longer() {
        let (mut failing, mut now_ms) = (Failing::default(), 1_000_000);
        assert!(!failing.is_paused(now_ms));
        for expect_ms in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 64_000] {
            failing = failing.after(Duration::from_millis(100), now_ms);
            assert_eq!(failing.pause_ms, expect_ms);
            assert!(failing.is_paused(now_ms) && failing.is_paused(now_ms + expect_ms - 1));
            now_ms += expect_ms;
            assert!(!failing.is_paused(now_ms));
        }
        failing = failing.after(Duration::from_secs(3), now_ms);
        assert_eq!(failing.pause_ms, Failing::PAUSE_MS_MAX);
        // by a clock that was put back
        assert!(!failing.is_paused(now_ms - 1));
    }
}
