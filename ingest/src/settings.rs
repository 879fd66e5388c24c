//! What an operator may set about receivers.

use serde::{Deserialize, Serialize};
use wire::Limits;

use crate::labels::LabelLimits;

/// Limits of requests. An error that is due to one names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Requests that are worked on at once; one more is answered 503.
    pub writes_in_flight_max: usize,
    /// How long a sender may take to send a body.
    pub body_timeout_ms: u64,
    /// Bytes of a body as it is sent.
    pub body_bytes_max: usize,
    /// Bytes of a body once it is inflated, and of all its labels.
    pub inflated_body_bytes_max: usize,
    /// Bytes of a body of OTLP in JSON once it is inflated: what it becomes takes much more than it.
    pub otlp_json_bytes_max: usize,
    /// Series, samples, buckets and exemplars of one request, together.
    pub samples_per_request_max: usize,
    /// Exemplars of one series in one request: of more, the newest are stored.
    pub exemplars_per_series_max: usize,
    /// Labels of one series.
    pub labels_per_series_max: usize,
    /// Bytes of a label's name.
    pub label_name_bytes_max: usize,
    /// Bytes of the metric's name.
    pub metric_name_bytes_max: usize,
    /// Bytes of a label's value.
    pub label_value_bytes_max: usize,
    /// Bytes of label sets of remote write that are remembered, so that those which come again are not read again.
    pub known_labels_bytes_max: usize,
    /// Whether series get the labels `__type__` and `__unit__` of the metadata that comes with them.
    pub type_labels: bool,
    /// How far the time of a sample may be ahead of the clock.
    pub samples_ahead_max_ms: i64,
    /// How old a sample may be; `None`: as old as 1970.
    pub samples_age_max_ms: Option<i64>,
    /// How long deltas are held if no more come from the same `job` and `instance`; `None`: for ever.
    pub push_ttl_ms: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        let LabelLimits {
            labels_per_series_max,
            metric_name_bytes_max,
            label_name_bytes_max,
            label_value_bytes_max,
        } = LabelLimits::default();
        Self {
            writes_in_flight_max: 256,
            body_timeout_ms: 30_000,
            body_bytes_max: 16 << 20,
            inflated_body_bytes_max: 64 << 20,
            otlp_json_bytes_max: 8 << 20,
            samples_per_request_max: 1_000_000,
            exemplars_per_series_max: 100,
            labels_per_series_max,
            metric_name_bytes_max,
            label_name_bytes_max,
            label_value_bytes_max,
            known_labels_bytes_max: 64 << 20,
            type_labels: false,
            samples_ahead_max_ms: 600_000,
            samples_age_max_ms: None,
            push_ttl_ms: None,
        }
    }
}

impl Settings {
    /// Those of one series.
    pub fn label_limits(&self) -> LabelLimits {
        LabelLimits {
            labels_per_series_max: self.labels_per_series_max,
            metric_name_bytes_max: self.metric_name_bytes_max,
            label_name_bytes_max: self.label_name_bytes_max,
            label_value_bytes_max: self.label_value_bytes_max,
        }
    }

    /// What a decoder may be asked to hold.
    pub(crate) fn decoder_limits(&self) -> Limits {
        Limits {
            bytes_max: self.inflated_body_bytes_max,
            samples_max: self.samples_per_request_max,
            labels_max: self.labels_per_series_max,
        }
    }
}
