//! What is pushed is there with the answer; PUT, POST and DELETE do what the Pushgateway does.

use mayfly_tests::Fixture;
use testkit::http;

#[test]
fn a_push_is_there_with_its_answer() {
    let fixture = Fixture::new();
    fixture.push("PUT", "job/backup/instance/a", "# TYPE rows counter\nrows{table=\"t\"} 5\nbytes 1e3\n");
    fixture.check("rows", &[(r#"rows{instance="a",job="backup",table="t"}"#, "5")]);
    fixture.check("sum by (job) (bytes) / 8", &[(r#"{job="backup"}"#, "125")]);
    fixture.push("POST", "job/backup/instance/a", "bytes 2\n");
    fixture.check("bytes", &[(r#"bytes{instance="a",job="backup"}"#, "2")]);
    fixture.check("rows * 2", &[(r#"{instance="a",job="backup",table="t"}"#, "10")]);
    fixture.push("PUT", "job/backup/instance/a", "bytes 3\n");
    fixture.check("rows", &[]);
}

#[test]
fn a_deleted_group_is_gone_now_but_not_before() {
    let fixture = Fixture::new();
    fixture.push("PUT", "job/gone", "x 1\n");
    fixture.push("PUT", "job/gone/instance/other", "x 2\n");
    std::thread::sleep(std::time::Duration::from_millis(20));
    let before = now();
    std::thread::sleep(std::time::Duration::from_millis(20));
    fixture.push("DELETE", "job/gone", "");
    fixture.check("x", &[(r#"x{instance="other",job="gone"}"#, "2")]);
    let past = fixture.vector("x{instance=\"\"}", Some(&before));
    assert_eq!(past.into_iter().collect::<Vec<_>>(), [(r#"x{job="gone"}"#.to_owned(), "1".to_owned())]);
}

#[test]
fn a_broken_push_changes_nothing() {
    let fixture = Fixture::new();
    fixture.push("PUT", "job/a", "x 1\n");
    let answer = fixture.server().push("PUT", "job/a", "y 1\nx{ 2\n").unwrap();
    assert_eq!(answer.status, 400);
    assert!(answer.text().starts_with("text format parsing error in line 2"), "{}", answer.text());
    fixture.check("x", &[(r#"x{job="a"}"#, "1")]);
    fixture.check("y", &[]);
}

#[test]
fn health_and_own_metrics() {
    let fixture = Fixture::new();
    let server = fixture.server();
    for (base, target) in
        [(&server.gateway, "/-/healthy"), (&server.gateway, "/-/ready"), (&server.query, "/-/healthy")]
    {
        assert_eq!(http::get(base, target).unwrap().status, 200, "{base}{target}");
    }
    let own = http::get(&server.query, "/metrics").unwrap();
    assert_eq!(own.status, 200);
    assert!(own.text().lines().any(|line| line.starts_with("mayfly_")), "{}", own.text());
}

/// As `curl -g` sends what people type.
#[test]
fn a_query_may_have_its_quotes_as_they_are() {
    use std::io::{Read as _, Write as _};
    let fixture = Fixture::new();
    fixture.push("PUT", "job/quoted", "x 1\n");
    let mut stream =
        std::net::TcpStream::connect(fixture.server().query.trim_start_matches("http://")).unwrap();
    let request =
        "GET /api/v1/query?query=x{job=\"quoted\"}>0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"job\":\"quoted\""), "{answer}");
}

fn now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("{:.3}", since.as_secs_f64())
}
