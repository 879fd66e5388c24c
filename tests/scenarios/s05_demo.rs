//! `make demo ONCE=1` tells its story about the data that it is given.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use testkit::server::built;

fn demo(input: &Path) -> String {
    let data = TempDir::new().unwrap();
    let run = Command::new(built("mayfly-demo").unwrap())
        .env("ONCE", "1")
        .env("DEMO_INPUT", input)
        .env("DEMO_DATA", data.path().join("demo-data"))
        .output()
        .unwrap();
    let (story, errors) = (String::from_utf8(run.stdout).unwrap(), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{}\n{story}\n{errors}", run.status);
    story
}

#[test]
fn the_answers_change_with_the_data() {
    let input = TempDir::new().unwrap();
    let file = input.path().join("shoes.csv");
    std::fs::write(&file, "id,size\n1,40\n2,41\n3\n").unwrap();
    let first = demo(input.path());
    std::fs::write(&file, "id,size\n1,40\n2,41\n3,42\n4,43\n5,44\n").unwrap();
    let second = demo(input.path());

    let check = |story: &str, parts: &[&str]| {
        for part in parts {
            assert!(story.contains(part), "{part} is not in\n{story}");
        }
    };
    check(
        &first,
        &["shoes.csv: 3 rows, 1 rejected", "? sum by (job) (export_rows)", "ExportRejectedRows", ".parquet"],
    );
    check(&first, &[r#","3"]"#, "1 rows of shoes.csv were rejected by nightly_export"]);
    check(&second, &["shoes.csv: 5 rows, 0 rejected", r#","5"]"#, "no alert fires"]);
}
