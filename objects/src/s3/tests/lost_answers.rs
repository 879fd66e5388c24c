//! Requests and answers that get lost, and what a put says then.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use http::Method;
use object_store::path::Path as Location;
use object_store::{
    Error, Extensions, GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutResult, Result,
    UpdateVersion,
};

use super::server::{Fault, Server};
use crate::s3::S3;
use crate::{AnswerTime, Outcome, outcome};

/// As often as a request is tried.
const EVERY_TRY: usize = 5;

fn at(path: &str) -> Location {
    Location::from(path)
}

async fn create(store: &S3, path: &str, content: &str) -> Result<PutResult> {
    store.put_opts(&at(path), content.to_string().into(), PutMode::Create.into()).await
}

async fn update(store: &S3, path: &str, content: &str, e_tag: Option<String>) -> Result<PutResult> {
    let mode = PutMode::Update(UpdateVersion { e_tag, version: None });
    store.put_opts(&at(path), content.to_string().into(), mode.into()).await
}

async fn read(store: &S3, path: &str) -> String {
    let bytes = store.get(&at(path)).await.unwrap().bytes().await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_put_recognises_itself() {
    let server = Server::start().await;
    let store = server.store();
    for (number, faults) in [
        &[Fault::LoseAnswer][..],
        &[Fault::AnswerWith500],
        &[Fault::LoseRequest, Fault::LoseAnswer],
        &[Fault::LoseAnswer, Fault::Refuse(503), Fault::Pass],
        &[Fault::LoseAnswer, Fault::Refuse(409), Fault::Pass],
        &[
            Fault::AnswerWith500,
            Fault::AnswerWith500,
            Fault::AnswerWith500,
            Fault::LoseRequest,
            Fault::LoseRequest,
        ],
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("a/{number}");
        server.meet(&Method::PUT, faults);
        let created = create(&store, &path, "created").await.unwrap();
        server.meet(&Method::PUT, faults);
        let updated = update(&store, &path, "updated", created.e_tag).await.unwrap();
        assert_eq!(read(&store, &path).await, "updated");
        assert_eq!(store.head(&at(&path)).await.unwrap().e_tag, updated.e_tag);
    }
}

#[tokio::test]
async fn a_large_put_recognises_itself() {
    let server = Server::start().await;
    let store = server.store();
    let content = vec![7; 17 * 1024 * 1024];
    // The start of the upload passes, its end is lost.
    server.meet(&Method::POST, &[Fault::Pass, Fault::LoseAnswer]);
    store.put_opts(&at("large"), content.clone().into(), PutMode::Create.into()).await.unwrap();
    assert_eq!(server.backend.uploads(), 0);
    let error = store.put_opts(&at("large"), content.into(), PutMode::Create.into()).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    assert_eq!(server.backend.uploads(), 0, "nothing is left behind");
}

#[tokio::test]
async fn a_put_does_not_take_an_equal_one_for_itself() {
    let server = Server::start().await;
    let (store, other) = (server.store(), server.store());
    create(&other, "lease", "same content").await.unwrap();
    let error = create(&store, "lease", "same content").await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    // The same again, but with a doubt.
    server.meet(&Method::PUT, &[Fault::LoseRequest]);
    let error = create(&store, "lease", "same content").await.unwrap_err();
    assert_eq!(outcome(&error), Outcome::Unknown);
    assert!(error.to_string().contains("cannot tell whether s3://metrics/lease was written"), "{error}");
}

#[tokio::test]
async fn an_update_that_is_overtaken_does_not_claim_to_have_failed() {
    let server = Server::start().await;
    let store = server.store();
    let first = create(&store, "state", "0").await.unwrap();
    server.meet(&Method::PUT, &[Fault::LoseAnswerAndOvertake]);
    let error = update(&store, "state", "1", first.e_tag).await.unwrap_err();
    assert_eq!(outcome(&error), Outcome::Unknown, "{error}");
    assert!(!matches!(error, Error::Precondition { .. }), "{error}");
    assert_eq!(read(&store, "state").await, "overtaken");
}

#[tokio::test]
async fn without_any_answer_the_outcome_is_unknown() {
    let server = Server::start().await;
    let store = server.store();
    server.meet(&Method::PUT, &[Fault::LoseRequest; EVERY_TRY]);
    let error = create(&store, "a", "x").await.unwrap_err();
    assert_eq!(outcome(&error), Outcome::Unknown, "{error}");
    assert!(error.to_string().contains("cannot put s3://metrics/a"), "{error}");
    server.meet(&Method::PUT, &[Fault::Refuse(503); EVERY_TRY]);
    let error = store.put(&at("a"), "x".into()).await.unwrap_err();
    assert_eq!(outcome(&error), Outcome::Unknown, "{error}");
    create(&store, "a", "x").await.unwrap();
}

#[tokio::test]
async fn everything_else_is_tried_again() {
    let server = Server::start().await;
    let store = server.store();
    let faults = [Fault::Refuse(503), Fault::LoseAnswer, Fault::AnswerWith500];
    server.meet(&Method::PUT, &faults);
    store.put(&at("a"), "content".into()).await.unwrap();
    for method in [Method::GET, Method::HEAD, Method::DELETE] {
        server.meet(&method, &faults);
    }
    assert_eq!(store.retries().count(), 3);
    assert_eq!(read(&store, "a").await, "content");
    assert_eq!(store.retries().count(), 6);
    assert_eq!(store.head(&at("a")).await.unwrap().size, 7);
    store.delete(&at("a")).await.unwrap();
}

#[tokio::test]
async fn bodies_that_break_off_go_on() {
    let server = Server::start().await;
    let store = server.store();
    let content: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    store.put(&at("a"), content.clone().into()).await.unwrap();
    server.backend.broken_bodies.store(3, Ordering::SeqCst);
    assert!(store.get(&at("a")).await.unwrap().bytes().await.unwrap() == content);
    server.backend.broken_bodies.store(2, Ordering::SeqCst);
    assert!(store.get_range(&at("a"), 11..2_000_011).await.unwrap() == content[11..2_000_011]);
    server.backend.broken_bodies.store(usize::MAX, Ordering::SeqCst);
    let read = store.get(&at("a")).await.unwrap().bytes().await;
    let error = read.map(|bytes| bytes.len()).unwrap_err();
    assert!(error.to_string().contains("cannot read s3://metrics/a"), "{error}");
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the server's clock is the wall clock")]
async fn the_time_of_the_answer_is_the_servers() {
    let server = Server::start().await;
    let store = server.store();
    let put = async |mode: PutMode| {
        let mut options = PutOptions::from(mode);
        let answer = AnswerTime::default();
        options.extensions.insert(answer.clone());
        store.put_opts(&at("a"), "x".into(), options).await.map(|_| answer.unix_s().unwrap())
    };
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    // Servers make their date once a second.
    let near = |date: i64, before: Duration| {
        let date = Duration::from_secs(u64::try_from(date).unwrap());
        date + Duration::from_secs(2) > before && date <= now()
    };
    let before = now();
    assert!(near(put(PutMode::Create).await.unwrap(), before));
    server.meet(&Method::PUT, &[Fault::LoseAnswer]);
    store.delete(&at("a")).await.unwrap();
    let before = now();
    assert!(near(put(PutMode::Create).await.unwrap(), before), "also when the put was settled by looking");

    for (path, head) in [("a", true), ("a", false), ("missing", true), ("missing", false)] {
        let (mut extensions, answer) = (Extensions::new(), AnswerTime::default());
        extensions.insert(answer.clone());
        let before = now();
        let got = store.get_opts(&at(path), GetOptions { head, extensions, ..GetOptions::default() }).await;
        assert_eq!(got.is_ok(), path == "a");
        assert!(near(answer.unix_s().unwrap(), before), "{path}, {head}");
    }
}
