//! What is scraped, and how: `scrape_configs`, and what `global` says of them.
//!
//! Defaults, checks and their texts are those of Prometheus 3.5.

mod aws;
mod discovery;
mod global;
mod job;
mod protocol;

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use model::Labels;
use model::quote::quoted;
use yaml::{Node, Reader};

use crate::config::ConfigError;
use crate::file;
use crate::groups::{self, TargetGroup};
use crate::known::refuse;
use global::Global;

pub use aws::{AwsDiscovery, AwsRole, Ec2Filter};
pub use discovery::{DnsDiscovery, DnsRecord, FileDiscovery, HttpDiscovery};
pub use job::{SampleLimits, ScrapeConfig};
pub use protocol::ScrapeProtocol;

/// Jobs whose targets are scraped.
#[derive(Clone, Debug, Default)]
pub struct ScrapeConfigs {
    /// In the order of the file; their names differ.
    pub jobs: Vec<ScrapeConfig>,
}

const FIELDS: [&str; 2] = ["global", "scrape_configs"];
/// What the rest of a Prometheus' configuration is for is read by others, where they are given the same file.
const OF_OTHERS: [&str; 6] = ["rule_files", "alerting", "otlp", "storage", "tracing", "runtime"];
const UNSUPPORTED: [(&str, &str); 3] = [
    ("scrape_config_files", "jobs stand in the file itself, under scrape_configs"),
    ("remote_write", "Mayfly sends samples nowhere: what is scraped is stored"),
    ("remote_read", "Mayfly reads its own storage alone"),
];

impl ScrapeConfigs {
    /// Reads a configuration. `file` names it in mistakes. Of a whole configuration of a Prometheus, rules and Alertmanagers are not
    /// looked at.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read(file: &str, text: &str) -> Result<Self, ConfigError> {
        file::read(file, text, |reader, root| {
            let mut configs = Self::default();
            configs.file(reader, root);
            configs
        })
    }

    fn file(&mut self, reader: &mut Reader, root: &Node) {
        let (mut global, mut jobs) = (Global::default(), None);
        for (key, value) in reader.entries(root, "the configuration") {
            match &*key.0 {
                "global" => global = Global::read(reader, &value),
                "scrape_configs" => jobs = Some(value),
                other if OF_OTHERS.contains(&other) => {}
                _ => refuse(reader, &key, "the configuration", &FIELDS, &UNSUPPORTED),
            }
        }
        let Some(jobs) = jobs else { return };
        let mut names = HashSet::new();
        for item in reader.items(&jobs, "scrape_configs") {
            if item.is_null() {
                reader.complain(item.position, "empty or null scrape config section");
                continue;
            }
            let job = ScrapeConfig::read(reader, &item, &global);
            if !job.name.is_empty() && !names.insert(job.name.clone()) {
                let text = format!("found multiple scrape configs with job name {}", quoted(&job.name));
                reader.complain(item.position, text);
            }
            self.jobs.push(job);
        }
    }
}

/// Groups of targets as files of targets and answers of discovery have them: a list, as YAML or JSON.
///
/// # Errors
/// All that is wrong with it, in one line.
pub fn target_groups(text: &str) -> Result<Vec<TargetGroup>, String> {
    let document = yaml::parse(text).map_err(|error| error.to_string())?;
    let mut reader = Reader::new();
    let groups =
        document.root.as_ref().map(|root| groups::read_all(&mut reader, root, "the list of targets"));
    reader
        .finish()
        .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    Ok(groups.unwrap_or_default())
}

/// The labels of a target that nobody has relabelled: what its group says, and its address.
pub(crate) const ADDRESS: &str = "__address__";

impl TargetGroup {
    /// The labels of each target.
    pub fn label_sets(&self) -> impl Iterator<Item = Labels> {
        self.targets
            .iter()
            .map(|(_, address)| self.labels.to_builder().set(ADDRESS, address.as_str()).build())
    }
}
