//! What is read for an answer.

use std::sync::Arc;

use model::{NeededLabels, Selection};

use super::known::ByList;
use crate::manifest::Object;

/// What an answer is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// What was pushed.
    Pushed,
    /// What was pushed, and samples.
    Series,
    /// What families are: the heads of what was pushed, and of samples.
    Families,
    /// Exemplars alone.
    Exemplars,
}

/// What is read for an answer.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Rows that match one of these, by name, over their time.
    pub(super) matching: Vec<Selection>,
    pub(super) labels: NeededLabels,
    pub(super) values: bool,
    /// What was pushed before this is not asked for.
    pub(super) pushed_from_ms: i64,
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    /// Which streams are read.
    pub(super) asks: Asks,
    /// All rows of this metric name may be read instead, where they are few, and are kept then.
    pub(super) whole_name: Option<Arc<str>>,
    /// How rows of samples are read where it is kept which series files have.
    pub(super) by_list: Option<&'static dyn ByList>,
}

impl Request {
    /// All that was pushed and may hold then.
    pub(super) fn all_pushed(at_ms: i64) -> Self {
        Self {
            matching: vec![everything(at_ms)],
            labels: NeededLabels::All,
            values: true,
            pushed_from_ms: i64::MIN,
            start_ms: at_ms,
            end_ms: at_ms,
            asks: Asks::Pushed,
            whole_name: None,
            by_list: None,
        }
    }

    /// The time of pushes that are asked for.
    pub(super) fn push_times_us(&self) -> (i64, i64) {
        micros((self.pushed_from_ms, self.end_ms))
    }

    /// The time of samples that are asked for.
    pub(super) fn sample_times_us(&self) -> (i64, i64) {
        micros((self.start_ms, self.end_ms))
    }

    /// From when on retry keys are asked for, if all of them are.
    pub(super) fn keys_from_us(&self) -> Option<i64> {
        (self.pushed_from_ms > i64::MIN).then(|| micros((self.pushed_from_ms, 0)).0)
    }

    /// Whether rows of a file may match, by what the manifest says of their names.
    pub(super) fn may_match(&self, object: &Object) -> bool {
        let Some((first, last)) = &object.names else { return false };
        self.matching.iter().any(|selection| match selection.metric_name() {
            Some(name) => first.as_str() <= name && name <= last.as_str(),
            None => true,
        })
    }
}

/// All that holds at a time.
pub(super) fn everything(at_ms: i64) -> Selection {
    Selection { matchers: Vec::new(), start_ms: at_ms, end_ms: at_ms }
}

/// The microseconds of some milliseconds, the last one whole.
fn micros((start_ms, end_ms): (i64, i64)) -> (i64, i64) {
    (start_ms.saturating_mul(1_000), end_ms.saturating_mul(1_000).saturating_add(999))
}
