//! Our own scripts, in the default mode: names go away with the first operation.

use std::sync::Arc;

use mayfly_query::Settings;
use mayfly_query::syntax::{Options, Signature};
use testkit::ManualClock;

async fn check(name: &str, text: &str) {
    let settings = Settings { syntax: Options::all(), ..Settings::default() };
    let report = promqltest::run(text, settings, Arc::new(ManualClock::at_ms(0))).await;
    let errors = report.errors.iter().map(|error| format!("{name}.test:{}: {error}", error.line));
    let failures = report.failures.iter().map(|failure| format!("{name}.test:{failure}"));
    let wrong: Vec<String> = errors.chain(failures).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(report.passed > 0, "{name} asks nothing");
}

macro_rules! scripts {
    ($($name:ident)*) => {
        /// All scripts by name.
        const SCRIPTS: &[(&str, &str)] =
            &[$((stringify!($name), include_str!(concat!("scripts/", stringify!($name), ".test")))),*];

        $(
            #[tokio::test]
            async fn $name() {
                check(stringify!($name), include_str!(concat!("scripts/", stringify!($name), ".test"))).await;
            }
        )*
    };
}

scripts! {
    aggregations edges every_function fill functions histograms info labels names operators pushed pushed_functions
    selectors subqueries windows
}

/// All queries of those of our scripts whose names begin so.
fn queries(prefix: &str) -> String {
    let texts = SCRIPTS.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, text)| text);
    let evals = texts.flat_map(|text| text.lines()).filter(|line| line.starts_with("eval"));
    evals.collect::<Vec<_>>().join("\n")
}

/// Whether a word stands in a text on its own, before one of `followers`.
fn stands_in(text: &str, word: &str, followers: &[&str]) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let behind = text[at + word.len()..].trim_start();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
            && followers.iter().any(|next| behind.starts_with(next))
    })
}

#[test]
fn every_function_is_asked_of_pushed_series() {
    let text = queries("pushed");
    let functions: Vec<&str> = Signature::all().iter().map(|signature| signature.name).collect();
    assert_eq!(functions.len(), 90);
    let without: Vec<_> = functions.into_iter().filter(|name| !stands_in(&text, name, &["("])).collect();
    assert!(without.is_empty(), "no script asks pushed series for {without:?}");
}

#[test]
fn the_scripts_use_everything_that_the_language_has() {
    let text = queries("");
    let functions = Signature::all().iter().map(|signature| signature.name);
    let without: Vec<&str> = functions.filter(|name| !stands_in(&text, name, &["("])).collect();
    assert!(without.is_empty(), "no script calls {without:?}");
    let aggregations = [
        "sum",
        "avg",
        "min",
        "max",
        "group",
        "count",
        "count_values",
        "stddev",
        "stdvar",
        "quantile",
        "topk",
        "bottomk",
        "limitk",
        "limit_ratio",
    ];
    let without: Vec<&str> =
        aggregations.into_iter().filter(|name| !stands_in(&text, name, &["(", "by", "without"])).collect();
    assert!(without.is_empty(), "no script aggregates with {without:?}");
    let others = [
        " + ",
        " - ",
        " * ",
        " / ",
        " % ",
        " ^ ",
        " atan2 ",
        " == ",
        " != ",
        " > ",
        " < ",
        " >= ",
        " <= ",
        " </ ",
        " >/ ",
        " and ",
        " or ",
        " unless ",
        " bool ",
        " on ",
        " ignoring ",
        "group_left",
        "group_right",
        "fill (",
        "fill_left",
        "fill_right",
        "offset",
        " @ ",
        "@ start()",
        "@ end()",
        "anchored",
        "smoothed",
        " by (",
        " without (",
        ":",
    ];
    let without: Vec<&str> = others.into_iter().filter(|part| !text.contains(part)).collect();
    assert!(without.is_empty(), "no script has {without:?}");
}
