//! Deletion: by the query port and by `mayfly store delete`, and what is left.

use std::process::{Command, Output};

use mayfly_tests::Fixture;
use testkit::http::{self, Request};
use testkit::server::built;

fn delete(storage: &str, more: &[&str]) -> Output {
    let mut command = Command::new(built("mayfly").unwrap());
    command.args(["store", "delete", "--storage", storage]).args(more).output().unwrap()
}

fn told(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Asks the query port: status and body.
fn admin(fixture: &Fixture, method: &str, target: &str, form: &str) -> (u16, String) {
    let request = Request::new(method, &format!("/api/v1/admin/tsdb/{target}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    let answer = http::send(&fixture.server().query, &request).unwrap();
    (answer.status, answer.text())
}

const ROWS: [(&str, &str); 3] = [
    ("rows{job=\"a\",user=\"ann\"}", "1"),
    ("rows{job=\"a\",user=\"ben\"}", "1"),
    ("rows{job=\"a\",user=\"cat\"}", "1"),
];

#[test]
fn what_is_deleted_is_shown_no_more_and_the_rest_is() {
    let args = ["--web.enable-admin-api", "--storage.ack=stored"];
    let fixture = Fixture::with_args(|_| args.map(str::to_owned).to_vec());
    for user in ["ann", "ben", "cat"] {
        fixture.push("PUT", &format!("job/a/user/{user}"), "rows 1\n");
    }
    fixture.check("rows", &ROWS);
    let url = fixture.storage().to_str().unwrap().to_owned();
    // three series: rows, and the two times that every group has
    let counted = told(&delete(&url, &["--match", "{user=\"ben\"}", "--dry-run"]), 0);
    assert_eq!(counted, "{user=\"ben\"}: 3 series, 0 samples, 3 pushed values\n");
    let (status, body) = admin(&fixture, "POST", "delete_series?dry_run=true", "match[]={user=\"ben\"}");
    assert_eq!(status, 200);
    assert!(body.contains(r#""data":{"series":3,"samples":0,"pushedValues":3}"#), "{body}");
    fixture.check("rows", &ROWS);

    let of_ben = told(&delete(&url, &["--match", "{user=\"ben\"}"]), 0);
    assert!(of_ben.starts_with("deleted: "), "{of_ben}");
    fixture.check("rows", &[ROWS[0], ROWS[2]]);
    assert_eq!(admin(&fixture, "PUT", "delete_series", "match[]=rows{user=\"cat\"}"), (204, String::new()));
    fixture.check("rows", &[ROWS[0]]);
    assert_eq!(admin(&fixture, "POST", "clean_tombstones", ""), (204, String::new()));
    // what is pushed afterwards is another thing
    fixture.push("PUT", "job/a/user/ben", "rows 1\n");
    fixture.check("rows", &ROWS[..2]);
}

#[test]
fn what_cannot_be_deleted_is_refused() {
    let fixture = Fixture::with_args(|_| vec!["--web.enable-admin-api".to_owned()]);
    for (target, form, error) in [
        ("delete_series", "", "no match[] parameter provided"),
        ("delete_series", "match[]={", "invalid parameter"),
        ("delete_series", "match[]={job=~\".*\"}", "match[] must contain at least one non-empty matcher"),
        ("delete_series", "match[]=up&start=soon", "invalid time value for 'start'"),
        ("delete_series", "match[]=up&start=2&end=1", "end timestamp must not be before start time"),
        ("delete_series", "match[]=up&dry_run=maybe", "neither"),
    ] {
        let (status, body) = admin(&fixture, "POST", target, form);
        assert!(status == 400 && body.contains(error), "{form}: {status} {body}");
    }
    let (status, body) = admin(&fixture, "POST", "snapshot", "");
    assert!(status == 500 && body.contains("there are no snapshots"), "{status} {body}");

    let off = Fixture::new();
    for target in ["delete_series", "clean_tombstones", "snapshot"] {
        let (status, body) = admin(&off, "POST", target, "match[]=up");
        assert!(status == 500 && body.contains("admin APIs disabled"), "{target}: {status} {body}");
    }
    let missing = off.storage().join("missing");
    let output = delete(missing.to_str().unwrap(), &["--match", "up"]);
    told(&output, 1);
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no such folder"), "{output:?}");
    let url = off.storage().to_str().unwrap().to_owned();
    told(&delete(&url, &["--match", "up", "--start", "soon"]), 2);
    let output = delete(&url, &["--match", "up", "--tenant", "nobody"]);
    told(&output, 1);
    assert!(String::from_utf8_lossy(&output.stderr).contains("for the tenant nobody"), "{output:?}");
}
