//! Flags about StatsD.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use ingest::{LabelLimits, StatsdSettings};
use model::Labels;

use crate::cli::{address, duration};

#[derive(Args, Debug)]
pub(crate) struct StatsdFlags {
    /// Where packets of StatsD and DogStatsD come over UDP; port 0 picks a free one [default: nowhere]
    #[arg(id = "statsd_address", long = "statsd.listen-address", value_name = "ADDRESS", value_parser = address)]
    pub(crate) address: Option<SocketAddr>,

    /// How often what has come by StatsD is pushed
    #[arg(id = "statsd_flush_interval", long = "statsd.flush-interval", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(crate) flush_interval: Duration,

    /// The job that what comes by StatsD is pushed as
    #[arg(id = "statsd_job", long = "statsd.job", value_name = "NAME", default_value = "statsd", value_parser = job)]
    pub(crate) job: String,
}

impl StatsdFlags {
    pub(crate) fn settings(
        &self,
        push_ttl_ms: Option<u64>,
        type_labels: bool,
        labels: LabelLimits,
    ) -> StatsdSettings {
        let group = Labels::from_pairs([("job", self.job.as_str())]);
        StatsdSettings { group, push_ttl_ms, type_labels, labels, ..StatsdSettings::default() }
    }
}

fn job(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("a job has a name".to_owned()) } else { Ok(text.to_owned()) }
}
