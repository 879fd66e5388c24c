//! What is not sent yet, within its limits.
//!
//! What adds is added up by group and becomes one push when it is about to be sent; from then on it has a key and does not change, so
//! that it counts once however often it is sent. While it waits, what comes next for its group is added up beside it. What sets or deletes
//! stands by itself. Of one group nothing is sent before what came earlier has arrived.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gateway::{Adds, Full, RelayedPush, Taker};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use model::{Labels, duration};
use serde::Serialize;

use crate::stats::Stats;
use crate::sums::Sums;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const TTL: HeaderName = HeaderName::from_static("x-mayfly-ttl");
/// Requests of one batch: a gateway takes a thousand.
const REQUESTS_MAX: usize = 500;
/// Bytes of one batch: Lambda takes six million of a request.
const BATCH_BYTES_MAX: usize = 3 << 20;
/// About what a push takes beside its body.
const PUSH_BYTES: usize = 500;

/// What waits to be sent.
#[derive(Debug)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    bytes_max: usize,
    /// How long groups live if nobody pushes to them again, where the sender has not said so.
    ttl_ms: Option<i64>,
    /// What no other sandbox has.
    identity: [u64; 2],
    stats: Arc<Stats>,
}

#[derive(Debug, Default)]
struct State {
    sums: BTreeMap<Labels, Sums>,
    /// In the order in which they came.
    waiting: VecDeque<Waiting>,
    /// Of what waits; sums know their own.
    bytes: usize,
    pushes: u64,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    push: RelayedPush,
    is_on_its_way: bool,
}

/// Pushes that are sent at once.
#[derive(Debug)]
pub(crate) struct Batch {
    numbers: Vec<u64>,
    /// What a gateway's `/api/v1/batch` takes.
    pub(crate) body: Bytes,
}

/// What became of one push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Taken,
    /// To send it again may help.
    NotNow,
    /// To send it again would not help.
    Refused(String),
}

impl Outcome {
    /// What a status says of what was sent.
    pub(crate) fn of(status: StatusCode, told: &str) -> Self {
        match status {
            status if status.is_success() => Self::Taken,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Self::NotNow,
            status if status.is_server_error() => Self::NotNow,
            status => Self::Refused(format!("{}: {}", status.as_u16(), told.trim())),
        }
    }
}

#[derive(Serialize)]
struct Told<'a> {
    requests: &'a [ToldRequest],
}

#[derive(Serialize)]
struct ToldRequest {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

impl Outbox {
    pub(crate) fn new(bytes_max: usize, ttl_ms: Option<i64>, identity: [u64; 2], stats: Arc<Stats>) -> Self {
        Self { state: Mutex::default(), bytes_max, ttl_ms, identity, stats }
    }

    /// Adds what is always little, room or not.
    pub(crate) fn add_own(&self, adds: Adds) {
        self.lock().add(adds);
    }

    /// Takes note of metrics that have found no room before they came here.
    pub(crate) fn left_out(&self, metrics: usize) {
        self.stats.no_room(metrics);
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        let state = self.lock();
        state.waiting.is_empty() && state.sums.is_empty()
    }

    /// How many metrics wait.
    pub(crate) fn metrics(&self) -> usize {
        let state = self.lock();
        let waiting = state.waiting.iter().map(|waiting| waiting.push.series).sum::<usize>();
        waiting + state.sums.values().map(Sums::metrics).sum::<usize>()
    }

    /// What is to be sent next: of each group the oldest push. Whoever asks again before he has told what became of it gets the same.
    pub(crate) fn next_batch(&self) -> Option<Batch> {
        let mut state = self.lock();
        state.seal_all();
        let (mut groups, mut requests, mut numbers, mut bytes) = (HashSet::new(), Vec::new(), Vec::new(), 0);
        for waiting in &mut state.waiting {
            waiting.is_on_its_way = false;
            if !groups.insert(waiting.push.group.clone()) || numbers.len() >= REQUESTS_MAX {
                continue;
            }
            let request = self.told(waiting);
            let more =
                request.body.as_ref().or(request.body_base64.as_ref()).map_or(0, String::len) + PUSH_BYTES;
            // one alone goes, however large it is
            if bytes + more > BATCH_BYTES_MAX && !numbers.is_empty() {
                continue;
            }
            bytes += more;
            waiting.is_on_its_way = true;
            numbers.push(waiting.number);
            requests.push(request);
        }
        // of texts it can always be made
        let body = serde_json::to_vec(&Told { requests: &requests }).unwrap_or_default().into();
        (!numbers.is_empty()).then_some(Batch { numbers, body })
    }

    /// Takes note of what became of a batch: whether all of it arrived or will never.
    pub(crate) fn settle(&self, batch: &Batch, outcome: impl Fn(usize) -> Outcome) -> bool {
        let mut state = self.lock();
        let mut is_settled = true;
        for (index, number) in batch.numbers.iter().enumerate() {
            let Some(at) = state.waiting.iter().position(|waiting| waiting.number == *number) else {
                continue;
            };
            match outcome(index) {
                Outcome::NotNow => {
                    state.waiting[at].is_on_its_way = false;
                    is_settled = false;
                    continue;
                }
                Outcome::Refused(why) => {
                    let push = &state.waiting[at].push;
                    self.stats.refused(push.series);
                    tracing::error!(
                        path = push.path(),
                        metrics = push.series,
                        why,
                        "push refused: it is dropped"
                    );
                }
                Outcome::Taken => {}
            }
            if let Some(gone) = state.waiting.remove(at) {
                state.bytes = state.bytes.saturating_sub(bytes(&gone.push));
            }
        }
        is_settled
    }

    fn told(&self, waiting: &Waiting) -> ToldRequest {
        let push = &waiting.push;
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.extend(push.headers.iter().map(|(name, value)| (name.to_string(), text(value))));
        let [a, b] = self.identity;
        let key = || format!("mayfly-extension-{a:016x}{b:016x}-{}", waiting.number);
        headers.entry(IDEMPOTENCY_KEY.to_string()).or_insert_with(key);
        if let Some(ttl_ms) = self.ttl_ms.filter(|_| push.method != Method::DELETE) {
            headers.entry(TTL.to_string()).or_insert_with(|| duration::format(ttl_ms));
        }
        let (body, body_base64) = match String::from_utf8(push.body.to_vec()) {
            _ if push.body.is_empty() => (None, None),
            Ok(text) => (Some(text), None),
            Err(_) => (None, Some(STANDARD.encode(&push.body))),
        };
        ToldRequest { method: push.method.to_string(), path: push.path(), headers, body, body_base64 }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // nothing in here panics between two changes that belong together
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn room(&self, state: &State, bytes: usize) -> Result<(), Full> {
        match state.taken() + bytes <= self.bytes_max {
            true => Ok(()),
            false => Err(Full { bytes, bytes_max: self.bytes_max }),
        }
    }
}

impl Taker for Outbox {
    fn add(&self, adds: Adds) -> Result<(), Full> {
        let mut state = self.lock();
        // what comes again takes no more room, and that is known when it has been added
        let grown = Sums::growth(&adds.families);
        if let Err(full) = self.room(&state, grown)
            && !state.sums.get(&adds.group).is_some_and(|sums| sums.has(&adds.families))
        {
            self.stats.no_room(adds.families.iter().map(|family| family.metrics.len()).sum());
            return Err(full);
        }
        state.add(adds);
        Ok(())
    }

    fn push(&self, push: RelayedPush) -> Result<(), Full> {
        let mut state = self.lock();
        if self.room(&state, bytes(&push)).is_err() {
            state.supersede(&push);
        }
        if let Err(full) = self.room(&state, bytes(&push)) {
            self.stats.no_room(push.series);
            return Err(full);
        }
        // what was added before comes before
        let group = push.group.clone();
        state.seal(&group);
        state.wait(push);
        Ok(())
    }
}

impl State {
    fn taken(&self) -> usize {
        self.bytes + self.sums.values().map(Sums::bytes).sum::<usize>()
    }

    fn add(&mut self, Adds { group, families }: Adds) {
        if families.is_empty() {
            return;
        }
        if self.sums.get(&group).is_some_and(|sums| !sums.fits(&families)) {
            self.seal(&group);
        }
        self.sums.entry(group).or_default().add(families);
    }

    /// Makes a push of what is added up for a group.
    fn seal(&mut self, group: &Labels) {
        if let Some((group, sums)) = self.sums.remove_entry(group) {
            self.wait(Adds { group, families: sums.into_families() }.push());
        }
    }

    /// The same for all groups of which nothing waits.
    fn seal_all(&mut self) {
        let waiting: HashSet<&Labels> = self.waiting.iter().map(|waiting| &waiting.push.group).collect();
        let free: Vec<Labels> = self.sums.keys().filter(|group| !waiting.contains(group)).cloned().collect();
        free.iter().for_each(|group| self.seal(group));
    }

    fn wait(&mut self, push: RelayedPush) {
        self.bytes += bytes(&push);
        self.waiting.push_back(Waiting { number: self.pushes, push, is_on_its_way: false });
        self.pushes += 1;
    }

    /// Drops what nobody will see when this push has arrived at once after it.
    fn supersede(&mut self, by: &RelayedPush) {
        if by.is_aggregated || by.method == Method::POST {
            return;
        }
        let bytes_of = &mut self.bytes;
        self.waiting.retain(|waiting| {
            let is_over =
                waiting.push.group == by.group && !waiting.push.is_aggregated && !waiting.is_on_its_way;
            if is_over {
                *bytes_of = bytes_of.saturating_sub(bytes(&waiting.push));
            }
            !is_over
        });
    }
}

/// About how much memory a push takes.
fn bytes(push: &RelayedPush) -> usize {
    let labels: usize = push.group.iter().map(|label| label.name.len() + label.value.len()).sum();
    PUSH_BYTES + labels + push.body.len()
}

#[cfg(test)]
mod tests;
