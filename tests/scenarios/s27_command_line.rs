//! The command line: a storage is asked, exported and filled with no server running.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use mayfly_tests::{Ended, Fixture, mayfly};
use tempfile::TempDir;
use testkit::http::{self, Request};
use testkit::remote_write::{V1, histogram, request_v1, series_v1};
use testkit::server::built;

fn now_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

fn write(fixture: &Fixture, message: &[u8]) {
    let request = Request::new("POST", "/api/v1/write")
        .header("content-type", V1)
        .header("content-encoding", "snappy")
        .body(snap::raw::Encoder::new().compress_vec(message).unwrap());
    assert_eq!(http::send(&fixture.server().query, &request).expect("an answer").status, 204);
}

/// What a command says that ends well.
#[track_caller]
fn said(folder: &Path, arguments: &[&str]) -> String {
    let (code, out, err) = mayfly(folder, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {out}{err}");
    out
}

/// What a command says that does not.
#[track_caller]
fn refused(folder: &Path, arguments: &[&str], expect: &str) {
    let (code, out, err): Ended = mayfly(folder, arguments);
    assert!(code != Some(0) && out.is_empty() && err.contains(expect), "{arguments:?}: {code:?} {out}{err}");
}

#[test]
fn a_storage_is_asked_without_a_server() {
    let mut fixture = Fixture::new();
    fixture.push("PUT", "job/a", "rows 42\n");
    fixture.push("PUT", "job/b", "rows 1\n");
    fixture.stop();
    let storage = fixture.storage();
    let (folder, now) = (storage.parent().unwrap(), now_s() + 1);
    let (at, flags) = (format!("--time={now}"), "--storage=data");
    let ask = |arguments: &[&str]| said(folder, &[&["query"], arguments].concat());
    assert_eq!(ask(&["instant", flags, &at, "sum(rows)"]), format!("{{}} => 43 @[{now}]\n"));
    assert_eq!(
        ask(&["instant", flags, &at, "-o", "json", "rows > 1"]),
        format!("[{{\"metric\":{{\"__name__\":\"rows\",\"job\":\"a\"}},\"value\":[{now},\"42\"]}}]\n")
    );
    let (start, end) = (format!("--start={now}"), format!("--end={}", now + 15));
    assert_eq!(
        ask(&["range", flags, &start, &end, "--step=15s", "rows{job='b'}"]),
        format!("rows{{job=\"b\"}} =>\n1 @[{now}]\n1 @[{}]\n", now + 15)
    );
    assert_eq!(
        ask(&["series", flags, "--match=rows"]),
        "{__name__=\"rows\", job=\"a\"}\n{__name__=\"rows\", job=\"b\"}\n"
    );
    assert_eq!(ask(&["labels", flags, "job"]), "a\nb\n");
    assert_eq!(ask(&["instant", flags, &at, "--tenant=default", "nothing"]), "\n");

    let refuse =
        |arguments: &[&str], expect: &str| refused(folder, &[&["query"], arguments].concat(), expect);
    refuse(&["instant", flags, "rows("], "query error: bad_data: invalid parameter \"query\"");
    refuse(&["instant", flags, "--query.max-samples=1", "sum(rows)"], "query error: execution: ");
    refuse(&["instant", flags, "http://127.0.0.1:1", "rows"], "either a SERVER or --storage, not both");
    refuse(&["instant", "rows"], "expected a SERVER");
    refuse(&["series", "--match=rows"], "expected a SERVER");
    refuse(&["instant", "localhost:9090", "rows"], "it has no scheme");
    refuse(&["instant", "--storage=missing", "rows"], "there is no such folder");
    refuse(&["instant", flags, "--tenant=other", "rows"], "nothing is stored there for the tenant other");
    refuse(&["instant", flags, "--query.cache-dir=x", "rows"], "--query.cache-dir is for a server");
    assert!(!folder.join("missing").exists() && !folder.join("x").exists(), "to ask makes nothing");
}

/// What was sent 10 minutes ago and later, in many series, and what all of it comes to.
fn history(fixture: &Fixture, now: i64) {
    let times = (0..40).map(|index| (now - 600 + 15 * index) * 1_000 + 7);
    let samples: Vec<(i64, f64)> = times.zip([0.1, 2.0, f64::INFINITY, 1e-9].into_iter().cycle()).collect();
    let numbers: Vec<String> = (0..50).map(|index| index.to_string()).collect();
    let series = numbers.iter().map(|number| {
        let labels = [("__name__", "rows_total"), ("job", "a"), ("n", number), ("x.y", "q\"\\\n é")];
        series_v1(&labels, &samples)
    });
    let more = series_v1(&[("__name__", "foo.bar")], &samples[..3]);
    write(fixture, &request_v1(series.chain([more])));
}

#[test]
fn what_is_exported_and_imported_again_answers_the_same() {
    let mut fixture = Fixture::new();
    let now = now_s();
    history(&fixture, now);
    fixture.stop();
    let storage = fixture.storage();
    let folder = storage.parent().unwrap();
    let exported = said(folder, &["export", "--storage=data"]);
    assert!(exported.ends_with("\n# EOF\n") && exported.lines().count() == 50 * 40 + 3 + 3, "{exported}");
    std::fs::write(folder.join("history.om"), &exported).unwrap();
    std::fs::create_dir(folder.join("other")).unwrap();
    let import = ["import", "openmetrics", "--storage=other", "history.om"];
    let counted = "imported 2003 samples, 0 exemplars and what is told of 0 families\n";
    assert_eq!(said(folder, &import), counted);
    let at = format!("--time={now}");
    let (start, end) = (format!("--start={}", now - 700), format!("--end={now}"));
    let questions: [&[&str]; 4] = [
        &["instant", &at, "{__name__=~\".+\"}[20m]"],
        &["instant", &at, "count(count_over_time(rows_total[20m]) == 40)"],
        &["range", &start, &end, "--step=7s", "sum by (job, n) (rate(rows_total[1m]))"],
        &["series", "--match={__name__!=''}"],
    ];
    let answers = |storage: &str| {
        let ask =
            |question: &&[&str]| said(folder, &[&["query", question[0], storage], &question[1..]].concat());
        questions.iter().map(ask).collect::<Vec<_>>()
    };
    let expect = answers("--storage=data");
    assert_eq!(expect[1], format!("{{}} => 50 @[{now}]\n"));
    assert_eq!(answers("--storage=other"), expect);
    // once more does no harm
    assert_eq!(said(folder, &import), counted);
    assert_eq!(answers("--storage=other"), expect);
    let again = said(folder, &["export", "--storage=other"]);
    assert_eq!(again, exported);
    // of several selectors each series is written once, and names stand together
    let matches =
        ["--match={n=\"1\"}", "--match=foo.bar{}", "--match={__name__=\"foo.bar\"}", "--match={n=~\"1|2\"}"];
    refused(folder, &["export", "--storage=data", matches[1]], "foo.bar{}");
    let some = said(folder, &["export", "--storage=data", matches[0], matches[2], matches[3]]);
    assert_eq!((some.lines().count(), some.matches("# TYPE").count()), (2 * 40 + 3 + 3, 2), "{some}");
    let start = format!("--start={}", now - 30);
    let late = said(folder, &["export", "--storage=data", &start, matches[0]]);
    assert_eq!(late.lines().count(), 1 + 2 + 1, "{late}");
}

#[test]
fn an_import_that_is_killed_is_begun_anew() {
    let folder = TempDir::new().unwrap();
    for storage in ["whole", "killed"] {
        std::fs::create_dir(folder.path().join(storage)).unwrap();
    }
    // long labels fill a batch soon; two of them are stored before the third is full
    let mut history = String::from("# TYPE rows gauge\n");
    let (text, at_s) = ("x".repeat(900), now_s() - 60);
    for n in 0..24_000 {
        writeln!(history, "rows{{n=\"{n:0>6}\",text=\"{text}\"}} {n} {at_s}").unwrap();
    }
    history.push_str("# EOF\n");
    std::fs::write(folder.path().join("history.om"), &history).unwrap();
    let to = |storage: &str, input: &str| -> Vec<String> {
        ["import", "openmetrics", &format!("--storage={storage}"), input].map(str::to_owned).to_vec()
    };
    let mut child = Command::new(built("mayfly").unwrap())
        .args(to("killed", "-"))
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // all but the last lines, so that it waits for more when some of it is stored
    stdin.write_all(&history.as_bytes()[..history.len() - 10_000]).unwrap();
    let samples = folder.path().join("killed/default/samples");
    let end = Instant::now() + Duration::from_secs(60);
    while parquet_files(&samples) == 0 {
        assert!(Instant::now() < end, "nothing is stored");
        thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    drop(stdin);
    let at = format!("--time={}", now_s());
    let count = |storage: &str| {
        let text =
            said(folder.path(), &["query", "instant", &format!("--storage={storage}"), &at, "count(rows)"]);
        text.split_whitespace().nth(2).unwrap().parse::<u64>().unwrap()
    };
    let stored = count("killed");
    assert!(0 < stored && stored < 24_000, "{stored}");
    for storage in ["whole", "killed"] {
        let arguments = to(storage, "history.om");
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let counted = "imported 24000 samples, 0 exemplars and what is told of 1 families\n";
        assert_eq!(said(folder.path(), &arguments), counted);
    }
    let [whole, killed] =
        ["whole", "killed"].map(|name| said(folder.path(), &["export", &format!("--storage={name}")]));
    assert_eq!(whole.lines().count(), 24_002);
    // series of one name come as files have them
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    assert!(sorted(&whole) == sorted(&killed), "{} and {} bytes", whole.len(), killed.len());
}

/// How many there are below a folder.
fn parquet_files(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let entries = entries.map(|entry| entry.unwrap().path());
    let of_entry = |path: PathBuf| match path.is_dir() {
        true => parquet_files(&path),
        false => usize::from(path.extension().is_some_and(|extension| extension == "parquet")),
    };
    entries.map(of_entry).sum()
}

#[test]
fn types_and_exemplars_come_with_an_import() {
    let folder = TempDir::new().unwrap();
    let at = now_s() - 60;
    let text = format!(
        "# HELP took_seconds How long.\n# TYPE took_seconds counter\n# UNIT took_seconds seconds\n\
         took_seconds_total{{job=\"a\"}} 1 {at} # {{trace_id=\"t\"}} 0.5 {at}\n# TYPE rows gauge\nrows 7 {at}\n# EOF\n"
    );
    let mut fixture = Fixture::new();
    fixture.stop();
    let storage = fixture.storage();
    std::fs::write(folder.path().join("history.om"), text).unwrap();
    let flag = format!("--storage={}", storage.display());
    assert_eq!(
        said(folder.path(), &["import", "openmetrics", &flag, "--label=source=old", "history.om"]),
        "imported 2 samples, 1 exemplars and what is told of 2 families\n"
    );
    fixture.start();
    fixture.check("last_over_time(rows[5m])", &[("rows{source=\"old\"}", "7")]);
    let get = |path: &str| http::get(&fixture.server().query, path).expect("an answer").json().expect("JSON");
    let metadata = &get("/api/v1/metadata?metric=took_seconds_total")["data"]["took_seconds_total"][0];
    assert_eq!(*metadata, serde_json::json!({"type": "counter", "help": "How long.", "unit": "seconds"}));
    let path = format!("/api/v1/query_exemplars?query=took_seconds_total&start={}&end={}", at - 1, at + 1);
    let exemplars = &get(&path)["data"];
    assert_eq!(exemplars[0]["seriesLabels"]["source"], "old", "{exemplars}");
    assert_eq!(exemplars[0]["exemplars"][0]["labels"]["trace_id"], "t", "{exemplars}");
}

#[test]
fn exemplars_and_types_of_histograms_come_back_from_an_export() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let at = now_s() - 600;
    let text = format!(
        "# HELP calls Calls.\n# TYPE calls counter\ncalls_total{{job=\"a\"}} 1 {at} # {{trace_id=\"t0\"}} 1 {}.25\n\
         calls_total{{job=\"a\"}} 2 {} # {{trace_id=\"t1\"}} 1 {at}.5\ncalls_total{{job=\"a\"}} 3 {}\n\
         # HELP queue_seconds Waiting.\n# TYPE queue_seconds summary\n# UNIT queue_seconds seconds\n\
         queue_seconds{{quantile=\"0.5\"}} 0.25 {at}\nqueue_seconds_count 4 {at}\nqueue_seconds_sum 1.5 {at}\n\
         # HELP took_seconds How \\\"long\\\".\n# TYPE took_seconds histogram\n# UNIT took_seconds seconds\n\
         took_seconds_bucket{{le=\"+Inf\"}} 3 {at} # {{trace_id=\"u\"}} 7 {at}\n\
         took_seconds_bucket{{le=\"1.0\"}} 1 {at}\ntook_seconds_count 3 {at}\ntook_seconds_sum 9 {at}\n# EOF\n",
        at - 2,
        at + 15,
        at + 30,
    );
    std::fs::write(folder.join("first.om"), &text).unwrap();
    let imported = "imported 10 samples, 3 exemplars and what is told of 3 families\n";
    let mut exports = Vec::new();
    for (storage, file) in [("one", "first.om"), ("two", "one.om")] {
        std::fs::create_dir(folder.join(storage)).unwrap();
        let storage = format!("--storage={storage}");
        assert_eq!(said(folder, &["import", "openmetrics", &storage, file]), imported);
        let exported = said(folder, &["export", &storage]);
        std::fs::write(folder.join("one.om"), &exported).unwrap();
        exports.push(exported);
    }
    assert_eq!(exports[0], exports[1]);
    // as it was read, but that an exemplar of before the first sample stands beside that
    assert_eq!(exports[0], text);
}

#[test]
fn of_a_file_with_a_mistake_nothing_is_stored() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    std::fs::create_dir(folder.join("data")).unwrap();
    let at = now_s();
    let check = |text: &str, expect: &str| {
        std::fs::write(folder.join("history.om"), text).unwrap();
        refused(folder, &["import", "openmetrics", "--storage=data", "history.om"], expect);
    };
    check(&format!("a 1 {at}\na 2\n# EOF\n"), "mayfly: history.om:2: expected a timestamp behind the value");
    check(&format!("a 1 {at}\nb x {at}\n# EOF\n"), "mayfly: history.om:2: expected float as value");
    check(&format!("a 1 {at}\n"), "mayfly: history.om: expected # EOF at the end");
    check(&format!("a 1 {at}\n# EOF\na 1 {at}\n"), "mayfly: history.om:3: something stands behind # EOF");
    refused(folder, &["import", "openmetrics", "--storage=data", "missing.om"], "missing.om: No such file");
    refused(folder, &["import", "openmetrics", "--storage=none", "history.om"], "there is no such folder");
    refused(folder, &["import", "openmetrics", "--label=x", "history.om"], "expected NAME=VALUE");
    assert_eq!(said(folder, &["query", "labels", "--storage=data", "__name__"]), "");
}

#[test]
fn what_cannot_be_exported_is_counted_and_pushes_are_told_in_three_ways() {
    let mut fixture = Fixture::new();
    let now = now_s();
    fixture.push("PUT", "job/a", "rows 42\n");
    let took = testkit::protobuf::Message::new()
        .message(1, testkit::protobuf::Message::new().bytes(1, "__name__").bytes(2, "took"))
        .message(4, histogram((now - 5) * 1_000, [2, 1], 3.5));
    let stale = f64::from_bits(0x7ff0_0000_0000_0002);
    let gone = series_v1(&[("__name__", "gone")], &[((now - 9) * 1_000, 1.0), ((now - 8) * 1_000, stale)]);
    write(&fixture, &request_v1([took, gone]));
    fixture.stop();
    let storage = fixture.storage();
    let folder = storage.parent().unwrap();
    let (code, out, err) = mayfly(folder, &["export", "--storage=data"]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("1 native histograms are not in it") && err.contains("1 marks of series"), "{err}");
    assert!(out.contains("\ngone 1 ") && !out.contains("took") && out.ends_with("# EOF\n"), "{out}");
    let end = format!("--end={}", now + 3_600);
    let lines = |kind: &str| {
        let flag = format!("--pushed={kind}");
        let text = said(folder, &["export", "--storage=data", "--match=rows", &flag, &end, "--interval=1m"]);
        text.lines().filter(|line| line.starts_with("rows{job=\"a\"} 42 ")).count()
    };
    assert_eq!(lines("changes"), 1);
    assert!((59..=61).contains(&lines("scraped")), "{}", lines("scraped"));
    assert!((60..=62).contains(&lines("held")), "{}", lines("held"));
}
