//! Whole objects: put, get, delete, copy, move, upload in parts.

use futures::{StreamExt, TryStreamExt};
use object_store::{Error, ObjectStore, ObjectStoreExt, PutPayload};

use super::Subject;

/// Larger than every buffer on the way, and not a multiple of any.
const LARGE_BYTES: usize = 20 * 1024 * 1024 + 123;
/// The smallest part that S3 takes anywhere but at the end.
const PART_BYTES: usize = 5 * 1024 * 1024;

fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..)).take(length).collect()
}

pub(super) async fn overwrites_and_reads_back(subject: &Subject) {
    for content in ["first", "second, which is longer", "3"] {
        subject.put("a/b/c", content).await;
        assert_eq!(subject.read("a/b/c").await, content);
    }
    let pieces: PutPayload = ["one ", "two ", "", "three"].into_iter().map(bytes::Bytes::from).collect();
    subject.store.put(&subject.at("pieces"), pieces).await.unwrap();
    assert_eq!(subject.read("pieces").await, "one two three");
}

pub(super) async fn missing_objects_are_not_found(subject: &Subject) {
    subject.put("there/object", "x").await;
    for path in ["missing", "there", "there/missing", "not/there"] {
        let at = subject.at(path);
        for error in [
            subject.store.get(&at).await.map(|_| ()).unwrap_err(),
            subject.store.head(&at).await.map(|_| ()).unwrap_err(),
            subject.store.get_range(&at, 0..1).await.map(|_| ()).unwrap_err(),
            subject.store.copy(&at, &subject.at("copy")).await.unwrap_err(),
            subject.store.rename(&at, &subject.at("moved")).await.unwrap_err(),
        ] {
            assert!(matches!(error, Error::NotFound { .. }), "{path}: {error}");
        }
    }
    assert_eq!(subject.list(&subject.root).await, ["there/object"]);
}

pub(super) async fn deletes_of_missing_objects_pass(subject: &Subject) {
    subject.put("there/object", "x").await;
    for path in ["missing", "not/there", "there/missing", "there/object", "there/object"] {
        subject.store.delete(&subject.at(path)).await.unwrap();
    }
    assert!(subject.list(&subject.root).await.is_empty());
}

pub(super) async fn deletes_many_at_once(subject: &Subject) {
    let paths: Vec<String> = (0..1_100).map(|number| format!("{}/{number}", number % 7)).collect();
    subject.put_all(paths.iter().cloned()).await;
    subject.put("kept", "x").await;
    let locations: Vec<_> = paths.iter().map(|path| subject.at(path)).collect();
    let stream = futures::stream::iter(locations.clone()).map(Ok).boxed();
    let deleted: Vec<_> = subject.store.delete_stream(stream).try_collect().await.unwrap();
    assert_eq!(deleted, locations);
    assert_eq!(subject.list(&subject.root).await, ["kept"]);
}

pub(super) async fn odd_characters_survive(subject: &Subject) {
    let mut names: Vec<String> = [
        "sp ace",
        "plus+sign",
        "percent%2Fsigns%",
        "ümlaut☃",
        "query?x=1&y=2",
        "hash#tag",
        "star*",
        "quote'\"",
        "tilde~^`|",
        "(round)[square]{curly}<angle>",
        "comma,semi;colon:",
        "at@dollar$bang!eq=",
        "...",
        "-dash",
        ".hidden",
        "e\u{301}",
    ]
    .map(String::from)
    .into();
    for name in &names {
        subject.put(name, name).await;
        subject.put(&format!("{name}-/below"), name).await;
    }
    for name in &names {
        assert_eq!(subject.read(name).await, *name);
        assert_eq!(subject.list(&subject.at(&format!("{name}-"))).await, [format!("{name}-/below")]);
    }
    subject.store.copy(&subject.at("plus+sign"), &subject.at("copy of+plus")).await.unwrap();
    subject.store.copy(&subject.at("ümlaut☃"), &subject.at("ä%20☃")).await.unwrap();
    assert_eq!(subject.read("copy of+plus").await, "plus+sign");
    assert_eq!(subject.read("ä%20☃").await, "ümlaut☃");

    names.extend(names.clone().iter().map(|name| format!("{name}-/below")));
    names.extend(["copy of+plus".into(), "ä%20☃".into()]);
    names.sort();
    assert_eq!(subject.list(&subject.root).await, names);
    subject.clean().await;
    assert!(subject.list(&subject.root).await.is_empty());
}

pub(super) async fn large_objects_survive(subject: &Subject) {
    let content = noise(LARGE_BYTES, 1);
    let at = subject.at("large");
    let put = subject.store.put(&at, content.clone().into()).await.unwrap();
    let read = subject.store.get(&at).await.unwrap();
    assert_eq!(read.meta.e_tag, put.e_tag);
    assert_eq!(read.meta.size, LARGE_BYTES as u64);
    assert!(read.bytes().await.unwrap() == content);
    let range = 1_000_000..9_000_001;
    let part = subject.store.get_range(&at, range.start as u64..range.end as u64).await.unwrap();
    assert!(part == content[range]);
}

pub(super) async fn uploads_come_in_parts(subject: &Subject) {
    let content = noise(2 * PART_BYTES + 77, 2);
    let at = subject.at("parts");
    let mut upload = subject.store.put_multipart(&at).await.unwrap();
    let parts = content.chunks(PART_BYTES).map(|part| upload.put_part(part.to_vec().into()));
    futures::future::try_join_all(parts.collect::<Vec<_>>()).await.unwrap();
    assert!(matches!(subject.store.head(&at).await, Err(Error::NotFound { .. })));
    upload.complete().await.unwrap();
    assert!(subject.store.get(&at).await.unwrap().bytes().await.unwrap() == content);

    let mut upload = subject.store.put_multipart(&subject.at("aborted")).await.unwrap();
    upload.put_part("part".into()).await.unwrap();
    upload.abort().await.unwrap();
    assert_eq!(subject.list(&subject.root).await, ["parts"]);
}

pub(super) async fn copies_and_moves(subject: &Subject) {
    subject.put("a", "content").await;
    subject.put("taken", "old").await;
    let (a, taken) = (subject.at("a"), subject.at("taken"));
    let error = subject.store.copy_if_not_exists(&a, &taken).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    let error = subject.store.rename_if_not_exists(&a, &taken).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    assert_eq!(subject.read("taken").await, "old");

    subject.store.copy(&a, &taken).await.unwrap();
    subject.store.copy_if_not_exists(&a, &subject.at("b/free")).await.unwrap();
    assert_eq!(subject.read("taken").await, "content");
    subject.store.rename(&a, &subject.at("c/moved")).await.unwrap();
    subject.store.rename_if_not_exists(&taken, &subject.at("d/moved")).await.unwrap();
    assert_eq!(subject.list(&subject.root).await, ["b/free", "c/moved", "d/moved"]);
    for path in ["b/free", "c/moved", "d/moved"] {
        assert_eq!(subject.read(path).await, "content");
    }
}
