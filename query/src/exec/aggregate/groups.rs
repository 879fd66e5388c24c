//! Which group a series belongs to.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::Arc;

use model::Labels;

use crate::exec::names::is_metadata;
use crate::exec::points::{Line, Points};
use crate::plan::AggregateNode;

/// Finds the group of a series.
pub(in crate::exec) struct Groups<'n> {
    without: bool,
    listed: &'n [Arc<str>],
    /// Places of groups by a hash of their labels, so that series of known groups need no label set of their own.
    places: HashMap<u64, Vec<usize>>,
    hashing: RandomState,
    /// What was asked for last: series come in order of their labels, so the next one may have the same.
    last: Option<(Labels, usize)>,
    /// The labels of each group, and whether its name goes away at the end.
    pub(in crate::exec) labels: Vec<(Labels, bool)>,
}

impl<'n> Groups<'n> {
    pub(in crate::exec) fn new(without: bool, listed: &'n [Arc<str>]) -> Self {
        let (places, hashing) = (HashMap::new(), RandomState::new());
        Self { without, listed, places, hashing, last: None, labels: Vec::new() }
    }

    pub(super) fn of(node: &'n AggregateNode) -> Self {
        Self::new(node.without, &node.labels)
    }

    /// The number of the group that a series belongs to; groups are numbered as they appear.
    pub(in crate::exec) fn place(&mut self, line: &Line) -> usize {
        if let Some((_, place)) = self.last.as_ref().filter(|(labels, _)| *labels == line.labels) {
            self.labels[*place].1 |= line.drop_name;
            return *place;
        }
        let place = self.looked_up(line);
        self.last = Some((line.labels.clone(), place));
        place
    }

    fn looked_up(&mut self, line: &Line) -> usize {
        let (without, names) = (self.without, self.listed);
        let listed = |name: &str| names.iter().any(|label| &**label == name);
        let keeps = |name: &str| if without { !is_metadata(name) && !listed(name) } else { listed(name) };
        let own = || line.labels.iter().filter(|label| keeps(&label.name));
        let mut hasher = self.hashing.build_hasher();
        own().for_each(|label| label.hash(&mut hasher));
        let places = self.places.entry(hasher.finish()).or_default();
        let known = places.iter().copied().find(|&place| own().eq(self.labels[place].0.iter()));
        if let Some(place) = known {
            // a name that is to go away also goes from what is grouped by it
            self.labels[place].1 |= line.drop_name;
            return place;
        }
        let place = self.labels.len();
        places.push(place);
        self.labels.push((Labels::from_sorted(own().cloned().collect()), line.drop_name));
        place
    }

    /// The number of a group that is known by its labels.
    pub(super) fn place_of(&mut self, labels: Labels, drop_name: bool) -> usize {
        self.place(&Line { labels, drop_name, points: Points::default() })
    }
}
