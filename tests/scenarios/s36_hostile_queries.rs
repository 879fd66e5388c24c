//! Queries that ask for too much end at a limit that is named, within bounded memory, while others are answered.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use mayfly_tests::Fixture;
use serde_json::Value;

use super::s31_queries_watched::ask;

const GROUPS: usize = 6;
const SERIES: usize = 5_000;
const MIB: u64 = 1 << 20;

struct Hostile {
    path: &'static str,
    form: Vec<(&'static str, String)>,
    status: u16,
    error_type: &'static str,
    /// A part of the text.
    told: &'static str,
}

fn instant(query: impl Into<String>, status: u16, error_type: &'static str, told: &'static str) -> Hostile {
    Hostile { path: "/api/v1/query", form: vec![("query", query.into())], status, error_type, told }
}

fn hostile(now: u64) -> Vec<Hostile> {
    const SAMPLES: &str = "would load too many samples into memory in query execution";
    const SERIES: &str = "more than series_max, 20000";
    const NESTED: &str = "expression is nested too deeply, at most 200 levels are allowed";
    let range = |query: &str, start: u64, step: &str, status, error_type, told| Hostile {
        path: "/api/v1/query_range",
        form: vec![
            ("query", query.to_owned()),
            ("start", start.to_string()),
            ("end", now.to_string()),
            ("step", step.to_owned()),
        ],
        status,
        error_type,
        told,
    };
    let with_timeout = Hostile {
        form: vec![
            ("query", "count_values(\"x\", wide{job=\"g1\"})".to_owned()),
            ("timeout", "1ms".to_owned()),
        ],
        ..instant("", 503, "timeout", "query timed out in")
    };
    vec![
        with_timeout,
        // 30,000 series
        instant("wide", 422, "execution", SERIES),
        instant("{__name__=~\".+\"}", 422, "execution", SERIES),
        range("1", 0, "1", 400, "bad_data", "exceeded maximum resolution of 11,000 points per timeseries"),
        range(
            "wide{job=\"g1\"}",
            now - 3_600,
            "0",
            400,
            "bad_data",
            "zero or negative query resolution step widths",
        ),
        // every step of it counts, though nothing was there before
        range("vector(1) + on() group_right() wide{job=\"g1\"}", now, "1e-10", 400, "bad_data", "step"),
        instant("absent_over_time(wide[100y:1ms])", 422, "execution", SAMPLES),
        instant("sum_over_time(vector(1)[10d:1s])", 422, "execution", SAMPLES),
        // all with all, which is refused before it is tried
        instant(
            "wide{job=\"g1\"} * on() group_left() wide{job=\"g2\"}",
            422,
            "execution",
            "found duplicate series for",
        ),
        // a label of 16 MiB for each of 5,000 series
        instant(
            format!(
                "label_replace(wide{{job=\"g1\"}}, \"x\", \"{}\", \"number\", \"(.*)\")",
                "$0".repeat(2_000)
            ),
            422,
            "execution",
            "more than bytes_max, 67108864 bytes",
        ),
        instant(
            "{a=~\"((x{1000}){1000}){1000}\"}",
            400,
            "bad_data",
            "error parsing regexp: invalid repeat count",
        ),
        instant(
            format!("{{a=~\"{}{}\"}}", "(".repeat(5_000), ")".repeat(5_000)),
            400,
            "bad_data",
            "error parsing regexp: expression nests too deeply",
        ),
        instant(format!("{}1{}", "(".repeat(20_000), ")".repeat(20_000)), 400, "bad_data", NESTED),
        instant(format!("{}1", "-".repeat(100_000)), 400, "bad_data", NESTED),
        instant("topk(1e300, wide{job=\"g1\"})", 422, "execution", "Scalar value 1e+300 overflows int64"),
    ]
}

#[test]
fn hostile_queries_end_at_a_limit_while_others_are_answered() {
    let limits = ["--query.max-samples=200000", "--query.max-series=20000", "--query.max-bytes=64MiB"];
    let fixture = Fixture::with_args(|_| limits.map(str::to_owned).to_vec());
    for group in 0..GROUPS {
        let mut body = "# TYPE wide gauge\n".to_owned();
        (0..SERIES).for_each(|n| writeln!(body, "wide{{number=\"{group}-{n:0>40}\"}} {n}").unwrap());
        fixture.push("PUT", &format!("job/g{group}"), &body);
    }
    fixture.push("PUT", "job/small", "small 7\n");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let before = fixture.server().peak_memory_bytes().unwrap();
    let goes_on = AtomicBool::new(true);
    let answered = thread::scope(|scope| {
        let others = scope.spawn(|| {
            let mut answered = 0;
            while goes_on.load(Ordering::Relaxed) {
                let found = fixture.vector("sum(small) + sum(small offset 0s)", None);
                assert_eq!(found, BTreeMap::from([("{}".to_owned(), "14".to_owned())]));
                answered += 1;
            }
            answered
        });
        let senders = [0, 1].map(|_| {
            scope.spawn(|| {
                for Hostile { path, form, status, error_type, told } in hostile(now) {
                    let form: Vec<(&str, &str)> =
                        form.iter().map(|(name, value)| (*name, &**value)).collect();
                    let answer = ask(&fixture, path, &form);
                    let shown: String = form[0].1.chars().take(80).collect();
                    let text = answer.text();
                    let json: Value = answer.json().unwrap_or_else(|_| panic!("{shown}: {text}"));
                    let error = json["error"].as_str().unwrap_or_default();
                    assert_eq!(
                        (answer.status, json["errorType"].as_str()),
                        (status, Some(error_type)),
                        "{shown}: {text}"
                    );
                    assert!(error.contains(told), "{shown}: {error}");
                }
            })
        });
        let done = senders.map(thread::ScopedJoinHandle::join);
        goes_on.store(false, Ordering::Relaxed);
        done.into_iter().for_each(|done| done.expect("every one is refused"));
        others.join().expect("others are answered")
    });
    assert!(answered > 0);
    // two at once of at most 64 MiB each, and as much again for what has been read of files
    let peak = fixture.server().peak_memory_bytes().unwrap();
    assert!(peak < before + 4 * 64 * MIB, "{} MiB, {} before", peak / MIB, before / MIB);
    // nothing has stayed behind
    fixture.check("count(wide{job=\"g1\"})", &[("{}", "5000")]);
}
