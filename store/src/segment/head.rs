//! The rows of the head: what ends, what is known of pushes, and what is described.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array};
use model::{GroupKey, RetryKey, Stamp};

use super::columns::{LabelPlan, Optional, event};
use super::encode::{binaries, map, texts, times};
use super::{Description, ExpireRow, PushRow, Segment, SegmentError, histogram};
use crate::fold::Scope;

/// One row of the head.
enum HeadRow<'a> {
    Clear(Stamp, &'a Scope),
    Push(&'a PushRow),
    Expire(&'a ExpireRow),
    Describe(&'a Description),
}

impl<'a> HeadRow<'a> {
    fn at_us(&self) -> i64 {
        match self {
            Self::Clear(stamp, _) => stamp.at_us,
            Self::Push(push) => push.stamp.at_us,
            Self::Expire(expiry) => expiry.at_us,
            Self::Describe(description) => description.stamp.at_us,
        }
    }

    /// `None`: nobody stamps an expiry.
    fn writer(&self) -> Option<u64> {
        match self {
            Self::Clear(stamp, _) => Some(stamp.writer),
            Self::Push(push) => Some(push.stamp.writer),
            Self::Expire(_) => None,
            Self::Describe(description) => Some(description.stamp.writer),
        }
    }

    fn until_us(&self) -> Option<i64> {
        match self {
            Self::Push(push) => push.until_us,
            Self::Expire(expiry) => expiry.until_us,
            _ => None,
        }
    }

    fn event(&self) -> &'static str {
        match self {
            Self::Clear(_, Scope::GroupButFailure(_)) => event::REPLACE,
            Self::Clear(..) => event::CLEAR,
            Self::Push(_) => event::PUSH,
            Self::Expire(_) => event::EXPIRE,
            Self::Describe(_) => event::DESCRIBE,
        }
    }

    fn group(&self) -> Option<GroupKey> {
        match self {
            Self::Clear(_, Scope::Group(group) | Scope::GroupButFailure(group) | Scope::Family(group, _)) => {
                Some(*group)
            }
            Self::Push(push) => Some(push.group),
            Self::Expire(expiry) => Some(expiry.group),
            Self::Describe(description) => description.told_by.map(|teller| GroupKey(teller.0)),
            Self::Clear(_, Scope::Everything) => None,
        }
    }

    fn family(&self) -> Option<&'a str> {
        match self {
            Self::Clear(_, Scope::Family(_, family)) => Some(family),
            Self::Describe(description) => Some(&description.family),
            _ => None,
        }
    }

    /// Something of a description; what is empty is left out.
    fn described(&self, part: impl Fn(&'a Description) -> &'a str) -> Option<&'a str> {
        match self {
            Self::Describe(description) => Some(part(description)).filter(|text| !text.is_empty()),
            _ => None,
        }
    }

    fn push(&self) -> Option<&'a PushRow> {
        match self {
            Self::Push(push) => Some(push),
            _ => None,
        }
    }

    fn retry_key(&self) -> Option<RetryKey> {
        self.push()?.retry_key
    }
}

/// The columns of the head, in the order of the schema.
pub(super) fn head_batch(
    segment: &Segment,
    plan: &LabelPlan,
    optional: Optional,
) -> Result<Vec<ArrayRef>, SegmentError> {
    let clears = segment.clears.iter().map(|clear| HeadRow::Clear(clear.stamp, &clear.scope));
    let pushes = segment.pushes.iter().map(HeadRow::Push);
    let descriptions = segment.descriptions.iter().map(HeadRow::Describe);
    let expiries = segment.expiries.iter().map(HeadRow::Expire);
    let head: Vec<HeadRow<'_>> = clears.chain(pushes).chain(expiries).chain(descriptions).collect();
    let rows = head.len();
    let no_text = || texts(std::iter::repeat_n(None, rows));
    let mut arrays: Vec<ArrayRef> = vec![
        no_text(),
        Arc::new(Int64Array::new_null(rows)),
        times(head.iter().map(|row| Some(row.at_us()))),
        Arc::new(Float64Array::new_null(rows)),
    ];
    if optional.starts {
        arrays.push(times(std::iter::repeat_n(None, rows)));
    }
    if optional.histograms {
        arrays.push(Arc::new(histogram::build(std::iter::repeat_n(None, rows))?));
    }
    arrays.push(texts(head.iter().map(|row| Some(row.event()))));
    if optional.pushes {
        arrays.extend([
            texts(head.iter().map(|row| row.described(|d| d.metadata.r#type.as_str()))),
            binaries(head.iter().map(|row| row.group().map(|group| group.0)))?,
            texts(head.iter().map(HeadRow::family)),
            texts(head.iter().map(|row| row.described(|d| &d.metadata.help))),
        ]);
    }
    if optional.units {
        arrays.push(texts(head.iter().map(|row| row.described(|d| &d.metadata.unit))));
    }
    if optional.untils {
        arrays.push(times(head.iter().map(HeadRow::until_us)));
    }
    if optional.writers {
        let other = |row: &HeadRow<'_>| row.writer().filter(|writer| *writer != segment.writer);
        let writers: Int64Array = head.iter().map(|row| other(row).map(u64::cast_signed)).collect();
        arrays.push(Arc::new(writers));
    }
    if optional.totals {
        arrays.push(times(std::iter::repeat_n(None, rows)));
        arrays.push(Arc::new(Float64Array::new_null(rows)));
    }
    if optional.histogram_totals {
        arrays.push(Arc::new(histogram::build(std::iter::repeat_n(None, rows))?));
    }
    if optional.retry_keys {
        arrays.push(binaries(head.iter().map(|row| row.retry_key().map(|retry| retry.key)))?);
        let bodies: Int64Array =
            head.iter().map(|row| row.retry_key().map(|retry| retry.body.cast_signed())).collect();
        arrays.push(Arc::new(bodies));
    }
    arrays.extend(plan.columns.iter().map(|_| no_text()));
    arrays.push(map(plan, std::iter::repeat_n(None, rows))?);
    Ok(arrays)
}
