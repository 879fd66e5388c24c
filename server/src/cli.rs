//! Flags of the command line.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgMatches, Args, CommandFactory, Parser, Subcommand, ValueEnum};

use edge::{CompactSettings, Kept, Retention};

use crate::access_flags::AccessFlags;
use crate::check_access::CheckAccess;
use crate::check_alertmanager_config::CheckAlertmanagerConfig;
use crate::check_config::CheckConfig;
use crate::check_health::CheckHealth;
use crate::check_rules::CheckRules;
use crate::compact::Compact;
use crate::delete::Delete;
use crate::export::Export;
use crate::import::Import;
use crate::inspect::Inspect;
use crate::push::Push;
use crate::query::Query;
use crate::query_flags::QueryFlags;
use crate::query_port_flags::QueryPortFlags;
use crate::render::Render;
use crate::replay::Replay;
use crate::statsd_flags::StatsdFlags;
use crate::tenant_flags::TenantFlags;
use crate::test_routes::TestRoutes;
use crate::test_rules::TestRules;
use crate::token::NewToken;

/// Prometheus for things that do not live long enough to be scraped.
///
/// Jobs push their metrics as they would to a Pushgateway; Mayfly keeps them as Parquet in a folder or on S3, answers
/// PromQL about them and evaluates alert rules.
#[derive(Debug, Parser)]
#[command(name = "mayfly", version, propagate_version = true, max_term_width = 100)]
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
    /// Merge what was pushed into few large files, so that queries need not open many small ones.
    ///
    /// `mayfly serve` does this by itself where --storage.compact-interval says how often. Ends with 0 if all that was due is
    /// done, and with 1 if something kept it from that, which is told.
    Compact(Compact),
    /// Push values, or how a command went, from a shell script: to a gateway, or straight into a storage.
    ///
    /// A command that stands behind -- is run with the same input and output, and signals go on to it. In the beginning
    /// job_start_timestamp_seconds is pushed, and in the end job_end_timestamp_seconds, job_duration_seconds, job_exit_code and, if that
    /// is 0, job_last_success_timestamp_seconds. Ends as the command did, also if nobody could be told. Without a command it ends with 0 if
    /// all is pushed, else with 1.
    #[command(
        override_usage = "mayfly push [OPTIONS] --job <NAME> [NAME=VALUE]... [-- <COMMAND>...]",
        after_help = "In a crontab:\n  \
        0 3 * * * mayfly push --job backup --ttl 25h rows=42 -- /usr/local/bin/backup.sh"
    )]
    Push(Box<Push>),
    /// Look at what is stored, and delete from it.
    #[command(subcommand)]
    Store(InStore),
    /// Look for mistakes in files.
    #[command(subcommand)]
    Check(Check),
    /// Run tests that are written down in files.
    #[command(subcommand)]
    Test(Test),
    /// Try alert rules.
    #[command(subcommand)]
    Rules(OfRules),
    /// Ask a server, or a storage without any server, with the arguments and the output of promtool.
    #[command(subcommand)]
    Query(Query),
    /// Bring history in.
    #[command(subcommand)]
    Import(Import),
    /// Write what is stored as OpenMetrics text, each sample with its time, for other stores and for `mayfly import`.
    ///
    /// Ends with 0, or with 1 if something is not in it: native histograms, or objects that cannot be read.
    #[command(after_help = "A job's history as blocks of a Prometheus:\n  \
        mayfly export --match '{job=\"backup\"}' > backup.om && promtool tsdb create-blocks-from openmetrics backup.om data")]
    Export(Export),
    /// Try templates of notifications.
    #[command(subcommand)]
    Template(OfTemplates),
    /// Ask an alertmanager.yml who is told of an alert.
    #[command(subcommand)]
    Routes(OfRoutes),
    /// Make tokens for those who push and ask.
    #[command(subcommand)]
    Token(OfTokens),
}

#[derive(Debug, Subcommand)]
pub(crate) enum OfRoutes {
    /// Tell the receivers of an alert with these labels, in the order of the routes.
    ///
    /// Ends with 0, or with 1 if the file is mistaken or the receivers are not those of --verify.receivers.
    #[command(after_help = "Who hears of a failed backup?\n  \
        mayfly routes test --config.file alertmanager.yml --verify.receivers pager alertname=JobFailed job=backup")]
    Test(TestRoutes),
}

#[derive(Debug, Subcommand)]
pub(crate) enum OfTokens {
    /// Make a token, and print it with its entry for the file of --access.tokens-file, in which only its hash stands.
    ///
    /// Nobody can tell the token of its hash: whoever loses it makes another one.
    #[command(after_help = "A token for one team:\n  \
        mayfly token new --name team-a --scope push --scope read --match '{job=~\"team-a-.*\"}' --file tokens.yml")]
    New(NewToken),
    /// List the routes of both ports with the scope that each needs. \"Unbound\" is a token without matchers.
    Routes,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OfTemplates {
    /// Expand a text with templates as Alertmanager would for a notification; its own definitions are there.
    ///
    /// Ends with 0, or with 1 if the text or a file is no template, or asks for what is not there.
    #[command(after_help = "What would the subject of an e-mail be?\n  \
        mayfly template render --template.text '{{ template \"email.default.subject\" . }}' --template.data notification.json")]
    Render(Render),
}

#[derive(Debug, Subcommand)]
pub(crate) enum OfRules {
    /// Evaluate rules on what was stored in the past, and tell which alerts would have fired and when.
    ///
    /// Nothing is stored or sent. Nothing is known of alerts before the range: what has a `for` is pending from its beginning on.
    /// Ends with 0, or with 1 if a rule could not be evaluated.
    #[command(after_help = "What would have woken us this week, under the rules of tomorrow?\n  \
        mayfly rules replay --storage s3://BUCKET/PREFIX --start 2026-01-24T00:00:00Z tomorrow.yml")]
    Replay(Box<Replay>),
}

#[derive(Debug, Subcommand)]
pub(crate) enum InStore {
    /// Tell what there is, by partition: days of segments, runs, frames, and what nobody needs any more.
    ///
    /// Ends with 0, or with 2 if it could not be looked at.
    Ls(Inspect),
    /// Tell how much there is in all, from when it is, and how far it is merged.
    ///
    /// Ends with 0, or with 2 if it could not be looked at.
    Stat(Inspect),
    /// Read all that counts and tell what is broken: objects that are not there, checksums, rows that cannot be decoded, names and
    /// a manifest that do not say the truth. Safe while others write and merge.
    ///
    /// Ends with 0 if all is well, with 1 if something is broken, and with 2 if it could not be looked at.
    Verify(Inspect),
    /// Delete series, or a time of them. Once it has ended no query shows them, and the next compactions take them out of all files.
    ///
    /// Ends with 0 if that is recorded or, with --dry-run, counted, and else with 1.
    Delete(Delete),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Check {
    /// Check configuration files of Alertmanager, as `amtool check-config` does; templates are not looked at.
    ///
    /// Ends with 0 if all are well, else with 1.
    AlertmanagerConfig(CheckAlertmanagerConfig),
    /// Check configuration files and the rule files that they name, as `promtool check config` does.
    ///
    /// Ends with 0 if all are well, with 1 if one is not, and with 3 if only lint was found and --lint-fatal is given.
    Config(CheckConfig),
    /// Ask a server whether it is healthy, as `promtool check healthy` does.
    ///
    /// Ends with 0 if it is, else with 1. For containers, which have no curl.
    Healthy(CheckHealth),
    /// Ask a server whether it is ready, as `promtool check ready` does: whether it takes pushes and answers queries.
    ///
    /// Ends with 0 if it is, else with 1.
    Ready(CheckHealth),
    /// Check files of tokens, as --access.tokens-file takes them.
    ///
    /// Ends with 0 if all are well, else with 1.
    Tokens(CheckAccess),
    /// Check web configuration files and the certificates that they name, as `promtool check web-config` does.
    ///
    /// Ends with 0 if all are well, else with 1.
    WebConfig(CheckAccess),
    /// Check rule files, as `promtool check rules` does; without a file, what comes on standard input.
    ///
    /// Ends with 0 if all are well, with 1 if one is not, and with 3 if only lint was found and --lint-fatal is given.
    Rules(CheckRules),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Test {
    /// Run files in the language of Prometheus' PromQL tests: load, eval, expect.
    ///
    /// All that is experimental is on, as in Prometheus' own runs. Ends with 0 if every query gives what is expected.
    Promql(TestPromql),
    /// Run unit tests of rules, in the format of `promtool test rules`.
    ///
    /// Ends with 0 if every test passes, else with 1.
    Rules(TestRules),
}

#[derive(Args, Debug)]
pub(crate) struct TestPromql {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Let metric names go with the first operation, as `mayfly serve` does; Prometheus' own files expect that they go
    /// at the end of a query
    #[arg(long)]
    pub(crate) immediate_name_removal: bool,
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

    /// With a log: how long until a push is in a Parquet file; at most 1m
    #[arg(long = "storage.flush-interval", value_name = "DURATION", default_value = "10s", value_parser = flush_interval)]
    pub(crate) flush_interval: Duration,

    /// How long a push waits for others that may share its file, or its place in the log; at most 10s [default: not at all]
    #[arg(long = "storage.group-delay", value_name = "DURATION", value_parser = group_delay)]
    pub(crate) group_delay: Option<Duration>,

    /// Rows of about so many bytes in memory make a Parquet file, however little time has passed
    #[arg(long = "storage.segment-size", value_name = "BYTES", default_value = "8MiB", value_parser = bytes)]
    pub(crate) segment_size: usize,

    /// While about so many bytes of rows wait to be written, pushes are refused with 503
    #[arg(long = "storage.buffer-size", value_name = "BYTES", default_value = "64MiB", value_parser = bytes)]
    pub(crate) buffer_size: usize,

    /// While the clock is off the storage's by more than this, pushes are refused with 503; S3 has a clock of its own
    #[arg(long = "storage.max-skew", value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(crate) max_skew: Duration,

    /// How often segments are merged, so that queries open few files; 0: never, for where `mayfly compact` does it
    #[arg(long = "storage.compact-interval", value_name = "DURATION", default_value = "1m", value_parser = duration_or_never)]
    pub(crate) compact_interval: Duration,

    #[command(flatten)]
    pub(crate) compact: CompactFlags,

    /// Address of an S3 server other than AWS; credentials are found the AWS way
    #[arg(long = "s3.endpoint", value_name = "URL")]
    pub(crate) s3_endpoint: Option<String>,

    /// Where jobs push; port 0 picks a free one; may be given several times
    #[arg(
        long = "gateway.listen-address",
        alias = "web.listen-address",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:9091",
        value_parser = address
    )]
    pub(crate) gateway: Vec<SocketAddr>,

    /// Take text with CRLF line ends, and without a line feed after its last line
    #[arg(long = "gateway.lenient-text")]
    pub(crate) lenient_text: bool,

    /// Show what is held as OpenMetrics to whoever asks for that; it calls a counter x x_total
    #[arg(long = "gateway.enable-openmetrics")]
    pub(crate) openmetrics: bool,

    /// Take pushed samples that have a time of their own: they are stored as samples of that time, and no group holds them
    #[arg(long = "push.enable-timestamps")]
    pub(crate) timestamps: bool,

    /// How long a group lives if nobody pushes to it again; a push may say so itself with a header X-Mayfly-TTL
    /// [default: for ever]
    #[arg(long = "push.ttl", value_name = "DURATION", value_parser = duration)]
    pub(crate) push_ttl: Option<Duration>,

    /// Where queries are answered; port 0 picks a free one
    #[arg(long = "query.listen-address", value_name = "ADDRESS", default_value = "127.0.0.1:9090", value_parser = address)]
    pub(crate) query: SocketAddr,

    #[command(flatten)]
    pub(crate) queries: QueryFlags,

    #[command(flatten)]
    pub(crate) query_port: QueryPortFlags,

    /// What a request, and a tenant, may ask for: limits in YAML, see docs/limits.md
    #[arg(long = "limits.file", value_name = "FILE")]
    pub(crate) limits_file: Option<PathBuf>,

    /// Prometheus' configuration file, or one at s3://BUCKET/KEY: global, rule_files and alerting. It is read anew together
    /// with rule files
    #[arg(long = "config.file", value_name = "FILE")]
    pub(crate) configuration: Option<String>,

    /// Scrape what a file says: global and scrape_configs of Prometheus, other parts of its configuration are not looked at. It is read
    /// anew when rule files are
    #[arg(long = "scrape-config", value_name = "FILE")]
    pub(crate) scrape_config: Option<PathBuf>,

    /// Prometheus rule files: a file, a folder, a pattern like rules/*.yml, or the same below s3://BUCKET/; may be given
    /// several times
    #[arg(long, value_name = "FILES")]
    pub(crate) rules: Vec<String>,

    /// How often rule files are looked at; what has changed is in force at once. SIGHUP looks now, and so does a POST to
    /// /-/reload of the query port with --web.enable-lifecycle
    #[arg(long = "rules.reload-interval", value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(crate) rules_interval: Duration,

    /// An Alertmanager, http://HOST:PORT; may be given several times, and each gets every alert
    #[arg(long = "alertmanager.url", value_name = "URL")]
    pub(crate) alertmanagers: Vec<String>,

    /// Alertmanager's configuration file, or one at s3://BUCKET/KEY: Mayfly notifies receivers by it, without an Alertmanager. It is
    /// read anew together with rule files
    #[arg(long = "alertmanager.config-file", value_name = "FILE")]
    pub(crate) notifications: Option<String>,

    /// URL to GET after each tick of rules that left nothing undone: at a service that raises the alarm when that ends
    #[arg(long = "rules.heartbeat-url", value_name = "URL")]
    pub(crate) heartbeat_url: Option<String>,

    /// How often rule groups without an interval of their own are evaluated
    #[arg(long = "evaluation-interval", value_name = "DURATION", default_value = "1m", value_parser = duration)]
    pub(crate) evaluation_interval: Duration,

    /// URL under which Mayfly can be reached from outside: for links in alerts, and its path is the gateway's route prefix
    #[arg(long = "web.external-url", value_name = "URL")]
    pub(crate) external_url: Option<String>,

    #[command(flatten)]
    pub(crate) statsd: StatsdFlags,

    #[command(flatten)]
    pub(crate) access: AccessFlags,

    #[command(flatten)]
    pub(crate) tenants: TenantFlags,

    #[command(flatten)]
    pub(crate) pushgateway: Pushgateway,

    /// What is logged, from error (least) to debug (most)
    #[arg(long = "log.level", value_name = "LEVEL", default_value = "info")]
    pub(crate) log_level: LogLevel,

    /// How it is logged
    #[arg(long = "log.format", value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

/// How segments are merged.
#[derive(Args, Debug)]
pub(crate) struct CompactFlags {
    /// What was merged into other files is deleted after so long; longer than the longest query
    #[arg(long = "storage.compact-grace", value_name = "DURATION", default_value = "30m", value_parser = duration)]
    pub(crate) grace: Duration,

    /// What was pushed longer ago than this goes, whole days at a time; what is held still lives on. At least 2d.
    /// TENANT=DURATION is for one tenant; may be given several times [default: for ever]
    #[arg(long = "storage.retention.pushes", value_name = "DURATION")]
    pub(crate) pushes_kept: Vec<Kept>,

    /// The same for samples, by their own time
    #[arg(long = "storage.retention.samples", value_name = "DURATION")]
    pub(crate) samples_kept: Vec<Kept>,
}

impl CompactFlags {
    /// The identity is for the storage to give.
    pub(crate) fn settings(&self) -> CompactSettings {
        CompactSettings::of_holder(0).with_grace(self.grace)
    }

    pub(crate) fn retention(&self) -> Retention {
        let of_stream = |all: &[Kept]| all.iter().cloned().collect();
        Retention { pushes: of_stream(&self.pushes_kept), samples: of_stream(&self.samples_kept) }
    }
}

/// Flags that the Pushgateway has, under its names.
#[derive(Args, Debug)]
#[command(next_help_heading = "As the Pushgateway has them")]
pub(crate) struct Pushgateway {
    /// What every path of the gateway begins with [default: the path of --web.external-url]
    #[arg(long = "web.route-prefix", value_name = "PATH")]
    pub(crate) route_prefix: Option<String>,

    /// Where the gateway shows all that is held, for scraping
    #[arg(long = "web.telemetry-path", value_name = "PATH", default_value = "/metrics")]
    pub(crate) telemetry_path: String,

    /// Allow to end the process by a request to /-/quit of the gateway, and to read rule files anew by one to /-/reload of the
    /// query port
    #[arg(long = "web.enable-lifecycle")]
    pub(crate) lifecycle: bool,

    /// Allow to delete all groups at once, and series: /api/v1/admin of the gateway and of the query port
    #[arg(long = "web.enable-admin-api")]
    pub(crate) admin_api: bool,

    /// Take pushes that contradict each other
    #[arg(long = "push.disable-consistency-check")]
    pub(crate) unchecked: bool,

    /// Allow any character in names of metrics and labels
    #[arg(long = "push.enable-utf8-names")]
    pub(crate) utf8_names: bool,

    /// Ignored, with a warning: what was pushed is in the storage
    #[arg(long = "persistence.file", value_name = "FILE", hide = true)]
    pub(crate) persistence_file: Option<PathBuf>,

    /// Ignored, with a warning
    #[arg(long = "persistence.interval", value_name = "DURATION", hide = true)]
    pub(crate) persistence_interval: Option<String>,

    /// Take pushes on the sockets that systemd has opened, instead of at --gateway.listen-address
    #[arg(long = "web.systemd-socket")]
    pub(crate) systemd_socket: bool,
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
    #[value(alias = "logfmt")]
    Text,
    Json,
}

/// The flags of a command by name, with the values that hold; of one that was given several times, all.
pub(crate) fn values(matches: &ArgMatches) -> BTreeMap<String, String> {
    let Some((name, matches)) = matches.subcommand() else { return BTreeMap::new() };
    let cli = Cli::command();
    let arguments = cli.find_subcommand(name).into_iter().flat_map(clap::Command::get_arguments);
    let value = |argument: &clap::Arg| {
        let name = argument.get_long().filter(|name| !matches!(*name, "help" | "version"))?;
        let raw = matches.get_raw(argument.get_id().as_str()).into_iter().flatten();
        let values: Vec<_> = raw.map(|value| value.to_string_lossy()).collect();
        Some((name.to_owned(), values.join(",")))
    };
    arguments.filter_map(value).collect()
}

/// `HOST:PORT`, or `:PORT` for all addresses of the machine, as Go writes it. A host may be a name: of its addresses one of IPv4
/// is taken, if there is one.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    let whole = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() };
    let named = || whole.to_socket_addrs().ok()?.min_by_key(SocketAddr::is_ipv6);
    whole.parse().ok().or_else(named).ok_or_else(|| {
        format!("{text:?} is no address: expected one like 127.0.0.1:9091, localhost:9091 or :9091")
    })
}

/// What stays in the log for longer could not come to the storage within its time.
const FLUSH_INTERVAL_MAX: Duration = Duration::from_secs(60);

/// A client waits for its answer for at least so long.
const GROUP_DELAY_MAX: Duration = Duration::from_secs(10);

fn flush_interval(text: &str) -> Result<Duration, String> {
    at_most(text, FLUSH_INTERVAL_MAX)
}

fn group_delay(text: &str) -> Result<Duration, String> {
    at_most(text, GROUP_DELAY_MAX)
}

fn at_most(text: &str, max: Duration) -> Result<Duration, String> {
    let found = duration(text)?;
    if found > max { Err(format!("{text:?} is too long: at most {max:?} are allowed")) } else { Ok(found) }
}

/// A size in bytes: `65536`, `64KiB`, `8MiB`, `1GiB`; not 0.
pub(crate) fn bytes(text: &str) -> Result<usize, String> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1)];
    let parsed =
        units.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?.parse::<usize>(), *size)));
    match parsed {
        Some((Ok(number), size)) if number > 0 && number.checked_mul(size).is_some() => Ok(number * size),
        _ => Err(format!("{text:?} is no size above 0: expected one like 65536, 64KiB or 8MiB")),
    }
}

/// A duration, or 0.
pub(crate) fn duration_or_never(text: &str) -> Result<Duration, String> {
    if text == "0" { Ok(Duration::ZERO) } else { duration(text) }
}

/// A duration as Prometheus writes it: `1m30s`, `250ms`; not 0.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let ms = alert::parse_duration(text)
        .map_err(|_| format!("{text:?} is no duration: expected one like 30s, 1m or 1h30m"))?;
    match u64::try_from(ms) {
        Ok(ms) if ms > 0 => Ok(Duration::from_millis(ms)),
        _ => Err(format!("{text:?} is too short: expected a duration above 0, like 30s")),
    }
}

/// In the year 2255: beyond what any clock shows, and below what queries take a later time for.
const INSTANT_MS_MAX: i64 = 9_000_000_000_000;

/// A time as RFC 3339 or seconds since 1970, in milliseconds.
pub(crate) fn instant(text: &str) -> Result<i64, String> {
    let bad =
        || format!("{text:?} is no time: expected one like 2026-01-31T08:00:00Z, or seconds since 1970");
    let ms = query::api::parse_time_ms(text).map_err(|_| bad())?;
    if ms.abs() <= INSTANT_MS_MAX { Ok(ms) } else { Err(bad()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_flags_of_a_pushgateway_are_taken() {
        let flags = [
            "--web.listen-address=:9091",
            "--web.listen-address=127.0.0.1:0",
            "--web.telemetry-path=/tele",
            "--web.route-prefix=/x",
            "--web.external-url=http://a/b",
            "--web.enable-lifecycle",
            "--web.enable-admin-api",
            "--persistence.file=/tmp/x",
            "--persistence.interval=5m",
            "--push.disable-consistency-check",
            "--push.enable-utf8-names",
            "--log.level=warn",
            "--log.format=logfmt",
            "--web.systemd-socket",
            "--web.config.file=",
        ];
        let words = ["mayfly", "serve"].into_iter().chain(flags);
        let matches = Cli::command().try_get_matches_from(words).expect("they are taken");
        let values = values(&matches);
        let check =
            |name: &str, value: &str| assert_eq!(values.get(name).map(|v| &**v), Some(value), "{name}");
        check("gateway.listen-address", ":9091,127.0.0.1:0");
        check("web.enable-admin-api", "true");
        check("storage", "./mayfly-data");
        check("evaluation-interval", "1m");
        check("rules", "");
        assert!(!values.contains_key("help"));
        use clap::FromArgMatches;
        let Command::Serve(serve) = Cli::from_arg_matches(&matches).expect("they fit").command else {
            panic!("not serve")
        };
        let addresses: Vec<_> = serve.gateway.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["0.0.0.0:9091", "127.0.0.1:0"]);
    }

    #[test]
    fn addresses() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(address(text).ok().map(|address| address.to_string()).as_deref(), expect, "{text}");
        };
        check("127.0.0.1:9091", Some("127.0.0.1:9091"));
        check(":9091", Some("0.0.0.0:9091"));
        check("[::1]:9091", Some("[::1]:9091"));
        check("localhost:9091", Some("127.0.0.1:9091"));
        for text in ["", "9091", "localhost", "localhost:", "no such host:1", "127.0.0.1:99999"] {
            check(text, None);
        }
    }

    #[test]
    fn sizes() {
        let check = |text: &str, expect: Option<usize>| assert_eq!(bytes(text).ok(), expect, "{text}");
        check("65536", Some(65_536));
        check("64KiB", Some(65_536));
        check("8MiB", Some(8 << 20));
        check("1GiB", Some(1 << 30));
        for text in ["", "0", "0MiB", "-1", "1.5MiB", "8MB", "MiB", "99999999999GiB"] {
            check(text, None);
        }
    }

    #[test]
    fn what_is_too_long_names_the_limit() {
        assert_eq!(flush_interval("1m"), Ok(FLUSH_INTERVAL_MAX));
        assert!(flush_interval("61s").is_err_and(|error| error.contains("at most 60s are allowed")));
        assert_eq!(group_delay("10s"), Ok(GROUP_DELAY_MAX));
        assert!(group_delay("10s1ms").is_err_and(|error| error.contains("at most 10s are allowed")));
    }

    #[test]
    fn instants() {
        let check = |text: &str, expect: Option<i64>| assert_eq!(instant(text).ok(), expect, "{text}");
        check("2026-01-31T08:00:00Z", Some(1_769_846_400_000));
        check("2026-01-31T09:00:00.5+01:00", Some(1_769_846_400_500));
        check("1769846400.25", Some(1_769_846_400_250));
        check("-1", Some(-1_000));
        for text in ["", "yesterday", "2026-01-31", "NaN", "inf", "1e300"] {
            check(text, None);
        }
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
