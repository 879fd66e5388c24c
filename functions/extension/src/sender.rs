//! Takes what waits to its target, within the time that there is.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::StatusCode;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use crate::outbox::{Batch, Outbox, Outcome};
use crate::stats::Stats;
use crate::target::Target;

/// Sends what an outbox holds.
pub(crate) struct Sender {
    outbox: Arc<Outbox>,
    target: Arc<Target>,
    stats: Arc<Stats>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What has not been answered yet: it goes on when there is time again.
    on_its_way: Option<OnItsWay>,
    is_failing: bool,
}

struct OnItsWay {
    batch: Batch,
    answer: BoxFuture<'static, anyhow::Result<(StatusCode, Bytes)>>,
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
    pub(crate) fn new(outbox: Arc<Outbox>, target: Arc<Target>, stats: Arc<Stats>) -> Self {
        Self { outbox, target, stats, state: Mutex::default() }
    }

    /// Sends what waits, batch by batch, until nothing waits, an attempt fails or the time is over. What is left waits on.
    pub(crate) async fn flush(&self, until: Instant) {
        let mut state = self.state.lock().await;
        let mut has_failed = false;
        while Instant::now() < until {
            let Some(mut sent) = state.on_its_way.take().or_else(|| self.next(until)) else { return };
            let Ok(answered) = timeout_at(until, &mut sent.answer).await else {
                // it goes on where it was when there is time again
                state.on_its_way = Some(sent);
                self.failed(&mut state, "no answer in time");
                return;
            };
            match answered.and_then(|(status, answer)| self.answered(&sent.batch, status, &answer)) {
                Ok(()) if std::mem::take(&mut state.is_failing) => tracing::info!("metrics are sent again"),
                Ok(()) => {}
                Err(error) => {
                    self.outbox.settle(&sent.batch, |_| Outcome::NotNow);
                    self.failed(&mut state, &format!("{error:#}"));
                    if std::mem::replace(&mut has_failed, true) {
                        return;
                    }
                    // the first one may have failed on a connection that died while the sandbox was frozen
                }
            }
        }
    }

    fn next(&self, until: Instant) -> Option<OnItsWay> {
        let batch = self.outbox.next_batch()?;
        let within = self.target.attempt(until.saturating_duration_since(Instant::now()));
        let (target, body) = (Arc::clone(&self.target), batch.body.clone());
        let answer = async move { target.send(body, within).await }.boxed();
        Some(OnItsWay { batch, answer })
    }

    /// Takes note of an answer.
    fn answered(&self, batch: &Batch, status: StatusCode, answer: &[u8]) -> anyhow::Result<()> {
        let text = || String::from_utf8_lossy(answer).trim().chars().take(500).collect::<String>();
        if !status.is_success() {
            // a token that is exchanged or a gateway that is put in place anew says nothing about what is sent
            if !is_about_the_body(status) {
                bail!("answered {status}: {}", text());
            }
            let outcome = Outcome::of(status, &text());
            self.outbox.settle(batch, |_| outcome.clone());
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

    /// A failure that lasts is told once.
    fn failed(&self, state: &mut State, why: &str) {
        self.stats.send_failure();
        if !std::mem::replace(&mut state.is_failing, true) {
            let metrics = self.outbox.metrics();
            tracing::warn!(error = why, metrics, "metrics not sent: they wait for the next invocation");
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
