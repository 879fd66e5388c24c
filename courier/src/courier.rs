//! The courier: one tick at a time, and the rounds that ticks give.
//!
//! What keeps notifications from getting lost or doubled is the order: what is to be sent is in the stored state, claimed, before it
//! is sent, and leaves it when it was taken. Whoever dies in between leaves a claim that runs out, after which the next tick sends
//! it again; whoever dies before has done nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use alert::{Alert, Cause, Notifier, NotifyError, StateStore};
use async_trait::async_trait;
use edge::RuleState;
use model::Clock;
use notify::{Intent, Outcome, Received, State, StateError};
use object_store::ObjectStore;
use object_store::path::Path;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::book::Book;
use crate::inbox::Inbox;
use crate::receivers::{Letter, SendError};
use crate::state::StateObject;

/// What the courier is called among those who get alerts.
pub const NOTIFIER: &str = "/alertmanager/api/v2/alerts";

/// How long one attempt to send may take.
pub const SEND_TIME_MAX: Duration = Duration::from_secs(30);

/// How long a round may take: it is over before what it has claimed is given to another.
const ROUND_TIME_MAX: Duration = Duration::from_millis(notify::CLAIM_MS as u64 - 5_000);

/// What was taken is written down at most this long after it.
const SETTLE_WITHIN: Duration = Duration::from_millis(500);

/// What could not be written down is tried again after this, as long as nobody else is given it.
const SETTLE_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Where not all groups that are due fit into the state, so many are tried, and then fewer by this factor.
const FLUSHES_AT_FIRST: usize = 100_000;
const FEWER_FLUSHES: usize = 10;

/// How long whoever posts alerts waits to see them.
const SEE_WITHIN: Duration = Duration::from_secs(2);

/// Stores, sends and settles what is to be told.
pub struct Courier {
    pub(crate) state: StateObject,
    inbox: Inbox,
    pub(crate) clock: Arc<dyn Clock>,
    book: RwLock<Arc<Book>>,
    woken: Notify,
    /// Ticks that have begun, and the last of those that are done.
    begun: AtomicU64,
    done: watch::Sender<u64>,
    /// When it was made.
    pub(crate) started_ms: i64,
    counts: Mutex<BTreeMap<String, KindCounts>>,
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier").finish_non_exhaustive()
    }
}

/// What was sent to receivers of one kind since the courier was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindCounts {
    /// Attempts to send.
    pub requests: u64,
    /// Attempts that failed.
    pub requests_failed: u64,
    /// Notifications that were taken or refused.
    pub notifications: u64,
    /// Notifications that were refused.
    pub refused: u64,
}

/// Why a tick has done nothing, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum CourierError {
    /// The store does not answer.
    #[error("read the state of notifications: {0}")]
    Read(#[source] Cause),
    /// Whether it was written is not known.
    #[error("write the state of notifications: {0}")]
    Write(#[source] Cause),
    /// What is stored is no state.
    #[error(transparent)]
    State(#[from] StateError),
    /// Alerts that have come in cannot be read or written.
    #[error("the inbox of notifications: {0}")]
    Inbox(#[from] object_store::Error),
    /// What is remembered, or what waits, is so much that no more alerts are taken for now.
    #[error("notifications have more alerts than they can hold; try again later")]
    Full,
    /// Others write all the time.
    #[error("too many writers of the state of notifications")]
    Contended,
}

impl Courier {
    /// A courier whose state and inbox lie in a folder of a store, which must compare ETags on PUT. `writer` is another number for
    /// each process.
    pub fn new(
        (store, folder): (Arc<dyn ObjectStore>, Path),
        writer: u64,
        clock: Arc<dyn Clock>,
        book: Book,
    ) -> Self {
        let state = RuleState::new(Arc::clone(&store), folder.clone().join("state.json"));
        let inbox = Inbox::new(store, folder.join("inbox"), writer);
        Self::with_state(Arc::new(state), inbox, clock, book)
    }

    pub(crate) fn with_state(
        state: Arc<dyn StateStore>,
        inbox: Inbox,
        clock: Arc<dyn Clock>,
        book: Book,
    ) -> Self {
        Self {
            state: StateObject::new(state),
            inbox,
            started_ms: clock.now_ms(),
            clock,
            book: RwLock::new(Arc::new(book)),
            woken: Notify::new(),
            begun: AtomicU64::new(0),
            done: watch::Sender::new(0),
            counts: Mutex::default(),
        }
    }

    /// Goes by another book from the next tick on.
    pub fn replace(&self, book: Book) {
        *self.book.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(book);
        self.woken.notify_one();
    }

    pub(crate) fn book(&self) -> Arc<Book> {
        Arc::clone(&self.book.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until there is something to do that the last tick did not know of.
    pub async fn woken(&self) {
        self.woken.notified().await;
    }

    pub(crate) fn wake(&self) {
        self.woken.notify_one();
    }

    /// What was sent, by kind of receiver.
    pub fn counts(&self) -> BTreeMap<String, KindCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts alerts into the inbox, and is durable when it returns.
    pub(crate) async fn take(&self, alerts: Vec<Received>) -> Result<(), CourierError> {
        self.put(alerts).await?;
        self.wake();
        Ok(())
    }

    async fn put(&self, alerts: Vec<Received>) -> Result<(), CourierError> {
        if self.state.is_full() || self.inbox.is_full() {
            return Err(CourierError::Full);
        }
        Ok(self.inbox.put(alerts, self.clock.now_ms()).await?)
    }

    /// Puts alerts into the inbox, and gives a tick the time to take them in, so that whoever asks next sees them.
    pub(crate) async fn take_and_see(&self, alerts: Vec<Received>) -> Result<(), CourierError> {
        self.put(alerts).await?;
        let begun = self.begun.load(Ordering::SeqCst);
        self.wake();
        let mut done = self.done.subscribe();
        let _ = tokio::time::timeout(SEE_WITHIN, done.wait_for(|done| *done > begun)).await;
        Ok(())
    }

    /// Takes in what has come, and decides what is to be sent at `now_ms`. Safe to call at any time, from any number of places,
    /// and again after it has failed.
    ///
    /// As many batches are taken in as the state has room for. One that does not fit alone is dropped, with an error in the log. Where
    /// there is no room for what all groups that are due have to tell, some of them wait for the next tick.
    ///
    /// # Errors
    /// If the store does not answer; nothing is lost, but for the claim on what was to be sent.
    pub async fn tick(self: &Arc<Self>, now_ms: i64) -> Result<Round, CourierError> {
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let book = self.book();
        let mut batches = self.inbox.read().await?;
        let mut flushes_max = usize::MAX;
        let (intents, state) = loop {
            let decide = |state: &mut State| {
                let received = batches.iter().flat_map(|(_, received)| received.iter().cloned());
                book.dispatcher.tick_some(state, received.collect(), now_ms, flushes_max)
            };
            match self.state.change(decide).await {
                Err(CourierError::State(error @ StateError::TooLarge { .. }))
                    if batches.is_empty() && flushes_max > 0 =>
                {
                    tracing::warn!(%error, "groups wait, since what they have to tell does not fit");
                    flushes_max = flushes_max.min(FLUSHES_AT_FIRST) / FEWER_FLUSHES;
                }
                Err(CourierError::State(error @ StateError::TooLarge { .. })) if !batches.is_empty() => {
                    if batches.len() > 1 {
                        batches.truncate(batches.len() / 2);
                        continue;
                    }
                    for (name, received) in batches.drain(..) {
                        let alerts = received.len();
                        tracing::error!(%name, alerts, %error, "a batch of alerts does not fit and is dropped");
                        self.inbox.delete(vec![name]).await;
                    }
                }
                changed => break changed?,
            }
        };
        self.inbox.delete(batches.into_iter().map(|(name, _)| name).collect()).await;
        self.done.send_modify(|done| *done = number.max(*done));
        let next_due_ms = book.dispatcher.next_due_ms(&state);
        Ok(Round { courier: Arc::clone(self), book, intents, next_due_ms, now_ms })
    }

    /// Writes down what became of some intents.
    async fn settle(&self, book: &Book, outcomes: &[(u64, Outcome)]) -> Result<(), CourierError> {
        let now_ms = self.clock.now_ms();
        let settle = |state: &mut State| {
            for (id, outcome) in outcomes {
                book.dispatcher.settle(state, *id, *outcome, now_ms);
            }
        };
        self.state.change(settle).await?;
        self.wake();
        Ok(())
    }

    /// When something that was not taken is to be tried again.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn next_attempt_ms(&self) -> Result<Option<i64>, CourierError> {
        let state = self.state.read().await?;
        Ok(state.outbox().iter().map(|intent| intent.next_attempt_ms.max(intent.claimed_until_ms)).min())
    }

    fn count(&self, kind: &str, outcome: Outcome) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let of_kind = counts.entry(kind.to_owned()).or_default();
        of_kind.requests += 1;
        of_kind.requests_failed += u64::from(outcome != Outcome::Sent);
        of_kind.notifications += u64::from(outcome != Outcome::Failed);
        of_kind.refused += u64::from(outcome == Outcome::Refused);
    }
}

/// What a tick has claimed.
#[derive(Debug)]
pub struct Round {
    pub(crate) courier: Arc<Courier>,
    pub(crate) book: Arc<Book>,
    pub(crate) intents: Vec<Intent>,
    pub(crate) next_due_ms: Option<i64>,
    pub(crate) now_ms: i64,
}

/// What came of a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Notifications that were taken.
    pub sent: usize,
    /// Notifications that wait for another attempt.
    pub waiting: usize,
    /// Notifications that will not be taken.
    pub refused: usize,
}

impl Round {
    /// When the next tick has something to do if nothing else happens; what this round brings may change it, and wakes.
    pub fn next_due_ms(&self) -> Option<i64> {
        self.next_due_ms
    }

    /// Whether there is nothing to bring.
    pub fn is_empty(&self) -> bool {
        self.intents.is_empty()
    }

    /// Brings everything to its receivers, all at once and each within its own time, and writes down what they have taken as
    /// they take it. What is not brought within `time` waits for another attempt.
    ///
    /// # Errors
    /// If what was taken cannot be written down: it is sent again then.
    pub async fn deliver(self, time: Duration) -> Result<Delivered, CourierError> {
        let Self { courier, book, intents, now_ms, .. } = self;
        // the claim counts from when the tick began
        let spent_ms = u64::try_from(courier.clock.now_ms() - now_ms).unwrap_or(0);
        let left = ROUND_TIME_MAX.saturating_sub(Duration::from_millis(spent_ms));
        if left.is_zero() {
            return Ok(Delivered { waiting: intents.len(), ..Delivered::default() });
        }
        let mut open: BTreeMap<u64, String> =
            intents.iter().map(|intent| (intent.id, intent.kind.clone())).collect();
        let mut sends = JoinSet::new();
        for intent in intents {
            let (book, courier) = (Arc::clone(&book), Arc::clone(&courier));
            sends.spawn(async move { (intent.id, bring(&courier, &book, &intent, now_ms).await) });
        }
        let until = Instant::now() + time.min(left);
        let mut delivered = Delivered::default();
        // what could not be written down goes with the next
        let mut unsettled: Vec<(u64, Outcome)> = Vec::new();
        while let Ok(Some(first)) = timeout_at(until, sends.join_next()).await {
            let mut outcomes = Vec::from_iter(first.ok());
            // those that take longer are written down with the next ones
            let soon = until.min(Instant::now() + SETTLE_WITHIN);
            while let Ok(Some(next)) = timeout_at(soon, sends.join_next()).await {
                outcomes.extend(next.ok());
            }
            for (id, outcome) in &outcomes {
                if let Some(kind) = open.remove(id) {
                    courier.count(&kind, *outcome);
                }
                match outcome {
                    Outcome::Sent => delivered.sent += 1,
                    Outcome::Failed => delivered.waiting += 1,
                    Outcome::Refused => delivered.refused += 1,
                }
            }
            unsettled.extend(outcomes);
            match courier.settle(&book, &unsettled).await {
                Ok(()) => unsettled.clear(),
                Err(error) => tracing::warn!(%error, "what was sent is not written down yet"),
            }
        }
        if !open.is_empty() {
            sends.shutdown().await;
            delivered.waiting += open.len();
            unsettled.extend(open.keys().map(|id| (*id, Outcome::Failed)));
        }
        while !unsettled.is_empty() {
            match courier.settle(&book, &unsettled).await {
                Ok(()) => break,
                Err(error) if Instant::now() + SETTLE_AGAIN_AFTER >= until => return Err(error),
                Err(_) => _ = tokio::time::timeout(SETTLE_AGAIN_AFTER, std::future::pending::<()>()).await,
            }
        }
        Ok(delivered)
    }
}

/// Brings one intent to its receiver, as far as that is still there.
async fn bring(courier: &Courier, book: &Book, intent: &Intent, now_ms: i64) -> Outcome {
    let key = (intent.receiver.clone(), intent.kind.clone(), intent.index);
    let Some(recipient) = book.recipients.get(&key) else {
        let (receiver, kind, index) = (&intent.receiver, &intent.kind, intent.index);
        tracing::warn!(
            receiver,
            kind,
            index,
            "a notification is for a receiver that this configuration does not have"
        );
        return Outcome::Failed;
    };
    let Ok(_turn) = recipient.turns.acquire().await else { return Outcome::Failed };
    let left_ms = intent.deadline_ms - courier.clock.now_ms().max(now_ms);
    let left = Duration::from_millis(u64::try_from(left_ms).unwrap_or(0));
    let timeout = SEND_TIME_MAX.min(left);
    let letter = Letter { intent, external_url: &book.external_url, now_ms, timeout };
    let sent = tokio::time::timeout(timeout, recipient.sender.send(&letter)).await;
    let sent = sent.unwrap_or(Err(SendError::Http(edge::HttpError::Timeout(timeout))));
    let (receiver, kind, group) = (&intent.receiver, &intent.kind, &intent.group_key);
    match sent {
        Ok(()) => {
            let (alerts, reason) = (intent.alerts.len(), intent.reason.as_str());
            tracing::debug!(receiver, kind, group, alerts, reason, "notified");
            Outcome::Sent
        }
        Err(error) if error.may_be_tried() => {
            tracing::warn!(receiver, kind, group, attempts = intent.attempts + 1, %error, "notification waits");
            Outcome::Failed
        }
        Err(error) => {
            tracing::error!(receiver, kind, group, %error, "notification refused");
            Outcome::Refused
        }
    }
}

#[async_trait]
impl Notifier for Courier {
    fn name(&self) -> &str {
        NOTIFIER
    }

    async fn send(&self, batch: &[Alert]) -> Result<(), NotifyError> {
        let at_ms = self.clock.now_ms();
        let received = batch.iter().map(|alert| Received {
            labels: alert.labels.clone(),
            annotations: alert.annotations.clone(),
            starts_at_ms: Some(alert.starts_at_ms),
            ends_at_ms: Some(alert.ends_at_ms),
            generator_url: alert.generator_url.clone(),
            at_ms,
        });
        self.take(received.collect()).await.map_err(|error| NotifyError::Unreachable(error.into()))
    }
}
