//! What every function does before its first event: logs, and the storage, which is not contacted yet.

use std::path::Path;

use anyhow::Context;
use edge::{Account, Storage};
use tracing_subscriber::filter::LevelFilter;

use crate::environment::Environment;

/// Logs as JSON lines, which CloudWatch takes apart.
pub fn log() {
    tracing_subscriber::fmt().json().with_max_level(LevelFilter::INFO).with_writer(std::io::stderr).init();
}

/// What a function works with; where there is none, the process ends after one line that says why.
pub fn started<T>(started: anyhow::Result<T>) -> T {
    started.unwrap_or_else(|error| {
        tracing::error!("{error:#}");
        std::process::exit(1)
    })
}

/// Where the storage is, by `MAYFLY_STORAGE` and `MAYFLY_S3_ENDPOINT`, or else what tools of AWS take for the endpoint.
pub fn storage_variables(environment: &mut Environment) -> (String, Option<String>) {
    let url = environment.required("MAYFLY_STORAGE", "s3://BUCKET/PREFIX");
    let endpoints = ["MAYFLY_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
    (url, endpoints.into_iter().find_map(|name| environment.text(name)))
}

/// Opens the storage, with the keys that Lambda puts into the environment.
///
/// # Errors
/// If the URL is none.
pub async fn storage((url, endpoint): &(String, Option<String>)) -> anyhow::Result<Storage> {
    Storage::open_as(url, endpoint.as_deref(), Account::ENVIRONMENT)
        .await
        .with_context(|| format!("MAYFLY_STORAGE {url}"))
}

/// A path below the function's folder, unless it is one of its own or an object.
pub fn absolute(folder: &str, place: &str) -> String {
    match place.starts_with("s3://") {
        true => place.to_owned(),
        false => Path::new(folder).join(place).display().to_string(),
    }
}
