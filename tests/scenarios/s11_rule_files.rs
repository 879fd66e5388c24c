//! `mayfly check rules` and `mayfly test rules`: exit codes and texts, over upstream's own files where they are there.

use std::path::PathBuf;

use mayfly_tests::mayfly;
use tempfile::TempDir;

const RULES: &str = "groups:\n- name: g\n  rules:\n  - record: double\n    expr: 2 * x\n  - alert: High\n    expr: double > 4\n    \
    for: 2m\n    labels: {severity: '{{ if gt $value 5.0 }}page{{ else }}mail{{ end }}'}\n    annotations: {text: '{{ $labels.i }}: {{ $value }}'}\n";

const TEST: &str = "rule_files: ['*.rules']\ntests:\n- name: fires\n  input_series: [{series: 'x{i=\"1\"}', values: 1+1x10}]\n  \
    alert_rule_test:\n  - {eval_time: 3m, alertname: High}\n  - eval_time: 4m\n    alertname: High\n    exp_alerts:\n    \
    - {exp_labels: {i: 1, severity: page}, exp_annotations: {text: '1: 10'}}\n  promql_expr_test:\n  \
    - {expr: double, eval_time: 1m, exp_samples: [{labels: 'double{i=\"1\"}', value: 4}]}\n";

#[test]
fn unit_tests_pass_and_fail() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("a.rules", RULES);
    write("good.yml", TEST);
    write("bad.yml", &TEST.replace("value: 4", "value: 5"));
    write("none.yml", "rule_files: [nope.yml]\nsuites: []\n");

    let (code, out, err) = mayfly(folder.path(), &["test", "rules", "good.yml"]);
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "  SUCCESS\n\n", ""));

    let (code, out, err) =
        mayfly(folder.path(), &["test", "rules", "--junit", "out.xml", "good.yml", "bad.yml"]);
    let expect = "  FAILED:\n    expr: \"double\", time: 1m,\n        exp: {__name__=\"double\", i=\"1\"} 5E+00\n        \
        got: {__name__=\"double\", i=\"1\"} 4E+00\n";
    assert_eq!((code, out.as_str(), err.as_str()), (Some(1), "  SUCCESS\n\n\n\n", expect));
    let junit = std::fs::read_to_string(folder.path().join("out.xml")).unwrap();
    assert!(junit.contains("<testsuite name=\"bad.yml\" tests=\"1\" failures=\"1\""), "{junit}");

    let (code, out, _) = mayfly(folder.path(), &["test", "rules", "--run", "other", "bad.yml"]);
    assert_eq!((code, out.as_str()), (Some(0), "  SUCCESS\n\n"));

    let (code, _, err) = mayfly(folder.path(), &["test", "rules", "none.yml"]);
    let expect =
        "  FAILED:\nyaml: unmarshal errors:\n  line 2: field suites not found in type main.unitTestFile\n";
    assert_eq!((code, err.as_str()), (Some(1), expect));

    let (code, _, err) = mayfly(folder.path(), &["test", "rules", "missing.yml"]);
    assert_eq!((code, err.starts_with("mayfly: missing.yml: No such file")), (Some(1), true), "{err}");
}

#[test]
fn what_comes_on_standard_input_is_checked() {
    let folder = TempDir::new().unwrap();
    let (code, out, _) = mayfly(folder.path(), &["check", "rules"]);
    assert_eq!((code, out.as_str()), (Some(0), "Checking standard input\n  SUCCESS: 0 rules found\n\n"));
}

/// The folder of upstream's files, or nothing with a word about it; in CI it must be there.
fn conformance() -> Option<PathBuf> {
    if let Ok(root) = std::env::var("MAYFLY_CONFORMANCE") {
        return Some(PathBuf::from(root));
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must set MAYFLY_CONFORMANCE");
    eprintln!("not run: MAYFLY_CONFORMANCE does not name the folder of upstream's files");
    None
}

/// Command, exit code, and what the output must hold: what upstream's own tests expect, with texts as promtool prints them.
#[rustfmt::skip]
const UPSTREAM: &[(&str, i32, &[&str])] = &[
    ("test rules rules/unittest.yml", 0, &["  SUCCESS"]),
    ("test rules rules/bad-input-series.yml", 1, &["2:48: parse error: unexpected character inside braces: '0'"]),
    ("test rules rules/bad-promql.yml", 1, &[r#"    expr: "join_1 + on(a) join_2", time: 0s, err: found duplicate series for the match group {a="1"} on the right hand-side"#]),
    ("test rules rules/bad-rules-syntax-test.yml", 1, &[r#"bad-rules-syntax.yml: 7:15: group "bad-syntax", rule 1, "x": could not parse expression: 1:7: parse error: unexpected end of input"#]),
    ("test rules rules/bad-rules-error-test.yml", 1, &["    rule: joined, time: 0s, err: found duplicate series for the match group"]),
    ("test rules rules/failing.yml", 1, &[
        "    name: Failing test,\n    alertname: Test, time: 0s, \n        exp:[\n            0:\n              Labels:{alertname=\"Test\"}\n              Annotations:{}\n            ], \n        got:[]\n",
        "    expr: \"test\", time: 0s,\n        exp: {__name__=\"test\"} 1E+00\n        got: {__name__=\"test\"} 0E+00\n",
        "    name: Failing alert test,\n    alertname: InstanceDown, time: 5m, \n        exp:[], \n",
        "    alertname: AlwaysFiring, time: 5m, \n        exp:[], \n",
    ]),
    ("test rules rules/at-modifier-test.yml", 0, &["  SUCCESS"]),
    ("test rules rules/no-test-group-interval.yml", 0, &["  SUCCESS"]),
    ("test rules rules/rules_run.yml", 1, &["        got: {__name__=\"test\"} 0E+00"]),
    ("test rules --run correct rules/rules_run.yml", 0, &["  SUCCESS"]),
    ("test rules --run wrong rules/rules_run.yml", 1, &["  FAILED:"]),
    ("test rules rules/rules_run_extrafields.yml", 1, &["  line 7: field namespace not found in type rulefmt.RuleGroup\n  line 21: field ownership not found in type rulefmt.RuleGroup"]),
    ("test rules --ignore-unknown-fields rules/rules_run_extrafields.yml", 0, &["  SUCCESS"]),
    ("check rules rules/rules.yml", 0, &["Checking rules/rules.yml\n  SUCCESS: 5 rules found\n\n"]),
    ("check rules rules/rules-bad.yml", 1, &[r#"rules/rules-bad.yml: group "alerts", rule 1, "InstanceDown": annotation "summary": template: __alert_InstanceDown:1: undefined variable "$label""#]),
    ("check rules rules/prometheus-rules.lint.yml", 0, &["lint error 1 duplicate rule(s) found.\nMetric: HighRequestLatency\nLabel(s):\n\tseverity: page\nMight cause inconsistency while recording expressions\n"]),
    ("check rules --lint-fatal rules/prometheus-rules.lint.yml", 3, &["lint error 1 duplicate rule(s) found."]),
    ("check rules --lint-fatal --lint=none rules/prometheus-rules.lint.yml", 0, &["  SUCCESS: 2 rules found"]),
    ("check rules rules/rules_duplicates.yml", 0, &["Metric: job:test:count_over_time1m\nLabel(s):\nMight cause"]),
    ("check rules rules/rules_extrafields.yml", 1, &["field ownership not found"]),
    ("check rules --ignore-unknown-fields rules/rules_extrafields.yml", 0, &["  SUCCESS: 5 rules found"]),
    ("check rules rules/features.yml", 1, &[r#"features.yml: 6:15: group "features", rule 1, "promql-experimental-functions": could not parse expression: 1:1: parse error: function "sort_by_label" is not enabled"#]),
    ("check rules --enable-feature=promql-experimental-functions,promql-extended-range-selectors,promql-binop-fill-modifiers,promql-duration-expr rules/features.yml", 0, &["  SUCCESS: 4 rules found"]),
    ("check rules rules/good-sd-file.yml", 1, &["  line 1: cannot unmarshal !!seq into rulefmt.RuleGroups"]),
    ("check rules rulefmt/bad_expr.bad.yaml", 1, &[r#"5:15: group "yolo", rule 1, "yolo": could not parse expression: 1:6: parse error: expected type range vector in call to function "rate", got instant vector"#]),
    ("check rules rulefmt/bad_field.bad.yaml", 1, &["  line 8: field annotation not found in type rulefmt.Rule"]),
    ("check rules rulefmt/duplicate_grp.bad.yaml", 1, &[r#"groupname: "yolo" is repeated in the same file"#]),
    ("check rules rulefmt/invalid_label_name.bad.yaml", 1, &[r#"group "yolo", rule 1, "hola": invalid label name: __name__"#]),
    ("check rules rulefmt/invalid_record_name.bad.yaml", 1, &[r#"4:17: group "yolo", rule 1, "strawberry{flavor=\"sweet\"}": braces present in the recording rule name; should it be in expr?: strawberry{flavor="sweet"}"#]),
    ("check rules rulefmt/no_rec_alert.bad.yaml", 1, &[r#"0:0: 0:0: group "yolo", rule 1, "": one of 'record' or 'alert' must be set"#]),
    ("check rules rulefmt/noexpr.bad.yaml", 1, &[r#"0:0: group "yolo", rule 1, "ylo": field 'expr' must be set in rule"#]),
    ("check rules rulefmt/record_and_alert.bad.yaml", 1, &[r#"4:17: 5:16: group "yolo", rule 1, "Hello": only one of 'record' and 'alert' must be set"#]),
    ("check rules rulefmt/record_and_for.bad.yaml", 1, &[r#"4:17: group "yolo", rule 1, "Hello": invalid field 'for' in recording rule"#]),
    ("check rules rulefmt/record_and_keep_firing_for.bad.yaml", 1, &[r#"4:17: group "yolo", rule 1, "Hello": invalid field 'keep_firing_for' in recording rule"#]),
    // with UTF-8 names, which are the default, an annotation may have any
    ("check rules rulefmt/legacy_validation_annotation.bad.yaml", 0, &["  SUCCESS: 1 rules found"]),
    ("check rules rulefmt/legacy_validation_annotation.good.yaml", 0, &["  SUCCESS: 1 rules found"]),
    ("check rules rulefmt/utf-8_annotation.good.yaml", 0, &["  SUCCESS: 1 rules found"]),
    ("check rules rulefmt/utf-8_lname.good.yaml", 0, &["  SUCCESS: 1 rules found"]),
    ("check rules rulefmt/test.yaml", 0, &["Metric: HighErrors\nLabel(s):\n\tseverity: critical\n"]),
    ("check rules rulefmt/test_aliases.yaml", 0, &["lint error 2 duplicate rule(s) found."]),
];

/// Files of both folders that no command above names itself: what others name, and Prometheus configurations.
const NAMED_BY_OTHERS: &[&str] = &["at-modifier.yml", "bad-rules-error.yml", "bad-rules-syntax.yml"];

#[test]
fn files_of_upstream() {
    let Some(root) = conformance() else { return };
    assert_eq!(UPSTREAM.len(), 40, "one is missing, or new");
    let mut failed = Vec::new();
    for (command, code, texts) in UPSTREAM {
        let (ended, out, err) = mayfly(&root, &command.split(' ').collect::<Vec<_>>());
        let told = format!("{out}{err}");
        if ended != Some(*code) || !texts.iter().all(|text| told.contains(text)) {
            failed.push(format!("{command}: ended with {ended:?}\n{told}"));
        }
    }
    println!("{} passed, {} failed", UPSTREAM.len() - failed.len(), failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let is_named = |name: &str| {
        NAMED_BY_OTHERS.contains(&name)
            || UPSTREAM.iter().any(|(command, ..)| command.ends_with(&format!("/{name}")))
    };
    for folder in ["rules", "rulefmt"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let entry = entry.unwrap();
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let name = entry.file_name().into_string().unwrap();
            let is_configuration = text.contains("scrape_configs:") || text.contains("alerting:");
            let lists_rule_files_only = name == "config_with_rule_files.yml";
            assert!(
                is_named(&name) || is_configuration || lists_rule_files_only,
                "nobody runs {folder}/{name}"
            );
        }
    }
}
