//! For tests only: what PromQL means, written down as literally as possible, and generators of data and queries.
//!
//! The [`Oracle`] evaluates an expression at one time after the other, walks over all samples of all series each time,
//! and shares nothing with the engine but the parser and the values of `model`. It knows floats, classic histograms and
//! pushed series, and edges of windows that count; names go away with the first operation.

mod compare;
mod data;
mod evaluate;
mod queries;
mod scraped;

pub use compare::{difference, rows};
pub use data::{Data, generate};
pub use evaluate::{Failed, Oracle, Row};
pub use queries::{Dialect, Queries};
pub use scraped::scraped;
