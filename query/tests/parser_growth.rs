//! What parsing asks of memory grows no faster than the text: counted, not timed.
//!
//! One test only, because allocations of the whole process are counted.

use std::alloc::System;

use mayfly_query::syntax::{DEPTH_MAX, Options, parse};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How often parsing a text and dropping the result asks for memory, and for how many bytes in all: the least of several
/// rounds, because the threads of the test harness ask too.
fn asked(text: &str, is_expression: bool) -> (usize, usize) {
    let round = || {
        let region = Region::new(ALLOCATOR);
        assert_eq!(parse(text, &Options::all()).is_ok(), is_expression, "{text:.60}");
        let change = region.change();
        (change.allocations + change.reallocations, change.bytes_allocated)
    };
    let rounds: Vec<(usize, usize)> = (0..5).map(|_| round()).collect();
    let least = |part: fn(&(usize, usize)) -> usize| rounds.iter().map(part).min().unwrap_or(usize::MAX);
    (least(|round| round.0), least(|round| round.1))
}

#[test]
fn ten_times_the_text_asks_for_about_ten_times_the_memory() {
    let labels = |count: usize, item: fn(usize) -> String| (0..count).map(item).collect::<Vec<_>>().join(",");
    type Make<'m> = &'m dyn Fn(usize) -> String;
    let shapes: [(&str, Make<'_>, bool); 10] = [
        ("sum of series", &|n| vec!["x"; n].join(" + "), true),
        ("sum of numbers", &|n| vec!["1"; n].join("+"), true),
        ("set operations", &|n| vec!["x{a=\"b\"}"; n].join(" or "), true),
        ("matchers", &|n| format!("x{{{}}}", labels(n, |nth| format!("l{nth}=\"v\""))), true),
        ("grouping labels", &|n| format!("sum by ({}) (x)", labels(n, |nth| format!("l{nth}"))), true),
        ("arguments", &|n| format!("label_join(x, \"a\", \"b\", {})", labels(n, |_| "\"c\"".into())), true),
        ("a long string", &|n| format!("x{{a=\"{}\"}}", "é".repeat(n)), true),
        ("open parentheses", &|n| "(".repeat(n), false),
        ("signs", &|n| format!("{}x", "-".repeat(n)), false),
        ("open braces", &|n| "x{".repeat(n), false),
    ];
    for (name, make, is_expression) in shapes {
        let (count, bytes) = asked(&make(1_000), is_expression);
        let (count_of_ten, bytes_of_ten) = asked(&make(10_000), is_expression);
        // buffers double, so a step of growth may fall between the two, and a constant lies below both
        assert!(count_of_ten <= 11 * count + 64, "{name}: {count} allocations, then {count_of_ten}");
        assert!(bytes_of_ten <= 20 * bytes + 4_096, "{name}: {bytes} bytes, then {bytes_of_ten}");
    }
    for (open, close) in [("(", ")"), ("-(", ")"), ("sum(", ")"), ("abs(", ")")] {
        let nested = |depth: usize| format!("{}x{}", open.repeat(depth), close.repeat(depth));
        assert!(parse(&nested(DEPTH_MAX / 4), &Options::all()).is_ok(), "{open}");
        let error = parse(&nested(10_000), &Options::all()).expect_err(open).to_string();
        assert!(error.ends_with("nested too deeply, at most 200 levels are allowed"), "{open}: {error}");
    }
}
