//! Flags of the command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Prometheus for things that do not live long enough to be scraped.
///
/// Jobs push their metrics as they would to a Pushgateway; Mayfly keeps them as Parquet in a folder or on S3, answers
/// PromQL about them and evaluates alert rules.
#[derive(Debug, Parser)]
#[command(name = "mayfly", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything: the push gateway, the query API and the alert rules.
    #[command(after_help = "Push to the gateway, ask the query API:\n  \
        echo 'rows 42' | curl --data-binary @- http://127.0.0.1:9091/metrics/job/backup\n  \
        curl 'http://127.0.0.1:9090/api/v1/query?query=rows'")]
    Serve(Box<Serve>),
}

#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// Where data is kept: a folder, s3://BUCKET/PREFIX, or memory: (lost at the end)
    #[arg(long, value_name = "URL", default_value = "./mayfly-data")]
    pub(crate) storage: String,

    /// When a push is answered: stored, when it is in the storage; logged, when it is synced to a log beside it, which
    /// only a folder has [default: logged for a folder, else stored]
    #[arg(long = "storage.ack", value_name = "KIND")]
    pub(crate) ack: Option<AckKind>,

    /// With a log: how long until a push is in a Parquet file
    #[arg(long = "storage.flush-interval", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(crate) flush_interval: Duration,

    /// Address of an S3 server other than AWS; credentials are found the AWS way
    #[arg(long = "s3.endpoint", value_name = "URL")]
    pub(crate) s3_endpoint: Option<String>,

    /// Where jobs push; port 0 picks a free one
    #[arg(long = "gateway.listen-address", value_name = "ADDRESS", default_value = "127.0.0.1:9091")]
    pub(crate) gateway: SocketAddr,

    /// Where queries are answered; port 0 picks a free one
    #[arg(long = "query.listen-address", value_name = "ADDRESS", default_value = "127.0.0.1:9090")]
    pub(crate) query: SocketAddr,

    /// Answer queries and rules as if what was pushed had been scraped this often, as Prometheus scrapes a Pushgateway;
    /// for comparing. A query may ask for it with a parameter as_scraped [default: step functions]
    #[arg(long = "query.as-scraped", value_name = "DURATION", value_parser = duration)]
    pub(crate) as_scraped: Option<Duration>,

    /// A Prometheus rule file; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) rules: Vec<PathBuf>,

    /// An Alertmanager, http://HOST:PORT; may be given several times, and each gets every alert
    #[arg(long = "alertmanager.url", value_name = "URL")]
    pub(crate) alertmanagers: Vec<String>,

    /// How often rule groups without an interval of their own are evaluated
    #[arg(long = "evaluation-interval", value_name = "DURATION", default_value = "1m", value_parser = duration)]
    pub(crate) evaluation_interval: Duration,

    /// URL under which the query API can be reached from outside, for links in alerts
    #[arg(long = "web.external-url", value_name = "URL")]
    pub(crate) external_url: Option<String>,

    /// What is logged, from error (least) to debug (most)
    #[arg(long = "log.level", value_name = "LEVEL", default_value = "info")]
    pub(crate) log_level: LogLevel,

    /// How it is logged
    #[arg(long = "log.format", value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum AckKind {
    Stored,
    Logged,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// A duration as Prometheus writes it: `1m30s`, `250ms`; not 0.
fn duration(text: &str) -> Result<Duration, String> {
    let ms = alert::parse_duration(text)
        .map_err(|_| format!("{text:?} is no duration: expected one like 30s, 1m or 1h30m"))?;
    match u64::try_from(ms) {
        Ok(ms) if ms > 0 => Ok(Duration::from_millis(ms)),
        _ => Err(format!("{text:?} is too short: expected a duration above 0, like 30s")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn durations() {
        let check = |text: &str, expect: Option<u64>| {
            assert_eq!(duration(text).ok().map(|d| d.as_millis()), expect.map(u128::from), "{text}");
        };
        check("30s", Some(30_000));
        check("1h30m", Some(5_400_000));
        check("1m250ms", Some(60_250));
        check("", None);
        check("0s", None);
        check("5", None);
        check("1m1h", None);
        check("1x", None);
        check("99999999999999999999y", None);
    }
}
