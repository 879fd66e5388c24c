//! A damaged object: named, counted, and in nobody's way.

use std::path::{Path, PathBuf};

use mayfly_tests::Fixture;
use testkit::http;

#[test]
fn one_damaged_object_fails_no_query() {
    let mut fixture = Fixture::with_args(|_| vec!["--storage.ack=stored".to_owned()]);
    fixture.push("PUT", "job/a", "x 1\n");
    let damaged = segments(&fixture.storage()).remove(0);
    fixture.push("PUT", "job/b", "x 2\n");
    let whole = std::fs::read(&damaged).unwrap();
    std::fs::write(&damaged, &whole[..whole.len() - 1]).unwrap();
    // a process that has not read it before
    fixture.stop();
    fixture.start();

    fixture.check("x", &[(r#"x{job="b"}"#, "2")]);
    let answer = fixture.server().instant("x", None).unwrap().json().unwrap();
    let warnings = answer["warnings"].to_string();
    let name = damaged.file_name().unwrap().to_str().unwrap();
    assert!(warnings.contains(name) && warnings.contains("damaged: its checksum is"), "{answer}");
    let query = &fixture.server().query;
    let own = http::get(query, "/metrics").unwrap().text();
    assert!(own.lines().any(|line| line == "mayfly_unreadable_objects 1"), "{own}");
    let health = http::get(query, "/-/healthy").unwrap();
    assert_eq!(health.status, 200);
    assert!(health.text().contains("1 object in the storage cannot be read"), "{}", health.text());
    assert_eq!(fixture.log().matches(name).count(), 1, "told once");

    std::fs::write(&damaged, whole).unwrap();
    fixture.check("x", &[(r#"x{job="a"}"#, "1"), (r#"x{job="b"}"#, "2")]);
    assert_eq!(
        fixture.server().instant("x", None).unwrap().json().unwrap()["warnings"],
        serde_json::Value::Null
    );
    assert_eq!(http::get(query, "/-/healthy").unwrap().text(), "Mayfly is healthy.\n");
}

fn segments(storage: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for minute in std::fs::read_dir(storage.join("default/pushes/hot")).unwrap() {
        found.extend(std::fs::read_dir(minute.unwrap().path()).unwrap().map(|entry| entry.unwrap().path()));
    }
    found
}
