//! What `global` says of all jobs.

use yaml::{Node, Reader};

use super::job::{SampleLimits, protocols, size};
use super::protocol::ScrapeProtocol;
use crate::known::refuse;

/// Defaults of jobs.
#[derive(Clone, Debug)]
pub(super) struct Global {
    pub(super) interval_ms: i64,
    pub(super) timeout_ms: i64,
    pub(super) protocols: Vec<ScrapeProtocol>,
    pub(super) limits: SampleLimits,
    pub(super) target_limit: u64,
    pub(super) keep_dropped: u64,
    pub(super) with_classic: bool,
}

const INTERVAL_MS: i64 = 60_000;
const TIMEOUT_MS: i64 = 10_000;

impl Default for Global {
    fn default() -> Self {
        Self {
            interval_ms: INTERVAL_MS,
            timeout_ms: TIMEOUT_MS,
            protocols: ScrapeProtocol::DEFAULT.to_vec(),
            limits: SampleLimits::default(),
            target_limit: 0,
            keep_dropped: 0,
            with_classic: false,
        }
    }
}

const FIELDS: [&str; 11] = [
    "scrape_interval",
    "scrape_timeout",
    "scrape_protocols",
    "body_size_limit",
    "sample_limit",
    "target_limit",
    "label_limit",
    "label_name_length_limit",
    "label_value_length_limit",
    "keep_dropped_targets",
    "always_scrape_classic_histograms",
];
/// Of rules and queries, which have another reader.
const OF_OTHERS: [&str; 4] =
    ["evaluation_interval", "rule_query_offset", "external_labels", "query_log_file"];
pub(super) const NO_FAILURE_LOG: &str = "why a scrape failed is shown by /api/v1/targets and told in the log";
pub(super) const NO_CUSTOM_BUCKETS: &str = "classic histograms are stored as they are";
pub(super) const UTF8_NAMES: &str = "names are UTF-8";
const UNSUPPORTED: [(&str, &str); 5] = [
    ("scrape_failure_log_file", NO_FAILURE_LOG),
    ("convert_classic_histograms_to_nhcb", NO_CUSTOM_BUCKETS),
    ("metric_name_validation_scheme", UTF8_NAMES),
    ("metric_name_escaping_scheme", UTF8_NAMES),
    ("scrape_native_histograms", "they come from targets that are asked for PrometheusProto"),
];

impl Global {
    pub(super) fn read(reader: &mut Reader, node: &Node) -> Self {
        let (mut global, mut timeout) = (Self::default(), None);
        for (key, value) in reader.entries(node, "global") {
            let number = |reader: &mut Reader| reader.parsed(&value, str::parse::<u64>).unwrap_or(0);
            match &*key.0 {
                "scrape_interval" => {
                    let interval = reader.parsed(&value, model::duration::parse).filter(|ms| *ms > 0);
                    global.interval_ms = interval.unwrap_or(INTERVAL_MS);
                }
                "scrape_timeout" => {
                    timeout = reader
                        .parsed(&value, model::duration::parse)
                        .filter(|ms| *ms > 0)
                        .map(|ms| (key.1, ms));
                }
                "scrape_protocols" => global.protocols = protocols(reader, &value, "in global config"),
                "body_size_limit" => global.limits.body_bytes_max = size(reader, &value),
                "sample_limit" => global.limits.samples_max = number(reader),
                "target_limit" => global.target_limit = number(reader),
                "label_limit" => global.limits.labels_max = number(reader),
                "label_name_length_limit" => global.limits.label_name_bytes_max = number(reader),
                "label_value_length_limit" => global.limits.label_value_bytes_max = number(reader),
                "keep_dropped_targets" => global.keep_dropped = number(reader),
                "always_scrape_classic_histograms" => global.with_classic = reader.bool(&value),
                other if OF_OTHERS.contains(&other) => {}
                _ => refuse(reader, &key, "global", &FIELDS, &UNSUPPORTED),
            }
        }
        match timeout {
            Some((at, ms)) if ms > global.interval_ms => {
                reader.complain(at, "global scrape timeout greater than scrape interval");
            }
            Some((_, ms)) => global.timeout_ms = ms,
            None => global.timeout_ms = TIMEOUT_MS.min(global.interval_ms),
        }
        global
    }
}
