//! What requests carry so that the receiver knows who sends.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningError, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use config::{Auth, SigV4};
use http::header::{AUTHORIZATION, HeaderName, HeaderValue, InvalidHeaderName, InvalidHeaderValue};
use model::Clock;

use crate::SystemClock;
use crate::secret::{SecretError, Secrets};
use crate::secret_references::{ReferenceError, SecretReference};

/// The name of Amazon's service whose Alertmanagers take signed requests.
const SERVICE: &str = "aps";

/// Why a request cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizationError {
    /// A file with a secret cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A secret that lies in no file is not found.
    #[error("{reference}: {source}")]
    Reference {
        /// Where it should be.
        reference: SecretReference,
        /// Why.
        source: Box<ReferenceError>,
    },
    /// A secret with characters that no header may have.
    #[error("the credentials cannot stand in a header: {0}")]
    Value(#[from] InvalidHeaderValue),
    /// A header of a signature that is none.
    #[error(transparent)]
    Name(#[from] InvalidHeaderName),
    /// No region was given, and none is found the AWS way.
    #[error("sigv4 needs a region: in the configuration, or as AWS_REGION")]
    NoRegion,
    /// No keys were given, and none are found the AWS way.
    #[error("no credentials of AWS: {0}")]
    Credentials(#[source] CredentialsError),
    /// No way to look for keys.
    #[error("no credentials of AWS are set up")]
    NoCredentials,
    /// The request cannot be signed.
    #[error("signing failed: {0}")]
    Signing(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<SigningError> for AuthorizationError {
    fn from(error: SigningError) -> Self {
        Self::Signing(error.into())
    }
}

/// Makes the headers of requests. Secrets in files are read for every request, so they may change.
#[derive(Debug)]
pub struct Authorization {
    auth: Auth,
    secrets: Arc<Secrets>,
    /// The service of Amazon's that signatures are for.
    service: &'static str,
    /// The type of what is sent, which is signed too.
    content_type: &'static str,
    /// For signatures: found at the first request, then kept, since the SDK renews keys by itself.
    signer: tokio::sync::OnceCell<Signer>,
}

#[derive(Debug)]
struct Signer {
    region: String,
    /// The server that the environment names for all services of AWS.
    endpoint: Option<String>,
    credentials: SharedCredentialsProvider,
}

type Headers = Vec<(HeaderName, HeaderValue)>;

impl Authorization {
    /// Files are relative to `folder`.
    pub fn new(auth: Auth, folder: &Path) -> Self {
        let signer = tokio::sync::OnceCell::new();
        let secrets = Arc::new(Secrets::in_files(folder));
        Self { auth, secrets, service: SERVICE, content_type: "application/json", signer }
    }

    /// The same, where secrets may be elsewhere than in files.
    #[must_use]
    pub(crate) fn with_secrets(self, secrets: Arc<Secrets>) -> Self {
        Self { secrets, ..self }
    }

    /// Signs for another service than the one with Alertmanagers, and bodies of another type than JSON.
    #[must_use]
    pub fn signing(self, service: &'static str, content_type: &'static str) -> Self {
        Self { service, content_type, ..self }
    }

    /// The region that requests are signed for, if they are signed.
    ///
    /// # Errors
    /// If there is none.
    pub async fn region(&self) -> Result<Option<String>, AuthorizationError> {
        let Auth::SigV4(settings) = &self.auth else { return Ok(None) };
        let signer = self.signer.get_or_try_init(|| self.find(settings)).await?;
        Ok(Some(signer.region.clone()))
    }

    /// The server that the environment, or a profile, names in the place of AWS' own: `AWS_ENDPOINT_URL`.
    pub(crate) async fn endpoint(&self) -> Result<Option<String>, AuthorizationError> {
        let Auth::SigV4(settings) = &self.auth else { return Ok(None) };
        let signer = self.signer.get_or_try_init(|| self.find(settings)).await?;
        Ok(signer.endpoint.clone())
    }

    /// What a POST of `body` to `url` carries.
    ///
    /// # Errors
    /// If a secret cannot be read, or the request cannot be signed.
    pub async fn headers(&self, url: &str, body: &[u8]) -> Result<Headers, AuthorizationError> {
        self.headers_signing(url, &[("content-type", self.content_type)], body).await
    }

    /// The same, where a signature is of these headers besides host, time and body.
    pub(crate) async fn headers_signing(
        &self,
        url: &str,
        signed: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Headers, AuthorizationError> {
        let value = match &self.auth {
            Auth::None => return Ok(Vec::new()),
            Auth::Basic { username, password } => {
                let user = self.secrets.text(username).await?;
                let password = self.secrets.text(password).await?;
                format!("Basic {}", BASE64.encode(format!("{user}:{password}")))
            }
            Auth::Authorization { r#type, credentials } => {
                format!("{type} {}", self.secrets.text(credentials).await?)
            }
            Auth::SigV4(settings) => return self.signature(settings, url, signed, body).await,
        };
        let mut value: HeaderValue = value.parse()?;
        value.set_sensitive(true);
        Ok(vec![(AUTHORIZATION, value)])
    }

    async fn signature(
        &self,
        settings: &SigV4,
        url: &str,
        signed: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Headers, AuthorizationError> {
        let signer = self.signer.get_or_try_init(|| self.find(settings)).await?;
        let keys = signer.credentials.provide_credentials().await;
        let identity = keys.map_err(AuthorizationError::Credentials)?.into();
        let now = Duration::from_millis(u64::try_from(SystemClock.now_ms()).unwrap_or(0));
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&signer.region)
            .name(self.service)
            .time(UNIX_EPOCH + now)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| AuthorizationError::Signing(error.into()))?;
        let request = SignableRequest::new("POST", url, signed.iter().copied(), SignableBody::Bytes(body))?;
        let (instructions, _) = sign(request, &params.into())?.into_parts();
        let (headers, _) = instructions.into_parts();
        headers
            .into_iter()
            .map(|header| {
                let mut value = HeaderValue::from_str(header.value())?;
                value.set_sensitive(header.sensitive());
                Ok((HeaderName::from_bytes(header.name().as_bytes())?, value))
            })
            .collect()
    }

    async fn find(&self, settings: &SigV4) -> Result<Signer, AuthorizationError> {
        let mut loader =
            aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(objects::aws_http());
        if let Some(region) = &settings.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &settings.profile {
            loader = loader.profile_name(profile);
        }
        if let Some((access, secret)) = &settings.keys {
            let secret = self.secrets.text(secret).await?;
            loader =
                loader.credentials_provider(Credentials::new(access, secret, None, None, "configuration"));
        }
        let found = loader.load().await;
        let region = found.region().ok_or(AuthorizationError::NoRegion)?.to_string();
        let mut credentials = found.credentials_provider().ok_or(AuthorizationError::NoCredentials)?;
        if let Some(role) = &settings.role_arn {
            let mut assumed =
                aws_config::sts::AssumeRoleProvider::builder(role).session_name("mayfly").configure(&found);
            if let Some(id) = &settings.external_id {
                assumed = assumed.external_id(id);
            }
            credentials = SharedCredentialsProvider::new(assumed.build_from_provider(credentials).await);
        }
        Ok(Signer { region, endpoint: found.endpoint_url().map(str::to_owned), credentials })
    }
}

#[cfg(test)]
mod tests {
    use config::Secret;

    use super::*;

    async fn headers(auth: Auth, folder: &Path) -> Result<Vec<(String, String)>, String> {
        let made = Authorization::new(auth, folder).headers("http://am:9093/api/v2/alerts", b"[]").await;
        let shown = |(name, value): &(HeaderName, HeaderValue)| {
            (name.to_string(), value.to_str().expect("is text").to_owned())
        };
        made.map(|headers| headers.iter().map(shown).collect()).map_err(|error| error.to_string())
    }

    fn inline(text: &str) -> Secret {
        Secret::Inline(text.to_owned())
    }

    #[tokio::test]
    async fn who_sends_stands_in_a_header() {
        let folder = tempfile::tempdir().expect("a folder");
        let one = |value: &str| Ok(vec![("authorization".to_owned(), value.to_owned())]);
        assert_eq!(headers(Auth::None, folder.path()).await, Ok(Vec::new()));
        let basic = Auth::Basic { username: inline("me"), password: inline("p@ss") };
        assert_eq!(headers(basic, folder.path()).await, one("Basic bWU6cEBzcw=="));
        let in_file = || Auth::Authorization {
            r#type: "Bearer".to_owned(),
            credentials: Secret::File("token".to_owned()),
        };
        let told = headers(in_file(), folder.path()).await.expect_err("there is no file");
        assert!(told.contains("token: No such file"), "{told}");
        std::fs::write(folder.path().join("token"), "t0ken\n").expect("written");
        assert_eq!(headers(in_file(), folder.path()).await, one("Bearer t0ken"));
        let broken = Auth::Authorization { r#type: "Bearer".to_owned(), credentials: inline("a\nb") };
        assert!(headers(broken, folder.path()).await.expect_err("no header").contains("header"));
    }

    #[tokio::test]
    async fn a_request_is_signed_with_keys_of_aws() {
        let keys = SigV4 {
            region: Some("eu-west-1".to_owned()),
            keys: Some(("AKID".to_owned(), inline("secret"))),
            ..SigV4::default()
        };
        let signed = headers(Auth::SigV4(keys), Path::new("/")).await.expect("signed");
        let get = |name: &str| signed.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value);
        let (authorization, date) = (get("authorization"), get("x-amz-date"));
        let scope = format!("Credential=AKID/{}/eu-west-1/aps/aws4_request", &date[..8]);
        assert!(
            authorization.starts_with("AWS4-HMAC-SHA256 ") && authorization.contains(&scope),
            "{authorization}"
        );
        assert!(authorization.contains("SignedHeaders=content-type;host;x-amz-date"), "{authorization}");
    }
}
