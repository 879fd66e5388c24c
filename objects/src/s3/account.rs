//! Who asks a bucket: keys, region and endpoint, and where they are found.

use std::fmt::{self, Debug, Formatter};

use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::meta::region::{ProvideRegion as _, RegionProviderChain};
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{S3Settings, client};

/// What a server of one's own is told when nobody says a region.
const DEFAULT_REGION: &str = "us-east-1";

/// Where keys and region are found. A program links only what the ways take that it names: all of the usual chain is
/// half a megabyte, and time when a function starts.
#[derive(Clone, Copy)]
pub struct Account {
    find: fn(S3Settings) -> BoxFuture<'static, SdkConfig>,
    name: &'static str,
}

impl Account {
    /// The usual chain: environment, profile, web identity, container, instance.
    pub const CHAIN: Self = Self { find: |settings| of_chain(settings).boxed(), name: "chain" };
    /// The environment alone, as a Lambda function has it.
    pub const ENVIRONMENT: Self =
        Self { find: |settings| of_environment(settings).boxed(), name: "environment" };

    pub(super) async fn find(self, settings: &S3Settings) -> SdkConfig {
        (self.find)(settings.clone()).await
    }
}

/// The usual chain.
impl Default for Account {
    fn default() -> Self {
        Self::CHAIN
    }
}

impl Debug for Account {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Account").field(&self.name).finish()
    }
}

async fn of_chain(settings: S3Settings) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(client::http());
    loader = match (&settings.region, &settings.endpoint) {
        (Some(region), _) => loader.region(Region::new(region.clone())),
        // Without asking the metadata service of an instance that this may well not be.
        (None, Some(_)) => loader.region(
            RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
                .or_else(ProfileFileRegionProvider::new())
                .or_else(Region::new(DEFAULT_REGION)),
        ),
        (None, None) => loader,
    };
    if let Some(endpoint) = &settings.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some(keys) = keys(&settings) {
        loader = loader.credentials_provider(keys);
    }
    loader.load().await
}

async fn of_environment(settings: S3Settings) -> SdkConfig {
    let mut config = SdkConfig::builder().behavior_version(BehaviorVersion::v2026_01_12());
    let region = match &settings.region {
        Some(region) => Some(Region::new(region.clone())),
        None => EnvironmentVariableRegionProvider::new().region().await,
    };
    // where there is an endpoint it says nothing but what is signed
    let default = || settings.endpoint.as_ref().map(|_| Region::from_static(DEFAULT_REGION));
    config.set_region(region.or_else(default));
    config.set_endpoint_url(settings.endpoint.clone());
    config
        .credentials_provider(match keys(&settings) {
            Some(keys) => SharedCredentialsProvider::new(keys),
            None => SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()),
        })
        .build()
}

fn keys(settings: &S3Settings) -> Option<Credentials> {
    let (id, secret) = settings.static_credentials.as_ref()?;
    Some(Credentials::new(id, secret, None, None, "settings"))
}
