//! Why a body was refused.

use crate::quote;
use crate::text;

/// A body that was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenMetricsError {
    /// It breaks the grammar.
    #[error("OpenMetrics parsing error in line {line}: {fault}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        fault: Fault,
    },
    /// It has more bytes than allowed.
    #[error("body is larger than {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// It has more samples than allowed.
    #[error("body has more than {samples_max} samples")]
    TooManySamples {
        /// The limit.
        samples_max: usize,
    },
    /// One sample has more labels than allowed.
    #[error("a sample in line {line} has more than {labels_max} labels")]
    TooManyLabels {
        /// The line, from 1.
        line: usize,
        /// The limit.
        labels_max: usize,
    },
}

fn quoted(text: &str) -> String {
    quote::text(text.as_bytes())
}

/// Why a line of a file was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// It breaks the grammar.
    #[error(transparent)]
    Syntax(#[from] Fault),
    /// It has more labels than allowed.
    #[error("a sample has more than {labels_max} labels")]
    TooManyLabels {
        /// The limit.
        labels_max: usize,
    },
}

/// What is wrong in a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// What is wrong in the text format too.
    #[error(transparent)]
    Line(#[from] text::Fault),
    /// There is no `# EOF`.
    #[error("expected # EOF at the end")]
    NoEnd,
    /// Something stands behind `# EOF`.
    #[error("something stands behind # EOF")]
    AfterEnd,
    /// A line without anything.
    #[error("an empty line")]
    Empty,
    /// A line that begins with `#` and says nothing.
    #[error("expected # TYPE, # HELP, # UNIT or # EOF")]
    Comment,
    /// Lines of one family do not stand together.
    #[error("the lines of {} do not stand together", quoted(.0))]
    Torn(String),
    /// TYPE, HELP or UNIT twice, or behind a sample.
    #[error("second {keyword} line for {}, or {keyword} reported after samples", quoted(.family))]
    Second {
        /// Which.
        keyword: &'static str,
        /// Of which family.
        family: String,
    },
    /// A type that there is not.
    #[error("unknown metric type {}", quote::text(.0))]
    UnknownType(Vec<u8>),
    /// The name of the family does not end in its unit.
    #[error("{} does not end in its unit {}", quoted(.family), quote::text(.unit))]
    Unit {
        /// The family.
        family: String,
        /// Its unit.
        unit: Vec<u8>,
    },
    /// A sample that is called like a family whose samples have suffixes.
    #[error("{} lacks the suffix that its type has", quoted(.0))]
    Suffix(String),
    /// A bucket without `le`, or a quantile that is none.
    #[error("expected a number as label {}", quoted(.0))]
    Bound(&'static str),
    /// A state without the label that says which.
    #[error("expected the label {}, which says which state it is", quoted(.0))]
    State(String),
    /// The same sample twice.
    #[error("second sample {}", quoted(.0))]
    SecondSample(String),
    /// A count or a bucket below zero, or a count that is no number.
    #[error("{} counts less than nothing, or no number", quoted(.0))]
    Count(String),
    /// A time that is no number, or one that nobody's clock shows.
    #[error("expected seconds since 1970 as timestamp, got {}", quote::text(.0))]
    Timestamp(Vec<u8>),
    /// An exemplar where there can be none.
    #[error("an exemplar of what has none: only counters and buckets have some")]
    Exemplar,
    /// The labels of an exemplar are too long.
    #[error("the labels of an exemplar have more than {max} characters")]
    LongExemplar {
        /// The limit.
        max: usize,
    },
    /// Something else behind a sample.
    #[error("spurious string after sample: {}", quote::text(.0))]
    AfterSample(Vec<u8>),
}
