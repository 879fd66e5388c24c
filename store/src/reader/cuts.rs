//! Cuts what is to be read into spans of bounded size.

use std::sync::Arc;

use crate::fold::{BUCKET_SUFFIX, PUSH_FAILURE_FAMILY, PUSH_TIME_FAMILY};
use crate::segment::{Mark, Place, Span};

/// Spans that follow each other and are everything together, of about the weight of `rows_max` rows each: the pages of a place are not
/// divided. `whole_histograms`: nor are the buckets of one metric name, as histograms that add up are completed by their other
/// buckets.
pub(super) fn spans(mut marks: Vec<Mark>, rows_max: usize, whole_histograms: bool) -> Vec<Span> {
    marks.sort();
    let (mut spans, mut from, mut rows): (Vec<Span>, Option<Place>, usize) = (Vec::new(), None, 0);
    // the first mark since the last cut
    let mut first: Option<Place> = None;
    for (place, count) in marks {
        let is_whole = whole_histograms && place.name.ends_with(BUCKET_SUFFIX);
        let place = if is_whole { Place::before(place.name) } else { place };
        let is_full = rows > 0 && rows.saturating_add(count) > rows_max;
        if is_full && may_be_cut(&place) && first.as_ref() < Some(&place) {
            spans.push(Span { from: from.replace(place.clone()), to: Some(place.clone()) });
            (first, rows) = (None, 0);
        }
        first.get_or_insert(place);
        rows = rows.saturating_add(count);
    }
    spans.push(Span { from, to: None });
    spans
}

/// The failure times of groups are made of their push times, so the two stay together with what stands between them.
fn may_be_cut(at: &Place) -> bool {
    let first = Place::before(Arc::from(PUSH_FAILURE_FAMILY));
    *at <= first || *at.name > *PUSH_TIME_FAMILY
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(name: &str, fingerprint: i64, rows: usize) -> Mark {
        (Place { name: name.into(), fingerprint }, rows)
    }

    /// The places between spans.
    fn check(marks: &[Mark], whole_histograms: bool, expect: &[(&str, i64)]) {
        let spans = spans(marks.to_vec(), 100, whole_histograms);
        assert!(spans[0].from.is_none() && spans[spans.len() - 1].to.is_none());
        assert!(spans.windows(2).all(|pair| pair[0].to == pair[1].from));
        let cuts = spans.iter().filter_map(|span| span.to.as_ref());
        assert_eq!(cuts.map(|place| (&*place.name, place.fingerprint)).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn cuts_where_enough_has_come_together() {
        check(&[], false, &[]);
        check(&[mark("a", 1, 1_000)], false, &[]);
        check(&[mark("b", 1, 60), mark("a", 1, 40)], false, &[]);
        check(&[mark("b", 1, 60), mark("a", 1, 40), mark("b", 0, 1)], false, &[("b", 1)]);
        let large = [mark("a", 1, 500), mark("a", 2, 500), mark("a", 2, 500), mark("a", 3, 1)];
        check(&large, false, &[("a", 2), ("a", 3)]);
        check(&large, true, &[("a", 2), ("a", 3)]);
    }

    #[test]
    fn buckets_that_add_up_stay_together() {
        let large = [mark("a_bucket", 1, 500), mark("a_bucket", 2, 500), mark("a_count", 3, 1)];
        check(&large, false, &[("a_bucket", 2), ("a_count", 3)]);
        check(&large, true, &[("a_count", 3)]);
        check(&large[..2], true, &[]);
    }

    #[test]
    fn failure_and_push_times_stay_together() {
        let names = ["a", PUSH_FAILURE_FAMILY, "push_in_between", PUSH_TIME_FAMILY, "z"];
        let marks: Vec<Mark> = names.iter().flat_map(|name| [mark(name, 1, 90), mark(name, 2, 90)]).collect();
        for whole_histograms in [false, true] {
            check(&marks, whole_histograms, &[("a", 2), ("z", 1), ("z", 2)]);
        }
    }
}
