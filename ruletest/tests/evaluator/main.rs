//! The evaluator on the real query engine and a clock that tests move: days of alerts in milliseconds.
//!
//! [`compliance`] plays the four cases by which generators of alerts are told compatible with Prometheus; [`states`] and
//! [`groups`] hold the tables of states and series that Prometheus' own tests check.

mod compliance;
mod groups;
mod jobs;
mod stage;
mod states;
