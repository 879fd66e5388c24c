//! The heads of what is merged, and the head of the run.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{RetryKey, Stamp, Teller};

use super::Span;
use super::contested::Contested;
use crate::fold::{Condensed, Ends, Expired, Heads, Pushed};
use crate::segment::{ClearRow, Description, ExpireRow, PushRow, Segment};

/// What heads say of a span, in the fold's form.
pub(super) fn heads(inputs: &[Segment], span: Span, counted: &[(RetryKey, Stamp)]) -> Heads {
    let mut heads = Heads::default();
    counted.iter().for_each(|(retry, stamp)| heads.counted(retry.key, *stamp));
    for input in inputs {
        for clear in input.clears.iter().filter(|clear| span.contains(clear.stamp.at_us)) {
            heads.clear(clear.stamp, clear.scope.clone());
        }
        for push in input.pushes.iter().filter(|push| span.contains(push.stamp.at_us)) {
            let PushRow { stamp, group, until_us, retry_key } = *push;
            heads.push(Pushed { stamp, group, until_us, retry_key });
        }
        for expiry in input.expiries.iter().filter(|expiry| span.contains(expiry.at_us)) {
            heads.expire(expiry.group, expiry.at_us, expiry.until_us);
        }
    }
    heads
}

/// Writes the head of a run.
pub(super) fn condense(
    run: &mut Segment,
    inputs: &[Segment],
    (heads, ends): (&Heads, &Ends),
    span: Span,
    contested: &Contested,
) {
    let Condensed { clears, pushes, expired } = heads.condensed(ends, span.end_us);
    let clears = clears.into_iter().map(|(stamp, scope)| ClearRow { stamp: contested.stamp(stamp), scope });
    run.clears = clears.collect();
    let push = |Pushed { stamp, group, until_us, .. }| PushRow {
        stamp: contested.stamp(stamp),
        group,
        until_us,
        retry_key: None,
    };
    run.pushes = pushes.into_iter().map(push).collect();
    run.expiries = expired.into_iter().map(|(group, expired)| expire_row(group, expired)).collect();
    run.descriptions = last_descriptions(inputs, |stamp| span.contains(stamp.at_us));
    for description in &mut run.descriptions {
        description.stamp = contested.stamp(description.stamp);
    }
}

pub(super) fn expire_row(group: model::GroupKey, Expired { at, until }: Expired) -> ExpireRow {
    ExpireRow { at_us: at.at_us, group, until_us: until.map(|until| until.at_us) }
}

/// The last description of each family by each who told of it, among those with stamps that count.
pub(super) fn last_descriptions(inputs: &[Segment], counts: impl Fn(Stamp) -> bool) -> Vec<Description> {
    let mut last: BTreeMap<(Arc<str>, Option<Teller>), &Description> = BTreeMap::new();
    for description in inputs.iter().flat_map(|input| &input.descriptions) {
        let key = description.key();
        let known = last.get(&key);
        if counts(description.stamp) && known.is_none_or(|known| known.stamp < description.stamp) {
            last.insert(key, description);
        }
    }
    last.into_values().cloned().collect()
}
