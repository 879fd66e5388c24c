//! How targets are asked, and where goes what they answer.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use config::HttpClientConfig;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::LengthLimitError;
use ingest::Receiver;
use scrape::{Answered, Asked, Fetch, Sink};
use wire::encoding::{Encoding, EncodingError, inflate};
use wire::remote_write::WriteRequest;

use crate::caller::{CallError, Caller, ClientError};
use crate::http::{Endpoint, HttpError, split, without_user};
use crate::redirection::{REDIRECTIONS_MAX, redirected};
use crate::secret::Secrets;

const TOO_LARGE: &str = "body size limit exceeded";

/// Asks targets under one identity.
#[derive(Debug)]
pub struct TargetClient(Caller);

impl TargetClient {
    /// Asks as `config` says, with files relative to `folder`. Where it names the file of a secret, but for those of TLS, there may be a
    /// [reference](crate::SecretReference) to one that lies in none.
    ///
    /// # Errors
    /// If a certificate or key is none, or cannot be read; or a proxy cannot be spoken to.
    pub fn new(config: &HttpClientConfig, folder: &Path) -> Result<Self, ClientError> {
        let secrets = Secrets::with_references(folder, config.secrets());
        Caller::with_secrets(config, folder, Arc::new(secrets)).map(Self)
    }

    /// The same, on the way that redirections lead, if they are to be followed.
    ///
    /// # Errors
    /// Why there is none, as Go tells it.
    #[expect(clippy::disallowed_methods, reason = "an edge: others answer in real time")]
    pub(crate) async fn get_on(
        &self,
        url: &str,
        headers: &[(HeaderName, HeaderValue)],
        timeout: Duration,
        bytes_max: usize,
        follow_redirects: bool,
    ) -> Result<Response<Bytes>, String> {
        let until = Instant::now() + timeout;
        let mut next = url.to_owned();
        for _ in 0..=REDIRECTIONS_MAX {
            let left = until.saturating_duration_since(Instant::now());
            let answer = self.get(&next, headers, left, bytes_max).await?;
            let location = answer.headers().get(header::LOCATION);
            let location = location.filter(|_| answer.status().is_redirection() && follow_redirects);
            match location.and_then(|location| location.to_str().ok()) {
                Some(location) => next = redirected(&next, location),
                None => return Ok(answer),
            }
        }
        Err(format!("Get {:?}: stopped after {REDIRECTIONS_MAX} redirects", without_user(url)))
    }

    /// Asks for something that is small, and gives the answer whatever its status.
    ///
    /// # Errors
    /// Why there is none, as Go tells it.
    pub async fn get(
        &self,
        url: &str,
        headers: &[(HeaderName, HeaderValue)],
        timeout: Duration,
        bytes_max: usize,
    ) -> Result<Response<Bytes>, String> {
        let (base, path) = split(url).ok_or_else(|| format!("{:?} is no URL", without_user(url)))?;
        let endpoint = Endpoint::below(base, path).map_err(|error| error.to_string())?;
        self.0.answer(&endpoint, Method::GET, headers, Bytes::new(), bytes_max, timeout).await.map_err(
            |error| match &error {
                CallError::Http(HttpError::Answer(cause)) if cause.is::<LengthLimitError>() => {
                    TOO_LARGE.to_owned()
                }
                error => error.told("Get", &without_user(url)),
            },
        )
    }
}

#[async_trait]
impl Fetch for TargetClient {
    async fn fetch(&self, asked: &Asked) -> Result<Answered, String> {
        let timeout = Duration::from_millis(u64::try_from(asked.timeout_ms).unwrap_or(0));
        let headers: Vec<_> = asked
            .headers
            .iter()
            .filter_map(|(name, value)| {
                Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?))
            })
            .collect();
        let bytes_max = usize::try_from(asked.body_bytes_max).unwrap_or(usize::MAX);
        let answer = self.get_on(&asked.url, &headers, timeout, bytes_max, asked.follow_redirects).await?;
        let status = answer.status();
        if status != StatusCode::OK {
            let reason = status.canonical_reason().unwrap_or_default();
            return Err(format!("server returned HTTP status {} {reason}", status.as_u16()));
        }
        answered(answer, bytes_max)
    }
}

fn answered(answer: Response<Bytes>, bytes_max: usize) -> Result<Answered, String> {
    let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let content_type = header(header::CONTENT_TYPE);
    let encoding = match header(header::CONTENT_ENCODING).as_deref() {
        Some("gzip") => Encoding::Gzip,
        _ => Encoding::Identity,
    };
    let body = answer.into_body();
    let body = inflate(encoding, &body, bytes_max).map_err(|error| match error {
        EncodingError::TooLarge { .. } => TOO_LARGE.to_owned(),
        error => error.to_string(),
    })?;
    Ok(Answered { content_type, body: body.into_owned() })
}

/// Stores what is scraped as what is received is stored.
#[derive(Debug)]
pub struct ScrapedSamples(Arc<Receiver>);

impl ScrapedSamples {
    /// Through a receiver.
    pub fn new(receiver: Arc<Receiver>) -> Self {
        Self(receiver)
    }
}

#[async_trait]
impl Sink for ScrapedSamples {
    async fn write(&self, samples: WriteRequest) -> Result<(), String> {
        match self.0.scraped(samples).await {
            Ok(None) => Ok(()),
            Ok(Some(faults)) => Err(faults),
            Err(error) => Err(error.to_string()),
        }
    }
}
