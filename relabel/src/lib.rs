//! Relabelling: rules that change or drop label sets, with the actions, defaults and error texts of Prometheus.
//!
//! [`read_all`] takes rules from YAML, [`apply`] runs them. Names of labels are UTF-8, as they are by default in Prometheus 3.

mod case;
mod read;
mod rule;

#[cfg(test)]
mod tests;

pub use read::{read, read_all};
pub use rule::{Action, Rule, apply};
