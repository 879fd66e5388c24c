//! HTTP/1.1 for tests: a client that sends one request, and a server with a thread per connection. Loopback only, no
//! TLS, every wait has an end.

mod client;
mod message;
mod server;

pub use client::{get, send};
pub use message::{Headers, Request, Response};
pub use server::Server;
