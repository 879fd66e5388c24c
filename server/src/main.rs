//! The `mayfly` binary: every role in one process, and the command line.

mod access_flags;
mod check_access;
mod check_alertmanager_config;
mod check_config;
mod check_health;
mod check_rules;
mod cli;
mod compact;
mod delete;
mod escape;
mod export;
mod import;
mod inspect;
mod junit;
mod log;
mod page;
mod push;
mod query;
mod query_flags;
mod query_port_flags;
mod render;
mod replay;
mod serve;
mod statsd_flags;
mod storage_flags;
mod tenant_flags;
mod test_promql;
mod test_routes;
mod test_rules;
mod token;

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::check_health::Question;
use crate::cli::{Check, Cli, Command, InStore, OfRoutes, OfRules, OfTemplates, OfTokens, Serve, Test};
use crate::inspect::What;

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

/// Runs everything until it is told to stop.
fn serve(flags: Serve, values: BTreeMap<String, String>) -> anyhow::Result<ExitCode> {
    log::start(flags.log_level, flags.log_format);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve::run(flags, values)).map(|()| ExitCode::SUCCESS)
}

fn main() -> ExitCode {
    allocator::keep_little();
    let matches = Cli::command().get_matches();
    let ended = match Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()).command {
        Command::Serve(flags) => serve(*flags, cli::values(&matches)),
        Command::Compact(flags) => compact::run(&flags),
        Command::Store(InStore::Ls(flags)) => inspect::run(&flags, What::Partitions),
        Command::Store(InStore::Stat(flags)) => inspect::run(&flags, What::Totals),
        Command::Store(InStore::Verify(flags)) => inspect::run(&flags, What::Problems),
        Command::Store(InStore::Delete(flags)) => delete::run(&flags),
        Command::Check(Check::Config(flags)) => check_config::run(&flags),
        Command::Check(Check::Healthy(flags)) => check_health::run(&flags, Question::Healthy),
        Command::Check(Check::Ready(flags)) => check_health::run(&flags, Question::Ready),
        Command::Check(Check::Tokens(flags)) => check_access::tokens(&flags),
        Command::Check(Check::AlertmanagerConfig(flags)) => check_alertmanager_config::run(&flags),
        Command::Check(Check::WebConfig(flags)) => check_access::web_config(&flags),
        Command::Check(Check::Rules(flags)) => check_rules::run(&flags),
        Command::Test(Test::Rules(flags)) => test_rules::run(&flags),
        Command::Test(Test::Promql(flags)) => test_promql::run(&flags),
        Command::Push(flags) => push::run(&flags),
        Command::Query(query) => query::run(&query),
        Command::Import(import) => import::run(&import),
        Command::Export(flags) => export::run(&flags),
        Command::Rules(OfRules::Replay(flags)) => replay::run(&flags),
        Command::Template(OfTemplates::Render(flags)) => render::run(&flags),
        Command::Routes(OfRoutes::Test(flags)) => test_routes::run(&flags),
        Command::Token(OfTokens::New(flags)) => token::new(&flags),
        Command::Token(OfTokens::Routes) => token::routes(),
    };
    match ended {
        Ok(code) => code,
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
