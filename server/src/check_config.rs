//! `mayfly check config FILE...`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use config::Config;

use crate::check_rules::{How, Verdict, check_files, complain, say};

#[derive(Args, Debug)]
pub(crate) struct CheckConfig {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Look at the configuration alone, not at the rule files that it names
    #[arg(long)]
    syntax_only: bool,

    #[command(flatten)]
    how: How,
}

/// Checks the files and the rule files that they name, with the output of promtool.
pub(crate) fn run(flags: &CheckConfig) -> anyhow::Result<ExitCode> {
    let mut verdict = Verdict::default();
    for file in &flags.files {
        let path = file.display().to_string();
        say(&format!("Checking {path}"))?;
        let text = std::fs::read_to_string(file).with_context(|| path.clone())?;
        let found = check(file, &path, &text, flags.syntax_only);
        match found {
            Err(told) => {
                verdict.mistaken();
                complain(&[told])?;
            }
            Ok(rule_files) => {
                if !rule_files.is_empty() {
                    say(&format!("  SUCCESS: {} rule files found", rule_files.len()))?;
                }
                say(&format!(" SUCCESS: {path} is valid prometheus config file syntax"))?;
                say("")?;
                check_files(&mut verdict, &rule_files, &flags.how)?;
            }
        }
    }
    Ok(verdict.code(&flags.how))
}

/// The rule files of a configuration, or what is wrong with it.
#[expect(clippy::disallowed_methods, reason = "external labels may hold variables of the environment")]
fn check(file: &Path, path: &str, text: &str, syntax_only: bool) -> Result<Vec<PathBuf>, String> {
    let config =
        Config::read(path, text, &|name| std::env::var(name).ok()).map_err(|error| error.to_string())?;
    if syntax_only {
        return Ok(Vec::new());
    }
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut found = Vec::new();
    for place in &config.rule_files {
        if place.contains("://") {
            return Err(format!("{place}: objects are not looked at here; --syntax-only checks the rest"));
        }
        let at = folder.join(place);
        let files = edge::glob::files(&at).map_err(|error| format!("{}: {error}", at.display()))?;
        if files.is_empty() && !edge::glob::is_pattern(place) {
            return Err(format!("\"{}\" does not point to an existing file", at.display()));
        }
        found.extend(files);
    }
    Ok(found)
}
