//! `mayfly push`: shell scripts say what they know, and how a command went.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use mayfly_tests::{Ended, Fixture, mayfly};
use tempfile::TempDir;
use testkit::http::{self, Response, Server};
use testkit::server::built;

/// `mayfly push --gateway …` in a folder.
fn push(fixture: &Fixture, arguments: &[&str]) -> Ended {
    let gateway = format!("--gateway={}", fixture.server().gateway);
    mayfly(fixture.storage().parent().unwrap(), &[&["push", &gateway], arguments].concat())
}

/// The value of a series as the gateway shows it.
fn held(fixture: &Fixture, series: &str) -> Option<f64> {
    let page = http::get(&fixture.server().gateway, "/metrics").unwrap().text();
    page.lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
        .map(|value| value.parse().unwrap())
}

#[track_caller]
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what}: not within 30 s");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A push that runs beside the test.
fn started(arguments: &[&str]) -> Child {
    let mut command = Command::new(built("mayfly").unwrap());
    command.arg("push").args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn ended(mut child: Child) -> (ExitStatus, String) {
    let status = wait_for("the end of the push", || child.try_wait().unwrap());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (status, said)
}

#[test]
fn values_are_pushed_to_a_group() {
    let fixture = Fixture::new();
    let job = ["--job", "a b", "--label", "path=/var", "--label", "zone="];
    let (code, out, err) = push(&fixture, &[&job[..], &["rows=42", "done_total{kind=\"x\"}=1"]].concat());
    assert_eq!((code, &*out, &*err), (Some(0), "", ""));
    let group = r#"instance="",job="a b",path="/var""#;
    assert_eq!(held(&fixture, &format!("rows{{{group}}}")), Some(42.0));
    let page = http::get(&fixture.server().gateway, "/metrics").unwrap().text();
    assert!(page.contains("# TYPE rows gauge\n") && page.contains("# TYPE done_total counter\n"), "{page}");

    // others stay, or end
    assert_eq!(push(&fixture, &[&job[..], &["more=1"]].concat()).0, Some(0));
    assert_eq!(held(&fixture, &format!("rows{{{group}}}")), Some(42.0));
    assert_eq!(push(&fixture, &[&job[..], &["--replace", "most=1"]].concat()).0, Some(0));
    assert_eq!(held(&fixture, &format!("rows{{{group}}}")), None);
    assert_eq!(held(&fixture, &format!("most{{{group}}}")), Some(1.0));

    // counters are added up where that is asked for, gauges are not
    for _ in 0..2 {
        assert_eq!(push(&fixture, &["--job=sums", "--add", "runs_total=2", "size=7"]).0, Some(0));
    }
    assert_eq!(held(&fixture, r#"runs_total{instance="",job="sums"}"#), Some(4.0));
    assert_eq!(held(&fixture, r#"size{instance="",job="sums"}"#), Some(7.0));
    assert_eq!(push(&fixture, &["--job=short", "--ttl=1s", "x=1"]).0, Some(0));
    wait_for("the end of a group", || {
        held(&fixture, r#"x{instance="",job="short"}"#).is_none().then_some(())
    });
}

#[test]
fn a_command_is_measured_and_ends_as_it_did() {
    let fixture = Fixture::new();
    let of = |name: &str| held(&fixture, &format!(r#"job_{name}{{instance="",job="j"}}"#));
    let (code, out, err) = push(&fixture, &["--job=j", "rows=3", "--", "sh", "-c", "echo out; echo err >&2"]);
    assert_eq!((code, &*out, &*err), (Some(0), "out\n", "err\n"));
    let succeeded = of("last_success_timestamp_seconds").unwrap();
    assert_eq!((of("exit_code"), of("end_timestamp_seconds")), (Some(0.0), Some(succeeded)));
    assert!(of("start_timestamp_seconds").unwrap() <= succeeded && of("duration_seconds").unwrap() < 30.0);
    assert_eq!(held(&fixture, r#"rows{instance="",job="j"}"#), Some(3.0));

    // a failure leaves what is known of the last success
    let (code, ..) = push(&fixture, &["--job=j", "--", "sh", "-c", "sleep 0.2; exit 3"]);
    assert_eq!((code, of("exit_code")), (Some(3), Some(3.0)));
    assert_eq!(of("last_success_timestamp_seconds"), Some(succeeded));
    assert!(of("end_timestamp_seconds").unwrap() > succeeded && of("duration_seconds").unwrap() >= 0.2);
    let (code, ..) = push(&fixture, &["--job=j", "--", "sh", "-c", "kill -9 $$"]);
    assert_eq!((code, of("exit_code")), (Some(137), Some(137.0)));
    let (code, _, err) = push(&fixture, &["--job=j", "--", "./no such command"]);
    assert_eq!((code, of("exit_code")), (Some(127), Some(127.0)));
    assert!(err.contains("./no such command: "), "{err}");

    // what it writes meanwhile is pushed too, and a mistake in that hides nothing
    let folder = fixture.storage().parent().unwrap().to_owned();
    let file = folder.join("more.prom").display().to_string();
    let flag = format!("--file={file}");
    let write = format!("printf 'more 1' > {file}");
    assert_eq!(push(&fixture, &["--job=j", &flag, "--", "sh", "-c", &write]).0, Some(0));
    assert_eq!(held(&fixture, r#"more{instance="",job="j"}"#), Some(1.0));
    let write = format!("echo 'more {{' > {file}; exit 9");
    let (code, _, err) = push(&fixture, &["--job=j", &flag, "--", "sh", "-c", &write]);
    assert_eq!((code, of("exit_code")), (Some(9), Some(9.0)));
    assert!(
        err.contains("only the command's own metrics and the given values are pushed: ")
            && err.contains("400"),
        "{err}"
    );
    let write = format!("rm {file}; exit 8");
    let (code, _, err) = push(&fixture, &["--job=j", &flag, "--", "sh", "-c", &write]);
    assert_eq!((code, of("exit_code")), (Some(8), Some(8.0)));
    assert!(err.contains("more.prom: "), "{err}");
}

#[test]
fn that_a_command_runs_is_told_and_signals_go_on_to_it() {
    let fixture = Fixture::new();
    let of = |name: &str| held(&fixture, &format!(r#"job_{name}{{instance="",job="j"}}"#));
    let gateway = format!("--gateway={}", fixture.server().gateway);
    let script = "trap 'exit 5' TERM; while true; do sleep 0.05; done";
    let child = started(&["--job=j", "--replace", &gateway, "--", "sh", "-c", script]);
    let start = wait_for("the start", || of("start_timestamp_seconds"));
    assert_eq!(of("end_timestamp_seconds"), None);

    let told = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(told.success());
    let (status, said) = ended(child);
    assert_eq!(
        (status.code(), of("exit_code"), of("start_timestamp_seconds")),
        (Some(5), Some(5.0), Some(start)),
        "{said}"
    );
}

#[test]
fn a_gateway_that_is_away_does_not_fail_a_job() {
    let folder = TempDir::new().unwrap();
    let nobody = "--gateway=http://127.0.0.1:1";
    let (code, out, err) = mayfly(
        folder.path(),
        &["push", nobody, "--job=j", "--timeout=1s", "--", "sh", "-c", "echo out; exit 4"],
    );
    assert_eq!((code, &*out), (Some(4), "out\n"));
    assert!(err.contains("not delivered within 1s") && err.contains("127.0.0.1:1"), "{err}");
    let (code, _, err) = mayfly(folder.path(), &["push", nobody, "--job=j", "--timeout=1s", "x=1"]);
    assert!(code == Some(1) && err.contains("not delivered within 1s"), "{err}");

    // one that says "not now" is asked again
    let refusals = std::sync::atomic::AtomicU32::new(0);
    let server = Server::start(move |request| {
        let count = refusals.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let is_push = request.method == "POST" && request.path() == "/base/metrics/job/j";
        Response::new(if !is_push {
            404
        } else if count < 2 {
            503
        } else {
            200
        })
    });
    let gateway = format!("--gateway={}/base/", server.as_ref().unwrap().url());
    let (code, _, err) = mayfly(folder.path(), &["push", &gateway, "--job=j", "x=1"]);
    assert_eq!((code, &*err), (Some(0), ""));
}

#[test]
fn a_storage_needs_no_gateway() {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let at = |arguments: &[&str]| mayfly(folder.path(), arguments);
    let (code, out, err) = at(&["push", "--storage=data", "--job=j", "rows=42", "--", "sh", "-c", "exit 3"]);
    assert_eq!((code, &*out, &*err), (Some(3), "", ""));
    assert_eq!(at(&["push", "--storage=data", "--job=j", "--add", "n_total=2"]).0, Some(0));
    assert_eq!(at(&["push", "--storage=data", "--job=j", "--add", "n_total=3"]).0, Some(0));
    let ask = |query: &str| {
        let (code, out, err) = at(&["query", "instant", "--storage=data", query]);
        assert_eq!(code, Some(0), "{err}");
        out.split(" @").next().unwrap_or_default().to_owned()
    };
    assert_eq!(ask("sum(rows)"), "{} => 42");
    assert_eq!(ask("sum(job_exit_code)"), "{} => 3");
    assert_eq!(ask("sum(n_total)"), "{} => 5");
    assert_eq!(at(&["push", "--storage=data", "--tenant=team", "--job=j", "rows=1"]).0, Some(0));
    assert_eq!(ask("sum(rows)"), "{} => 42");
    let (code, _, err) = at(&["push", "--storage=missing", "--job=j", "--timeout=1s", "rows=1"]);
    assert!(code == Some(1) && err.contains("there is no such folder"), "{err}");
}

#[test]
fn mistakes_are_told_before_the_command_begins() {
    let folder = TempDir::new().unwrap();
    let refused = |arguments: &[&str], expect: &str| {
        let ran = ["--", "touch", "ran"];
        let (code, out, err) = mayfly(folder.path(), &[&["push"], arguments, &ran].concat());
        assert!(
            code != Some(0) && out.is_empty() && err.contains(expect),
            "{arguments:?}: {code:?} {out}{err}"
        );
        assert!(!Path::new(folder.path()).join("ran").exists(), "{arguments:?}: the command ran");
    };
    refused(&["rows=1"], "--job");
    refused(&["--job=", "rows=1"], "--job: a job has a name");
    refused(&["--job=j", "rows"], "expected NAME=VALUE, like rows=42");
    refused(&["--job=j", "rows=many"], "\"many\" is no number");
    refused(&["--job=j", "ro-ws=1"], "expected NAME=VALUE, like rows=42");
    refused(&["--job=j", "rows{a=b}=1"], "the given values: text format parsing error");
    refused(&["--job=j", "--label=job=k", "rows=1"], "the job is given by --job");
    refused(&["--job=j", "--label=x", "rows=1"], "expected NAME=VALUE");
    refused(&["--job=j", "--gateway=localhost", "rows=1"], "--gateway");
    refused(&["--job=j", "--gateway=http://x", "--storage=y", "rows=1"], "cannot be used with");
    refused(&["--job=j", "--file=-", "rows=1"], "standard input is the command's");
    refused(&["--job=j", "--add", "--replace", "rows=1"], "cannot be used with");
    let (code, _, err) = mayfly(folder.path(), &["push", "--job=j"]);
    assert!(code == Some(1) && err.contains("there is nothing to push"), "{err}");
}
