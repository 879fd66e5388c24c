//! What the server refuses, and in which words that is passed on.

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as Location;
use object_store::{
    Attribute, Attributes, Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion,
};

use super::backend::UNDELETABLE;
use super::server::Server;
use crate::s3::{S3, S3Settings};
use crate::{Outcome, outcome};

fn at(path: &str) -> Location {
    Location::from(path)
}

#[tokio::test]
async fn a_missing_bucket_is_no_missing_object() {
    let server = Server::start().await;
    let store = S3::new(S3Settings { bucket: "other".into(), ..server.settings() });
    let update = PutMode::Update(UpdateVersion { e_tag: Some("\"x\"".into()), version: None });
    for error in [
        store.get(&at("a")).await.map(|_| ()).unwrap_err(),
        store.put(&at("a"), "x".into()).await.map(|_| ()).unwrap_err(),
        store.put_opts(&at("a"), "x".into(), update.into()).await.map(|_| ()).unwrap_err(),
        store.list(None).try_next().await.map(|_| ()).unwrap_err(),
        store.delete(&at("a")).await.unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(matches!(error, Error::Generic { .. }), "{text}");
        assert!(
            text.contains("s3://other") && text.contains("404 NoSuchBucket: The specified bucket"),
            "{text}"
        );
        assert_eq!(outcome(&error), Outcome::NotDone);
    }
}

#[tokio::test]
async fn who_is_not_believed_is_unauthenticated() {
    let server = Server::start().await;
    for (id, secret, code) in
        [("AKTEST", "wrong", "SignatureDoesNotMatch"), ("UNKNOWN", "SKTESTSECRET", "NotSignedUp")]
    {
        let static_credentials = Some((id.to_string(), secret.to_string()));
        let store = S3::new(S3Settings { static_credentials, ..server.settings() });
        let error = store.get(&at("a")).await.unwrap_err();
        assert!(matches!(error, Error::Unauthenticated { .. }), "{error}");
        assert!(error.to_string().contains(code), "{error}");
    }
}

#[tokio::test]
async fn what_is_never_sent_is_not_done() {
    let server = Server::start().await;
    let endpoint = Some("no url at all".to_string());
    let store = S3::new(S3Settings { endpoint, ..server.settings() });
    for mode in [PutMode::Create, PutMode::Overwrite] {
        let error = store.put_opts(&at("a"), "x".into(), mode.into()).await.unwrap_err();
        assert_eq!(outcome(&error), Outcome::NotDone, "{error}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let endpoint = Some("http://127.0.0.1:1".to_string());
    let static_credentials = Some(("id".to_string(), "secret".to_string()));
    let store =
        S3::new(S3Settings { bucket: "b".into(), endpoint, static_credentials, ..S3Settings::default() });
    let error = store.get(&at("a")).await.unwrap_err().to_string();
    assert!(error.contains("cannot get s3://b/a") && error.contains("Connection refused"), "{error}");
}

#[tokio::test]
async fn what_may_not_be_deleted_is_an_error_of_its_own() {
    let server = Server::start().await;
    let store = server.store();
    let paths = ["a", UNDELETABLE, "b"].map(at);
    for path in &paths {
        store.put(path, "x".into()).await.unwrap();
    }
    let stream = futures::stream::iter(paths.clone().map(Ok)).boxed();
    let results: Vec<_> = store.delete_stream(stream).collect().await;
    assert!(results[0].is_ok() && results[2].is_ok());
    for error in [results[1].as_ref().unwrap_err(), &store.delete(&paths[1]).await.unwrap_err()] {
        assert!(matches!(error, Error::PermissionDenied { .. }), "{error}");
        assert!(
            error.to_string().contains("s3://metrics/undeletable: 403 AccessDenied: not this one"),
            "{error}"
        );
    }
    let left: Vec<_> = store.list(None).map_ok(|meta| meta.location).try_collect().await.unwrap();
    assert_eq!(left, [at(UNDELETABLE)]);
}

#[tokio::test]
async fn attributes_come_back() {
    let server = Server::start().await;
    let store = server.store();
    let mut attributes = Attributes::new();
    attributes.insert(Attribute::ContentType, "application/vnd.apache.parquet".into());
    attributes.insert(Attribute::Metadata("rows".into()), "12".into());
    for (path, size) in [("small", 10), ("large", 17 * 1024 * 1024)] {
        let options =
            PutOptions { mode: PutMode::Create, attributes: attributes.clone(), ..PutOptions::default() };
        store.put_opts(&at(path), vec![1; size].into(), options).await.unwrap();
        assert_eq!(store.get(&at(path)).await.unwrap().attributes, attributes, "{path}");
    }
    let mut attributes = Attributes::new();
    attributes.insert(Attribute::StorageClass, "GLACIER".into());
    let error = store.put_opts(&at("a"), "x".into(), attributes.into()).await.unwrap_err();
    assert!(matches!(error, Error::NotSupported { .. }), "{error}");
}
