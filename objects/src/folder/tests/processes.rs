//! Several processes on one folder. The other processes are this test binary, told to run one ignored test.

use std::path::{Path as FilePath, PathBuf};
use std::process::{Child, Command, Stdio};

use object_store::path::Path as Location;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, UpdateVersion};

use crate::folder::Folder;

const FOLDER_VAR: &str = "MAYFLY_TEST_CHILD_FOLDER";
const PROCESSES: usize = 4;
const ROUNDS: usize = 40;

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

async fn increment(folder: &Folder, at: &Location) {
    loop {
        let read = folder.get(at).await.unwrap();
        let e_tag = read.meta.e_tag.clone();
        let count: usize = String::from_utf8_lossy(&read.bytes().await.unwrap()).parse().unwrap();
        let mode = PutMode::Update(UpdateVersion { e_tag, version: None });
        match folder.put_opts(at, (count + 1).to_string().into(), mode.into()).await {
            Ok(_) => return,
            Err(Error::Precondition { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
#[ignore = "run by the test below in processes of their own"]
async fn child() {
    let folder = Folder::open(folder_of_parent()).unwrap();
    let mut won = 0;
    for round in 0..ROUNDS {
        increment(&folder, &Location::from("counter")).await;
        let prize = Location::from(format!("prizes/{round}"));
        match folder.put_opts(&prize, "mine".into(), PutMode::Create.into()).await {
            Ok(_) => won += 1,
            Err(error) => assert!(matches!(error, Error::AlreadyExists { .. }), "{error}"),
        }
    }
    println!("won={won}.");
}

#[tokio::test]
async fn processes_share_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    folder.put(&Location::from("counter"), "0".into()).await.unwrap();
    let children: Vec<_> = (0..PROCESSES).map(|_| spawn("child", dir.path())).collect();
    let mut won = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}");
        let count = text.split_once("won=").unwrap().1.split_once('.').unwrap().0;
        won += count.parse::<usize>().unwrap();
    }
    assert_eq!(won, ROUNDS, "every create had one winner");
    let counter = folder.get(&Location::from("counter")).await.unwrap().bytes().await.unwrap();
    assert_eq!(counter, (PROCESSES * ROUNDS).to_string());
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
