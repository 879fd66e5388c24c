//! Lambda on loopback: the Runtime API, a bootstrap binary that talks to it, and HTTP requests as events.
//!
//! [`Function`] starts a bootstrap with the environment that Lambda gives it and invokes it, one event at a time as
//! Lambda does; [`RuntimeApi`] alone serves a client that runs in the test's own process, and [`Sandbox`] is a function with an extension
//! beside it. What is emulated is the interface, also those of extensions and telemetry, and the size of an answer: no limit on memory,
//! and a freeze between invocations only where a test asks for one.

mod event;
mod extensions;
mod function;
mod runtime_api;
mod sandbox;
mod telemetry;

pub use event::{BadAnswer, request_event, response_of};
pub use extensions::ShutdownReason;
pub use function::Function;
pub use runtime_api::{InvokeError, RuntimeApi};
pub use sandbox::Sandbox;
