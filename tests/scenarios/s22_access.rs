//! Tokens: what each scope allows, and that a token for some series reaches no others by any route there is.

mod attempts;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use mayfly_tests::{Fixture, mayfly};
use testkit::http::{self, Request, Response};
use testkit::protobuf::Message;
use testkit::remote_write::{V1, request_v1, series_v1};
use testkit::server::{Mayfly, built};

use attempts::{DRY, ROUTES, Tells, attempts};

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
            let rules = "groups:\n- name: hidden\n  interval: 1s\n  rules:\n  - {alert: Zebra, expr: zebra_rows > 0, labels: {severity: page}}\n";
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
        "scopeMetrics":[{{"metrics":[{{"name":"zebra.rows","description":"mine","sum":{{"aggregationTemporality":{temporality},"isMonotonic":true,
        "dataPoints":[{{"timeUnixNano":"{}000000","asInt":"7"}}]}}}}]}}]}}]}}"#,
        now_ms()
    )
}

/// Of which others have told, and nobody else is to change that.
const OTHERS: [&str; 6] =
    ["hidden_rows", "zebra_calls_total", "zebra_more", "zebra_rows", "zebra_rows_total", "zebra_written"];

/// All that an answer says, its head included.
fn said(answer: &Response) -> String {
    let head: Vec<String> = answer.headers.0.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let body = snap::raw::Decoder::new().decompress_vec(&answer.body).unwrap_or_default();
    format!("{}\n{}\n{}", head.join("\n"), answer.text(), String::from_utf8_lossy(&body))
}

impl World {
    /// Series of gauges, counters and others, by every way in, whose names and texts others are not to learn, and others that they may
    /// know the names of.
    fn of_others_and_of_the_team(&self) {
        let text = format!(
            "# TYPE zebra_rows gauge\n# HELP zebra_rows {SECRET} help\nzebra_rows{{owner=\"{SECRET}\"}} 5\n\
             # HELP {SECRET}_rows {SECRET} help\n{SECRET}_rows{{{SECRET}_label=\"x\"}} 1\n"
        );
        assert_eq!(self.push(&self.boss, "PUT", "job/other", &text), (200, String::new()));
        // of the same names
        self.push_of_team();
        assert_eq!(self.push(&self.boss, "PUT", "job/other", &text), (200, String::new()));
        let group = format!("job/other/owner/{SECRET}-2");
        assert_eq!(self.push(&self.boss, "PUT", &group, "zebra_more 1\n").0, 200);
        let labels = [("__name__", "zebra_written"), ("job", "other"), ("owner", SECRET)];
        let trace = Message::new().bytes(1, "trace_id").bytes(2, SECRET);
        let exemplar = Message::new().message(1, trace).double(2, 0.5).int(3, now_ms());
        let series = series_v1(&labels, &[(now_ms(), 3.0)]).message(3, exemplar);
        let told = Message::new().varint(1, 2).bytes(2, "zebra_written").bytes(4, format!("{SECRET} help"));
        let mut written = request_v1([series]);
        written.extend(Message::new().message(3, told).into_bytes());
        let request = Request::new("POST", "/api/v1/write")
            .header("content-type", V1)
            .header("content-encoding", "snappy");
        assert_eq!(self.send("query", &self.boss, request.body(snappy(&written))).status, 204);
        let traced = format!(
            "# TYPE zebra_calls counter\n# UNIT zebra_calls calls\n# HELP zebra_calls {SECRET} help\nzebra_calls_total 1 # {{trace=\"{SECRET}\"}} 1\n# EOF\n"
        );
        let request =
            Request::new("POST", "/metrics/job/other").header("content-type", "application/openmetrics-text");
        assert_eq!(self.send("gateway", &self.boss, request.body(traced)).status, 200);
        for temporality in [1, 2] {
            let body = otlp("other", temporality).replace("mine", &format!("{SECRET} help"));
            let request = Request::new("POST", "/v1/metrics").header("content-type", "application/json");
            assert_eq!(self.send("query", &self.boss, request.body(body)).status, 200);
        }
        let end = Instant::now() + Duration::from_secs(20);
        let alerts = || self.send("query", &self.boss, Request::new("GET", "/api/v1/alerts")).text();
        while !alerts().contains(SECRET) {
            assert!(Instant::now() < end, "no alert");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What some of the team's requests delete.
    fn push_of_team(&self) {
        let text =
            "# HELP zebra_rows mine\n# TYPE zebra_rows gauge\nzebra_rows{owner=\"mine\"} 9\nteam_rows 1\n";
        assert_eq!(self.push(&self.team, "PUT", "job/team-a", text), (200, String::new()));
    }

    /// The series of others and what is told of them, as whoever may see everything sees it.
    fn of_others(&self) -> String {
        let others = "{job!~\"team-.*\",__name__=~\"(zebra|hidden).*|push_time_seconds|target_info\"}[1h]";
        let values = self.ask(&self.boss, &format!("last_over_time({others})"));
        let values: serde_json::Value = serde_json::from_str(&values).unwrap();
        let mut values: Vec<String> = values["data"]["result"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| format!("{} {}", s["metric"], s["value"][1]))
            .collect();
        values.sort();
        let told = self.send("query", &self.boss, Request::new("GET", "/api/v1/metadata")).json().unwrap();
        let first =
            told["data"].as_object().unwrap().iter().map(|(name, told)| format!("{name} {}", told[0]));
        let of_others = |line: &String| OTHERS.iter().any(|family| line.starts_with(&format!("{family} ")));
        let page = self.send("gateway", &self.boss, Request::new("GET", "/metrics")).text();
        let of_page =
            |line: &&str| line.contains("job=\"other\"") || line.starts_with('#') && !line.contains("team_");
        let page: Vec<&str> = page.lines().filter(of_page).collect();
        [values, first.filter(of_others).collect(), page.into_iter().map(str::to_owned).collect()]
            .concat()
            .join("\n")
    }
}

#[test]
fn a_team_reaches_nothing_of_others_by_any_route() {
    let world = World::new(&["--web.enable-admin-api", "--web.enable-lifecycle"]);
    world.of_others_and_of_the_team();
    let before = world.of_others();
    for part in [
        "zebra_rows {\"help\":\"hidden help\",\"type\":\"gauge\",\"unit\":\"\"}",
        "zebra_calls_total {\"help\":\"hidden help\",\"type\":\"counter\",\"unit\":\"calls\"}",
        "zebra_written {\"help\":\"hidden help\",\"type\":\"gauge\",\"unit\":\"\"}",
        "# HELP zebra_rows hidden help",
        "hidden_rows",
    ] {
        assert!(before.contains(part), "{part}: {before}");
    }

    let routes = routes(world.fixture.storage().parent().unwrap());
    let known: BTreeSet<(&str, &str)> = ROUTES.iter().map(|(port, path, _)| (*port, *path)).collect();
    let found: BTreeSet<(&str, &str)> = routes.iter().map(|[port, _, path, _]| (&**port, &**path)).collect();
    assert_eq!(known, found, "a route that is new needs a line in ROUTES");
    let (mut shown, mut refused) = (BTreeSet::new(), 0);
    for [port, method, path, need] in &routes {
        let hides = |who: &str, request: &Request, answer: &Response, hidden: &[&str]| {
            let said = said(answer);
            let found = hidden.iter().find(|hidden| said.contains(**hidden));
            assert!(found.is_none(), "{who}: {port} {request:?}: {said}");
        };
        world.push_of_team();
        for request in attempts(method, path) {
            let answer = world.send(port, &world.team, request.clone());
            hides("team", &request, &answer, &[SECRET]);
            refused += usize::from(answer.status == 403);
            let of_rival = world.send(port, &world.rival, request.clone());
            hides("rival", &request, &of_rival, &[SECRET, "tokens.yml", "Zebra"]);
            if need.ends_with("tenant default") {
                assert_eq!(of_rival.status, 403, "{method} {port} {path}");
            }
            let nobody = http::send(world.base(port), &request).unwrap();
            let expect_open = need == "nothing";
            assert_eq!(nobody.status != 401, expect_open, "{method} {port} {path}");
            let is_dry = path == "/api/v1/admin/groups" && request.target.contains(DRY);
            let only_reads = need.contains("read") || is_dry;
            if only_reads && said(&world.send(port, &world.boss, request)).contains(SECRET) {
                shown.insert((&**port, &**path));
            }
        }
        if method == "GET" {
            for request in attempts("HEAD", path) {
                let answer = world.send(port, &world.team, request.clone());
                assert!(answer.body.is_empty());
                hides("team", &request, &answer, &[SECRET]);
            }
        }
        assert_eq!(world.of_others(), before, "{method} {port} {path}");
    }
    // what these requests ask for is there to be seen
    let tell: BTreeSet<(&str, &str)> = ROUTES
        .iter()
        .filter(|(.., tells)| *tells == Tells::Data)
        .map(|(port, path, _)| (*port, *path))
        .collect();
    assert_eq!(shown, tell);
    assert!(refused > 100, "{refused}");
    // which may have the same of its own
    assert_eq!(world.push(&world.rival, "PUT", "job/other", "zebra_rows 900\n"), (200, String::new()));
    assert!(world.ask(&world.rival, "zebra_rows").contains("900"));
    assert_eq!(world.of_others(), before);
    // and it sees what is its own
    world.push_of_team();
    assert!(world.ask(&world.team, "team_rows").contains("team-a"));
    for (path, told) in [
        ("/metrics", "# HELP zebra_rows mine\n# TYPE zebra_rows gauge\n"),
        ("/api/v1/metrics", "\"help\":\"mine\""),
        ("/", "mine"),
    ] {
        let text = world.send("gateway", &world.team, Request::new("GET", path)).text();
        assert!(text.contains("team_rows") && text.contains(told), "{path}: {text}");
    }
    let told = |name: &str| {
        let target = format!("/api/v1/metadata?metric={name}");
        world.send("query", &world.team, Request::new("GET", &target)).json().unwrap()["data"][name]
            .to_string()
    };
    let own = told("zebra_rows");
    assert!(
        own.starts_with(r#"[{"help":"mine","type":"gauge","unit":""}"#) && !own.contains(SECRET),
        "{own}"
    );
    // of which all series are the team's, whoever has told of it
    let text = "# HELP team_told of all\nteam_told 1\n";
    assert_eq!(world.push(&world.boss, "PUT", "job/team-told", text), (200, String::new()));
    assert_eq!(told("team_told"), r#"[{"help":"of all","type":"unknown","unit":""}]"#);
    assert_eq!(told("zebra_more"), "null");
}

/// By any method that a route does not have, a team gets nowhere.
#[test]
fn methods_that_a_route_does_not_have_are_refused() {
    let world = World::new(&["--web.enable-admin-api", "--web.enable-lifecycle"]);
    let routes = routes(world.fixture.storage().parent().unwrap());
    for (port, path, _) in ROUTES {
        let has = |method: &str| {
            let method = if method == "HEAD" { "GET" } else { method };
            routes.iter().any(|[p, m, at, _]| (&**p, &**m, &**at) == (port, method, path))
        };
        let target = path.replace("{*group}", "other").replace("{name}", "owner");
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "QUERY"] {
            if !has(method) {
                let answer = world.send(port, &world.team, Request::new(method, &target));
                assert_eq!(answer.status, 403, "{method} {port} {path}: {}", answer.text());
            }
        }
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
