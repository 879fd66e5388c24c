//! The Pushgateway's API over the store.
//!
//! In the order in which a push travels: [`router()`] hands each request to one function, `path` says what it is about,
//! `intake` makes a [`model::Push`] of its body, [`Gateway`] has the store write it, `answer` tells the client. `scrape`
//! shows what is held.

mod path;

mod intake;
mod scrape;

mod gateway;
mod settings;

mod answer;
mod error;
mod router;

pub use error::GatewayError;
pub use gateway::Gateway;
pub use intake::{Inconsistency, IntakeError, MetricFault};
pub use path::{Base64Error, GroupingError};
pub use router::router;
pub use scrape::ScrapeError;
pub use settings::Settings;
