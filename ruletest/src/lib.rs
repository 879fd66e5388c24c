//! Runs unit tests of rules, written in the format of `promtool test rules`.
//!
//! A [`TestFile`] names rule files and holds tests: series, and what alerts fire and what queries give at some time after
//! their start. [`run()`] evaluates all rules step by step over those series, in memory, and gives back what is not as
//! expected, in promtool's words. Files are read by the caller. A [`World`] is what those rules look at, for other tests of rules.
//!
//! Nothing that goes into a Lambda function links this.

mod file;

mod world;

mod alerts;
mod expressions;
mod histogram;
mod run;

pub use file::{TestFile, TestFileError};
pub use run::{RuleText, TestOptions, run};
pub use world::World;
