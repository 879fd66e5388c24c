//! The Lambda extension beside a function: what it measures arrives, once, whatever happens to the function, the sandbox and the gateway.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use mayfly_tests::Fixture;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::http::{self, Request, Response, Server};
use testkit::lambda::{InvokeError, Sandbox, ShutdownReason};
use testkit::server::built;

/// What every metric gets.
const FUNCTION: &str = r#"function_name="mayfly-test",function_version="$LATEST""#;

/// Where a function finds the extension.
#[derive(Clone, Copy)]
struct Ports {
    push: u16,
    otlp: u16,
    statsd: u16,
}

impl Ports {
    /// Those that were free when the extension started, as its log tells.
    fn of(log: &Path) -> Self {
        let text = std::fs::read_to_string(log).unwrap();
        let fields = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["fields"].clone());
        let listening: Vec<Value> = fields.filter(|fields| fields["message"] == "listening").collect();
        // 0, where it does not listen
        let port = |variable: &str| {
            let found = listening.iter().find(|fields| fields["variable"] == variable);
            let address =
                found.map(|found| found["address"].as_str().unwrap().parse::<SocketAddr>().unwrap());
            address.map_or(0, |address| address.port())
        };
        Self {
            push: port("MAYFLY_PUSH_PORT"),
            otlp: port("MAYFLY_OTLP_PORT"),
            statsd: port("MAYFLY_STATSD_PORT"),
        }
    }

    fn push(self, target: &str, body: &str) -> Response {
        let base = format!("127.0.0.1:{}", self.push);
        http::send(&base, &Request::new("POST", target).body(body)).unwrap()
    }
}

/// A function and its extension.
struct Measured {
    sandbox: Sandbox,
    log: PathBuf,
    _folder: TempDir,
}

impl Measured {
    /// `work` is what the function does with an event; what it gives is what the function answers, or fails with.
    fn start(
        variables: &[(&str, &str)],
        timeout: Duration,
        work: impl Fn(Ports, &str) -> Result<(), String> + Send + 'static,
    ) -> Self {
        Self::start_losing(&[], variables, timeout, work)
    }

    /// The same, where such reports of the platform are lost.
    fn start_losing(
        reports: &'static [&'static str],
        variables: &[(&str, &str)],
        timeout: Duration,
        work: impl Fn(Ports, &str) -> Result<(), String> + Send + 'static,
    ) -> Self {
        let folder = TempDir::new().unwrap();
        let log = folder.path().join("extension.log");
        let sandbox = started(variables, timeout, &log).unwrap();
        sandbox.api().loses(reports);
        let (base, ports) = (sandbox.api().address().to_string(), Ports::of(&log));
        thread::spawn(move || serve(&base, ports, &work));
        assert!(sandbox.api().wait_until_asked(Duration::from_secs(20)));
        Self { sandbox, log, _folder: folder }
    }

    fn invoke(&mut self, event: &str) -> Result<(), InvokeError> {
        self.sandbox.invoke(event.as_bytes()).map(|_| ())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// SHUTDOWN, after which it ends by itself.
    fn shut_down(&mut self) {
        let status = self.sandbox.shut_down(ShutdownReason::Spindown).unwrap();
        assert!(status.is_some_and(|status| status.success()), "{status:?}\n{}", self.log());
    }
}

fn started(variables: &[(&str, &str)], timeout: Duration, log: &Path) -> std::io::Result<Sandbox> {
    let own = [
        ("MAYFLY_PUSH_PORT", "0"),
        ("MAYFLY_OTLP_PORT", "0"),
        ("MAYFLY_STATSD_PORT", "0"),
        ("MAYFLY_TELEMETRY_HOST", "127.0.0.1"),
    ];
    let mut all: Vec<(String, String)> = Vec::new();
    all.extend(own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    all.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Sandbox::start(&built("extension").unwrap(), None, &all, timeout, log)
}

/// A runtime with its function.
fn serve(base: &str, ports: Ports, work: &impl Fn(Ports, &str) -> Result<(), String>) {
    while let Ok(event) = http::get(base, "/2018-06-01/runtime/invocation/next") {
        let Some(id) = event.headers.get("lambda-runtime-aws-request-id") else { return };
        let (kind, body) = match work(ports, &event.text()) {
            Ok(()) => ("response", "\"done\"".to_owned()),
            Err(why) => ("error", json!({ "errorMessage": why, "errorType": "Error" }).to_string()),
        };
        let target = format!("/2018-06-01/runtime/invocation/{id}/{kind}");
        if http::send(base, &Request::new("POST", &target).body(body)).is_err() {
            return;
        }
    }
}

/// A function that says in each way that it was called, and then does what the event says.
fn called() -> impl Fn(Ports, &str) -> Result<(), String> + Send {
    let (calls, statsd) = (AtomicU64::new(0), UdpSocket::bind("127.0.0.1:0").unwrap());
    move |ports, event| {
        let calls = calls.fetch_add(1, Ordering::SeqCst) + 1;
        let body = "# TYPE calls_total counter\ncalls_total 1\n# TYPE last gauge\nlast 7\n";
        assert_eq!(ports.push("/aggregate/metrics/job/measured", body).status, 202);
        statsd.send_to(b"hits:2|c", ("127.0.0.1", ports.statsd)).unwrap();
        // as the SDKs do: all calls since the start
        let exported = otlp(
            ports,
            &json!({ "asInt": calls.to_string(), "startTimeUnixNano": "1795856400000000000",
            "timeUnixNano": "1795856460000000000" }),
        );
        assert_eq!((exported.status, exported.text().as_str()), (200, "{}"));
        match event {
            "fail" => Err("it does".to_owned()),
            "hang" => {
                thread::sleep(Duration::from_secs(5));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn otlp(ports: Ports, point: &Value) -> Response {
    let sum = json!({ "aggregationTemporality": 2, "isMonotonic": true, "dataPoints": [point] });
    let resource = json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": "otel" } }] });
    let body = json!({ "resourceMetrics": [{ "resource": resource,
        "scopeMetrics": [{ "metrics": [{ "name": "runs", "sum": sum }] }] }] });
    let request =
        Request::new("POST", "/v1/metrics").header("Content-Type", "application/json").body(body.to_string());
    http::send(&format!("127.0.0.1:{}", ports.otlp), &request).unwrap()
}

/// Instant values, of which each is a whole number.
fn values(fixture: &Fixture, queries: &[&str]) -> BTreeMap<String, f64> {
    let value = |query: &&str| {
        let found = fixture.vector(query, None);
        assert!(found.len() <= 1, "{query}: {found:?}");
        ((*query).to_owned(), found.into_values().next().map_or(f64::NAN, |value| value.parse().unwrap()))
    };
    queries.iter().map(value).collect()
}

#[track_caller]
fn check(fixture: &Fixture, expect: &[(&str, f64)]) {
    let queries: Vec<&str> = expect.iter().map(|(query, _)| *query).collect();
    let expect: BTreeMap<String, f64> =
        expect.iter().map(|(query, value)| ((*query).to_owned(), *value)).collect();
    // what is stored is seen at once
    assert_eq!(values(fixture, &queries), expect);
}

/// What calls of [`called`] leave.
fn of_calls(calls: f64) -> [(&'static str, f64); 3] {
    [("calls_total", calls), ("hits", 2.0 * calls), ("runs_total", calls)]
}

fn of_platform(invocations: f64, errors: f64, timeouts: f64) -> [(&'static str, f64); 4] {
    [
        ("aws_lambda_invocations_total", invocations),
        ("aws_lambda_errors_total", errors),
        ("aws_lambda_timeouts_total", timeouts),
        ("histogram_count(aws_lambda_duration_seconds)", invocations),
    ]
}

#[test]
fn all_that_is_measured_arrives_once() {
    let fixture = Fixture::new();
    let gateway = fixture.server().gateway.clone();
    let mut measured = Measured::start(&[("MAYFLY_GATEWAY", &gateway)], Duration::from_secs(3), called());
    let mut replies = Vec::new();
    for calls in 1..=3 {
        measured.invoke("ok").unwrap();
        replies.push(measured.sandbox.api().last_reply());
        check(&fixture, &of_calls(f64::from(calls)));
        // as between invocations
        measured.sandbox.freeze();
        thread::sleep(Duration::from_millis(30));
        measured.sandbox.thaw();
    }
    assert!(matches!(measured.invoke("fail"), Err(InvokeError::Function(_))));
    check(&fixture, &of_calls(4.0));
    let memory = measured.sandbox.extension_memory_bytes().unwrap();
    println!("replies {replies:?}, extension {:.1} MiB", memory as f64 / 1_048_576.0);
    assert!(matches!(measured.invoke("hang"), Err(InvokeError::Timeout(_))));

    check(&fixture, &of_calls(5.0));
    check(&fixture, &of_platform(5.0, 2.0, 1.0));
    check(
        &fixture,
        &[
            ("histogram_count(aws_lambda_max_memory_used_bytes)", 5.0),
            ("histogram_count(aws_lambda_init_duration_seconds)", 1.0),
            ("histogram_sum(aws_lambda_init_duration_seconds)", 0.12525),
            ("aws_lambda_memory_size_bytes", 268_435_456.0),
            ("aws_lambda_billed_duration_seconds_total > bool 3", 1.0),
            ("last", 7.0),
            // each increment counts
            ("increase(calls_total[1h])", 5.0),
        ],
    );
    let series = |name: &str| fixture.vector(name, None).into_keys().next().unwrap();
    assert_eq!(
        series("calls_total"),
        format!(r#"calls_total{{{FUNCTION},job="measured",region="us-east-1"}}"#)
    );
    assert_eq!(series("hits"), format!(r#"hits{{{FUNCTION},job="statsd",region="us-east-1"}}"#));
    assert_eq!(series("runs_total"), format!(r#"runs_total{{{FUNCTION},job="otel",region="us-east-1"}}"#));
    let platform = format!(r#"aws_lambda_errors_total{{{FUNCTION},job="aws_lambda",region="us-east-1"}}"#);
    assert_eq!(series("aws_lambda_errors_total"), platform);
    let metadata =
        http::get(&fixture.server().query, "/api/v1/metadata?metric=aws_lambda_errors_total").unwrap();
    let told = &metadata.json().unwrap()["data"]["aws_lambda_errors_total"][0];
    assert_eq!(told["type"], "counter");
    assert!(told["help"].as_str().unwrap().starts_with("Invocations that did not succeed"), "{told}");
}

#[test]
fn sandboxes_of_one_function_add_up() {
    let fixture = Fixture::new();
    let gateway = fixture.server().gateway.clone();
    let start = || Measured::start(&[("MAYFLY_GATEWAY", &gateway)], Duration::from_secs(5), called());
    let (mut one, mut other) = (start(), start());
    for _ in 0..2 {
        one.invoke("ok").unwrap();
        other.invoke("ok").unwrap();
    }
    one.shut_down();
    other.shut_down();
    check(&fixture, &of_calls(4.0));
    check(&fixture, &of_platform(4.0, 0.0, 0.0));
    check(&fixture, &[("histogram_count(aws_lambda_init_duration_seconds)", 2.0)]);
}

#[test]
fn straight_to_a_storage_without_a_gateway() {
    let fixture = Fixture::new();
    let storage = fixture.storage().display().to_string();
    let mut measured =
        Measured::start(&[("MAYFLY_STORAGE", &storage)], Duration::from_secs(5), |ports, _| {
            assert_eq!(ports.push("/aggregate/metrics/job/a/region/mine", "n 1\n").status, 202);
            assert_eq!(
                ports.push("/metrics/job/set", "# TYPE level gauge\nlevel{function_name=\"own\"} 4\n").status,
                202
            );
            Ok(())
        });
    (0..3).for_each(|_| measured.invoke("ok").unwrap());
    measured.shut_down();
    check(&fixture, &of_platform(3.0, 0.0, 0.0));
    // what the sender has set stays
    fixture.check("n", &[(&format!(r#"n{{{FUNCTION},job="a",region="mine"}}"#), "3")]);
    let level = r#"level{function_name="own",function_version="$LATEST",job="set",region="us-east-1"}"#;
    fixture.check("level", &[(level, "4")]);
}

/// A gateway in front of another one, which is as ill as it is told to be: it answers so many requests with this status, and takes all
/// the same what it answers with 504.
struct IllGateway {
    server: Server,
    ill: Arc<Mutex<(u16, usize)>>,
    refused: Arc<Mutex<String>>,
    requests: Arc<AtomicUsize>,
}

impl IllGateway {
    fn before(gateway: &str) -> Self {
        let (ill, requests) = (Arc::new(Mutex::new((0_u16, 0_usize))), Arc::new(AtomicUsize::new(0)));
        let (state, counted, gateway) = (Arc::clone(&ill), Arc::clone(&requests), gateway.to_owned());
        let refused = Arc::new(Mutex::new(String::new()));
        let text = Arc::clone(&refused);
        let server = Server::start(move |request| {
            counted.fetch_add(1, Ordering::SeqCst);
            let status = {
                let mut ill = state.lock().unwrap();
                let is_ill = ill.1 > 0;
                ill.1 = ill.1.saturating_sub(1);
                is_ill.then_some(ill.0)
            };
            let text = text.lock().unwrap();
            if !text.is_empty() && String::from_utf8_lossy(&request.body).contains(&*text) {
                return Response::new(400).body("no");
            }
            match status {
                Some(504) => {
                    http::send(&gateway, request).unwrap();
                    Response::new(504)
                }
                Some(status) => Response::new(status).body("ill"),
                None => http::send(&gateway, request).unwrap(),
            }
        });
        Self { server: server.unwrap(), ill, refused, requests }
    }

    /// Answers 400 from now on to whatever holds this text.
    fn refuses(&self, text: &str) {
        text.clone_into(&mut self.refused.lock().unwrap());
    }

    fn answers(&self, status: u16, requests: usize) {
        *self.ill.lock().unwrap() = (status, requests);
    }
}

#[test]
fn what_is_not_taken_waits_and_counts_once() {
    let fixture = Fixture::new();
    let gateway = IllGateway::before(&fixture.server().gateway);
    let url = gateway.server.url();
    let mut measured = Measured::start(&[("MAYFLY_GATEWAY", &url)], Duration::from_secs(5), called());
    gateway.answers(503, usize::MAX);
    measured.invoke("ok").unwrap();
    // the attempt is made twice, and then not for a while
    assert_eq!(gateway.requests.load(Ordering::SeqCst), 2);
    for status in [429, 500] {
        gateway.answers(status, usize::MAX);
        measured.invoke("ok").unwrap();
    }
    check(&fixture, &[("absent(calls_total)", 1.0)]);
    // stored, though nobody says so
    gateway.answers(504, 1);
    measured.shut_down();
    check(&fixture, &of_calls(3.0));
    check(&fixture, &of_platform(3.0, 0.0, 0.0));
    check(&fixture, &[("mayfly_extension_send_failures_total >= bool 2", 1.0)]);
    assert!(measured.log().contains("metrics not sent: they wait"), "{}", measured.log());
    assert!(!measured.log().contains("lost"), "{}", measured.log());
}

/// Takes connections, and never says anything.
struct Silent {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Silent {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, connections) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&connections);
        thread::spawn(move || {
            let mut held = Vec::new();
            while let Ok((connection, _)) = listener.accept() {
                counted.fetch_add(1, Ordering::SeqCst);
                held.push(connection);
            }
        });
        Self { address, connections }
    }
}

#[test]
fn a_gateway_that_never_answers_is_left_alone() {
    let gateway = Silent::start();
    let url = format!("http://{}", gateway.address);
    let variables = [("MAYFLY_GATEWAY", url.as_str()), ("MAYFLY_SEND_TIMEOUT", "1s")];
    let mut measured = Measured::start(&variables, Duration::from_secs(20), called());
    let began = Instant::now();
    measured.invoke("ok").unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    // it was waited for a second, and is not asked for ten
    let began = Instant::now();
    let mut invocations = 0;
    while began.elapsed() < Duration::from_secs(1) {
        measured.invoke("ok").unwrap();
        invocations += 1;
    }
    assert!(invocations >= 2, "{invocations}");
    assert_eq!(gateway.connections.load(Ordering::SeqCst), 1);
    // the end is the last chance
    measured.shut_down();
    assert!(gateway.connections.load(Ordering::SeqCst) > 1);
    assert!(measured.log().contains("could not be sent: they are lost"), "{}", measured.log());
}

/// A gateway in front of another one that takes its time.
fn slow_gateway(gateway: &str, pause: Arc<Mutex<Duration>>) -> Server {
    let gateway = gateway.to_owned();
    Server::start(move |request| {
        let pause = *pause.lock().unwrap();
        thread::sleep(pause);
        http::send(&gateway, request).unwrap()
    })
    .unwrap()
}

#[test]
fn a_gateway_that_takes_most_of_the_time_is_heard() {
    let fixture = Fixture::new();
    let pause = Arc::new(Mutex::new(Duration::ZERO));
    let gateway = slow_gateway(&fixture.server().gateway, Arc::clone(&pause));
    let url = gateway.url();
    // a busy machine needs time of its own
    let variables = [("MAYFLY_GATEWAY", url.as_str()), ("MAYFLY_SEND_TIMEOUT", "4s")];
    let mut measured = Measured::start(&variables, Duration::from_secs(20), called());
    for (calls, pause_ms) in (1..=3).zip([0, 2_300, 2_300]) {
        *pause.lock().unwrap() = Duration::from_millis(pause_ms);
        measured.invoke("ok").unwrap();
        check(&fixture, &of_calls(f64::from(calls)));
    }
    *pause.lock().unwrap() = Duration::ZERO;
    measured.shut_down();
    check(&fixture, &of_platform(3.0, 0.0, 0.0));
    fixture.check("mayfly_extension_send_failures_total", &[]);
    assert!(!measured.log().contains("not sent"), "{}", measured.log());
}

#[test]
fn what_was_under_way_when_the_sandbox_was_frozen_counts_once() {
    let fixture = Fixture::new();
    let pause = Arc::new(Mutex::new(Duration::ZERO));
    let gateway = slow_gateway(&fixture.server().gateway, Arc::clone(&pause));
    let url = gateway.url();
    let variables = [("MAYFLY_GATEWAY", url.as_str()), ("MAYFLY_SEND_TIMEOUT", "1s")];
    let mut measured = Measured::start(&variables, Duration::from_secs(20), called());
    measured.invoke("ok").unwrap();
    check(&fixture, &of_calls(1.0));
    *pause.lock().unwrap() = Duration::from_millis(2_000);
    measured.invoke("ok").unwrap();
    assert!(measured.log().contains("no answer in time"), "{}", measured.log());
    measured.sandbox.freeze();
    *pause.lock().unwrap() = Duration::ZERO;
    // meanwhile it is stored and answered
    thread::sleep(Duration::from_millis(2_000));
    check(&fixture, &of_calls(2.0));
    measured.sandbox.thaw();
    measured.invoke("ok").unwrap();
    assert!(measured.log().contains("metrics are sent again"), "{}", measured.log());
    check(&fixture, &of_calls(3.0));
    measured.shut_down();
    check(&fixture, &of_calls(3.0));
    check(&fixture, &of_platform(3.0, 0.0, 0.0));
    check(&fixture, &[("mayfly_extension_send_failures_total", 1.0)]);
}

/// Hands bytes on between an address of its own and another one, until it is told that its connections are dead: then they stay open, and
/// nothing comes through.
struct Passage {
    address: SocketAddr,
    deaths: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

impl Passage {
    fn to(gateway: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (deaths, connections) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counted, died) = (Arc::clone(&connections), Arc::clone(&deaths));
        let gateway = gateway.trim_start_matches("http://").to_owned();
        thread::spawn(move || {
            while let Ok((near, _)) = listener.accept() {
                counted.fetch_add(1, Ordering::SeqCst);
                let far = TcpStream::connect(&gateway).unwrap();
                let back = (far.try_clone().unwrap(), near.try_clone().unwrap());
                for (from, to) in [(near, far), back] {
                    let died = Arc::clone(&died);
                    thread::spawn(move || hand_on(from, to, &died));
                }
            }
        });
        Self { address, deaths, connections }
    }
}

fn hand_on(mut from: TcpStream, mut to: TcpStream, deaths: &AtomicUsize) {
    let (born, mut bytes) = (deaths.load(Ordering::SeqCst), vec![0; 64 << 10]);
    loop {
        let Ok(read @ 1..) = from.read(&mut bytes) else {
            let _ = to.shutdown(Shutdown::Both);
            return;
        };
        if deaths.load(Ordering::SeqCst) == born && to.write_all(&bytes[..read]).is_err() {
            return;
        }
    }
}

#[test]
fn a_connection_that_died_while_the_sandbox_was_frozen_is_replaced() {
    let fixture = Fixture::new();
    let passage = Passage::to(&fixture.server().gateway);
    let url = format!("http://{}", passage.address);
    let mut measured = Measured::start(&[("MAYFLY_GATEWAY", &url)], Duration::from_secs(20), called());
    for calls in 1..=2 {
        measured.invoke("ok").unwrap();
        check(&fixture, &of_calls(f64::from(calls)));
    }
    assert_eq!(passage.connections.load(Ordering::SeqCst), 1);
    measured.sandbox.freeze();
    passage.deaths.fetch_add(1, Ordering::SeqCst);
    measured.sandbox.thaw();
    measured.invoke("ok").unwrap();
    check(&fixture, &of_calls(3.0));
    assert_eq!(passage.connections.load(Ordering::SeqCst), 2);
    measured.invoke("ok").unwrap();
    measured.shut_down();
    check(&fixture, &of_calls(4.0));
    check(&fixture, &of_platform(4.0, 0.0, 0.0));
    assert_eq!(passage.connections.load(Ordering::SeqCst), 2);
}

#[test]
fn a_platform_that_loses_the_end_of_an_invocation_is_not_waited_for_again() {
    let fixture = Fixture::new();
    let gateway = fixture.server().gateway.clone();
    let mut measured = Measured::start(&[("MAYFLY_GATEWAY", &gateway)], Duration::from_secs(2), called());
    measured.invoke("ok").unwrap();
    measured.sandbox.api().loses(&["runtimeDone"]);
    let mut held = || {
        let began = Instant::now();
        measured.invoke("ok").unwrap();
        began.elapsed()
    };
    // the function's time is not over, and its caller has no error
    let (first, second) = (held(), held());
    assert!(second < first / 2, "{first:?}, {second:?}");
    // when it is told again it is waited for again
    measured.sandbox.api().loses(&[]);
    measured.invoke("ok").unwrap();
    thread::sleep(Duration::from_millis(500));
    measured.invoke("ok").unwrap();
    check(&fixture, &of_calls(5.0));
    measured.shut_down();
    // Lambda's report of an invocation tells of its end, too
    check(&fixture, &of_platform(5.0, 0.0, 0.0));
    assert!(measured.log().contains("has not told that an invocation was over"), "{}", measured.log());
}

#[test]
fn a_platform_that_never_reports_is_not_waited_for() {
    let fixture = Fixture::new();
    let gateway = fixture.server().gateway.clone();
    let all = &["initStart", "initRuntimeDone", "initReport", "start", "runtimeDone", "report"];
    let variables = [("MAYFLY_GATEWAY", gateway.as_str())];
    let mut measured = Measured::start_losing(all, &variables, Duration::from_secs(60), called());
    let began = Instant::now();
    (0..3).for_each(|_| measured.invoke("ok").unwrap());
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    measured.shut_down();
    check(&fixture, &of_calls(3.0));
    fixture.check("aws_lambda_invocations_total", &[]);
}

#[test]
fn what_was_measured_before_a_snapshot_is_not_that_of_its_copies() {
    let fixture = Fixture::new();
    let gateway = fixture.server().gateway.clone();
    let variables = [("MAYFLY_GATEWAY", gateway.as_str()), ("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")];
    let mut measured = Measured::start(&variables, Duration::from_secs(20), called());
    let ports = Ports::of(&measured.log);
    assert_eq!(ports.push("/aggregate/metrics/job/measured", "before 1\n").status, 202);
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"hits:7|c", ("127.0.0.1", ports.statsd)).unwrap();
    // while a snapshot is taken nothing moves
    thread::sleep(Duration::from_millis(1_500));
    measured.invoke("ok").unwrap();
    measured.shut_down();
    check(&fixture, &of_calls(1.0));
    check(&fixture, &of_platform(1.0, 0.0, 0.0));
    fixture.check("before", &[]);
}

#[test]
fn what_is_refused_is_dropped_and_counted() {
    let fixture = Fixture::new();
    fixture.push("PUT", "job/other", "# TYPE odd gauge\nodd 1\n");
    let gateway = IllGateway::before(&fixture.server().gateway);
    let url = gateway.server.url();
    let mut measured =
        Measured::start(&[("MAYFLY_GATEWAY", &url)], Duration::from_secs(5), |ports, event| {
            // of another type than a group elsewhere says
            if event == "odd" {
                assert_eq!(ports.push("/metrics/job/f", "# TYPE odd counter\nodd 1\n").status, 202);
            }
            if event == "poison" {
                assert_eq!(ports.push("/metrics/job/poison", "a 1\n").status, 202);
            }
            assert_eq!(ports.push("/aggregate/metrics/job/measured", "calls 1\n").status, 202);
            Ok(())
        });
    measured.invoke("odd").unwrap();
    assert!(measured.log().contains("push refused: it is dropped"), "{}", measured.log());
    // what is too large as a whole goes in halves
    gateway.answers(413, 1);
    let before = gateway.requests.load(Ordering::SeqCst);
    measured.invoke("ok").unwrap();
    assert!(gateway.requests.load(Ordering::SeqCst) >= before + 3);
    check(&fixture, &[("calls", 2.0)]);
    // of what is refused as a whole again and again that is dropped which is refused alone
    gateway.refuses("job/poison");
    measured.invoke("poison").unwrap();
    gateway.refuses("");
    // what a token may not do today it may do when that is mended
    gateway.answers(403, 1);
    measured.invoke("ok").unwrap();
    measured.invoke("ok").unwrap();
    measured.shut_down();
    check(&fixture, &[("calls", 5.0)]);
    check(&fixture, &[(r#"mayfly_extension_dropped_metrics_total{reason="refused"}"#, 2.0)]);
}

#[test]
fn without_reports_it_is_sent_when_the_next_invocation_begins() {
    let fixture = Fixture::new();
    let gateway = fixture.server().gateway.clone();
    let variables = [("MAYFLY_GATEWAY", gateway.as_str()), ("AWS_SAM_LOCAL", "true")];
    let mut measured = Measured::start(&variables, Duration::from_secs(5), called());
    (0..3).for_each(|_| measured.invoke("ok").unwrap());
    measured.shut_down();
    check(&fixture, &of_calls(3.0));
    assert!(measured.log().contains("there is no Telemetry API here"), "{}", measured.log());
    fixture.check("aws_lambda_invocations_total", &[]);
}

#[test]
fn requests_say_who_sends() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&seen);
    let gateway = Server::start(move |request| {
        let header = |name: &str| request.headers.get(name).unwrap_or_default().to_owned();
        keep.lock().unwrap().push((header("authorization"), header("x-amz-date"), request.target.clone()));
        Response::new(401)
    })
    .unwrap();
    let url = format!("{}/stage", gateway.url());
    for variables in [
        &[("MAYFLY_TOKEN", "secret")][..],
        &[("MAYFLY_SIGV4", "lambda"), ("MAYFLY_SIGV4_REGION", "eu-west-1")],
    ] {
        let all = [&[("MAYFLY_GATEWAY", url.as_str())], variables].concat();
        let mut measured = Measured::start(&all, Duration::from_secs(5), |_, _| Ok(()));
        measured.invoke("ok").unwrap();
        assert!(measured.log().contains("answered 401 Unauthorized"), "{}", measured.log());
    }
    let seen = seen.lock().unwrap();
    let [(bearer, _, target), .., (signed, date, _)] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((bearer.as_str(), target.as_str()), ("Bearer secret", "/stage/api/v1/batch"));
    let scope = format!("AWS4-HMAC-SHA256 Credential=test/{}/eu-west-1/lambda/aws4_request, ", &date[..8]);
    assert!(signed.starts_with(&scope), "{signed}");
}

#[test]
fn what_comes_in_masses_is_bounded() {
    let fixture = Fixture::new();
    let gateway = IllGateway::before(&fixture.server().gateway);
    gateway.answers(503, usize::MAX);
    let (url, full) = (gateway.server.url(), Arc::new(AtomicUsize::new(0)));
    let variables = [("MAYFLY_GATEWAY", url.as_str()), ("MAYFLY_BUFFER_BYTES", "262144")];
    let refused = Arc::clone(&full);
    let mut measured = Measured::start(&variables, Duration::from_secs(20), move |ports, _| {
        let huge: String = (0..30_000).map(|n| format!("many{{n=\"{n:030}\"}} 1\n")).collect();
        assert_eq!(ports.push("/metrics/job/huge", &huge).status, 413);
        for n in 0..100 {
            let body: String = (0..300).map(|m| format!("some{{m=\"{m}\"}} {n}\n")).collect();
            let answer = ports.push(&format!("/metrics/job/many/n/{n}"), &body);
            if answer.status == 503 {
                assert!(answer.text().contains("find no room"), "{}", answer.text());
                refused.fetch_add(1, Ordering::SeqCst);
            }
        }
        // nonsense is nobody's end
        let _ = http::send(
            &format!("127.0.0.1:{}", ports.otlp),
            &Request::new("POST", "/v1/metrics").body([0xff; 99]),
        );
        assert_eq!(ports.push("/metrics/job/x", "{{{\n").status, 400);
        Ok(())
    });
    measured.invoke("ok").unwrap();
    let refused = full.load(Ordering::SeqCst);
    assert!((1..100).contains(&refused), "{refused}");
    gateway.answers(0, 0);
    measured.invoke("ok").unwrap();
    measured.shut_down();
    // in the second invocation, too
    let dropped = r#"mayfly_extension_dropped_metrics_total{reason="memory"}"#;
    check(&fixture, &[(dropped, full.load(Ordering::SeqCst) as f64 * 300.0)]);
    check(&fixture, &of_platform(2.0, 0.0, 0.0));
    assert!(measured.log().contains("metrics that were dropped in this sandbox"), "{}", measured.log());
}

#[test]
fn a_gateway_that_is_gone_for_good_holds_nobody_up() {
    // nobody listens there
    let mut measured =
        Measured::start(&[("MAYFLY_GATEWAY", "http://127.0.0.1:1")], Duration::from_secs(20), called());
    let began = Instant::now();
    (0..3).for_each(|_| measured.invoke("ok").unwrap());
    measured.shut_down();
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(measured.log().contains("the sandbox ends, and these metrics could not be sent: they are lost"));
}

#[test]
fn a_port_that_somebody_has_set_must_be_free() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("extension.log");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let variables = [("MAYFLY_GATEWAY", "http://127.0.0.1:1"), ("MAYFLY_PUSH_PORT", port.as_str())];
    let told = started(&variables, Duration::from_secs(1), &log).unwrap_err().to_string();
    // to whoever reads the log, and to Lambda
    let expect = format!("MAYFLY_PUSH_PORT 127.0.0.1:{port}: cannot listen there");
    assert_eq!(told.matches(&expect).count(), 2, "{told}");
}

#[test]
fn a_mistake_does_not_take_the_function_down() {
    let fixture = Fixture::new();
    let gateway = fixture.server().gateway.clone();
    // if it is not free, somebody else has it
    let _taken = TcpListener::bind("127.0.0.1:9091");
    let variables = [
        ("MAYFLY_GATEWAY", gateway.as_str()),
        ("MAYFLY_PUSH_PORT", ""),
        ("MAYFLY_BUFFER_BYTES", "many"),
        ("MAYFLY_STATSD_PORT", "x"),
    ];
    let mut measured = Measured::start(&variables, Duration::from_secs(5), |ports, _| {
        assert_eq!((ports.push, ports.statsd), (0, 0));
        let point = json!({ "asInt": "1", "startTimeUnixNano": "1795856400000000000",
            "timeUnixNano": "1795856460000000000" });
        assert_eq!(otlp(ports, &point).status, 200);
        Ok(())
    });
    measured.invoke("ok").unwrap();
    measured.shut_down();
    for told in [
        "MAYFLY_PUSH_PORT 127.0.0.1:9091: cannot listen there",
        "MAYFLY_BUFFER_BYTES is \\\"many\\\": expected a number of bytes",
        "MAYFLY_STATSD_PORT is \\\"x\\\": expected the number of a port, or off",
    ] {
        assert!(measured.log().contains(told), "{told}: {}", measured.log());
    }
    check(&fixture, &[("runs_total", 1.0)]);
    let faults = |reason: &str| format!("mayfly_extension_start_faults_total{{reason=\"{reason}\"}}");
    check(&fixture, &[(&faults("port"), 1.0), (&faults("setting"), 1.0)]);
}

#[test]
fn a_function_works_even_if_nobody_knows_where_to_send() {
    let mut measured = Measured::start(&[], Duration::from_secs(5), called());
    (0..3).for_each(|_| measured.invoke("ok").unwrap());
    measured.shut_down();
    let log = measured.log();
    assert!(log.contains("neither MAYFLY_GATEWAY nor MAYFLY_STORAGE is set"), "{log}");
    assert!(log.contains("metrics that were dropped in this sandbox"), "{log}");
}
