//! Object stores behind one trait: a local folder, and S3 on aws-sdk-s3.
//!
//! Everything above this crate takes an `Arc<dyn ObjectStore>`. [`open()`] turns a URL into one: a folder path,
//! `s3://bucket/prefix`, or `memory:`. [`outcome()`] says what is known about a put that failed, and [`AnswerTime`] when
//! the store answered one that did not. [`probe::conditional_put`] refuses stores that do not keep their word, and
//! [`Instrumented`] counts requests.

#[cfg(test)]
mod contract;
pub mod folder;
mod instrument;
mod open;
mod outcome;
pub mod probe;
pub mod s3;

pub use folder::Folder;
pub use instrument::{Counts, Instrumented};
pub use model::AnswerTime;
pub use open::{OpenError, Opened, Options, open};
pub use outcome::{Outcome, outcome};
pub use s3::{Account, Retries, S3, S3Settings, aws_http};
