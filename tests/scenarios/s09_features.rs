//! Flags about queries: what is experimental must be switched on, and limits hold.

use mayfly_tests::Fixture;

/// Queries that need a switch, the switch, and what Prometheus says without it.
const EXPERIMENTAL: [(&str, &str, &str); 4] = [
    (
        "limitk(1, x)",
        "promql-experimental-functions",
        "1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
    ),
    (
        "sort_by_label(x, \"job\")",
        "promql-experimental-functions",
        "1:1: parse error: function \"sort_by_label\" is not enabled",
    ),
    (
        "increase(x[5m] anchored)",
        "promql-extended-range-selectors",
        "1:16: parse error: anchored modifier is experimental and not enabled",
    ),
    (
        "x + fill(1) nothing",
        "promql-binop-fill-modifiers",
        "1:5: parse error: binop fill modifiers are experimental and not enabled",
    ),
];

fn error(fixture: &Fixture, expr: &str) -> (u16, String) {
    let answer = fixture.server().instant(expr, None).unwrap();
    let json = answer.json().unwrap();
    (answer.status, json["error"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn what_is_experimental_must_be_switched_on() {
    let plain = Fixture::new();
    for (expr, _, text) in EXPERIMENTAL {
        assert_eq!(error(&plain, expr), (400, format!("invalid parameter \"query\": {text}")), "{expr}");
    }
    let features: Vec<&str> = EXPERIMENTAL.iter().map(|(_, feature, _)| *feature).collect();
    let all = Fixture::with_args(|_| vec![format!("--enable-feature={}", features.join(","))]);
    all.push("PUT", "job/a", "x 1\n");
    for (expr, ..) in EXPERIMENTAL {
        assert_eq!(error(&all, expr), (200, String::new()), "{expr}");
    }
}

#[test]
fn names_can_stay_to_the_end() {
    let kept = r#"label_replace(x * 2, "was", "$1", "__name__", "(.*)")"#;
    let check = |flags: &[&str], expect: &str| {
        let fixture = Fixture::with_args(|_| flags.iter().map(|flag| (*flag).to_owned()).collect());
        fixture.push("PUT", "job/a", "x 1\n");
        fixture.check(kept, &[(expect, "2")]);
    };
    check(&[], r#"{job="a"}"#);
    check(&["--enable-feature=promql-delayed-name-removal"], r#"{job="a",was="x"}"#);
}

#[test]
fn a_query_holds_so_many_samples_at_most() {
    let fixture = Fixture::with_args(|_| vec!["--query.max-samples=2".to_owned()]);
    fixture.push("PUT", "job/a", "x{a=\"1\"} 1\nx{a=\"2\"} 1\ny 1\n");
    assert_eq!(error(&fixture, "y").0, 200);
    let text = "query processing would load too many samples into memory in query execution";
    assert_eq!(error(&fixture, "x + x"), (422, text.to_owned()));
}
