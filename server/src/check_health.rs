//! `mayfly check healthy` and `mayfly check ready`

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use edge::{Endpoint, HttpClient, HttpError};

use crate::check_rules::say;

/// A server that takes longer is not well.
const TIMEOUT: Duration = Duration::from_secs(4);

#[derive(Args, Debug)]
pub(crate) struct CheckHealth {
    /// The server's query port
    #[arg(long, value_name = "URL", default_value = "http://localhost:9090")]
    url: String,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Question {
    Healthy,
    Ready,
}

/// Asks a server, with the codes of promtool.
pub(crate) fn run(flags: &CheckHealth, question: Question) -> anyhow::Result<ExitCode> {
    let (path, well) = match question {
        Question::Healthy => ("/-/healthy", "Healthy"),
        Question::Ready => ("/-/ready", "Ready"),
    };
    let endpoint = Endpoint::below(&flags.url, path)?;
    let client = HttpClient::new()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(client.get(&endpoint, TIMEOUT)) {
        Ok(()) => {
            say(&format!("  SUCCESS:  {} is {well}.", flags.url))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(HttpError::Status { status, text }) => {
            anyhow::bail!("check failed: URL={}, status={}: {}", flags.url, status.as_u16(), text.trim())
        }
        Err(error) => Err(error).with_context(|| endpoint.to_string()),
    }
}
