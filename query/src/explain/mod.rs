//! What a query does and what it takes: the tree of its plan, with figures that come while it is read and evaluated.
//!
//! Whoever runs the query and whoever asks about it share an [`Explanation`], so what was done is known of a query too that ended
//! early. Nothing is counted of a query that nobody wants explained.

mod describe;
mod figures;

use std::sync::{Arc, Mutex, PoisonError};

use model::Selection;

pub(crate) use figures::{Figures, Peaks};

use crate::plan::Plan;
use crate::source::{NeededLabels, SourceUsage};
use crate::syntax::{ByteRange, label_name, quoted};

/// See the module.
#[derive(Debug)]
pub struct Explanation {
    root: Described,
    /// What is left out of the tree, since it is too large.
    omitted: usize,
    nodes: Vec<Figures>,
    selections: Vec<Selected>,
    peaks: Arc<Peaks>,
}

/// A node as it is told.
#[derive(Debug)]
pub(crate) struct Described {
    /// Which of the figures are its own; `None`: it has none.
    watched: Option<usize>,
    kind: &'static str,
    range: ByteRange,
    /// At how many times it is asked for.
    steps: usize,
    /// Which selection it looks at.
    selection: Option<usize>,
    children: Vec<Described>,
}

#[derive(Debug)]
struct Selected {
    selection: Selection,
    needed: NeededLabels,
    taken: Mutex<Reading>,
}

/// What reading a selection took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Series that were read.
    pub series: u64,
    /// Samples of theirs, and steps of pushed series.
    pub samples: u64,
    /// How long it took, in microseconds.
    pub time_us: i64,
    /// What was asked of the store; `None` if the source does not tell.
    pub usage: Option<SourceUsage>,
}

/// A node of the plan and what it came to.
#[derive(Debug)]
pub struct ExplainedNode {
    /// Its piece of the query.
    pub range: ByteRange,
    /// What it is, in the words of `parse_query`.
    pub kind: &'static str,
    /// At how many times it is asked for.
    pub steps: usize,
    /// Which of the selections it looks at.
    pub selection: Option<usize>,
    /// Series that it gave, and values of theirs; `None` if that is not counted.
    pub gave: Option<(u64, u64)>,
    /// How long it and what is below it took, in microseconds; `None` if that is not measured.
    pub time_us: Option<i64>,
    /// What it is made of.
    pub children: Vec<ExplainedNode>,
}

/// What a query reads, and what that took.
#[derive(Clone, Debug)]
pub struct ExplainedSelection<'e> {
    /// Matchers and time.
    pub selection: &'e Selection,
    /// Which labels matter.
    pub needed: &'e NeededLabels,
    /// What reading it took.
    pub reading: Reading,
}

impl Explanation {
    /// Numbers the nodes of a plan, so that figures can be counted for them.
    pub(crate) fn of(plan: &mut Plan) -> Self {
        let describe::All { root, nodes, omitted } = describe::all(&mut plan.root);
        let selections = plan.selections.iter().zip(&plan.needed).map(|(selection, needed)| Selected {
            selection: selection.clone(),
            needed: needed.clone(),
            taken: Mutex::default(),
        });
        Self {
            root,
            omitted,
            nodes: (0..nodes).map(|_| Figures::default()).collect(),
            selections: selections.collect(),
            peaks: Arc::default(),
        }
    }

    /// What counts for a node; `None` if nobody asks for it.
    pub(crate) fn figures(&self, watched: Option<usize>) -> Option<&Figures> {
        self.nodes.get(watched?)
    }

    /// Changes what is known about reading a selection.
    pub(crate) fn read(&self, selection: usize, change: impl FnOnce(&mut Reading)) {
        if let Some(selected) = self.selections.get(selection) {
            change(&mut selected.taken.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    pub(crate) fn peaks(&self) -> Arc<Peaks> {
        Arc::clone(&self.peaks)
    }

    /// The plan, with what it has come to.
    pub fn tree(&self) -> ExplainedNode {
        self.node(&self.root)
    }

    /// How many nodes the tree lacks, since it would be too large.
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// What is read, each once.
    pub fn selections(&self) -> Vec<ExplainedSelection<'_>> {
        self.selections.iter().map(Selected::told).collect()
    }

    /// What reading took in all; the times are of selections that are read at once, so the longest counts.
    pub fn reading(&self) -> Reading {
        let mut all = Reading::default();
        for ExplainedSelection { reading, .. } in self.selections() {
            all.series += reading.series;
            all.samples += reading.samples;
            all.time_us = all.time_us.max(reading.time_us);
            if let Some(usage) = reading.usage {
                all.usage.get_or_insert_default().add(&usage);
            }
        }
        all
    }

    /// The most samples that were in memory at once.
    pub fn samples_most(&self) -> u64 {
        self.peaks.samples()
    }

    /// The most bytes that they and all else that counts took at once.
    pub fn bytes_most(&self) -> u64 {
        self.peaks.bytes()
    }

    fn node(&self, described: &Described) -> ExplainedNode {
        let Described { watched, kind, range, steps, selection, ref children } = *described;
        let figures = self.figures(watched).filter(|figures| figures.is_evaluated());
        let read = selection.filter(|_| watched.is_none()).and_then(|of| self.selections.get(of));
        let read = read.map(|of| {
            let reading = of.taken.lock().unwrap_or_else(PoisonError::into_inner);
            (reading.series, reading.samples)
        });
        ExplainedNode {
            range,
            kind,
            steps,
            selection,
            gave: figures.and_then(Figures::gave).or(read),
            time_us: figures.and_then(Figures::time_us),
            children: children.iter().map(|child| self.node(child)).collect(),
        }
    }
}

impl Selected {
    fn told(&self) -> ExplainedSelection<'_> {
        let reading = self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ExplainedSelection { selection: &self.selection, needed: &self.needed, reading }
    }
}

impl ExplainedNode {
    /// The text of the node, of the text of the query; of a long one the beginning.
    pub fn text<'t>(&self, query: &'t str) -> (&'t str, bool) {
        let whole = query.get(self.range.start..self.range.end).unwrap_or_default();
        shortened(whole, EXPRESSION_BYTES_MAX)
    }
}

/// Longer pieces of a query are told with their beginning only.
const EXPRESSION_BYTES_MAX: usize = 200;

/// The beginning of a text, and whether there is more.
pub(crate) fn shortened(text: &str, bytes_max: usize) -> (&str, bool) {
    if text.len() <= bytes_max {
        return (text, false);
    }
    let end = (0..=bytes_max).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    (&text[..end], true)
}

impl ExplainedSelection<'_> {
    /// What is selected, as PromQL has it.
    pub fn selector(&self) -> String {
        let mut text = String::from("{");
        for (index, matcher) in self.selection.matchers.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            let (name, op, value) = (label_name(&matcher.name), matcher.op.as_str(), quoted(&matcher.value));
            text.push_str(&format!("{comma}{name}{op}{value}"));
        }
        let (begins, is_cut) = shortened(&text, EXPRESSION_BYTES_MAX);
        format!("{begins}{}", if is_cut { "…" } else { "}" })
    }
}

#[cfg(test)]
mod tests {
    use model::{MatchOp, Matcher};

    use super::*;
    use crate::syntax::parse_metric_selector;

    #[test]
    fn selectors_are_promql() {
        let matchers = [
            ("__name__", MatchOp::Equal, "up"),
            ("größe.x", MatchOp::NotEqual, "a\"b\\c\u{1}\n"),
            ("job", MatchOp::Regex, "a|b"),
        ];
        let matchers = matchers.map(|(name, op, value)| Matcher::new(name, op, value).expect("parses"));
        let selection = Selection { matchers: matchers.to_vec(), start_ms: 0, end_ms: 0 };
        let needed = NeededLabels::All;
        let told = ExplainedSelection { selection: &selection, needed: &needed, reading: Reading::default() };
        let text = told.selector();
        assert_eq!(text, r#"{__name__="up", "größe.x"!="a\"b\\c\x01\n", job=~"a|b"}"#);
        assert_eq!(parse_metric_selector(&text).expect("PromQL"), selection.matchers);
    }
}
