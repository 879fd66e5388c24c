use std::sync::atomic::Ordering;

use object_store::memory::InMemory;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::s3::tests::{Action, Server};
use crate::{Folder, S3, S3Settings};

async fn objects(store: &dyn ObjectStore) -> usize {
    store.list(None).try_collect::<Vec<_>>().await.unwrap().len()
}

#[tokio::test]
async fn passes_good_stores_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    let stores: [&dyn ObjectStore; 3] =
        [&InMemory::new(), &Folder::open(dir.path()).unwrap(), &server.store()];
    for store in stores {
        conditional_put(store, &Location::from("a/b")).await.unwrap();
        conditional_put(store, &Location::default()).await.unwrap();
        assert_eq!(objects(store).await, 0, "{store}");
    }
}

#[tokio::test]
async fn refuses_a_server_that_ignores_conditions() {
    let server = Server::start().await;
    server.backend.ignores_conditions.store(true, Ordering::SeqCst);
    let store = server.store();
    let error = conditional_put(&store, &Location::default()).await.unwrap_err();
    assert!(matches!(error, ProbeError::CreateNotExclusive { winners: RACERS, .. }), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("s3://metrics at http://127.0.0.1:"), "{text}");
    assert!(text.contains("does not hold If-None-Match: 8 creates"), "{text}");
    assert_eq!(objects(&store).await, 0);
}

#[tokio::test]
async fn refuses_a_server_that_ignores_etags() {
    let server = Server::start().await;
    server.backend.ignores_if_match.store(true, Ordering::SeqCst);
    let error = conditional_put(&server.store(), &Location::default()).await.unwrap_err();
    assert!(matches!(error, ProbeError::UpdateNotExclusive { winners: RACERS, .. }), "{error}");
}

#[tokio::test]
async fn refuses_a_server_that_checks_without_a_lock() {
    let server = Server::start().await;
    server.backend.checks_too_early.store(true, Ordering::SeqCst);
    let error = conditional_put(&server.store(), &Location::default()).await.unwrap_err();
    assert!(matches!(error, ProbeError::CreateNotExclusive { winners: 2.., .. }), "{error}");
}

/// Answers every connection with these bytes, whatever it is asked; its endpoint and its task.
async fn answering(answer: Vec<u8>) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut asked = [0; 64 << 10];
                // whoever breaks off misses the answer
                if stream.read(&mut asked).await.is_ok() {
                    let _ = stream.write_all(&answer).await;
                    let _ = stream.shutdown().await;
                    // a connection that is closed with bytes unread is reset, and the answer may be lost with it
                    while stream.read(&mut asked).await.is_ok_and(|count| count > 0) {}
                }
            });
        }
    });
    (endpoint, task)
}

/// What the probe of a bucket says, which has to name the bucket and these.
async fn check_refusal(settings: S3Settings, expected: &[&str]) {
    let store = S3::new(settings);
    let error = conditional_put(&store, &Location::from("below")).await.unwrap_err().to_string();
    for expected in [&store.to_string(), "s3://"].into_iter().chain(expected.iter().copied()) {
        assert!(error.contains(expected), "{expected:?} is not in {error}");
    }
}

#[tokio::test]
async fn says_that_a_bucket_does_not_exist_and_what_would_be_right() {
    let server = Server::start().await;
    let settings = S3Settings { bucket: "other".into(), ..server.settings() };
    let expected = ["cannot create an object in s3://other at http", "NoSuchBucket", "makes no buckets"];
    check_refusal(settings, &expected).await;
}

#[tokio::test]
async fn says_which_permission_is_missing() {
    let server = Server::start().await;
    for (action, step, permission) in [
        (Action::PutObject, "create an object", "has to allow s3:PutObject on the objects"),
        (Action::GetObject, "read an object", "has to allow s3:GetObject on the objects"),
        (Action::ListBucket, "list objects", "has to allow s3:ListBucket on the bucket"),
        (Action::DeleteObject, "delete an object", "has to allow s3:DeleteObject on the objects"),
    ] {
        *server.backend.denied.lock().unwrap() = Some(action);
        let step = format!("cannot {step} in s3://metrics at http");
        check_refusal(server.settings(), &[&step, "403 AccessDenied: not by this policy", permission]).await;
    }
}

#[tokio::test]
async fn says_that_credentials_are_wrong() {
    let server = Server::start().await;
    let static_credentials = Some(("AKTEST".into(), "wrong".into()));
    let settings = S3Settings { static_credentials, ..server.settings() };
    check_refusal(settings, &["403 SignatureDoesNotMatch", "Check the access key"]).await;
}

#[tokio::test]
async fn says_that_an_endpoint_is_no_s3() {
    let server = Server::start().await;
    let page = "<!DOCTYPE html><html><body>Welcome!</body></html>";
    for (status, expected) in [
        ("200 OK", "the answer has no valid ETag"),
        ("403 Forbidden", "403"),
        ("404 Not Found", "404"),
        ("405 Method Not Allowed", "405"),
        ("301 Moved Permanently", "301"),
    ] {
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: text/html\r\nconnection: close\r\n");
        let answer = format!("{head}content-length: {}\r\n\r\n{page}", page.len());
        let (endpoint, task) = answering(answer.into_bytes()).await;
        let settings = S3Settings { endpoint: Some(endpoint), ..server.settings() };
        let expected = ["cannot create an object in s3://metrics at http", expected, "does not speak S3"];
        check_refusal(settings, &expected).await;
        task.abort();
    }
}

#[tokio::test]
async fn says_that_nothing_answers_at_an_endpoint() {
    let server = Server::start().await;
    // a port that was free a moment ago
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // the alert by which TLS refuses what is no TLS
    let (tls, task) = answering(vec![0x15, 3, 3, 0, 2, 2, 70]).await;
    let plain = server.settings().endpoint.unwrap();
    let plain_as_tls = plain.replace("http://", "https://");
    for (endpoint, expected) in [
        (format!("http://{closed}"), "Connection refused"),
        (tls, "invalid HTTP"),
        (plain_as_tls, "corrupt message"),
    ] {
        let settings = S3Settings { endpoint: Some(endpoint), ..server.settings() };
        check_refusal(settings, &[expected, "Check that an S3 server is at the endpoint"]).await;
    }
    task.abort();
}

#[tokio::test]
async fn refuses_a_server_whose_listings_are_behind() {
    let server = Server::start().await;
    server.backend.lists_nothing.store(true, Ordering::SeqCst);
    let error = conditional_put(&server.store(), &Location::default()).await.unwrap_err();
    assert!(matches!(error, ProbeError::NotListed { .. }), "{error}");
}
