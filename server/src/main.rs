//! The `mayfly` binary: every role in one process, and the command line.

mod cli;
mod log;
mod serve;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::cli::{Cli, Command};

/// The error and its causes, each once, although some quote their cause in their own text.
fn one_line(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        if !text.contains(&cause) {
            let separator = if text.is_empty() { "" } else { ": " };
            text = text + separator + &cause;
        }
    }
    text
}

fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let values = cli::values(&matches);
    let Command::Serve(flags) = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()).command;
    log::start(flags.log_level, flags.log_format);
    let ended = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(serve::run(*flags, values)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the one clear line for whoever started it")]
            {
                eprintln!("mayfly: {}", one_line(&error));
            }
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_and_says_nothing_twice() {
        let error = anyhow::anyhow!("no key:\n  none set")
            .context("cannot put: no key: none set")
            .context("--storage s3://b");
        assert_eq!(one_line(&error), "--storage s3://b: cannot put: no key: none set");
    }
}
