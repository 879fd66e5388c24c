//! Targets that AWS knows.

use std::path::Path;
use std::time::Duration;

use config::{AwsDiscovery, AwsRole, Ec2Filter};
use http::StatusCode;
use model::{Labels, LabelsBuilder};

use super::ec2::Ec2;
use super::ecs::Ecs;
use crate::aws::{AwsError, AwsService};
use crate::caller::whole;
use crate::http::HttpClient;
use crate::tls::TlsError;

/// A list that does not end has an end all the same.
pub(super) const PAGES_MAX: usize = 1_000;
/// How long one answer may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);

/// Why AWS does not say what the targets are.
#[derive(Debug, thiserror::Error)]
pub(super) enum AwsTargetsError {
    /// It is not asked, or does not answer.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// An answer that says no.
    #[error("{action}: answered {status}: {reason}")]
    Refused {
        /// What was asked for.
        action: &'static str,
        /// The status.
        status: StatusCode,
        /// The kind of error and what is said of it.
        reason: String,
    },
    /// An answer that is none.
    #[error("{action}: the answer cannot be read: {source}")]
    Xml {
        /// What was asked for.
        action: &'static str,
        /// Why.
        source: quick_xml::DeError,
    },
    /// The same, where it should be JSON.
    #[error("{action}: the answer cannot be read: {source}")]
    Json {
        /// What was asked for.
        action: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// A list without an end.
    #[error("{action}: more than {PAGES_MAX} pages")]
    Endless {
        /// What was asked for.
        action: &'static str,
    },
}

/// Asks AWS for targets.
#[derive(Debug)]
pub(super) struct Aws {
    port: u16,
    refresh_ms: i64,
    asked: Asked,
}

#[derive(Debug)]
enum Asked {
    Ec2(Box<Ec2>, Vec<Ec2Filter>),
    Ecs(Box<Ecs>, Vec<String>),
}

impl Aws {
    /// Asks through a client that [`client`] has made for it.
    pub(super) fn new(config: &AwsDiscovery, client: &HttpClient) -> Self {
        let service = |name, endpoint: Option<&String>| {
            AwsService::new(name, config.account.clone(), endpoint.cloned(), client.clone())
        };
        let endpoint = config.endpoint.as_ref();
        let asked = match &config.role {
            AwsRole::Ec2 { filters } => {
                Asked::Ec2(Box::new(Ec2::new(service("ec2", endpoint))), filters.clone())
            }
            AwsRole::Ecs { clusters, requests_at_once } => {
                // as in Prometheus, the endpoint is that of ECS alone
                let ec2 = Ec2::new(service("ec2", None));
                let ecs = Ecs::new(service("ecs", endpoint), ec2, *requests_at_once);
                Asked::Ecs(Box::new(ecs), clusters.clone())
            }
        };
        Self { port: config.port, refresh_ms: config.refresh_ms, asked }
    }

    /// The targets; `None` if nothing can be said of them, which is logged.
    pub(super) async fn look(&mut self) -> Option<Vec<Labels>> {
        let (role, found) = match &mut self.asked {
            Asked::Ec2(ec2, filters) => ("ec2", ec2.targets(filters, self.port).await),
            Asked::Ecs(ecs, clusters) => ("ecs", Box::pin(ecs.targets(clusters, self.port)).await),
        };
        match found {
            Ok(targets) => Some(targets),
            Err(error) => {
                let error = whole(&error);
                tracing::error!(role, error, "AWS cannot be asked for targets: those that were known stay");
                None
            }
        }
    }

    /// How long what was found is good for.
    pub(super) fn refresh(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.refresh_ms).unwrap_or(u64::MAX))
    }
}

/// A client that trusts what a configuration says, with files relative to `folder`.
///
/// # Errors
/// If a certificate or key is none, or cannot be read.
pub(super) fn client(config: &AwsDiscovery, folder: &Path) -> Result<HttpClient, TlsError> {
    HttpClient::with_tls(&config.tls, folder)
}

/// Host and port as `__address__` has them.
pub(super) fn address_of(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Labels for tags, whose names have `_` for what names of labels had not before all of UTF-8 was allowed there.
pub(super) fn set_tags<'a>(
    labels: &mut LabelsBuilder,
    prefix: &str,
    tags: impl Iterator<Item = (&'a str, &'a str)>,
) {
    for (key, value) in tags {
        let key: String = key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        labels.set(format!("{prefix}{key}"), value);
    }
}
