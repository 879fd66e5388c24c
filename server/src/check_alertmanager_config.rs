//! `mayfly check alertmanager-config FILE...`

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use notify::Config;

use crate::check_rules::say;

#[derive(Args, Debug)]
pub(crate) struct CheckAlertmanagerConfig {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Checks the files with the output of amtool, and says which receivers Mayfly does not mean to send to.
pub(crate) fn run(flags: &CheckAlertmanagerConfig) -> anyhow::Result<ExitCode> {
    let mut wrong = 0;
    for file in &flags.files {
        let shown = file.display();
        let read = std::fs::read_to_string(file)
            .map_err(|error| error.to_string())
            .and_then(|text| Config::read(&text).map_err(|mistake| mistake.to_string()));
        match read {
            Ok(config) => say(&format!("Checking '{shown}'  SUCCESS\n{}", found(&config)))?,
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

fn found(config: &Config) -> String {
    let (rules, receivers) = (config.inhibit_rules.len(), config.receivers.len());
    let templates = config.templates.len();
    let mut lines = format!(
        "Found:\n - global config\n - route\n - {rules} inhibit rules\n - {receivers} receivers\n - {templates} templates\n"
    );
    for (receiver, kind) in config.unsupported() {
        let receiver = model::quote::quoted(receiver);
        lines.push_str(&format!(" - receiver {receiver}: {} are valid, but not supported\n", kind.field()));
    }
    for warning in &config.warnings {
        lines.push_str(&format!(" - {warning}\n"));
    }
    lines
}
