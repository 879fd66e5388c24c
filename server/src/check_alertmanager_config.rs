//! `mayfly check alertmanager-config FILE...`

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use courier::{Book, BookError};
use edge::glob;
use notify::Config;

use crate::check_rules::say;

#[derive(Args, Debug)]
pub(crate) struct CheckAlertmanagerConfig {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Checks the files with the output of amtool, and says what Mayfly does not do of what they ask for.
pub(crate) fn run(flags: &CheckAlertmanagerConfig) -> anyhow::Result<ExitCode> {
    let mut wrong = 0;
    for file in &flags.files {
        let shown = file.display();
        match check(file) {
            Ok((config, unsupported)) => {
                say(&format!("Checking '{shown}'  SUCCESS\n{}", found(&config, &unsupported)))?;
            }
            Err(reason) => {
                wrong += 1;
                say(&format!("Checking '{shown}'  FAILED: {reason}\n"))?;
            }
        }
    }
    if wrong == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(std::io::stderr().lock(), "mayfly: error: failed to validate {wrong} file(s)")?;
    Ok(ExitCode::FAILURE)
}

/// What a file says, and what of it is not supported. Secrets are not looked for, and certificates not either: they may be elsewhere.
fn check(file: &Path) -> Result<(Config, Vec<String>), String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let config = Config::read(&text).map_err(|mistake| mistake.to_string())?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut templates = Vec::new();
    // those of a bucket are not looked at
    for place in config.templates.iter().filter(|place| !place.contains("://")) {
        let pattern = folder.join(place);
        let told = |error| format!("{}: {error}", pattern.display());
        for path in glob::files(&pattern).map_err(told)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let text =
                std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            templates.push((name, text));
        }
    }
    match Book::read(&text, &templates, &BTreeMap::new(), folder, "", 0) {
        Ok(_) | Err(BookError::Certificates(_)) => Ok((config, Vec::new())),
        Err(BookError::Unsupported(unsupported)) => Ok((config, unsupported)),
        Err(error) => Err(error.to_string()),
    }
}

fn found(config: &Config, unsupported: &[String]) -> String {
    let (rules, receivers) = (config.inhibit_rules.len(), config.receivers.len());
    let templates = config.templates.len();
    let mut lines = format!(
        "Found:\n - global config\n - route\n - {rules} inhibit rules\n - {receivers} receivers\n - {templates} templates\n"
    );
    for what in unsupported {
        lines.push_str(&format!(" - valid, but not supported: {what}\n"));
    }
    for warning in &config.warnings {
        lines.push_str(&format!(" - {warning}\n"));
    }
    lines
}
