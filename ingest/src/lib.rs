//! What senders speak that do not know the Pushgateway, into the stream of samples,
//! and deltas into the stream of pushes.
//!
//! In the order in which a request travels: [`router()`] hands it over, `body` receives it, `remote_write`, `otlp` or `influx` says what it asks to
//! write, `accept` or `export` which of that can be, within the limits of `labels`, [`Receiver`] has the store write it, `answer` tells the sender. [`Statsd`] takes
//! packets and answers nobody. `relay` reads OTLP for somebody who hands it on.

mod accept;
mod body;
mod export;
mod influx;
mod labels;
mod otlp;
mod receiver;
mod relay;
mod remote_write;
mod statsd;
mod told;
mod translation;

mod settings;
mod stats;

mod answer;
mod error;
mod router;

pub use error::IngestError;
pub use labels::LabelLimits;
pub use receiver::Receiver;
pub use relay::{ExportTaker, export_router};
pub use router::{influx_paths, influx_router, paths, router};
pub use settings::Settings;
pub use stats::IngestStats;
pub use statsd::{Statsd, StatsdPackets, StatsdSettings};
pub use translation::SharedTranslation;
