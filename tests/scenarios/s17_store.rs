//! `mayfly store`: what there is is told, what is broken is named, and the exit code says which it is.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mayfly_tests::Fixture;
use testkit::server::built;

fn store(what: &str, storage: &str, more: &[&str]) -> Output {
    let mut command = Command::new(built("mayfly").unwrap());
    command.args(["store", what, "--storage", storage]).args(more).output().unwrap()
}

fn told(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The one segment of a stream.
fn segment(folder: &Path) -> PathBuf {
    let only = |path: PathBuf| std::fs::read_dir(path).unwrap().next().unwrap().unwrap().path();
    only(only(folder.join("default/pushes/hot")))
}

#[test]
fn what_is_stored_is_listed_counted_and_verified() {
    let fixture = Fixture::with_args(|_| {
        ["--storage.ack=stored", "--storage.compact-interval=0"].map(str::to_owned).to_vec()
    });
    fixture.push("PUT", "job/a", "rows 1\n");
    let folder = fixture.storage();
    let url = folder.to_str().unwrap();

    let text = told(&store("ls", url, &[]), 0);
    assert!(text.starts_with("default/pushes\n  hot "), "{text}");
    assert!(text.contains(" 1 objects ") && text.contains("\ndefault/samples\n"), "{text}");
    let json = told(&store("ls", url, &["--format=json"]), 0);
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["kind"], &first["stream"], &first["objects"]),
        (&"hot".into(), &"default/pushes".into(), &1.into())
    );

    let text = told(&store("stat", url, &[]), 0);
    assert!(
        text.contains("1 segments in no run, compaction lag ") && text.contains("watermark none"),
        "{text}"
    );
    let json = told(&store("stat", url, &["--format=json"]), 0);
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!((&first["waiting_segments"], &first["runs"]), (&1.into(), &0.into()));

    assert!(told(&store("verify", url, &[]), 0).starts_with("default/pushes: 1 objects, "));
    let damaged = segment(&folder);
    let mut bytes = std::fs::read(&damaged).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&damaged, bytes).unwrap();
    let name = damaged.file_name().unwrap().to_str().unwrap();
    let text = told(&store("verify", url, &[]), 1);
    assert!(text.contains("1 broken\n") && text.contains(name) && text.contains("its checksum is"), "{text}");
    let json = told(&store("verify", url, &["--format=json"]), 1);
    assert!(json.lines().next().unwrap().contains("\"problems\":[{"), "{json}");
    // the others do not look at rows
    told(&store("ls", url, &[]), 0);
}

#[test]
fn where_nothing_can_be_looked_at_it_ends_with_2() {
    let folder = tempfile::TempDir::new().unwrap();
    for what in ["ls", "stat", "verify"] {
        let missing = folder.path().join("missing");
        let output = store(what, missing.to_str().unwrap(), &[]);
        assert_eq!(told(&output, 2), "");
        assert!(String::from_utf8_lossy(&output.stderr).contains("there is no such folder"), "{output:?}");
        assert!(!missing.exists(), "to look makes nothing");
        // nobody listens there
        told(&store(what, "s3://bucket/prefix", &["--s3.endpoint=http://127.0.0.1:9"]), 2);
        let empty = folder.path().join("empty");
        std::fs::create_dir_all(&empty).unwrap();
        let output = store(what, empty.to_str().unwrap(), &[]);
        assert_eq!(told(&output, 0), "");
        assert!(String::from_utf8_lossy(&output.stderr).contains("nothing is stored there"), "{output:?}");
    }
}
