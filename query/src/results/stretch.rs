//! The steps of a query that are kept.

use std::cmp::Ordering;
use std::sync::Arc;

use model::{Ground, Histogram, Label};

use super::taken::Taken;
use crate::annotations::Annotation;
use crate::exec::of_histogram;
use crate::plan::Reach;
use crate::value::MatrixSeries;

/// What a query gave at steps that follow each other, as it would have been evaluated at once.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    pub(super) step_ms: i64,
    /// In order of labels, each with a value.
    pub(super) series: Vec<MatrixSeries>,
    /// What it rests on.
    pub(super) ground: Arc<Ground>,
    pub(super) taken: Taken,
    pub(super) remarks: Vec<Annotation>,
    pub(super) depth: Depth,
    pub(super) patience: Patience,
}

/// Why steps are not joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mismatch {
    /// A step is otherwise than it was.
    Contradiction,
    /// Series cannot be told apart by their labels.
    SameLabels,
}

impl Stretch {
    /// The first and the last of the steps around one that are still true, as what they rest on is the same on this ground. None is later than
    /// `until_ms`; `None`: not even that one is.
    pub(super) fn still_true(
        &self,
        ground: &Ground,
        reach: &Reach,
        at_ms: i64,
        until_ms: i64,
    ) -> Option<(i64, i64)> {
        let (mut first_ms, mut last_ms) = (self.first_ms, self.last_ms.min(until_ms));
        if !(first_ms..=last_ms).contains(&at_ms) {
            return None;
        }
        for (from_ms, until_ms) in self.ground.changes(ground)? {
            let from_ms = from_ms.saturating_sub(reach.after_ms);
            let until_ms = until_ms.saturating_add(reach.before_ms);
            if until_ms < at_ms {
                first_ms = first_ms.max(self.step_after(until_ms));
            } else if from_ms > at_ms {
                last_ms = last_ms.min(self.step_before(from_ms));
            } else {
                return None;
            }
        }
        Some((first_ms, last_ms))
    }

    /// The first step behind a time.
    fn step_after(&self, time_ms: i64) -> i64 {
        let time_ms = time_ms.clamp(self.first_ms - self.step_ms, self.last_ms + self.step_ms);
        self.first_ms + ((time_ms - self.first_ms).div_euclid(self.step_ms) + 1) * self.step_ms
    }

    /// The last step before a time.
    fn step_before(&self, time_ms: i64) -> i64 {
        let time_ms = time_ms.clamp(self.first_ms - self.step_ms, self.last_ms + self.step_ms);
        self.first_ms + (time_ms - 1 - self.first_ms).div_euclid(self.step_ms) * self.step_ms
    }

    /// The steps from one to another, and behind them those of `further`, which begins with the last of them.
    pub(super) fn joined(
        &self,
        from_ms: i64,
        last_ms: i64,
        further: &[MatrixSeries],
    ) -> Result<Vec<MatrixSeries>, Mismatch> {
        if !are_apart(further) {
            return Err(Mismatch::SameLabels);
        }
        let nothing = MatrixSeries::default();
        let mut joined = Vec::with_capacity(self.series.len().max(further.len()));
        let (mut known, mut further) = (self.series.iter().peekable(), further.iter().peekable());
        loop {
            let order = match (known.peek(), further.peek()) {
                (Some(a), Some(b)) => a.labels.cmp(&b.labels),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return Ok(joined),
            };
            let before = if order.is_le() { known.next() } else { None };
            let behind = if order.is_ge() { further.next() } else { None };
            let (before, behind) = (before.unwrap_or(&nothing), behind.unwrap_or(&nothing));
            if !is_same_at(last_ms, before, behind) {
                return Err(Mismatch::Contradiction);
            }
            let labels = if order.is_le() { &before.labels } else { &behind.labels };
            let mut floats = within(&before.floats, from_ms, last_ms).to_vec();
            floats.extend_from_slice(within(&behind.floats, last_ms + 1, i64::MAX));
            let mut histograms = within(&before.histograms, from_ms, last_ms).to_vec();
            histograms.extend_from_slice(within(&behind.histograms, last_ms + 1, i64::MAX));
            if !floats.is_empty() || !histograms.is_empty() {
                joined.push(MatrixSeries { labels: labels.clone(), floats, histograms });
            }
        }
    }

    /// The memory that it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        let unused = (self.series.capacity() - self.series.len()) * size_of::<MatrixSeries>();
        size_of::<Self>()
            + memory_bytes_of(&self.series)
            + unused
            + self.ground.memory_bytes()
            + self.remarks.iter().map(|remark| size_of::<Annotation>() + remark.text.len()).sum::<usize>()
            + self.taken.reads.capacity() * size_of::<super::Read>()
    }
}

/// The memory that series take. Texts of labels may be shared with others, but nobody can be sure.
pub(super) fn memory_bytes_of(series: &[MatrixSeries]) -> usize {
    let of_series = |series: &MatrixSeries| {
        let MatrixSeries { labels, floats, histograms } = series;
        let labels = labels.iter().map(|label| size_of::<Label>() + label.name.len() + label.value.len());
        let of_one = |(_, histogram): &(i64, Arc<Histogram>)| {
            usize::try_from(of_histogram(histogram).bytes).unwrap_or(usize::MAX)
        };
        size_of::<MatrixSeries>()
            + labels.sum::<usize>()
            + floats.capacity() * size_of::<(i64, f64)>()
            + histograms.capacity() * size_of::<(i64, Arc<Histogram>)>()
            + histograms.iter().map(of_one).sum::<usize>()
    };
    series.iter().map(of_series).sum()
}

/// Those from a time to another.
pub(super) fn within<T>(points: &[(i64, T)], from_ms: i64, until_ms: i64) -> &[(i64, T)] {
    let start = points.partition_point(|(at_ms, _)| *at_ms < from_ms);
    let end = points.partition_point(|(at_ms, _)| *at_ms <= until_ms);
    &points[start..end.max(start)]
}

/// Whether series are in the order of their labels, which no two share.
pub(super) fn are_apart(series: &[MatrixSeries]) -> bool {
    series.windows(2).all(|pair| pair[0].labels < pair[1].labels)
}

fn is_same_at(at_ms: i64, a: &MatrixSeries, b: &MatrixSeries) -> bool {
    let float = |series: &MatrixSeries| within(&series.floats, at_ms, at_ms).first().map(|(_, value)| *value);
    let same_float = match (float(a), float(b)) {
        (Some(a), Some(b)) => a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
        (a, b) => a.is_none() && b.is_none(),
    };
    let histogram = |series: &MatrixSeries| {
        within(&series.histograms, at_ms, at_ms).first().map(|(_, value)| Arc::clone(value))
    };
    let same_histogram = match (histogram(a), histogram(b)) {
        // what is no number is never equal
        (Some(a), Some(b)) => a == b || format!("{a:?}") == format!("{b:?}"),
        (a, b) => a.is_none() && b.is_none(),
    };
    same_float && same_histogram
}

/// How many steps those who ask for a query want of it: those before are not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Depth {
    most: usize,
    most_before: usize,
    queries: u32,
}

/// After so many queries it is forgotten what those before them wanted.
const QUERIES_REMEMBERED: u32 = 32;

impl Depth {
    /// Somebody wants so many.
    #[must_use]
    pub(super) fn wanted(self, steps: usize) -> Self {
        let Self { most, most_before, queries } = self;
        match queries + 1 {
            QUERIES_REMEMBERED => Self { most: 0, most_before: most.max(steps), queries: 0 },
            queries => Self { most: most.max(steps), most_before, queries },
        }
    }

    pub(super) fn steps(&self) -> usize {
        self.most.max(self.most_before)
    }
}

/// How many more queries are evaluated as a whole, since steps could not be joined: to try costs the evaluation of some.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Patience {
    last: u32,
    left: u32,
}

/// No more queries than this are evaluated as a whole before it is tried again.
const PATIENCE_MAX: u32 = 32;

impl Patience {
    /// Whether it is too early to try.
    pub(super) fn is_too_early(&self) -> bool {
        self.left > 0
    }

    /// A query was evaluated as a whole without trying.
    #[must_use]
    pub(super) fn waited(self) -> Self {
        Self { left: self.left.saturating_sub(1), ..self }
    }

    /// Steps could not be joined once more.
    #[must_use]
    pub(super) fn longer(self) -> Self {
        let last = (self.last * 2).clamp(1, PATIENCE_MAX);
        Self { last, left: last }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use model::{GroundPiece, Labels};

    use super::*;

    const REACH: Reach = Reach {
        before_ms: 5,
        after_ms: 2,
        needs_same_series: false,
        adds_in_parts: false,
        joins_many: false,
    };

    fn series(name: &str, at_ms: impl IntoIterator<Item = i64>) -> MatrixSeries {
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let floats = at_ms.into_iter().map(|at_ms| (at_ms, at_ms as f64)).collect();
        MatrixSeries { labels: Labels::from_pairs([("job", name)]), floats, ..MatrixSeries::default() }
    }

    /// Some series with a value every 10 ms.
    pub(in super::super) fn stretch(first_ms: i64, last_ms: i64, count: usize) -> Stretch {
        let times = || (first_ms..=last_ms).step_by(10);
        Stretch {
            first_ms,
            last_ms,
            step_ms: 10,
            series: (0..count).map(|nth| series(&format!("{nth:04}"), times())).collect(),
            ground: Arc::default(),
            taken: Taken::default(),
            remarks: Vec::new(),
            depth: Depth::default(),
            patience: Patience::default(),
        }
    }

    #[test]
    fn steps_are_true_as_long_as_nothing_around_them_changes() {
        let known = stretch(100, 200, 1);
        let check = |changed: &[(i64, i64)], at_ms: i64, until_ms: i64, expect: Option<(i64, i64)>| {
            let piece = |(id, &(from_ms, until_ms))| GroundPiece { id, from_ms, until_ms };
            let ground = Ground::new(0, (0..).zip(changed).map(piece).collect());
            let found = known.still_true(&ground, &REACH, at_ms, until_ms);
            assert_eq!(found, expect, "{changed:?} around {at_ms} until {until_ms}");
        };
        check(&[], 100, 500, Some((100, 200)));
        check(&[], 150, 180, Some((100, 180)));
        check(&[], 90, 500, None);
        check(&[], 210, 500, None);
        check(&[], 150, 140, None);
        // a step looks from 5 before to 2 behind itself
        check(&[(153, 154)], 150, 500, Some((100, 150)));
        check(&[(152, 152)], 150, 500, None);
        check(&[(145, 145)], 150, 500, None);
        check(&[(144, 144)], 150, 500, Some((150, 200)));
        check(&[(183, i64::MAX), (191, 191), (103, 104), (0, 20)], 150, 500, Some((110, 180)));
        check(&[(i64::MIN, i64::MAX)], 150, 500, None);
        check(&[(i64::MIN, 10), (300, i64::MAX)], 150, 500, Some((100, 200)));
        check(&[(203, 203)], 200, 500, Some((100, 200)));
        let other = Ground::new(1, Vec::new());
        assert_eq!(known.still_true(&other, &REACH, 150, 500), None);
    }

    #[test]
    fn steps_are_joined_series_by_series() {
        let mut known = stretch(100, 150, 0);
        known.series =
            vec![series("gone", [100, 110]), series("late", [140]), series("stays", [100, 130, 140, 150])];
        let further = [series("late", [140, 150]), series("new", [150]), series("stays", [140, 160])];
        let joined = known.joined(120, 140, &further).expect("fits");
        let expect = [series("late", [140, 150]), series("new", [150]), series("stays", [130, 140, 160])];
        assert_eq!(joined, expect);
        assert_eq!(known.joined(100, 140, &further).expect("fits").len(), 4);

        let mismatch = |further: &[MatrixSeries]| known.joined(100, 140, further).expect_err("does not fit");
        assert_eq!(mismatch(&[series("late", [140])]), Mismatch::Contradiction, "stays is gone");
        let mut other = further.clone();
        other[2].floats[0].1 = -1.0;
        assert_eq!(mismatch(&other), Mismatch::Contradiction);
        assert_eq!(mismatch(&[further[0].clone(), further[0].clone()]), Mismatch::SameLabels);
    }

    #[test]
    fn what_is_wanted_is_forgotten_after_a_while() {
        let mut depth = Depth::default().wanted(100);
        for _ in 0..QUERIES_REMEMBERED {
            depth = depth.wanted(10);
            assert_eq!(depth.steps(), 100);
        }
        for _ in 0..QUERIES_REMEMBERED {
            depth = depth.wanted(10);
        }
        assert_eq!(depth.steps(), 10);
    }

    #[test]
    fn who_fails_again_waits_longer() {
        let mut patience = Patience::default();
        for expect in [1, 2, 4, 8, 16, 32, 32] {
            patience = patience.longer();
            for _ in 0..expect {
                assert!(patience.is_too_early());
                patience = patience.waited();
            }
            assert!(!patience.is_too_early());
        }
    }
}
