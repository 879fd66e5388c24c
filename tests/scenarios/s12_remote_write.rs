//! Remote write to the real binary, on both of its ports, with a kill in between.

use mayfly_tests::Fixture;
use testkit::http::{self, Request, Response};
use testkit::remote_write::{RequestV2, V1, V2, histogram, request_v1, series_v1};

const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

fn write(base: &str, content_type: &str, message: &[u8]) -> Response {
    let request = Request::new("POST", "/api/v1/write")
        .header("content-type", content_type)
        .header("content-encoding", "snappy")
        .body(snap::raw::Encoder::new().compress_vec(message).unwrap());
    http::send(base, &request).expect("an answer")
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

#[test]
fn what_was_answered_is_there_after_a_kill_and_late_samples_find_their_place() {
    let mut fixture = Fixture::new();
    let now_ms = now_ms();
    let at = |ago_s: i64| now_ms - ago_s * 1_000;
    let rows = [("__name__", "rows_total"), ("job", "a")];
    let samples = [(at(60), 10.0), (at(45), 20.0)];
    let answer = write(&fixture.server().query, V1, &request_v1([series_v1(&rows, &samples)]));
    assert_eq!((answer.status, answer.text().as_str()), (204, ""));
    fixture.restart_after_kill();
    let answer = write(&fixture.server().query, V1, &request_v1([series_v1(&rows, &[(at(30), 30.0)])]));
    assert_eq!(answer.status, 204);
    // between and before what is there, and one again: of one process the later counts
    let gone = [("__name__", "gone"), ("job", "a")];
    let message = RequestV2::default()
        .floats(&rows, &[(at(50), 15.0), (at(7_200), 1.0), (at(30), 31.0)])
        .floats(&gone, &[(at(20), 1.0), (at(10), STALE)])
        .series(&[("__name__", "took")], |series| series.message(3, histogram(at(5), [2, 1], 3.5)));
    let answer = write(&fixture.server().gateway, V2, &message.into_bytes());
    assert_eq!((answer.status, answer.text().as_str()), (204, ""));
    assert_eq!(answer.headers.get("x-prometheus-remote-write-samples-written"), Some("5"));
    assert_eq!(answer.headers.get("x-prometheus-remote-write-histograms-written"), Some("1"));
    let asked = |fixture: &Fixture| {
        fixture.check("rows_total", &[("rows_total{job=\"a\"}", "31")]);
        fixture.check("count_over_time(rows_total[3h])", &[("{job=\"a\"}", "5")]);
        fixture.check("sum_over_time(rows_total[3h])", &[("{job=\"a\"}", "77")]);
        fixture.check("gone", &[]);
        fixture.check("last_over_time(gone[1h])", &[("gone{job=\"a\"}", "1")]);
        fixture.check("histogram_count(took)", &[("{}", "4")]);
        fixture.check("histogram_sum(took)", &[("{}", "3.5")]);
    };
    asked(&fixture);
    fixture.restart_after_kill();
    asked(&fixture);
    let metrics = http::get(&fixture.server().query, "/metrics").expect("an answer").text();
    assert!(metrics.contains("\nmayfly_samples_written_total 0\n"), "{metrics}");
}

#[test]
fn the_gateways_prefix_holds_for_it_too() {
    let fixture = Fixture::with_args(|_| vec!["--web.route-prefix".to_owned(), "/x/{y}/".to_owned()]);
    let send = |path: &str| {
        let body = snap::raw::Encoder::new().compress_vec(b"").unwrap();
        let request = Request::new("POST", path).body(body);
        http::send(&fixture.server().gateway, &request).expect("an answer").status
    };
    assert_eq!(
        (send("/x/{y}/api/v1/write"), send("/x/z/api/v1/write"), send("/api/v1/write")),
        (204, 404, 404)
    );
}
