//! `mayfly test rules FILE...`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use alert::{RULE_FILE_BYTES_MAX, RuleFileOptions};
use anyhow::{Context, bail};
use clap::Args;
use edge::SystemClock;
use model::Clock;
use regex::Regex;
use ruletest::{RuleText, TestFile, TestOptions};

use crate::check_rules::{complain, say};
use crate::junit::{self, Suite};
use crate::query_flags::{features, switch_on};

#[derive(Args, Debug)]
pub(crate) struct TestRules {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Run only tests whose names match this regular expression; may be given several times
    #[arg(long, value_name = "REGEX")]
    run: Vec<Regex>,

    /// Take fields of rule files that do not exist, which `mayfly serve` does not
    #[arg(long)]
    ignore_unknown_fields: bool,

    /// Experimental parts of PromQL to switch on; may be given several times, or as a list with commas
    #[arg(long = "enable-feature", value_name = "NAME", value_delimiter = ',', value_parser = features())]
    features: Vec<String>,

    /// Write the results to this file too, as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// Runs the files, with the output of promtool: what is well on standard output, what is not on standard error.
pub(crate) fn run(flags: &TestRules) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut suites = Vec::new();
    for file in &flags.files {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let suite = runtime.block_on(suite(file, &text, flags))?;
        let wrong: Vec<&String> =
            suite.aborted.iter().chain(suite.cases.iter().flat_map(|(_, w)| w)).collect();
        if wrong.is_empty() {
            say("  SUCCESS")?;
        } else {
            complain(&wrong.iter().map(ToString::to_string).collect::<Vec<_>>())?;
            wrong.iter().try_for_each(|_| say(""))?;
        }
        say("")?;
        suites.push(suite);
    }
    if let Some(path) = &flags.junit {
        std::fs::write(path, junit::document(&suites))
            .with_context(|| format!("--junit {}", path.display()))?;
    }
    let failed =
        suites.iter().any(|suite| suite.aborted.is_some() || suite.cases.iter().any(|(_, w)| !w.is_empty()));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn suite(path: &Path, text: &str, flags: &TestRules) -> anyhow::Result<Suite> {
    let now = chrono::DateTime::from_timestamp_millis(SystemClock.now_ms()).unwrap_or_default();
    let timestamp = now.format("%Y-%m-%dT%H:%M:%S").to_string();
    let mut suite = Suite { name: path.display().to_string(), timestamp, cases: Vec::new(), aborted: None };
    let file = match TestFile::parse(text) {
        Ok(file) => file,
        Err(error) => {
            suite.aborted = Some(error.to_string());
            return Ok(suite);
        }
    };
    let rules = rule_files(path.parent().unwrap_or(Path::new("")), &file.rule_files)?;
    let mut settings = query::Settings::default();
    switch_on(&flags.features, &mut settings);
    let selected = |name: &str| flags.run.is_empty() || flags.run.iter().any(|regex| regex.is_match(name));
    let options = TestOptions {
        query: settings,
        rules: RuleFileOptions {
            ignore_unknown_fields: flags.ignore_unknown_fields,
            ..RuleFileOptions::default()
        },
        selected: &selected,
        clock: Arc::new(SystemClock),
    };
    suite.cases = ruletest::run(&file, &rules, &options).await;
    Ok(suite)
}

/// The rule files that a test file names, beside which they lie.
fn rule_files(folder: &Path, patterns: &[String]) -> anyhow::Result<Vec<RuleText>> {
    let mut files = Vec::new();
    for pattern in patterns {
        let pattern = folder.join(pattern);
        let found = edge::glob::files(&pattern).with_context(|| pattern.display().to_string())?;
        if found.is_empty() {
            #[expect(clippy::print_stderr, reason = "where promtool warns too")]
            {
                eprintln!("  WARNING: no file match pattern {}", pattern.display());
            }
        }
        for path in found {
            let name = path.display().to_string();
            let size = std::fs::metadata(&path).with_context(|| name.clone())?.len();
            if size > RULE_FILE_BYTES_MAX as u64 {
                bail!("{name} has {size} bytes: a rule file may have {RULE_FILE_BYTES_MAX}");
            }
            let text = std::fs::read_to_string(&path).with_context(|| name.clone())?;
            files.push(RuleText { path: name, text });
        }
    }
    Ok(files)
}
