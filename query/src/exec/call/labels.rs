//! `label_replace` and `label_join`.

use model::{CapturePattern, Labels};

use crate::exec::points::Line;
use crate::exec::{ExecError, Executor, Result, Sink, Weight, names};
use crate::plan::Node;

impl Executor<'_> {
    pub(super) fn label_replace(&self, arguments: &[Node], sink: &mut Sink<'_>) -> Result<()> {
        let [operand, target, replacement, source, pattern] = arguments else {
            return Err(ExecError::Internal { what: "label_replace takes five arguments" });
        };
        let (target, replacement) = (self.text(target)?, self.text(replacement)?);
        let (source, text) = (self.text(source)?, self.text(pattern)?);
        let pattern =
            CapturePattern::new(text).map_err(|_| ExecError::BadRegex { pattern: text.to_owned() })?;
        check_name("destination", "label_replace", target)?;
        self.relabel(operand, target, sink, |labels| {
            pattern.replace(labels.get(source).unwrap_or(""), replacement)
        })
    }

    pub(super) fn label_join(&self, arguments: &[Node], sink: &mut Sink<'_>) -> Result<()> {
        let [operand, target, separator, sources @ ..] = arguments else {
            return Err(ExecError::Internal { what: "label_join takes at least three arguments" });
        };
        let (target, separator) = (self.text(target)?, self.text(separator)?);
        let sources = sources.iter().map(|source| self.text(source)).collect::<Result<Vec<_>>>()?;
        for source in &sources {
            check_name("source", "label_join", source)?;
        }
        check_name("destination", "label_join", target)?;
        self.relabel(operand, target, sink, |labels| {
            let values: Vec<&str> = sources.iter().map(|source| labels.get(source).unwrap_or("")).collect();
            Some(values.join(separator))
        })
    }

    /// Sets a label of each series; series that become the same are joined.
    fn relabel(
        &self,
        operand: &Node,
        target: &str,
        sink: &mut Sink<'_>,
        value: impl Fn(&Labels) -> Option<String>,
    ) -> Result<()> {
        let mut held = self.nothing_held();
        self.each_line(operand, &mut |mut line: Line| {
            if let Some(value) = value(&line.labels) {
                // each call may double a text
                self.budget.hold(Weight { samples: 0, bytes: value.len() as u64 })?;
                line.labels = line.labels.to_builder().set(target, value).build();
                line.drop_name &= target != Labels::NAME;
            }
            self.hold(&mut held, line)
        })?;
        names::merge_same(std::mem::take(&mut held.lines))?.into_iter().try_for_each(sink)
    }
}

pub(super) fn check_name(role: &'static str, function: &'static str, name: &str) -> Result<()> {
    if name.is_empty() || crate::syntax::has_raw_bytes(name) {
        return Err(ExecError::BadLabelName { role, function, name: name.to_owned() });
    }
    Ok(())
}
