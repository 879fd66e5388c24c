//! Bytes to values and back: the formats that metrics travel in.
//!
//! In the order in which a body is read: [`BodyFormat`] says what it is, [`encoding`] inflates it, [`text`],
//! [`openmetrics`] or [`protobuf`] decodes it to [`Family`] values, [`flatten()`] makes of them the series that Prometheus would
//! scrape. [`exposition`] goes the other way. [`remote_write`] is read to series with samples of their own time, and [`otlp`] to families
//! of metrics that have their own; [`remote_read`] writes series with all of their samples. [`scraped`] reads pages as a scrape does, [`influx`] lines, and [`statsd`]
//! packets that say what was measured one by one. Every decoder takes [`Limits`] and answers in time linear in its input.

mod family;
mod fields;
mod limits;

pub mod encoding;
mod format;

pub mod exposition;
mod flatten;
pub mod influx;
pub mod openmetrics;
pub mod otlp;
pub mod protobuf;
pub mod remote_read;
pub mod remote_write;
pub mod scraped;
pub mod statsd;
pub mod text;

pub mod name_escaping;
pub mod quote;

pub use family::{Bucket, Exemplar, Family, Histogram, Metric, MetricValue, Quantile, Summary};
pub use fields::FieldError;
pub use flatten::{FlatSeries, flatten};
pub use format::{Accepted, BodyFormat, PageFormat};
pub use limits::Limits;
