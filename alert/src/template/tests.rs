use std::fs;

use super::*;
use crate::go::quote;
use crate::testing::conformance;

type Vector = Vec<(Labels, Value)>;

fn environment(answers: &[(&str, Result<Vector, String>)]) -> Arc<Environment> {
    Arc::new(Environment {
        external_labels: Labels::from_pairs([("cluster", "c1")]),
        external_url: "http://x/p".to_owned(),
        now_ms: 1_435_065_584_128,
        answers: answers.iter().map(|(query, answer)| ((*query).to_owned(), answer.clone())).collect(),
    })
}

fn vector(elements: &[(&str, f64)]) -> Vector {
    let labels =
        |instance: &str| Labels::from_pairs([("__name__", "up"), ("instance", instance), ("job", "node")]);
    elements.iter().map(|(instance, value)| (labels(instance), Value::Float(*value))).collect()
}

fn known() -> Vec<(&'static str, Result<Vector, String>)> {
    let up = vector(&[("b:1", 1.0), ("a:1", 0.5)]);
    vec![
        ("up", Ok(up)),
        ("up{instance='localhost:9090'}", Ok(vector(&[("localhost:9090", 1.0)]))),
        ("empty", Ok(Vec::new())),
        ("bad", Err("no such thing".to_owned())),
    ]
}

/// The text, or the error without the name of the template in front.
fn expand(text: &str) -> String {
    let template = match RuleTemplate::parse("t", text) {
        Ok(template) => template,
        Err(error) => return format!("PARSE {error}"),
    };
    let labels = Labels::from_pairs([("instance", "localhost:9090"), ("job", "node"), ("severity", "page")]);
    match template.expand(&labels, &Value::Float(1_234_567.891), &environment(&known())) {
        Expansion::Text(text) => text,
        Expansion::Failed(reason) => format!("ERROR {reason}"),
        Expansion::Needs(query) => format!("NEEDS {query}"),
    }
}

fn check(text: &str, expect: &str) {
    assert_eq!(expand(text), expect, "{text}");
}

/// What Go printed for the same templates.
#[test]
fn outputs_of_go() {
    let Some(folder) = conformance("templates") else { return };
    let text = fs::read_to_string(folder.join("cases.json")).expect("reads");
    let cases: serde_json::Value = serde_json::from_str(&text).expect("is JSON");
    let mut count = 0;
    let mut wrong = Vec::new();
    for case in cases["cases"].as_array().expect("cases").iter().filter(|case| case["data"] == "rule") {
        let field = |name: &str| case[name].as_str().expect("a text");
        let expect = field("go_output").replace("ERR parse: template: t:", "PARSE template: __alert_t:");
        let got = expand(field("template"));
        if got != expect {
            wrong.push(format!("{}: {} instead of {}", field("name"), quote(&got), quote(&expect)));
        }
        count += 1;
    }
    assert_eq!((wrong, count), (Vec::new(), 37));
}

#[test]
fn what_rules_see() {
    check(
        "{{ $labels.job }} {{ .Labels.job }} {{ $externalLabels.cluster }} {{ $externalURL }} {{ $value }}",
        "node node c1 http://x/p 1.234567891e+06",
    );
    check("[{{ $labels.nope }}]{{ if not $labels.nope }}none{{ end }}", "[]none");
    check(
        "{{ index $labels \"nope\" }}|{{ len $labels }}|{{ $labels }}",
        "|3|map[instance:localhost:9090 job:node severity:page]",
    );
    check("{{ (args 1).arg7 }}", "<no value>");
}

#[test]
fn queries() {
    check("{{ query \"what\" }}", "NEEDS what");
    check("{{ query \"up\" | first | value }} {{ (query \"up\" | first).Labels.instance }}", "1 b:1");
    check("{{ query \"up\" | first | label \"foo\" }}|{{ query \"up\" | first | strvalue }}|", "||");
    check(
        "{{ range query \"up\" | sortByLabel \"instance\" }}{{ .Labels.instance }}={{ .Value }} {{ end }}",
        "a:1=0.5 b:1=1 ",
    );
    check("{{ range $i, $s := query \"empty\" }}x{{ else }}nothing{{ end }}", "nothing");
}

#[test]
fn numbers_for_people() {
    let each = |function: &str, values: &[&str], expect: &str| {
        let text: String = values.iter().map(|value| format!("{{{{ {function} {value} }}}}:")).collect();
        check(&text, expect);
    };
    each(
        "humanize",
        &["0.0", "1.0", "1234567.0", ".12", "\"1234567\"", "-1", "1234567"],
        "0:1:1.235M:120m:1.235M:-1:1.235M:",
    );
    each("humanize1024", &["0.0", "1.0", "1048576.0", ".12", "-1", "1234567"], "0:1:1Mi:0.12:-1:1.177Mi:");
    each(
        "humanizeDuration",
        &["0", "1", "60", "3600", "86400", "90000", "-183845", "899.99"],
        "0s:1s:1m 0s:1h 0m 0s:1d 0h 0m 0s:1d 1h 0m 0s:-2d 3h 4m 5s:14m 59s:",
    );
    each(
        "humanizeDuration",
        &[".1", ".0001", ".12345", "60.1", "1.2345", "12.345"],
        "100ms:100us:123.5ms:1m 0s:1.234s:12.35s:",
    );
    each("humanizePercentage", &["-0.22222", "0.0", "1.23456", "1234567"], "-22.22%:0%:123.5%:1.235e+08%:");
    each(
        "humanizeTimestamp",
        &["0", "-1", "1234567", "1435065584.128", "\"+Inf\""],
        "1970-01-01 00:00:00 +0000 UTC:1969-12-31 23:59:59 +0000 UTC:1970-01-15 06:56:07 +0000 UTC:2015-06-23 13:19:44.128 +0000 UTC:+Inf:",
    );
    each("humanize", &["\"+Inf\"", "\"-Inf\"", "\"NaN\""], "+Inf:-Inf:NaN:");
    each("parseDuration", &["\"1h2m10ms\"", "\"-1m\""], "3720.01:-60:");
    each("toDuration", &["90.5", "0.001"], "1m30.5s:1ms:");
}

#[test]
fn times() {
    check("{{ (1435065584.128 | toTime).Format \"2006-01-02T15:04:05Z07:00\" }}", "2015-06-23T13:19:44Z");
    check(
        "{{ now }} {{ (toTime now).Year }} {{ toTime \"1435065584.128\" }}",
        "1.435065584128e+09 2015 2015-06-23 13:19:44.128 +0000 UTC",
    );
    check(
        "{{ ((toTime now).Sub (toTime 1435065584)).Seconds }} {{ ((toTime 0).Add (toDuration 60)).Unix }}",
        "0.128 60",
    );
}

#[test]
fn texts() {
    check(
        "{{ \"aa bb CC\" | title }} {{ title \"it's a-b_c x.y\" }} {{ toUpper \"aB\" }} {{ toLower \"aB\" }}",
        "Aa Bb CC It's A-B_c X.y AB ab",
    );
    check(
        "{{ match \"a+\" \"aa\" }} {{ match \"^a+$\" \"b\" }} {{ reReplaceAll \"(a)b\" \"x$1\" \"ab\" }}",
        "true false xa",
    );
    check(
        "{{ graphLink \"up == 0\" }} {{ tableLink \"up\" }} {{ urlQueryEscape \"a b&\" }} {{ safeHtml \"<b>\" }}",
        "/graph?g0.expr=up+%3D%3D+0&g0.tab=0 /graph?g0.expr=up&g0.tab=1 a+b%26 <b>",
    );
    check("{{ pathPrefix }} {{ externalURL }}", "/p http://x/p");
    let each = |function: &str, pairs: &[(&str, &str)]| {
        for (host, expect) in pairs {
            check(&format!("{{{{ {function} \"{host}\" }}}}"), expect);
        }
    };
    each(
        "stripPort",
        &[
            ("a.b.c", "a.b.c"),
            ("a.b.c:1", "a.b.c"),
            ("1.2.3.4:5", "1.2.3.4"),
            ("1::2", "1::2"),
            ("[1::2]:3", "1::2"),
            ("[1::2]::3", "[1::2]::3"),
        ],
    );
    each(
        "stripDomain",
        &[
            ("a.b.c", "a"),
            ("a.b.c:1", "a:1"),
            ("1.2.3.4", "1.2.3.4"),
            ("1.2.3.4:5", "1.2.3.4:5"),
            ("1::2", "1::2"),
            ("[1::2]:3", "[1::2]:3"),
            ("[1::2]::3", "[1::2]::3"),
        ],
    );
}

#[test]
fn braces_at_the_end_are_text() {
    check("{{ 1 }} {", "1 {");
    check("{{ 1 -}} \n ", "1");
    check("{{ 1 }}\n", "1\n");
    check("} {{ 1 }} }}", "} 1 }}");
}

#[test]
fn printing() {
    check(
        "{{ print 1 2 \"a\" 3 4.5 }}|{{ println 1 \"a\" }}|{{ printf \"%v %d\" 1e6 3 }}",
        "1 2a3 4.5|1 a\n|1e+06 3",
    );
    check(
        "{{ slice \"abcdef\" 1 3 }} {{ index (query \"up\") 1 | value }} {{ html \"<a&b>\" }} {{ urlquery \"a b\" }}",
        "bc 0.5 &lt;a&amp;b&gt; a+b",
    );
    check("{{ define \"x\" }}{{ .arg0 }}-{{ .arg1 }}{{ end }}{{ template \"x\" args 1 \"2\" }}", "1-2");
    check("{{ $x := 1 }}{{ range 3 }}{{ $x = . }}{{ end }}{{ $x }}", "2");
}

/// Messages as Go writes them: with the place, counted with the definitions that stand before every template.
#[test]
fn failures_say_where() {
    let prefix = |column: usize, at: &str| {
        let column = DEFINITIONS.len() + column;
        format!(
            "ERROR error executing template __alert_t: template: __alert_t:1:{column}: executing \"__alert_t\" at <{at}>: "
        )
    };
    let check =
        |text: &str, column: usize, at: &str, reason: &str| check(text, &(prefix(column, at) + reason));
    check(
        "{{ query \"empty\" | first }}",
        19,
        "first",
        "error calling first: first() called on vector with no elements",
    );
    check("{{ query \"bad\" }}", 3, "query \"bad\"", "error calling query: no such thing");
    check(
        "{{ (query \"up\").banana }}",
        10,
        "\"up\"",
        "can't evaluate field banana in type template.queryResult",
    );
    check(
        "{{ humanize \"one\" }}",
        3,
        "humanize \"one\"",
        r#"error calling humanize: strconv.ParseFloat: parsing "one": invalid syntax"#,
    );
    check(
        "{{ \"one\" | humanizePercentage }}",
        11,
        "humanizePercentage",
        r#"error calling humanizePercentage: strconv.ParseFloat: parsing "one": invalid syntax"#,
    );
    check(
        "{{ humanizeTimestamp 1e300 }}",
        3,
        "humanizeTimestamp 1e300",
        "error calling humanizeTimestamp: 1e+300 cannot be represented as a nanoseconds timestamp since it overflows int64",
    );
    check("{{ $labels.job.x }}", 10, "$labels.job.x", "can't evaluate field x in type string");
    check(
        "{{ $.labels.service }}",
        4,
        "$.labels.service",
        "can't evaluate field labels in type struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }",
    );
    check("{{ eq $value 1 }}", 3, "eq $value 1", "error calling eq: incompatible types for comparison");
    check("{{ template \"nope\" }}", 12, "{{template \"nope\"}}", "template \"nope\" not defined");
    check("{{ first }}", 3, "first", "wrong number of args for first: want 1 got 0");
    check("{{ toUpper 5 }}", 3, "toUpper 5", "wrong type for value; expected string; got int");
}

#[test]
fn syntax_errors() {
    let check = |text: &str, expect: &str| check(text, &format!("PARSE template: __alert_t:{expect}"));
    check("{{ if true }}x", "1: unexpected EOF");
    check("{{ define \"x\" }}y", "1: unexpected EOF");
    check("x{{ end }}y", "1: unexpected {{end}}");
    check("a\nb{{ else }}", "2: unexpected {{else}}");
    check("{{", "1: unclosed action");
    check("a\n{{ $x }}", "2: undefined variable \"$x\"");
    check("{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}", "1: undefined variable \"$x\"");
    check("{{ nope 1 }}", "1: function \"nope\" not defined");
    check("{{ tmpl \"x\" }}", "1: function \"tmpl\" not defined");
    check("{{ 1 * 2 }}", "1: unexpected \"*\" in operand");
    check("{{ * }}", "1: unexpected \"*\" in command");
    check("{{ 1 | 2 }}", "1: non executable command in pipeline stage 2");
    check("{{ break }}", "1: {{break}} outside {{range}}");
    check("{{ \"x }}", "1: unterminated quoted string");
    check("{{ }}", "1: missing value for command");
}

#[test]
fn limits() {
    let wide = expand("{{ range 100000 }}0123456789012345{{ end }}");
    assert!(wide.ends_with("the text is longer than 1048576 bytes"), "{wide}");
    let long = expand("{{ range 100001 }}{{ end }}");
    assert!(long.ends_with("range iteration budget exhausted"), "{long}");
    let deep = expand("{{ define \"x\" }}{{ template \"x\" }}{{ end }}{{ template \"x\" }}");
    assert!(deep.ends_with("recursion limit exceeded"), "{deep}");
}

/// A template of a group's label is not checked when it is loaded.
#[test]
fn a_late_mistake_is_a_failure() {
    let template = RuleTemplate::parse_late("t", "{{ nope }}");
    let expansion = template.expand(&Labels::empty(), &Value::Float(1.0), &environment(&[]));
    let reason = "error parsing template __alert_t: template: __alert_t:1: function \"nope\" not defined";
    assert_eq!(expansion, Expansion::Failed(reason.to_owned()));
}
