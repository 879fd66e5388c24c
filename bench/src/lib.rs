//! Benchmarks: the data that figures are quoted on, and the clock they are taken with.

pub mod child;
pub mod compaction;
pub mod datasets;
pub mod functions;
pub mod gateway;
pub mod ingest;
pub mod measure;
pub mod queries;
pub mod query;
pub mod rules;
