//! The `mayfly` binary: every role in one process, and the command line.

mod cli;
mod log;
mod serve;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let Command::Serve(flags) = Cli::parse().command;
    log::start(flags.log_level, flags.log_format);
    let ended = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(serve::run(*flags)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the one clear line for whoever started it")]
            {
                eprintln!("mayfly: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
