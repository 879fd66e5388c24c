//! What an engine can be told.

use serde::Deserialize;

use crate::syntax::Options;

/// How queries are evaluated, and what they may use.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How old a sample may be to count at a time. (What was pushed holds until it ends.)
    pub lookback_ms: i64,
    /// Where functions that weight by number of samples see what was pushed: at every multiple of this.
    pub hold_interval_ms: i64,
    /// Evaluate what was pushed as if it had been scraped at every multiple of this, instead of as step functions.
    pub as_scraped_ms: Option<i64>,
    /// The step of subqueries that state none.
    pub subquery_step_ms: i64,
    /// How many samples a query may hold in memory.
    pub samples_max: u64,
    /// How many series a query may read.
    pub series_max: usize,
    /// How much memory the samples and values of a query may take. Text of labels counts too.
    pub bytes_max: u64,
    /// How many points a series of a range query may have.
    pub points_max: usize,
    /// How many queries the API evaluates at the same time.
    pub concurrent_queries_max: usize,
    /// How many of one tenant at the same time, where several share an API's places; `None`: as many as of all.
    pub tenant_queries_max: Option<usize>,
    /// How many more of one tenant may wait for their turn.
    pub queued_queries_max: usize,
    /// How long a query may take.
    pub timeout_ms: i64,
    /// Queries that take longer are logged; `None`: none.
    pub log_slower_ms: Option<i64>,
    /// How many threads compute one query. Results do not depend on it, to the bit.
    pub threads: usize,
    /// Whether names go away at the end of a query instead of with the first operation.
    pub delayed_name_removal: bool,
    /// Whether `rate`, `increase`, `irate` and `resets` heed since when samples count.
    pub start_timestamps: bool,
    /// Whether `rate` and `increase` judge by a label `__type__`, instead of by names, what a counter is.
    pub type_labels: bool,
    /// Whether the API tells, for those who ask with `stats=all`, how many samples were looked at for each time.
    pub per_step_stats: bool,
    /// Which experimental parts of the language are switched on.
    pub syntax: Options,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lookback_ms: 5 * 60_000,
            hold_interval_ms: 15_000,
            as_scraped_ms: None,
            subquery_step_ms: 60_000,
            samples_max: 50_000_000,
            series_max: 5_000_000,
            bytes_max: 4 << 30,
            points_max: 11_000,
            concurrent_queries_max: 20,
            tenant_queries_max: None,
            queued_queries_max: 1_000,
            timeout_ms: 2 * 60_000,
            log_slower_ms: None,
            threads: 1,
            delayed_name_removal: false,
            start_timestamps: false,
            type_labels: false,
            per_step_stats: false,
            syntax: Options::stable(),
        }
    }
}

/// What one query may say about its evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueryOptions {
    /// Instead of the engine's.
    pub lookback_ms: Option<i64>,
    /// At most the engine's.
    pub timeout_ms: Option<i64>,
    /// Instead of the engine's; 0 for step functions.
    pub as_scraped_ms: Option<i64>,
    /// Whether to count how many samples are looked at for each time.
    pub tallied: bool,
    /// Whether to count and measure what each piece of the query does.
    pub explained: bool,
}
