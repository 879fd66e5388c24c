use serde_json::Value;
use wire::{Family, text};

use super::*;

fn outbox(bytes_max: usize) -> Outbox {
    Outbox::new(bytes_max, None, [1, 2], Arc::default())
}

fn group(job: &str) -> Labels {
    Labels::from_pairs([("job", job)])
}

fn families(body: &str) -> Vec<Family> {
    text::parse(body.as_bytes(), &text::Options::default()).expect("parses")
}

fn adds(job: &str, value: u64) -> Adds {
    Adds { group: group(job), families: families(&format!("# TYPE c counter\nc {value}\n")) }
}

fn set(job: &str, method: Method, body: &str) -> RelayedPush {
    RelayedPush {
        method,
        is_aggregated: false,
        group: group(job),
        headers: Vec::new(),
        body: body.to_owned().into(),
        series: 1,
    }
}

/// Method, path and key of each request of a batch.
fn told(batch: &Batch) -> Vec<(String, String, String)> {
    let json: Value = serde_json::from_slice(&batch.body).expect("JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let requests = json["requests"].as_array().expect("requests").iter();
    requests
        .map(|request| {
            (text(&request["method"]), text(&request["path"]), text(&request["headers"]["idempotency-key"]))
        })
        .collect()
}

fn all(outcome: Outcome) -> impl Fn(usize) -> Outcome {
    move |_| outcome.clone()
}

#[test]
fn what_adds_is_one_push_and_keeps_its_key() {
    let outbox = outbox(1 << 20);
    (0..3).for_each(|_| outbox.add(adds("a", 1)).expect("has room"));
    let first = outbox.next_batch().expect("a batch");
    let expect = ("POST".to_owned(), "/aggregate/metrics/job/a".to_owned());
    assert_eq!(told(&first).len(), 1);
    assert_eq!((told(&first)[0].0.clone(), told(&first)[0].1.clone()), expect);
    // what comes meanwhile is another push, which goes after it
    outbox.add(adds("a", 1)).expect("has room");
    assert!(!outbox.settle(&first, all(Outcome::NotNow)));
    let again = outbox.next_batch().expect("a batch");
    assert_eq!(first.body, again.body);
    assert!(outbox.settle(&again, all(Outcome::Taken)));
    let second = outbox.next_batch().expect("a batch");
    assert_eq!(told(&second).len(), 1);
    assert_ne!(told(&second)[0].2, told(&first)[0].2);
    assert!(outbox.settle(&second, all(Outcome::Taken)));
    assert!(outbox.is_empty() && outbox.next_batch().is_none());
}

#[test]
fn a_group_stands_in_a_batch_once_and_in_order() {
    let outbox = outbox(1 << 20);
    outbox.add(adds("a", 1)).expect("has room");
    outbox.push(set("b", Method::PUT, "x 1\n")).expect("has room");
    outbox.push(set("a", Method::DELETE, "")).expect("has room");
    outbox.add(adds("a", 1)).expect("has room");
    let mut batches = Vec::new();
    while let Some(batch) = outbox.next_batch() {
        batches.push(
            told(&batch).into_iter().map(|(method, path, _)| format!("{method} {path}")).collect::<Vec<_>>(),
        );
        assert!(outbox.settle(&batch, all(Outcome::Taken)));
    }
    let expect = [
        vec!["PUT /metrics/job/b", "POST /aggregate/metrics/job/a"],
        vec!["DELETE /metrics/job/a"],
        vec!["POST /aggregate/metrics/job/a"],
    ];
    assert_eq!(batches, expect);
}

#[test]
fn what_is_refused_is_counted_and_does_not_come_again() {
    let outbox = outbox(1 << 20);
    outbox.push(set("a", Method::PUT, "x 1\n")).expect("has room");
    outbox.push(set("b", Method::PUT, "x 1\n")).expect("has room");
    let batch = outbox.next_batch().expect("a batch");
    let outcome =
        |index| if index == 0 { Outcome::of(StatusCode::BAD_REQUEST, "no\n") } else { Outcome::NotNow };
    assert!(!outbox.settle(&batch, outcome));
    assert_eq!(outbox.stats.dropped(), 1);
    assert_eq!(told(&outbox.next_batch().expect("a batch")).len(), 1);
}

#[test]
fn statuses_say_whether_to_send_again() {
    for status in [200, 202, 204] {
        assert_eq!(Outcome::of(StatusCode::from_u16(status).expect("a status"), ""), Outcome::Taken);
    }
    for status in [408, 429, 500, 502, 503, 504] {
        assert_eq!(Outcome::of(StatusCode::from_u16(status).expect("a status"), ""), Outcome::NotNow);
    }
    for status in [301, 400, 401, 403, 404, 413, 422] {
        let outcome = Outcome::of(StatusCode::from_u16(status).expect("a status"), "why\n");
        assert_eq!(outcome, Outcome::Refused(format!("{status}: why")));
    }
}

#[test]
fn no_more_is_kept_than_allowed() {
    let outbox = outbox(5_000);
    let large = "x".repeat(1_500);
    outbox.push(set("a", Method::PUT, &large)).expect("has room");
    outbox.push(set("b", Method::POST, &large)).expect("has room");
    let full = outbox.push(set("c", Method::PUT, &large)).expect_err("has no room");
    assert_eq!(full.bytes_max, 5_000);
    assert_eq!(outbox.stats.dropped(), 1);
    // nobody will see what is replaced at once
    outbox.push(set("a", Method::PUT, &large)).expect("has room");
    // sums of what is there take no more
    outbox.add(adds("s", 1)).expect("has room");
    let before = outbox.lock().taken();
    (0..1_000).for_each(|_| outbox.add(adds("s", 1)).expect("has room"));
    assert_eq!(outbox.lock().taken(), before);
    let many: String = (0..20).map(|n| format!("c{{n=\"{n}\"}} 1\n")).collect();
    outbox.add(Adds { group: group("many"), families: families(&many) }).expect_err("has no room");
    assert_eq!(outbox.stats.dropped(), 21);
    outbox.add_own(adds("own", 1));
}

#[test]
fn bodies_that_are_no_text_are_encoded() {
    let outbox = outbox(1 << 20);
    outbox
        .push(RelayedPush { body: Bytes::from_static(b"\xff"), ..set("a", Method::PUT, "") })
        .expect("has room");
    let batch = outbox.next_batch().expect("a batch");
    let json: Value = serde_json::from_slice(&batch.body).expect("JSON");
    assert_eq!(json["requests"][0]["body_base64"], "/w==");
    assert!(json["requests"][0].get("body").is_none());
}
