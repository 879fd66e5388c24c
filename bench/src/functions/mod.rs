//! The real bootstraps under the emulated Runtime API of `testkit`, on a real S3 server.

pub mod cost;
pub mod extension;
pub mod measured;
pub mod s3;
