//! What `bench-gateway` needs: the two programs, and clients that push to them.

pub mod client;
pub mod load;
pub mod program;
