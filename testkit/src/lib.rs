//! For tests and the demo only; nothing that ships depends on it.
//!
//! [`http`] is HTTP/1.1 on loopback with nothing but std, and carries the rest: [`lambda`] is the Lambda Runtime API
//! with a function behind it, [`server`] the real `mayfly serve` as a child process. [`FaultyStore`] is an object store that
//! fails on demand. [`Mutator`] damages inputs for fuzzing.

mod clock;
mod dated;
mod faulty;
pub mod http;
pub mod lambda;
mod mutate;
mod process;
pub mod protobuf;
pub mod remote_write;
pub mod server;

pub use clock::ManualClock;
pub use dated::DatedStore;
pub use faulty::{Fault, FaultyStore, Operation};
pub use mutate::Mutator;
