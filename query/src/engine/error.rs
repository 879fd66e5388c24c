//! Why a query has no result.

use crate::exec::ExecError;
use crate::plan::PlanError;
use crate::source::{SourceError, SourceErrorKind};
use crate::syntax::ParseError;

/// Why a query has no result.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The text is no expression.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// The expression cannot be evaluated, whatever the data.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The expression yields nothing that can be asked for at several times.
    #[error("invalid expression type {found:?} for range query, must be Scalar or instant Vector")]
    NotForRange {
        /// What it yields.
        found: &'static str,
    },
    /// The step of a range query is not positive.
    #[error("zero or negative query resolution step widths are not accepted. Try a positive integer")]
    BadStep,
    /// The step of a range query is too small.
    #[error(
        "exceeded maximum resolution of {} points per timeseries. Try decreasing the query resolution (?step=XX)",
        with_thousands(*points_max)
    )]
    TooManyPoints {
        /// How many points a series may have.
        points_max: usize,
    },
    /// The evaluation stopped.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// The data cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Ask for something else.
    BadData,
    /// The data do not fit the query, or are too many for it.
    Execution,
    /// Ask for less, or allow more time.
    Timeout,
    /// Nothing: nobody waits any more.
    Canceled,
    /// Ask again later.
    Unavailable,
    /// Report it.
    Internal,
}

impl QueryError {
    /// What a caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Plan(
                PlanError::NotSupported { .. } | PlanError::TooManySteps | PlanError::EdgesNotAllowed { .. },
            ) => ErrorKind::Execution,
            Self::Parse(_)
            | Self::Plan(_)
            | Self::NotForRange { .. }
            | Self::BadStep
            | Self::TooManyPoints { .. } => ErrorKind::BadData,
            Self::Exec(ExecError::Timeout) => ErrorKind::Timeout,
            Self::Exec(ExecError::Canceled) => ErrorKind::Canceled,
            Self::Exec(ExecError::Internal { .. }) => ErrorKind::Internal,
            Self::Exec(_) => ErrorKind::Execution,
            Self::Source(error) => match error.kind {
                SourceErrorKind::Unavailable => ErrorKind::Unavailable,
                SourceErrorKind::Limit => ErrorKind::Execution,
                SourceErrorKind::Internal => ErrorKind::Internal,
            },
        }
    }
}

/// 11000 as `11,000`.
fn with_thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
