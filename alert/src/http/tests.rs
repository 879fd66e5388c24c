use std::sync::Arc;

use access::{Bounds, Grant, Scopes};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use model::{MatchOp, Matcher};
use tower::ServiceExt;

use super::router;
use crate::testing::{FakeQuery, World, vector};
use crate::{Evaluator, Rules, Settings};

const FILE: &str = "
groups:
- name: b
  interval: 30s
  limit: 5
  labels: {team: x}
  rules:
  - {alert: Down, expr: up < 1, for: 1m, keep_firing_for: 1500ms, annotations: {summary: '{{ $value }} & more'}}
  - {record: ups, expr: count(up)}
- name: a
  rules:
  - {record: bad, expr: bad}
";

async fn world() -> (World, Arc<Evaluator>) {
    let world = World::new();
    let rules = Rules::load(&[("f.yml", FILE)], &FakeQuery::default()).expect("loads");
    world.query.answer("up < 1", vector(&[(&[("instance", "i")], 0.0)]));
    world.query.fail("bad", "no");
    let evaluator = Arc::new(Evaluator::new(rules, world.components(), Settings::default()));
    (world, evaluator)
}

/// `name=value` as the only matcher.
fn selector(text: &str) -> Result<Vec<Matcher>, String> {
    let (name, value) = text.split_once('=').ok_or("1:1: parse error: no selector")?;
    Ok(vec![Matcher::new(name, MatchOp::Equal, value).map_err(|error| error.to_string())?])
}

async fn get(evaluator: &Arc<Evaluator>, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).body(Body::empty()).expect("a request");
    let response = router(Arc::clone(evaluator), selector).oneshot(request).await.expect("answers");
    let status = response.status();
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8(body.to_vec()).expect("UTF-8"))
}

#[tokio::test]
async fn before_the_first_tick() {
    let (_, evaluator) = world().await;
    let (status, body) = get(&evaluator, "/api/v1/rules?type=alert").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        body,
        concat!(
            r#"{"status":"success","data":{"groups":[{"name":"b","file":"f.yml","rules":[{"state":"unknown","name":"Down","#,
            r#""query":"up \u003c 1","duration":60,"keepFiringFor":1.5,"labels":{"team":"x"},"#,
            r#""annotations":{"summary":"{{ $value }} \u0026 more"},"alerts":[],"health":"unknown","evaluationTime":0,"#,
            r#""lastEvaluation":"0001-01-01T00:00:00Z","type":"alerting"}],"interval":30,"limit":5,"evaluationTime":0,"#,
            r#""lastEvaluation":"0001-01-01T00:00:00Z"}]}}"#
        )
    );
    assert_eq!(get(&evaluator, "/api/v1/alerts").await.1, r#"{"status":"success","data":{"alerts":[]}}"#);
}

#[tokio::test]
async fn after_a_tick() {
    let (world, evaluator) = world().await;
    world.clock.advance_ms(600_500);
    evaluator.tick(600_500).await.expect("ticks");
    let (_, body) = get(&evaluator, "/api/v1/alerts").await;
    let state = evaluator.load().await.expect("loads");
    let active_at = crate::go::rfc3339_nano(state.groups["f.yml;b"].last_slot_ms.expect("evaluated"));
    assert_eq!(
        body,
        format!(
            r#"{{"status":"success","data":{{"alerts":[{{"labels":{{"alertname":"Down","instance":"i","team":"x"}},"annotations":{{"summary":"0 \u0026 more"}},"state":"pending","activeAt":"{active_at}","value":"0e+00"}}]}}}}"#
        )
    );
    let (_, body) = get(&evaluator, "/api/v1/rules?type=record").await;
    assert_eq!(
        body,
        concat!(
            r#"{"status":"success","data":{"groups":[{"name":"a","file":"f.yml","rules":[{"name":"bad","query":"bad","#,
            r#""health":"err","lastError":"no","evaluationTime":0,"lastEvaluation":"1970-01-01T00:10:00.5Z","#,
            r#""type":"recording"}],"interval":60,"limit":0,"evaluationTime":0,"#,
            r#""lastEvaluation":"1970-01-01T00:10:00.5Z"},{"name":"b","file":"f.yml","rules":[{"name":"ups","#,
            r#""query":"count(up)","labels":{"team":"x"},"health":"ok","evaluationTime":0,"#,
            r#""lastEvaluation":"1970-01-01T00:10:00.5Z","type":"recording"}],"interval":30,"limit":5,"#,
            r#""evaluationTime":0,"lastEvaluation":"1970-01-01T00:10:00.5Z"}]}}"#
        )
    );
}

#[tokio::test]
async fn who_is_bound_sees_what_is_within() {
    let (world, evaluator) = world().await;
    world.clock.advance_ms(600_500);
    evaluator.tick(600_500).await.expect("ticks");
    let seen = async |name: &str, value: &str, path: &str| {
        let bounds = Bounds::new(vec![Matcher::equal(name, value)]);
        let grant = Grant::new("bound", Scopes::ALL, None, bounds);
        let request = Request::get(path).extension(grant).body(Body::empty()).expect("a request");
        let response = router(Arc::clone(&evaluator), selector).oneshot(request).await.expect("answers");
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        String::from_utf8(body.to_vec()).expect("UTF-8")
    };
    let (rules, alerts) = ("/api/v1/rules", "/api/v1/alerts");
    let of_team = seen("team", "x", rules).await;
    assert!(of_team.contains("\"Down\"") && of_team.contains("\"pending\"") && !of_team.contains("bad"));
    assert!(seen("team", "x", alerts).await.contains("\"Down\""));
    for path in [rules, alerts] {
        let of_other = seen("team", "y", path).await;
        assert!(!of_other.contains("Down") && !of_other.contains("bad"), "{of_other}");
    }
    // the alerts have this label, the rules do not
    assert!(seen("instance", "i", alerts).await.contains("\"Down\""));
    assert!(!seen("instance", "i", rules).await.contains("Down"));
    // of whose groups nothing may be seen, no token is known either
    let page = async |value: &str, token: &str| {
        seen("team", value, &format!("{rules}?group_limit=1&group_next_token={token}")).await
    };
    let (_, all) = get(&evaluator, "/api/v1/rules?group_limit=1").await;
    let all: serde_json::Value = serde_json::from_str(&all).expect("JSON");
    let token = all["data"]["groupNextToken"].as_str().expect("there is more").to_owned();
    assert!(page("x", &token).await.contains("\"Down\""));
    assert!(page("y", &token).await.contains(&format!("invalid group_next_token '{token}'")));
    // neither an alert within a rule, nor its state, nor the reason of an error
    let of_none = seen("team", "", rules).await;
    assert!(of_none.contains("the token does not let see why") && !of_none.contains("Down"), "{of_none}");
}

#[tokio::test]
async fn filters() {
    let (_, evaluator) = world().await;
    let names = async |query: &str| {
        let (_, body) = get(&evaluator, &format!("/api/v1/rules?{query}")).await;
        let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        let groups = body["data"]["groups"].as_array().expect("groups").clone();
        let rules = groups.iter().flat_map(|group| group["rules"].as_array().expect("rules").clone());
        rules.map(|rule| rule["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["bad", "Down", "ups"]);
    assert_eq!(names("rule_name[]=ups&rule_name[]=bad").await, ["bad", "ups"]);
    assert_eq!(names("rule_group[]=b").await, ["Down", "ups"]);
    assert_eq!(names("file[]=other").await, Vec::<String>::new());
    assert_eq!(names("match[]=team%3Dx").await, ["Down", "ups"]);
    assert_eq!(names("match[]=team%3Dx&match[]=team%3D&type=record").await, ["bad", "ups"]);
    assert_eq!(names("match[]=team%3Dy").await, Vec::<String>::new());
    let (_, body) = get(&evaluator, "/api/v1/rules?exclude_alerts=true").await;
    assert!(body.contains(r#""alerts":null"#));
    let (status, body) = get(&evaluator, "/api/v1/rules?type=x").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(
        body,
        r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"type\": not supported value \"x\""}"#
    );
}

#[tokio::test]
async fn pages() {
    let (_, evaluator) = world().await;
    let page = async |query: &str| {
        let (status, body) = get(&evaluator, &format!("/api/v1/rules?{query}")).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        let groups = body["data"]["groups"].as_array().expect("groups").clone();
        let names = groups.iter().map(|group| group["name"].as_str().expect("a name").to_owned());
        (names.collect::<Vec<_>>(), body["data"]["groupNextToken"].as_str().map(str::to_owned))
    };
    let (names, token) = page("group_limit=1").await;
    assert_eq!(names, ["a"]);
    let token = token.expect("there is more");
    assert_eq!(page(&format!("group_limit=1&group_next_token={token}")).await, (vec!["b".to_owned()], None));
    // a group of which no rule is asked for takes no place
    assert_eq!(page("group_limit=1&type=alert").await, (vec!["b".to_owned()], None));
    assert_eq!(page("group_limit=2").await.1, None);
    let (status, body) = get(&evaluator, "/api/v1/rules?group_limit=1&group_next_token=x").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body.contains("invalid group_next_token 'x'. were rule groups changed?"), "{body}");
}

#[tokio::test]
async fn who_gets_alerts() {
    let (_, evaluator) = world().await;
    let (_, body) = get(&evaluator, "/api/v1/alertmanagers").await;
    let expect =
        r#"{"status":"success","data":{"activeAlertmanagers":[{"url":"am"}],"droppedAlertmanagers":[]}}"#;
    assert_eq!(body, expect);
}
