//! What an operator may set about the gateway.

use serde::{Deserialize, Serialize};
use wire::Limits;

/// What the web side of a gateway looks like. The names in brackets are flags of the Pushgateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Web {
    /// What every path begins with (`--web.route-prefix`).
    pub route_prefix: String,
    /// Where everything that is held can be scraped (`--web.telemetry-path`).
    pub telemetry_path: String,
    /// Whether all groups, or those that a selector names, may be deleted at once (`--web.enable-admin-api`).
    pub admin_api: bool,
    /// Whether the process may be ended by a request (`--web.enable-lifecycle`).
    pub lifecycle: bool,
    /// Whether whoever asks for OpenMetrics gets it. It calls a counter `a` `a_total`, so what is scraped changes names.
    pub openmetrics: bool,
}

impl Default for Web {
    fn default() -> Self {
        Self {
            route_prefix: String::new(),
            telemetry_path: "/metrics".to_owned(),
            admin_api: false,
            lifecycle: false,
            openmetrics: false,
        }
    }
}

/// Limits of pushes and scrapes. An error that is due to one names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Paths, and what may be asked for.
    pub web: Web,
    /// Whether a push that contradicts itself, or what other groups of this process hold, is refused. Without, every push is
    /// answered 202, and one that contradicts itself is dropped (`--push.disable-consistency-check` of the Pushgateway).
    pub consistency_check: bool,
    /// Whether names of metrics and labels may hold any character (`--push.enable-utf8-names` of the Pushgateway).
    pub utf8_names: bool,
    /// Whether series get the labels `__type__` and `__unit__` of their family. `/metrics` and the API do not show them.
    pub type_labels: bool,
    /// Whether text may have CRLF for its line ends, and none after its last line.
    pub lenient_text: bool,
    /// Whether samples may have a time of their own, where there is somewhere to put them. They become samples of that time, which no
    /// group holds.
    pub timestamps: bool,
    /// How far such a time may be ahead of the clock.
    pub samples_ahead_max_ms: i64,
    /// How long a group lives if nobody pushes to it again, where a push does not say so itself; `None`: for ever.
    pub push_ttl_ms: Option<u64>,
    /// Pushes that are worked on at once; one more is answered 503.
    pub pushes_in_flight_max: usize,
    /// How long a push waits, at the start of a process, until it is known what the store holds. After that it is compared
    /// with what was pushed to this process only.
    pub known_wait_ms: u64,
    /// How long a client may take to send a body; whoever is slower only loses its own place.
    pub body_timeout_ms: u64,
    /// Bytes of a body as it is sent.
    pub body_bytes_max: usize,
    /// Bytes of a body once it is inflated.
    pub inflated_body_bytes_max: usize,
    /// Requests of one batch.
    pub requests_per_batch_max: usize,
    /// Series of one push, with every bucket and quantile as one.
    pub series_per_push_max: usize,
    /// Exemplars of one series of a push: of more, the newest are stored.
    pub exemplars_per_series_max: usize,
    /// Labels of one series, with those of its group.
    pub labels_per_series_max: usize,
    /// Bytes of a label's name.
    pub label_name_bytes_max: usize,
    /// Bytes of a label's value.
    pub label_value_bytes_max: usize,
    /// Bytes of a metric's name.
    pub metric_name_bytes_max: usize,
    /// Bytes of a help text.
    pub help_bytes_max: usize,
    /// Bytes of an `Idempotency-Key`.
    pub idempotency_key_bytes_max: usize,
    /// Keys that are remembered, so that a retry costs nothing and a key used twice is refused. That a key counts once
    /// does not depend on it.
    pub idempotency_keys_max: usize,
    /// Answers that show all that is held (`/metrics`, `/api/v1/metrics`, the page) being made or sent at once.
    pub scrapes_at_once_max: usize,
    /// Series that one scrape of `/metrics` may show.
    pub series_per_scrape_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            web: Web::default(),
            consistency_check: true,
            utf8_names: false,
            type_labels: false,
            lenient_text: false,
            timestamps: false,
            samples_ahead_max_ms: 600_000,
            push_ttl_ms: None,
            pushes_in_flight_max: 512,
            known_wait_ms: 10_000,
            body_timeout_ms: 30_000,
            body_bytes_max: 16 << 20,
            inflated_body_bytes_max: 64 << 20,
            requests_per_batch_max: 1_000,
            series_per_push_max: 250_000,
            exemplars_per_series_max: 100,
            labels_per_series_max: 64,
            label_name_bytes_max: 1 << 10,
            label_value_bytes_max: 8 << 10,
            metric_name_bytes_max: 1 << 10,
            help_bytes_max: 16 << 10,
            idempotency_key_bytes_max: 255,
            idempotency_keys_max: 100_000,
            scrapes_at_once_max: 32,
            series_per_scrape_max: 5_000_000,
        }
    }
}

impl Settings {
    /// What a decoder may be asked to hold.
    pub(crate) fn decoder_limits(&self) -> Limits {
        Limits {
            bytes_max: self.inflated_body_bytes_max,
            samples_max: self.series_per_push_max,
            labels_max: self.labels_per_series_max,
        }
    }
}
