//! Black-box tests: the real binaries, HTTP in, HTTP out.
//!
//! `scenarios/` is hermetic and runs with `make test`; `peers/` (Python) drives the same binaries with real clients and
//! real servers and runs with `make test-peers`. A scenario fails where a binary is missing: `make` builds them first.

mod command;
mod fixture;

pub use command::{Ended, mayfly};
pub use fixture::Fixture;
