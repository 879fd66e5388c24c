//! Puts and gets with conditions, alone and in races.

use std::sync::Arc;

use futures::future::join_all;
use object_store::path::Path as Location;
use object_store::{
    Error, GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutResult, Result, UpdateVersion,
};

use super::Subject;

const RACERS: usize = 24;
const ROUNDS: usize = 5;
const COUNTERS: usize = 8;
const INCREMENTS: usize = 6;

fn update(e_tag: Option<String>) -> PutMode {
    PutMode::Update(UpdateVersion { e_tag, version: None })
}

async fn put(subject: &Subject, path: &str, content: &str, mode: PutMode) -> Result<PutResult> {
    subject.store.put_opts(&subject.at(path), content.to_string().into(), mode.into()).await
}

/// All racers put at once; returns the number of the only winner, and checks the errors of the others.
async fn race(subject: &Subject, at: &Location, mode: &PutMode, lost: fn(&Error) -> bool) -> usize {
    let tasks = (0..RACERS).map(|number| {
        let (store, at, mode) = (Arc::clone(&subject.store), at.clone(), mode.clone());
        tokio::spawn(async move { store.put_opts(&at, number.to_string().into(), mode.into()).await })
    });
    let mut winners = Vec::new();
    for (number, result) in join_all(tasks.collect::<Vec<_>>()).await.into_iter().enumerate() {
        match result.unwrap() {
            Ok(_) => winners.push(number),
            Err(error) => assert!(lost(&error), "{error}"),
        }
    }
    assert_eq!(winners.len(), 1, "exactly one winner: {winners:?}");
    winners[0]
}

pub(super) async fn create_has_one_winner(subject: &Subject) {
    for round in 0..ROUNDS {
        let path = format!("prize/{round}");
        let exists = |error: &Error| matches!(error, Error::AlreadyExists { .. });
        let winner = race(subject, &subject.at(&path), &PutMode::Create, exists).await;
        assert_eq!(subject.read(&path).await, winner.to_string());
    }
}

pub(super) async fn update_has_one_winner(subject: &Subject) {
    let mut e_tag = put(subject, "cup", "start", PutMode::Create).await.unwrap().e_tag;
    for _ in 0..ROUNDS {
        let failed = |error: &Error| matches!(error, Error::Precondition { .. });
        let winner = race(subject, &subject.at("cup"), &update(e_tag.clone()), failed).await;
        assert_eq!(subject.read("cup").await, winner.to_string());
        e_tag = put(subject, "cup", "between", PutMode::Overwrite).await.unwrap().e_tag;
    }
}

pub(super) async fn conditions_hold(subject: &Subject) {
    let first = put(subject, "a", "first", PutMode::Create).await.unwrap();
    let error = put(subject, "a", "again", PutMode::Create).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    assert_eq!(subject.read("a").await, "first");

    let read = subject.store.get(&subject.at("a")).await.unwrap();
    assert_eq!(read.meta.e_tag, first.e_tag);
    let head = subject.store.head(&subject.at("a")).await.unwrap();
    assert_eq!(head.e_tag, first.e_tag);

    let second = put(subject, "a", "second", update(first.e_tag.clone())).await.unwrap();
    assert_ne!(second.e_tag, first.e_tag);
    let error = put(subject, "a", "stale", update(first.e_tag)).await.unwrap_err();
    assert!(matches!(error, Error::Precondition { .. }), "{error}");
    assert_eq!(subject.read("a").await, "second");

    let error = put(subject, "missing", "x", update(second.e_tag.clone())).await.unwrap_err();
    assert!(matches!(error, Error::Precondition { .. }), "{error}");
    let error = put(subject, "a", "x", update(None)).await.unwrap_err();
    assert!(!matches!(error, Error::AlreadyExists { .. }), "{error}");

    subject.store.delete(&subject.at("a")).await.unwrap();
    let error = put(subject, "a", "x", update(second.e_tag)).await.unwrap_err();
    assert!(matches!(error, Error::Precondition { .. }), "{error}");
    put(subject, "a", "third", PutMode::Create).await.unwrap();
}

pub(super) async fn counters_end_at_the_sum(subject: &Subject) {
    put(subject, "counter", "0", PutMode::Create).await.unwrap();
    let tasks = (0..COUNTERS).map(|_| {
        let (store, at) = (Arc::clone(&subject.store), subject.at("counter"));
        tokio::spawn(async move {
            for _ in 0..INCREMENTS {
                increment(&*store, &at).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(subject.read("counter").await, (COUNTERS * INCREMENTS).to_string());
}

async fn increment(store: &dyn ObjectStore, at: &Location) {
    loop {
        let read = store.get(at).await.unwrap();
        let e_tag = read.meta.e_tag.clone();
        let count: usize = String::from_utf8_lossy(&read.bytes().await.unwrap()).parse().unwrap();
        match store.put_opts(at, (count + 1).to_string().into(), update(e_tag).into()).await {
            Ok(_) => return,
            Err(Error::Precondition { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

pub(super) async fn gets_can_be_conditional(subject: &Subject) {
    let e_tag = put(subject, "a", "content", PutMode::Create).await.unwrap().e_tag;
    let get = async |options: GetOptions| subject.store.get_opts(&subject.at("a"), options).await;
    let same = get(GetOptions::new().with_if_match(e_tag.clone()).with_range(Some(1..3))).await.unwrap();
    assert_eq!(same.bytes().await.unwrap(), "on");
    let error = get(GetOptions::new().with_if_match(Some("other"))).await.unwrap_err();
    assert!(matches!(error, Error::Precondition { .. }), "{error}");
    let error = get(GetOptions::new().with_if_none_match(e_tag)).await.unwrap_err();
    assert!(matches!(error, Error::NotModified { .. }), "{error}");
    get(GetOptions::new().with_if_none_match(Some("other"))).await.unwrap();
}
