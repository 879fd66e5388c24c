//! Families to what a scraper reads.

mod history;
mod line;
mod openmetrics;
mod order;
mod text;

#[cfg(test)]
mod tests;

pub use history::{HistoryWriter, history_sample, history_series, history_takes_exemplars};
pub use openmetrics::write as write_openmetrics;
pub use order::sort;
pub use text::write as write_text;

pub use crate::protobuf::write as write_protobuf;
