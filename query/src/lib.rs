//! PromQL: parser, executor and HTTP API.

pub mod syntax;
