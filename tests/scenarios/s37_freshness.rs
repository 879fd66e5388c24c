//! When a query service that does not share the gateway's memory sees a push: at once where an acknowledged push is stored, and
//! else one flush later at the latest.

use std::thread;
use std::time::{Duration, Instant};

use mayfly_tests::Fixture;
use testkit::http::Request;
use testkit::lambda::Function;

use super::s03_function::query_function;
use super::s31_queries_watched::ask;

const FLUSH: Duration = Duration::from_secs(1);
/// Within which a flush ends on a machine that is busy.
const SLACK: Duration = Duration::from_secs(20);

fn seen(function: &mut Function) -> Option<u64> {
    let answer =
        function.request(&Request::new("GET", "/api/v1/query?query=max(rows)")).unwrap().json().unwrap();
    answer["data"]["result"][0]["value"][1].as_str().map(|value| value.parse().unwrap())
}

#[test]
fn what_is_stored_is_seen_by_the_next_query_of_another_process() {
    let fixture = Fixture::with_args(|_| ["--storage.ack=stored".to_owned()].to_vec());
    let mut function = query_function(&fixture, &[]);
    for rows in 1..=10 {
        fixture.push("POST", &format!("job/etl/instance/{}", rows % 3), &format!("rows {rows}\n"));
        assert_eq!(seen(&mut function), Some(rows));
    }
}

#[test]
fn what_is_logged_is_seen_one_flush_later() {
    let interval = format!("--storage.flush-interval={}s", FLUSH.as_secs());
    let fixture = Fixture::with_args(|_| ["--storage.ack=logged".to_owned(), interval].to_vec());
    let mut function = query_function(&fixture, &[]);
    let mut late = Vec::new();
    for rows in 1..=8 {
        fixture.push("POST", "job/etl", &format!("rows {rows}\n"));
        let acknowledged = Instant::now();
        // the server itself sees it at once
        let own = ask(&fixture, "/api/v1/query", &[("query", "max(rows)")]).json().unwrap();
        assert_eq!(own["data"]["result"][0]["value"][1], rows.to_string());
        while seen(&mut function) != Some(rows) {
            assert!(acknowledged.elapsed() < FLUSH + SLACK, "push {rows} is not seen");
            thread::sleep(Duration::from_millis(20));
        }
        late.push(acknowledged.elapsed());
        // at another time of the interval
        thread::sleep(FLUSH / 7);
    }
    late.sort_unstable();
    eprintln!("seen after {late:?}, with a flush every {FLUSH:?}");
}
