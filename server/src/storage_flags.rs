//! Where the commands that look at stored data, or change it, find it.

use std::path::Path;

use anyhow::{Context, bail};
use clap::Args;
use edge::Storage;

#[derive(Args, Debug)]
pub(crate) struct StorageFlags {
    /// Where data is kept: a folder, or s3://BUCKET/PREFIX
    #[arg(long, value_name = "URL", default_value = "./mayfly-data")]
    storage: String,

    /// Address of an S3 server other than AWS; credentials are found the AWS way
    #[arg(long = "s3.endpoint", value_name = "URL")]
    s3_endpoint: Option<String>,
}

impl StorageFlags {
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
}
