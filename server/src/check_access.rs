//! `mayfly check web-config` and `mayfly check tokens`

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use access::Tokens;
use clap::Args;

use crate::check_rules::say;
use crate::serve;

#[derive(Args, Debug)]
pub(crate) struct CheckAccess {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Checks web configurations and the certificates that they name, in the words of promtool.
pub(crate) fn web_config(flags: &CheckAccess) -> anyhow::Result<ExitCode> {
    each(flags, serve::check_web_config)
}

/// Checks files of tokens, in the same words.
pub(crate) fn tokens(flags: &CheckAccess) -> anyhow::Result<ExitCode> {
    each(flags, |file| {
        let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
        let shown = file.display().to_string();
        let tokens = Tokens::read(&shown, &text, query::api::matchers).map_err(|error| error.to_string())?;
        serve::admission::check_tenants(&shown, &tokens)
    })
}

fn each(flags: &CheckAccess, check: impl Fn(&Path) -> Result<(), String>) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for file in &flags.files {
        let shown = file.display();
        match check(file) {
            Ok(()) => say(&format!("{shown} SUCCESS"))?,
            Err(reason) => {
                writeln!(std::io::stderr().lock(), "{shown} FAILED: {reason}")?;
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}
