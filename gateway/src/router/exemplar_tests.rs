//! Exemplars through the router: stored with a push, and shown with what it left.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use http::Request;
use object_store::memory::InMemory;
use object_store::path::Path;
use store::WriterSettings;
use testkit::{Fault, FaultyStore, Operation};

use super::tests::{Bench, text};
use crate::settings::{Settings, Web};

const OPENMETRICS: &str = "application/openmetrics-text";

fn settings() -> Settings {
    Settings { web: Web { openmetrics: true, ..Web::default() }, ..Settings::default() }
}

impl Bench {
    /// Pushes a body of OpenMetrics: status and text.
    async fn push_openmetrics(&self, path: &str, body: &str) -> (u16, String) {
        self.clock.advance_ms(1);
        let request = Request::post(path).header("content-type", OPENMETRICS);
        let response =
            self.send(request.body(Body::from(format!("{body}# EOF\n"))).expect("a request")).await;
        (response.status().as_u16(), text(response).await)
    }

    /// The lines of the page that have exemplars.
    async fn check_shown(&self, expect: &[&str]) {
        let request = Request::get("/metrics").header("accept", OPENMETRICS).body(Body::empty());
        let page = text(self.send(request.expect("a request")).await).await;
        let shown = page.lines().filter(|line| line.contains(" # {"));
        let shown: Vec<String> = shown.map(|line| line.replace("instance=\"\",", "")).collect();
        assert_eq!(shown, expect, "{page}");
    }
}

#[tokio::test]
async fn exemplars_are_shown_until_something_else_is_pushed() {
    let bench = Bench::over(Arc::new(InMemory::new()), settings(), WriterSettings::of_writer(1));
    let ok = (200, String::new());
    let rows = "# TYPE rows counter\nrows_total 2 # {trace_id=\"t1\"} 0.5\n";
    let took = "# TYPE took histogram\ntook_bucket{le=\"1\"} 1 # {trace_id=\"t2\"} 0.25 1700000000\ntook_bucket{le=\"+Inf\"} 1\n";
    assert_eq!(bench.push_openmetrics("/metrics/job/a", &format!("{rows}{took}")).await, ok);
    let of_rows = r#"rows_total{job="a"} 2.0 # {trace_id="t1"} 0.5"#;
    // what is older than two days is stored, and not looked for
    bench.check_shown(&[of_rows]).await;
    assert_eq!(bench.push_openmetrics("/metrics/job/b", rows).await, ok);
    bench.check_shown(&[of_rows, r#"rows_total{job="b"} 2.0 # {trace_id="t1"} 0.5"#]).await;
    assert_eq!(bench.push_openmetrics("/metrics/job/a", "# TYPE rows counter\nrows_total 3\n").await, ok);
    bench.check_shown(&[r#"rows_total{job="b"} 2.0 # {trace_id="t1"} 0.5"#]).await;
    assert_eq!(bench.push_openmetrics("/aggregate/metrics/job/b", rows).await, ok);
    assert_eq!(bench.push_openmetrics("/aggregate/metrics/job/b", rows).await, ok);
    bench.check_shown(&[r#"rows_total{job="b"} 4.0 # {trace_id="t1"} 0.5"#]).await;
    bench.push("DELETE", "/metrics/job/b", "", (202, "")).await;
    bench.check_shown(&[]).await;
}

#[tokio::test]
async fn a_push_is_not_answered_before_its_exemplars_are_stored() {
    let is_broken = Arc::new(AtomicBool::new(true));
    let of_plan = Arc::clone(&is_broken);
    let plan = move |operation, path: &Path| {
        let is_meant = operation == Operation::Put && path.as_ref().contains("/exemplars/");
        if is_meant && of_plan.load(Ordering::SeqCst) { Fault::Fail } else { Fault::None }
    };
    let store = Arc::new(FaultyStore::new(Arc::new(InMemory::new()), plan));
    let bench = Bench::over(store, settings(), WriterSettings::of_writer(1));
    let rows = "# TYPE rows counter\nrows_total 2 # {trace_id=\"t\"} 0.5\n";
    let (status, text) = bench.push_openmetrics("/metrics/job/a", rows).await;
    assert!(status == 503 && text.contains("exemplars"), "{status} {text}");
    let (status, text) = bench.push_openmetrics("/aggregate/metrics/job/b", rows).await;
    assert!(status == 503 && text.contains("it may have been added"), "{status} {text}");
    // without any there is nothing to wait for
    bench.push("POST", "/metrics/job/c", "rows_total 1\n", (200, "")).await;
    is_broken.store(false, Ordering::SeqCst);
    assert_eq!(bench.push_openmetrics("/metrics/job/a", rows).await, (200, String::new()));
    bench.check_shown(&[r#"rows_total{job="a"} 2.0 # {trace_id="t"} 0.5"#]).await;
}
