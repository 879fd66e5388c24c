//! The rules that `infra/` offers load, and ask about what any job pushes.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mayfly_tests::Fixture;
use serde_json::Value;
use testkit::http;

#[test]
fn the_offered_rules_find_a_silent_job_and_a_refused_push() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/rules/jobs.yml");
    let rules = rules.display().to_string();
    let fixture = Fixture::with_args(|_| ["--rules", &rules].map(str::to_owned).to_vec());
    fixture.push("PUT", "job/etl", "rows 1\n");

    let answer = http::get(&fixture.server().query, "/api/v1/rules").unwrap();
    let answer: Value = serde_json::from_str(&answer.text()).unwrap();
    let loaded = answer["data"]["groups"][0]["rules"].as_array().unwrap();
    let expr_of = |alert: &str| {
        let rule =
            loaded.iter().find(|rule| rule["name"] == alert).unwrap_or_else(|| panic!("{alert}: {answer}"));
        rule["query"].as_str().unwrap().to_owned()
    };

    let silent = expr_of("JobSilent");
    fixture.check(&silent, &[]);
    let found: Vec<String> = fixture.vector(&silent, Some(&in_hours(27))).into_keys().collect();
    assert_eq!(found, [r#"{job="etl"}"#]);

    let refused = expr_of("JobPushRefused");
    fixture.check(&refused, &[]);
    // a timestamp in a push is refused, and the group remembers when
    assert_eq!(fixture.server().push("PUT", "job/etl", "rows 2 1000\n").unwrap().status, 400);
    let found: Vec<String> = fixture.vector(&refused, None).into_keys().collect();
    assert_eq!(found, [r#"push_failure_time_seconds{job="etl"}"#]);
}

fn in_hours(hours: u64) -> String {
    let at = SystemTime::now() + Duration::from_secs(hours * 3600);
    at.duration_since(UNIX_EPOCH).unwrap().as_secs().to_string()
}
