//! A service of AWS, asked by signed requests.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use config::{Auth, SigV4};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Request, StatusCode};
use serde_json::Value;

use crate::authorization::{Authorization, AuthorizationError};
use crate::http::{BadUrl, Endpoint, HttpClient, HttpError};

/// How much of what a service says is told.
pub(crate) const TOLD_CHARS: usize = 300;

/// A service in one region, asked by one account.
#[derive(Debug)]
pub(crate) struct AwsService {
    /// What requests are signed for, and the beginning of its host's name.
    name: &'static str,
    /// Another server than AWS' own.
    endpoint: Option<String>,
    signer: Authorization,
    client: HttpClient,
}

/// One POST to a service.
#[derive(Debug)]
pub(crate) struct AwsRequest {
    pub(crate) content_type: &'static str,
    /// Which operation is meant, where the body does not say it: `X-Amz-Target`.
    pub(crate) target: Option<&'static str>,
    pub(crate) body: Vec<u8>,
    /// The answer has no more.
    pub(crate) bytes_max: usize,
    /// It takes no longer.
    pub(crate) timeout: Duration,
}

/// Why a service was not asked, or gave no answer at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AwsError {
    /// It cannot say who asks.
    #[error(transparent)]
    Authorization(#[from] AuthorizationError),
    /// The endpoint is none.
    #[error(transparent)]
    Url(#[from] BadUrl),
    /// There is no answer, or none that can be read.
    #[error(transparent)]
    Http(#[from] HttpError),
}

impl AwsService {
    /// A service in the region of `account`, or that of the environment. `endpoint` is another server than AWS' own.
    pub(crate) fn new(
        name: &'static str,
        account: SigV4,
        endpoint: Option<String>,
        client: HttpClient,
    ) -> Self {
        let signer = Authorization::new(Auth::SigV4(account), Path::new("/"));
        Self { name, endpoint, signer: signer.signing(name, ""), client }
    }

    /// The region that is asked.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) async fn region(&self) -> Result<String, AwsError> {
        Ok(self.signer.region().await?.unwrap_or_default())
    }

    /// Asks, and gives status and answer, whatever they say.
    ///
    /// # Errors
    /// If it cannot be asked, or does not answer.
    pub(crate) async fn ask(&self, asked: AwsRequest) -> Result<(StatusCode, Bytes), AwsError> {
        let url = self.url().await?;
        let endpoint = Endpoint::exactly(&url)?;
        let mut signed = vec![("content-type", asked.content_type)];
        signed.extend(asked.target.map(|target| ("x-amz-target", target)));
        let mut headers = self.signer.headers_signing(&url, &signed, &asked.body).await?;
        headers.push((CONTENT_TYPE, HeaderValue::from_static(asked.content_type)));
        if let Some(target) = asked.target {
            headers.push((HeaderName::from_static("x-amz-target"), HeaderValue::from_static(target)));
        }
        let request = Request::builder().method("POST");
        let answer = self.client.ask(&endpoint, request, headers, asked.body.into(), asked.bytes_max);
        let answer = tokio::time::timeout(asked.timeout, answer).await;
        let answer = answer.map_err(|_| HttpError::Timeout(asked.timeout))??;
        Ok((answer.status(), answer.into_body()))
    }

    async fn url(&self) -> Result<String, AwsError> {
        let given = match &self.endpoint {
            Some(given) => Some(given.clone()),
            None => self.signer.endpoint().await?,
        };
        Ok(match given {
            Some(url) if url.contains("://") => format!("{}/", url.trim_end_matches('/')),
            Some(host) => format!("https://{}/", host.trim_end_matches('/')),
            None => host(self.name, &self.region().await?),
        })
    }
}

fn host(service: &str, region: &str) -> String {
    let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("https://{service}.{region}.amazonaws.com{suffix}/")
}

/// The kind of an error, and what is said of it, where a service answers with JSON.
pub(crate) fn refusal_in_json(answer: &Value) -> String {
    let kind = answer["__type"].as_str().unwrap_or("no reason");
    let kind = kind.rsplit('#').next().unwrap_or(kind);
    let message = answer["message"].as_str().or_else(|| answer["Message"].as_str()).unwrap_or("");
    let reason = if message.is_empty() { kind.to_owned() } else { format!("{kind}: {message}") };
    reason.chars().take(TOLD_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_is_asked() {
        assert_eq!(host("ssm", "eu-west-1"), "https://ssm.eu-west-1.amazonaws.com/");
        assert_eq!(host("ssm", "cn-north-1"), "https://ssm.cn-north-1.amazonaws.com.cn/");
    }

    #[test]
    fn what_a_service_says_is_told() {
        let check = |answer: Value, expect: &str| assert_eq!(refusal_in_json(&answer), expect);
        check(json!({"__type": "ParameterNotFound"}), "ParameterNotFound");
        let denied =
            json!({"__type": "com.amazon.coral.service#AccessDeniedException", "Message": "not authorized"});
        check(denied, "AccessDeniedException: not authorized");
        check(Value::Null, "no reason");
    }
}
