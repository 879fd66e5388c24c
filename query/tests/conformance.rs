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
