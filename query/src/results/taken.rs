//! What the evaluation of some steps took and rested on.

use crate::fragment::{CHUNK_SAMPLES_MAX, CHUNK_SERIES_MAX};
use crate::plan::Reach;
use crate::source::Shown;

/// What was read of one selection. Of steps that were evaluated at several times these are bounds: no more than this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    /// Made of which series there are; `None`: of several times, at which they were not the same.
    pub(crate) identities: Option<u128>,
    pub(crate) all_labels: bool,
    pub(crate) series: u64,
    /// Samples and steps of all of them.
    pub(crate) samples: u64,
    /// Of the series that has most.
    pub(crate) longest: u64,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// In the order of the plan.
    pub(super) reads: Vec<Read>,
    /// The most samples that were in memory at once.
    pub(super) samples_most: u64,
    /// And bytes.
    pub(super) bytes_most: u64,
}

/// What a query may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) samples_max: u64,
    pub(super) bytes_max: u64,
    pub(super) series_max: u64,
}

impl Read {
    pub(crate) fn of(shown: &Shown, series: u64, samples: u64, longest: u64) -> Self {
        let Shown { identities, all_labels, .. } = *shown;
        Self { identities: Some(identities), all_labels, series, samples, longest }
    }

    fn and(&self, other: &Self) -> Self {
        let same = self.identities.is_some() && self.identities == other.identities;
        Self {
            identities: self.identities.filter(|_| same),
            all_labels: self.all_labels,
            series: if same { self.series } else { self.series.saturating_add(other.series) },
            samples: self.samples.saturating_add(other.samples),
            longest: self.longest.saturating_add(other.longest),
        }
    }

    /// Whether what is added up in parts is cut at the same series whatever the time that is asked for.
    fn is_cut_alike(&self) -> bool {
        let (series_max, samples_max) = (CHUNK_SERIES_MAX as u64, CHUNK_SAMPLES_MAX as u64);
        let is_one_part = self.series <= series_max && self.samples < samples_max;
        let by_series_alone =
            self.identities.is_some() && self.longest.saturating_mul(series_max) < samples_max;
        is_one_part || by_series_alone
    }
}

impl Taken {
    /// What steps that are known and some that follow them would have taken together; `None` where together they might have come to
    /// something else, or to a limit.
    ///
    /// The times that were read for the ones and the others overlap or meet. So all series of the whole are among those of the two;
    /// and where these are the same for both, they are those of the whole.
    pub(super) fn and(&self, further: &Self, reach: &Reach, limits: &Limits) -> Option<Self> {
        if self.reads.len() != further.reads.len() {
            return None;
        }
        let both = self.reads.iter().zip(&further.reads);
        if both.clone().any(|(own, other)| own.all_labels != other.all_labels) {
            return None;
        }
        let reads: Vec<Read> = both.map(|(own, other)| own.and(other)).collect();
        if reach.needs_same_series && reads.iter().any(|read| read.identities.is_none()) {
            return None;
        }
        if reach.adds_in_parts && !reads.iter().all(Read::is_cut_alike) {
            return None;
        }
        let together = Self {
            reads,
            samples_most: self.samples_most.saturating_add(further.samples_most),
            bytes_most: self.bytes_most.saturating_add(further.bytes_most),
        };
        let series = together.reads.iter().fold(0_u64, |sum, read| sum.saturating_add(read.series));
        let is_within = together.samples_most <= limits.samples_max
            && together.bytes_most <= limits.bytes_max
            && series <= limits.series_max;
        is_within.then_some(together)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Read =
        Read { identities: Some(1), all_labels: false, series: 100, samples: 1_000, longest: 10 };
    const REACH: Reach = Reach {
        before_ms: 0,
        after_ms: 0,
        needs_same_series: false,
        adds_in_parts: false,
        joins_many: false,
    };
    const LIMITS: Limits = Limits { samples_max: 5_000, bytes_max: 50_000, series_max: 1_000 };

    fn taken(read: Read) -> Taken {
        Taken { reads: vec![read], samples_most: 2_000, bytes_most: 20_000 }
    }

    #[test]
    fn what_would_be_otherwise_at_once_is_not_joined() {
        let joins = |a: Read, b: Read, reach: Reach| taken(a).and(&taken(b), &reach, &LIMITS).is_some();
        let (others, wide) = (Read { identities: Some(2), ..READ }, Read { series: 200, ..READ });
        let adding = Reach { adds_in_parts: true, ..REACH };
        let picking = Reach { needs_same_series: true, ..REACH };
        for reach in [REACH, adding, picking] {
            assert!(joins(READ, READ, reach), "{reach:?}");
            assert!(!joins(READ, Read { all_labels: true, ..READ }, reach), "{reach:?}");
        }
        assert!(joins(READ, others, REACH) && !joins(READ, others, picking));
        // 200 of 128 and fewer than 128
        assert!(!joins(READ, others, adding));
        assert!(joins(READ, Read { series: 28, ..others }, adding));
        // more than one part, of the same series
        assert!(joins(wide, wide, adding));
        let long = Read { longest: 1_024, ..wide };
        assert!(!joins(long, long, adding) && joins(long, long, REACH));
        let many = Read { samples: 1 << 17, ..READ };
        assert!(joins(many, many, adding), "cut by series alone");
        assert!(!joins(Read { longest: 2_000, ..many }, Read { longest: 2_000, ..many }, adding));
    }

    #[test]
    fn limits_hold_for_the_whole() {
        let both = |limits: Limits| taken(READ).and(&taken(READ), &REACH, &limits);
        let together = both(LIMITS).expect("is within");
        assert_eq!((together.samples_most, together.bytes_most), (4_000, 40_000));
        assert_eq!(together.reads, [Read { samples: 2_000, longest: 20, ..READ }]);
        assert!(both(Limits { samples_max: 3_999, ..LIMITS }).is_none());
        assert!(both(Limits { bytes_max: 39_999, ..LIMITS }).is_none());
        assert!(both(Limits { series_max: 99, ..LIMITS }).is_none());
        assert!(together.and(&taken(READ), &REACH, &LIMITS).is_none());
    }
}
