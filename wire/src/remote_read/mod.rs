//! Prometheus remote read: a body to what it asks for, and series to the two forms of its answer.
//!
//! [`ReadRequest`] is read from a body that [`encoding::snappy_block`](crate::encoding::snappy_block) has inflated. Of each series,
//! samples are cut into runs as Prometheus cuts them into chunks; [`Frames`] writes runs as chunks, for
//! `STREAMED_XOR_CHUNKS`, and [`sample_series`] sample by sample, for `SAMPLES`. The samples come one after the other, so those of a
//! series need not be in memory at once for its chunks.

mod answer;
mod bits;
mod chunk;
mod layout;
mod request;
mod run;

#[cfg(test)]
mod tests;

pub use answer::{Frames, query_result, read_response, sample_series};
pub use request::{Hints, Query, ReadRequest, ReadRequestError, ResponseType};
