//! What the groups of this process hold, as far as a push can contradict it: names, types and hashes of metrics.
//!
//! The Pushgateway builds the whole exposition for every push to see whether it is consistent. Here a push is compared with
//! a table that is kept up to date by the pushes themselves, so that it costs what the push is large. In the order of a
//! push: `claim` says what it wants to hold, `conflict` compares that with `table`, and [`Held`] does both and hands the
//! push to the store as one step. What is in the store already comes into the table once, part by part (`fill`); and again if a
//! push was noted and not stored, of which `unsure` remembers those that nobody waits for.

mod claim;
mod conflict;
mod fill;
mod registry;
mod table;
mod unsure;

#[cfg(test)]
mod tests;

pub(crate) use claim::Claim;
pub(crate) use registry::{Claimed, Held, Intent};
