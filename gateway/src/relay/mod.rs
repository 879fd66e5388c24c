//! The Pushgateway's pushes for somebody who hands them on: each is checked as a gateway would check it, gets labels that say where it
//! comes from, and is given to a [`Taker`], who keeps it until a gateway has it. Nothing is stored here.
//!
//! `router` answers requests, `push` is what is made of one, `placing` says where labels go.

mod placing;
mod push;
mod router;

#[cfg(test)]
mod tests;

pub use push::{Adds, RelayedPush};
pub use router::{Full, Taker, relay_router};
