//! The Pushgateway's API over the store.
//!
//! In the order in which a push travels: [`router()`] hands each request to one function, `path` says what it is about,
//! `terms` what its headers say, `intake` makes a [`model::Push`] of its body, `held` compares it with what other groups hold, [`Gateway`] has the store
//! write it, `answer` tells the client. `scrape`, `api` and `web_page` show what is held. `relay` takes the same requests for somebody who
//! hands them on.

mod path;
mod told;

mod terms;

mod aggregate;
mod held;
mod intake;
mod retries;

mod api;
mod scrape;
mod time;
mod web_page;

mod relay;

mod about;
mod gateway;
mod settings;
mod stats;

mod answer;
mod error;
mod router;

pub use about::About;
pub use aggregate::ClearModeError;
pub use api::{BatchError, SelectorError};
pub use error::GatewayError;
pub use gateway::{Gateway, LookError};
pub use intake::{Inconsistency, IntakeError, MetricFault};
pub use path::{Base64Error, GroupingError, group_path};
pub use relay::{Adds, Full, RelayedPush, Taker, relay_router};
pub use router::{paths, router};
pub use scrape::ScrapeError;
pub use settings::{Settings, Web};
pub use stats::GatewayStats;
pub use terms::TermsError;
pub use told::{Request as PushRequest, ToldRequest, ToldRequestError};
