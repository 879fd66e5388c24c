//! The Lambda extension: a program beside a measured function, in its sandbox.
//!
//! In the order in which a metric travels: `receive` takes it on localhost (the Pushgateway's API, OTLP, StatsD), and `telemetry` takes
//! what Lambda itself reports of an invocation; `counted` makes increments of what has been counted since a start, `sums` adds up, the
//! `outbox` keeps what is not sent yet, within its limits; `sender` takes it to a `target`, a gateway or a storage, after each invocation
//! of which `lambda` tells. [`run()`] joins them, as `settings` say.
//!
//! Nothing in here may harm the function that it stands beside: what cannot be sent waits or is dropped and counted.

mod function;
mod settings;
mod snapshot;
mod stats;

mod counted;
mod receive;
mod telemetry;

mod outbox;
mod sums;

mod sender;
mod target;

mod lambda;
mod run;

pub use run::run;
