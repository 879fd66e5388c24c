//! Results of range queries are kept: a refresh evaluates what is new, whatever comes late is seen, and answers are those of a server
//! that keeps none.

use mayfly_tests::Fixture;
use serde_json::Value;
use testkit::http::{self, Request};
use testkit::remote_write::{V1, request_v1, series_v1};
use testkit::server::escape;

fn write(fixture: &Fixture, job: &str, samples: &[(i64, f64)]) {
    let labels = [("__name__", "rows_total"), ("job", job)];
    let message = request_v1([series_v1(&labels, samples)]);
    let request = Request::new("POST", "/api/v1/write")
        .header("content-type", V1)
        .header("content-encoding", "snappy")
        .body(snap::raw::Encoder::new().compress_vec(&message).unwrap());
    let answer = http::send(&fixture.server().query, &request).expect("an answer");
    assert_eq!((answer.status, answer.text().as_str()), (204, ""));
}

fn now_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// A dashboard that shows two hours by quarters of a minute, up to a time.
struct Dashboard<'f> {
    fixture: &'f Fixture,
    queries: [&'static str; 4],
}

/// What queries took that were answered with what was known.
#[derive(Debug, Default, PartialEq)]
struct Took {
    reused: u64,
    evaluated: u64,
    samples: u64,
}

impl Dashboard<'_> {
    fn ask(&self, query: &str, end_s: i64, more: &str) -> Value {
        let query = escape(query);
        let target =
            format!("/api/v1/query_range?query={query}&start={}&end={end_s}&step=15{more}", end_s - 7_200);
        let answer = http::get(&self.fixture.server().query, &target).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json().unwrap()
    }

    /// Asks all, and compares with what is evaluated as a whole.
    fn refresh(&self, end_s: i64) -> Took {
        let mut took = Took::default();
        for query in self.queries {
            let mut answer = self.ask(query, end_s, "&explain=1");
            let explain = answer["data"].as_object_mut().unwrap().remove("explain").unwrap();
            took.reused += explain["results"]["reusedSteps"].as_u64().unwrap();
            took.evaluated += explain["results"]["evaluatedSteps"].as_u64().unwrap();
            took.samples += explain["totals"]["samples"].as_u64().unwrap();
            // who asks what a query takes is answered without what is known
            let mut whole = self.ask(query, end_s, "&stats=1");
            whole["data"].as_object_mut().unwrap().remove("stats");
            assert_eq!(answer, whole, "{query} until {end_s}");
        }
        took
    }
}

#[test]
fn a_refresh_evaluates_what_is_new_and_sees_what_comes_late() {
    let args = ["--query.results-cache-size=16MiB", "--storage.ack=stored", "--web.enable-admin-api"];
    let fixture = Fixture::with_args(|_| args.map(str::to_owned).to_vec());
    let end_s = now_s() / 15 * 15 - 600;
    let at = |steps: i64| (end_s + 15 * steps) * 1_000;
    for (job, by) in [("a", 0.1), ("b", 0.7)] {
        let samples: Vec<(i64, f64)> =
            (-500..=0).zip(0..).map(|(step, n)| (at(step), by * f64::from(n))).collect();
        write(&fixture, job, &samples);
    }
    let queries = [
        "rows_total",
        "sum(rate(rows_total[5m]))",
        "topk(1, rows_total)",
        "max_over_time(sum(rows_total)[10m:1m]) / 2",
    ];
    let dashboard = Dashboard { fixture: &fixture, queries };
    let first = dashboard.refresh(end_s);
    assert_eq!((first.reused, first.evaluated), (0, 4 * 481));

    // two more scrapes
    for job in ["a", "b"] {
        write(&fixture, job, &[(at(1), 500.0), (at(2), 501.5)]);
    }
    let second = dashboard.refresh(end_s + 30);
    // those of a subquery lie somewhere within a minute
    assert_eq!((second.reused, second.evaluated), (4 * 479 - 4, 4 * 2 + 4), "no more than the new ones");
    assert!(second.samples * 10 < first.samples, "{} after {}", second.samples, first.samples);

    // what comes an hour late changes what was there then, and what is said of later is evaluated with it
    write(&fixture, "a", &[(at(-240) + 7_000, 1e6)]);
    let late = dashboard.refresh(end_s + 30);
    assert!(late.evaluated > 4 * 240 && late.reused > 4 * 200, "{late:?}");

    // pushes hold from now on: nothing of before changes
    fixture.push("PUT", "job/pushed", "rows_total 7\n");
    let pushed = dashboard.refresh(end_s + 30);
    assert!(pushed.evaluated <= 4 * 2, "{pushed:?}");

    // a deletion concerns everything
    let form = "match[]=rows_total{job=\"b\"}";
    let request = Request::new("POST", "/api/v1/admin/tsdb/delete_series")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    assert_eq!(http::send(&fixture.server().query, &request).unwrap().status, 204);
    let deleted = dashboard.refresh(end_s + 30);
    assert_eq!((deleted.reused, deleted.evaluated), (0, 4 * 481));
    assert!(!dashboard.ask("rows_total", end_s, "").to_string().contains("\"b\""));

    let metrics = http::get(&fixture.server().query, "/metrics").unwrap().text();
    let value = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} in {metrics}")).parse::<f64>().unwrap()
    };
    // all of them at first and after the deletion, and the one that looked further back
    assert_eq!(value("mayfly_results_cache_misses_total"), 4.0 + 4.0 + 1.0);
    assert_eq!(value("mayfly_results_cache_hits_total"), 4.0 * 3.0);
    assert_eq!(value("mayfly_results_cache_entries"), 4.0);
    assert_eq!(value("mayfly_results_cache_contradictions_total"), 0.0);
    assert!(value("mayfly_results_cache_bytes") > 4.0 * 481.0 * 16.0);
}
