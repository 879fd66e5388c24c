use std::sync::{Arc, Mutex};

use access::Room;
use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use model::Labels;
use testkit::ManualClock;
use tower::ServiceExt as _;
use wire::name_escaping::Escaping;
use wire::{Limits, exposition, protobuf};

use super::*;
use crate::Settings;

/// What was taken, as text.
#[derive(Debug, Default)]
struct Taken(Mutex<Vec<String>>, bool);

impl Taken {
    fn say(&self, text: String) -> Result<(), Full> {
        match self.1 {
            true => Err(Full { bytes: 9, bytes_max: 8 }),
            false => {
                self.0.lock().expect("a lock").push(text);
                Ok(())
            }
        }
    }
}

impl Taker for Taken {
    fn add(&self, adds: Adds) -> Result<(), Full> {
        let text = exposition::write_text(&adds.families, Escaping::AllowUtf8);
        self.say(format!(
            "add {} {}",
            adds.group,
            text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join(";")
        ))
    }

    fn push(&self, push: RelayedPush) -> Result<(), Full> {
        let headers: Vec<_> = push.headers.iter().map(|(name, _)| name.as_str()).collect();
        let body = match std::str::from_utf8(&push.body) {
            Ok(text) => text.trim_end().replace('\n', ";"),
            Err(_) => "bytes".to_owned(),
        };
        self.say(format!("{} {} [{}] {body}", push.method, push.path(), headers.join(",")))
    }
}

fn relay(taken: &Arc<Taken>) -> Router {
    let labels = Labels::from_pairs([("function_name", "f"), ("region", "r")]);
    let settings = Settings { body_bytes_max: 1_000, ..Settings::default() };
    let clock = Arc::new(ManualClock::at_ms(1_795_370_073_531));
    relay_router(settings, Room::new(1 << 20), labels, clock, Arc::clone(taken) as _)
}

async fn send(
    relay: &Router,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (StatusCode, String) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_owned())).expect("a request");
    let answer = relay.clone().oneshot(request).await.expect("an answer");
    let (status, body) = (answer.status(), to_bytes(answer.into_body(), 1 << 20).await.expect("a body"));
    (status, String::from_utf8_lossy(&body).into_owned())
}

/// Method, path, headers and body.
type Sent<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str);

#[track_caller]
fn check(requests: &[Sent<'_>], expect: &[&str]) {
    let taken = Arc::new(Taken::default());
    let relay = relay(&taken);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    for (method, path, headers, body) in requests {
        let (status, text) = runtime.block_on(send(&relay, method, path, headers, body));
        assert_eq!((status, text.as_str()), (StatusCode::ACCEPTED, ""), "{method} {path}");
    }
    assert_eq!(*taken.0.lock().expect("a lock"), expect);
}

const GROUP: &str = "/function_name/f/region/r";

#[test]
fn labels_go_into_the_group_unless_the_sender_has_them() {
    let text = ("content-type", "text/plain; version=0.0.4");
    check(
        &[
            ("PUT", "/metrics/job/a%20b", &[text], "x 1\n"),
            ("POST", "/metrics/job/a/region/mine", &[], "x 1\n"),
            ("DELETE", "/metrics/job/a", &[], ""),
            ("PUT", "/aggregate/metrics/job/a", &[], "x{region=\"mine\"} 1\ny 2\n"),
        ],
        &[
            &format!("PUT /metrics/job/a%20b{GROUP} [content-type] x 1"),
            "POST /metrics/job/a/function_name/f/region/mine [] x 1",
            &format!("DELETE /metrics/job/a{GROUP} [] "),
            "add {function_name=\"f\", job=\"a\"} x{region=\"mine\"} 1;y{region=\"r\"} 2",
        ],
    );
}

#[test]
fn what_has_terms_of_its_own_is_not_added_up() {
    let own = [("x-mayfly-ttl", "1h"), ("idempotency-key", "k"), ("x-other", "1")];
    check(
        &[
            ("POST", "/aggregate/metrics/job/a", &[], "x 1\n"),
            ("POST", "/aggregate/metrics/job/a", &own, "x 1\n"),
            ("POST", "/aggregate/metrics/job/a", &[("x-mayfly-gauge-merge", "sum")], "# TYPE x gauge\nx 1\n"),
            ("POST", "/aggregate/metrics/job/a", &[], "x{clearmode=\"replace\"} 1\n"),
        ],
        &[
            "add {function_name=\"f\", job=\"a\", region=\"r\"} x 1",
            &format!("POST /aggregate/metrics/job/a{GROUP} [x-mayfly-ttl,idempotency-key] x 1"),
            &format!("POST /aggregate/metrics/job/a{GROUP} [x-mayfly-gauge-merge] # TYPE x gauge;x 1"),
            &format!("POST /aggregate/metrics/job/a{GROUP} [] x{{clearmode=\"replace\"}} 1"),
        ],
    );
}

#[tokio::test]
async fn a_body_that_gets_labels_is_written_anew() {
    let families =
        wire::text::parse(b"x{region=\"mine\"} 1\ny 2\n", &wire::text::Options::default()).expect("parses");
    let adds =
        Adds::of(&Labels::from_pairs([("job", "j")]), families, &Labels::from_pairs([("region", "r")]));
    let push = adds.push();
    assert_eq!((push.path().as_str(), push.series), ("/aggregate/metrics/job/j", 2));
    let read = protobuf::parse(&push.body, &Limits::default()).expect("protobuf");
    let text = exposition::write_text(&read, Escaping::AllowUtf8);
    assert!(text.contains("x{region=\"mine\"} 1\n") && text.contains("y{region=\"r\"} 2\n"), "{text}");

    let taken = Arc::new(Taken::default());
    let relay = relay(&taken);
    let body = "x{region=\"mine\"} 1\ny 2\n";
    assert_eq!(send(&relay, "PUT", "/metrics/job/j", &[], body).await.0, StatusCode::ACCEPTED);
    let took = taken.0.lock().expect("a lock").remove(0);
    assert!(took.starts_with("PUT /metrics/job/j/function_name/f [content-type] "), "{took}");
}

#[tokio::test]
async fn what_a_gateway_would_refuse_is_refused() {
    let taken = Arc::new(Taken::default());
    let relay = relay(&taken);
    let long = "x".repeat(1_001);
    for (method, path, headers, body, status, text) in [
        ("PUT", "/metrics/job/a", &[][..], "x{\n", 400, "text format parsing error in line 1"),
        ("PUT", "/metrics/job/a/odd", &[], "x 1\n", 400, "odd number of components"),
        ("PUT", "/metrics/job/a", &[("x-mayfly-ttl", "soon")], "x 1\n", 400, "x-mayfly-ttl is \"soon\""),
        ("PUT", "/metrics/job/a", &[], "x 1 1795370073531\n", 400, "must not have timestamps"),
        ("PUT", "/metrics/job/a", &[], &long, 413, "body is larger than body_bytes_max = 1000 bytes"),
        ("GET", "/metrics/job/a", &[], "", 405, ""),
        ("GET", "/metrics", &[], "", 404, ""),
        ("POST", "/api/v1/batch", &[], "{}", 404, ""),
    ] {
        let (found, told) = send(&relay, method, path, headers, body).await;
        assert!(found.as_u16() == status && told.contains(text), "{method} {path} {body}: {found} {told}");
    }
    assert!(taken.0.lock().expect("a lock").is_empty());
    assert_eq!(send(&relay, "GET", "/-/ready", &[], "").await, (StatusCode::OK, "OK".to_owned()));
    assert_eq!(send(&relay, "PUT", "//metrics/job/a", &[], "x 1\n").await.0, StatusCode::MOVED_PERMANENTLY);
}

#[tokio::test]
async fn what_finds_no_room_is_answered_503() {
    let relay = relay(&Arc::new(Taken(Mutex::default(), true)));
    for path in ["/metrics/job/a", "/aggregate/metrics/job/a"] {
        let (status, told) = send(&relay, "PUT", path, &[], "x 1\n").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(told.contains("9 bytes find no room"), "{told}");
    }
}
