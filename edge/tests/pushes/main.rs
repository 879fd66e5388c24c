//! Gateway, store and queries together, on a clock that the test moves.

mod aggregate;
mod holds;
mod house;
