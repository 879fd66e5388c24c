//! Texts at random: the parser neither crashes nor hangs, and what it takes it prints so that it means the same.
//!
//! `MAYFLY_FUZZ_ROUNDS=N` tries more texts. A failure shows the text.

use fastrand::Rng;
use mayfly_query::syntax::{Expr, Options, parse, parse_metric, parse_metric_selector, parse_series, pretty};

/// Texts to begin with, one of each kind of thing.
const CORPUS: [&str; 24] = [
    "sum by (job, \"a.b\") (rate(x{a=\"b\",c!~\"d.*\"}[5m] offset 1m @ 10))",
    "topk without (a) (3, -x ^ 2 ^ y % 7)",
    "a + on (x) group_left (y) b * ignoring (z) group_right c",
    "a == bool 1 and b or c unless on () d",
    "a + fill_left (-2) fill_right (1) b",
    "max_over_time((rate(x[1m]) > 0)[1h:5m] @ end() offset -5m)",
    "x[5m + step() * 2:max_of(1m, range())] offset (1m - 5s)",
    "increase(x[5m] anchored) + x smoothed",
    "histogram_quantile(0.9, sum by (le) (h)) </ 2 >/ -1.3",
    "label_replace(x, 'a', \"$1\", `b\\d`, \"(.*)\")",
    "{\"my.metric\", \"a b\"=~\"\\\\Qx.\\\\E{\", c=\"\\u00e9\\x41\\n\"}",
    "0x1f + 1_000.5e-3 + .5 + Inf - NaN + 1h30m",
    "count_values(\"v\", sum(sum(sum(x)))) # comment\n",
    "info(x, {__name__=~\".+_info\"})",
    "-(-(+1)) atan2 time()",
    "up{job=\"a\"} 1 2 _ 5+1x3 stale {{schema:0 count:3 sum:5 buckets:[1 2]}}x3",
    "limit_ratio(-0.5, x) + limitk by (a) (2, y)",
    "((((((((((1))))))))))",
    "by{by='1',sum='2',on='3'}[1y2w3d4h5m6s7ms]",
    "'\\'\\\"\\u20ac\\U0001F600\\377'",
    "x @ start() offset 1m",
    "x @ -1.5e3",
    "ünïcode{ü=\"é\"}",
    "x{a=\"b\",} offset 9.2e18 @ 1e30",
];

/// What is put into texts.
const PIECES: [&str; 48] = [
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "=",
    "=~",
    "!~",
    "!=",
    "==",
    "<",
    ">",
    "</",
    ">/",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "@",
    "\"",
    "'",
    "`",
    "\\",
    "#",
    "\n",
    " ",
    "0",
    "1e400",
    "0x",
    "_",
    "5m",
    "1h30m",
    "offset",
    "bool",
    "on",
    "ignoring",
    "group_left",
    "by",
    "step()",
    "Inf",
    "\u{0}",
    "é",
    "\u{10ffff}",
];

fn altered(rng: &mut Rng) -> String {
    let mut text: Vec<char> = rng.choice(&CORPUS).expect("some").chars().collect();
    for _ in 0..rng.usize(1..6) {
        let at = rng.usize(..=text.len());
        let end = (at + rng.usize(..8)).min(text.len());
        match rng.u8(..6) {
            0 => drop(text.drain(at..end)),
            1 => drop(text.splice(at..at, rng.choice(&PIECES).expect("some").chars())),
            2 => drop(text.splice(at..end, rng.choice(&PIECES).expect("some").chars())),
            3 => {
                let part = text[at..end].repeat(rng.usize(1..20));
                drop(text.splice(at..at, part));
            }
            4 => {
                let other: Vec<char> = rng.choice(&CORPUS).expect("some").chars().collect();
                let from = rng.usize(..other.len());
                drop(text.splice(at.., other[from..].iter().copied()));
            }
            _ => text.truncate(at),
        }
    }
    text.into_iter().collect()
}

/// The normal form of Prometheus writes infinity with a sign, which before `^` reads as an operator of its own.
fn without_sign_of_infinity(text: String) -> String {
    let mut text = text;
    while text.contains("+Inf") {
        text = text.replace("+Inf", "Inf");
    }
    text
}

fn try_all(text: &str) -> bool {
    let _ = parse(text, &Options::stable());
    let _ = (parse_metric(text), parse_metric_selector(text));
    if !text.contains('x') || !text.chars().any(|c| c.is_ascii_digit()) {
        // repetitions may ask for very many values
        let _ = parse_series(text);
    }
    match parse(text, &Options::all()) {
        Ok(expr) => {
            let normal = |expr: &Expr| without_sign_of_infinity(expr.to_string());
            let printed = expr.to_string();
            let again = parse(&printed, &Options::all())
                .unwrap_or_else(|error| panic!("{text:?}: {printed:?}: {error}"));
            assert_eq!(normal(&again), normal(&expr), "{text:?}");
            let indented = pretty(&expr);
            let again = parse(&indented, &Options::all())
                .unwrap_or_else(|error| panic!("{text:?}: {indented:?}: {error}"));
            assert_eq!(normal(&again), normal(&expr), "{text:?}: {indented:?}");
            true
        }
        Err(error) => {
            assert!(error.to_string().contains("parse error: "), "{text:?}: {error}");
            false
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test is an edge")]
fn rounds() -> usize {
    std::env::var("MAYFLY_FUZZ_ROUNDS").map_or(40_000, |rounds| rounds.parse().expect("a number"))
}

#[test]
fn no_text_breaks_the_parser() {
    let mut rng = Rng::with_seed(7);
    let rounds = rounds();
    let good = (0..rounds).filter(|_| try_all(&altered(&mut rng))).count();
    // texts that are never taken would try the first lines of the parser only
    assert!(good > rounds / 20, "only {good} of {rounds} texts are expressions");
}
