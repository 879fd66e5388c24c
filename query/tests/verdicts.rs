//! What a real Prometheus says about more than a thousand expressions, right ones and wrong ones.
//!
//! `verdicts.json` has its words: of every mistake the text with its place, of the others the normal form. They were
//! collected by asking Prometheus 3.5 about expressions made for this and about others altered at random, and taking
//! the shortest of each kind of mistake; `tests/peers/test_19_parse_errors.py` asks it again. What 3.14 says otherwise
//! stands there as 3.14 says it.

use mayfly_query::syntax::{Options, parse};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verdict {
    query: String,
    error: Option<String>,
    normal: Option<String>,
}

#[test]
fn expressions_are_judged_as_prometheus_judges_them() {
    let verdicts: Vec<Verdict> = serde_json::from_str(include_str!("verdicts.json")).expect("a table");
    assert!(verdicts.len() > 1_000);
    let options = Options { experimental_functions: true, ..Options::stable() };
    let mut wrong = Vec::new();
    for Verdict { query, error, normal } in verdicts {
        let found = parse(&query, &options);
        let told = match &found {
            Ok(expr) => mayfly_query::syntax::pretty(expr),
            Err(error) => error.to_string(),
        };
        let expected = error.as_ref().or(normal.as_ref()).expect("a verdict");
        if found.is_err() != error.is_some() || told != *expected {
            wrong.push(format!("{query}\n    expected {expected}\n    got      {told}"));
        }
    }
    assert!(wrong.is_empty(), "{} are judged otherwise:\n{}", wrong.len(), wrong.join("\n"));
}
