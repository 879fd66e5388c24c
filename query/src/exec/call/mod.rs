//! Function calls on instant vectors.

mod classic_histogram;
mod date;
mod histogram;
mod info;
mod labels;
mod math;
mod native_histogram;
mod sort;
mod sort_by_label;

use model::Labels;

use super::points::{Line, Points};
use super::scalar::{go_max, go_min, seconds};
use super::{ExecError, Executor, Result, Sink, presence};
use crate::plan::{CallNode, Node};
use crate::syntax::Function;

impl Executor<'_> {
    pub(super) fn call(&self, call: &CallNode, node: &Node, sink: &mut Sink<'_>) -> Result<()> {
        let arguments = call.arguments.as_slice();
        if let ([operand], Some(compute)) = (arguments, math::of_one(call.function)) {
            return self.each_float(operand, sink, |_, value| Some(compute(value)));
        }
        if let Some(compute) = date::part(call.function) {
            return self.date(arguments, node, compute, sink);
        }
        if let ([operand], Some(compute)) = (arguments, native_histogram::part(call.function)) {
            return self.each_histogram(operand, sink, compute);
        }
        match (call.function, arguments) {
            (Function::Clamp, [operand, least, most]) => {
                let (least, most) = (self.scalar(least)?, self.scalar(most)?);
                self.each_float(operand, sink, |index, value| {
                    let (least, most) = (least.at(index), most.at(index));
                    // with NaN as a bound the result is NaN, with bounds the wrong way round there is none
                    (least <= most || least.is_nan() || most.is_nan())
                        .then(|| go_max(least, go_min(most, value)))
                })
            }
            (Function::ClampMin, [operand, least]) => {
                let least = self.scalar(least)?;
                self.each_float(operand, sink, |index, value| Some(go_max(least.at(index), value)))
            }
            (Function::ClampMax, [operand, most]) => {
                let most = self.scalar(most)?;
                self.each_float(operand, sink, |index, value| Some(go_min(most.at(index), value)))
            }
            (Function::Round, [operand]) => {
                self.each_float(operand, sink, |_, value| Some((value + 0.5).floor()))
            }
            (Function::Round, [operand, nearest]) => {
                let nearest = self.scalar(nearest)?;
                self.each_float(operand, sink, |index, value| {
                    // multiplying by the inverse gives 0.1 where dividing would give 0.09999999999999999
                    let inverse = 1.0 / nearest.at(index);
                    Some((value * inverse + 0.5).floor() / inverse)
                })
            }
            (Function::Vector, [operand]) => {
                let scalar = self.scalar(operand)?;
                let points = Points::of_floats(node.grid.count, |index| Some(scalar.at(index)));
                sink(Line { labels: Labels::empty(), drop_name: false, points })
            }
            (Function::Timestamp, [operand]) => self.each_computed(operand, sink, |points| {
                let mut times = Points::default();
                for index in points.places() {
                    if points.has(index) {
                        times.push(index, seconds(node.grid.at(index)));
                    }
                }
                *points = times;
                Ok(())
            }),
            // only a selector knows starts; computed values have none
            (Function::StartTimestamp, _) => Ok(()),
            (Function::Absent, [operand]) => self.absent(call, operand, node, sink),
            (Function::LabelReplace, _) => self.label_replace(arguments, sink),
            (Function::LabelJoin, _) => self.label_join(arguments, sink),
            (Function::Sort | Function::SortDesc, [operand]) => self.sort(call.function, operand, node, sink),
            (Function::HistogramQuantile, [phi, operand]) => {
                self.histogram_quantile(phi, operand, node, sink)
            }
            (Function::SortByLabel | Function::SortByLabelDesc, _) => {
                self.sort_by_label(call.function, arguments, node, sink)
            }
            (Function::Info, [operand, info]) => self.info(operand, info, node, sink),
            (Function::HistogramQuantiles, _) => self.histogram_quantiles(arguments, node, sink),
            (Function::HistogramFraction, [lower, upper, operand]) => {
                self.histogram_fraction(lower, upper, operand, node, sink)
            }
            _ => Err(ExecError::not_supported(format!("the function {}", call.function.name()))),
        }
    }

    /// Computes with floats; histograms go away.
    fn each_float(
        &self,
        operand: &Node,
        sink: &mut Sink<'_>,
        mut compute: impl FnMut(usize, f64) -> Option<f64>,
    ) -> Result<()> {
        self.each_computed(operand, sink, |points| {
            points.map_floats(&mut compute);
            Ok(())
        })
    }

    fn absent(&self, call: &CallNode, operand: &Node, node: &Node, sink: &mut Sink<'_>) -> Result<()> {
        let mut present = vec![false; node.grid.count];
        self.each_line(operand, &mut |line| {
            let found = presence([&line.points], node.grid.count);
            present.iter_mut().zip(found).for_each(|(present, found)| *present |= found);
            Ok(())
        })?;
        let points = Points::of_floats(node.grid.count, |index| (!present[index]).then_some(1.0));
        sink(Line { labels: call.absent_labels.clone(), drop_name: false, points })
    }
}
