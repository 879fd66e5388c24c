//! Runs scripts in the test language of Prometheus: `load`, `eval`, `expect`.
//!
//! A script fills a storage in memory and says what queries must give. Every instant query that is not about errors is
//! run again where it must give the same: with `@` at other times, and as the middle of a range query. Two
//! commands are additions of ours: `load_pushes` loads pushed series, which hold their value from one push to the next, and
//! `load_adds` series to which each push adds.
//!
//! Nothing that goes into a Lambda function links this.

mod script;
mod starts;

mod custom_buckets;
mod memory;

mod check;
mod evaluate;
mod rewrite;
mod run;

pub use check::Mismatch;
pub use memory::Memory;
pub use run::{Failure, Report, run, settings_of_prometheus};
pub use script::ScriptError;
