//! `mayfly test promql`: what passes, what fails and how it is shown, and what is no script.

use std::path::Path;

use mayfly_tests::{Ended, mayfly};
use tempfile::TempDir;

fn run(folder: &Path, arguments: &[&str]) -> Ended {
    mayfly(folder, &[&["test", "promql"], arguments].concat())
}

const GOOD: &str = "load 1m\n  up{job=\"a\"} 1 2 3\n\neval instant at 2m up * 2\n  {job=\"a\"} 6\n\n\
    eval range from 0 to 2m step 1m up\n  up{job=\"a\"} 1 2 3\n";

#[test]
fn files_pass_and_fail() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("good.test", GOOD);
    write("bad.test", &GOOD.replace("1 2 3\n\neval", "1 2 4\n\neval"));
    write("none.test", "load 1m\n  up 1\n\nevaluate up\n\nlaod 1m\n");

    let (code, out, err) = run(folder.path(), &["good.test"]);
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "2 passed, 0 failed\n", ""));

    let (code, out, _) = run(folder.path(), &["good.test", "bad.test"]);
    assert_eq!(code, Some(1), "{out}");
    let expect = "bad.test:4: up * 2\n    expected: {job=\"a\"} 6 at 120 s\n    got:      {job=\"a\"} 8 at 120 s\n\
        bad.test:7: up\n    expected: up{job=\"a\"} 3 at 120 s\n    got:      up{job=\"a\"} 4 at 120 s\n\
        2 passed, 2 failed\n";
    assert_eq!(out, expect);

    let (code, out, _) = run(folder.path(), &["none.test"]);
    assert_eq!(code, Some(1), "{out}");
    let expect = "none.test:4: unknown command \"evaluate\"\nnone.test:6: unknown command \"laod\"";
    assert!(out.starts_with(expect.split('\n').next().unwrap()), "{out}");
    assert!(out.contains("none.test:6: unknown command \"laod\""), "{out}");
    assert!(out.ends_with("0 passed, 2 failed\n"), "{out}");

    let (code, out, err) = run(folder.path(), &["missing.test"]);
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.starts_with("mayfly: missing.test: No such file"), "{err}");
}

#[test]
fn names_go_at_the_end_unless_told_otherwise() {
    let folder = TempDir::new().unwrap();
    // with names that go at the end, label_replace can still read them behind an operation
    let script = "load 1m\n  up 1 1 1\n\neval instant at 1m label_replace(up * 2, \"was\", \"$1\", \"__name__\", \"(.*)\")\n  \
        {was=\"up\"} 2\n";
    std::fs::write(folder.path().join("names.test"), script).unwrap();
    assert_eq!(run(folder.path(), &["names.test"]).0, Some(0));
    let (code, out, _) = run(folder.path(), &["--immediate-name-removal", "names.test"]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("got:      {} 2"), "{out}");
}
