//! Functions of one native histogram: count, sum, mean, deviation.

use model::{Histogram, Value};

use crate::exec::{Executor, Result, Sink};
use crate::plan::Node;
use crate::syntax::Function;

/// The function, if it computes a float from a histogram.
pub(super) fn part(function: Function) -> Option<fn(&Histogram) -> f64> {
    Some(match function {
        Function::HistogramCount => |histogram| histogram.count,
        Function::HistogramSum => |histogram| histogram.sum,
        Function::HistogramAvg => |histogram| histogram.sum / histogram.count,
        Function::HistogramStdvar => Histogram::variance,
        Function::HistogramStddev => |histogram| histogram.variance().sqrt(),
        _ => return None,
    })
}

impl Executor<'_> {
    /// Computes with histograms; floats go away.
    pub(super) fn each_histogram(
        &self,
        operand: &Node,
        sink: &mut Sink<'_>,
        compute: fn(&Histogram) -> f64,
    ) -> Result<()> {
        self.each_computed(operand, sink, |points| {
            points.map_values(|_, value| match value {
                Value::Histogram(histogram) => Some(Value::Float(compute(&histogram))),
                Value::Float(_) => None,
            });
            Ok(())
        })
    }
}
