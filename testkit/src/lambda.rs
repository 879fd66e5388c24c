//! Lambda on loopback: the Runtime API, a bootstrap binary that talks to it, and HTTP requests as events.
//!
//! [`Function`] starts a bootstrap with the environment that Lambda gives it and invokes it, one event at a time as
//! Lambda does; [`RuntimeApi`] alone serves a client that runs in the test's own process. What is emulated is the
//! interface, also that of extensions, and the size of an answer: no freeze between invocations, no limit on memory.

mod event;
mod extensions;
mod function;
mod runtime_api;

pub use event::{BadAnswer, request_event, response_of};
pub use extensions::ShutdownReason;
pub use function::Function;
pub use runtime_api::{InvokeError, RuntimeApi};
