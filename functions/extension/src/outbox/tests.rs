use serde_json::Value;
use testkit::ManualClock;
use wire::{Family, text};

use super::*;

fn outbox(bytes_max: usize) -> Outbox {
    outbox_at(bytes_max, Arc::new(ManualClock::at_ms(1_000_000)))
}

fn outbox_at(bytes_max: usize, clock: Arc<ManualClock>) -> Outbox {
    Outbox::new(bytes_max, None, false, clock, Arc::default())
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
    for status in [301, 400, 401, 403, 404, 413] {
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

#[test]
fn a_sandbox_has_no_identity_before_it_sends() {
    let outbox = outbox(1 << 20);
    outbox.add(adds("a", 1)).expect("has room");
    // until then it may be one of many copies
    assert!(outbox.identity.get().is_none());
    let batch = outbox.next_batch().expect("a batch");
    let other = self::outbox(1 << 20);
    other.add(adds("a", 1)).expect("has room");
    assert_ne!(told(&batch)[0].2, told(&other.next_batch().expect("a batch"))[0].2);
}

#[test]
fn a_batch_that_is_refused_is_halved_until_what_is_refused_is_found() {
    let outbox = outbox(1 << 20);
    (0..13).for_each(|n| outbox.add(adds(&format!("{n:02}"), 1)).expect("has room"));
    let (mut taken, mut batches) = (Vec::new(), 0);
    while let Some(batch) = outbox.next_batch() {
        batches += 1;
        let paths: Vec<String> = told(&batch).into_iter().map(|(_, path, _)| path).collect();
        match paths.iter().any(|path| path.ends_with("/05")) {
            true => outbox.refused(&batch, "400: no"),
            false => {
                assert!(outbox.settle(&batch, all(Outcome::Taken)));
                taken.extend(paths);
            }
        }
    }
    assert_eq!((taken.len(), outbox.stats.dropped()), (12, 1));
    assert!(!taken.iter().any(|path| path.ends_with("/05")));
    assert!(batches <= 10, "{batches}");
    // afterwards batches are as large as ever
    (0..13).for_each(|n| outbox.add(adds(&format!("{n:02}"), 1)).expect("has room"));
    let mut sizes = Vec::new();
    while let Some(batch) = outbox.next_batch() {
        sizes.push(told(&batch).len());
        assert!(outbox.settle(&batch, all(Outcome::Taken)));
    }
    assert!(sizes.len() <= 3, "{sizes:?}");
}

#[test]
fn what_came_before_a_snapshot_is_not_that_of_a_copy() {
    let clock = Arc::new(ManualClock::at_ms(1_000_000));
    let outbox = Outbox::new(1 << 20, None, true, Arc::clone(&clock) as _, Arc::default());
    outbox.add(adds("start", 1)).expect("has room");
    clock.advance_ms(60_000);
    outbox.add(adds("copy", 1)).expect("has room");
    outbox.begins();
    let paths = |batch: &Batch| told(batch).into_iter().map(|(_, path, _)| path).collect::<Vec<_>>();
    assert_eq!(paths(&outbox.next_batch().expect("a batch")), ["/aggregate/metrics/job/copy"]);
    clock.advance_ms(60_000);
    outbox.add(adds("later", 1)).expect("has room");
    assert_eq!((outbox.metrics(), outbox.stats.dropped()), (2, 0));
}

fn gauge(job: &str, value: u64) -> Adds {
    Adds {
        group: group(job),
        families: families(&format!("# TYPE c counter\nc 1\n# TYPE g gauge\ng {value}\n")),
    }
}

/// What a batch adds, by key.
fn added(batch: &Batch) -> BTreeMap<String, String> {
    let json: Value = serde_json::from_slice(&batch.body).expect("JSON");
    let requests = json["requests"].as_array().expect("requests").iter();
    let added =
        requests.filter(|request| request["path"].as_str().expect("a path").starts_with("/aggregate"));
    let page = |request: &Value| {
        let body = match (request["body"].as_str(), request["body_base64"].as_str()) {
            (Some(text), _) => text.as_bytes().to_vec(),
            (None, text) => STANDARD.decode(text.expect("a body")).expect("base64"),
        };
        let families = protobuf::parse(&body, &Limits::default()).expect("protobuf");
        let page = wire::exposition::write_text(&families, wire::name_escaping::Escaping::AllowUtf8);
        (request["headers"]["idempotency-key"].as_str().expect("a key").to_owned(), page)
    };
    added.map(page).collect()
}

#[test]
fn what_sets_is_dropped_when_it_is_too_late() {
    let clock = Arc::new(ManualClock::at_ms(1_000_000));
    let outbox = outbox_at(1 << 20, Arc::clone(&clock));
    outbox.push(set("put", Method::PUT, "x 1\n")).expect("has room");
    outbox.push(set("gone", Method::DELETE, "")).expect("has room");
    outbox.add(gauge("sent", 1)).expect("has room");
    let first = outbox.next_batch().expect("a batch");
    assert_eq!(told(&first).len(), 3);
    let (key, page) = added(&first).pop_first().expect("a push");
    assert_eq!(page, "# TYPE c counter\nc 1\n# TYPE g gauge\ng 1\n");
    // meanwhile more of it comes, and something else later
    outbox.add(gauge("sent", 2)).expect("has room");
    clock.advance_ms(LATE_MS / 2);
    outbox.push(set("new", Method::POST, "x 1\n")).expect("has room");
    clock.advance_ms(LATE_MS / 2 + 1);
    let second = outbox.next_batch().expect("a batch");
    let methods: Vec<String> =
        told(&second).into_iter().map(|(method, path, _)| method + " " + &path).collect();
    assert_eq!(methods, ["POST /aggregate/metrics/job/sent", "POST /metrics/job/new"]);
    // what adds is never too late, and has its key
    assert_eq!(added(&second), BTreeMap::from([(key, "# TYPE c counter\nc 1\n".to_owned())]));
    assert_eq!(outbox.stats.dropped(), 3);
    // if it has arrived before, with the gauge, it need not come again
    let outcome =
        |index| if index == 0 { Outcome::of(StatusCode::UNPROCESSABLE_ENTITY, "") } else { Outcome::Taken };
    assert!(outbox.settle(&second, outcome));
    assert_eq!(outbox.stats.dropped(), 3);
    // of what was added up meanwhile the gauge is too late as well
    let third = outbox.next_batch().expect("a batch");
    assert_eq!(added(&third).into_values().collect::<Vec<_>>(), ["# TYPE c counter\nc 1\n"]);
    assert_eq!(outbox.stats.dropped(), 4);
    let state = outbox.lock();
    assert_eq!(state.taken(), state.waiting.iter().map(|waiting| bytes(&waiting.push)).sum::<usize>());
}

#[test]
fn what_is_replaced_stays_if_there_is_no_room_for_what_replaces_it() {
    let outbox = outbox(5_000);
    outbox.push(set("a", Method::PUT, &"x".repeat(1_500))).expect("has room");
    outbox.push(set("b", Method::POST, &"x".repeat(1_500))).expect("has room");
    let full = outbox.push(set("a", Method::PUT, &"x".repeat(4_000))).expect_err("has no room");
    assert!(full.bytes > 4_000, "{full}");
    assert_eq!(told(&outbox.next_batch().expect("a batch")).len(), 2);
}

#[test]
fn what_changes_its_type_again_and_again_is_bounded() {
    let outbox = outbox(5_000);
    let of =
        |r#type: &str| Adds { group: group("a"), families: families(&format!("# TYPE c {type}\nc 1\n")) };
    // what cannot be one push with what is there stands by itself
    let taken =
        (0..100).filter(|n| outbox.add(of(if n % 2 == 0 { "counter" } else { "gauge" })).is_ok()).count();
    assert!((2..70).contains(&taken), "{taken}");
    assert!(outbox.lock().taken() <= 5_000, "{}", outbox.lock().taken());
}

#[test]
fn histograms_with_ever_new_bounds_are_bounded() {
    let outbox = outbox(5_000);
    let of = |le: u64| Adds {
        group: group("a"),
        families: families(&format!(
            "# TYPE h histogram\nh_bucket{{le=\"{le}\"}} 1\nh_bucket{{le=\"+Inf\"}} 1\nh_sum 1\nh_count 1\n"
        )),
    };
    let taken = (0..1_000).filter(|le| outbox.add(of(*le)).is_ok()).count();
    assert!((2..500).contains(&taken), "{taken}");
    assert!(outbox.lock().taken() <= 5_000, "{}", outbox.lock().taken());
    // what is there goes on
    (0..100).for_each(|_| outbox.add(of(1)).expect("takes no room"));
}
