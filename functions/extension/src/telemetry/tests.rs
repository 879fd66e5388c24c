use gateway::{RelayedPush, Taker as _};
use serde_json::{Value, json};

use super::*;

fn telemetry() -> Arc<Telemetry> {
    let stats = Arc::new(Stats::default());
    let outbox = Arc::new(Outbox::new(1 << 20, None, false, Arc::new(edge::SystemClock), Arc::clone(&stats)));
    Telemetry::new(outbox, stats, Labels::from_pairs([("function_name", "f")]))
}

fn take(telemetry: &Telemetry, events: &Value) -> u16 {
    telemetry.take(events.to_string().as_bytes()).as_u16()
}

fn event(kind: &str, record: impl Into<Value>) -> Value {
    let record: Value = record.into();
    json!({ "time": "2026-11-28T09:00:00.000Z", "type": format!("platform.{kind}"), "record": record })
}

fn done(id: &str, status: &str) -> Value {
    let metrics = json!({ "durationMs": 140.12, "producedBytes": 16 });
    event("runtimeDone", json!({ "requestId": id, "status": status, "metrics": metrics, "spans": [] }))
}

fn report(id: &str, status: &str) -> Value {
    let metrics = json!({ "durationMs": 160.5, "billedDurationMs": 161, "memorySizeMB": 128, "maxMemoryUsedMB": 64,
        "initDurationMs": 250.0 });
    event("report", json!({ "requestId": id, "status": status, "metrics": metrics }))
}

/// What is to be pushed, as a gateway shows it.
fn shown(telemetry: &Telemetry) -> String {
    let group = Labels::from_pairs([("job", JOB), ("function_name", "f")]);
    // a push of its own comes after what was added up
    let end = RelayedPush { group, ..Adds { group: Labels::empty(), families: Vec::new() }.push() };
    telemetry.outbox.push(end).expect("has room");
    let batch = telemetry.outbox.next_batch().expect("a batch");
    let json: Value = serde_json::from_slice(&batch.body).expect("JSON");
    let page = |request: &Value| {
        assert_eq!(request["path"], "/aggregate/metrics/job/aws_lambda/function_name/f");
        let body = match (&request["body"], &request["body_base64"]) {
            (Value::String(text), _) => text.clone().into_bytes(),
            (_, Value::String(text)) => {
                base64::Engine::decode(&base64::prelude::BASE64_STANDARD, text).expect("base64")
            }
            other => panic!("no body: {other:?}"),
        };
        let families = wire::protobuf::parse(&body, &wire::Limits::default()).expect("protobuf");
        wire::exposition::write_text(&families, wire::name_escaping::Escaping::AllowUtf8)
    };
    json["requests"].as_array().expect("requests").iter().map(page).collect()
}

fn line<'a>(page: &'a str, name: &str) -> &'a str {
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {page}"))
}

#[test]
fn each_invocation_counts_once() {
    let telemetry = telemetry();
    let events = [done("1", "success"), report("1", "success"), done("2", "error"), report("2", "error")];
    let more = [done("3", "timeout"), report("4", "failure"), report("3", "timeout")];
    let all: Vec<Value> = events.into_iter().chain(more).collect();
    // the platform sends again what it believes was not taken
    assert_eq!((take(&telemetry, &json!(all)), take(&telemetry, &json!(all))), (200, 200));
    let page = shown(&telemetry);
    for (name, expect) in [
        ("aws_lambda_invocations_total", "4"),
        ("aws_lambda_errors_total", "3"),
        ("aws_lambda_timeouts_total", "1"),
        ("aws_lambda_duration_seconds_count", "4"),
        ("aws_lambda_billed_duration_seconds_total", "0.644"),
        ("aws_lambda_memory_size_bytes", "1.34217728e+08"),
        ("aws_lambda_max_memory_used_bytes_count", "4"),
        ("aws_lambda_init_duration_seconds_sum", "0.25"),
        ("aws_lambda_init_duration_seconds_count", "1"),
    ] {
        assert_eq!(line(&page, name), expect, "{name}");
    }
}

#[test]
fn an_init_counts_once_too() {
    let telemetry = telemetry();
    let init = |phase| {
        event(
            "initReport",
            json!({ "phase": phase, "status": "success", "metrics": { "durationMs": 100.0 } }),
        )
    };
    take(&telemetry, &json!([init("init"), init("invoke"), done("1", "success"), report("1", "success")]));
    let page = shown(&telemetry);
    assert_eq!(line(&page, "aws_lambda_init_duration_seconds_count"), "1");
    assert_eq!(line(&page, "aws_lambda_init_duration_seconds_sum"), "0.1");
}

#[test]
fn the_start_of_a_copy_is_the_time_that_it_took() {
    let telemetry = telemetry();
    let metrics = json!({ "durationMs": 500.0 });
    let restored = json!({ "initializationType": "snap-start", "status": "success", "metrics": metrics });
    take(
        &telemetry,
        &json!([event("restoreReport", restored), done("1", "success"), report("1", "success")]),
    );
    assert_eq!(line(&shown(&telemetry), "aws_lambda_init_duration_seconds_sum"), "0.5");
}

#[test]
fn garbage_is_counted_and_does_no_harm() {
    let telemetry = telemetry();
    for garbage in ["", "{", "{}", "null", "\u{0}", "[[[[", "\"platform.report\""] {
        assert_eq!(telemetry.take(garbage.as_bytes()), StatusCode::BAD_REQUEST, "{garbage}");
    }
    let strange = json!([
        1, null, {}, { "type": 5 }, event("report", json!(7)), event("runtimeDone", json!({ "requestId": 1 })),
        event("runtimeDone", json!({ "requestId": "1", "status": "odd" })), event("start", json!({})),
    ]);
    assert_eq!(take(&telemetry, &strange), 200);
    // of later schemas
    take(
        &telemetry,
        &json!([event("newThing", json!({ "a": [1] })), { "type": "function", "record": "text" }]),
    );
    let odd = json!({ "requestId": "1", "status": "success", "metrics": { "durationMs": -1, "maxMemoryUsedMB": 1e300 } });
    take(&telemetry, &json!([event("report", odd), event("logsDropped", json!({ "droppedRecords": 3 }))]));
    let page = shown(&telemetry);
    assert_eq!(line(&page, "aws_lambda_invocations_total"), "1");
    assert!(!page.contains("duration") && !page.contains("used"), "{page}");
    let counted = |name: &str| {
        let families = telemetry.stats.families();
        let family = families.into_iter().find(|family| *family.name == *name).expect("a family");
        family.metrics[0].value.clone()
    };
    assert_eq!(counted("mayfly_extension_unreadable_reports_total"), wire::MetricValue::Counter(14.0));
    assert_eq!(counted("mayfly_extension_lost_reports_total"), wire::MetricValue::Counter(3.0));
}

#[tokio::test]
async fn the_end_of_an_invocation_is_waited_for() {
    let telemetry = telemetry();
    let soon = || Instant::now() + std::time::Duration::from_millis(20);
    telemetry.begins("1");
    let later = Instant::now() + std::time::Duration::from_secs(20);
    assert!(!telemetry.is_done("1", soon(), later).await);
    // that of another one is no word of this one
    take(&telemetry, &json!([event("start", json!({ "requestId": "0" }))]));
    assert!(!telemetry.is_done("1", soon(), later).await);
    take(&telemetry, &json!([event("start", json!({ "requestId": "1" }))]));
    assert!(!telemetry.is_done("1", soon(), soon()).await);
    let (told, is_done) = futures::join!(
        async {
            tokio::task::yield_now().await;
            take(&telemetry, &json!([done("1", "success")]))
        },
        telemetry.is_done("1", soon(), later)
    );
    assert!(told == 200 && is_done);
    assert!(!telemetry.are_reported(soon()).await);
    // what is lost may have been the end
    telemetry.begins("2");
    let lost = event("logsDropped", json!({ "droppedRecords": 1, "droppedBytes": 9, "reason": "slow" }));
    let (_, is_done) = futures::join!(
        async {
            tokio::task::yield_now().await;
            take(&telemetry, &json!([lost]))
        },
        telemetry.is_done("2", later, later)
    );
    assert!(is_done);
    take(&telemetry, &json!([report("2", "success")]));
    take(&telemetry, &json!([report("0", "success"), report("1", "success")]));
    assert!(telemetry.are_reported(soon()).await);
}

#[tokio::test]
async fn a_platform_may_tell_of_ends_only() {
    let telemetry = telemetry();
    let soon = || Instant::now() + std::time::Duration::from_millis(20);
    take(&telemetry, &json!([done("1", "success")]));
    telemetry.begins("2");
    let (_, is_done) = futures::join!(
        async {
            let _ =
                timeout_at(soon() + std::time::Duration::from_millis(80), std::future::pending::<()>()).await;
            take(&telemetry, &json!([done("2", "success")]))
        },
        telemetry.is_done("2", soon(), Instant::now() + std::time::Duration::from_secs(20))
    );
    assert!(is_done);
}
