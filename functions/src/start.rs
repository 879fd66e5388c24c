//! What every function does before its first event: logs, and the storage, which is not contacted yet.

use anyhow::Context;
use edge::Storage;
use tracing_subscriber::filter::LevelFilter;

use crate::environment::Environment;

/// Logs as JSON lines, which CloudWatch takes apart.
pub fn log() {
    tracing_subscriber::fmt().json().with_max_level(LevelFilter::INFO).with_writer(std::io::stderr).init();
}

/// Where the storage is, by `MAYFLY_STORAGE` and `MAYFLY_S3_ENDPOINT`.
pub fn storage_variables(environment: &mut Environment) -> (String, Option<String>) {
    let url = environment.required("MAYFLY_STORAGE", "s3://BUCKET/PREFIX");
    (url, environment.text("MAYFLY_S3_ENDPOINT"))
}

/// Opens the storage.
///
/// # Errors
/// If the URL is none.
pub async fn storage((url, endpoint): &(String, Option<String>)) -> anyhow::Result<Storage> {
    Storage::open(url, endpoint.as_deref()).await.with_context(|| format!("MAYFLY_STORAGE {url}"))
}
