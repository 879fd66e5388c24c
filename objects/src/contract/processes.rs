//! Several processes on one store. The other processes are this test binary, told to run one ignored test.

use std::process::{Child, Command, Stdio};

use object_store::path::Path as Location;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, UpdateVersion};

use super::Subject;
use crate::{Opened, Options, open};

const URL_VAR: &str = "MAYFLY_TEST_CHILD_URL";
const ROOT_VAR: &str = "MAYFLY_TEST_CHILD_ROOT";
const ENDPOINT_VAR: &str = "MAYFLY_TEST_CHILD_ENDPOINT";
const PROCESSES: usize = 4;
const ROUNDS: usize = 40;

#[expect(clippy::disallowed_methods, reason = "how the parent tells the child its store")]
fn of_parent(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn spawn(url: &str, root: &Location, env: &[(&str, String)]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "contract::processes::child", "--ignored", "--nocapture"])
        .env(URL_VAR, url)
        .env(ROOT_VAR, root.as_ref())
        .envs(env.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

async fn increment(store: &dyn ObjectStore, at: &Location) {
    loop {
        let read = store.get(at).await.unwrap();
        let e_tag = read.meta.e_tag.clone();
        let count: usize = String::from_utf8_lossy(&read.bytes().await.unwrap()).parse().unwrap();
        let mode = PutMode::Update(UpdateVersion { e_tag, version: None });
        match store.put_opts(at, (count + 1).to_string().into(), mode.into()).await {
            Ok(_) => return,
            Err(Error::Precondition { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
#[ignore = "run by those below in processes of their own"]
async fn child() {
    let options = Options { s3_endpoint: of_parent(ENDPOINT_VAR), ..Options::default() };
    let Opened { store, .. } = open(&of_parent(URL_VAR).unwrap(), &options).await.unwrap();
    let root = Location::from(of_parent(ROOT_VAR).unwrap());
    let mut won = 0;
    for round in 0..ROUNDS {
        increment(&*store, &root.clone().join("counter")).await;
        let prize = root.clone().join("prizes").join(round.to_string());
        match store.put_opts(&prize, "mine".into(), PutMode::Create.into()).await {
            Ok(_) => won += 1,
            Err(error) => assert!(matches!(error, Error::AlreadyExists { .. }), "{error}"),
        }
    }
    println!("won={won}.");
}

/// Of every create that several processes try one wins, and no swap of one is lost to another's.
async fn share(subject: &Subject, url: &str, env: &[(&str, String)]) {
    subject.put("counter", "0").await;
    let children: Vec<_> = (0..PROCESSES).map(|_| spawn(url, &subject.root, env)).collect();
    let mut won = 0;
    for child in children {
        // the server may be in this process
        let output = tokio::task::spawn_blocking(|| child.wait_with_output()).await.unwrap().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}");
        let count = text.split_once("won=").unwrap().1.split_once('.').unwrap().0;
        won += count.parse::<usize>().unwrap();
    }
    assert_eq!(won, ROUNDS, "every create had one winner");
    assert_eq!(subject.read("counter").await, (PROCESSES * ROUNDS).to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn share_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(crate::Folder::open(dir.path()).unwrap());
    let url = dir.path().to_str().unwrap().to_owned();
    let subject = Subject { store, root: Location::from("shared"), sorted: true, _guard: Box::new(dir) };
    share(&subject, &url, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn share_a_server_of_this_process() {
    let server = crate::s3::tests::Server::start().await;
    let settings = server.settings();
    let (id, secret) = settings.static_credentials.clone().unwrap();
    let env = [
        (ENDPOINT_VAR, settings.endpoint.clone().unwrap()),
        ("AWS_ACCESS_KEY_ID", id),
        ("AWS_SECRET_ACCESS_KEY", secret),
        ("AWS_REGION", "us-east-1".to_owned()),
    ];
    let store = std::sync::Arc::new(server.store());
    let url = format!("s3://{}", settings.bucket);
    let subject = Subject { store, root: Location::from("shared"), sorted: true, _guard: Box::new(server) };
    share(&subject, &url, &env).await;
}

/// The server that the environment names, with the credentials that stand there; passes without one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn share_a_server_of_the_environment() {
    let Some(subject) = super::subjects::s3_of_the_environment::open("processes").await else { return };
    let endpoint = of_parent("MAYFLY_TEST_S3_ENDPOINT").unwrap();
    let bucket = of_parent("MAYFLY_TEST_S3_BUCKET").unwrap_or_else(|| "metrics".into());
    share(&subject, &format!("s3://{bucket}"), &[(ENDPOINT_VAR, endpoint)]).await;
    subject.clean().await;
}
