//! Object stores behind one trait: a local folder, and S3 on aws-sdk-s3.
//!
//! Everything above this crate takes an `Arc<dyn ObjectStore>`. [`open`] turns a URL into one: a folder path, or
//! `memory:`. [`outcome`] says what is known about a put that failed.

#[cfg(test)]
mod contract;
pub mod folder;
mod open;
mod outcome;

pub use folder::Folder;
pub use open::{OpenError, Opened, Options, open};
pub use outcome::{Outcome, outcome};
