//! What a query yields.

use std::sync::Arc;

use model::{Histogram, Labels, Value as Sample};

use crate::syntax::ValueType;

/// The value of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// One number.
    Scalar {
        /// When.
        at_ms: i64,
        /// What.
        value: f64,
    },
    /// A text.
    String {
        /// When.
        at_ms: i64,
        /// What.
        value: String,
    },
    /// One sample per series.
    Vector(Vec<VectorSample>),
    /// Many samples per series.
    Matrix(Vec<MatrixSeries>),
}

/// A series with one sample.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorSample {
    /// Which series.
    pub labels: Labels,
    /// When.
    pub at_ms: i64,
    /// What.
    pub value: Sample,
}

/// A series with many samples, in the order of time; floats and histograms stand apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MatrixSeries {
    /// Which series.
    pub labels: Labels,
    /// Times in milliseconds, and numbers.
    pub floats: Vec<(i64, f64)>,
    /// Times in milliseconds, and native histograms.
    pub histograms: Vec<(i64, Arc<Histogram>)>,
}

impl Value {
    /// The type of the value.
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Scalar { .. } => ValueType::Scalar,
            Self::String { .. } => ValueType::String,
            Self::Vector(_) => ValueType::Vector,
            Self::Matrix(_) => ValueType::Matrix,
        }
    }
}
