//! What is not sent yet, within its limits.
//!
//! What adds is added up by group and becomes one push when it is about to be sent; from then on it has a key and does not change, so
//! that it counts once however often it is sent. While it waits, what comes next for its group is added up beside it. What sets or deletes
//! stands by itself. After some minutes it is dropped, also gauges among what was added up, since other sandboxes may have said newer
//! things. Of one group nothing is sent before what came earlier has arrived.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use edge::identity;
use gateway::{Adds, Full, RelayedPush, Taker};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use model::{Clock, Labels, duration};
use serde::Serialize;
use wire::{Limits, protobuf};

use crate::snapshot::Snapshot;
use crate::stats::Stats;
use crate::sums::{Parts, Sums, sets};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const TTL: HeaderName = HeaderName::from_static("x-mayfly-ttl");
/// Requests of one batch: a gateway takes a thousand.
const REQUESTS_MAX: usize = 500;
/// Bytes of one batch: Lambda takes six million of a request.
const BATCH_BYTES_MAX: usize = 3 << 20;
/// About what a push takes beside its body.
const PUSH_BYTES: usize = 500;
/// After so long what sets or deletes is too late: it would stand in the place of what others have said since.
const LATE_MS: i64 = 10 * 60_000;

/// What waits to be sent.
#[derive(Debug)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    bytes_max: usize,
    /// How long groups live if nobody pushes to them again, where the sender has not said so.
    ttl_ms: Option<i64>,
    /// What no other sandbox has. It is made for the first batch: a sandbox may be one of many copies of one that has started.
    identity: OnceLock<[u64; 2]>,
    clock: Arc<dyn Clock>,
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
    /// How large batches are while some are refused for something that they hold.
    halves: Option<Halves>,
    late: Late,
    snapshot: Snapshot,
}

#[derive(Clone, Copy, Debug)]
struct Halves {
    requests_max: usize,
    /// Whether what is refused is not found yet.
    is_sought: bool,
}

/// What was dropped since it had waited too long.
#[derive(Clone, Copy, Debug, Default)]
struct Late {
    pushes: usize,
    metrics: usize,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    push: RelayedPush,
    is_on_its_way: bool,
    /// When it was said, if it sets or deletes, or the oldest of its gauges.
    set_ms: Option<i64>,
    /// Whether it had gauges, which came too late.
    is_reduced: bool,
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
    /// The same key has come with another body.
    KeyIsKnown(String),
}

impl Outcome {
    /// What a status says of what was sent.
    pub(crate) fn of(status: StatusCode, told: &str) -> Self {
        match status {
            status if status.is_success() => Self::Taken,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Self::NotNow,
            status if status.is_server_error() => Self::NotNow,
            StatusCode::UNPROCESSABLE_ENTITY => Self::KeyIsKnown(format!("422: {}", told.trim())),
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
    pub(crate) fn new(
        bytes_max: usize,
        ttl_ms: Option<i64>,
        is_snapshot: bool,
        clock: Arc<dyn Clock>,
        stats: Arc<Stats>,
    ) -> Self {
        let state = State { snapshot: Snapshot::new(is_snapshot), ..State::default() };
        Self { state: Mutex::new(state), bytes_max, ttl_ms, identity: OnceLock::new(), clock, stats }
    }

    /// The first invocation begins.
    pub(crate) fn begins(&self) {
        let mut state = self.lock();
        if state.snapshot.ends(self.clock.now_ms()) {
            state.clear();
        }
    }

    /// Adds what is always little, room or not.
    pub(crate) fn add_own(&self, adds: Adds) {
        let now_ms = self.clock.now_ms();
        self.entered(now_ms).add(adds, now_ms);
    }

    /// Adds if there is room.
    ///
    /// # Errors
    /// If there is none. It is not counted.
    pub(crate) fn take(&self, adds: Adds) -> Result<(), Full> {
        let now_ms = self.clock.now_ms();
        let mut state = self.entered(now_ms);
        let by_itself = head_bytes(&adds.group) + Sums::size(&adds.families);
        if let Err(full) = self.room(&state, by_itself) {
            // what comes again takes no more
            let known = state.sums.get(&adds.group).filter(|sums| sums.fits(&adds.families));
            self.room(&state, known.ok_or(full)?.growth(&adds.families))?;
        }
        state.add(adds, now_ms);
        Ok(())
    }

    /// Forgets all that waits; gives the number of metrics.
    pub(crate) fn clear(&self) -> usize {
        let metrics = self.metrics();
        self.lock().clear();
        metrics
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

    /// What is to be sent next: of each group the oldest push. Whoever asks again before he has told what became of it gets the same,
    /// unless it has become too late for something of it.
    pub(crate) fn next_batch(&self) -> Option<Batch> {
        let mut state = self.lock();
        let now_ms = self.clock.now_ms();
        state.drop_late(now_ms);
        state.seal_all(now_ms);
        let Late { pushes, metrics } = std::mem::take(&mut state.late);
        if pushes > 0 {
            self.stats.late(metrics);
            let within = duration::format(LATE_MS);
            tracing::error!(pushes, metrics, within, "not sent in time: what would set or delete is dropped");
        }
        let requests_max = state.halves.map_or(REQUESTS_MAX, |halves| halves.requests_max);
        let (mut groups, mut requests, mut numbers, mut bytes) = (HashSet::new(), Vec::new(), Vec::new(), 0);
        for waiting in &mut state.waiting {
            waiting.is_on_its_way = false;
            if !groups.insert(waiting.push.group.clone()) || numbers.len() >= requests_max {
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
        if numbers.is_empty() {
            state.halves = None;
            return None;
        }
        // of texts it can always be made
        let body = serde_json::to_vec(&Told { requests: &requests }).unwrap_or_default().into();
        Some(Batch { numbers, body })
    }

    /// Takes note that a batch was refused as a whole for something that it holds. What is refused alone is dropped; otherwise the next
    /// batch is half of it, until that is found.
    pub(crate) fn refused(&self, batch: &Batch, why: &str) {
        match batch.numbers.len() {
            0 | 1 => {
                self.settle(batch, |_| Outcome::Refused(why.to_owned()));
                self.lock().halves = Some(Halves { requests_max: 2, is_sought: false });
            }
            several => {
                self.lock().halves = Some(Halves { requests_max: several / 2, is_sought: true });
            }
        }
    }

    /// Takes note of what became of a batch: whether all of it arrived or will never.
    pub(crate) fn settle(&self, batch: &Batch, outcome: impl Fn(usize) -> Outcome) -> bool {
        let mut state = self.lock();
        let (mut is_settled, mut is_any_taken) = (true, false);
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
                // it had arrived before it was reduced
                Outcome::KeyIsKnown(_) if state.waiting[at].is_reduced => is_any_taken = true,
                Outcome::Refused(why) | Outcome::KeyIsKnown(why) => {
                    let push = &state.waiting[at].push;
                    self.stats.refused(push.series);
                    tracing::error!(
                        path = push.path(),
                        metrics = push.series,
                        why,
                        "push refused: it is dropped"
                    );
                }
                Outcome::Taken => is_any_taken = true,
            }
            if let Some(gone) = state.waiting.remove(at) {
                state.bytes = state.bytes.saturating_sub(bytes(&gone.push));
            }
        }
        if is_any_taken {
            let grown = |Halves { requests_max, is_sought }| Halves {
                requests_max: if is_sought { requests_max } else { requests_max * 2 },
                is_sought,
            };
            state.halves = state.halves.map(grown).filter(|halves| halves.requests_max < REQUESTS_MAX);
        }
        is_settled
    }

    fn told(&self, waiting: &Waiting) -> ToldRequest {
        let push = &waiting.push;
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.extend(push.headers.iter().map(|(name, value)| (name.to_string(), text(value))));
        let [a, b] = *self.identity.get_or_init(|| [identity(), identity()]);
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

    /// For something that comes.
    fn entered(&self, now_ms: i64) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        if state.snapshot.is_behind(now_ms) {
            state.clear();
        }
        state
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
        let metrics = adds.families.iter().map(|family| family.metrics.len()).sum();
        self.take(adds).inspect_err(|_| self.stats.no_room(metrics))
    }

    fn push(&self, push: RelayedPush) -> Result<(), Full> {
        let now_ms = self.clock.now_ms();
        let mut state = self.entered(now_ms);
        if self.room(&state, bytes(&push)).is_err() {
            let freed: usize = state.superseded(&push).map(|waiting| bytes(&waiting.push)).sum();
            if self.room(&state, bytes(&push).saturating_sub(freed)).is_err() {
                self.stats.no_room(push.series);
                return Err(Full { bytes: bytes(&push), bytes_max: self.bytes_max });
            }
            state.supersede(&push);
        }
        // what was added before comes before
        let group = push.group.clone();
        state.seal(&group, now_ms);
        let set_ms = (!push.is_aggregated).then_some(now_ms);
        state.wait(push, set_ms);
        Ok(())
    }
}

impl State {
    fn taken(&self) -> usize {
        let of_sums = self.sums.iter().map(|(group, sums)| head_bytes(group) + sums.bytes());
        self.bytes + of_sums.sum::<usize>()
    }

    fn clear(&mut self) {
        self.sums.clear();
        self.waiting.clear();
        self.bytes = 0;
    }

    fn add(&mut self, Adds { group, families }: Adds, now_ms: i64) {
        if families.is_empty() {
            return;
        }
        if self.sums.get(&group).is_some_and(|sums| !sums.fits(&families)) {
            self.seal(&group, now_ms);
        }
        self.sums.entry(group).or_default().add(families, now_ms);
    }

    /// Makes pushes of what is added up for a group.
    fn seal(&mut self, group: &Labels, now_ms: i64) {
        let Some((group, sums)) = self.sums.remove_entry(group) else { return };
        let Parts { families, set_ms, late } = sums.into_parts(now_ms - LATE_MS);
        self.late.pushes += usize::from(late > 0);
        self.late.metrics += late;
        if !families.is_empty() {
            self.wait(Adds { group, families }.push(), set_ms);
        }
    }

    /// The same for all groups of which nothing waits.
    fn seal_all(&mut self, now_ms: i64) {
        let waiting: HashSet<&Labels> = self.waiting.iter().map(|waiting| &waiting.push.group).collect();
        let free: Vec<Labels> = self.sums.keys().filter(|group| !waiting.contains(group)).cloned().collect();
        free.iter().for_each(|group| self.seal(group, now_ms));
    }

    /// Drops what sets or deletes, and has waited too long.
    fn drop_late(&mut self, now_ms: i64) {
        let (bytes_of, late) = (&mut self.bytes, &mut self.late);
        self.waiting.retain_mut(|waiting| {
            if waiting.set_ms.is_none_or(|set_ms| set_ms >= now_ms - LATE_MS) {
                return true;
            }
            let before = (bytes(&waiting.push), waiting.push.series);
            let stays = waiting.reduce();
            let after = if stays { (bytes(&waiting.push), waiting.push.series) } else { (0, 0) };
            *bytes_of = bytes_of.saturating_sub(before.0).saturating_add(after.0);
            late.pushes += 1;
            late.metrics += before.1 - after.1;
            stays
        });
    }

    fn wait(&mut self, push: RelayedPush, set_ms: Option<i64>) {
        self.bytes += bytes(&push);
        let number = self.pushes;
        let waiting = Waiting { number, push, is_on_its_way: false, set_ms, is_reduced: false };
        self.waiting.push_back(waiting);
        self.pushes += 1;
    }

    /// What nobody will see when this push has arrived at once after it.
    fn superseded<'a>(&'a self, by: &'a RelayedPush) -> impl Iterator<Item = &'a Waiting> {
        self.waiting.iter().filter(|waiting| is_superseded(waiting, by))
    }

    fn supersede(&mut self, by: &RelayedPush) {
        let bytes_of = &mut self.bytes;
        self.waiting.retain(|waiting| {
            let is_over = is_superseded(waiting, by);
            if is_over {
                *bytes_of = bytes_of.saturating_sub(bytes(&waiting.push));
            }
            !is_over
        });
    }
}

impl Waiting {
    /// Without what sets; false if nothing is left. Its key stays: if it has arrived before, it does not count again.
    fn reduce(&mut self) -> bool {
        if !self.push.is_aggregated {
            return false;
        }
        // it was written here
        let mut families = protobuf::parse(&self.push.body, &Limits::default()).unwrap_or_default();
        families.retain(|family| !sets(family.r#type));
        self.push = Adds { group: self.push.group.clone(), families }.push();
        (self.set_ms, self.is_reduced) = (None, true);
        self.push.series > 0
    }
}

fn is_superseded(waiting: &Waiting, by: &RelayedPush) -> bool {
    let replaces_all = !by.is_aggregated && by.method != Method::POST;
    replaces_all && waiting.push.group == by.group && !waiting.push.is_aggregated && !waiting.is_on_its_way
}

/// About how much memory a push takes.
fn bytes(push: &RelayedPush) -> usize {
    head_bytes(&push.group) + push.body.len()
}

/// The same without its body.
fn head_bytes(group: &Labels) -> usize {
    PUSH_BYTES + group.iter().map(|label| label.name.len() + label.value.len()).sum::<usize>()
}

#[cfg(test)]
mod tests;
