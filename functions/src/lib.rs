//! What the functions share: their environment and their logs.

use anyhow::Context;
use tracing_subscriber::filter::LevelFilter;

/// A variable of the function's environment; `None` if it is not set or empty.
///
/// # Errors
/// If it is no text.
#[expect(clippy::disallowed_methods, reason = "this is the edge")]
pub fn environment(name: &str) -> anyhow::Result<Option<String>> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{name} cannot be read")),
    }
}

/// Logs as JSON lines, which CloudWatch takes apart.
pub fn log() {
    tracing_subscriber::fmt().json().with_max_level(LevelFilter::INFO).with_writer(std::io::stderr).init();
}
