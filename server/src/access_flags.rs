//! Flags about who may ask.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Access")]
pub(crate) struct AccessFlags {
    /// YAML file of tokens. Without one of them nobody may do anything on either port but ask whether it is healthy and ready;
    /// `mayfly token new` makes them. What changes in the file is in force within seconds
    #[arg(long = "access.tokens-file", value_name = "FILE")]
    pub(crate) tokens_file: Option<PathBuf>,

    /// Web configuration of Prometheus' exporter toolkit, for both ports: TLS, users with passwords, headers. What changes in it, and in
    /// files that it names, is in force within a second
    #[arg(long = "web.config.file", value_name = "FILE")]
    pub(crate) web_config_file: Option<String>,

    /// Listen where others can reach it, and ask nobody who they are
    #[arg(long = "web.allow-anonymous")]
    pub(crate) allows_anonymous: bool,

    /// Believe what a header X-Scope-OrgID says about the tenant, as long as no token says otherwise: for servers that can only be
    /// reached through a proxy which sets it
    #[arg(long = "access.trust-tenant-header")]
    pub(crate) trusts_tenant_header: bool,
}
