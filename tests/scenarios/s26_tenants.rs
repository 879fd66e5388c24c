//! Several tenants in one server: each has its own data, its own limits, and sees nothing of the others.

use std::path::Path;
use std::time::{Duration, Instant};

use mayfly_tests::Fixture;
use testkit::http::{self, Request, Response};
use testkit::remote_write::{V1, request_v1, series_v1};
use testkit::server::escape;

use super::s14_compact::{files_of, seed};
use super::s22_access::{now_ms, otlp, snappy, token};

const TENANTS: [&str; 3] = ["default", "a", "b"];

/// Sends a request for a tenant, in whichever way the server knows it by.
type Send<'a> = &'a dyn Fn(&str, &str, Request) -> Response;

fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn value(send: Send, tenant: &str, query: &str) -> Vec<String> {
    let target = format!("/api/v1/query?query={}", escape(query));
    let answer = send("query", tenant, Request::new("GET", &target));
    assert_eq!(answer.status, 200, "{tenant} {query}: {}", answer.text());
    let json = answer.json().unwrap();
    let rows = json["data"]["result"].as_array().unwrap().iter();
    rows.map(|row| row["value"][1].as_str().unwrap().to_owned()).collect()
}

/// The same series, by four ways in, with a value of the tenant.
fn fill(send: Send, tenant: &str, number: i32) {
    let ok = |port: &str, request: Request, expect: u16| {
        let answer = send(port, tenant, request);
        assert_eq!(answer.status, expect, "{tenant}: {}", answer.text());
    };
    let owner = format!("owner-{tenant}");
    let body = format!("pushed_rows{{owner=\"{owner}\"}} {number}\n");
    ok("gateway", Request::new("PUT", "/metrics/job/same").body(body), 200);
    let labels = [("__name__", "written_rows"), ("job", "same"), ("owner", &owner)];
    let written = snappy(&request_v1([series_v1(&labels, &[(now_ms(), f64::from(number))])]));
    let write =
        Request::new("POST", "/api/v1/write").header("content-type", V1).header("content-encoding", "snappy");
    ok("query", write.body(written), 204);
    for _ in 0..number {
        // a body that comes again is not added again, and its time makes it another
        std::thread::sleep(Duration::from_millis(2));
        let export = Request::new("POST", "/v1/metrics").header("content-type", "application/json");
        ok("gateway", export.body(otlp("same", 1)), 200);
    }
    let line = format!("m,owner={owner} v={number}\n");
    ok("gateway", Request::new("POST", "/write").body(line), 204);
}

/// That a tenant sees what it has, and nothing else, wherever it looks.
fn check(send: Send, tenant: &str, number: i32) {
    for (query, expect) in [
        ("pushed_rows", number),
        ("written_rows", number),
        ("m_v", number),
        ("sum(pushed_rows{job=\"same\"})", number),
        // what each of its exports adds
        ("zebra_rows_total", 7 * number),
        ("increase(zebra_rows_total[1h])", 7 * number),
    ] {
        assert_eq!(value(send, tenant, query), [expect.to_string()], "{tenant}: {query}");
    }
    let others: Vec<String> =
        TENANTS.iter().filter(|other| **other != tenant).map(|other| format!("owner-{other}")).collect();
    let selector = "match[]=%7B__name__%3D~%22.%2B%22%7D";
    for (port, target, shown) in [
        ("query", format!("/api/v1/series?{selector}"), true),
        ("query", format!("/api/v1/label/owner/values?{selector}"), true),
        ("query", "/api/v1/labels".to_owned(), true),
        ("query", format!("/federate?{selector}"), true),
        ("query", "/api/v1/status/tsdb".to_owned(), true),
        ("query", "/api/v1/metadata".to_owned(), false),
        ("query", "/api/v1/rules".to_owned(), false),
        ("query", "/api/v1/alerts".to_owned(), false),
        ("gateway", "/".to_owned(), true),
        ("gateway", "/metrics".to_owned(), true),
        ("gateway", "/api/v1/metrics".to_owned(), true),
    ] {
        let answer = send(port, tenant, Request::new("GET", &target));
        let text = answer.text();
        assert_eq!(answer.status, 200, "{tenant} {port} {target}: {text}");
        if shown {
            assert!(text.contains("owner"), "{tenant} {port} {target}: {text}");
        }
        for other in &others {
            assert!(!text.contains(other), "{tenant} {port} {target}: {text}");
        }
    }
    let values = send("query", tenant, Request::new("GET", "/api/v1/label/owner/values")).json().unwrap();
    assert_eq!(values["data"], serde_json::json!([format!("owner-{tenant}")]));
}

#[test]
fn each_tenant_has_its_own_also_after_a_kill() {
    let mut tokens = Vec::new();
    let mut fixture = Fixture::with_args(|folder| {
        tokens.push(token(folder.path(), "boss", &["--scope", "admin"]));
        for tenant in &TENANTS[1..] {
            tokens.push(token(folder.path(), tenant, &["--scope", "admin", "--tenant", tenant]));
        }
        let file = folder.path().join("tokens.yml").display().to_string();
        // what is pushed stays in the log for as long as the test takes
        ["--access.tokens-file", &file, "--storage.flush-interval=1m"].map(str::to_owned).to_vec()
    });
    let send_by = |server: &testkit::server::Mayfly, port: &str, tenant: &str, request: Request| {
        let own = &tokens[TENANTS.iter().position(|name| *name == tenant).unwrap()];
        let base = if port == "gateway" { &server.gateway } else { &server.query };
        http::send(base, &request.header("authorization", &format!("Bearer {own}"))).unwrap()
    };
    {
        let send =
            |port: &str, tenant: &str, request: Request| send_by(fixture.server(), port, tenant, request);
        for (tenant, number) in TENANTS.iter().zip(1..) {
            fill(&send, tenant, number);
        }
        for (tenant, number) in TENANTS.iter().zip(1..) {
            check(&send, tenant, number);
        }
        // nobody said that headers are trusted
        let answer = send("gateway", "a", Request::new("GET", "/metrics").header("x-scope-orgid", "b"));
        assert!(answer.status == 200 && answer.text().contains("owner-a"), "{}", answer.text());

        // the server as a whole is for those of default
        let metrics = send("query", "default", Request::new("GET", "/metrics")).text();
        for line in [
            "mayfly_open_tenants 2\n",
            "mayfly_pushes_total 2\n",
            "mayfly_pushes_total{tenant=\"a\"} 3\n",
            "mayfly_pushes_total{tenant=\"b\"} 4\n",
            "pushgateway_http_requests_total{code=\"200\",handler=\"push\",method=\"put\",tenant=\"b\"} 1\n",
        ] {
            assert!(metrics.contains(line), "{line}{metrics}");
        }
        for (port, method, path) in [
            ("query", "GET", "/metrics"),
            ("query", "GET", "/api/v1/status/flags"),
            ("query", "GET", "/api/v1/status/runtimeinfo"),
            ("query", "POST", "/-/reload"),
            ("gateway", "PUT", "/-/quit"),
            ("gateway", "GET", "/api/v1/status"),
        ] {
            let answer = send(port, "a", Request::new(method, path));
            assert!(
                answer.status == 403 && answer.text().contains("about the server as a whole"),
                "{path}: {} {}",
                answer.status,
                answer.text()
            );
            // flags are told at the page, and to nobody else
            assert!(!send("gateway", "a", Request::new("GET", "/")).text().contains("tokens.yml"));
        }
        assert!(send("gateway", "default", Request::new("GET", "/")).text().contains("tokens.yml"));
    }
    let stored = |tenant: &str| {
        let folder = fixture.storage();
        ["pushes", "samples"].map(|stream| files_of(&folder.join(tenant).join(stream), "hot"))
    };
    assert_eq!(stored("a"), [0, 0], "it is in the log alone");
    fixture.restart_after_kill();
    // nobody has asked for them yet
    let stored = |tenant: &str| {
        let folder = fixture.storage();
        ["pushes", "samples"].map(|stream| files_of(&folder.join(tenant).join(stream), "hot"))
    };
    assert_eq!(TENANTS.map(stored), [[1, 1]; 3], "{}", fixture.log());
    let send = |port: &str, tenant: &str, request: Request| send_by(fixture.server(), port, tenant, request);
    for (tenant, number) in TENANTS.iter().zip(1..) {
        check(&send, tenant, number);
    }
    // one that wipes its own changes nothing of others
    assert_eq!(send("gateway", "a", Request::new("DELETE", "/metrics/job/same")).status, 202);
    assert_eq!(value(&send, "a", "pushed_rows"), [""; 0]);
    check(&send, "b", 3);
    check(&send, "default", 1);
    // what waits is in the storage after an orderly end
    assert_eq!(send("gateway", "b", Request::new("PUT", "/metrics/job/last").body("x 1\n")).status, 200);
    fixture.stop();
    assert_eq!(files_of(&fixture.storage().join("b/pushes"), "hot"), 2);
}

/// A server that believes what it is told about tenants.
fn trusting(more: &[&str]) -> Fixture {
    Fixture::with_args(|folder| {
        let limits = folder.path().join("limits.yml");
        std::fs::write(
            &limits,
            "series_per_push_max: 3\ntenants:\n  a: {series_per_push_max: 1}\n  b: {active_series_max: 1}\n",
        )
        .unwrap();
        let own = ["--access.trust-tenant-header".to_owned(), format!("--limits.file={}", limits.display())];
        own.into_iter().chain(more.iter().map(|arg| (*arg).to_owned())).collect()
    })
}

fn by_header(fixture: &Fixture, port: &str, tenant: &str, request: Request) -> Response {
    let server = fixture.server();
    let base = if port == "gateway" { &server.gateway } else { &server.query };
    http::send(base, &request.header("x-scope-orgid", tenant)).unwrap()
}

#[test]
fn a_proxy_names_tenants_and_each_has_its_limits() {
    let fixture = trusting(&[]);
    let send = |port: &str, tenant: &str, request: Request| by_header(&fixture, port, tenant, request);
    for (tenant, number) in TENANTS.iter().zip(1..) {
        fill_one(&send, tenant, number);
    }
    for (tenant, number) in TENANTS.iter().zip(1..) {
        assert_eq!(value(&send, tenant, "pushed_rows"), [number.to_string()]);
    }
    let push = |tenant: &str, body: &str| {
        let answer = send("gateway", tenant, Request::new("PUT", "/metrics/job/more").body(body));
        (answer.status, answer.headers.get("mayfly-limit").map(str::to_owned))
    };
    let limit = |status: u16, name: &str| (status, Some(name.to_owned()));
    assert_eq!(push("default", "x 1\ny 1\nz 1\n"), (200, None));
    assert_eq!(push("default", "x 1\ny 1\nz 1\nu 1\n"), limit(422, "series_per_push_max"));
    assert_eq!(push("a", "x 1\ny 1\n"), limit(422, "series_per_push_max"));
    assert_eq!(push("b", "x 1\n"), limit(429, "active_series_max"));
    assert_eq!(push("c", "x 1\ny 1\n"), (200, None));
    for (tenant, part) in [
        ("a|b", "X-Scope-OrgID is \\\"a|b\\\", and a request is for one tenant"),
        ("A", "tenant \\\"A\\\" is not allowed"),
        ("..", "is not allowed"),
    ] {
        let answer = send("query", tenant, Request::new("GET", "/api/v1/query?query=1"));
        assert!(answer.status == 400 && answer.text().contains(part), "{}", answer.text());
        assert!(answer.text().contains("\"errorType\":\"bad_data\""), "{}", answer.text());
    }
    let metrics = http::get(&fixture.server().query, "/metrics").unwrap().text();
    for line in [
        "mayfly_gateway_limits_exceeded_total{limit=\"series_per_push_max\"} 1\n",
        "mayfly_gateway_limits_exceeded_total{limit=\"series_per_push_max\",tenant=\"a\"} 1\n",
        "mayfly_gateway_limits_exceeded_total{limit=\"active_series_max\",tenant=\"b\"} 1\n",
        "mayfly_active_series{tenant=\"b\"} 1\n",
        "mayfly_open_tenants 3\n",
    ] {
        assert!(metrics.contains(line), "{line}{metrics}");
    }
    // a proxy that names a tenant does not open the server to it
    let answer = send("query", "a", Request::new("GET", "/metrics"));
    assert_eq!(answer.status, 403);
}

fn fill_one(send: Send, tenant: &str, number: i32) {
    let request = Request::new("PUT", "/metrics/job/same").body(format!("pushed_rows {number}\n"));
    assert_eq!(send("gateway", tenant, request).status, 200);
}

#[test]
fn one_tenant_too_many_waits_until_another_is_idle() {
    let fixture = trusting(&[
        "--tenants.max-open=1",
        "--tenants.idle-timeout=1s",
        "--storage.flush-interval=100ms",
        "--storage.compact-interval=0",
    ]);
    let send = |port: &str, tenant: &str, request: Request| by_header(&fixture, port, tenant, request);
    fill_one(&send, "a", 1);
    let refused = send("gateway", "b", Request::new("PUT", "/metrics/job/same").body("pushed_rows 2\n"));
    assert_eq!((refused.status, refused.headers.get("mayfly-limit")), (503, Some("tenants_max_open")));
    assert!(refused.headers.get("retry-after").is_some());
    assert!(refused.text().contains("1 tenants are open beside default, which is --tenants.max-open"));
    fill_one(&send, "default", 3);
    assert_eq!(value(&send, "a", "pushed_rows"), ["1"], "whoever is open stays so");
    until("a is closed", || fixture.log().contains("tenant closed"));
    fill_one(&send, "b", 2);
    until("b is closed", || fixture.log().matches("tenant closed").count() == 2);
    // nothing is lost on the way
    assert_eq!(value(&send, "a", "pushed_rows"), ["1"]);
    let metrics = http::get(&fixture.server().query, "/metrics").unwrap().text();
    assert!(metrics.contains("mayfly_tenants_refused_requests_total 1\n"), "{metrics}");
}

#[test]
fn a_log_that_cannot_be_stored_is_of_one_tenant() {
    let mut fixture = trusting(&["--storage.flush-interval=1m"]);
    let send = |port: &str, tenant: &str, request: Request| by_header(&fixture, port, tenant, request);
    for tenant in TENANTS {
        fill_one(&send, tenant, 7);
    }
    // a file where the tenant's folder is to be
    let in_the_way = fixture.storage().join("a");
    fixture.kill();
    assert!(!in_the_way.exists());
    std::fs::write(&in_the_way, "").unwrap();
    fixture.start();
    let send = |port: &str, tenant: &str, request: Request| by_header(&fixture, port, tenant, request);
    let answer = send("query", "a", Request::new("GET", "/api/v1/query?query=pushed_rows"));
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.text().contains("tenant a cannot be opened now"), "{}", answer.text());
    for tenant in ["default", "b"] {
        assert_eq!(value(&send, tenant, "pushed_rows"), ["7"]);
    }
    let ready = http::get(&fixture.server().query, "/-/ready").unwrap();
    assert_eq!(ready.status, 200);
    let told = "1 tenant of whom the log has something cannot be opened: see the log.\n";
    assert!(ready.text().contains(told), "{}", ready.text());
    std::fs::remove_file(&in_the_way).unwrap();
    // by itself
    until("it is stored", || files_of(&in_the_way.join("pushes"), "hot") == 1);
    until("it is told", || !http::get(&fixture.server().query, "/-/ready").unwrap().text().contains(told));
    assert_eq!(value(&send, "a", "pushed_rows"), ["7"]);
}

#[test]
fn the_segments_of_all_tenants_are_merged() {
    let copy = |from: &Path, to: &Path| {
        let done = std::process::Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap();
        assert!(done.success());
    };
    let fixture = Fixture::with_args(|folder| {
        let data = folder.path().join("data");
        seed(&data, 1_795_391_160_000);
        copy(&data.join("default"), &data.join("a"));
        copy(&data.join("default"), &folder.path().join("later"));
        ["--storage.compact-interval=100ms", "--storage.compact-grace=1ms"].map(str::to_owned).to_vec()
    });
    let (query, folder) = (fixture.server().query.clone(), fixture.storage());
    let merged = |tenant: &str| {
        let own = http::get(&query, "/metrics").unwrap().text();
        let name = format!("mayfly_compaction_segments_total{{stream=\"{tenant}/pushes\"}} 112\n");
        own.contains(&name) && files_of(&folder.join(tenant).join("pushes"), "hot") == 0
    };
    until("both that are there", || merged("default") && merged("a"));
    // at once, so that nobody finds half of it
    std::fs::rename(folder.parent().unwrap().join("later"), folder.join("b")).unwrap();
    until("one that comes later", || merged("b"));
}
