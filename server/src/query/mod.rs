//! `mayfly query instant|range|series|labels`: arguments, output and exit codes of promtool, about a server or a storage.
//!
//! In the order in which a question travels: the flags become a [`target::Question`], `target` has a server or the query API over a
//! storage answer it, `answer` reads what came, and `show` writes it as promtool does.

mod answer;
mod duration;
mod explain;
mod show;
mod target;

pub(crate) use target::ClientFlags;

use std::io::{BufWriter, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use edge::SystemClock;
use model::Clock;
use serde::de::DeserializeOwned;

use crate::escape::escaped;
use crate::query_flags::QueryFlags;
use answer::{Answer, QueryFailure, Series};
use target::{Question, Target, TargetFlags};

/// As promtool says what it finds.
#[derive(Debug, Subcommand)]
pub(crate) enum Query {
    /// Ask an expression at one time.
    #[command(
        override_usage = "mayfly query instant [OPTIONS] <SERVER> <EXPR>\n       mayfly query instant [OPTIONS] --storage <URL> <EXPR>"
    )]
    Instant(Box<Instant>),
    /// Ask an expression at each step of a range of time.
    #[command(
        override_usage = "mayfly query range [OPTIONS] <SERVER> <EXPR>\n       mayfly query range [OPTIONS] --storage <URL> <EXPR>"
    )]
    Range(Box<Range>),
    /// List the series that match.
    #[command(
        override_usage = "mayfly query series [OPTIONS] --match <SELECTOR> <SERVER>\n       mayfly query series [OPTIONS] --match <SELECTOR> --storage <URL>"
    )]
    Series(Box<ListSeries>),
    /// List the values of a label.
    #[command(
        override_usage = "mayfly query labels [OPTIONS] <SERVER> <NAME>\n       mayfly query labels [OPTIONS] --storage <URL> <NAME>"
    )]
    Labels(Box<Labels>),
}

#[derive(Args, Debug)]
pub(crate) struct Common {
    /// How it is shown
    #[arg(short = 'o', long, value_name = "FORMAT", default_value = "promql")]
    format: Format,

    #[command(flatten)]
    target: TargetFlags,

    #[command(
        flatten,
        next_help_heading = "With --storage: limits and features, as `mayfly serve` has them"
    )]
    queries: QueryFlags,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Promql,
    Json,
}

#[derive(Args, Debug)]
pub(crate) struct Instant {
    /// The query port of a server, http://HOST:PORT, unless there is --storage; and the expression
    #[arg(value_names = ["SERVER", "EXPR"], required = true, num_args = 1..=2)]
    words: Vec<String>,

    /// Show what the query does instead of what it gives: its plan, and what each piece of it took
    #[arg(long)]
    explain: bool,

    /// The time: like 2026-01-31T08:00:00Z, or seconds since 1970 [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    time: Option<String>,

    #[command(flatten)]
    common: Common,
}

#[derive(Args, Debug)]
pub(crate) struct Range {
    /// The query port of a server, http://HOST:PORT, unless there is --storage; and the expression
    #[arg(value_names = ["SERVER", "EXPR"], required = true, num_args = 1..=2)]
    words: Vec<String>,

    /// Show what the query does instead of what it gives: its plan, and what each piece of it took
    #[arg(long)]
    explain: bool,

    #[command(flatten)]
    times: Times,

    /// From one time to the next [default: 1s, or for a long range so much that there are 250]
    #[arg(long, value_name = "DURATION", value_parser = duration::seconds)]
    step: Option<f64>,

    #[command(flatten)]
    common: Common,
}

#[derive(Args, Debug)]
pub(crate) struct ListSeries {
    /// The query port of a server, http://HOST:PORT, unless there is --storage
    #[arg(value_names = ["SERVER"], num_args = 0..=1)]
    words: Vec<String>,

    /// Which: 'up{job="backup"}'; may be given several times
    #[arg(long = "match", value_name = "SELECTOR", required = true)]
    matches: Vec<String>,

    #[command(flatten)]
    times: Times,

    #[command(flatten)]
    common: Common,
}

#[derive(Args, Debug)]
pub(crate) struct Labels {
    /// The query port of a server, http://HOST:PORT, unless there is --storage; and the name of the label
    #[arg(value_names = ["SERVER", "NAME"], required = true, num_args = 1..=2)]
    words: Vec<String>,

    /// Of which series: 'up{job="backup"}'; may be given several times [default: of all]
    #[arg(long = "match", value_name = "SELECTOR")]
    matches: Vec<String>,

    #[command(flatten)]
    times: Times,

    #[command(flatten)]
    common: Common,
}

#[derive(Args, Debug)]
struct Times {
    /// The first time: like 2026-01-31T08:00:00Z, or seconds since 1970
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    start: Option<String>,

    /// The last time [default of a range: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    end: Option<String>,
}

/// Without --start a range begins so long before its end.
const RANGE_DEFAULT_MS: i64 = 5 * 60_000;
/// So many steps a range has without --step, unless they would be shorter than a second.
const STEPS_DEFAULT: f64 = 250.0;
/// Lists of series and values without --start or --end are of so long before now, and after: as promtool has it.
const LIST_DEFAULT_MS: i64 = 9_999 * 3_600_000;

/// Asks, and shows the answer. Ends with 0, or with 1 if there is none.
pub(crate) fn run(query: &Query) -> anyhow::Result<ExitCode> {
    let common = match query {
        Query::Instant(flags) => &flags.common,
        Query::Range(flags) => &flags.common,
        Query::Series(flags) => &flags.common,
        Query::Labels(flags) => &flags.common,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match runtime.block_on(ask(query, common)) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(QueryFailure::Told(text)) => {
            writeln!(std::io::stderr(), "{text}")?;
            Ok(ExitCode::FAILURE)
        }
        Err(QueryFailure::Other(error)) => Err(error),
    }
}

async fn ask(query: &Query, common: &Common) -> Result<(), QueryFailure> {
    let (words, has_word) = match query {
        Query::Instant(flags) => (&flags.words, true),
        Query::Range(flags) => (&flags.words, true),
        Query::Series(flags) => (&flags.words, false),
        Query::Labels(flags) => (&flags.words, true),
    };
    let (server, word) = common.target.place(words, has_word)?;
    let target = Target::of(server, &common.target, &common.queries).await?;
    let now_ms = SystemClock.now_ms();
    let (mut out, as_json) = (BufWriter::new(std::io::stdout().lock()), common.format == Format::Json);
    match query {
        Query::Instant(flags) => {
            let at = time(flags.time.as_deref(), "evaluation", now_ms)?;
            let question = Question::post("query").with("query", word).with("time", seconds(at));
            evaluated(&mut out, &target, question, flags.explain, as_json).await?;
        }
        Query::Range(flags) => {
            let question = range(flags, word, now_ms)?;
            evaluated(&mut out, &target, question, flags.explain, as_json).await?;
        }
        Query::Series(flags) => {
            let question = flags.times.of_list(Question::post("series"), now_ms)?;
            let question = question.with_all("match[]", &flags.matches);
            show::series(&mut out, &answered::<Vec<Series>>(&target, &question).await?, as_json)?;
        }
        Query::Labels(flags) => {
            let question = flags
                .times
                .of_list(Question::get(&format!("label/{}/values", escaped(word, b"-_.~:"))), now_ms)?;
            let question = question.with_all("match[]", &flags.matches);
            show::labels(&mut out, &answered::<Vec<String>>(&target, &question).await?, as_json)?;
        }
    }
    Ok(out.flush()?)
}

/// Shows what an expression gives, or how it comes to that.
async fn evaluated(
    out: &mut impl Write,
    target: &Target,
    question: Question,
    is_explained: bool,
    as_json: bool,
) -> Result<(), QueryFailure> {
    if !is_explained {
        return Ok(show::value(out, &answered(target, &question).await?, as_json)?);
    }
    let explained: explain::Explained = answered(target, &question.with("explain", "1")).await?;
    let Some(explain) = explained.explain else {
        return Err(QueryFailure::Told(
            "the server does not explain queries: it is no Mayfly, or an older one".to_owned(),
        ));
    };
    Ok(explain::show(out, &explain, as_json)?)
}

/// What is answered; what there is to be known about it is shown.
async fn answered<T: DeserializeOwned>(target: &Target, question: &Question) -> Result<T, QueryFailure> {
    let Answer { data, warnings } = target.ask(question).await?;
    show::warnings(&warnings)?;
    Ok(data)
}

fn range(flags: &Range, expression: &str, now_ms: i64) -> Result<Question, QueryFailure> {
    let end = time(flags.times.end.as_deref(), "end", now_ms)?;
    let start = time(flags.times.start.as_deref(), "start", end.saturating_sub(RANGE_DEFAULT_MS))?;
    if start >= end {
        return Err(QueryFailure::Told("start time is not before end time".to_owned()));
    }
    #[expect(clippy::cast_precision_loss, reason = "times are far smaller")]
    let range_s = (end - start) as f64 / 1_000.0;
    let step = flags.step.filter(|step| *step != 0.0);
    let step = step.unwrap_or_else(|| (range_s / STEPS_DEFAULT).floor().max(1.0));
    let question = Question::post("query_range").with("query", expression);
    Ok(question.with("start", seconds(start)).with("end", seconds(end)).with("step", step.to_string()))
}

impl Times {
    fn of_list(&self, question: Question, now_ms: i64) -> Result<Question, QueryFailure> {
        let start = time(self.start.as_deref(), "start", now_ms - LIST_DEFAULT_MS)?;
        let end = time(self.end.as_deref(), "end", now_ms + LIST_DEFAULT_MS)?;
        Ok(question.with("start", seconds(start)).with("end", seconds(end)))
    }
}

/// A time of a flag, in milliseconds; what is empty is not given.
fn time(text: Option<&str>, what: &str, otherwise_ms: i64) -> Result<i64, QueryFailure> {
    match text.filter(|text| !text.is_empty()) {
        None => Ok(otherwise_ms),
        Some(text) => query::api::parse_time_ms(text)
            .map_err(|reason| QueryFailure::Told(format!("error parsing {what} time: {reason}"))),
    }
}

fn seconds(ms: i64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "times are far smaller")]
    let seconds = ms as f64 / 1_000.0;
    seconds.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_begins_five_minutes_ago_and_has_at_most_250_steps_unless_it_is_told() {
        let check = |start: Option<&str>, end: Option<&str>, step: Option<f64>, expect: &str| {
            let text = |text: Option<&str>| text.map(str::to_owned);
            let flags = Range {
                words: Vec::new(),
                explain: false,
                times: Times { start: text(start), end: text(end) },
                step,
                common: Common {
                    format: Format::Promql,
                    target: TargetFlags::default(),
                    queries: crate::query_flags::tests::default_flags(),
                },
            };
            let found = match range(&flags, "up", 1_000_000_000) {
                Ok(question) => question.form(),
                Err(QueryFailure::Told(text)) => text,
                Err(QueryFailure::Other(error)) => error.to_string(),
            };
            assert_eq!(found, expect);
        };
        check(None, None, None, "end=1000000&query=up&start=999700&step=1");
        check(Some("0"), Some("1000"), None, "end=1000&query=up&start=0&step=4");
        check(Some("0"), Some("1000"), Some(1.5), "end=1000&query=up&start=0&step=1.5");
        check(Some("1970-01-01T00:00:01.5Z"), Some("3"), Some(0.0), "end=3&query=up&start=1.5&step=1");
        check(Some("5"), Some("5"), None, "start time is not before end time");
        check(Some("x"), None, None, "error parsing start time: cannot parse \"x\" to a valid timestamp");
        check(None, Some("y"), None, "error parsing end time: cannot parse \"y\" to a valid timestamp");
    }
}
