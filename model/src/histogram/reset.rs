//! Whether a counter started anew between two histograms.

use super::buckets::Side;
use super::{CounterReset, Histogram, HistogramSum};

impl Histogram {
    /// Whether this histogram does not continue `previous`: it says so, or something in it became smaller.
    pub fn starts_anew_after(&self, previous: &Self) -> bool {
        match self.counter_reset {
            CounterReset::Reset => return true,
            CounterReset::NotReset => return false,
            CounterReset::Unknown | CounterReset::Gauge => {}
        }
        self.has_shrunk_since(previous)
    }

    /// Whether anything in this histogram is smaller than in `previous`, whatever is said about resets.
    #[expect(clippy::float_cmp, reason = "thresholds are the same or they are not")]
    pub fn has_shrunk_since(&self, previous: &Self) -> bool {
        if self.count < previous.count || self.has_custom_bounds() != previous.has_custom_bounds() {
            return true;
        }
        let (mut now, mut before) = (HistogramSum::of(self), HistogramSum::of(previous));
        if self.has_custom_bounds() {
            now.join_custom_bounds(&mut before);
        } else {
            if now.schema() > before.schema() || now.zero_threshold() < before.zero_threshold() {
                return true;
            }
            if now.zero_threshold() != before.zero_threshold() {
                before.widen_zero_bucket(now.zero_threshold());
                if now.zero_threshold() != before.zero_threshold() {
                    // the wider zero bucket would have to cut a bucket that holds something
                    return true;
                }
            }
            if now.zero_count() < before.zero_count() {
                return true;
            }
            before.reduce_to(now.schema());
        }
        now.sides().iter().zip(before.sides()).any(|(now, before)| any_less(now, before))
    }
}

fn any_less(now: &Side, before: &Side) -> bool {
    before.iter().any(|(index, part)| {
        let count = match now.binary_search_by_key(index, |(known, _)| *known) {
            Ok(place) => now[place].1.value(),
            Err(_) => 0.0,
        };
        count < part.value()
    })
}
