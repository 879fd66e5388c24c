//! The JSON API of the Pushgateway, below `/api/v1`.

mod batch;
mod deletion;
mod groups;
mod selector;
mod status;

#[cfg(test)]
mod tests;

pub use batch::BatchError;
pub use selector::SelectorError;

pub(crate) use batch::{Outcome, Single, requests};
pub(crate) use deletion::{Deleted, Deletion};
pub(crate) use groups::{groups, last_push_succeeded};
pub(crate) use status::status;
