//! Marks along a grid.

use std::ops::Range;

/// A mark at some places. Only the stretch that is covered takes memory, because short-lived series are many.
#[derive(Clone, Debug, Default)]
pub(super) struct Flags {
    first: usize,
    marks: Vec<bool>,
}

impl Flags {
    /// Makes room for marks at these places.
    pub(super) fn cover(&mut self, places: Range<usize>) {
        if places.is_empty() {
            return;
        }
        if self.marks.is_empty() {
            self.first = places.start;
        }
        if let Some(missing) = self.first.checked_sub(places.start) {
            self.marks.splice(0..0, std::iter::repeat_n(false, missing));
            self.first = places.start;
        }
        let covered = self.marks.len().max(places.end - self.first);
        self.marks.resize(covered, false);
    }

    /// Marks a place that is covered; whether it was marked before.
    pub(super) fn mark(&mut self, index: usize) -> bool {
        std::mem::replace(&mut self.marks[index - self.first], true)
    }

    pub(super) fn has(&self, index: usize) -> bool {
        index.checked_sub(self.first).and_then(|place| self.marks.get(place)).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_covered_takes_memory() {
        let mut flags = Flags::default();
        flags.cover(1_000_005..1_000_005);
        assert!(!flags.has(1_000_005));
        flags.cover(1_000_005..1_000_007);
        assert!(!flags.mark(1_000_006) && flags.mark(1_000_006));
        flags.cover(1_000_002..1_000_004);
        flags.cover(1_000_003..1_000_010);
        assert!(!flags.mark(1_000_002) && !flags.mark(1_000_009));
        let marked: Vec<usize> = (0..1_000_020).filter(|&index| flags.has(index)).collect();
        assert_eq!((marked, flags.marks.len()), (vec![1_000_002, 1_000_006, 1_000_009], 8));
    }
}
