//! What is pushed, as text of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::anyhow;

use super::command::Outcome;
use super::values::Value;

/// When the command began; it runs as long as this is later than [`ENDED`].
const STARTED: (&str, &str) = ("job_start_timestamp_seconds", "When the job began, as Unix time.");
const ENDED: (&str, &str) = ("job_end_timestamp_seconds", "When the job ended, as Unix time.");
const SUCCEEDED: (&str, &str) =
    ("job_last_success_timestamp_seconds", "When the job last ended with exit code 0, as Unix time.");
const DURATION: (&str, &str) = ("job_duration_seconds", "How long the job ran.");
const EXIT_CODE: (&str, &str) =
    ("job_exit_code", "What the job ended with: 0 is success, 128 and more the signal that ended it.");

/// That the command runs.
pub(super) fn of_start(started_ms: i64) -> String {
    gauge(STARTED, &seconds(started_ms))
}

/// How the command went. When it last succeeded stays as it was where it did not.
pub(super) fn of_outcome(outcome: &Outcome) -> String {
    let mut text = of_start(outcome.started_ms) + &gauge(ENDED, &seconds(outcome.ended_ms));
    text += &gauge(DURATION, &outcome.duration.as_secs_f64().to_string());
    text += &gauge(EXIT_CODE, &outcome.code.to_string());
    if outcome.code == 0 {
        text += &gauge(SUCCEEDED, &seconds(outcome.ended_ms));
    }
    text
}

/// The given values, each of its family's type.
///
/// # Errors
/// If they are no metrics, or contradict each other.
pub(super) fn of_values(values: &[Value]) -> anyhow::Result<String> {
    let mut families: BTreeMap<&str, String> = BTreeMap::new();
    for Value { name, series, value } in values {
        let family = families.entry(name).or_insert_with(|| {
            let is_counter = name.ends_with("_total");
            format!("# TYPE {name} {}\n", if is_counter { "counter" } else { "gauge" })
        });
        // writing to a text cannot fail
        let _ = writeln!(family, "{series} {}", text_of(*value));
    }
    let text: String = families.into_values().collect();
    wire::text::parse(text.as_bytes(), &wire::text::Options::default())
        .map_err(|error| anyhow!("the given values: {error}"))?;
    Ok(text)
}

fn gauge((name, help): (&str, &str), value: &str) -> String {
    format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n")
}

fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms.div_euclid(1_000), ms.rem_euclid(1_000))
}

fn text_of(value: f64) -> String {
    match value {
        value if value.is_nan() => "NaN".to_owned(),
        value if value.is_infinite() => if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::values::value;
    use super::*;

    #[test]
    fn values_of_a_family_stand_together() {
        let of =
            |texts: &[&str]| of_values(&texts.iter().map(|text| value(text).unwrap()).collect::<Vec<_>>());
        let text = of(&["rows{t=\"a\"}=1", "done_total=2", "rows{t=\"b\"}=NaN"]).unwrap();
        let expect = "# TYPE done_total counter\ndone_total 2\n# TYPE rows gauge\nrows{t=\"a\"} 1\nrows{t=\"b\"} NaN\n";
        assert_eq!(text, expect);
        assert!(
            of(&["rows{t=a}=1"])
                .unwrap_err()
                .to_string()
                .starts_with("the given values: text format parsing error")
        );
    }

    #[test]
    fn a_failure_does_not_say_when_it_last_succeeded() {
        let outcome = |code| Outcome {
            code,
            started_ms: 1_500,
            ended_ms: 4_007,
            duration: std::time::Duration::from_millis(2_507),
        };
        let lines = |code| {
            let text = of_outcome(&outcome(code));
            let lines = text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned);
            lines.collect::<Vec<_>>()
        };
        let failed = [
            "job_start_timestamp_seconds 1.500",
            "job_end_timestamp_seconds 4.007",
            "job_duration_seconds 2.507",
            "job_exit_code 3",
        ];
        assert_eq!(lines(3), failed);
        assert_eq!(lines(0)[4..], ["job_last_success_timestamp_seconds 4.007"]);
    }
}
