//! The language: from text to a checked tree and back.
//!
//! [`parse`] cuts the text into tokens, builds the tree by operator precedence, and checks types. Errors carry the
//! position and the words that Prometheus gives them. Printing a tree gives the normal form of the query.

mod ast;
mod check;
mod error;
mod function;
mod lexer;
mod number;
mod operator;
mod options;
mod parser;
mod position;
mod pretty;
mod print;
mod quote;
mod series;
mod series_histogram;
mod token;

pub use ast::{
    Aggregate, At, Binary, Call, Duration, DurationExpr, DurationKind, Edges, Expr, ExprKind, Grouping,
    Matching, MatchingLabels, Number, RangeSelector, Selector, Shift, Side, Subquery, Unary, ValueType,
};
pub use error::ParseError;
pub use function::{Function, Signature, Variadic};
pub use model::duration::{DurationError, format as format_duration_ms, parse as parse_duration_ms};
pub use operator::{AggregateOp, BinaryOp};
pub use options::Options;
pub use parser::{DEPTH_MAX, parse, parse_metric, parse_metric_selector};
pub use position::{ByteRange, Position};
pub use pretty::pretty;
pub(crate) use print::label_name;
pub(crate) use quote::has_raw_bytes;
pub use quote::quoted;
pub use series::{SeriesDescription, SeriesItem, parse_series};
