//! Runs scripts in the test language of Prometheus: `load`, `eval`, `expect`.

mod check;
mod custom_buckets;
mod memory;
mod rewrite;
mod run;
mod script;
mod starts;

pub(crate) use run::run_with;
