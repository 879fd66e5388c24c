//! Requests with the answers that Alertmanager 0.33.1 gave to them, times apart.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use model::Clock;
use object_store::memory::InMemory;
use testkit::ManualClock;
use tower::ServiceExt;

use super::router;
use crate::courier::Courier;
use crate::tests::courier;

struct World {
    courier: Arc<Courier>,
    clock: Arc<ManualClock>,
}

const CONFIG: &str = "route: {receiver: hook, group_by: [alertname], group_wait: 1s}\n\
                      receivers: [{name: hook}, {name: other}]\n\
                      inhibit_rules: [{source_matchers: [alertname=S], target_matchers: [alertname=T]}]\n";

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at_ms(1_795_844_996_403));
        Self { courier: courier(&Arc::new(InMemory::new()), &clock, CONFIG), clock }
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(format!("/alertmanager/api/v2/{path}"));
        let kind = if body.starts_with('!') { "text/plain" } else { "application/json" };
        let request = request.header("content-type", kind).body(Body::from(body.to_owned())).expect("is one");
        let asked = router(Some(Arc::clone(&self.courier))).oneshot(request);
        let ticks = async {
            // whoever posts alerts waits for a tick
            loop {
                self.courier.woken().await;
                self.courier.tick(self.clock.now_ms()).await.expect("ticks");
            }
        };
        let answer = tokio::select! {
            answer = asked => answer.expect("answers"),
            () = ticks => unreachable!(),
        };
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.expect("reads").to_bytes();
        (status, String::from_utf8(body.to_vec()).expect("is text").trim_end().to_owned())
    }

    async fn check(&self, method: &str, path: &str, body: &str, expect: (u16, &str)) {
        let (status, text) = self.ask(method, path, body).await;
        assert_eq!((status, text.as_str()), expect, "{method} {path} {body}");
    }
}

#[tokio::test]
async fn alerts_and_what_keeps_them() {
    let world = World::new();
    let posted = r#"[{"labels":{"alertname":"S","a":"b"}},{"labels":{"alertname":"T","a":"b","none":""}},
        {"labels":{"alertname":"Q","a":"c"},"generatorURL":"http://g/x","annotations":{"s":"<t>"}}]"#;
    world.check("POST", "alerts", posted, (200, "")).await;
    let silence = r#"{"matchers":[{"name":"alertname","value":"Q","isRegex":false},{"name":"a","value":"c|d","isRegex":true}],
        "startsAt":"2026-11-28T00:00:00Z","endsAt":"2026-11-28T06:49:56.466Z","createdBy":"me","comment":"co"}"#;
    let (status, answer) = world.ask("POST", "silences", silence).await;
    let id = answer.trim_start_matches("{\"silenceID\":\"").trim_end_matches("\"}").to_owned();
    assert_eq!((status, id.len()), (200, 36), "{answer}");
    let suppressed = |by: &str| by.replace("ID", &id);
    let of = |fingerprint: &str, status: &str, more: &str, annotations: &str| {
        format!(
            r#"{{"annotations":{annotations},"endsAt":"2026-11-28T05:54:56.403Z","fingerprint":"{fingerprint}","receivers":[{{"name":"hook"}}],"startsAt":"2026-11-28T05:49:56.403Z","status":{status},"updatedAt":"2026-11-28T05:49:56.403Z",{more}}}"#
        )
    };
    let q = of(
        "84929e26539c8bcd",
        &suppressed(r#"{"inhibitedBy":[],"mutedBy":[],"silencedBy":["ID"],"state":"suppressed"}"#),
        r#""generatorURL":"http://g/x","labels":{"a":"c","alertname":"Q"}"#,
        r#"{"s":"\u003ct\u003e"}"#,
    );
    let t = of(
        "c5088262821a4b75",
        r#"{"inhibitedBy":["c5208262822edd56"],"mutedBy":[],"silencedBy":[],"state":"suppressed"}"#,
        r#""labels":{"a":"b","alertname":"T"}"#,
        "{}",
    );
    let s = of(
        "c5208262822edd56",
        r#"{"inhibitedBy":[],"mutedBy":[],"silencedBy":[],"state":"active"}"#,
        r#""labels":{"a":"b","alertname":"S"}"#,
        "{}",
    );
    let check = async |query: &str, expect: &[&String]| {
        let expect: Vec<&str> = expect.iter().map(|text| text.as_str()).collect();
        world.check("GET", &format!("alerts{query}"), "", (200, &format!("[{}]", expect.join(",")))).await;
    };
    check("", &[&q, &t, &s]).await;
    check("?silenced=false&inhibited=false", &[&s]).await;
    check("?active=false", &[&q, &t]).await;
    check("?active=x", &[&q, &t]).await;
    check("?filter=a%3D%22c%22&receiver=ho.*", &[&q]).await;
    check("?receiver=ho", &[]).await;
    let regex = "\"error parsing regexp: missing closing ): `^(?:()$`\"";
    world.check("GET", "alerts?filter=a%3D~%22(%22", "", (400, regex)).await;
    let receiver = "\"failed to parse receiver param: error parsing regexp: missing closing ): `^(?:()$`\"";
    world.check("GET", "alerts?receiver=(", "", (400, receiver)).await;
    let group = |name: &str, alert: &str| {
        format!(r#"{{"alerts":[{alert}],"labels":{{"alertname":"{name}"}},"receiver":{{"name":"hook"}}}}"#)
    };
    let groups = format!("[{},{}]", group("S", &s), group("T", &t));
    world.check("GET", "alerts/groups?silenced=false", "", (200, &groups)).await;
    world.check("GET", "receivers", "", (200, r#"[{"name":"hook"},{"name":"other"}]"#)).await;
    let (status, text) = world.ask("GET", "status", "").await;
    assert!(status == 200 && text.contains("\\\"receiver\\\":\\\"hook\\\""), "{text}");

    let shown = suppressed(
        r#"{"id":"ID","status":{"state":"active"},"updatedAt":"2026-11-28T05:49:56.403Z","comment":"co","createdBy":"me","endsAt":"2026-11-28T06:49:56.466Z","matchers":[{"isEqual":true,"isRegex":false,"name":"alertname","value":"Q"},{"isEqual":true,"isRegex":true,"name":"a","value":"c|d"}],"startsAt":"2026-11-28T05:49:56.403Z"}"#,
    );
    world.check("GET", "silences?filter=alertname%3DQ", "", (200, &format!("[{shown}]"))).await;
    world.check("GET", "silences?filter=alertname%3DX", "", (200, "[]")).await;
    world.check("GET", &format!("silence/{id}"), "", (200, &shown)).await;
    for _ in 0..2 {
        world.check("DELETE", &format!("silence/{id}"), "", (200, "")).await;
    }
    let (_, text) = world.ask("GET", "silences", "").await;
    assert!(text.contains(r#""status":{"state":"expired"}"#), "{text}");
}

#[tokio::test]
async fn what_is_no_alert_or_silence() {
    let world = World::new();
    let alerts = async |body: &str, status: u16, expect: &str| {
        world.check("POST", "alerts", body, (status, expect)).await;
    };
    alerts("[]", 200, "").await;
    alerts(r#"[{"annotations":{}}]"#, 422, r#"{"code":602,"message":"0.labels in body is required"}"#).await;
    let url = r#"{"code":601,"message":"0.generatorURL in body must be of type uri: \"::\""}"#;
    alerts(r#"[{"labels":{"a":"b"},"generatorURL":"::"}]"#, 422, url).await;
    let both = r#"[{"labels":{"":"b"}},{"labels":{"a":"","b":"c"}}]"#;
    alerts(both, 400, r#""invalid label set: invalid name \"\"""#).await;
    assert!(
        world.ask("GET", "alerts", "").await.1.contains(r#""labels":{"b":"c"}"#),
        "the good one is taken"
    );
    let times = r#"[{"labels":{"a":"b"},"startsAt":"2026-01-02T03:04:05Z","endsAt":"2026-01-01T03:04:05Z"}]"#;
    alerts(times, 400, r#""start time must be before end time""#).await;
    alerts(r#"[{"labels":{}}]"#, 400, r#""at least one label pair required""#).await;
    alerts(r#"[{"labels":{"x":"y"},"x":1,"startsAt":"0001-01-01T00:00:00.000Z"}]"#, 200, "").await;
    let kind = r#"{"code":415,"message":"unsupported media type \"text/plain\", only [application/json] are allowed"}"#;
    alerts("!", 415, kind).await;
    assert!(
        world
            .ask("POST", "alerts", "{}")
            .await
            .1
            .starts_with(r#"{"code":400,"message":"parsing alerts body from \"\" failed"#)
    );

    let rest = r#""startsAt":"2026-11-28T00:00:00Z","endsAt":"2027-11-28T00:00:00Z""#;
    let silences = async |body: String, status: u16, expect: &str| {
        world.check("POST", "silences", &body, (status, expect)).await;
    };
    let none = r#"{"code":612,"message":"matchers in body should have at least 1 items"}"#;
    silences(format!(r#"{{"matchers":[],{rest},"createdBy":"me","comment":"c"}}"#), 422, none).await;
    let comment = r#"{"code":602,"message":"comment in body is required"}"#;
    silences(format!(r#"{{{rest},"createdBy":"me"}}"#), 422, comment).await;
    let matchers = r#""matchers":[{"name":"a","value":"","isRegex":false}],"createdBy":"me","comment":"c""#;
    let all = "\"invalid silence: matcher set 0: at least one matcher must not match the empty string\"";
    silences(format!("{{{matchers},{rest}}}"), 400, all).await;
    let id = "00000000-0000-4000-8000-000000000000";
    let matchers = matchers.replace("\"value\":\"\"", "\"value\":\"x\"");
    silences(format!(r#"{{"id":"{id}",{matchers},{rest}}}"#), 404, "\"silence not found\"").await;
    world.check("DELETE", &format!("silence/{id}"), "", (404, "")).await;
    let abc = r#"{"code":601,"message":"silenceID in path must be of type uuid: \"abc\""}"#;
    world.check("GET", "silence/abc", "", (422, abc)).await;
}

#[tokio::test]
async fn without_a_configuration_nobody_is_notified() {
    let request = Request::get("/alertmanager/api/v2/status").body(Body::empty()).expect("is one");
    assert_eq!(router(None).oneshot(request).await.expect("answers").status(), 404);
}

#[tokio::test]
async fn what_does_not_say_that_it_is_json_is_refused() {
    let world = World::new();
    let request = Request::post("/alertmanager/api/v2/alerts").body(Body::from("[]")).expect("is one");
    let answer = router(Some(Arc::clone(&world.courier))).oneshot(request).await.expect("answers");
    assert_eq!(answer.status().as_u16(), 415);
    let body = answer.into_body().collect().await.expect("reads").to_bytes();
    let expect = r#"{"code":415,"message":"unsupported media type \"application/octet-stream\", only [application/json] are allowed"}"#;
    assert_eq!(String::from_utf8_lossy(&body).trim_end(), expect);
}
