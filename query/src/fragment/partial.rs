//! What a fragment makes of some of its series.

use model::Labels;

use super::codec::{self, CodecError};
use crate::annotations::Annotations;
use crate::exec::{Line, Points, Running, Tally};

/// The results for some of a fragment's series, in their order.
#[derive(Clone, Debug)]
pub struct Partial {
    pub(crate) yields: Yield,
    /// Remarks on them.
    pub(crate) notes: Annotations,
    /// How many samples were looked at.
    pub(crate) tally: Tally,
}

#[derive(Clone, Debug)]
pub(crate) enum Yield {
    /// One line per series that has a value.
    Lines(Vec<Line>),
    /// One state per group.
    Groups {
        groups: Vec<GroupState>,
        /// Series with native histograms, by the place of their group. Adding up histograms depends on their order in
        /// more than the last bits, so it is left to whoever has all of them.
        histograms: Vec<HistogramSeries>,
    },
}

/// The native histograms of one series of a group.
#[derive(Clone, Debug)]
pub(crate) struct HistogramSeries {
    /// The place of the group.
    pub(crate) place: usize,
    /// The name of the metric, for remarks.
    pub(crate) name: String,
    pub(crate) points: Points,
}

/// What a group has come to.
#[derive(Clone, Debug)]
pub(crate) struct GroupState {
    pub(crate) labels: Labels,
    pub(crate) drop_name: bool,
    pub(crate) running: Running,
}

impl Partial {
    /// Whether these are results for so many times, as they must be whoever computed them.
    pub(crate) fn fits(&self, count: usize) -> bool {
        let inside = |points: &Points| points.places().end <= count;
        if self.tally.len() > count {
            return false;
        }
        match &self.yields {
            Yield::Lines(lines) => lines.iter().all(|line| inside(&line.points)),
            Yield::Groups { groups, histograms } => {
                groups.iter().all(|group| group.running.weight().samples == count as u64)
                    && histograms.iter().all(|series| series.place < groups.len() && inside(&series.points))
            }
        }
    }

    /// As bytes; the same fragment over the same series gives the same.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::to_bytes(self)
    }

    /// Reads what [`Partial::to_bytes`] wrote.
    ///
    /// # Errors
    /// If the bytes are no result, or one of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::from_bytes(bytes)
    }
}
