//! Tokens: what each scope allows, and that a token for some series reaches no others by any route there is.

use std::path::Path;
use std::time::{Duration, Instant};

use mayfly_tests::{Fixture, mayfly};
use testkit::http::{self, Request, Response};
use testkit::protobuf::Message;
use testkit::remote_write::{V1, request_v1, series_v1};
use testkit::server::{Mayfly, built};

/// Stands in data of others, and in no request.
const SECRET: &str = "hidden";

/// Makes a token with the command that people use.
pub(super) fn token(folder: &Path, name: &str, more: &[&str]) -> String {
    let words = [&["token", "new", "--name", name, "--file", "tokens.yml"][..], more].concat();
    let (code, out, err) = mayfly(folder, &words);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    out.trim_end().to_owned()
}

const TEAM: [&str; 8] =
    ["--scope", "push", "--scope", "read", "--scope", "delete", "--match", "{job=~\"team-.*\"}"];

struct World {
    fixture: Fixture,
    boss: String,
    team: String,
    /// May do everything, for another tenant.
    rival: String,
}

impl World {
    fn new(args: &[&str]) -> Self {
        let (mut boss, mut team, mut rival) = (String::new(), String::new(), String::new());
        let fixture = Fixture::with_args(|folder| {
            boss = token(folder.path(), "boss", &["--scope", "admin"]);
            team = token(folder.path(), "team", &TEAM);
            rival = token(folder.path(), "rival", &["--scope", "admin", "--tenant", "rivals"]);
            let rules = "groups:\n- name: g\n  interval: 1s\n  rules:\n  - {alert: Zebra, expr: zebra_rows > 0, labels: {severity: page}}\n";
            std::fs::write(folder.path().join("rules.yml"), rules).unwrap();
            let file = |name: &str| folder.path().join(name).display().to_string();
            let own = ["--access.tokens-file", &file("tokens.yml"), "--rules", &file("rules.yml")];
            own.iter().chain(args).map(|arg| (*arg).to_owned()).collect()
        });
        Self { fixture, boss, team, rival }
    }

    fn base(&self, port: &str) -> &str {
        if port == "gateway" { &self.fixture.server().gateway } else { &self.fixture.server().query }
    }

    fn send(&self, port: &str, token: &str, request: Request) -> Response {
        let request = request.header("authorization", &format!("Bearer {token}"));
        http::send(self.base(port), &request).unwrap()
    }

    fn push(&self, token: &str, method: &str, group: &str, body: &str) -> (u16, String) {
        let answer =
            self.send("gateway", token, Request::new(method, &format!("/metrics/{group}")).body(body));
        (answer.status, answer.text())
    }

    fn ask(&self, token: &str, query: &str) -> String {
        let target = format!("/api/v1/query?query={}", testkit::server::escape(query));
        self.send("query", token, Request::new("GET", &target)).text()
    }

    /// How many series of others there are, and the sum of their values.
    fn of_others(&self) -> String {
        let asked = |query: &str| {
            let answer = self.ask(&self.boss, query);
            serde_json::from_str::<serde_json::Value>(&answer).unwrap()["data"]["result"][0]["value"][1]
                .clone()
        };
        let others = "{job!~\"team-.*\",__name__=~\"zebra.*\"}[1h]";
        format!(
            "{} {}",
            asked(&format!("count(last_over_time({others}))")),
            asked(&format!("sum(last_over_time({others}))"))
        )
    }
}

/// What `mayfly token routes` lists: port, method, path, what it needs.
fn routes(folder: &Path) -> Vec<[String; 4]> {
    let (code, out, _) = mayfly(folder, &["token", "routes"]);
    assert_eq!(code, Some(0));
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        [words[0], words[1], words[2], &words[3..].join(" ")].map(str::to_owned)
    };
    out.lines().map(row).collect()
}

pub(super) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

pub(super) fn snappy(message: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(message).unwrap()
}

pub(super) fn otlp(job: &str, temporality: u8) -> String {
    format!(
        r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"{job}"}}}}]}},
        "scopeMetrics":[{{"metrics":[{{"name":"zebra.rows","sum":{{"aggregationTemporality":{temporality},"isMonotonic":true,
        "dataPoints":[{{"timeUnixNano":"{}000000","asInt":"7"}}]}}}}]}}]}}]}}"#,
        now_ms()
    )
}

/// Requests by which a route may be made to show or change what is of others.
fn attempts(method: &str, path: &str) -> Vec<Request> {
    let selectors = [
        "zebra_rows",
        "{job=\"other\"}",
        "{job=~\".*\",__name__=~\"zebra.*\"}",
        "{__name__=~\".%2B\"}",
        "{job!~\"team-.*\",__name__!=\"\"}",
    ];
    let path = path.replace("{*group}", "other").replace("{name}", "owner");
    let now_s = now_ms() / 1_000;
    let times = format!("start={}&end={now_s}&step=60&limit=1000", now_s - 3_600);
    let plain = |target: &str| Request::new(method, target);
    let form = |selector: &str| {
        plain(&path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("query={selector}&match[]={selector}&{times}"))
    };
    let mut all = vec![plain(&path), plain(&format!("{path}?{times}"))];
    for selector in selectors {
        let escaped =
            selector.replace('"', "%22").replace('{', "%7B").replace('}', "%7D").replace('~', "%7E");
        let target = format!("{path}?query={escaped}&match[]={escaped}&{times}&q=CREATE+DATABASE+x");
        all.extend([plain(&target), form(&escaped)]);
    }
    let asked = testkit::server::escape(
        "info(up) or absent(zebra_rows) or label_replace(zebra_rows, \"job\", \"team-a\", \"\", \"\")",
    );
    all.push(plain(&format!("{path}?query={asked}&{times}")));
    let labels = [("__name__", "zebra_rows"), ("job", "other")];
    let written = request_v1([series_v1(&labels, &[(now_ms(), 9.0)])]);
    all.push(
        plain(&path).header("content-type", V1).header("content-encoding", "snappy").body(snappy(&written)),
    );
    for temporality in [1, 2] {
        all.push(plain(&path).header("content-type", "application/json").body(otlp("other", temporality)));
    }
    for (name, form) in [("__name__", 0), ("__name__", 1), ("job", 0), ("job", 1)] {
        let matcher = Message::new().varint(1, 2).bytes(2, name).bytes(3, "zebra.*|other");
        let query = Message::new().int(1, 0).int(2, now_ms()).message(3, matcher);
        all.push(plain(&path).body(snappy(&Message::new().message(1, query).varint(2, form).into_bytes())));
    }
    all.push(plain(&path).body("zebra_rows,job=other rows=9\n"));
    all.push(plain(&path).body("zebra_rows 9\n"));
    // whose path is of the team, while its body is not
    all.push(
        plain(&path.replace("/job/other", "/owner/team-a/job/other")).body("zebra_rows{job=\"team-a\"} 9\n"),
    );
    let batch = r#"{"requests":[{"method":"PUT","path":"/metrics/job/other","body":"zebra_rows 9\n"},
        {"method":"DELETE","path":"/metrics/job/other/owner/x"},{"method":"POST","path":"/aggregate/metrics/job/other/a/b","body":"zebra_rows 9\n"}]}"#;
    all.push(plain(&path).header("content-type", "application/json").body(batch));
    all
}

#[test]
fn a_team_reaches_nothing_of_others_by_any_route() {
    let world = World::new(&["--web.enable-admin-api", "--web.enable-lifecycle"]);
    let text =
        format!("# TYPE zebra_rows gauge\n# HELP zebra_rows {SECRET}\nzebra_rows{{owner=\"{SECRET}\"}} 5\n");
    assert_eq!(world.push(&world.boss, "PUT", "job/other", &text), (200, String::new()));
    assert_eq!(
        world.push(&world.boss, "PUT", &format!("job/other/owner/{SECRET}-2"), "zebra_more 1\n").0,
        200
    );
    let labels = [("__name__", "zebra_written"), ("job", "other"), ("owner", SECRET)];
    let trace = Message::new().bytes(1, "trace_id").bytes(2, SECRET);
    let exemplar = Message::new().message(1, trace).double(2, 0.5).int(3, now_ms());
    let series = series_v1(&labels, &[(now_ms(), 3.0)]).message(3, exemplar);
    let written = snappy(&request_v1([series]));
    let request =
        Request::new("POST", "/api/v1/write").header("content-type", V1).header("content-encoding", "snappy");
    assert_eq!(world.send("query", &world.boss, request.body(written)).status, 204);
    let traced =
        format!("# TYPE zebra_calls counter\nzebra_calls_total 1 # {{trace=\"{SECRET}\"}} 1\n# EOF\n");
    let request =
        Request::new("POST", "/metrics/job/other").header("content-type", "application/openmetrics-text");
    assert_eq!(world.send("gateway", &world.boss, request.body(traced)).status, 200);
    assert_eq!(world.push(&world.team, "PUT", "job/team-a", "team_rows 1\n"), (200, String::new()));
    let end = Instant::now() + Duration::from_secs(20);
    while !world.send("query", &world.boss, Request::new("GET", "/api/v1/alerts")).text().contains(SECRET) {
        assert!(Instant::now() < end, "no alert");
        std::thread::sleep(Duration::from_millis(50));
    }
    let before = world.of_others();
    assert_eq!(before, "\"4\" \"10\"");

    let routes = routes(world.fixture.storage().parent().unwrap());
    assert!(routes.len() > 60, "{routes:?}");
    let (mut shown, mut refused) = (Vec::new(), 0);
    for [port, method, path, need] in &routes {
        for request in attempts(method, path) {
            let answer = world.send(port, &world.team, request.clone());
            let text = answer.text();
            assert!(!text.contains(SECRET), "{method} {port} {path}: {request:?}: {text}");
            refused += usize::from(answer.status == 403);
            let of_rival = world.send(port, &world.rival, request.clone());
            let text = of_rival.text();
            for hidden in [SECRET, "tokens.yml", "Zebra"] {
                assert!(!text.contains(hidden), "{method} {port} {path}: {request:?}: {text}");
            }
            if need.ends_with("tenant default") {
                assert_eq!(of_rival.status, 403, "{method} {port} {path}: {text}");
            }
            let nobody = http::send(world.base(port), &request).unwrap();
            let expect_open = need == "nothing";
            assert_eq!(nobody.status != 401, expect_open, "{method} {port} {path}");
            if need.contains("read")
                && (method == "GET" || path == "/api/v1/read")
                && world.send(port, &world.boss, request).text().contains(SECRET)
            {
                shown.push(format!("{port} {path}"));
            }
        }
        assert_eq!(world.of_others(), before, "{method} {port} {path}");
    }
    // these requests do ask for what the team is not to see
    shown.dedup();
    for path in [
        "gateway /",
        "gateway /metrics",
        "gateway /api/v1/metrics",
        "query /api/v1/query",
        "query /api/v1/query_range",
        "query /api/v1/query_exemplars",
        "query /api/v1/series",
        "query /api/v1/label/{name}/values",
        "query /api/v1/metadata",
        "query /api/v1/rules",
        "query /api/v1/alerts",
        "query /api/v1/status/tsdb",
        "query /federate",
        "query /api/v1/read",
    ] {
        assert!(shown.iter().any(|shown| shown == path), "{path}: {shown:?}");
    }
    assert!(refused > 100, "{refused}");
    // which may have the same of its own
    assert_eq!(world.push(&world.rival, "PUT", "job/other", "zebra_rows 900\n"), (200, String::new()));
    assert!(world.ask(&world.rival, "zebra_rows").contains("900"));
    assert_eq!(world.of_others(), before);
    // and it sees what is its own; some of its requests have deleted that
    assert_eq!(world.push(&world.team, "PUT", "job/team-a", "team_rows 1\n"), (200, String::new()));
    assert!(world.ask(&world.team, "team_rows").contains("team-a"));
    for path in ["/metrics", "/api/v1/metrics", "/"] {
        let text = world.send("gateway", &world.team, Request::new("GET", path)).text();
        assert!(text.contains("team_rows"), "{path}: {text}");
    }
}

#[test]
fn a_scope_allows_its_routes_and_no_others() {
    let mut tokens = Vec::new();
    let fixture = Fixture::with_args(|folder| {
        for scope in ["push", "read", "delete"] {
            tokens.push((scope, token(folder.path(), scope, &["--scope", scope])));
        }
        let file = folder.path().join("tokens.yml").display().to_string();
        vec![
            "--access.tokens-file".to_owned(),
            file,
            "--web.enable-admin-api".to_owned(),
            "--web.enable-lifecycle".to_owned(),
        ]
    });
    for [port, method, path, need] in routes(fixture.storage().parent().unwrap()) {
        let path = path.replace("{*group}", "x").replace("{name}", "x");
        let base = if port == "gateway" { &fixture.server().gateway } else { &fixture.server().query };
        for (scope, token) in &tokens {
            let request = Request::new(&method, &path).header("authorization", &format!("Bearer {token}"));
            let answer = http::send(base, &request).unwrap();
            let allowed = need == "nothing" || need.contains(scope);
            assert_eq!(answer.status != 403, allowed, "{scope}: {method} {port} {path}: {}", answer.text());
            if !allowed {
                let (text, part) = (answer.text(), format!("token \"{scope}\" has no scope"));
                assert!(text.replace("\\\"", "\"").contains(&part), "{text}");
            }
        }
    }
}

#[test]
fn what_a_team_pushes_lies_within_its_bounds_or_nothing_is_stored() {
    let world = World::new(&["--web.enable-admin-api"]);
    let check = |(status, text): (u16, String), expect: u16, part: &str| {
        assert!(status == expect && text.contains(part), "{status} {text}");
    };
    check(world.push(&world.team, "POST", "job/team-b/instance/i", "rows 1\n"), 200, "");
    check(
        world.push(&world.team, "POST", "job/x", "rows{job=\"team-b\"} 1\n"),
        403,
        "and group {job=\"x\"} is outside of that",
    );
    check(world.push(&world.team, "DELETE", "job/x", ""), 403, "is outside of that");
    let write = |labels: &[&[(&str, &str)]]| {
        let series = labels.iter().map(|labels| series_v1(labels, &[(now_ms(), 1.0)]));
        let request = Request::new("POST", "/api/v1/write")
            .header("content-type", V1)
            .header("content-encoding", "snappy");
        let answer = world.send("gateway", &world.team, request.body(snappy(&request_v1(series))));
        (answer.status, answer.text())
    };
    let (within, outside) = ([("__name__", "w"), ("job", "team-w")], [("__name__", "w"), ("job", "x")]);
    check(write(&[&within, &outside]), 403, "and series w{job=\"x\"} is outside of that");
    let absent = world.ask(&world.boss, "absent(w)");
    assert!(absent.contains("\"1\""), "{absent}");
    check(write(&[&within]), 204, "");
    let send = |path: &str, content_type: &str, body: &str| {
        let request = Request::new("POST", path).header("content-type", content_type).body(body);
        let answer = world.send("gateway", &world.team, request);
        (answer.status, answer.text())
    };
    check(send("/write", "text/plain", "m,job=team-l v=1\n"), 204, "");
    check(
        send("/write", "text/plain", "m,job=team-l v=1\nm v=2\n"),
        403,
        "{\"error\":\"token \\\"team\\\" is bound to",
    );
    check(send("/api/v2/write", "text/plain", "m v=2\n"), 403, "\"code\":\"forbidden\"");
    for temporality in [1, 2] {
        check(send("/v1/metrics", "application/json", &otlp("team-o", temporality)), 200, "{}");
        check(send("/v1/metrics", "application/json", &otlp("x", temporality)), 403, "is outside of that");
    }
    // a batch is answered one by one
    let batch = r#"{"requests":[{"method":"PUT","path":"/metrics/job/team-c","body":"rows 3\n"},{"method":"PUT","path":"/metrics/job/x","body":"rows 3\n"}]}"#;
    let (status, text) = send("/api/v1/batch", "application/json", batch);
    assert!(status == 200 && text.contains("{\"status\":200},{\"status\":403"), "{text}");
    let all = world.ask(&world.boss, "count({job!~\"team-.*\",__name__!=\"\"})");
    assert!(all.contains("\"result\":[]"), "{all}");

    // what is deleted lies within them too
    check(world.push(&world.boss, "PUT", "job/other", "rows 1\n"), 200, "");
    let delete = |port: &str, method: &str, target: &str| {
        let answer = world.send(port, &world.team, Request::new(method, target));
        (answer.status, answer.text())
    };
    let everything = "?match[]=%7B__name__%3D~%22.%2B%22%7D";
    check(delete("query", "POST", &format!("/api/v1/admin/tsdb/delete_series{everything}")), 204, "");
    check(delete("gateway", "DELETE", "/api/v1/admin/groups?match[]=%7Bjob%3D~%22.%2B%22%7D"), 200, "");
    assert!(world.ask(&world.boss, "rows").contains("other"));
    assert!(world.ask(&world.boss, "{job=~\"team-.*\",__name__!=\"\"}").contains("\"result\":[]"));
    check(delete("gateway", "PUT", "/api/v1/admin/wipe"), 403, "about more than that");
}

#[test]
fn tokens_change_without_a_restart() {
    let world = World::new(&["--web.enable-lifecycle"]);
    let folder = world.fixture.storage().parent().unwrap().to_owned();
    let late = token(&folder, "late", &["--scope", "read"]);
    let may = |token: &str| world.send("query", token, Request::new("GET", "/api/v1/labels")).status;
    let until = |what: &str, holds: &dyn Fn() -> bool| {
        let end = Instant::now() + Duration::from_secs(20);
        while !holds() {
            assert!(Instant::now() < end, "not in time: {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    until("a new token by itself", &|| may(&late) == 200);
    let good = std::fs::read_to_string(folder.join("tokens.yml")).unwrap();
    std::fs::write(folder.join("tokens.yml"), "tokens: [{name: x}]\n").unwrap();
    let reload = || world.send("query", &world.boss, Request::new("POST", "/-/reload"));
    let answer = reload();
    assert!(
        answer.status == 500 && answer.text().contains("tokens.yml:1:10: a token must have the field hash"),
        "{}",
        answer.text()
    );
    let metric = |value: &str| {
        let text = world.send("query", &world.boss, Request::new("GET", "/metrics")).text();
        text.contains(&format!("mayfly_access_last_reload_successful {value}\n"))
    };
    assert!(metric("0") && may(&late) == 200);
    assert!(world.fixture.log().contains("file of tokens refused"));
    // all but the last entry
    let fewer = &good[..good.rfind("- name").unwrap()];
    std::fs::write(folder.join("tokens.yml"), fewer).unwrap();
    assert_eq!(reload().status, 200);
    assert!(metric("1") && may(&late) == 401);
    std::fs::write(folder.join("tokens.yml"), &good).unwrap();
    world.fixture.server().hang_up().unwrap();
    until("SIGHUP", &|| may(&late) == 200);
}

#[test]
fn whoever_can_be_reached_asks_who_it_is_unless_told_not_to() {
    let folder = tempfile::tempdir().unwrap();
    let start = |listen: [&str; 2], more: &[&str]| {
        let args: Vec<String> =
            ["--storage", "memory:"].iter().chain(more).map(|arg| (*arg).to_owned()).collect();
        Mayfly::start_on(&built("mayfly").unwrap(), listen, &args, &folder.path().join("log"))
    };
    let refused = |listen: [&str; 2], more: &[&str], flag: &str| {
        let error = start(listen, more).expect_err("is refused").to_string();
        assert!(error.contains(flag) && error.contains("--web.allow-anonymous"), "{error}");
    };
    let (here, all) = ("127.0.0.1:0", "0.0.0.0:0");
    refused([all, here], &[], "--gateway.listen-address 0.0.0.0:");
    refused([here, "[::]:0"], &[], "--query.listen-address [::]:");
    refused([here, here], &["--statsd.listen-address", all], "--statsd.listen-address 0.0.0.0:");
    start([all, all], &["--web.allow-anonymous"]).expect("starts");
    token(folder.path(), "t", &["--scope", "admin"]);
    let file = folder.path().join("tokens.yml").display().to_string();
    start([all, all], &["--access.tokens-file", &file]).expect("starts");
    // packets tell nothing about who sends them
    refused(
        [here, here],
        &["--access.tokens-file", &file, "--statsd.listen-address", all],
        "--statsd.listen-address",
    );
}
