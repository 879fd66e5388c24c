//! Why a protobuf body was refused.

use crate::quote;

/// A protobuf body that was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ProtobufError {
    /// It ends within a message.
    #[error("unexpected EOF")]
    Truncated,
    /// It is not protobuf, or of another type.
    #[error("proto: cannot parse invalid wire-format data")]
    Wire,
    /// A family has no name.
    #[error("metric family without a name")]
    NoName,
    /// A type that is not known.
    #[error("metric family {} has the unknown type {number}", quote::text(.family.as_bytes()))]
    UnknownType {
        /// The family's name.
        family: String,
        /// The number of its type.
        number: u64,
    },
    /// The name of a family is not UTF-8.
    #[error("name of metric family is not utf8: {}", quote::text(.0))]
    FamilyName(Vec<u8>),
    /// The name of a label is not UTF-8.
    #[error("metric {} has a label whose name is not utf8: {}", quote::text(.family.as_bytes()), quote::text(.label))]
    LabelName {
        /// The family's name.
        family: String,
        /// The label's name.
        label: Vec<u8>,
    },
    /// The value of a label is not UTF-8.
    #[error(
        "metric {} has a label named {} whose value is not utf8: {}",
        quote::text(.family.as_bytes()), quote::text(.label.as_bytes()), quote::text(.value)
    )]
    LabelValue {
        /// The family's name.
        family: String,
        /// The label's name.
        label: String,
        /// The label's value.
        value: Vec<u8>,
    },
    /// A native histogram that contradicts itself.
    #[error("native histogram {} is invalid: {fault}", quote::text(.family.as_bytes()))]
    Native {
        /// The family's name.
        family: String,
        /// What is wrong with it.
        fault: NativeFault,
    },
    /// It has more bytes than allowed.
    #[error("body is larger than {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// One metric has more bytes than allowed.
    #[error("a metric of {} is larger than {bytes_max} bytes", quote::text(.family.as_bytes()))]
    MetricTooLarge {
        /// The family's name.
        family: String,
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
    #[error("a metric of {} has more than {labels_max} labels", quote::text(.family.as_bytes()))]
    TooManyLabels {
        /// The family's name.
        family: String,
        /// The limit.
        labels_max: usize,
    },
}

/// How a native histogram contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NativeFault {
    /// The schema is none of the exponential ones.
    #[error("schema {0} is not in -4 to 8")]
    Schema(i32),
    /// The spans ask for more or fewer buckets than there are.
    #[error("spans have {spans} buckets, but {counts} are given")]
    Buckets {
        /// Buckets by the spans.
        spans: u64,
        /// Buckets given.
        counts: usize,
    },
    /// A span begins before the one before it ends, or beyond what an index can be.
    #[error("spans overlap or are out of range")]
    Spans,
    /// A count is negative or not a number.
    #[error("a count is negative or not a number")]
    Count,
    /// The zero threshold is negative or not a number.
    #[error("the zero threshold is negative or not a number")]
    ZeroThreshold,
}
