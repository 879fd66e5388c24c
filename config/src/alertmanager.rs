//! Whom alerts are sent to, and how.

use model::Labels;
use model::quote::quoted;
use relabel::Rule;
use yaml::{Node, Position, Reader};

use crate::auth::{self, Auth};
use crate::groups::{self, TargetGroup};
use crate::known::{NO_DISCOVERY, NO_HTTP, refuse};
use crate::tls::{self, Tls};

/// How many Alertmanagers one entry may name.
pub const TARGETS_MAX: usize = 1_000;

const DEFAULT_TIMEOUT_MS: i64 = 10_000;
const ADDRESS: &str = "__address__";
const SCHEME: &str = "__scheme__";
const PATH: &str = "__alerts_path__";

/// Alertmanagers that are spoken to in the same way.
#[derive(Clone, Debug)]
pub struct AlertmanagersConfig {
    /// Those that relabelling keeps.
    pub targets: Vec<AlertmanagerTarget>,
    /// Those that it drops.
    pub dropped: Vec<AlertmanagerTarget>,
    /// How long one may take to answer.
    pub timeout_ms: i64,
    /// Who sends.
    pub auth: Auth,
    /// What is trusted.
    pub tls: Tls,
    /// What becomes of alerts before they are sent to these.
    pub alert_relabel: Vec<Rule>,
}

/// One Alertmanager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertmanagerTarget {
    /// `http` or `https`.
    pub scheme: String,
    /// `HOST` or `HOST:PORT`.
    pub address: String,
    /// Where alerts are posted, from `/`.
    pub path: String,
}

impl AlertmanagerTarget {
    /// The whole URL.
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.scheme, self.address, self.path)
    }
}

const FIELDS: [&str; 11] = [
    "scheme",
    "path_prefix",
    "timeout",
    "api_version",
    "static_configs",
    "relabel_configs",
    "alert_relabel_configs",
    "basic_auth",
    "authorization",
    "sigv4",
    "tls_config",
];
const UNSUPPORTED: [(&str, &str); 17] = [
    ("oauth2", "there are basic_auth, authorization and sigv4"),
    ("bearer_token", "Prometheus has no longer got it; use authorization"),
    ("bearer_token_file", "Prometheus has no longer got it; use authorization"),
    ("proxy_url", NO_HTTP),
    ("no_proxy", NO_HTTP),
    ("proxy_from_environment", NO_HTTP),
    ("proxy_connect_header", NO_HTTP),
    ("follow_redirects", NO_HTTP),
    ("enable_http2", NO_HTTP),
    ("http_headers", NO_HTTP),
    ("file_sd_configs", NO_DISCOVERY),
    ("dns_sd_configs", NO_DISCOVERY),
    ("consul_sd_configs", NO_DISCOVERY),
    ("kubernetes_sd_configs", NO_DISCOVERY),
    ("ec2_sd_configs", NO_DISCOVERY),
    ("ecs_sd_configs", NO_DISCOVERY),
    ("http_sd_configs", NO_DISCOVERY),
];

/// Labels of one target and the place of its address.
struct Target {
    at: Position,
    labels: Labels,
}

/// One entry of `alertmanagers`.
pub(crate) fn read(reader: &mut Reader, node: &Node) -> AlertmanagersConfig {
    let mut scheme = "http".to_owned();
    let mut path_prefix = String::new();
    let mut targets = Vec::new();
    let mut relabel = Vec::new();
    let mut auths = Vec::new();
    let mut config = AlertmanagersConfig {
        targets: Vec::new(),
        dropped: Vec::new(),
        timeout_ms: DEFAULT_TIMEOUT_MS,
        auth: Auth::None,
        tls: Tls::default(),
        alert_relabel: Vec::new(),
    };
    for (key, value) in reader.entries(node, "an alertmanager") {
        match &*key.0 {
            "scheme" => scheme = read_scheme(reader, &value),
            "path_prefix" => path_prefix = reader.string(&value),
            "timeout" => {
                config.timeout_ms = reader.parsed(&value, read_timeout).unwrap_or(DEFAULT_TIMEOUT_MS);
            }
            "api_version" => api_version(reader, &value),
            "static_configs" => targets = static_configs(reader, &value),
            "relabel_configs" => relabel = relabel::read_all(reader, &value, "relabel_configs"),
            "alert_relabel_configs" => {
                config.alert_relabel = relabel::read_all(reader, &value, "alert_relabel_configs");
            }
            "basic_auth" => auths.push((key.1, auth::basic(reader, &value))),
            "authorization" => auths.push((key.1, auth::authorization(reader, &value))),
            "sigv4" => auths.push((key.1, auth::sigv4(reader, &value))),
            "tls_config" => config.tls = tls::read(reader, &value),
            _ => refuse(reader, &key, "an alertmanager", &FIELDS, &UNSUPPORTED),
        }
    }
    if let [_, (second, _), ..] = auths.as_slice() {
        reader.complain(*second, "at most one of basic_auth, authorization & sigv4 must be configured");
    }
    if let Some((_, auth)) = auths.pop() {
        config.auth = auth;
    }
    let path = format!("{}/api/v2/alerts", clean(&path_prefix));
    for target in &targets {
        resolve(reader, target, &scheme, &path, &relabel, &mut config);
    }
    config
}

/// Puts a target to those that are sent to, or to those that are not.
fn resolve(
    reader: &mut Reader,
    target: &Target,
    scheme: &str,
    path: &str,
    relabel: &[Rule],
    config: &mut AlertmanagersConfig,
) {
    let mut labels = target.labels.to_builder();
    labels.set(SCHEME, scheme).set(PATH, path);
    let labels = labels.build();
    let found = |labels: &Labels| {
        let get = |name: &str| labels.get(name).unwrap_or("").to_owned();
        AlertmanagerTarget { scheme: get(SCHEME), address: get(ADDRESS), path: get(PATH) }
    };
    match relabel::apply(relabel, &labels) {
        None => config.dropped.push(found(&labels)),
        Some(labels) => {
            let target_of = found(&labels);
            if target_of.address.is_empty() || target_of.address.contains(['/', ' ', '@']) {
                let text = format!("{} is not a valid hostname", quoted(&target_of.address));
                reader.complain(target.at, text);
            } else if !matches!(target_of.scheme.as_str(), "http" | "https") {
                let text = format!("the scheme must be http or https, not {}", quoted(&target_of.scheme));
                reader.complain(target.at, text);
            } else if !target_of.path.starts_with('/') {
                let text = format!("the path must begin with /, not {}", quoted(&target_of.path));
                reader.complain(target.at, text);
            } else if !config.targets.contains(&target_of) {
                config.targets.push(target_of);
            }
        }
    }
}

fn read_scheme(reader: &mut Reader, node: &Node) -> String {
    let scheme = reader.string(node);
    if !matches!(scheme.as_str(), "http" | "https") {
        let text = format!("the scheme must be http or https, not {}", quoted(&scheme));
        reader.complain(node.position, text);
        // told once, not once more for each target
        return "http".to_owned();
    }
    scheme
}

fn read_timeout(text: &str) -> Result<i64, String> {
    match model::duration::parse(text).map_err(|error| error.to_string())? {
        0 => Err("the timeout must be above 0".to_owned()),
        ms => Ok(ms),
    }
}

fn api_version(reader: &mut Reader, node: &Node) {
    let version = reader.string(node);
    if version != "v2" {
        let text = format!("expected Alertmanager api version to be one of [v2] but got {version}");
        reader.complain(node.position, text);
    }
}

fn static_configs(reader: &mut Reader, node: &Node) -> Vec<Target> {
    let mut targets = Vec::new();
    for TargetGroup { targets: addresses, labels } in groups::read_all(reader, node, "static_configs") {
        for (at, address) in addresses {
            targets.push(Target { at, labels: labels.to_builder().set(ADDRESS, address).build() });
        }
    }
    if targets.len() > TARGETS_MAX {
        reader.complain(node.position, format!("more than {TARGETS_MAX} targets"));
    }
    targets
}

/// `a//b/` as `/a/b`; nothing stays nothing.
fn clean(prefix: &str) -> String {
    let parts = prefix.split('/').filter(|part| !part.is_empty() && *part != ".");
    parts.map(|part| format!("/{part}")).collect()
}
