//! Prometheus' configuration file, as far as Mayfly has a use for it: what is global, rule files, Alertmanagers, and what is scraped.
//!
//! [`Config::read`] is strict: a field that nobody knows is a mistake, and so is one that Prometheus has and Mayfly does not, in
//! other words. All mistakes of a file are told at once, with line and column. Nothing else is read here: files that the
//! configuration names are for the edge. [`HttpClientConfig`] is what tools that ask a server read of who they are.

mod alertmanager;
mod auth;
mod client;
mod config;
mod expand;
mod file;
mod groups;
pub mod header;
mod known;
mod otlp;
mod scrape;
mod secret;
mod tls;

#[cfg(test)]
mod tests;

pub use alertmanager::{AlertmanagerTarget, AlertmanagersConfig, TARGETS_MAX};
pub use auth::{Auth, SigV4};
pub use client::{HttpClientConfig, Proxy};
pub use config::{CONFIG_BYTES_MAX, Config, ConfigError, ConfigMistake};
pub use groups::TargetGroup;
pub use otlp::{OtlpConfig, STRATEGIES};
pub use scrape::{
    AwsDiscovery, AwsRole, DnsDiscovery, DnsRecord, Ec2Filter, FileDiscovery, HttpDiscovery, SampleLimits,
    ScrapeConfig, ScrapeConfigs, ScrapeProtocol, target_groups,
};
pub use secret::Secret;
pub use tls::{Tls, TlsVersion};
