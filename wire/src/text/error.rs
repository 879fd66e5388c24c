//! Why a text body was refused. The texts are those of the Pushgateway.

use crate::quote;

/// A text body that was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// It breaks the grammar.
    #[error("text format parsing error in line {line}: {fault}")]
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

/// What is wrong in a line. Bytes are as they stand in the body: they need not be UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The last line does not end in a line feed.
    #[error("unexpected end of input stream")]
    End,
    /// A line begins with no name.
    #[error("invalid metric name")]
    NoMetricName,
    /// A quoted name that is not allowed.
    #[error("invalid metric name {}", quote::text(.0))]
    MetricName(Vec<u8>),
    /// HELP or TYPE is followed by no name.
    #[error("invalid metric name in comment")]
    MetricNameInComment,
    /// Two names in one pair of braces.
    #[error("multiple metric names for metric {}", quote::text(.0.as_bytes()))]
    SecondMetricName(String),
    /// After a name in braces stands this byte.
    #[error("unexpected end of metric name {}", quote::byte(*.0))]
    AfterMetricName(u8),
    /// Braces hold something that is no label name.
    #[error("invalid label name for metric {}", quote::text(.0.as_bytes()))]
    NoLabelName(String),
    /// A quoted label name that is not allowed.
    #[error("invalid label name {}", quote::text(.0))]
    LabelName(Vec<u8>),
    /// `__name__` as a label.
    #[error("label name \"__name__\" is reserved")]
    ReservedLabelName,
    /// The same label twice.
    #[error("duplicate label names for metric {}", quote::text(.0.as_bytes()))]
    DuplicateLabelName(String),
    /// After a label name stands this byte.
    #[error("expected '=' after label name, found {}", quote::byte(*.0))]
    AfterLabelName(u8),
    /// After `=` stands this byte.
    #[error("expected '\"' at start of label value, found {}", quote::byte(*.0))]
    LabelValueStart(u8),
    /// A label value that is not UTF-8.
    #[error("invalid label value {}", quote::text(.0))]
    LabelValue(Vec<u8>),
    /// After this label value stands neither a comma nor a brace.
    #[error("unexpected end of label value {}", quote::text(.0.as_bytes()))]
    AfterLabelValue(String),
    /// A line feed in quotes.
    #[error("{what} {} contains unescaped new-line", quote::text(.text))]
    LineFeed {
        /// In what.
        what: Quoted,
        /// What stands before it.
        text: Vec<u8>,
    },
    /// A backslash before this byte.
    #[error("invalid escape sequence '\\{}'", char::from(*.0))]
    Escape(u8),
    /// The value is not a number.
    #[error("expected float as value, got {}", quote::text(.0))]
    Value(Vec<u8>),
    /// The label `le` or `quantile` is not a number.
    #[error("expected float as value for '{label}' label, got {}", quote::text(.value.as_bytes()))]
    Bound {
        /// Which label.
        label: &'static str,
        /// Its value.
        value: String,
    },
    /// The timestamp is not a whole number.
    #[error("expected integer as timestamp, got {}", quote::text(.0))]
    Timestamp(Vec<u8>),
    /// After the timestamp stands something else.
    #[error("spurious string after timestamp: {}", quote::text(.0))]
    AfterTimestamp(Vec<u8>),
    /// Two HELP lines.
    #[error("second HELP line for metric name {}", quote::text(.0.as_bytes()))]
    SecondHelp(String),
    /// Two TYPE lines, or one that comes too late.
    #[error(
        "second TYPE line for metric name {}, or TYPE reported after samples",
        quote::text(.0.as_bytes())
    )]
    SecondType(String),
    /// A type that the format does not have.
    #[error("unknown metric type {}", quote::text(.0))]
    UnknownType(Vec<u8>),
    /// A bucket that counts less than nothing.
    #[error("negative bucket population for histogram {}", quote::text(.0.as_bytes()))]
    NegativeBucket(String),
    /// A histogram that counts less than nothing.
    #[error("negative count for histogram {}", quote::text(.0.as_bytes()))]
    NegativeCount(String),
}

/// What stands in quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoted {
    /// The name of a metric.
    MetricName,
    /// The name of a label.
    LabelName,
    /// The value of a label.
    LabelValue,
}

impl std::fmt::Display for Quoted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::MetricName => "metric name",
            Self::LabelName => "label name",
            Self::LabelValue => "label value",
        })
    }
}
