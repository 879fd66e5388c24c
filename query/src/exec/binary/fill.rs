//! `fill`: a value that stands in for a missing partner.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::join::Signature;
use super::set::by_signature;
use crate::exec::points::{Line, Points};

/// The lines of a side, and for each match group of the other side one line that has `value` where this side has none.
/// It carries the labels of the match group.
pub(super) fn filled<'l>(
    side: &'l [Line],
    other: &[Line],
    signature: &Signature<'_>,
    value: Option<f64>,
    count: usize,
) -> Cow<'l, [Line]> {
    let Some(value) = value else { return Cow::Borrowed(side) };
    let present = by_signature(side, signature);
    let wanted: BTreeMap<_, _> = by_signature(other, signature).into_iter().collect();
    let mut lines = side.to_vec();
    for (labels, wanted) in wanted {
        let present = present.get(&labels);
        let points = Points::of_floats(count, |index| {
            let missing = present.is_none_or(|present| !present.has(index));
            (wanted.has(index) && missing).then_some(value)
        });
        if !points.is_empty() {
            lines.push(Line { labels, drop_name: false, points });
        }
    }
    Cow::Owned(lines)
}
