//! From events to step functions: what a pushed series held, and when.
//!
//! A pure function of the events, whatever their order and however often each is given. In the order of the work:
//!
//! 1. `retries`: of pushes with the same key, one counts.
//! 2. `ends`: what pushes end, and which groups expire.
//! 3. `buckets`: what a histogram says about bounds that it lacks.
//! 4. `epochs`: what one group holds of one series. A `set` replaces it; an `add` adds to it, unless something has ended it,
//!    or it was of another kind: then it begins at zero. At one stamp, what ends comes before what is set and added.
//! 5. `overlay`: of a series that several groups hold, the value with the highest stamp shows, and when that group lets
//!    go of it, the other's shows again.
//! 6. `steps`: stamps become milliseconds.

mod buckets;
mod ends;
mod epochs;
mod event;
mod overlay;
mod retries;
mod steps;

use model::{GroupKey, Steps};

pub(crate) use buckets::{BUCKET_SUFFIX, HISTOGRAM_BOUNDS_MAX, complete, histogram_of, widened};
pub(crate) use ends::{
    Condensed, Ends, Expired, Heads, PUSH_FAILURE_FAMILY, PUSH_TIME_FAMILY, Pushed, Scope,
};
pub(crate) use epochs::Carried;
pub(crate) use event::{GroupEvents, Kind, SeriesEvents};

/// The steps of one series that touch [`start_ms`, `end_ms`].
pub(crate) fn fold(series: SeriesEvents, ends: &Ends, start_ms: i64, end_ms: i64) -> Steps {
    let of_group = |(group, events)| epochs::intervals(events, group, ends).0;
    let mut groups: Vec<_> = series.into_iter().map(of_group).collect();
    let shown = if groups.len() == 1 { groups.swap_remove(0) } else { overlay::overlay(&groups) };
    steps::steps(&shown, start_ms, end_ms)
}

/// What a group holds of a series in the end, if it ever held something.
pub(crate) fn carried(events: GroupEvents, group: GroupKey, ends: &Ends) -> Option<Carried> {
    epochs::intervals(events, group, ends).1
}

#[cfg(test)]
mod tests;
