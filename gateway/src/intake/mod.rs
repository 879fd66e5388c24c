//! What is made of a push's body: families, checked one against the other, and then a [`model::Push`].

mod body;
mod check;
mod dump;
mod error;
mod exemplars;
mod labels;
mod limits;
mod push;
mod timed;

#[cfg(test)]
mod tests;

pub use check::{Inconsistency, MetricFault};
pub use error::IntakeError;

pub(crate) use body::{Body, families, inflated};
pub(crate) use check::{FAULTS_MAX, type_name};
pub(crate) use dump::dump;
pub(crate) use exemplars::Exemplars;
pub(crate) use push::{Intake, PUSH_FAILURE_HELP, deletion, failure, push};

/// The family that tells when a group was last pushed to.
pub(crate) const PUSH_TIME: &str = "push_time_seconds";
/// The family that tells when a push to a group was last refused.
pub(crate) const PUSH_FAILURE_TIME: &str = "push_failure_time_seconds";
