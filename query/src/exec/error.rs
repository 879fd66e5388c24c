//! What can go wrong while a query is evaluated.

use model::Labels;

/// Why an evaluation stopped. The texts are those of Prometheus.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecError {
    /// More samples than the limit allows would be in memory at once.
    #[error("query processing would load too many samples into memory in query execution")]
    TooManySamples,
    /// More memory than the limit allows would be used at once.
    #[error(
        "query processing would take too much memory in query execution: more than bytes_max, {bytes_max} bytes"
    )]
    TooManyBytes {
        /// How many bytes a query may take.
        bytes_max: u64,
    },
    /// More series than the limit allows are selected.
    #[error(
        "query would load too many series into memory in query execution: more than series_max, {series_max}"
    )]
    TooManySeries {
        /// How many series a query may read.
        series_max: usize,
    },
    /// The time of the query is over.
    #[error("query timed out in expression evaluation")]
    Timeout,
    /// Whoever asked has gone.
    #[error("query was canceled in expression evaluation")]
    Canceled,
    /// Two series of a result have become the same.
    #[error("vector cannot contain metrics with the same labelset")]
    SameLabelset,
    /// Several series on the side of a binary operation that may have only one.
    #[error(
        "found duplicate series for the match group {group} on the {side} hand-side of the operation: [{first}, {second}];many-to-many matching not allowed: matching labels must be unique on one side"
    )]
    DuplicateSeries {
        /// The labels that they share.
        group: String,
        /// `left` or `right`.
        side: &'static str,
        /// One of them.
        first: String,
        /// Another.
        second: String,
    },
    /// Several series match one, and nothing says that they may.
    #[error("multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)")]
    ManyToOneNotExplicit,
    /// Several matches give the same series.
    #[error("multiple matches for labels: grouping labels must ensure unique matches")]
    GroupingNotUnique,
    /// The parameter of `topk` and the like.
    #[error("Parameter value is NaN")]
    ParameterNan,
    /// The parameter of `topk` and the like.
    #[error("Scalar value {value} overflows int64")]
    ParameterOverflow {
        /// The parameter.
        value: String,
    },
    /// An info metric with histograms.
    #[error("this should be an info metric, with float samples: {name}")]
    InfoNotFloat {
        /// The metric.
        name: String,
    },
    /// Two series of an info metric at the same time.
    #[error("found duplicate series for info metric: {first}, {second}")]
    DuplicateInfo {
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// Info metrics that say different things.
    #[error("conflicting label: {label}")]
    ConflictingInfo {
        /// About what.
        label: String,
    },
    /// The parameter of `limit_ratio`.
    #[error("Ratio value is NaN")]
    RatioNan,
    /// A factor of `double_exponential_smoothing`.
    #[error("invalid {what} factor. Expected: 0 < {symbol} < 1, got: {value}")]
    BadFactor {
        /// `smoothing` or `trend`.
        what: &'static str,
        /// `sf` or `tf`.
        symbol: &'static str,
        /// The factor.
        value: String,
    },
    /// An expression of `label_replace`.
    #[error("invalid regular expression in label_replace(): {pattern}")]
    BadRegex {
        /// The expression.
        pattern: String,
    },
    /// A label that `label_replace` or `label_join` cannot set or read.
    #[error("invalid {role} label name in {function}(): {name}")]
    BadLabelName {
        /// `source` or `destination`.
        role: &'static str,
        /// Which function.
        function: &'static str,
        /// The name.
        name: String,
    },
    /// A label that `count_values` cannot set.
    #[error("invalid label name {}", crate::syntax::quoted(name))]
    BadValueLabel {
        /// The name.
        name: String,
    },
    /// Something that is not there yet.
    #[error("{what} is not supported yet")]
    NotSupported {
        /// What.
        what: String,
    },
    /// The plan and the executor disagree: a bug.
    #[error("unexpected state in the evaluation: {what}")]
    Internal {
        /// Where.
        what: &'static str,
    },
}

impl ExecError {
    pub(crate) fn not_supported(what: impl Into<String>) -> Self {
        Self::NotSupported { what: what.into() }
    }

    pub(crate) fn duplicate(group: &Labels, side: &'static str, a: &Labels, b: &Labels) -> Self {
        let (first, second) = if a <= b { (a, b) } else { (b, a) };
        Self::DuplicateSeries {
            group: in_braces(group),
            side,
            first: in_braces(first),
            second: in_braces(second),
        }
    }
}

/// All labels in braces, the name among them.
fn in_braces(labels: &Labels) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|label| format!("{}={}", label.name, crate::syntax::quoted(&label.value)))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}
