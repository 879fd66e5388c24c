//! What the query port does with every answer, and the routes that are there for clients that list them.

use mayfly_tests::Fixture;
use testkit::http::{self, Request, Response};

fn send(fixture: &Fixture, method: &str, target: &str, header: (&str, &str)) -> Response {
    let request = Request::new(method, target).header(header.0, header.1);
    http::send(&fixture.server().query, &request).expect("an answer")
}

#[test]
fn answers_are_compressed_and_tell_which_pages_may_see_them() {
    let fixture = Fixture::with_args(|_| vec!["--web.cors.origin=https://(a|b).example".to_owned()]);
    let body = (0..200).map(|n| format!("rows{{n=\"{n}\"}} 1\n")).collect::<String>();
    fixture.push("PUT", "job/a", &body);
    for (accepted, expect) in [("gzip", Some("gzip")), ("br", None), ("gzip, zstd", Some("zstd"))] {
        for target in
            ["/api/v1/query?query=rows", "/federate?match[]=rows", "/metrics", "/api/v1/openapi.yaml"]
        {
            let answer = send(&fixture, "GET", target, ("accept-encoding", accepted));
            let told = (answer.status, answer.headers.get("content-encoding"), answer.headers.get("vary"));
            assert_eq!(told, (200, expect, Some("Accept-Encoding")), "{target} {accepted}");
        }
    }
    for (method, target, origin, status, expect) in [
        ("GET", "/api/v1/rules", "https://a.example", 200, Some("https://a.example")),
        ("GET", "/api/v1/query?query=1", "https://a.example.org", 200, None),
        ("GET", "/api/v1/query", "https://b.example", 400, Some("https://b.example")),
        ("OPTIONS", "/api/v1/nothing", "https://b.example", 204, Some("https://b.example")),
        ("GET", "/federate", "https://b.example", 200, None),
    ] {
        let answer = send(&fixture, method, target, ("origin", origin));
        let told = (answer.status, answer.headers.get("access-control-allow-origin"));
        assert_eq!(told, (status, expect), "{method} {target} {origin}");
    }
}

#[test]
fn what_there_is_none_of_is_said_to_be_none() {
    let fixture = Fixture::new();
    let check = |target: &str, status: u16, text: &str| {
        let answer = send(&fixture, "GET", &format!("/api/v1/{target}"), ("accept", "*/*"));
        assert_eq!((answer.status, answer.text().as_str()), (status, text), "{target}");
    };
    let bad =
        |text: &str| format!("{{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"{text}\"}}");
    check("status/tsdb/blocks", 200, r#"{"status":"success","data":{"blocks":[]}}"#);
    check("notifications/live", 204, "");
    let no_pool = bad("no scrapePool parameter provided");
    let unknown = bad(r#"error getting scrape config: scrape pool \"x\" not found"#);
    for target in ["scrape_pools/config", "targets/relabel_steps", "targets/relabel_steps?labels={}"] {
        check(target, 400, &no_pool);
    }
    check("targets/relabel_steps?scrapePool=x", 400, &bad("no labels parameter provided"));
    check("targets/relabel_steps?scrapePool=x&labels={}", 400, &unknown);
    check("scrape_pools/config?scrapePool=x", 400, &unknown);
    let answer = send(&fixture, "GET", "/api/v1/openapi.yaml", ("accept", "*/*"));
    assert_eq!(answer.headers.get("content-type"), Some("application/yaml"));
    assert!(answer.text().starts_with("openapi: 3.1.0\n"), "{}", answer.text());
}
