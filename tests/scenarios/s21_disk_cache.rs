//! What queries read is kept on disk, where a folder is given, and found there by the next process.

use std::process::Command;
use std::thread;
use std::time::Duration;

use mayfly_tests::Fixture;
use testkit::http;
use testkit::server::built;

/// The value of a metric about the server.
fn own(fixture: &Fixture, name: &str) -> u64 {
    let page = http::get(&fixture.server().query, "/metrics").unwrap().text();
    let line =
        page.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {page}"));
    line.trim().parse().unwrap()
}

#[test]
fn the_next_process_finds_what_the_last_one_read() {
    let mut fixture = Fixture::with_args(|folder| {
        let cache = folder.path().join("cache").display().to_string();
        vec!["--storage.ack=stored".to_owned(), format!("--query.cache-dir={cache}")]
    });
    fixture.push("PUT", "job/kept", "x 1\n");
    fixture.check("x", &[(r#"x{job="kept"}"#, "1")]);
    // it is written after the answer
    while own(&fixture, "mayfly_disk_cache_bytes ") == 0 {
        thread::sleep(Duration::from_millis(10));
    }
    fixture.restart_after_kill();
    fixture.check("x", &[(r#"x{job="kept"}"#, "1")]);
    assert!(own(&fixture, "mayfly_disk_cache_hits_total ") >= 1);
    assert_eq!(own(&fixture, "mayfly_disk_cache_failures_total "), 0);

    // a folder is for one process
    let cache = fixture.storage().with_file_name("cache");
    let mut second = Command::new(built("mayfly").unwrap());
    second.args(["serve", "--storage=memory:", "--query.listen-address=127.0.0.1:0"]);
    second.args(["--gateway.listen-address=127.0.0.1:0", "--query.cache-dir"]).arg(&cache);
    let refused = second.output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("is in use by another process: each needs a folder of its own"), "{said}");
}
