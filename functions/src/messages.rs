//! Messages of an SQS queue: each is one request to the gateway, and is done or comes again by itself.
//!
//! A message's body is JSON, one request as `POST /api/v1/batch` has them:
//! `{"method": "POST", "path": "/metrics/job/backup", "headers": {}, "body": "…"}`, or `body_base64` for bytes. The message's
//! id is its `Idempotency-Key` unless it has one, so a message that comes again counts once.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures::future::join_all;
use gateway::{PushRequest, ToldRequest, ToldRequestError};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use serde::Serialize;
use tower::ServiceExt as _;

use crate::answer::{Answer, json};
use crate::event::{Event, Record};
use crate::run::{Invocation, RESERVE};

/// Bytes of an error's text that are logged.
const REASON_BYTES_MAX: usize = 4 << 10;

/// Routes behind a queue.
#[derive(Debug)]
pub struct Messages {
    routes: Router,
}

/// Which messages come again; the queue forgets the others.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    batch_item_failures: Vec<ItemFailure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemFailure {
    item_identifier: String,
}

/// Why a message is not done.
#[derive(Debug, thiserror::Error)]
enum NotDone {
    #[error("no body")]
    NoBody,
    #[error(
        "{0}: expected {{\"method\": \"POST\", \"path\": \"/metrics/job/…\", \"body\": \"…\"}}, or body_base64"
    )]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Request(#[from] ToldRequestError),
    #[error("answered {status}: {text}")]
    Refused { status: StatusCode, text: String },
    #[error("not done before the function's time ran out")]
    Late,
    #[error("waits for a message before it in its group")]
    Behind,
}

impl Messages {
    /// These routes.
    pub fn to(routes: Router) -> Self {
        Self { routes }
    }

    /// Does what the messages say, each independent of the others; of a FIFO queue, those of a group in their order, and
    /// none behind one that failed.
    ///
    /// # Errors
    /// If a record is no message of a queue: then all come again.
    pub async fn answer(&self, event: Event, invocation: &Invocation) -> anyhow::Result<Answer> {
        let mut lines = BTreeMap::<String, Vec<(String, Record)>>::new();
        for (at, record) in event.records.unwrap_or_default().into_iter().enumerate() {
            let is_message = record.event_source.as_deref() == Some("aws:sqs");
            anyhow::ensure!(is_message, "Records[{at}] is no message of an SQS queue (eventSource aws:sqs)");
            let Some(id) = record.message_id.clone().filter(|id| !id.is_empty()) else {
                anyhow::bail!("Records[{at}] has no messageId");
            };
            // whatever has no order is a line of its own
            let group = record.attributes.as_ref().and_then(|attributes| attributes.get("MessageGroupId"));
            let is_ordered = record.event_source_arn.as_deref().is_some_and(|arn| arn.ends_with(".fifo"));
            let line = group
                .filter(|_| is_ordered)
                .map_or_else(|| format!("id {id}"), |group| format!("group {group}"));
            lines.entry(line).or_default().push((id, record));
        }
        let left = invocation.left(RESERVE);
        let failed = join_all(lines.into_values().map(|line| self.line(line, left))).await;
        let outcome = Outcome { batch_item_failures: failed.into_iter().flatten().collect() };
        json(&outcome)
    }

    /// One message after the other; which of them failed.
    async fn line(&self, line: Vec<(String, Record)>, left: Duration) -> Vec<ItemFailure> {
        let mut failed = Vec::new();
        // what is behind time is dropped where it waits, so the line ends in time as well
        let ids: Vec<String> = line.iter().map(|(id, _)| id.clone()).collect();
        let mut done = HashSet::new();
        let all = async {
            let mut is_broken = false;
            for (id, record) in line {
                let did = if is_broken { Err(NotDone::Behind) } else { self.one(&id, record).await };
                match did {
                    Ok(()) => drop(done.insert(id)),
                    Err(error) => {
                        is_broken = true;
                        tracing::error!(message_id = id, error = %error, "message not stored");
                    }
                }
            }
        };
        let is_late = tokio::time::timeout(left, all).await.is_err();
        for id in ids.into_iter().filter(|id| !done.contains(id)) {
            if is_late {
                tracing::error!(message_id = id, error = %NotDone::Late, "message not stored");
            }
            failed.push(ItemFailure { item_identifier: id });
        }
        failed
    }

    async fn one(&self, id: &str, record: Record) -> Result<(), NotDone> {
        let request = request(id, &record.body.ok_or(NotDone::NoBody)?)?;
        let response = match self.routes.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let text = axum::body::to_bytes(response.into_body(), REASON_BYTES_MAX).await.unwrap_or_default();
        Err(NotDone::Refused { status, text: String::from_utf8_lossy(&text).trim_end().to_owned() })
    }
}

fn request(id: &str, message: &str) -> Result<Request<Body>, NotDone> {
    let wrong = |field, reason| NotDone::Request(ToldRequestError { field, reason });
    let told: ToldRequest = serde_json::from_str(message)?;
    let PushRequest { method, path, headers, body } = told.request()?;
    if ![Method::PUT, Method::POST, Method::DELETE].contains(&method) {
        return Err(wrong("method", format!("{:?}: expected PUT, POST or DELETE", method.as_str())));
    }
    let uri: Uri = path.parse().map_err(|error| wrong("path", format!("{path:?}: {error}")))?;
    let mut request = Request::new(Body::from(body));
    (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (method, uri, headers);
    let headers = request.headers_mut();
    if !headers.contains_key("idempotency-key") {
        let key = HeaderValue::from_str(id).map_err(|_| wrong("messageId", format!("{id:?} is no key")))?;
        headers.insert("idempotency-key", key);
    }
    Ok(request)
}

#[cfg(test)]
mod tests;
