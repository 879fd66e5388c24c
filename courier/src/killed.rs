//! Couriers that die at any point at which they write, stores that fail there, and two couriers at once: nothing that is to be told
//! is lost, and little is told twice.
//!
//! A story runs on a clock of its own, second by second. At one of the writes of the first courier the store does nothing and
//! never answers, so that the courier is dead, and another one goes on; or the store fails, before or after it has done what was
//! asked, and the same courier goes on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use model::{Clock, Labels};
use notify::Received;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use testkit::{Fault, FaultyStore, ManualClock, Operation};
use tokio::sync::{Notify, Semaphore};

use crate::courier::Courier;
use crate::tests::{Hook, book};

const START_MS: i64 = 1_767_225_600_000;

/// How long a story is: long enough for a claim to run out, and for the flush after it.
const STORY_S: i64 = 260;

/// When alerts are told of: name, and whether it is over.
const EVENTS: [(i64, &str, bool); 5] =
    [(0, "A", false), (0, "B", false), (20, "C", false), (45, "A", true), (70, "B", true)];

/// What happens at the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Dies,
    Fails,
    FailsAfterwards,
}

struct Story {
    inner: Arc<InMemory>,
    clock: Arc<ManualClock>,
    hook: Hook,
    text: String,
    /// Writes so far.
    writes: Arc<AtomicUsize>,
    dead: Arc<Notify>,
}

impl Story {
    async fn new() -> Self {
        let hook = Hook::answering(&[200]).await;
        let text = format!(
            "route: {{receiver: a, group_by: [kind], group_wait: 2s, group_interval: 15s, repeat_interval: 2h}}\n\
             receivers: [{{name: a, webhook_configs: [{{url: '{}'}}]}}]",
            hook.url
        );
        Self {
            inner: Arc::new(InMemory::new()),
            clock: Arc::new(ManualClock::at_ms(START_MS)),
            hook,
            text,
            writes: Arc::default(),
            dead: Arc::default(),
        }
    }

    /// A courier, of which the write at `point` ends as told.
    fn courier(&self, number: u64, end: Option<(usize, End)>) -> Arc<Courier> {
        let (writes, dead) = (Arc::clone(&self.writes), Arc::clone(&self.dead));
        let never = Arc::new(Semaphore::new(0));
        let store = FaultyStore::new(Arc::clone(&self.inner) as _, move |operation, _: &Path| {
            if !matches!(operation, Operation::Put | Operation::Delete) {
                return Fault::None;
            }
            let Some((point, end)) = end else { return Fault::None };
            if writes.fetch_add(1, Ordering::SeqCst) != point {
                return Fault::None;
            }
            match end {
                End::Fails => Fault::Fail,
                End::FailsAfterwards => Fault::FailAfterwards,
                End::Dies => {
                    dead.notify_one();
                    Fault::Wait(Arc::clone(&never))
                }
            }
        });
        let store: Arc<dyn ObjectStore> = Arc::new(store);
        Arc::new(Courier::new(
            (store, Path::from("notify")),
            number,
            Arc::clone(&self.clock) as _,
            book(&self.text),
        ))
    }

    fn received(&self, name: &str, is_over: bool) -> Received {
        let now_ms = self.clock.now_ms();
        Received {
            labels: Labels::from_pairs([("alertname", name)]),
            annotations: Labels::empty(),
            starts_at_ms: Some(START_MS),
            ends_at_ms: Some(if is_over { now_ms } else { now_ms + 3_600_000 }),
            generator_url: String::new(),
            at_ms: now_ms,
        }
    }

    /// What one courier does in a second: takes what comes, and ticks. What fails is tried again in the next second.
    async fn second(&self, courier: &Arc<Courier>, waiting: &mut Vec<Received>) {
        if !waiting.is_empty() && courier.take(waiting.clone()).await.is_ok() {
            waiting.clear();
        }
        if let Ok(round) = courier.tick(self.clock.now_ms()).await {
            // what is not written down is sent again
            let _ = round.deliver(Duration::from_secs(5)).await;
        }
    }

    /// Plays the story with one courier, or with two at once of which the first may end.
    async fn play(&self, couriers: usize, end: Option<(usize, End)>) -> Vec<String> {
        let mut first = self.courier(1, end);
        let second = (couriers > 1).then(|| self.courier(2, None));
        let mut waiting = Vec::new();
        for now_s in 0..STORY_S {
            let due = EVENTS.iter().filter(|(at, ..)| *at == now_s);
            waiting.extend(due.map(|(_, name, is_over)| self.received(name, *is_over)));
            let mut nothing = Vec::new();
            let is_dead = {
                let both = async {
                    match &second {
                        Some(second) => {
                            futures::join!(
                                self.second(&first, &mut waiting),
                                self.second(second, &mut nothing)
                            );
                        }
                        None => self.second(&first, &mut waiting).await,
                    }
                };
                tokio::select! {
                    () = both => false,
                    () = self.dead.notified() => true,
                }
            };
            if is_dead {
                first = self.courier(3, None);
            }
            self.clock.advance_ms(1_000);
        }
        self.hook.requests().iter().map(|request| shown(request)).collect()
    }
}

/// What was told: names of alerts, with a dash before those that are over.
fn shown(request: &str) -> String {
    let body = request.split_once("\r\n\r\n").expect("has a body").1;
    let body: serde_json::Value = serde_json::from_str(body).expect("is JSON");
    let alerts = body["alerts"].as_array().expect("has alerts").iter().map(|alert| {
        let name = alert["labels"]["alertname"].as_str().expect("is named");
        if alert["status"] == "resolved" { format!("-{name}") } else { name.to_owned() }
    });
    alerts.collect::<Vec<_>>().join(" ")
}

const TOLD: [&str; 4] = ["A B", "A B C", "-A B C", "-B C"];

/// Each alert was told of, and its end; and no more than one thing was told twice in a row.
fn check(told: &[String], what: &str) {
    let all: Vec<&str> = told.iter().flat_map(|one| one.split(' ')).collect();
    let position = |name: &str| all.iter().position(|one| *one == name);
    for name in ["A", "B", "C"] {
        assert!(position(name).is_some(), "{what}: {name} was never told: {told:?}");
    }
    for name in ["A", "B"] {
        let end = position(&format!("-{name}"));
        assert!(end > position(name), "{what}: the end of {name} was not told: {told:?}");
    }
    assert!(position("-C").is_none(), "{what}: {told:?}");
    let twice = told.windows(2).filter(|pair| pair[0] == pair[1]).count();
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    for one in told {
        *counts.entry(one).or_default() += 1;
    }
    assert!(twice <= 1 && counts.values().all(|count| *count <= 2), "{what}: {told:?}");
}

#[tokio::test]
async fn at_any_write() {
    let story = Story::new().await;
    // it has writes, and none of them is the end
    assert_eq!(story.play(1, Some((usize::MAX, End::Dies))).await, TOLD);
    let points = story.writes.load(Ordering::SeqCst);
    assert!(points > 15, "{points}");
    let mut doubled = 0;
    for point in 0..points {
        for end in [End::Dies, End::Fails, End::FailsAfterwards] {
            let story = Story::new().await;
            let told = story.play(1, Some((point, end))).await;
            check(&told, &format!("{end:?} at {point}"));
            doubled += usize::from(told.windows(2).any(|pair| pair[0] == pair[1]));
        }
    }
    // between sending and writing it down there is no way but to tell it again
    assert!((1..=3 * TOLD.len()).contains(&doubled), "{doubled}");
}

#[tokio::test]
async fn two_at_once() {
    assert_eq!(Story::new().await.play(2, None).await, TOLD);
    let story = Story::new().await;
    story.play(2, Some((usize::MAX, End::Dies))).await;
    for point in 0..story.writes.load(Ordering::SeqCst) {
        let told = Story::new().await.play(2, Some((point, End::Dies))).await;
        check(&told, &format!("of two one dies at {point}"));
    }
}
