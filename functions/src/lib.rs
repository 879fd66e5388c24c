//! What the functions share: their environment, the events of each source, and the answers that the source expects.
//!
//! In the order in which an event travels: [`run()`] takes it from Lambda's Runtime API, [`Event`] is what its shape says it
//! is, [`Web`] makes a request of an HTTP event, has a router answer it and makes of that what the source passes on.

mod environment;
mod query_settings;
mod run;
mod start;

mod event;

mod answer;
mod messages;
mod request;
mod tokens;
mod web;

pub use answer::{Answer, RESPONSE_BYTES_MAX, RESPONSE_BYTES_MAX_ALB, json};
pub use environment::Environment;
pub use event::{Event, HttpEvent, UnknownEvent};
pub use messages::Messages;
pub use query_settings::{Memory, disk_cache, query_settings, type_labels};
pub use run::{Invocation, RESERVE, run};
pub use start::{absolute, log, started, storage, storage_variables};
pub use tokens::Tokens;
pub use web::Web;
