//! What `bench-ingest` needs: requests, the programs that take them, and connections that send.

pub mod program;
pub mod requests;
pub mod send;
