//! Targets that are pulled, as Prometheus pulls them: `target` makes of what was discovered who is asked, [`Scraper`] says who is due,
//! `page` reads what comes, `memory` knows which series a target had, and `pass` makes samples of it all.
//!
//! Nothing here waits or opens a connection: [`Fetch`] asks a target, and [`Sink`] stores what comes of it.

mod memory;
mod page;
mod pass;
mod pool;
mod ports;
mod report;
mod saved;
mod scraper;
mod target;

#[cfg(test)]
mod tests;

pub use pool::{DroppedTarget, Pool};
pub use ports::{Answered, Asked, Fetch, Sink};
pub use saved::{SAVED_BYTES_MAX, SAVED_VERSION, Saved, SavedError};
pub use scraper::{Due, ScrapeStats, Scraper};
pub use target::{Health, Target, TargetError, TargetStatus};
