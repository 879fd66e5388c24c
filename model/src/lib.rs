//! The values that every room of Mayfly shares. Nothing here does I/O, reads a clock or is async.
//!
//! In the order in which data flows: a [`Push`] changes one group of pushed series; the store keeps it as events and
//! folds them to [`Steps`]; a [`Selection`] asks for series by [`Matcher`] and time, and gets [`Series`].

mod answer_time;
mod clock;
mod compensated;
pub mod duration;
mod event;
mod exemplar;
mod family;
pub mod float;
mod ground;
mod histogram;
mod labels;
mod matcher;
pub mod name;
pub mod quote;
mod sample;
mod selection;
mod series;
mod stamp;

pub use answer_time::AnswerTime;
pub use clock::Clock;
pub use compensated::Compensated;
pub use event::{Change, GroupKey, Merge, Push, PushedFamily, PushedSeries, RETRY_WINDOW_US, RetryKey};
pub use exemplar::{EXEMPLAR_CHARS_MAX, Exemplar, ExemplarSeries};
pub use family::{Metadata, MetricType, TYPE_LABEL, Teller, Told, UNIT_LABEL};
pub use ground::{Ground, GroundPiece};
pub use histogram::{
    Bucket, CounterReset, Histogram, HistogramMean, HistogramSum, IncompatibleBuckets, Skew, Span,
    SumRemarks, Trim,
};
pub use labels::{Label, Labels, LabelsBuilder};
pub use matcher::{CapturePattern, MatchOp, Matcher, MatcherError};
pub use sample::{STALE_NAN, Value, is_stale_nan, stale_nan};
pub use selection::{NeededLabels, Selection};
pub use series::{OPEN_END_MS, Samples, Series, Steps};
pub use stamp::Stamp;
