//! What gauges were last: StatsD can say that one has become more.

use std::collections::HashMap;

use model::Labels;

/// The last values of gauges, of which those that were not heard of for longest are forgotten first.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    known: HashMap<Labels, Known>,
    /// Ends of intervals so far.
    now: u64,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    value: f64,
    heard: u64,
}

impl Gauges {
    /// The value; 0 of one that is not known.
    pub(super) fn value(&self, labels: &Labels) -> f64 {
        self.known.get(labels).map_or(0.0, |known| known.value)
    }

    pub(super) fn set(&mut self, labels: Labels, value: f64) {
        self.known.insert(labels, Known { value, heard: self.now });
    }

    /// Forgets what is more than `max`, and perhaps as many more that were heard of at the same time.
    pub(super) fn end_interval(&mut self, max: usize) {
        self.now += 1;
        let surplus = self.known.len().saturating_sub(max);
        if surplus > 0 {
            let mut heard: Vec<u64> = self.known.values().map(|known| known.heard).collect();
            let (_, last, _) = heard.select_nth_unstable(surplus - 1);
            let last = *last;
            self.known.retain(|_, known| known.heard > last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_not_heard_of_for_longest_are_forgotten() {
        let name = |name: &str| Labels::from_pairs([("__name__", name)]);
        let mut gauges = Gauges::default();
        for (interval, names) in [["a", "b"], ["c", "b"], ["d", "e"]].iter().enumerate() {
            names.iter().for_each(|of| gauges.set(name(of), interval as f64 + 1.0));
            gauges.end_interval(4);
        }
        let found = ["a", "b", "c", "d", "e"].map(|of| gauges.value(&name(of)));
        assert_eq!(found, [0.0, 2.0, 2.0, 3.0, 3.0]);
    }
}
