//! From a job that is expected to the rules that fire when it is missing, late, failed or expired.
//!
//! They look at the times that the gateway keeps for each group of pushes, so the job needs no metric of its own.

use std::fmt::Write;

use model::Matcher;
use model::name::is_legacy_label_name;
use model::quote::quoted;
use yaml::Position;

use super::decode::{Field, RawGroup, RawRule};
use super::jobs::{EXPECTED, Job};

/// The group of rules of one job, with its name. All places in it are that of the job.
pub(super) fn group(job: &Job, position: Position) -> RawGroup {
    let pushes = selector(&job.matchers);
    let within = job.expect.within_ms;
    let (name, expected) = (&job.name, &job.expect.text);
    let rule = |alert: &str, expr: String, for_ms: i64, summary: String| RawRule {
        alert: Field { text: alert.to_owned(), position },
        expr: Field { text: expr, position },
        for_ms,
        labels: [(EXPECTED.to_owned(), job.name.clone())].into_iter().chain(job.labels.clone()).collect(),
        annotations: [("summary".to_owned(), summary)].into_iter().chain(job.annotations.clone()).collect(),
        ..RawRule::default()
    };
    let mut rules = vec![
        // nothing was ever pushed, or it was deleted: what has been so for that long is missing
        rule(
            "JobMissing",
            format!("absent(push_time_seconds{pushes}) unless on () push_expired_time_seconds{pushes}"),
            within,
            format!("nothing of {name} is there; it is expected {expected}"),
        ),
        rule(
            "JobLate",
            format!("time() - push_time_seconds{pushes} > {}", within as f64 / 1_000.0),
            0,
            format!(
                "{name} has not been pushed for {{{{ $value | humanizeDuration }}}}; it is expected {expected}"
            ),
        ),
        failed(
            rule(
                "JobFailed",
                format!("push_failure_time_seconds{pushes} > push_time_seconds{pushes}"),
                0,
                format!("the last push of {name} was refused, at {{{{ $value | humanizeTimestamp }}}}"),
            ),
            "refused",
        ),
        rule(
            "JobExpired",
            format!("push_expired_time_seconds{pushes}"),
            0,
            format!("{name} expired at {{{{ $value | humanizeTimestamp }}}}: nobody pushed to it again"),
        ),
    ];
    if !job.failed_if.text.is_empty() {
        let summary = format!("{name} says that it failed: {{{{ $value }}}}");
        rules.push(failed(rule("JobFailed", job.failed_if.text.clone(), 0, summary), "reported"));
    }
    RawGroup { position, name: job.name.clone(), rules, ..RawGroup::default() }
}

/// Tells the two ways of failing apart.
fn failed(mut rule: RawRule, reason: &str) -> RawRule {
    rule.labels.insert("reason".to_owned(), reason.to_owned());
    rule
}

/// Matchers in braces.
fn selector(matchers: &[Matcher]) -> String {
    let mut text = String::from("{");
    for (index, matcher) in matchers.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let name = match is_legacy_label_name(&matcher.name) {
            true => matcher.name.to_string(),
            false => quoted(&matcher.name),
        };
        // writing to a string cannot fail
        let _ = write!(text, "{comma}{name}{}{}", matcher.op.as_str(), quoted(&matcher.value));
    }
    text + "}"
}
