//! Pushes that are set.

use std::sync::Arc;

use http::{Method, StatusCode};
use mayfly_edge::Ack;
use testkit::ManualClock;

use crate::house::{House, T0};

#[tokio::test]
async fn a_push_holds_until_it_is_deleted_and_stays_in_history() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = folder.path().to_str().expect("a path");
    let clock = Arc::new(ManualClock::at_ms(T0));
    for ack in [Ack::Stored, Ack::Logged { flush_interval: std::time::Duration::from_secs(3_600) }] {
        let job = format!("/metrics/job/{}", if ack == Ack::Stored { "stored" } else { "logged" });
        let rows = format!("rows{{job=\"{}\"}}", job.rsplit('/').next().unwrap_or_default());
        {
            let house = House::open(url, Arc::clone(&clock), ack).await;
            assert_eq!(house.request(Method::PUT, &job, &[], "rows 42\n").await, StatusCode::OK);
            assert_eq!(house.ask(&rows, 0).await, [42.0], "at once");
            clock.advance_ms(600_000);
            assert_eq!(house.ask(&rows, 0).await, [42.0], "ten minutes later");
            // dropped without a word, as after kill -9
        }
        let house = House::open(url, Arc::clone(&clock), ack).await;
        assert_eq!(house.ask(&rows, 0).await, [42.0], "in another process");
        clock.advance_ms(60_000);
        assert_eq!(house.request(Method::DELETE, &job, &[], "").await, StatusCode::ACCEPTED);
        assert_eq!(house.ask(&rows, 0).await, [0.0; 0], "deleted");
        assert_eq!(house.ask(&rows, 1).await, [42.0], "a query for the time before still shows it");
        assert_eq!(house.ask(&rows, 660_001).await, [0.0; 0], "and not for the time before the push");
        clock.advance_ms(1_000);
    }
}

#[tokio::test]
async fn counters_of_jobs_that_go_on_counting_are_exact() {
    let clock = Arc::new(ManualClock::at_ms(T0));
    let house = House::open("memory:", Arc::clone(&clock), Ack::Stored).await;
    for total in [5, 6, 9, 2] {
        let body = format!("# TYPE done_total counter\ndone_total {total}\n");
        assert_eq!(house.request(Method::POST, "/metrics/job/j", &[], &body).await, StatusCode::OK);
        clock.advance_ms(60_000);
    }
    // 5 → 6 → 9 are 1 and 3; 9 → 2 is a reset and 2; no extrapolation
    assert_eq!(house.ask("increase(done_total[1h])", 0).await, [6.0]);
    assert_eq!(house.ask("increase(done_total[100s])", 0).await, [2.0], "from the 9 that held before");
    assert_eq!(house.ask("rate(done_total[100s])", 0).await, [0.02]);
    assert_eq!(house.ask("max_over_time(done_total[1h])", 0).await, [9.0]);
    assert_eq!(house.ask("sum(done_total) by (job)", 0).await, [2.0]);
    assert_eq!(house.ask("absent(other)", 0).await, [1.0]);
}
