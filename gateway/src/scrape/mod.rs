//! What `/metrics` shows: everything that the groups hold now.

mod assemble;
mod failure_time;
mod page;

#[cfg(test)]
mod tests;

pub use page::ScrapeError;

pub(crate) use assemble::{HeldExemplars, families_of, tells_of_family};
pub(crate) use page::{Page, check_count, page};
