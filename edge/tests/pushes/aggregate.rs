//! Pushes that are added up, as queries see them.

use std::sync::Arc;

use http::{Method, StatusCode};
use mayfly_edge::Ack;
use model::Clock;
use testkit::ManualClock;

use crate::house::{House, T0};

impl House {
    async fn add(&self, headers: &[(&str, &str)], body: &str) {
        let added = self.request(Method::POST, "/aggregate/metrics/job/f", headers, body).await;
        assert_eq!(added, StatusCode::OK);
    }

    async fn check(&self, expr: &str, expect: &[f64]) {
        assert_eq!(self.ask(expr, 0).await, expect, "{expr} at {}", self.clock.now_ms() - T0);
    }
}

fn house_time_s(house: &House) -> f64 {
    house.clock.now_ms() as f64 / 1e3
}

const FIVE: &str = "# TYPE calls_total counter\ncalls_total 5\n";

#[tokio::test]
async fn the_first_add_counts_at_once_and_ten_minutes_later() {
    let clock = Arc::new(ManualClock::at_ms(T0));
    let house = House::open("memory:", Arc::clone(&clock), Ack::Stored).await;
    house.add(&[], FIVE).await;
    for after_ms in [0, 10_000, 590_000] {
        clock.advance_ms(after_ms);
        house.check("increase(calls_total[1h])", &[5.0]).await;
        house.check("rate(calls_total[1h]) * 3600", &[5.0]).await;
        house.check("calls_total", &[5.0]).await;
    }
    house.check("increase(calls_total[10m])", &[0.0]).await;
    house.check("increase(calls_total[601s])", &[5.0]).await;
    house.add(&[], FIVE).await;
    house.check("increase(calls_total[1h])", &[10.0]).await;
    house.check("increase(calls_total[10m])", &[5.0]).await;
}

#[tokio::test]
async fn several_processes_add_to_the_same_and_a_new_epoch_counts_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = folder.path().to_str().expect("a path");
    let clock = Arc::new(ManualClock::at_ms(T0));
    let a = House::open(url, Arc::clone(&clock), Ack::Stored).await;
    let b = House::open(url, Arc::clone(&clock), Ack::Stored).await;
    for house in [&a, &b, &a] {
        house.add(&[("X-Mayfly-TTL", "1m"), ("Idempotency-Key", "same for all")], FIVE).await;
        house.add(&[("X-Mayfly-TTL", "1m")], FIVE).await;
        clock.advance_ms(20_000);
    }
    for house in [&a, &b] {
        house.check("calls_total", &[20.0]).await;
        house.check("increase(calls_total[1h])", &[20.0]).await;
    }
    // the last push was 20 s ago
    clock.advance_ms(39_999);
    b.check("calls_total", &[20.0]).await;
    clock.advance_ms(1);
    b.check("calls_total", &[]).await;
    b.check("push_time_seconds", &[]).await;
    b.check("absent(calls_total)", &[1.0]).await;
    // whoever asks by name is told when
    let expired_s = house_time_s(&a);
    b.check("push_expired_time_seconds", &[expired_s]).await;
    b.check("push_expired_time_seconds{job='f'} == time()", &[expired_s]).await;
    b.check("{job='f'}", &[]).await;
    a.check("increase(calls_total[1h])", &[20.0]).await;
    a.add(&[], FIVE).await;
    b.check("calls_total", &[5.0]).await;
    b.check("increase(calls_total[1h])", &[25.0]).await;
    clock.advance_ms(1);
    b.check("push_expired_time_seconds", &[]).await;
}

#[tokio::test]
async fn quantiles_of_histograms_with_other_bounds() {
    let clock = Arc::new(ManualClock::at_ms(T0));
    let house = House::open("memory:", Arc::clone(&clock), Ack::Stored).await;
    let body = |buckets: &[(&str, u32)]| {
        let lines = buckets.iter().map(|(le, count)| format!("h_bucket{{le=\"{le}\"}} {count}\n"));
        let count = buckets.last().map_or(0, |(_, count)| *count);
        format!("# TYPE h histogram\n{}h_sum {count}\nh_count {count}\n", lines.collect::<String>())
    };
    house.add(&[], &body(&[("1", 10), ("+Inf", 10)])).await;
    clock.advance_ms(60_000);
    house.add(&[], &body(&[("1", 0), ("2", 10), ("+Inf", 10)])).await;
    clock.advance_ms(60_000);
    house.check("h_bucket{le=\"2.0\"}", &[20.0]).await;
    house.check("sum(increase(h_bucket{le=\"2.0\"}[1m30s]))", &[10.0]).await;
    house.check("histogram_quantile(0.5, increase(h_bucket[1h]))", &[1.0]).await;
    house.check("histogram_quantile(0.5, increase(h_bucket[1m30s]))", &[1.5]).await;
    house.check("histogram_count(histogram_quantile(1, h_bucket)) or vector(7)", &[7.0]).await;
}
