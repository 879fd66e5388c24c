//! Flags about queries, with the names that Prometheus gives them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};
use query::{Results, Settings};

use crate::cli::{bytes, duration, duration_or_never};

#[derive(Args, Debug)]
pub(crate) struct QueryFlags {
    /// Experimental parts of PromQL to switch on; may be given several times, or as a list with commas
    #[arg(long = "enable-feature", value_name = "NAME", value_delimiter = ',',
        value_parser = features())]
    pub(crate) features: Vec<String>,

    /// Answer queries and rules as if what was pushed had been scraped this often, as Prometheus scrapes a Pushgateway;
    /// for comparing. A query may ask for it with a parameter as_scraped [default: step functions]
    #[arg(long = "query.as-scraped", value_name = "DURATION", value_parser = duration)]
    pub(crate) as_scraped: Option<Duration>,

    /// How old a sample may be to count at a time; what was pushed holds until it ends
    #[arg(long = "query.lookback-delta", value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub(crate) lookback: Duration,

    /// How long a query may take
    #[arg(long = "query.timeout", value_name = "DURATION", default_value = "2m", value_parser = duration)]
    pub(crate) timeout: Duration,

    /// How many samples a query may hold in memory
    #[arg(long = "query.max-samples", value_name = "COUNT", default_value = "50000000",
        value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) samples_max: u64,

    /// How many queries are evaluated at once; others wait, up to their timeout
    #[arg(long = "query.max-concurrency", value_name = "COUNT", default_value = "20",
        value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) concurrency_max: u16,

    /// How many more queries of a tenant may wait for their turn
    #[arg(long = "query.max-queued", value_name = "COUNT", default_value_t = 1_000)]
    pub(crate) queued_max: usize,

    /// Tell queries in the log that take longer, with what they did, also those that end at a limit or whose client is gone; 0
    /// is never
    #[arg(long = "query.log-slower-than", value_name = "DURATION", default_value = "0",
        value_parser = duration_or_never)]
    pub(crate) log_slower: Duration,

    /// How many series a query may read
    #[arg(long = "query.max-series", value_name = "COUNT", default_value_t = 5_000_000)]
    pub(crate) series_max: usize,

    /// How many bytes of samples, results and labels a query may hold in memory
    #[arg(long = "query.max-bytes", value_name = "BYTES", default_value = "4GiB", value_parser = size)]
    pub(crate) bytes_max: u64,

    /// A folder on a local disk, for this process alone, in which queries keep what they read of the storage, so that it
    /// need not be fetched again after a restart [default: none]
    #[arg(long = "query.cache-dir", value_name = "FOLDER")]
    pub(crate) cache_folder: Option<PathBuf>,

    /// How many bytes that folder may take
    #[arg(long = "query.cache-size", value_name = "BYTES", default_value = "1GiB", value_parser = size)]
    pub(crate) cache_bytes_max: u64,

    /// How many bytes of memory results of range queries may take that are kept for who asks for the same a little later, as
    /// dashboards do [default: none are kept]
    #[arg(long = "query.results-cache-size", value_name = "BYTES", value_parser = bytes)]
    pub(crate) results_bytes_max: Option<usize>,
}

impl QueryFlags {
    /// How queries are evaluated under these flags, on so many threads.
    pub(crate) fn settings(&self, threads: usize) -> Settings {
        let mut settings = Settings {
            threads,
            as_scraped_ms: self.as_scraped.map(milliseconds),
            lookback_ms: milliseconds(self.lookback),
            timeout_ms: milliseconds(self.timeout),
            log_slower_ms: (!self.log_slower.is_zero()).then(|| milliseconds(self.log_slower)),
            samples_max: self.samples_max,
            concurrent_queries_max: usize::from(self.concurrency_max),
            queued_queries_max: self.queued_max,
            series_max: self.series_max,
            bytes_max: self.bytes_max,
            ..Settings::default()
        };
        switch_on(&self.features, &mut settings);
        settings
    }

    /// Where results of range queries are kept, if they are.
    pub(crate) fn results(&self) -> Option<Arc<Results>> {
        self.results_bytes_max.map(|bytes_max| Arc::new(Results::new(bytes_max)))
    }

    /// For who keeps nothing of what is read.
    ///
    /// # Errors
    /// If there is to be a folder for it, or room for results.
    pub(crate) fn without_cache(&self) -> anyhow::Result<()> {
        let unused = [
            ("--query.cache-dir", self.cache_folder.is_some()),
            ("--query.results-cache-size", self.results_bytes_max.is_some()),
        ];
        match unused.iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((flag, _)) => anyhow::bail!("{flag} is for a server, which asks for the same again"),
        }
    }

    /// Whether a feature is on.
    pub(crate) fn has_feature(&self, name: &str) -> bool {
        self.features.iter().any(|feature| feature == name)
    }
}

/// Switches experimental features on.
pub(crate) fn switch_on(features: &[String], settings: &mut Settings) {
    for feature in features {
        if feature == "promql-duration-expr" {
            tracing::warn!("--enable-feature=promql-duration-expr does nothing: it is always on");
        }
        // the parser lets no other through
        let _ = edge::enable_feature(settings, feature);
    }
}

/// What a flag about features takes.
pub(crate) fn features() -> PossibleValuesParser {
    PossibleValuesParser::new(edge::FEATURES.map(|(name, what)| PossibleValue::new(name).help(what)))
}

fn size(text: &str) -> Result<u64, String> {
    bytes(text).map(|size| size as u64)
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Flags {
        #[command(flatten)]
        query: QueryFlags,
    }

    /// Without any flag.
    pub(crate) fn default_flags() -> QueryFlags {
        Flags::parse_from(["mayfly"]).query
    }

    fn settings(arguments: &[&str]) -> Result<Settings, String> {
        let arguments = [&["mayfly"], arguments].concat();
        Flags::try_parse_from(arguments)
            .map(|flags| flags.query.settings(Settings::default().threads))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn without_flags_the_settings_are_the_default() {
        assert_eq!(settings(&[]), Ok(Settings::default()));
    }

    #[test]
    fn flags_become_settings() {
        let features = "--enable-feature=promql-experimental-functions,promql-extended-range-selectors";
        let more =
            ["--enable-feature=promql-binop-fill-modifiers", "--enable-feature=promql-delayed-name-removal"];
        let found = settings(&[features, more[0], more[1], "--enable-feature=use-start-timestamps"]);
        let expect = Settings {
            syntax: query::syntax::Options::all(),
            delayed_name_removal: true,
            start_timestamps: true,
            ..Settings::default()
        };
        assert_eq!(found, Ok(expect));
        let limits = ["--query.lookback-delta=1m", "--query.timeout=90s", "--query.max-samples=7"];
        let expect =
            Settings { lookback_ms: 60_000, timeout_ms: 90_000, samples_max: 7, ..Settings::default() };
        assert_eq!(settings(&limits), Ok(expect));
        let limits = ["--query.as-scraped=15s", "--query.max-concurrency=3"];
        let expect =
            Settings { as_scraped_ms: Some(15_000), concurrent_queries_max: 3, ..Settings::default() };
        assert_eq!(settings(&limits), Ok(expect));
        let slow = settings(&["--query.log-slower-than=1s"]);
        assert_eq!(slow, Ok(Settings { log_slower_ms: Some(1_000), ..Settings::default() }));
        let limits = ["--query.max-queued=0", "--query.max-series=10", "--query.max-bytes=1000000"];
        let expect =
            Settings { queued_queries_max: 0, series_max: 10, bytes_max: 1_000_000, ..Settings::default() };
        assert_eq!(settings(&limits), Ok(expect));
    }

    #[test]
    fn what_is_no_feature_or_no_limit_is_refused() {
        let error = settings(&["--enable-feature=promql-fast"]).expect_err("is none");
        assert!(error.contains("promql-fast") && error.contains("promql-experimental-functions"), "{error}");
        for wrong in [
            "--query.lookback-delta=0s",
            "--query.timeout=5",
            "--query.max-samples=0",
            "--query.max-concurrency=0",
        ] {
            assert!(settings(&[wrong]).is_err(), "{wrong}");
        }
    }
}
