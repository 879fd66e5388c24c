//! What is deleted: recorded in the manifest, so that every reader leaves it out from the next query on, and then taken out of
//! every object by the compactor.
//!
//! 1. `request`: what is asked for, and who writes it into the manifests.
//! 2. `recorded`: how it stands there until nothing of it is left.
//! 3. `mask`: a segment without it.

mod mask;
mod recorded;
mod request;

#[cfg(test)]
mod tests;

pub(crate) use mask::Mask;
pub(crate) use recorded::{Condition, Recorded};
pub use request::{DELETIONS_MAX, DeleteError, Deleter, Deletion};
