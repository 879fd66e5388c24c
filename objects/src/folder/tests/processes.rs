//! A process that dies with work half done. It is this test binary, told to run one ignored test.

use std::path::{Path as FilePath, PathBuf};
use std::process::{Child, Command, Stdio};

use object_store::ObjectStoreExt;
use object_store::path::Path as Location;

use crate::folder::Folder;

const FOLDER_VAR: &str = "MAYFLY_TEST_CHILD_FOLDER";

fn spawn(test: &str, folder: &FilePath) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("folder::tests::processes::{test}"), "--ignored", "--nocapture"])
        .env(FOLDER_VAR, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[expect(clippy::disallowed_methods, reason = "how the parent tells the child its folder")]
fn folder_of_parent() -> PathBuf {
    std::env::var(FOLDER_VAR).unwrap().into()
}

#[tokio::test]
#[ignore = "run by the test below in a process of its own, which is killed"]
async fn child_that_dies() {
    let folder = Folder::open(folder_of_parent()).unwrap();
    let mut upload = folder.put_multipart(&Location::from("object")).await.unwrap();
    upload.put_part("a part".into()).await.unwrap();
    std::fs::write(folder.root().join("ready"), "").unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn the_left_overs_of_the_dead_are_swept_and_the_living_are_spared() {
    let dir = tempfile::tempdir().unwrap();
    let tmp = dir.path().join(".mayfly/tmp");
    let mut child = spawn("child_that_dies", dir.path());
    while !dir.path().join("ready").exists() {
        tokio::task::yield_now().await;
    }
    let living = Folder::open(dir.path()).unwrap();
    let mut upload = living.put_multipart(&Location::from("alive")).await.unwrap();
    upload.put_part("a part".into()).await.unwrap();
    assert_eq!(std::fs::read_dir(&tmp).unwrap().count(), 2);

    child.kill().unwrap();
    child.wait().unwrap();
    drop(Folder::open(dir.path()).unwrap());
    assert_eq!(std::fs::read_dir(&tmp).unwrap().count(), 1);
    upload.complete().await.unwrap();
    drop((upload, living));
    assert_eq!(std::fs::read_dir(&tmp).unwrap().count(), 0);
}
