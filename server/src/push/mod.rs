//! `mayfly push`: what a shell script knows, and how a command went.
//!
//! In the order of what happens: `values` reads what is given, `command` runs the command and tells how it went, `group` and `body` say
//! it as a push, and `target` delivers that to a gateway or into a storage, however often it takes.

mod body;
mod command;
mod group;
mod target;
mod values;

use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use crate::cli::duration;
use command::{Command, Outcome};
use group::Group;
use target::{Others, Target, TargetFlags, Terms};
use values::Value;

#[derive(Args, Debug)]
pub(crate) struct Push {
    /// The job that is pushed for
    #[arg(long, value_name = "NAME")]
    job: String,

    /// A further label of the group, beside the job; may be given several times
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = group::label)]
    labels: Vec<(String, String)>,

    #[command(flatten)]
    target: TargetFlags,

    /// Let what is pushed replace all that the group holds, and not only metrics of the same names
    #[arg(long, conflicts_with = "add")]
    replace: bool,

    /// Add counters to what the group holds: metrics whose names end in _total. Takes a Mayfly, no Pushgateway
    #[arg(long)]
    add: bool,

    /// How long the group lives if nobody pushes to it again, like 25h. Takes a Mayfly, no Pushgateway [default: for ever]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    ttl: Option<Duration>,

    /// Metrics as text of Prometheus that are pushed besides, read when the command has ended; - is standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// How long to try to deliver what is pushed. A command is not ended by this
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    timeout: Duration,

    /// Metrics and their values, like rows=42 or 'rows{table="users"}=42'. Counters are those whose names end in _total, the others
    /// are gauges
    #[arg(value_name = "NAME=VALUE", value_parser = values::value)]
    values: Vec<Value>,

    /// The command that is measured, with its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Push {
    fn others(&self) -> Others {
        if self.replace { Others::End } else { Others::Stay }
    }
}

/// Runs the command, if there is one, and pushes. Ends as the command did, whatever came of the push.
pub(crate) fn run(flags: &Push) -> anyhow::Result<ExitCode> {
    if flags.values.is_empty() && flags.file.is_none() && flags.command.is_empty() {
        bail!("there is nothing to push: give values like rows=42, --file FILE, or a command after --");
    }
    if flags.file.as_deref() == Some(Path::new("-")) && !flags.command.is_empty() {
        bail!("standard input is the command's: --file - is for pushes without one");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(push(flags))
}

async fn push(flags: &Push) -> anyhow::Result<ExitCode> {
    let group = Group::new(&flags.job, &flags.labels)?;
    // mistakes are told before the command begins
    let values = body::of_values(&flags.values)?;
    let terms = Terms { is_added: flags.add, ttl: flags.ttl, within: flags.timeout };
    let target = Target::of(&flags.target, &group, terms)?;
    let Some((program, arguments)) = flags.command.split_first() else {
        let whole = values + &further(flags)?;
        target.deliver(whole.into(), flags.others()).await?;
        return Ok(ExitCode::SUCCESS);
    };
    let command = Command::new(program, arguments);
    // what the group holds stays until it is known how the command went
    let began = target.deliver(body::of_start(command.started_ms()).into(), Others::Stay);
    // that it runs may be told late or never: what is pushed in the end says it too
    let outcome = command.run_beside(began).await?;
    if let Err(error) = deliver(flags, &target, values, &outcome).await {
        // a job does not fail because nobody could be told of it
        complain(&error);
    }
    Ok(outcome.exit_code())
}

async fn deliver(flags: &Push, target: &Target, values: String, outcome: &Outcome) -> anyhow::Result<()> {
    // a script that failed may have written no file, or half of one: how it went is pushed even so
    let (further, unread) = match further(flags) {
        Ok(further) => (further, Ok(())),
        Err(error) => (String::new(), Err(error)),
    };
    let of_outcome = body::of_outcome(outcome);
    let whole = format!("{of_outcome}{values}{further}");
    match target.deliver(whole.into(), flags.others()).await {
        Err(error) if target::is_refused(&error) && !further.is_empty() => {
            // a mistake in the file does not hide how the command went
            target.deliver((of_outcome + &values).into(), flags.others()).await?;
            Err(error.context("only the command's own metrics and the given values are pushed"))
        }
        ended => ended.and(unread),
    }
}

/// What the file says, if one is given.
fn further(flags: &Push) -> anyhow::Result<String> {
    let Some(file) = &flags.file else { return Ok(String::new()) };
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).context("standard input")?;
    } else {
        text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

#[expect(clippy::print_stderr, reason = "the one clear line for whoever started it")]
fn complain(error: &anyhow::Error) {
    eprintln!("mayfly: {}", crate::one_line(error));
}
