//! Targets that are records of the DNS.

use std::collections::BTreeMap;

use config::{DnsDiscovery, DnsRecord};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::ResolverConfig;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use model::{Labels, LabelsBuilder};

use super::aws::address_of;

/// Names that have targets.
#[derive(Debug)]
pub(super) struct Names {
    config: DnsDiscovery,
    /// A name that cannot be asked for keeps what it had.
    known: BTreeMap<String, Vec<Labels>>,
    /// Who is asked; `None`: whom the system asks, `/etc/resolv.conf`.
    servers: Option<ResolverConfig>,
}

/// Why a name has no targets.
#[derive(Debug, thiserror::Error)]
enum DnsError {
    #[error(transparent)]
    Address(#[from] std::io::Error),
    #[error(transparent)]
    Record(#[from] NetError),
}

impl Names {
    pub(super) fn new(config: DnsDiscovery) -> Self {
        Self { config, known: BTreeMap::new(), servers: None }
    }

    /// The same, where others are asked for all but addresses.
    #[cfg(test)]
    pub(super) fn asking(self, servers: ResolverConfig) -> Self {
        Self { servers: Some(servers), ..self }
    }

    pub(super) fn refresh_ms(&self) -> i64 {
        self.config.refresh_ms
    }

    /// The targets of all names, as far as they are known.
    pub(super) async fn look(&mut self) -> Vec<Labels> {
        for name in &self.config.names {
            let found = match self.config.record {
                DnsRecord::A => self.addresses(name, true).await,
                DnsRecord::Aaaa => self.addresses(name, false).await,
                DnsRecord::Mx => self.records(name, RecordType::MX).await,
                DnsRecord::Ns => self.records(name, RecordType::NS).await,
                DnsRecord::Srv => self.records(name, RecordType::SRV).await,
            };
            match found {
                Ok(targets) => _ = self.known.insert(name.clone(), targets),
                Err(error) => {
                    tracing::error!(name, %error, "a name cannot be asked for: targets that were known stay");
                }
            }
        }
        self.known.values().flatten().cloned().collect()
    }

    /// As the system finds addresses, which knows names of its own.
    async fn addresses(&self, name: &str, is_v4: bool) -> Result<Vec<Labels>, DnsError> {
        let addresses = tokio::net::lookup_host((name, self.config.port)).await?;
        let addresses = addresses.filter(|address| address.is_ipv4() == is_v4);
        Ok(addresses.map(|address| target(name, address.to_string()).build()).collect())
    }

    /// The records of a name; none if it has none, or nobody knows it.
    async fn records(&self, name: &str, record: RecordType) -> Result<Vec<Labels>, DnsError> {
        let mut builder = match &self.servers {
            None => TokioResolver::builder_tokio()?,
            Some(servers) => {
                TokioResolver::builder_with_config(servers.clone(), TokioRuntimeProvider::default())
            }
        };
        // how long what was found is good for is said by the configuration
        builder.options_mut().cache_size = 0;
        let found = match builder.build()?.lookup(name, record).await {
            Err(error) if error.is_no_records_found() => return Ok(Vec::new()),
            found => found?,
        };
        let targets = found.answers().iter().filter_map(|answer| self.record(name, &answer.data));
        Ok(targets.collect())
    }

    fn record(&self, name: &str, record: &RData) -> Option<Labels> {
        let port = self.config.port;
        let (host, port, label) = match record {
            RData::SRV(SRV { target, port, .. }) => (target, *port, "srv_record_target"),
            RData::MX(mail) => (&mail.exchange, port, "mx_record_target"),
            RData::NS(server) => (&server.0, port, "ns_record_target"),
            // other names on the way
            _ => return None,
        };
        let host = Name::to_ascii(host);
        let mut labels = target(name, address_of(host.trim_end_matches('.'), port));
        if matches!(record, RData::SRV(_)) {
            labels.set("__meta_dns_srv_record_port", port.to_string());
        }
        labels.set(format!("__meta_dns_{label}"), host);
        Some(labels.build())
    }
}

fn target(name: &str, address: String) -> LabelsBuilder {
    let mut labels = LabelsBuilder::default();
    labels.set("__address__", address).set("__meta_dns_name", name);
    labels
}
