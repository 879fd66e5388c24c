//! The rules that are made of jobs, on histories of the times that the gateway keeps.

use super::stage::{Stage, ZERO_MS};

const MINUTE: i64 = 60_000;

/// What fires at each of these minutes: alert and job.
async fn check(jobs: &str, series: &[(&str, &str)], expected: &[(i64, &[&str])]) {
    let stage = Stage::new(&[("jobs.yml", jobs)], series, MINUTE);
    let mut expected = expected.iter().peekable();
    for minute in 0..=expected.clone().last().expect("a minute").0 {
        stage.tick(minute * MINUTE).await;
        let Some((_, firing)) = expected.next_if(|(at, _)| *at == minute) else { continue };
        let alerts = stage.get("/api/v1/alerts").await["alerts"].take();
        let fires = alerts.as_array().expect("alerts").iter().filter(|alert| alert["state"] == "firing");
        let text = |alert: &serde_json::Value, label: &str| {
            alert["labels"][label].as_str().unwrap_or("-").to_owned()
        };
        let shown: Vec<String> =
            fires.map(|alert| format!("{} {}", text(alert, "alertname"), text(alert, "job"))).collect();
        assert_eq!(shown, *firing, "at minute {minute}");
    }
}

/// `push_time_seconds` as if there was a push at some minutes: each value is the time of the last.
fn pushes(minutes: &[i64], until: i64) -> String {
    let value = |minute: i64| match minutes.iter().rev().find(|push| **push <= minute) {
        Some(push) => (ZERO_MS / 1_000 + push * 60).to_string(),
        None => "_".to_owned(),
    };
    (-1..until).map(value).collect::<Vec<_>>().join(" ")
}

const BACKUP: &str = "jobs:\n- {job: backup, expect: 'every 10m, grace 2m'}\n";

#[tokio::test]
async fn late_is_later_than_every_and_grace() {
    let times = pushes(&[0, 10, 31], 60);
    let series = &[("push_time_seconds{job=\"backup\"}", times.as_str())];
    check(
        BACKUP,
        series,
        &[(12, &[]), (22, &[]), (23, &["JobLate backup"]), (31, &["JobLate backup"]), (33, &[])],
    )
    .await;
}

#[tokio::test]
async fn missing_is_what_is_not_there_for_that_long() {
    check(BACKUP, &[("other", "1+0x100")], &[(11, &[]), (12, &["JobMissing backup"])]).await;
    // it comes for the first time
    let times = pushes(&[14], 60);
    let series = &[("push_time_seconds{job=\"backup\"}", times.as_str())];
    check(BACKUP, series, &[(13, &["JobMissing backup"]), (15, &[]), (20, &[])]).await;
}

#[tokio::test]
async fn expired_is_not_missing() {
    let series = &[
        ("push_time_seconds{job=\"backup\"}", "1790000003+0x5 stale"),
        ("push_expired_time_seconds{job=\"backup\"}", "_x5 1790000303+0x60"),
    ];
    check(BACKUP, series, &[(3, &[]), (7, &["JobExpired backup"]), (30, &["JobExpired backup"])]).await;
}

#[tokio::test]
async fn failed_is_refused_or_what_the_job_says() {
    let times = pushes(&[0, 10], 60);
    let refusals = pushes(&[5, 14], 60);
    let series = &[
        ("push_time_seconds{job=\"backup\"}", times.as_str()),
        ("push_failure_time_seconds{job=\"backup\"}", refusals.as_str()),
        ("code{job=\"backup\"}", "0+0x17 1 0+0x20"),
    ];
    let jobs = "jobs:\n- {job: backup, expect: every 1h, failed_if: code > 0}\n";
    check(
        jobs,
        series,
        &[
            (4, &[]),
            (6, &["JobFailed backup"]),
            (11, &[]),
            (15, &["JobFailed backup"]),
            (18, &["JobFailed backup", "JobFailed backup"]),
            (19, &["JobFailed backup"]),
        ],
    )
    .await;
}

#[tokio::test]
async fn matchers_choose_groups_and_each_is_late_by_itself() {
    let (a, b) = (pushes(&[0, 10, 20], 60), pushes(&[0, 10], 60));
    let series = &[
        ("push_time_seconds{job=\"db-a\", team=\"x\"}", a.as_str()),
        ("push_time_seconds{job=\"db-b\", team=\"x\"}", b.as_str()),
        ("push_time_seconds{job=\"db-c\", team=\"y\"}", "0+0x60"),
        ("push_time_seconds{job=\"c\", team=\"x\"}", "0+0x60"),
    ];
    let jobs = "jobs:\n- {name: databases, matchers: ['job=~\"db.*\"', team=x], expect: every 12m}\n";
    check(jobs, series, &[(20, &[]), (24, &["JobLate db-b"])]).await;
}
