//! `mayfly check rules [FILE...]`

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use alert::{InstantQuery, QueryError, QueryValue, RuleFileError, RuleFileOptions, Rules};
use anyhow::Context;
use async_trait::async_trait;
use clap::{Args, ValueEnum};
use query::syntax;

use crate::query_flags::{features, switch_on};

/// Only lint was found, and `--lint-fatal` was given.
const LINT: u8 = 3;

#[derive(Args, Debug)]
pub(crate) struct CheckRules {
    /// The files
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    how: How,
}

/// How rule files are checked.
#[derive(Args, Debug)]
pub(crate) struct How {
    /// What to look for besides mistakes
    #[arg(long, value_name = "WHAT", default_value = "duplicate-rules")]
    lint: Lint,

    /// End with 3 if lint is found
    #[arg(long)]
    lint_fatal: bool,

    /// Take fields that do not exist, which `mayfly serve` does not
    #[arg(long)]
    ignore_unknown_fields: bool,

    /// Experimental parts of PromQL to switch on; may be given several times, or as a list with commas
    #[arg(long = "enable-feature", value_name = "NAME", value_delimiter = ',', value_parser = features())]
    features: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Lint {
    /// Everything that there is
    All,
    /// Rules with the same name and labels
    DuplicateRules,
    /// Nothing
    None,
}

/// What was found so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Verdict {
    mistakes: bool,
    lint: bool,
}

/// Checks the files, with the output of promtool: what is well on standard output, what is not on standard error.
pub(crate) fn run(flags: &CheckRules) -> anyhow::Result<ExitCode> {
    let mut verdict = Verdict::default();
    if flags.files.is_empty() {
        say("Checking standard input")?;
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).context("standard input")?;
        check(&mut verdict, None, &text, &flags.how)?;
    }
    check_files(&mut verdict, &flags.files, &flags.how)?;
    Ok(verdict.code(&flags.how))
}

/// Checks these files.
pub(crate) fn check_files(verdict: &mut Verdict, files: &[PathBuf], how: &How) -> anyhow::Result<()> {
    for file in files {
        let path = file.display().to_string();
        say(&format!("Checking {path}"))?;
        let text = std::fs::read_to_string(file).with_context(|| path.clone())?;
        check(verdict, Some(&path), &text, how)?;
    }
    Ok(())
}

impl Verdict {
    /// Something is wrong.
    pub(crate) fn mistaken(&mut self) {
        self.mistakes = true;
    }

    pub(crate) fn code(self, how: &How) -> ExitCode {
        match self {
            Self { mistakes: true, .. } => ExitCode::FAILURE,
            Self { lint: true, .. } if how.lint_fatal => ExitCode::from(LINT),
            Self { .. } => ExitCode::SUCCESS,
        }
    }
}

/// Checks one file; without a path, mistakes do not name it.
fn check(verdict: &mut Verdict, path: Option<&str>, text: &str, how: &How) -> io::Result<()> {
    let options =
        RuleFileOptions { ignore_unknown_fields: how.ignore_unknown_fields, ..RuleFileOptions::default() };
    let file = path.unwrap_or("standard input");
    let rules = match Rules::load_with(&[(file, text)], &Parser::new(&how.features), &options) {
        Ok(rules) => rules,
        Err(errors) => {
            verdict.mistakes = true;
            let shown = |error: &RuleFileError| match path {
                Some(_) => error.to_string(),
                None => error.mistake.to_string(),
            };
            return complain(&errors.iter().map(shown).collect::<Vec<_>>());
        }
    };
    let warnings = rules.warnings().iter().map(|warning| format!("  WARNING: {warning}"));
    warnings.into_iter().try_for_each(|warning| say(&warning))?;
    match lint(&rules, how) {
        Some(found) => {
            verdict.lint = true;
            complain(&[found])?;
        }
        None => say(&format!("  SUCCESS: {} rules found", rules.rule_count()))?,
    }
    say("")
}

fn lint(rules: &Rules, how: &How) -> Option<String> {
    let repeated = rules.repeated();
    if how.lint == Lint::None || repeated.is_empty() {
        return None;
    }
    let mut text = format!("lint error {} duplicate rule(s) found.\n", repeated.len());
    for (name, labels) in repeated {
        text.push_str(&format!("Metric: {name}\nLabel(s):\n"));
        for label in labels {
            text.push_str(&format!("\t{}: {}\n", label.name, label.value));
        }
    }
    text.push_str("Might cause inconsistency while recording expressions");
    Some(text)
}

/// One line on standard output.
pub(crate) fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// `FAILED:` and the lines, on standard error.
pub(crate) fn complain(lines: &[String]) -> io::Result<()> {
    let mut err = io::stderr().lock();
    writeln!(err, "  FAILED:")?;
    lines.iter().try_for_each(|line| writeln!(err, "{line}"))
}

/// Parses expressions, and answers none.
pub(crate) struct Parser(syntax::Options);

impl Parser {
    pub(crate) fn new(features: &[String]) -> Self {
        let mut settings = query::Settings::default();
        switch_on(features, &mut settings);
        Self(settings.syntax)
    }
}

#[async_trait]
impl InstantQuery for Parser {
    fn check(&self, expr: &str) -> Result<String, String> {
        syntax::parse(expr, &self.0).map(|expr| expr.to_string()).map_err(|error| error.to_string())
    }

    async fn query(&self, _: &str, _: i64) -> Result<QueryValue, QueryError> {
        Err(QueryError::Expression { reason: "there is no data to check rules with".to_owned() })
    }
}
