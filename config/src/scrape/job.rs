//! One of `scrape_configs`.

use std::collections::BTreeMap;

use model::quote::quoted;
use relabel::Rule;
use yaml::{Node, Reader};

use super::aws::{self, AwsDiscovery};
use super::discovery::{self, DnsDiscovery, FileDiscovery, HttpDiscovery};
use super::global::{Global, NO_CUSTOM_BUCKETS, NO_FAILURE_LOG, UTF8_NAMES};
use super::protocol::ScrapeProtocol;
use crate::client::{self, ClientFields, HttpClientConfig};
use crate::groups::{self, TargetGroup};
use crate::known::refuse;

/// Targets that are scraped in the same way.
#[derive(Clone, Debug)]
pub struct ScrapeConfig {
    /// The label `job` of its targets, unless they have one.
    pub name: String,
    /// From one scrape to the next.
    pub interval_ms: i64,
    /// How long one may take.
    pub timeout_ms: i64,
    /// What targets are asked for, the best first.
    pub protocols: Vec<ScrapeProtocol>,
    /// What an answer is that does not say it.
    pub fallback: Option<ScrapeProtocol>,
    /// Whether labels of samples win over those of their target.
    pub honor_labels: bool,
    /// Whether times of samples count.
    pub honor_timestamps: bool,
    /// Whether series whose samples have times end when they are no longer there.
    pub ends_timestamped: bool,
    /// Whether classic buckets of native histograms are stored too.
    pub with_classic: bool,
    /// The path that is asked for.
    pub path: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Parameters of the request.
    pub params: BTreeMap<String, Vec<String>>,
    /// Whether answers may be compressed.
    pub compression: bool,
    /// Whether redirections are followed.
    pub follow_redirects: bool,
    /// Who asks.
    pub client: HttpClientConfig,
    /// Targets that are known.
    pub groups: Vec<TargetGroup>,
    /// Files of targets.
    pub files: Vec<FileDiscovery>,
    /// Servers that know targets.
    pub servers: Vec<HttpDiscovery>,
    /// Names that have targets.
    pub names: Vec<DnsDiscovery>,
    /// Where AWS is asked for targets.
    pub aws: Vec<AwsDiscovery>,
    /// What becomes of targets.
    pub relabel: Vec<Rule>,
    /// What becomes of samples.
    pub metric_relabel: Vec<Rule>,
    /// What a scrape may hold.
    pub limits: SampleLimits,
    /// With more targets none is scraped; 0 is any number.
    pub target_limit: u64,
    /// So many dropped targets are shown; 0 is all.
    pub keep_dropped: u64,
}

/// Limits of a scrape; 0 is none. Beyond one of them all of the scrape fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleLimits {
    /// Bytes of an answer, uncompressed.
    pub body_bytes_max: u64,
    /// Samples that are stored.
    pub samples_max: u64,
    /// Labels of a sample, its name included.
    pub labels_max: u64,
    /// Bytes of the name of a label.
    pub label_name_bytes_max: u64,
    /// Bytes of the value of a label.
    pub label_value_bytes_max: u64,
    /// Buckets of a native histogram; it is made coarser until it has no more.
    pub buckets_max: u64,
}

const WHAT: &str = "a scrape config";
const FIELDS: [&str; 33] = [
    "job_name",
    "scrape_interval",
    "scrape_timeout",
    "scrape_protocols",
    "fallback_scrape_protocol",
    "honor_labels",
    "honor_timestamps",
    "track_timestamps_staleness",
    "always_scrape_classic_histograms",
    "metrics_path",
    "scheme",
    "params",
    "enable_compression",
    "follow_redirects",
    "enable_http2",
    "static_configs",
    "file_sd_configs",
    "http_sd_configs",
    "dns_sd_configs",
    "ec2_sd_configs",
    "ecs_sd_configs",
    "aws_sd_configs",
    "relabel_configs",
    "metric_relabel_configs",
    "body_size_limit",
    "sample_limit",
    "target_limit",
    "label_limit",
    "label_name_length_limit",
    "label_value_length_limit",
    "native_histogram_bucket_limit",
    "keep_dropped_targets",
    "metric_name_validation_scheme",
];
const DISCOVERY: &str = "targets are found by static_configs, file_sd_configs, http_sd_configs, dns_sd_configs, ec2_sd_configs, ecs_sd_configs and aws_sd_configs";
const UNSUPPORTED: [(&str, &str); 34] = [
    ("convert_classic_histograms_to_nhcb", NO_CUSTOM_BUCKETS),
    ("native_histogram_min_bucket_factor", "native histograms are stored as fine as they come"),
    ("scrape_failure_log_file", NO_FAILURE_LOG),
    ("scrape_native_histograms", "they come from targets that are asked for PrometheusProto"),
    ("metric_name_escaping_scheme", UTF8_NAMES),
    ("oauth2", "there are basic_auth, authorization and sigv4"),
    ("proxy_connect_header", client::NO_CONNECT_HEADER),
    ("azure_sd_configs", DISCOVERY),
    ("consul_sd_configs", DISCOVERY),
    ("digitalocean_sd_configs", DISCOVERY),
    ("docker_sd_configs", DISCOVERY),
    ("dockerswarm_sd_configs", DISCOVERY),
    ("eureka_sd_configs", DISCOVERY),
    ("gce_sd_configs", DISCOVERY),
    ("hetzner_sd_configs", DISCOVERY),
    ("ionos_sd_configs", DISCOVERY),
    ("kubernetes_sd_configs", DISCOVERY),
    ("kuma_sd_configs", DISCOVERY),
    ("lightsail_sd_configs", DISCOVERY),
    ("linode_sd_configs", DISCOVERY),
    ("marathon_sd_configs", DISCOVERY),
    ("msk_sd_configs", DISCOVERY),
    ("nerve_sd_configs", DISCOVERY),
    ("nomad_sd_configs", DISCOVERY),
    ("openstack_sd_configs", DISCOVERY),
    ("ovhcloud_sd_configs", DISCOVERY),
    ("puppetdb_sd_configs", DISCOVERY),
    ("scaleway_sd_configs", DISCOVERY),
    ("serverset_sd_configs", DISCOVERY),
    ("stackit_sd_configs", DISCOVERY),
    ("triton_sd_configs", DISCOVERY),
    ("uyuni_sd_configs", DISCOVERY),
    ("vultr_sd_configs", DISCOVERY),
    ("elasticache_sd_configs", DISCOVERY),
];

impl ScrapeConfig {
    fn new(global: &Global) -> Self {
        Self {
            name: String::new(),
            interval_ms: global.interval_ms,
            timeout_ms: global.timeout_ms,
            protocols: global.protocols.clone(),
            fallback: None,
            honor_labels: false,
            honor_timestamps: true,
            ends_timestamped: false,
            with_classic: global.with_classic,
            path: "/metrics".to_owned(),
            scheme: "http".to_owned(),
            params: BTreeMap::new(),
            compression: true,
            follow_redirects: true,
            client: HttpClientConfig::default(),
            groups: Vec::new(),
            files: Vec::new(),
            servers: Vec::new(),
            names: Vec::new(),
            aws: Vec::new(),
            relabel: Vec::new(),
            metric_relabel: Vec::new(),
            limits: global.limits,
            target_limit: global.target_limit,
            keep_dropped: global.keep_dropped,
        }
    }

    pub(super) fn read(reader: &mut Reader, node: &Node, global: &Global) -> Self {
        let (mut job, mut client) = (Self::new(global), ClientFields::default());
        let entries = reader.entries(node, WHAT);
        // its name stands in what is told of other fields
        if let Some((_, name)) = entries.iter().find(|(key, _)| &*key.0 == "job_name") {
            job.name = reader.string(name);
        }
        if job.name.is_empty() {
            reader.complain(node.position, "job_name is empty");
        }
        let (mut interval, mut timeout) = (None, None);
        for (key, value) in entries {
            let duration =
                |reader: &mut Reader| reader.parsed(&value, model::duration::parse).filter(|ms| *ms > 0);
            match &*key.0 {
                "job_name" => {}
                "scrape_interval" => interval = duration(reader),
                "scrape_timeout" => timeout = duration(reader),
                _ if client.take(reader, &key, &value) || job.limit(reader, &key.0, &value) => {}
                _ if job.discovery(reader, &key.0, &value) || job.field(reader, &key.0, &value) => {}
                _ => {
                    let known = [&FIELDS[..], &client::FIELDS].concat();
                    refuse(reader, &key, WHAT, &known, &UNSUPPORTED);
                }
            }
        }
        job.client = client.finish(reader);
        job.times(reader, node, interval, timeout);
        job
    }

    /// An interval that is shorter than the usual timeout makes that shorter, and a timeout of its own is no longer than its interval.
    fn times(&mut self, reader: &mut Reader, node: &Node, interval: Option<i64>, timeout: Option<i64>) {
        self.interval_ms = interval.unwrap_or(self.interval_ms);
        match timeout {
            Some(ms) if ms > self.interval_ms => {
                let name = quoted(&self.name);
                let text = format!(
                    "scrape timeout greater than scrape interval for scrape config with job name {name}"
                );
                reader.complain(node.position, text);
            }
            Some(ms) => self.timeout_ms = ms,
            None => self.timeout_ms = self.timeout_ms.min(self.interval_ms),
        }
    }

    fn field(&mut self, reader: &mut Reader, key: &str, value: &Node) -> bool {
        match key {
            "scrape_protocols" => {
                let of = format!("for scrape config with job name {}", quoted(&self.name));
                self.protocols = protocols(reader, value, &of);
            }
            "fallback_scrape_protocol" => {
                let of = format!(
                    "invalid fallback_scrape_protocol for scrape config with job name {}",
                    quoted(&self.name)
                );
                let named =
                    |name: &str| ScrapeProtocol::named(name).map_err(|error| format!("{of}: {error}"));
                self.fallback = reader.parsed(value, named);
            }
            "honor_labels" => self.honor_labels = reader.bool(value),
            "honor_timestamps" => self.honor_timestamps = reader.bool(value),
            "track_timestamps_staleness" => self.ends_timestamped = reader.bool(value),
            "always_scrape_classic_histograms" => self.with_classic = reader.bool(value),
            "metrics_path" => self.path = reader.string(value),
            "scheme" => self.scheme = reader.string(value),
            "params" => self.params = params(reader, value),
            "enable_compression" => self.compression = reader.bool(value),
            "follow_redirects" => self.follow_redirects = reader.bool(value),
            // HTTP/1.1 is spoken whatever this says
            "enable_http2" => _ = reader.bool(value),
            "metric_name_validation_scheme" => {
                if reader.string(value) != "utf8" {
                    reader.complain(
                        value.position,
                        "metric_name_validation_scheme: names are UTF-8; expected utf8",
                    );
                }
            }
            "relabel_configs" => self.relabel = rules(reader, value, "target"),
            "metric_relabel_configs" => self.metric_relabel = rules(reader, value, "metric"),
            _ => return false,
        }
        true
    }

    fn limit(&mut self, reader: &mut Reader, key: &str, value: &Node) -> bool {
        let limit = match key {
            "body_size_limit" => {
                self.limits.body_bytes_max = size(reader, value);
                return true;
            }
            "sample_limit" => &mut self.limits.samples_max,
            "label_limit" => &mut self.limits.labels_max,
            "label_name_length_limit" => &mut self.limits.label_name_bytes_max,
            "label_value_length_limit" => &mut self.limits.label_value_bytes_max,
            "native_histogram_bucket_limit" => &mut self.limits.buckets_max,
            "target_limit" => &mut self.target_limit,
            "keep_dropped_targets" => &mut self.keep_dropped,
            _ => return false,
        };
        *limit = reader.parsed(value, str::parse::<u64>).unwrap_or(0);
        true
    }

    fn discovery(&mut self, reader: &mut Reader, key: &str, value: &Node) -> bool {
        match key {
            "static_configs" => {
                self.groups = groups::read_all(reader, value, "static_configs");
                for (at, address) in self.groups.iter().flat_map(|group| &group.targets) {
                    if address.contains('/') {
                        reader.complain(*at, format!("{} is not a valid hostname", quoted(address)));
                    }
                }
            }
            "file_sd_configs" => self.files = each(reader, value, key, discovery::file),
            "http_sd_configs" => self.servers = each(reader, value, key, discovery::http),
            "dns_sd_configs" => self.names = each(reader, value, key, discovery::dns),
            "ec2_sd_configs" => self.aws.extend(each(reader, value, key, aws::ec2)),
            "ecs_sd_configs" => self.aws.extend(each(reader, value, key, aws::ecs)),
            "aws_sd_configs" => self.aws.extend(each(reader, value, key, aws::any)),
            _ => return false,
        }
        true
    }
}

/// The entries of a list, none of which may be null; `what` names it in mistakes.
fn each<T>(reader: &mut Reader, node: &Node, what: &str, read: fn(&mut Reader, &Node) -> T) -> Vec<T> {
    let mut found = Vec::new();
    for item in reader.items(node, what) {
        if item.is_null() {
            reader.complain(item.position, format!("empty or null section in {what}"));
        } else {
            found.push(read(reader, &item));
        }
    }
    found
}

fn rules(reader: &mut Reader, value: &Node, what: &str) -> Vec<Rule> {
    for item in reader.items(value, "relabelling rules") {
        if item.is_null() {
            let text = format!("empty or null {what} relabeling rule in scrape config");
            reader.complain(item.position, text);
            return Vec::new();
        }
    }
    relabel::read_all(reader, value, &format!("{what} relabelling rules"))
}

/// The formats; `of` says in mistakes whose they are.
pub(super) fn protocols(reader: &mut Reader, value: &Node, of: &str) -> Vec<ScrapeProtocol> {
    let mut found = Vec::new();
    for item in reader.items(value, "scrape_protocols") {
        let named = |name: &str| {
            ScrapeProtocol::named(name).map_err(|error| format!("scrape_protocols: {error} {of}"))
        };
        found.extend(reader.parsed(&item, named));
    }
    let is_twice = |index: usize| found[..index].contains(&found[index]);
    if found.is_empty() {
        reader.complain(value.position, format!("scrape_protocols cannot be empty {of}"));
    } else if (0..found.len()).any(is_twice) {
        let names = found.iter().map(|protocol| protocol.as_str()).collect::<Vec<_>>().join(" ");
        reader
            .complain(value.position, format!("duplicated protocol in scrape_protocols, got [{names}] {of}"));
    }
    found
}

fn params(reader: &mut Reader, node: &Node) -> BTreeMap<String, Vec<String>> {
    let mut params = BTreeMap::new();
    for ((name, _), values) in reader.entries(node, "params") {
        let values = reader.items(&values, "the values of a parameter");
        params.insert(name.to_string(), values.iter().map(|value| reader.string(value)).collect());
    }
    params
}

/// Bytes with a unit, where `KB` and `KiB` are both 1,024, as in Prometheus.
pub(super) fn size(reader: &mut Reader, node: &Node) -> u64 {
    reader.parsed(node, parse_size).unwrap_or(0)
}

fn parse_size(text: &str) -> Result<u64, String> {
    if text == "0" || text.is_empty() {
        return Ok(0);
    }
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let exponent = match unit {
        "B" => 0,
        "KB" | "KiB" => 1,
        "MB" | "MiB" => 2,
        "GB" | "GiB" => 3,
        "TB" | "TiB" => 4,
        "PB" | "PiB" => 5,
        "EB" | "EiB" => 6,
        _ => return Err(format!("units: unknown unit {unit} in {text}")),
    };
    let number: f64 = number.parse().map_err(|_| format!("units: invalid {text}"))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is not negative, and saturates"
    )]
    Ok((number * 1_024_f64.powi(exponent)) as u64)
}
