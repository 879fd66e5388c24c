//! The Extensions API, version 2020-01-01, and the subscription to the Telemetry API, version 2022-07-01.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use edge::SystemClock;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use model::Clock as _;
use serde::Deserialize;
use serde_json::json;

const NAME: &str = "lambda-extension-name";
const IDENTIFIER: &str = "lambda-extension-identifier";
const ERROR_TYPE: &str = "lambda-extension-function-error-type";
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// How often the next event is asked for when there is no answer,
const NEXT_ATTEMPTS: u32 = 5;
/// and after how long the first time; then twice that, and so on.
const NEXT_PAUSE: Duration = Duration::from_millis(50);
/// The name under which the platform reaches extensions of a sandbox.
const SANDBOX: &str = "sandbox.localdomain";

/// Why Lambda cannot be talked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LambdaError {
    #[error("AWS_LAMBDA_RUNTIME_API cannot be asked: {0}")]
    Request(#[from] http::Error),
    #[error("no answer of the Extensions API: {0}")]
    Connection(#[from] hyper_util::client::legacy::Error),
    #[error("an answer of the Extensions API cannot be read: {0}")]
    Answer(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("an answer of the Extensions API cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the Extensions API answered {status}: {text}")]
    Status { status: StatusCode, text: String },
    #[error("the Extensions API gave no identifier")]
    NoIdentifier,
}

/// Lambda, as an extension sees it before it has registered.
#[derive(Debug)]
pub(crate) struct Lambda {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
}

/// The same afterwards.
#[derive(Debug)]
pub(crate) struct Registered {
    lambda: Lambda,
    identifier: HeaderValue,
    pub(crate) name: String,
    pub(crate) version: String,
}

/// What an extension is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// An invocation begins.
    Invoke { id: String, deadline_ms: i64 },
    /// The sandbox ends.
    Shutdown { reason: String, deadline_ms: i64 },
}

/// Whether the platform will report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subscribed {
    Yes,
    /// It has no such API, as some emulators.
    No,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RegisterAnswer {
    #[serde(default)]
    function_name: String,
    #[serde(default)]
    function_version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventAnswer {
    event_type: String,
    #[serde(default)]
    deadline_ms: i64,
    #[serde(default)]
    request_id: String,
    #[serde(default)]
    shutdown_reason: String,
}

impl Lambda {
    /// At this host and port.
    pub(crate) fn at(address: &str) -> Self {
        let base = format!("http://{address}");
        Self { client: Client::builder(TokioExecutor::new()).build_http(), base }
    }

    /// Registers for invocations and the end. `name` is that of the file that Lambda has started.
    pub(crate) async fn register(self, name: &str) -> Result<Registered, LambdaError> {
        let body = json!({ "events": ["INVOKE", "SHUTDOWN"] });
        let request =
            Request::post(format!("{}/2020-01-01/extension/register", self.base)).header(NAME, name);
        let answer = self.ask(request, &body).await?;
        let identifier = answer.headers().get(IDENTIFIER).cloned().ok_or(LambdaError::NoIdentifier)?;
        let RegisterAnswer { function_name: name, function_version: version } =
            serde_json::from_slice(answer.body())?;
        Ok(Registered { lambda: self, identifier, name, version })
    }

    async fn ask(
        &self,
        request: http::request::Builder,
        body: &serde_json::Value,
    ) -> Result<Response<Bytes>, LambdaError> {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let request = request.header("content-type", "application/json").body(Full::from(body))?;
        let (parts, body) = self.client.request(request).await?.into_parts();
        let body =
            Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(LambdaError::Answer)?.to_bytes();
        match parts.status.is_success() {
            true => Ok(Response::from_parts(parts, body)),
            false => {
                let text = String::from_utf8_lossy(&body).trim().chars().take(500).collect();
                Err(LambdaError::Status { status: parts.status, text })
            }
        }
    }
}

impl Registered {
    /// Waits for what comes next, and tells by that that the extension is done with what was before: from then on the sandbox may be
    /// frozen.
    ///
    /// # Errors
    /// If it is refused, or there is no answer after several attempts: an extension that ends takes the sandbox with it.
    pub(crate) async fn next(&self) -> Result<Next, LambdaError> {
        let mut attempts = 1;
        let answer = loop {
            match self.ask(Method::GET, "2020-01-01/extension/event/next", None, &json!(null)).await {
                Err(error @ (LambdaError::Connection(_) | LambdaError::Answer(_)))
                    if attempts < NEXT_ATTEMPTS =>
                {
                    tracing::warn!(%error, "asking again for the next event");
                    let pause = NEXT_PAUSE * attempts;
                    let _ = tokio::time::timeout(pause, std::future::pending::<()>()).await;
                    attempts += 1;
                }
                answer => break answer?,
            }
        };
        let event: EventAnswer = serde_json::from_slice(answer.body())?;
        let deadline_ms = event.deadline_ms;
        Ok(match event.event_type.as_str() {
            "INVOKE" => Next::Invoke { id: event.request_id, deadline_ms },
            _ => Next::Shutdown { reason: event.shutdown_reason, deadline_ms },
        })
    }

    /// Asks the platform to report to this port.
    pub(crate) async fn subscribe(
        &self,
        host: Option<&str>,
        address: SocketAddr,
    ) -> Result<Subscribed, LambdaError> {
        let uri = format!("http://{}:{}", host.unwrap_or(SANDBOX), address.port());
        let body = json!({
            "schemaVersion": "2022-12-13",
            "types": ["platform"],
            // as soon as the platform can: the end of an invocation is waited for
            "buffering": { "maxItems": 1_000, "maxBytes": 262_144, "timeoutMs": 25 },
            "destination": { "protocol": "HTTP", "URI": uri },
        });
        let answer = self.ask(Method::PUT, "2022-07-01/telemetry", None, &body).await?;
        Ok(if answer.status() == StatusCode::ACCEPTED { Subscribed::No } else { Subscribed::Yes })
    }

    /// Tells that the extension cannot start.
    pub(crate) async fn cannot_start(&self, why: &str) -> Result<(), LambdaError> {
        let body = json!({ "errorMessage": why, "errorType": "Extension.Settings", "stackTrace": [] });
        let kind = Some("Extension.Settings");
        self.ask(Method::POST, "2020-01-01/extension/init/error", kind, &body).await.map(|_| ())
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        error_type: Option<&str>,
        body: &serde_json::Value,
    ) -> Result<Response<Bytes>, LambdaError> {
        let request = Request::builder().method(method).uri(format!("{}/{path}", self.lambda.base));
        let mut request = request.header(IDENTIFIER, &self.identifier);
        if let Some(kind) = error_type {
            request = request.header(ERROR_TYPE, kind);
        }
        self.lambda.ask(request, body).await
    }
}

/// How long until a deadline. One of long ago is none: emulators have such.
pub(crate) fn left(deadline_ms: i64) -> Duration {
    /// Before any deadline that is meant.
    const YEAR_2020_MS: i64 = 1_577_836_800_000;
    /// What Lambda allows at most.
    const LONGEST_MS: i64 = 15 * 60_000;
    if deadline_ms < YEAR_2020_MS {
        return Duration::from_millis(LONGEST_MS.unsigned_abs());
    }
    let left_ms = deadline_ms.saturating_sub(SystemClock.now_ms()).clamp(0, LONGEST_MS);
    Duration::from_millis(left_ms.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_event_is_asked_for_again_if_a_connection_breaks() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let lambda = Lambda::at(&listener.local_addr().expect("an address").to_string());
        let identifier = HeaderValue::from_static("1");
        let registered = Registered { lambda, identifier, name: String::new(), version: String::new() };
        let event = r#"{"eventType":"INVOKE","requestId":"7","deadlineMs":1}"#;
        let answers = async {
            // nothing, half of an answer, and one
            let half = "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_owned();
            let whole = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{event}", event.len());
            for answer in [String::new(), half, whole] {
                let (mut connection, _) = listener.accept().await.expect("a connection");
                let mut request = [0; 1_000];
                assert!(connection.read(&mut request).await.expect("a request") > 0);
                connection.write_all(answer.as_bytes()).await.expect("written");
            }
        };
        let (next, ()) = futures::join!(registered.next(), answers);
        let expect = Next::Invoke { id: "7".to_owned(), deadline_ms: 1 };
        assert_eq!(next.expect("an event"), expect);
    }
}
