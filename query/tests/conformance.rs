//! Prometheus' own PromQL tests, if they are there.
//!
//! They are not part of this repository. `MAYFLY_CONFORMANCE` names a folder whose sub-folder `promql` holds the files
//! of Prometheus' `promql/promqltest/testdata`. Each file must pass at least as many queries as `conformance.txt` says.

mod promqltest;

use std::collections::BTreeMap;
use std::path::PathBuf;

use mayfly_query::Settings;
use mayfly_query::syntax::Options;

/// `file passed` per line.
const MINIMUM: &str = include_str!("conformance.txt");

#[expect(clippy::disallowed_methods, reason = "a test is an edge")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[test]
fn prometheus_own_tests_pass() {
    let Some(folder) = variable("MAYFLY_CONFORMANCE") else {
        assert_ne!(
            variable("CI").as_deref(),
            Some("true"),
            "MAYFLY_CONFORMANCE must name the folder of the tests"
        );
        println!("skipped: MAYFLY_CONFORMANCE is not set");
        return;
    };
    let folder = PathBuf::from(folder).join("promql");
    let minimum: BTreeMap<&str, usize> = MINIMUM
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .map(|(file, passed)| (file, passed.trim().parse().expect("a number")))
        .collect();
    let verbose = variable("MAYFLY_CONFORMANCE_VERBOSE");
    let (mut passed, mut total) = (0, 0);
    let mut worse = Vec::new();
    for (file, &least) in &minimum {
        let text = std::fs::read_to_string(folder.join(format!("{file}.test"))).expect(file);
        let settings = Settings { delayed_name_removal: true, syntax: Options::all(), ..Settings::default() };
        let report = promqltest::run_with(&text, settings);
        let all = report.passed + report.failures.len();
        (passed, total) = (passed + report.passed, total + all);
        println!("{file} {}/{all}", report.passed);
        if verbose.as_deref().is_some_and(|wanted| wanted == "all" || wanted == *file) {
            report.failures.iter().for_each(|failure| println!("  {failure}"));
        }
        if report.passed < least {
            worse.push(format!("{file}: {} instead of {least}", report.passed));
        }
    }
    println!("all {passed}/{total}");
    assert!(worse.is_empty(), "fewer queries pass than before: {worse:?}");
}

/// A runner that lets everything pass would show nothing: with one expectation altered, each file must fail.
#[test]
fn an_altered_expectation_fails() {
    let Some(folder) = variable("MAYFLY_CONFORMANCE") else { return };
    let folder = PathBuf::from(folder).join("promql");
    for file in MINIMUM.lines().filter(|line| !line.starts_with('#')) {
        let file = file.split(' ').next().expect("a name");
        let text = std::fs::read_to_string(folder.join(format!("{file}.test"))).expect(file);
        let altered = altered(&text).unwrap_or_else(|| panic!("{file} expects nothing"));
        let settings = Settings { delayed_name_removal: true, syntax: Options::all(), ..Settings::default() };
        let report = promqltest::run_with(&altered, settings);
        assert!(!report.failures.is_empty(), "{file} passes although an expectation was altered");
    }
}

/// The script with another number at the end of the first expectation that ends with one.
fn altered(text: &str) -> Option<String> {
    let mut lines: Vec<&str> = text.lines().collect();
    let mut in_eval = false;
    for index in 0..lines.len() {
        let line = lines[index].trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with("expect") {
            in_eval &= !line.is_empty();
            continue;
        }
        if !in_eval {
            in_eval = line.starts_with("eval");
            continue;
        }
        let (rest, last) = line.rsplit_once(' ').unwrap_or(("", line));
        if last.parse::<f64>().is_ok() {
            let changed = format!("  {rest} 12345.678");
            lines[index] = &changed;
            return Some(lines.join("\n"));
        }
    }
    None
}
