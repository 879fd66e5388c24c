//! Flags about tenants beside `default`.

use std::time::Duration;

use clap::Args;

use crate::cli::duration_or_never;

#[derive(Args, Debug)]
#[command(next_help_heading = "Tenants")]
pub(crate) struct TenantFlags {
    /// How many tenants may be open at once beside default; whoever asks for one more is answered 503
    #[arg(long = "tenants.max-open", value_name = "COUNT", default_value_t = 100)]
    pub(crate) open_max: usize,

    /// A tenant for which nobody has asked for so long is closed, and opened again when somebody does; 0: never
    #[arg(long = "tenants.idle-timeout", value_name = "DURATION", default_value = "1h", value_parser = duration_or_never)]
    idle_timeout: Duration,
}

impl TenantFlags {
    pub(crate) fn idle_max(&self) -> Option<Duration> {
        Some(self.idle_timeout).filter(|idle| !idle.is_zero())
    }
}
