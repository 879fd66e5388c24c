//! AWS Systems Manager and AWS Secrets Manager: one signed request each.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use config::{Auth, SigV4};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{ReferenceError, Variables};
use crate::{Authorization, Endpoint, HttpClient};

const CONTENT: &str = "application/x-amz-json-1.1";

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How much of what a service says is told.
const TOLD_CHARS: usize = 300;

/// An operation of a service.
struct Operation {
    /// What requests are signed for, and the beginning of the host's name.
    service: &'static str,
    target: &'static str,
    /// The variable that names another server.
    endpoint: &'static str,
}

const GET_PARAMETER: Operation =
    Operation { service: "ssm", target: "AmazonSSM.GetParameter", endpoint: "AWS_ENDPOINT_URL_SSM" };
const GET_SECRET: Operation = Operation {
    service: "secretsmanager",
    target: "secretsmanager.GetSecretValue",
    endpoint: "AWS_ENDPOINT_URL_SECRETS_MANAGER",
};

/// By service and region, where that is not the account's own.
type Signers = BTreeMap<(&'static str, Option<String>), Arc<Authorization>>;

/// Asks by an account. Its keys are found at the first request.
pub(super) struct Aws {
    variables: Variables,
    account: SigV4,
    client: tokio::sync::OnceCell<HttpClient>,
    signers: Mutex<Signers>,
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws").finish_non_exhaustive()
    }
}

impl Aws {
    pub(super) fn new(variables: Variables, account: SigV4) -> Self {
        Self { variables, account, client: tokio::sync::OnceCell::new(), signers: Mutex::default() }
    }

    /// The value of a parameter, decrypted.
    pub(super) async fn parameter(&self, name: &str) -> Result<String, ReferenceError> {
        let asked = json!({"Name": name, "WithDecryption": true});
        let answer = self.ask(&GET_PARAMETER, region(name), &asked).await?;
        answer["Parameter"]["Value"].as_str().map(str::to_owned).ok_or(ReferenceError::NoText)
    }

    /// The text of a secret as it is now.
    pub(super) async fn secret(&self, id: &str) -> Result<String, ReferenceError> {
        let answer = self.ask(&GET_SECRET, region(id), &json!({"SecretId": id})).await?;
        answer["SecretString"].as_str().map(str::to_owned).ok_or(ReferenceError::NoText)
    }

    async fn ask(
        &self,
        operation: &Operation,
        region: Option<&str>,
        asked: &Value,
    ) -> Result<Value, ReferenceError> {
        let signer = self.signer(operation, region);
        let url =
            match [operation.endpoint, "AWS_ENDPOINT_URL"].iter().find_map(|name| (self.variables)(name)) {
                Some(url) => format!("{}/", url.trim_end_matches('/')),
                None => host(operation.service, &signer.region().await?.unwrap_or_default()),
            };
        let body = asked.to_string().into_bytes();
        let mut headers = signer.headers(&url, &body).await?;
        headers.push((CONTENT_TYPE, HeaderValue::from_static(CONTENT)));
        headers.push((HeaderName::from_static("x-amz-target"), HeaderValue::from_static(operation.target)));
        let endpoint = Endpoint::exactly(&url).map_err(|error| ReferenceError::Refused {
            status: StatusCode::BAD_REQUEST,
            reason: error.to_string(),
        })?;
        let client = self.client.get_or_try_init(async || HttpClient::new()).await?;
        let (status, answer) = client.send_to(&endpoint, Method::POST, headers, body, TIMEOUT).await?;
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        if status.is_success() {
            return Ok(answer);
        }
        Err(ReferenceError::Refused { status, reason: refusal(&answer) })
    }

    fn signer(&self, operation: &Operation, region: Option<&str>) -> Arc<Authorization> {
        let mut signers = self.signers.lock().unwrap_or_else(PoisonError::into_inner);
        let signer = signers.entry((operation.service, region.map(str::to_owned))).or_insert_with(|| {
            let mut account = self.account.clone();
            account.region = region.map(str::to_owned).or(account.region);
            let signer = Authorization::new(Auth::SigV4(account), Path::new("/"));
            Arc::new(signer.signing(operation.service, CONTENT).for_target(operation.target))
        });
        Arc::clone(signer)
    }
}

/// The region that an ARN names.
fn region(id: &str) -> Option<&str> {
    let mut parts = id.strip_prefix("arn:")?.split(':');
    parts.nth(2).filter(|region| !region.is_empty())
}

fn host(service: &str, region: &str) -> String {
    let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("https://{service}.{region}.amazonaws.com{suffix}/")
}

/// The kind of an error, and what is said of it.
fn refusal(answer: &Value) -> String {
    let kind = answer["__type"].as_str().unwrap_or("no reason");
    let kind = kind.rsplit('#').next().unwrap_or(kind);
    let message = answer["message"].as_str().or_else(|| answer["Message"].as_str()).unwrap_or("");
    let reason = if message.is_empty() { kind.to_owned() } else { format!("{kind}: {message}") };
    reason.chars().take(TOLD_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_asked() {
        let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:pager-AbCdEf";
        assert_eq!(region(arn), Some("eu-central-1"));
        assert_eq!((region("/mayfly/slack"), region("arn:aws:ssm::1:parameter/x")), (None, None));
        assert_eq!(host("ssm", "eu-west-1"), "https://ssm.eu-west-1.amazonaws.com/");
        assert_eq!(host("ssm", "cn-north-1"), "https://ssm.cn-north-1.amazonaws.com.cn/");
    }

    #[test]
    fn what_a_service_says_is_told() {
        let check = |answer: Value, expect: &str| assert_eq!(refusal(&answer), expect);
        check(json!({"__type": "ParameterNotFound"}), "ParameterNotFound");
        let denied =
            json!({"__type": "com.amazon.coral.service#AccessDeniedException", "Message": "not authorized"});
        check(denied, "AccessDeniedException: not authorized");
        check(Value::Null, "no reason");
    }
}
