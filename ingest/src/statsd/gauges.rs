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

    /// Forgets what is more than `max`, or takes more than `bytes_max` of labels, and what was heard of at the same time as that.
    pub(super) fn end_interval(&mut self, max: usize, bytes_max: usize) {
        self.now += 1;
        let mut newest: Vec<(u64, usize)> =
            self.known.iter().map(|(labels, known)| (known.heard, labels_bytes(labels))).collect();
        newest.sort_unstable_by_key(|(heard, _)| std::cmp::Reverse(*heard));
        let mut bytes = 0;
        let surplus = newest.iter().enumerate().find(|(index, (_, of_labels))| {
            bytes += of_labels;
            *index >= max || bytes > bytes_max
        });
        if let Some((_, (last, _))) = surplus {
            self.known.retain(|_, known| known.heard > *last);
        }
    }
}

/// Bytes of names and values.
pub(super) fn labels_bytes(labels: &Labels) -> usize {
    labels.iter().map(|label| label.name.len() + label.value.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_not_heard_of_for_longest_are_forgotten() {
        let name = |name: &str| Labels::from_pairs([("__name__", name)]);
        let check = |max, bytes_max, expect: [f64; 5]| {
            let mut gauges = Gauges::default();
            for (interval, names) in [["a", "b"], ["c", "b"], ["d", "e"]].iter().enumerate() {
                names.iter().for_each(|of| gauges.set(name(of), interval as f64 + 1.0));
                gauges.end_interval(max, bytes_max);
            }
            assert_eq!(["a", "b", "c", "d", "e"].map(|of| gauges.value(&name(of))), expect);
        };
        check(9, 999, [1.0, 2.0, 2.0, 3.0, 3.0]);
        check(4, 999, [0.0, 2.0, 2.0, 3.0, 3.0]);
        check(3, 999, [0.0, 0.0, 0.0, 3.0, 3.0]);
        // nine bytes each
        check(9, 36, [0.0, 2.0, 2.0, 3.0, 3.0]);
        check(9, 17, [0.0; 5]);
    }
}
