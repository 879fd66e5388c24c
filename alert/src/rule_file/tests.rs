use std::fs;

use super::*;
use crate::Rules;
use crate::testing::{FakeQuery, conformance};

fn errors_with(text: &str, options: &RuleFileOptions) -> Vec<String> {
    match Rules::load_with(&[("f.yml", text)], &FakeQuery::default(), options) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

fn errors(text: &str) -> Vec<String> {
    errors_with(text, &RuleFileOptions::default())
}

fn check(text: &str, expect: &[&str]) {
    assert_eq!(errors(text), expect, "{text}");
}

/// Lines below `rules:` of a group `g`.
fn rule(lines: &str) -> String {
    let indented: Vec<String> = lines.lines().map(|line| format!("    {line}")).collect();
    format!("groups:\n- name: g\n  rules:\n{}\n", indented.join("\n"))
}

#[test]
fn an_empty_file_has_no_groups() {
    for text in ["", "# nothing\n", "groups:\n", "groups: []\n", "---\n"] {
        let rules = Rules::load(&[("f.yml", text)], &FakeQuery::default()).expect("loads");
        assert_eq!(rules.group_count(), 0);
    }
}

#[test]
fn groups_have_names_of_their_own() {
    check("groups:\n- rules: []\n", &["f.yml: 2:3: Groupname must not be empty"]);
    check(
        "groups:\n  - name: a\n  - name: a\n",
        &[r#"f.yml: 3:5: groupname: "a" is repeated in the same file"#],
    );
    check("groups:\n- name: g\n  labels: {__name__: x}\n", &["f.yml: invalid label name: __name__"]);
}

#[test]
fn a_rule_records_or_alerts() {
    check(
        &rule("- record: r\n  alert: A\n  expr: 1"),
        &[r#"f.yml: 4:15: 5:14: group "g", rule 1, "A": only one of 'record' and 'alert' must be set"#],
    );
    check(
        &rule("- expr: 1"),
        &[r#"f.yml: 0:0: 0:0: group "g", rule 1, "": one of 'record' or 'alert' must be set"#],
    );
    check(&rule("- record: r"), &[r#"f.yml: 0:0: group "g", rule 1, "r": field 'expr' must be set in rule"#]);
    check(
        &rule("- record: ok\n  expr: 1\n- alert: A\n  expr: |\n    a !! b"),
        &[
            r#"f.yml: 7:13: group "g", rule 2, "A": could not parse expression: 1:1: parse error: unexpected character: '!'"#,
        ],
    );
}

#[test]
fn recording_rules_have_fewer_fields() {
    check(
        &rule("- record: r\n  expr: 1\n  for: 1m\n  keep_firing_for: 1m\n  annotations: {a: b}"),
        &[
            r#"f.yml: 4:15: group "g", rule 1, "r": invalid field 'annotations' in recording rule"#,
            r#"f.yml: 4:15: group "g", rule 1, "r": invalid field 'for' in recording rule"#,
            r#"f.yml: 4:15: group "g", rule 1, "r": invalid field 'keep_firing_for' in recording rule"#,
        ],
    );
    check(&rule("- record: r\n  expr: 1\n  for: 0s\n  annotations: {}"), &[]);
    check(
        &rule("- record: 'a{b=\"c\"}'\n  expr: 1"),
        &[
            r#"f.yml: 4:15: group "g", rule 1, "a{b=\"c\"}": braces present in the recording rule name; should it be in expr?: a{b="c"}"#,
        ],
    );
}

#[test]
fn names_of_labels_and_annotations() {
    check(
        &rule("- alert: A\n  expr: 1\n  labels: {__name__: x, '': y, é: z}"),
        &[
            r#"f.yml: group "g", rule 1, "A": invalid label name: "#,
            r#"f.yml: group "g", rule 1, "A": invalid label name: __name__"#,
        ],
    );
    let legacy = RuleFileOptions { names: NameScheme::Legacy, ..RuleFileOptions::default() };
    let text =
        rule("- alert: A\n  expr: 1\n  labels: {a-b: x}\n  annotations: {c-d: y}\n- record: e-f\n  expr: 1");
    assert_eq!(errors(&text), Vec::<String>::new());
    assert_eq!(
        errors_with(&text, &legacy),
        [
            r#"f.yml: group "g", rule 1, "A": invalid label name: a-b"#,
            r#"f.yml: group "g", rule 1, "A": invalid annotation name: c-d"#,
            r#"f.yml: 8:15: group "g", rule 2, "e-f": invalid recording rule name: e-f"#,
        ]
    );
}

#[test]
fn templates_must_parse() {
    check(
        &rule(
            "- alert: A\n  expr: 1\n  labels: {x: '{{ $label.a }}'}\n  annotations: {y: '{{ $value * 100 }}', z: '{{ nope }}'}",
        ),
        &[
            r#"f.yml: group "g", rule 1, "A": label "x": template: __alert_A:1: undefined variable "$label""#,
            r#"f.yml: group "g", rule 1, "A": annotation "y": template: __alert_A:1: unexpected "*" in operand"#,
            r#"f.yml: group "g", rule 1, "A": annotation "z": template: __alert_A:1: function "nope" not defined"#,
        ],
    );
    // Labels of recording rules are no templates.
    check(&rule("- record: r\n  expr: 1\n  labels: {x: '{{ nope }}'}"), &[]);
}

#[test]
fn fields_must_exist_and_have_their_type() {
    check(
        &rule("- alert: A\n  expr: 1\n  annotation: {a: b}\n  owner: me"),
        &[concat!(
            "f.yml: yaml: unmarshal errors:\n",
            "  line 6: field annotation not found in type rulefmt.Rule\n",
            "  line 7: field owner not found in type rulefmt.Rule"
        )],
    );
    check(
        "groups:\n- name: g\n  limit: many\n  labels: 5\n  rules:\n  - alert: [A]\n    labels: {a: {b: c}}\nx: 1\n",
        &[concat!(
            "f.yml: yaml: unmarshal errors:\n",
            "  line 3: cannot unmarshal !!str `many` into int\n",
            "  line 4: cannot unmarshal !!int `5` into map[string]string\n",
            "  line 6: cannot unmarshal !!seq into string\n",
            "  line 7: cannot unmarshal !!map into string\n",
            "  line 8: field x not found in type rulefmt.RuleGroups"
        )],
    );
    check(
        "groups: everywhere\n",
        &[
            "f.yml: yaml: unmarshal errors:\n  line 1: cannot unmarshal !!str `everywhere` into []rulefmt.RuleGroup",
        ],
    );
    check(
        &rule("- alert: A\n  expr: 1\n  expr: 2"),
        &["f.yml: yaml: unmarshal errors:\n  line 6: mapping key \"expr\" already defined at line 5"],
    );
    check(&rule("- alert: A\n  expr: 1\n  for: 5x"), &[r#"f.yml: unknown unit "x" in duration "5x""#]);
    check("groups: [\n", &["f.yml: yaml: line 2: while parsing a node, did not find expected node content"]);
    let lenient = RuleFileOptions { ignore_unknown_fields: true, ..RuleFileOptions::default() };
    assert_eq!(errors_with(&rule("- alert: A\n  expr: 1\n  owner: me"), &lenient), Vec::<String>::new());
}

#[test]
fn merge_keys_give_what_a_mapping_lacks() {
    let text = rule(
        "- &base\n  alert: A\n  expr: up\n  for: 5m\n  labels: &l {severity: page}\n- <<: *base\n  alert: B\n- <<: [{for: 1m}, *base]\n  labels: {<<: *l, x: y}",
    );
    let rules = Rules::load(&[("f.yml", &text)], &FakeQuery::default()).expect("loads");
    let described: Vec<String> = rules.groups[0]
        .rules
        .iter()
        .map(|rule| match rule.kind {
            crate::rules::RuleKind::Alerting { for_ms, .. } => {
                format!("{} {for_ms} {}", rule.name, rule.labels)
            }
            crate::rules::RuleKind::Recording { .. } => String::new(),
        })
        .collect();
    assert_eq!(
        described,
        [
            r#"A 300000 {severity="page"}"#,
            r#"B 300000 {severity="page"}"#,
            r#"A 60000 {severity="page", x="y"}"#
        ]
    );
}

#[test]
fn what_is_no_mistake_may_be_a_warning() {
    let text =
        "groups:\n- name: g\n  partial_response_strategy: warn\n  query_offset: 0s\n  rules: []\n---\nx: 1\n";
    let rules = Rules::load(&[("f.yml", text)], &FakeQuery::default()).expect("loads");
    assert_eq!(
        rules.warnings(),
        [
            "f.yml: only the first YAML document is read",
            "f.yml: 3:30: partial_response_strategy has no effect"
        ]
    );
    assert_eq!(rules.groups[0].query_offset_ms, Some(0));
}

#[test]
fn group_labels_give_way_to_rule_labels() {
    let text = "groups:\n- name: g\n  labels: {team: a, tier: '1'}\n  rules:\n  - {record: r, expr: 1, labels: {team: b}}\n";
    let rules = Rules::load(&[("f.yml", text)], &FakeQuery::default()).expect("loads");
    assert_eq!(rules.groups[0].rules[0].labels.to_string(), r#"{team="b", tier="1"}"#);
}

#[test]
fn a_file_has_a_limit() {
    let text = " ".repeat(RULE_FILE_BYTES_MAX + 1);
    assert_eq!(errors(&text), ["f.yml: the file has 16777217 bytes; the limit is 16777216"]);
}

/// Prometheus' own fixtures: what is bad, with a part of its message, and what is good.
#[test]
fn fixtures_of_prometheus() {
    let Some(folder) = conformance("rulefmt") else { return };
    let bad = [
        ("duplicate_grp.bad.yaml", r#"3:5: groupname: "yolo" is repeated in the same file"#),
        ("bad_expr.bad.yaml", "5:15: group \"yolo\", rule 1, \"yolo\": could not parse expression: "),
        ("record_and_alert.bad.yaml", "only one of 'record' and 'alert' must be set"),
        ("no_rec_alert.bad.yaml", "one of 'record' or 'alert' must be set"),
        ("noexpr.bad.yaml", "field 'expr' must be set in rule"),
        (
            "invalid_record_name.bad.yaml",
            "braces present in the recording rule name; should it be in expr?: strawberry{flavor=\"sweet\"}",
        ),
        ("bad_field.bad.yaml", "line 8: field annotation not found in type rulefmt.Rule"),
        ("invalid_label_name.bad.yaml", "invalid label name: __name__"),
        ("record_and_for.bad.yaml", "invalid field 'for' in recording rule"),
        ("record_and_keep_firing_for.bad.yaml", "invalid field 'keep_firing_for' in recording rule"),
        ("legacy_validation_annotation.bad.yaml", "invalid annotation name: ins-tance"),
    ];
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("lists the folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        // The fake knows no PromQL, so the one bad expression is made bad for it.
        let text = fs::read_to_string(&path).expect("reads").replace("rate(hi)", "rate(hi) !!");
        let names = if name.starts_with("legacy") { NameScheme::Legacy } else { NameScheme::Utf8 };
        let found = errors_with(&text, &RuleFileOptions { names, ..RuleFileOptions::default() });
        match bad.iter().find(|(bad, _)| *bad == name) {
            Some((_, part)) => assert!(found.iter().any(|error| error.contains(part)), "{name}: {found:?}"),
            None => assert_eq!(found, Vec::<String>::new(), "{name}"),
        }
        count += 1;
    }
    assert_eq!(count, 16);
}

/// Rule files that promtool's own tests check, with the verdicts that they expect.
#[test]
fn fixtures_of_promtool() {
    let Some(folder) = conformance("rules") else { return };
    let check = |name: &str, ignore_unknown_fields: bool, expect: Result<usize, &str>| {
        let text = fs::read_to_string(folder.join(name)).expect("reads").replace("test +'", "test + !!'");
        let options = RuleFileOptions { ignore_unknown_fields, ..RuleFileOptions::default() };
        match (Rules::load_with(&[(name, &text)], &FakeQuery::default(), &options), expect) {
            (Ok(rules), Ok(count)) => assert_eq!(rules.rule_count(), count, "{name}"),
            (Err(errors), Err(part)) => {
                assert!(errors.iter().any(|error| error.to_string().contains(part)), "{name}: {errors:?}");
            }
            (result, _) => panic!("{name}: {result:?}"),
        }
    };
    check("rules.yml", false, Ok(5));
    check(
        "rules-bad.yml",
        false,
        Err(r#"annotation "summary": template: __alert_InstanceDown:1: undefined variable "$label""#),
    );
    check("rules_duplicates.yml", false, Ok(5));
    check("rules_extrafields.yml", false, Err("line 7: field namespace not found in type rulefmt.RuleGroup"));
    check("rules_extrafields.yml", true, Ok(5));
    check("prometheus-rules.lint.yml", false, Ok(2));
    check("features.yml", false, Ok(4));
    check("at-modifier.yml", false, Ok(1));
    check("bad-rules-error.yml", false, Ok(1));
    check("bad-rules-syntax.yml", false, Err("could not parse expression"));
}
