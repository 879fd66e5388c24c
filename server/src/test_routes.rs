//! `mayfly routes test`

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use model::{Labels, MatchOp};
use notify::{Config, Matchers, RoutingTree};

use crate::check_rules::say;

#[derive(Args, Debug)]
pub(crate) struct TestRoutes {
    /// Alertmanager's configuration file
    #[arg(long = "config.file", value_name = "FILE")]
    file: PathBuf,

    /// The receivers that are expected, with commas between them and in the order of the routes
    #[arg(long = "verify.receivers", value_name = "NAMES")]
    expected: Option<String>,

    /// What the alert is labelled with
    #[arg(value_name = "NAME=VALUE")]
    labels: Vec<String>,
}

/// Tells who would be told of an alert, as `amtool config routes test` does.
pub(crate) fn run(flags: &TestRoutes) -> anyhow::Result<ExitCode> {
    let shown = flags.file.display().to_string();
    let text = std::fs::read_to_string(&flags.file).with_context(|| shown.clone())?;
    let config = Config::read(&text).context(shown)?;
    let mut pairs = Vec::new();
    for text in &flags.labels {
        let read = Matchers::read(text).with_context(|| format!("{text:?} is no NAME=VALUE"))?;
        for matcher in read.matchers.iter() {
            if matcher.op() != MatchOp::Equal {
                bail!("{text:?}: labels must be specified as NAME=VALUE");
            }
            pairs.push((matcher.name().to_owned(), matcher.value().to_owned()));
        }
    }
    let tree = RoutingTree::of(&config);
    let found = tree.matching(&Labels::from_pairs(pairs));
    let found = found.iter().map(|node| node.receiver.as_str()).collect::<Vec<_>>().join(",");
    say(&found)?;
    let is_expected =
        flags.expected.as_ref().is_none_or(|expected| expected.is_empty() || *expected == found);
    if is_expected {
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(std::io::stderr().lock(), "WARNING: Expected receivers did not match resolved receivers.")?;
    Ok(ExitCode::FAILURE)
}
