//! The whole file.

use model::Labels;
use model::quote::quoted;
use relabel::Rule;
use yaml::{Node, PlacedMistake, Reader, YamlError};

use crate::alertmanager::{self, AlertmanagersConfig};
use crate::expand::expand;
use crate::file;
use crate::known::{NO_SCRAPE, refuse};
use crate::otlp::{self, OtlpConfig};

/// The largest configuration file that is read.
pub const CONFIG_BYTES_MAX: usize = 1 << 20;

/// A configuration without mistakes.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// For rule groups that set no interval of their own.
    pub evaluation_interval_ms: Option<i64>,
    /// For rule groups that set no `query_offset` of their own.
    pub rule_query_offset_ms: i64,
    /// Added to alerts when they are sent, unless they have these labels.
    pub external_labels: Labels,
    /// Files and patterns; those that are relative are so to the folder of the configuration.
    pub rule_files: Vec<String>,
    /// What becomes of alerts before they are sent, behind the external labels.
    pub alert_relabel: Vec<Rule>,
    /// Whom alerts are sent to.
    pub alertmanagers: Vec<AlertmanagersConfig>,
    /// How what comes as OTLP is made into series.
    pub otlp: OtlpConfig,
}

/// Everything that is wrong with a configuration file, a line for each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .mistakes.iter().map(|mistake| format!("{file}{mistake}")).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError {
    /// The path as it was given.
    pub file: String,
    /// What is wrong, in the order of the file.
    pub mistakes: Vec<ConfigMistake>,
}

/// One thing that is wrong. `Display` is what follows the path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigMistake {
    /// It is larger than a configuration may be.
    #[error(": the file has {bytes} bytes; the limit is {CONFIG_BYTES_MAX}")]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
    /// It is no YAML.
    #[error(":{}", yaml_place(.0))]
    Yaml(YamlError),
    /// Something in it.
    #[error(":{0}")]
    Placed(PlacedMistake),
}

fn yaml_place(error: &YamlError) -> String {
    match error {
        YamlError::Syntax { line, .. } | YamlError::TooDeep { line } => format!("{line}: {error}"),
        YamlError::TooLarge => format!(" {error}"),
    }
}

const FIELDS: [&str; 4] = ["global", "rule_files", "alerting", "otlp"];
const UNSUPPORTED: [(&str, &str); 8] = [
    ("scrape_configs", NO_SCRAPE),
    ("scrape_config_files", NO_SCRAPE),
    ("runtime", "Mayfly is no Go program"),
    ("remote_write", "Mayfly sends samples nowhere"),
    ("remote_read", "Mayfly reads its own storage alone"),
    ("storage", "the storage is set by flags, --storage.…"),
    ("tracing", "Mayfly sends no traces"),
    ("tls_server_config", "it belongs to another file, --web.config.file"),
];
const GLOBAL: [&str; 3] = ["evaluation_interval", "rule_query_offset", "external_labels"];
const GLOBAL_UNSUPPORTED: [(&str, &str); 17] = [
    ("scrape_interval", NO_SCRAPE),
    ("scrape_timeout", NO_SCRAPE),
    ("scrape_protocols", NO_SCRAPE),
    ("scrape_failure_log_file", NO_SCRAPE),
    ("scrape_native_histograms", NO_SCRAPE),
    ("body_size_limit", NO_SCRAPE),
    ("sample_limit", NO_SCRAPE),
    ("target_limit", NO_SCRAPE),
    ("label_limit", NO_SCRAPE),
    ("label_name_length_limit", NO_SCRAPE),
    ("label_value_length_limit", NO_SCRAPE),
    ("keep_dropped_targets", NO_SCRAPE),
    ("convert_classic_histograms_to_nhcb", NO_SCRAPE),
    ("always_scrape_classic_histograms", NO_SCRAPE),
    ("query_log_file", "Mayfly keeps no log of queries"),
    ("metric_name_validation_scheme", "names are UTF-8"),
    ("metric_name_escaping_scheme", "names are UTF-8"),
];
const ALERTING: [&str; 2] = ["alert_relabel_configs", "alertmanagers"];

impl Config {
    /// Reads a configuration. `file` names it in mistakes; `variable` is a variable of the environment, for external labels.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read(
        file: &str,
        text: &str,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        file::read(file, text, |reader, root| {
            let mut config = Self::default();
            config.file(reader, root, variable);
            config
        })
    }

    fn file(&mut self, reader: &mut Reader, root: &Node, variable: &dyn Fn(&str) -> Option<String>) {
        for (key, value) in reader.entries(root, "the configuration") {
            match &*key.0 {
                "global" => self.global(reader, &value, variable),
                "rule_files" => {
                    let items = reader.items(&value, "rule_files");
                    self.rule_files.extend(items.iter().filter_map(|item| rule_file(reader, item)));
                }
                "alerting" => self.alerting(reader, &value),
                "otlp" => self.otlp = otlp::read(reader, &value),
                _ => refuse(reader, &key, "the configuration", &FIELDS, &UNSUPPORTED),
            }
        }
    }

    fn global(&mut self, reader: &mut Reader, node: &Node, variable: &dyn Fn(&str) -> Option<String>) {
        for (key, value) in reader.entries(node, "global") {
            match &*key.0 {
                // 0 is the default, as in Prometheus
                "evaluation_interval" => {
                    self.evaluation_interval_ms =
                        reader.parsed(&value, model::duration::parse).filter(|ms| *ms > 0);
                }
                "rule_query_offset" => {
                    self.rule_query_offset_ms = reader.parsed(&value, model::duration::parse).unwrap_or(0);
                }
                "external_labels" => self.external_labels = external_labels(reader, &value, variable),
                _ => refuse(reader, &key, "global", &GLOBAL, &GLOBAL_UNSUPPORTED),
            }
        }
    }

    fn alerting(&mut self, reader: &mut Reader, node: &Node) {
        for (key, value) in reader.entries(node, "alerting") {
            match &*key.0 {
                "alert_relabel_configs" => {
                    self.alert_relabel = relabel::read_all(reader, &value, "alert_relabel_configs");
                }
                "alertmanagers" => {
                    for item in reader.items(&value, "alertmanagers") {
                        self.alertmanagers.push(alertmanager::read(reader, &item));
                    }
                }
                _ => reader.unknown(&key, "alerting", &ALERTING),
            }
        }
    }
}

/// As in Prometheus, only the last part of the path may be a pattern.
fn rule_file(reader: &mut Reader, node: &Node) -> Option<String> {
    let path = reader.string(node);
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    if path.is_empty() {
        reader.complain(node.position, "a rule file must have a path");
        None
    } else if folder.contains(['*', '?', '[']) {
        reader.complain(node.position, format!("invalid rule file path {}", quoted(&path)));
        None
    } else {
        Some(path)
    }
}

fn external_labels(reader: &mut Reader, node: &Node, variable: &dyn Fn(&str) -> Option<String>) -> Labels {
    let mut labels = Vec::new();
    for ((name, at), value) in reader.entries(node, "external_labels") {
        if name.is_empty() {
            reader.complain(at, format!("{} is not a valid label name", quoted(&name)));
        }
        labels.push((name.to_string(), expand(&reader.string(&value), variable)));
    }
    Labels::from_pairs(labels)
}
