//! Our own scripts, in the default mode: names go away with the first operation.

mod promqltest;

use mayfly_query::Settings;
use mayfly_query::syntax::Options;

fn check(name: &str, text: &str) {
    let settings = Settings { syntax: Options::all(), ..Settings::default() };
    let report = promqltest::run_with(text, settings);
    let failures: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{name}:\n{}", failures.join("\n"));
    assert!(report.passed > 0, "{name} asks nothing");
}

macro_rules! scripts {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            check(stringify!($name), include_str!(concat!("scripts/", stringify!($name), ".test")));
        }
    )*};
}

scripts! { aggregations edges fill functions histograms info labels names operators selectors subqueries windows }
