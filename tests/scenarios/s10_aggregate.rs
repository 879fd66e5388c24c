//! Many pushers add to one group through three servers on one folder, all of which are killed now and then: every increment
//! that was answered counts, and none twice.

use std::path::Path;
use std::sync::RwLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use mayfly_tests::Fixture;
use testkit::http::{self, Request};
use testkit::server::{Mayfly, built};

const SERVERS: usize = 3;
const PUSHERS: usize = 64;
const PUSHES: usize = 5;
/// A server is killed whenever so many pushes more have been answered; with that, each twice.
const PUSHES_PER_KILL: usize = PUSHERS * PUSHES / (2 * SERVERS + 1);
/// A push is tried so often before the test gives up.
const TRIES: usize = 200;

/// What pushes go through.
struct Servers {
    /// The gateways' addresses; a new one after each start.
    addresses: RwLock<Vec<String>>,
    answered: AtomicUsize,
}

impl Servers {
    /// Adds until some server has answered with 200, and then sometimes once more, as a client does that lost the answer.
    fn add(&self, pusher: usize, push: usize) {
        let body = format!(
            "# TYPE calls_total counter\ncalls_total {push}\n# TYPE h histogram\n\
             h_bucket{{le=\"{pusher}\"}} 1\nh_bucket{{le=\"+Inf\"}} 2\nh_sum 3\nh_count 2\n"
        );
        let request = Request::new("POST", "/aggregate/metrics/job/many")
            .header("idempotency-key", &format!("{pusher}/{push}"))
            .body(body);
        let answers = 1 + usize::from((pusher + push).is_multiple_of(4));
        let mut answered = 0;
        for attempt in 0..TRIES {
            let address = self.addresses.read().unwrap()[(pusher + push + attempt) % SERVERS].clone();
            match http::send(&address, &request) {
                Ok(answer) if answer.status == 200 => answered += 1,
                Ok(answer) => assert_eq!(answer.status, 503, "{}", answer.text()),
                // it was killed, and whether it has taken the push nobody knows
                Err(_) => thread::sleep(std::time::Duration::from_millis(20)),
            }
            if answered == answers {
                self.answered.fetch_add(1, Ordering::SeqCst);
                return;
            }
        }
        panic!("push {push} of pusher {pusher} was not answered in {TRIES} tries");
    }
}

/// A process of its own on the folder.
fn start(folder: &Path, index: usize) -> Mayfly {
    let data = folder.join("data").display().to_string();
    let args = ["--storage".to_owned(), data, "--storage.flush-interval".to_owned(), "200ms".to_owned()];
    let log = folder.join(format!("mayfly-{index}.log"));
    Mayfly::start(&built("mayfly").expect("the binary"), &args, &log).expect("mayfly serve")
}

#[test]
fn the_sum_is_exact_whatever_is_killed_and_retried() {
    let mut fixture = Fixture::new();
    let folder = fixture.storage().parent().expect("a folder").to_path_buf();
    let mut running: Vec<Mayfly> = (0..SERVERS).map(|index| start(&folder, index)).collect();
    let addresses = RwLock::new(running.iter().map(|server| server.gateway.clone()).collect());
    let servers = Servers { addresses, answered: AtomicUsize::new(0) };
    thread::scope(|scope| {
        let pushers: Vec<_> = (0..PUSHERS)
            .map(|pusher| {
                let servers = &servers;
                scope.spawn(move || (1..=PUSHES).for_each(|push| servers.add(pusher, push)))
            })
            .collect();
        for kill in 1..=2 * SERVERS {
            while servers.answered.load(Ordering::SeqCst) < kill * PUSHES_PER_KILL {
                assert!(!pushers.iter().all(thread::ScopedJoinHandle::is_finished), "a pusher gave up");
                thread::sleep(std::time::Duration::from_millis(5));
            }
            let index = kill % SERVERS;
            running[index].kill();
            running[index] = start(&folder, index);
            servers.addresses.write().unwrap()[index] = running[index].gateway.clone();
        }
    });
    assert_eq!(servers.answered.load(Ordering::SeqCst), PUSHERS * PUSHES);
    // what they have only in their logs is found by the next that starts
    running.iter_mut().for_each(Mayfly::kill);
    fixture.restart_after_kill();
    let calls = (PUSHERS * PUSHES * (PUSHES + 1) / 2).to_string();
    let observed = (2 * PUSHERS * PUSHES).to_string();
    fixture.check("calls_total", &[(r#"calls_total{job="many"}"#, &calls)]);
    fixture.check("increase(calls_total[1h])", &[(r#"{job="many"}"#, &calls)]);
    fixture.check("h_count", &[(r#"h_count{job="many"}"#, &observed)]);
    fixture.check("h_bucket{le='+Inf'}", &[(r#"h_bucket{job="many",le="+Inf"}"#, &observed)]);
    // bound 63 is the highest: there is all but what lies above
    let below = (PUSHERS * PUSHES).to_string();
    fixture.check("h_bucket{le='63.0'}", &[(r#"h_bucket{job="many",le="63.0"}"#, &below)]);
    let page = http::get(&fixture.server().gateway, "/metrics").expect("an answer").text();
    assert!(page.contains(&format!("\ncalls_total{{instance=\"\",job=\"many\"}} {calls}\n")), "{page}");
}

#[test]
fn a_key_counts_once_after_a_restart_and_a_group_expires_on_every_server() {
    let mut fixture = Fixture::with_args(|_| vec!["--push.ttl".to_owned(), "1h".to_owned()]);
    let other = start(fixture.storage().parent().expect("a folder"), 1);
    let add = |address: &str, ttl: &str| {
        let request = Request::new("PUT", "/aggregate/metrics/job/few")
            .header("idempotency-key", "k")
            .header("x-mayfly-ttl", ttl)
            .body("# TYPE calls_total counter\ncalls_total 5\n");
        let answer = http::send(address, &request).expect("an answer");
        (answer.status, answer.text())
    };
    assert_eq!(add(&fixture.server().gateway, "1h"), (200, String::new()));
    fixture.restart_after_kill();
    assert_eq!(add(&fixture.server().gateway, "1h"), (200, String::new()));
    assert_eq!(add(&other.gateway, "1h"), (200, String::new()));
    drop(other);
    fixture.stop();
    fixture.start();
    fixture.check("calls_total", &[(r#"calls_total{job="few"}"#, "5")]);
    let request = Request::new("PUT", "/metrics/job/short").header("x-mayfly-ttl", "1ms").body("short 1\n");
    assert_eq!(http::send(&fixture.server().gateway, &request).expect("an answer").status, 200);
    thread::sleep(std::time::Duration::from_millis(5));
    fixture.check("{job='short'}", &[]);
    fixture.check("last_over_time(short[1h])", &[(r#"short{job="short"}"#, "1")]);
}
