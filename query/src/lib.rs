//! PromQL: parser, executor and HTTP API.
