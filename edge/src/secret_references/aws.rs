//! AWS Systems Manager and AWS Secrets Manager: one signed request each.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use config::SigV4;
use http::StatusCode;
use serde_json::{Value, json};

use super::{ReferenceError, Variables};
use crate::HttpClient;
use crate::aws::{AwsError, AwsRequest, AwsService, refusal_in_json};
use crate::http::ANSWER_BYTES_MAX;

const CONTENT: &str = "application/x-amz-json-1.1";

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// An operation of a service.
struct Operation {
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
type Services = BTreeMap<(&'static str, Option<String>), Arc<AwsService>>;

/// Asks by an account. Its keys are found at the first request.
pub(super) struct Aws {
    variables: Variables,
    account: SigV4,
    client: tokio::sync::OnceCell<HttpClient>,
    services: Mutex<Services>,
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws").finish_non_exhaustive()
    }
}

impl Aws {
    pub(super) fn new(variables: Variables, account: SigV4) -> Self {
        Self { variables, account, client: tokio::sync::OnceCell::new(), services: Mutex::default() }
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
        let client = self.client.get_or_try_init(async || HttpClient::new()).await?;
        let asked = AwsRequest {
            content_type: CONTENT,
            target: Some(operation.target),
            body: asked.to_string().into_bytes(),
            bytes_max: ANSWER_BYTES_MAX,
            timeout: TIMEOUT,
        };
        let answer = self.service(operation, region, client).ask(asked).await;
        let (status, answer) = answer.map_err(|error| match error {
            AwsError::Authorization(error) => error.into(),
            AwsError::Http(error) => error.into(),
            AwsError::Url(error) => {
                ReferenceError::Refused { status: StatusCode::BAD_REQUEST, reason: error.to_string() }
            }
        })?;
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        if status.is_success() {
            return Ok(answer);
        }
        Err(ReferenceError::Refused { status, reason: refusal_in_json(&answer) })
    }

    fn service(&self, operation: &Operation, region: Option<&str>, client: &HttpClient) -> Arc<AwsService> {
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        let service = services.entry((operation.service, region.map(str::to_owned))).or_insert_with(|| {
            let mut account = self.account.clone();
            account.region = region.map(str::to_owned).or(account.region);
            let named = [operation.endpoint, "AWS_ENDPOINT_URL"];
            let endpoint = named.iter().find_map(|name| (self.variables)(name));
            Arc::new(AwsService::new(operation.service, account, endpoint, client.clone()))
        });
        Arc::clone(service)
    }
}

/// The region that an ARN names.
fn region(id: &str) -> Option<&str> {
    let mut parts = id.strip_prefix("arn:")?.split(':');
    parts.nth(2).filter(|region| !region.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_names_its_region() {
        let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:pager-AbCdEf";
        assert_eq!(region(arn), Some("eu-central-1"));
        assert_eq!((region("/mayfly/slack"), region("arn:aws:ssm::1:parameter/x")), (None, None));
    }
}
