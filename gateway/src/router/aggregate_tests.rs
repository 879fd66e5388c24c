//! Pushes that are added up, groups that expire, and retries.

use std::sync::atomic::{AtomicBool, Ordering};

use object_store::memory::InMemory;
use object_store::path::Path;
use store::WriterSettings;
use testkit::{Fault, FaultyStore, Operation};

use super::tests::{Bench, text};
use super::*;
use crate::settings::Settings;

const TOTALS: &str = "# TYPE done_total counter\ndone_total{x=\"a\"} 5\n";

impl Bench {
    async fn add(&self, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        self.clock.advance_ms(1);
        let mut request =
            Request::builder().method(Method::POST).uri(format!("/aggregate/metrics/job/{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.send(request.body(HttpBody::from(body.to_owned())).expect("a request")).await;
        (response.status().as_u16(), text(response).await)
    }

    async fn added(&self, path: &str, headers: &[(&str, &str)], body: &str) {
        assert_eq!(self.add(path, headers, body).await, (200, String::new()), "{body}");
    }
}

#[tokio::test]
async fn counters_histograms_and_summaries_add_up() {
    let bench = Bench::new();
    for _ in 0..3 {
        bench.added("j", &[], TOTALS).await;
    }
    bench.check_held(&["done_total{job=\"j\",x=\"a\"} 15"]).await;
    // what a push does not name stays; a PUT adds too
    bench.push("PUT", "/aggregate/metrics/job/j", "plain 2\n", (200, "")).await;
    bench.push("PUT", "/aggregate/metrics/job/j", "plain 2.5\n", (200, "")).await;
    bench.check_held(&["done_total{job=\"j\",x=\"a\"} 15", "plain{job=\"j\"} 4.5"]).await;
    // another group adds to its own, and DELETE ends one
    bench.added("k", &[], TOTALS).await;
    bench.push("DELETE", "/aggregate/metrics/job/j", "", (202, "")).await;
    bench.check_held(&["done_total{job=\"k\",x=\"a\"} 5"]).await;
    bench.push("DELETE", "/metrics/job/k", "", (202, "")).await;

    let coarse = "# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 3\nh_sum 7\nh_count 3\n";
    let fine = "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"2\"} 2\nh_bucket{le=\"+Inf\"} 2\nh_sum 2\nh_count 2\n";
    bench.added("j", &[], coarse).await;
    bench.added("j", &[], fine).await;
    bench.added("j", &[], "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_sum 3\ns_count 2\n").await;
    bench.added("j", &[], "# TYPE s summary\ns{quantile=\"0.5\"} 9\ns_sum 4\ns_count 1\n").await;
    bench
        .check_held(&[
            "h_bucket{job=\"j\",le=\"1\"} 3",
            "h_bucket{job=\"j\",le=\"2\"} 4",
            "h_bucket{job=\"j\",le=\"+Inf\"} 5",
            "h_sum{job=\"j\"} 9",
            "h_count{job=\"j\"} 5",
            "s_sum{job=\"j\"} 7",
            "s_count{job=\"j\"} 3",
        ])
        .await;
}

#[tokio::test]
async fn gauges_replace_unless_the_request_says_otherwise() {
    let bench = Bench::new();
    let gauge = |value: i32| format!("# TYPE g gauge\ng {value}\n");
    for (how, expect) in [("", 3), ("replace", 3), ("last", 3), ("sum", 12), ("min", 2), ("max", 7)] {
        let headers = [("X-Mayfly-Gauge-Merge", how)];
        let headers = if how.is_empty() { &headers[..0] } else { &headers[..] };
        for value in [2, 7, 3] {
            bench.added(&format!("j/how/x{how}"), headers, &gauge(value)).await;
        }
        bench.check_held(&[&format!("g{{how=\"x{how}\",job=\"j\"}} {expect}")]).await;
        bench.push("DELETE", &format!("/metrics/job/j/how/x{how}"), "", (202, "")).await;
    }
    let (status, error) = bench.add("j", &[("X-Mayfly-Gauge-Merge", "avg")], &gauge(1)).await;
    assert_eq!((status, error.contains("expected replace, last, sum, min or max")), (400, true), "{error}");
}

#[tokio::test]
async fn samples_say_by_a_label_what_becomes_of_them() {
    let bench = Bench::new();
    let body = |n: i32| {
        format!(
            "# TYPE c counter\nc{{clearmode=\"replace\"}} {n}\n# TYPE g gauge\ng{{clearmode=\"aggregate\"}} {n}\n\
             # TYPE i gauge\ni{{clearmode=\"family\",version=\"{n}\"}} 1\n"
        )
    };
    bench.added("j", &[], &body(2)).await;
    bench.added("j", &[], &body(3)).await;
    bench.check_held(&["c{job=\"j\"} 3", "g{job=\"j\"} 5", "i{job=\"j\",version=\"3\"} 1"]).await;
    // the header says how gauges are aggregated, where the label only says that they are
    bench
        .added("j", &[("X-Mayfly-Gauge-Merge", "max")], "# TYPE m gauge\nm{clearmode=\"aggregate\"} 4\n")
        .await;
    bench.added("j", &[("X-Mayfly-Gauge-Merge", "max")], "# TYPE m gauge\nm 3\n").await;
    let (_, page) = bench.ask("GET", "/metrics", "").await;
    assert!(page.contains("m{instance=\"\",job=\"j\"} 4"), "{page}");

    let (status, error) = bench.add("j", &[], "c{clearmode=\"sum\"} 1\n").await;
    let expect = "label clearmode of metric \"c\" is \"sum\": expected aggregate, replace or family\n";
    assert_eq!((status, &*error), (400, expect));
    // two samples that differ by nothing else are the same series
    let (status, error) = bench.add("j", &[], "d{clearmode=\"replace\"} 1\nd 1\n").await;
    assert_eq!((status, error.contains("was collected before")), (400, true), "{error}");
    // elsewhere it is a label like any other
    bench.push("PUT", "/metrics/job/j", "c{clearmode=\"sum\"} 1\n", (200, "")).await;
    bench.check_held(&["c{clearmode=\"sum\",job=\"j\"} 1"]).await;
}

#[tokio::test]
async fn a_group_expires_with_all_that_it_holds() {
    let settings = Settings { push_ttl_ms: Some(60_000), ..Settings::default() };
    let bench = Bench::over(Arc::new(InMemory::new()), settings, WriterSettings::of_writer(1));
    bench.added("j", &[], TOTALS).await;
    bench.added("k", &[("X-Mayfly-TTL", "5m")], TOTALS).await;
    bench.added("l", &[("X-Mayfly-TTL", "0")], TOTALS).await;
    bench.clock.advance_ms(59_000);
    bench.added("j", &[], TOTALS).await;
    bench.clock.advance_ms(59_000);
    let held = |job, value| format!("done_total{{job=\"{job}\",x=\"a\"}} {value}");
    bench.check_held(&[&held("j", 10), &held("k", 5), &held("l", 5)]).await;
    bench.clock.advance_ms(1_000);
    bench.check_held(&[&held("k", 5), &held("l", 5)]).await;
    let (_, page) = bench.ask("GET", "/metrics", "").await;
    assert!(!page.contains("push_time_seconds{instance=\"\",job=\"j\"}"), "{page}");
    assert!(page.contains("push_time_seconds{instance=\"\",job=\"k\"}"), "{page}");
    // it begins anew
    bench.added("j", &[], TOTALS).await;
    bench.clock.advance_ms(600_000);
    bench.check_held(&[&held("l", 5)]).await;
    bench.added("j", &[("X-Mayfly-TTL", "7d")], TOTALS).await;
    bench.check_held(&[&held("j", 5), &held("l", 5)]).await;
    let (status, error) = bench.add("j", &[("X-Mayfly-TTL", "soon")], TOTALS).await;
    assert_eq!((status, error.contains("expected a duration like")), (400, true), "{error}");
}

#[tokio::test]
async fn a_retry_counts_once_and_a_key_is_for_one_request() {
    let store = Arc::new(InMemory::new());
    let over = |writer| {
        let settings = WriterSettings::of_writer(writer);
        Bench::over(Arc::clone(&store) as _, Settings::default(), settings)
    };
    let (bench, other) = (over(1), over(2));
    let key = [("Idempotency-Key", "run-7")];
    bench.added("j", &key, TOTALS).await;
    bench.added("j", &key, TOTALS).await;
    // another replica writes it, and it does not count
    other.clock.advance_ms(10);
    other.added("j", &key, TOTALS).await;
    other.added("k", &key, TOTALS).await;
    other.check_held(&["done_total{job=\"j\",x=\"a\"} 5", "done_total{job=\"k\",x=\"a\"} 5"]).await;
    let (status, error) = bench.add("j", &key, "done_total 9\n").await;
    assert_eq!((status, error.contains("was used for another request")), (422, true), "{error}");
    let (status, error) = bench.add("j", &[("Idempotency-Key", "")], TOTALS).await;
    assert_eq!((status, error.contains("is empty")), (400, true), "{error}");
    // a server that starts knows the keys that the store has
    let third = Bench::knowing(Arc::clone(&store) as _, Settings::default());
    third.clock.advance_ms(50);
    third.gateway.look().await.expect("reads");
    assert_eq!(third.add("j", &key, "done_total 9\n").await.0, 422);
    third.added("j", &key, TOTALS).await;
    // a refused body leaves its key free
    let key = [("Idempotency-Key", "run-8")];
    assert_eq!(bench.add("j", &key, "bad").await.0, 400);
    bench.added("j", &key, TOTALS).await;
    bench.clock.advance_ms(20);
    bench.check_held(&["done_total{job=\"j\",x=\"a\"} 10", "done_total{job=\"k\",x=\"a\"} 5"]).await;
}

#[tokio::test]
async fn a_push_whose_fate_is_unknown_keeps_its_key() {
    let is_broken = Arc::new(AtomicBool::new(true));
    let plan = {
        let is_broken = Arc::clone(&is_broken);
        move |operation, _: &Path| match operation {
            Operation::Put if is_broken.load(Ordering::SeqCst) => Fault::FailAfterwards,
            _ => Fault::None,
        }
    };
    let store = Arc::new(FaultyStore::new(Arc::new(InMemory::new()), plan));
    let bench = Bench::over(store, Settings::default(), WriterSettings::of_writer(1));
    let key = [("Idempotency-Key", "run-7")];
    assert_eq!(bench.add("j", &key, TOTALS).await.0, 503);
    is_broken.store(false, Ordering::SeqCst);
    assert_eq!(bench.add("j", &key, "done_total 1\n").await.0, 422);
    bench.added("j", &key, TOTALS).await;
    bench.check_held(&["done_total{job=\"j\",x=\"a\"} 5"]).await;
}

/// What is held is stored, and its exemplars are not: that is no push of which nothing is there.
#[tokio::test]
async fn a_push_of_which_a_part_is_stored_keeps_its_key() {
    let is_broken = Arc::new(AtomicBool::new(true));
    let plan = {
        let is_broken = Arc::clone(&is_broken);
        move |operation, path: &Path| match operation {
            Operation::Put if path.as_ref().contains("/exemplars/") && is_broken.load(Ordering::SeqCst) => {
                Fault::Fail
            }
            _ => Fault::None,
        }
    };
    let store = Arc::new(FaultyStore::new(Arc::new(InMemory::new()), plan));
    let bench = Bench::over(store, Settings::default(), WriterSettings::of_writer(1));
    let openmetrics = ("Content-Type", "application/openmetrics-text; version=1.0.0");
    let keyed = [openmetrics, ("Idempotency-Key", "run-7")];
    let body = "# TYPE done counter\ndone_total{x=\"a\"} 5 # {id=\"1\"} 1\n# EOF\n";
    let (status, error) = bench.add("j", &keyed, body).await;
    assert_eq!((status, error.contains("what is held is stored")), (503, true), "{error}");
    let (status, error) = bench.add("k", &[openmetrics], body).await;
    assert_eq!(
        (status, error.contains("a retry without an Idempotency-Key could count twice")),
        (503, true),
        "{error}"
    );
    is_broken.store(false, Ordering::SeqCst);
    assert_eq!(bench.add("j", &keyed, "# TYPE done counter\ndone_total 1\n# EOF\n").await.0, 422);
    bench.added("j", &keyed, body).await;
    bench.check_held(&["done_total{job=\"j\",x=\"a\"} 5", "done_total{job=\"k\",x=\"a\"} 5"]).await;
}
