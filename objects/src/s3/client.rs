//! The SDK's client: how it connects, how long it waits, how often it tries.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::SharedHttpClient;
use aws_sdk_s3::config::interceptors::InterceptorContext;
use aws_sdk_s3::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

use super::{Retries, S3Settings};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long one try may take up to the head of the answer; bodies that stall are cut off by the SDK.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a request may take with all its tries.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);
/// How often a request is tried.
const ATTEMPTS_MAX: u32 = 5;
/// Longest pause before the second try; it doubles, and its length is random below that.
const FIRST_PAUSE_MAX: Duration = Duration::from_millis(100);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(3);

/// Reads the environment and builds the client. Nothing is sent to the bucket.
pub(super) async fn connect(settings: &S3Settings, counted: &Retries) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(REQUEST_TIMEOUT)
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS_MAX)
        .with_initial_backoff(FIRST_PAUSE_MAX)
        .with_max_backoff(PAUSE_MAX);
    let config = settings.account.find(settings).await;
    let path_style = settings.path_style.unwrap_or(config.endpoint_url().is_some());
    Client::from_conf(
        Builder::from(&config)
            .http_client(http())
            .timeout_config(timeouts)
            .retry_config(retries)
            // Other servers refuse the checksums that AWS adds unasked; the signature covers the body.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .force_path_style(path_style)
            .retry_classifier(ConflictIsTransient)
            .interceptor(counted.clone())
            .build(),
    )
}

/// What requests to AWS go through.
pub fn http() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

/// S3 answers 409 when two conditional puts meet, and asks for another try.
#[derive(Debug)]
struct ConflictIsTransient;

impl ClassifyRetry for ConflictIsTransient {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response() {
            Some(response) if response.status().as_u16() == super::error::CONFLICT => {
                RetryAction::transient_error()
            }
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "ConflictIsTransient"
    }
}
