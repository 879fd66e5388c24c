//! What a request's path says: which resource, and for a push which group.

mod base64;
mod clean;
mod grouping;
mod percent;
mod resource;
mod routes;
mod written;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

pub use base64::Base64Error;
pub use grouping::GroupingError;
pub use written::group_path;

pub(crate) use grouping::grouping_labels;
pub(crate) use percent::decode as decode_percent;
pub(crate) use resource::{ApiResource, GroupPath, Resource};
pub(crate) use routes::{Destination, Routes};
