//! Object layout, segments, buffers, acknowledgement and reads. This crate alone knows object names and the Parquet
//! schema.

mod reader;
mod writer;

pub use reader::{LiveFamily, ReadError, Reader};
pub use writer::{Ack, WriteError, WriteErrorKind, Writer};
