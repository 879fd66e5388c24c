//! Prometheus' own PromQL tests, if they are there.
//!
//! They are not part of this repository. `MAYFLY_CONFORMANCE` names a folder whose sub-folder `promql` holds the files
//! of Prometheus' `promql/promqltest/testdata`. All queries of all files must give what they should.

use std::path::PathBuf;
use std::sync::Arc;

use promqltest::{Report, settings_of_prometheus};
use testkit::ManualClock;

/// How many queries there are in all files.
const QUERIES: usize = 2_214;

#[expect(clippy::disallowed_methods, reason = "a test is an edge")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The names and texts of the files; `None` where they are not, which CI does not allow.
fn files() -> Option<Vec<(String, String)>> {
    let Some(folder) = variable("MAYFLY_CONFORMANCE") else {
        let in_ci = variable("CI").as_deref() == Some("true");
        assert!(!in_ci, "MAYFLY_CONFORMANCE must name the folder of the tests");
        return None;
    };
    let folder = PathBuf::from(folder).join("promql");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(&folder).expect("the folder of the tests") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "test") {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            all.push((name, std::fs::read_to_string(&path).expect("a text")));
        }
    }
    all.sort();
    Some(all)
}

async fn run(text: &str) -> Report {
    promqltest::run(text, settings_of_prometheus(), Arc::new(ManualClock::at_ms(0))).await
}

#[tokio::test]
async fn prometheus_own_tests_pass() {
    let Some(files) = files() else { return };
    let (mut passed, mut wrong) = (0, Vec::new());
    for (name, text) in &files {
        let report = run(text).await;
        passed += report.passed;
        wrong.extend(report.errors.iter().map(|error| format!("{name}:{}: {error}", error.line)));
        wrong.extend(report.failures.iter().map(|failure| format!("{name}:{failure}")));
    }
    assert!(wrong.is_empty(), "{passed} passed\n{}", wrong.join("\n"));
    assert_eq!(passed, QUERIES);
}

/// A runner that lets everything pass would show nothing: with one expectation altered, each file must fail.
#[tokio::test]
async fn an_altered_expectation_fails() {
    let Some(files) = files() else { return };
    for (name, text) in &files {
        let (line, altered) = altered(text).unwrap_or_else(|| panic!("{name} expects nothing"));
        let report = run(&altered).await;
        assert!(report.errors.is_empty(), "{name}: {:?}", report.errors);
        let failed: Vec<usize> = report.failures.iter().map(|failure| failure.line).collect();
        assert_eq!(failed, [line], "{name} with another expectation under line {line}");
    }
}

/// The script with another number at the end of the first expectation that ends with one, and the line of its query.
fn altered(text: &str) -> Option<(usize, String)> {
    let mut lines: Vec<&str> = text.lines().collect();
    let mut query = None;
    for index in 0..lines.len() {
        let line = lines[index].trim();
        if line.is_empty() || line.starts_with('#') {
            query = None;
        } else if line.starts_with("eval") {
            query = Some(index + 1);
        } else if let (Some(query), false) = (query, line.starts_with("expect")) {
            let (rest, last) = line.rsplit_once(' ').unwrap_or(("", line));
            if last.parse::<f64>().is_ok() {
                let changed = format!("  {rest} 12345.678");
                lines[index] = &changed;
                return Some((query, lines.join("\n")));
            }
        }
    }
    None
}
