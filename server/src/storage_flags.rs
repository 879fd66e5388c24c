//! Where the commands that look at stored data, or change it, find it.

use std::path::Path;

use anyhow::{Context, bail};
use clap::Args;
use edge::Storage;
use store::Tenant;

#[derive(Args, Debug)]
pub(crate) struct StorageFlags {
    /// Where data is kept: a folder, or s3://BUCKET/PREFIX
    #[arg(long, value_name = "URL", default_value = "./mayfly-data")]
    storage: String,

    /// Address of an S3 server other than AWS; credentials are found the AWS way
    #[arg(long = "s3.endpoint", value_name = "URL")]
    s3_endpoint: Option<String>,
}

/// A tenant's name as a flag has it.
pub(crate) fn tenant(name: &str) -> Result<Tenant, String> {
    Tenant::new(name).map_err(|error| error.to_string())
}

impl StorageFlags {
    /// As if these were the flags.
    pub(crate) fn of(url: &str, s3_endpoint: Option<&str>) -> Self {
        Self { storage: url.to_owned(), s3_endpoint: s3_endpoint.map(str::to_owned) }
    }

    /// What errors name.
    pub(crate) fn told(&self) -> String {
        format!("--storage {}", self.storage)
    }

    pub(crate) fn s3_endpoint(&self) -> Option<&str> {
        self.s3_endpoint.as_deref()
    }

    /// Opens it, if it is there: a folder that is not would be a mistake in its name.
    pub(crate) async fn open(&self) -> anyhow::Result<Storage> {
        let is_folder = !self.storage.contains("://") && self.storage != "memory:";
        if is_folder && !Path::new(&self.storage).is_dir() {
            bail!("{}: there is no such folder", self.told());
        }
        Storage::open(&self.storage, self.s3_endpoint()).await.with_context(|| self.told())
    }

    /// Opens it for a tenant of whom something is stored there, or else for the default one.
    pub(crate) async fn open_for(&self, tenant: Option<&Tenant>) -> anyhow::Result<Storage> {
        let storage = self.open().await?;
        let Some(tenant) = tenant else { return Ok(storage) };
        if !storage.tenants().await.with_context(|| self.told())?.contains(tenant) {
            bail!("{}: nothing is stored there for the tenant {tenant}", self.told());
        }
        Ok(storage.of_tenant(tenant.clone()))
    }
}
