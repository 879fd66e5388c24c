//! The courier over a store in memory, with a receiver that is a socket of this process.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use model::{Clock, Labels};
use notify::{Config, Dispatcher, Intent, Received, State, StoredAlert};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use testkit::{Fault, FaultyStore, ManualClock, Operation};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::book::Book;
use crate::courier::{Courier, CourierError, Delivered, Round};

/// An intent for a webhook, as a tick makes it.
pub(crate) fn intent(receiver: &str, alerts: Vec<StoredAlert>) -> Intent {
    let text = format!(
        "route: {{receiver: '{receiver}', group_by: [alertname]}}\nreceivers: [{{name: '{receiver}', webhook_configs: [{{url: 'http://x'}}]}}]"
    );
    let dispatcher = Dispatcher::new(&Config::read(&text).expect("reads"));
    let received = alerts.into_iter().map(|alert| Received {
        labels: alert.labels,
        annotations: alert.annotations,
        starts_at_ms: Some(alert.starts_at_ms),
        ends_at_ms: Some(alert.ends_at_ms),
        generator_url: alert.generator_url,
        at_ms: alert.starts_at_ms,
    });
    let received: Vec<Received> = received.collect();
    let now_ms = received[0].at_ms + 3_600_000;
    let mut intents = dispatcher.tick(&mut State::default(), received, now_ms);
    assert_eq!(intents.len(), 1, "one intent");
    intents.remove(0)
}

/// A receiver that answers with these statuses, one after the other and the last one from then on, or not at all where that is 0.
pub(crate) struct Hook {
    pub(crate) url: String,
    got: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Hook {
    pub(crate) async fn answering(statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let url = format!("http://{}/hook", listener.local_addr().expect("has an address"));
        let got: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&got);
        tokio::spawn(async move {
            for number in 0.. {
                let (mut socket, _) = listener.accept().await.expect("accepts");
                let status = statuses[statuses.len().min(number + 1) - 1];
                let seen = Arc::clone(&seen);
                tokio::spawn(async move {
                    let request = read_request(&mut socket).await;
                    seen.lock().expect("no panic").push(request);
                    if status == 0 {
                        std::future::pending::<()>().await;
                    }
                    let answer =
                        format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
                    socket.write_all(answer.as_bytes()).await.expect("writes");
                });
            }
        });
        Self { url, got }
    }

    /// Head and body of what came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.got.lock().expect("no panic").clone()
    }
}

async fn read_request(socket: &mut tokio::net::TcpStream) -> String {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let count = socket.read(&mut buffer).await.expect("reads");
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        assert!(count > 0, "the request breaks off: {text}");
    }
}

struct World {
    courier: Arc<Courier>,
    store: Arc<InMemory>,
    clock: Arc<ManualClock>,
}

const START_MS: i64 = 1_767_225_600_000;

pub(crate) fn book(text: &str) -> Book {
    Book::read(text, &[], &BTreeMap::new(), Path::new("/"), "http://mayfly", 0).expect("reads")
}

pub(crate) fn courier(store: &Arc<InMemory>, clock: &Arc<ManualClock>, text: &str) -> Arc<Courier> {
    let place = (Arc::clone(store) as _, object_store::path::Path::from("notify"));
    Arc::new(Courier::new(place, 1, Arc::clone(clock) as _, book(text)))
}

impl World {
    fn of(text: &str) -> Self {
        let (store, clock) = (Arc::new(InMemory::new()), Arc::new(ManualClock::at_ms(START_MS)));
        Self { courier: courier(&store, &clock, text), store, clock }
    }

    async fn take(&self, name: &str) {
        let received = Received {
            labels: Labels::from_pairs([("alertname", name)]),
            annotations: Labels::empty(),
            starts_at_ms: None,
            ends_at_ms: None,
            generator_url: String::new(),
            at_ms: self.clock.now_ms(),
        };
        self.courier.take(vec![received]).await.expect("taken");
    }

    async fn round(&self) -> Delivered {
        let round = self.courier.tick(self.clock.now_ms()).await.expect("ticks");
        round.deliver(Duration::from_secs(5)).await.expect("delivers")
    }
}

fn one_receiver(url: &str) -> String {
    format!(
        "route: {{receiver: a, group_wait: 0s, group_interval: 10s}}\nreceivers: [{{name: a, webhook_configs: [{{url: '{url}'}}]}}]"
    )
}

#[tokio::test]
async fn what_comes_in_is_brought_once() {
    let hook = Hook::answering(&[200]).await;
    let world = World::of(&one_receiver(&hook.url));
    assert_eq!(world.round().await, Delivered::default());
    world.take("A").await;
    assert_eq!(world.round().await, Delivered { sent: 1, ..Delivered::default() });
    assert_eq!(world.round().await, Delivered::default());
    let requests = hook.requests();
    let [request] = requests.as_slice() else { panic!("one request: {requests:?}") };
    assert!(request.starts_with("POST /hook HTTP/1.1\r\n"), "{request}");
    for part in
        ["content-type: application/json\r\n", "idempotency-key: ", r#""externalURL":"http://mayfly""#]
    {
        assert!(request.contains(part), "{part} in {request}");
    }
    // another process on the same store knows of it
    let other = courier(&world.store, &world.clock, &one_receiver(&hook.url));
    world.clock.advance_ms(11_000);
    assert!(other.tick(world.clock.now_ms()).await.expect("ticks").is_empty());
    let counts = world.courier.counts();
    assert_eq!((counts["webhook"].requests, counts["webhook"].notifications), (1, 1));
}

#[tokio::test]
async fn what_is_not_taken_comes_again_and_what_is_refused_does_not() {
    let hook = Hook::answering(&[503, 503, 200]).await;
    let world = World::of(&one_receiver(&hook.url));
    world.take("A").await;
    let waiting = Delivered { waiting: 1, ..Delivered::default() };
    assert_eq!(world.round().await, waiting);
    assert_eq!(world.round().await, Delivered::default(), "not before its time");
    world.clock.advance_ms(500);
    assert_eq!(world.round().await, waiting);
    world.clock.advance_ms(750);
    assert_eq!(world.round().await, Delivered { sent: 1, ..Delivered::default() });

    let hook = Hook::answering(&[429]).await;
    let world = World::of(&one_receiver(&hook.url));
    world.take("A").await;
    assert_eq!(world.round().await, Delivered { refused: 1, ..Delivered::default() });
    world.clock.advance_ms(5_000);
    assert_eq!(world.round().await, Delivered::default());
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_delays_no_other() {
    let (silent, hook) = (Hook::answering(&[0]).await, Hook::answering(&[200]).await);
    let text = format!(
        "route: {{receiver: a, group_wait: 0s}}\nreceivers: [{{name: a, webhook_configs: [{{url: '{}', timeout: 2s}}, {{url: '{}'}}]}}]",
        silent.url, hook.url
    );
    let world = World::of(&text);
    world.take("A").await;
    let round = world.courier.tick(world.clock.now_ms()).await.expect("ticks");
    let delivering = tokio::spawn(round.deliver(Duration::from_secs(20)));
    let is_settled = async {
        while world.courier.state.read().await.expect("reads").outbox().len() > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_millis(1_800), is_settled)
        .await
        .expect("the other one is written down");
    assert_eq!(hook.requests().len(), 1);
    assert!(!delivering.is_finished());
    let delivered = delivering.await.expect("no panic").expect("delivers");
    assert_eq!(delivered, Delivered { sent: 1, waiting: 1, refused: 0 });
}

#[tokio::test]
async fn of_two_ticks_at_once_one_sends() {
    let hook = Hook::answering(&[200]).await;
    let world = World::of(&one_receiver(&hook.url));
    let other = courier(&world.store, &world.clock, &one_receiver(&hook.url));
    world.take("A").await;
    let now_ms = world.clock.now_ms();
    let (first, second) = tokio::join!(world.courier.tick(now_ms), other.tick(now_ms));
    let (first, second) = (first.expect("ticks"), second.expect("ticks"));
    assert!(first.is_empty() != second.is_empty(), "one of them has claimed it");
    for round in [first, second] {
        round.deliver(Duration::from_secs(5)).await.expect("delivers");
    }
    assert_eq!(hook.requests().len(), 1);
}

#[tokio::test]
async fn what_was_claimed_by_the_dead_is_sent_when_the_claim_has_run_out() {
    let hook = Hook::answering(&[200]).await;
    let text = one_receiver(&hook.url).replace("10s", "5m");
    let world = World::of(&text);
    world.take("A").await;
    drop(world.courier.tick(world.clock.now_ms()).await.expect("ticks"));
    let other = courier(&world.store, &world.clock, &text);
    let round = other.tick(world.clock.now_ms()).await.expect("ticks");
    assert!(round.is_empty());
    assert_eq!(round.next_due_ms(), Some(START_MS + notify::CLAIM_MS));
    world.clock.advance_ms(notify::CLAIM_MS);
    let round = other.tick(world.clock.now_ms()).await.expect("ticks");
    assert_eq!(round.deliver(Duration::from_secs(5)).await.expect("delivers").sent, 1);
    assert_eq!(hook.requests().len(), 1);
}

#[tokio::test]
async fn what_does_not_fit_is_taken_in_parts_or_dropped() {
    let text = one_receiver("http://127.0.0.1:9").replace("group_wait: 0s", "group_wait: 1h");
    let (store, clock) = (Arc::new(InMemory::new()), Arc::new(ManualClock::at_ms(START_MS)));
    let place = (Arc::clone(&store) as _, object_store::path::Path::from("notify"));
    let mut courier = Courier::new(place, 1, Arc::clone(&clock) as _, book(&text));
    courier.state.bytes_max = 4_000;
    let world = World { courier: Arc::new(courier), store, clock };
    let (small, huge) = ("x".repeat(2_000), "y".repeat(10_000));
    // a name sorts by when it came
    for name in ["A", &huge, "B", &small] {
        world.clock.advance_ms(1);
        world.take(name).await;
    }
    let tick = async || drop(world.courier.tick(world.clock.now_ms()).await.expect("ticks"));
    let known = async || world.courier.state.read().await.expect("reads").alerts().count();
    tick().await;
    assert_eq!(known().await, 1);
    // the one that never fits is gone, and what came after it is taken
    for _ in 0..3 {
        tick().await;
    }
    assert_eq!(known().await, 3);
    let left = world.store.list_with_delimiter(Some(&"notify/inbox".into())).await.expect("lists");
    assert!(left.objects.is_empty(), "{left:?}");
    // and nothing more is taken as long as it is so full
    let error = world.courier.take(Vec::new()).await.expect_err("is full");
    assert!(matches!(error, CourierError::Full), "{error}");
}

#[tokio::test]
async fn what_does_not_fit_is_told_later() {
    let hook = Hook::answering(&[200]).await;
    let (store, clock) = (Arc::new(InMemory::new()), Arc::new(ManualClock::at_ms(START_MS)));
    let place = (Arc::clone(&store) as _, object_store::path::Path::from("notify"));
    let text = one_receiver(&hook.url).replace("group_wait: 0s", "group_wait: 10s, group_by: [alertname]");
    let mut courier = Courier::new(place, 1, Arc::clone(&clock) as _, book(&text));
    // room for all alerts and their groups, but not for what is told of all of them at once
    courier.state.bytes_max = 45_000;
    let world = World { courier: Arc::new(courier), store, clock };
    for number in 0..20 {
        world.take(&format!("{number:02}{}", "x".repeat(300))).await;
    }
    assert_eq!(world.round().await, Delivered::default());
    world.clock.advance_ms(10_000);
    let mut sent = Vec::new();
    while sent.iter().sum::<usize>() < 20 {
        let state = world.courier.state.read().await.expect("reads");
        eprintln!("{} alerts, {} bytes, {:?}", state.alerts().count(), state.encode().unwrap().len(), sent);
        let delivered = world.round().await;
        assert!((1..20).contains(&delivered.sent), "{delivered:?} after {sent:?}");
        sent.push(delivered.sent);
    }
    assert!(sent.len() > 1, "{sent:?}");
    assert_eq!(hook.requests().len(), 20);
}

#[tokio::test]
async fn a_round_is_over_before_its_claim() {
    let hook = Hook::answering(&[200]).await;
    let world = World::of(&one_receiver(&hook.url).replace("10s", "5m"));
    world.take("A").await;
    let round = world.courier.tick(world.clock.now_ms()).await.expect("ticks");
    world.clock.advance_ms(notify::CLAIM_MS - 5_000);
    let delivered = round.deliver(Duration::from_secs(5)).await.expect("delivers");
    assert_eq!(delivered, Delivered { waiting: 1, ..Delivered::default() });
    assert_eq!(hook.requests().len(), 0);
    world.clock.advance_ms(5_000);
    assert_eq!(world.round().await, Delivered { sent: 1, ..Delivered::default() });
}

#[tokio::test]
async fn what_cannot_be_written_down_at_once_is_later() {
    let hook = Hook::answering(&[200]).await;
    let (inner, clock) = (Arc::new(InMemory::new()), Arc::new(ManualClock::at_ms(START_MS)));
    // of the writes, the third is what was sent: after the batch and the claim
    let writes = AtomicUsize::new(0);
    let store = FaultyStore::new(Arc::clone(&inner) as _, move |operation, _| match operation {
        Operation::Put if (2..4).contains(&writes.fetch_add(1, Ordering::SeqCst)) => Fault::Fail,
        _ => Fault::None,
    });
    let place = (Arc::new(store) as _, object_store::path::Path::from("notify"));
    let courier = Courier::new(place, 1, Arc::clone(&clock) as _, book(&one_receiver(&hook.url)));
    let world = World { courier: Arc::new(courier), store: inner, clock };
    world.take("A").await;
    assert_eq!(world.round().await, Delivered { sent: 1, ..Delivered::default() });
    world.clock.advance_ms(notify::CLAIM_MS);
    assert_eq!(world.round().await, Delivered::default());
    assert_eq!(hook.requests().len(), 1);
}

#[tokio::test]
async fn what_is_for_a_receiver_of_another_file_waits() {
    let hook = Hook::answering(&[200]).await;
    let world = World::of(&one_receiver(&hook.url));
    world.take("A").await;
    let round = world.courier.tick(world.clock.now_ms()).await.expect("ticks");
    let other = Arc::new(book("route: {receiver: b}\nreceivers: [{name: b}]"));
    let round = Round { book: other, ..round };
    assert_eq!(
        round.deliver(Duration::from_secs(5)).await.expect("delivers"),
        Delivered { waiting: 1, ..Delivered::default() }
    );
    world.clock.advance_ms(1_000);
    assert_eq!(world.round().await, Delivered { sent: 1, ..Delivered::default() });
}

#[test]
fn what_cannot_be_sent_is_named() {
    let text = "route: {receiver: a}\nreceivers:\n- name: a\n  webhook_configs: [{url: 'http://x', http_config: {proxy_url: 'socks5://p'}}, {url: 'http://x', http_config: {oauth2: {client_id: i, client_secret: s, token_url: 'http://t'}}}]\n  \
                victorops_configs: [{api_key: secret, routing_key: r}]\n";
    let error =
        Book::read(text, &[], &BTreeMap::new(), Path::new("/"), "", 0).expect_err("refused").to_string();
    let expect = "valid, but not supported: receiver \"a\": webhook_configs with http_config.proxy_url: a proxy must be at http://; \
                  receiver \"a\": webhook_configs with http_config.oauth2; \
                  receiver \"a\": victorops_configs";
    assert_eq!(error, expect);
}
