//! PromQL: parser, executor and HTTP API.
//!
//! In the order in which data flows: [`syntax`] makes a tree of a text; an [`Engine`] plans it, asks a [`SeriesSource`]
//! for what it needs, and executes it; [`router`](api::router) serves it as Prometheus does.

pub mod syntax;

mod plan;

mod source;

mod calendar;
mod exec;
mod fragment;
mod steps;

mod annotations;
mod explain;
mod value;

mod engine;
mod results;

pub mod api;

pub use annotations::{Annotation, Annotations, Severity};
pub use engine::{
    CancelOnDrop, Engine, ErrorKind, Loaded, Outcome, Planned, QueryError, QueryOptions, Settings, Times,
    Usage,
};
pub use exec::ExecError;
pub use explain::{ExplainedNode, ExplainedSelection, Explanation, Reading};
pub use fragment::{CodecError, Fragment, FragmentRunner, Partial};
pub use plan::PlanError;
pub use results::{Results, ResultsStats};
pub use source::{
    NeededLabels, SeriesSource, Shown, Snapshot, SourceError, SourceErrorKind, SourceNotes, SourceUsage,
};
pub use steps::Scrapes;
pub use value::{MatrixSeries, Value, VectorSample};
