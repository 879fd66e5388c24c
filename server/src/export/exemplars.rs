//! Which exemplar stands beside which sample of a series: each line has room for one, and each exemplar has a time of its own.

use std::collections::VecDeque;

use model::Exemplar;

/// The exemplars of a series that are still to be written, in order of time.
#[derive(Debug)]
pub(super) struct Beside {
    exemplars: VecDeque<Exemplar>,
    /// How many lines are still to come.
    lines: usize,
}

impl Beside {
    /// Exemplars in order of time, and how many lines may have one.
    pub(super) fn of(exemplars: Vec<Exemplar>, lines: usize) -> Self {
        Self { exemplars: exemplars.into(), lines }
    }

    /// The one beside the next line, of a sample of this time: one that is not later, unless there is no room for it further on.
    pub(super) fn next(&mut self, at_ms: i64) -> Option<Exemplar> {
        if self.lines == 0 {
            return None;
        }
        let is_due = self.exemplars.front().is_some_and(|next| next.at_ms <= at_ms);
        let fits_later = self.exemplars.len() < self.lines;
        self.lines -= 1;
        if is_due || !fits_later { self.exemplars.pop_front() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use model::Labels;

    use super::*;

    #[test]
    fn each_stands_beside_the_next_sample_that_has_room() {
        let check = |exemplars: &[i64], lines: &[i64], expect: &[Option<i64>]| {
            let of = |&at_ms: &i64| Exemplar { labels: Labels::empty(), value: 1.0, at_ms };
            let mut beside = Beside::of(exemplars.iter().map(of).collect(), lines.len());
            let found: Vec<_> =
                lines.iter().map(|&at_ms| beside.next(at_ms).map(|exemplar| exemplar.at_ms)).collect();
            assert_eq!(found, expect, "{exemplars:?} beside {lines:?}");
        };
        check(&[], &[1, 2], &[None, None]);
        check(&[2], &[1, 2, 3], &[None, Some(2), None]);
        check(&[1, 2, 3], &[3, 4, 5, 6], &[Some(1), Some(2), Some(3), None]);
        check(&[8, 9], &[1, 2, 3], &[None, Some(8), Some(9)]);
        check(&[1, 2, 3], &[5, 6], &[Some(1), Some(2)]);
        check(&[1], &[], &[]);
    }
}
