//! Our own scripts, in the default mode: names go away with the first operation.

use std::sync::Arc;

use mayfly_query::Settings;
use mayfly_query::syntax::Options;
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
    ($($name:ident)*) => {$(
        #[tokio::test]
        async fn $name() {
            check(stringify!($name), include_str!(concat!("scripts/", stringify!($name), ".test"))).await;
        }
    )*};
}

scripts! { aggregations edges fill functions histograms info labels names operators pushed selectors subqueries windows }
