//! Targets that AWS knows.

use model::quote::quoted;
use yaml::{Key, Node, Reader};

use super::discovery::refresh;
use crate::auth::SigV4;
use crate::known::refuse;
use crate::secret::Secret;
use crate::tls::{self, Tls};

/// AWS says what the targets are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsDiscovery {
    /// What is asked for.
    pub role: AwsRole,
    /// Who asks, and in which region.
    pub account: SigV4,
    /// The server that is asked in the place of AWS' own.
    pub endpoint: Option<String>,
    /// What is trusted.
    pub tls: Tls,
    /// It is asked as often.
    pub refresh_ms: i64,
    /// The port of all targets.
    pub port: u16,
}

/// What AWS is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AwsRole {
    /// Instances of EC2.
    Ec2 {
        /// Those that all of these admit.
        filters: Vec<Ec2Filter>,
    },
    /// Tasks of services of ECS.
    Ecs {
        /// Names or ARNs of their clusters; none are all of them.
        clusters: Vec<String>,
        /// So many requests are under way at once.
        requests_at_once: usize,
    },
}

/// A condition that instances fulfil, as EC2's `DescribeInstances` knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ec2Filter {
    /// Of what.
    pub name: String,
    /// One of these.
    pub values: Vec<String>,
}

const REFRESH_MS: i64 = 60_000;
const PORT: u16 = 80;
/// What ECS takes of one account in a second, for long.
const REQUESTS_AT_ONCE: usize = 20;
const SIGNED: &str = "requests to AWS are signed, with access_key and secret_key, profile or role_arn";
const STRAIGHT: &str = "requests go straight to AWS, over HTTP/1.1";
const UNSUPPORTED: [(&str, &str); 11] = [
    ("basic_auth", SIGNED),
    ("authorization", SIGNED),
    ("bearer_token", SIGNED),
    ("bearer_token_file", SIGNED),
    ("oauth2", SIGNED),
    ("proxy_url", STRAIGHT),
    ("no_proxy", STRAIGHT),
    ("proxy_from_environment", STRAIGHT),
    ("proxy_connect_header", STRAIGHT),
    ("follow_redirects", STRAIGHT),
    ("http_headers", STRAIGHT),
];
/// Roles that Prometheus has besides.
const ROLES_UNSUPPORTED: [&str; 5] = ["lightsail", "msk", "elasticache", "rds", "mq"];
/// What every kind of discovery in AWS has.
const FIELDS: [&str; 9] = [
    "region",
    "endpoint",
    "access_key",
    "secret_key",
    "profile",
    "role_arn",
    "refresh_interval",
    "port",
    "tls_config",
];

/// The fields that every kind has, as they are found.
struct Fields {
    account: SigV4,
    access_key: String,
    secret_key: String,
    endpoint: Option<String>,
    tls: Tls,
    refresh_ms: i64,
    port: u16,
}

impl Fields {
    fn new() -> Self {
        Self {
            account: SigV4::default(),
            access_key: String::new(),
            secret_key: String::new(),
            endpoint: None,
            tls: Tls::default(),
            refresh_ms: REFRESH_MS,
            port: PORT,
        }
    }

    /// Takes a field, or complains of it; `more` are those of the kind itself.
    fn take(&mut self, reader: &mut Reader, key: &Key, value: &Node, what: &str, more: &[&str]) {
        let text = |reader: &mut Reader| Some(reader.string(value)).filter(|text| !text.is_empty());
        match &*key.0 {
            "region" => self.account.region = text(reader),
            "profile" => self.account.profile = text(reader),
            "role_arn" => self.account.role_arn = text(reader),
            "endpoint" => self.endpoint = text(reader),
            "access_key" => self.access_key = reader.string(value),
            "secret_key" => self.secret_key = reader.string(value),
            "refresh_interval" => self.refresh_ms = refresh(reader, value, REFRESH_MS),
            "port" => self.port = reader.parsed(value, str::parse::<u16>).unwrap_or(PORT),
            "tls_config" => self.tls = tls::read(reader, value),
            // HTTP/1.1 is spoken whatever this says
            "enable_http2" => _ = reader.bool(value),
            _ => refuse(reader, key, what, &[&FIELDS[..], more].concat(), &UNSUPPORTED),
        }
    }

    fn finish(mut self, reader: &mut Reader, node: &Node, role: AwsRole) -> AwsDiscovery {
        if self.access_key.is_empty() != self.secret_key.is_empty() {
            reader.complain(node.position, "access_key and secret_key must be configured together");
        } else if !self.access_key.is_empty() {
            self.account.keys = Some((self.access_key, Secret::Inline(self.secret_key)));
        }
        let Self { account, endpoint, tls, refresh_ms, port, .. } = self;
        AwsDiscovery { role, account, endpoint, tls, refresh_ms, port }
    }
}

/// One of `ec2_sd_configs`.
pub(super) fn ec2(reader: &mut Reader, node: &Node) -> AwsDiscovery {
    const WHAT: &str = "ec2_sd_configs";
    let (mut fields, mut filters) = (Fields::new(), Vec::new());
    for (key, value) in reader.entries(node, WHAT) {
        match &*key.0 {
            "filters" => filters = self::filters(reader, &value),
            _ => fields.take(reader, &key, &value, WHAT, &["filters"]),
        }
    }
    fields.finish(reader, node, AwsRole::Ec2 { filters })
}

/// One of `ecs_sd_configs`.
pub(super) fn ecs(reader: &mut Reader, node: &Node) -> AwsDiscovery {
    const WHAT: &str = "ecs_sd_configs";
    let (mut fields, mut clusters, mut requests_at_once) = (Fields::new(), Vec::new(), REQUESTS_AT_ONCE);
    for (key, value) in reader.entries(node, WHAT) {
        match &*key.0 {
            "clusters" => clusters = self::clusters(reader, &value),
            "request_concurrency" => {
                let given = reader.parsed(&value, str::parse::<usize>).filter(|given| *given > 0);
                requests_at_once = given.unwrap_or(REQUESTS_AT_ONCE);
            }
            _ => fields.take(reader, &key, &value, WHAT, &["clusters", "request_concurrency"]),
        }
    }
    fields.finish(reader, node, AwsRole::Ecs { clusters, requests_at_once })
}

/// One of `aws_sd_configs`, which say themselves of which kind they are.
pub(super) fn any(reader: &mut Reader, node: &Node) -> AwsDiscovery {
    const WHAT: &str = "aws_sd_configs";
    let (mut fields, mut role, mut filters, mut clusters) = (Fields::new(), None, None, None);
    for (key, value) in reader.entries(node, WHAT) {
        match &*key.0 {
            "role" => role = Some((value.position, reader.string(&value))),
            "filters" => filters = Some((key.1, self::filters(reader, &value))),
            "clusters" => clusters = Some((key.1, self::clusters(reader, &value))),
            _ => fields.take(reader, &key, &value, WHAT, &["role", "filters", "clusters"]),
        }
    }
    let (at, role) = role.unwrap_or((node.position, String::new()));
    let elsewhere = match role.as_str() {
        "ec2" => clusters.as_ref().map(|(at, _)| (*at, "clusters are of the role ecs")),
        "ecs" => filters.as_ref().map(|(at, _)| (*at, "filters are of the role ec2")),
        _ => None,
    };
    if let Some((at, text)) = elsewhere {
        reader.complain(at, text);
    }
    let role = match role.as_str() {
        "ec2" => AwsRole::Ec2 { filters: filters.map(|(_, filters)| filters).unwrap_or_default() },
        "ecs" => {
            let clusters = clusters.map(|(_, clusters)| clusters).unwrap_or_default();
            AwsRole::Ecs { clusters, requests_at_once: REQUESTS_AT_ONCE }
        }
        other => {
            let other = quoted(other);
            let text = match ROLES_UNSUPPORTED.contains(&role.as_str()) {
                true => format!("AWS SD role {other} is not supported; there are ec2 and ecs"),
                false => format!("unknown AWS SD role {other}"),
            };
            reader.complain(at, text);
            AwsRole::Ec2 { filters: Vec::new() }
        }
    };
    fields.finish(reader, node, role)
}

fn clusters(reader: &mut Reader, node: &Node) -> Vec<String> {
    reader.items(node, "clusters").iter().map(|item| reader.string(item)).collect()
}

fn filters(reader: &mut Reader, node: &Node) -> Vec<Ec2Filter> {
    reader.items(node, "filters").iter().map(|item| filter(reader, item)).collect()
}

fn filter(reader: &mut Reader, node: &Node) -> Ec2Filter {
    let mut filter = Ec2Filter { name: String::new(), values: Vec::new() };
    for (key, value) in reader.entries(node, "filters") {
        match &*key.0 {
            "name" => filter.name = reader.string(&value),
            "values" => {
                let values = reader.items(&value, "values");
                filter.values = values.iter().map(|value| reader.string(value)).collect();
            }
            _ => reader.unknown(&key, "filters", &["name", "values"]),
        }
    }
    if filter.values.is_empty() {
        reader.complain(node.position, "EC2 SD configuration filter values cannot be empty");
    }
    filter
}
