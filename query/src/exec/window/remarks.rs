//! What is remarked on a series when all its windows are evaluated.

use model::Labels;

use crate::exec::points::Points;
use crate::exec::scalar::Scalar;
use crate::exec::{Context, remarks};
use crate::plan::Windows;
use crate::syntax::Function;

impl Context<'_> {
    /// A quantile that there cannot be deserves a remark, where there is something to find it of.
    pub(super) fn remark_on_quantile(&self, node: &Windows, parameters: &[Scalar], points: &Points) {
        let (Function::QuantileOverTime, [phi]) = (node.function, parameters) else { return };
        let mut asked = points.floats().map(|(index, _)| phi.at(index));
        if let Some(phi) = asked.find(|phi| !(0.0..=1.0).contains(phi)) {
            self.notes.borrow_mut().warn(node.parameter_range, remarks::quantile_out_of_range(phi));
        }
    }

    /// A rate of something that is not named like a counter deserves a remark.
    pub(super) fn remark_on_counter(&self, labels: &Labels, node: &Windows, points: &Points) {
        let name = labels.metric_name();
        if !matches!(node.function, Function::Rate | Function::Increase) || points.floats().next().is_none() {
            return;
        }
        let like_a_counter =
            ["_total", "_sum", "_count", "_bucket"].iter().any(|suffix| name.ends_with(suffix));
        if self.settings.type_labels {
            let r#type = labels.get("__type__").unwrap_or_default();
            if !name.is_empty() && !matches!(r#type, "counter" | "histogram") {
                let text = format!(
                    "metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\", got {}: {}",
                    crate::syntax::quoted(r#type),
                    crate::syntax::quoted(name)
                );
                self.notes.borrow_mut().info(node.range, text);
            }
        } else if !name.is_empty() && !like_a_counter {
            let text = format!(
                "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {}",
                crate::syntax::quoted(name)
            );
            self.notes.borrow_mut().info(node.range, text);
        }
    }
}
