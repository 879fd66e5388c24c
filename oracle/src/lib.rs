//! For tests only: what PromQL means, written down as literally as possible, and generators of data and queries.
//!
//! The [`Oracle`] evaluates an expression at one time after the other, walks over all samples of all series each time,
//! and shares nothing with the engine but the parser and the values of `model`. It knows floats, histograms, classic and
//! native, and pushed series, edges of windows that count, and names that go away with the first operation or at the end.

mod compare;
mod data;
mod evaluate;
mod native_data;
mod queries;
mod scraped;

pub use compare::{difference, rows};
pub use data::{Data, generate};
pub use evaluate::{Failed, Native, Oracle, Row, Sample};
pub use queries::{Dialect, Queries};
pub use scraped::scraped;
