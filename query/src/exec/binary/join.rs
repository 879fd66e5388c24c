//! Arithmetic and comparisons between series that match.

use std::collections::HashMap;

use model::{Labels, Value};

use super::{loses_name, presence};
use crate::exec::flags::Flags;
use crate::exec::names::{is_metadata, without_metadata};
use crate::exec::points::{Line, Points};
use crate::exec::scalar::of_floats;
use crate::exec::{ExecError, Executor, Result, Weight};
use crate::plan::{BinaryNode, Node};
use crate::syntax::{ByteRange, Matching, Side};

/// The labels by which series find each other.
pub(super) struct Signature<'m> {
    matching: &'m Matching,
}

impl<'m> Signature<'m> {
    pub(super) fn new(matching: &'m Matching) -> Self {
        Self { matching }
    }

    pub(super) fn of(&self, labels: &Labels) -> Labels {
        match &self.matching.labels {
            Some(listed) if listed.on => {
                labels.to_builder().retain(|name| listed.names.iter().any(|on| &**on == name)).build()
            }
            Some(listed) => labels
                .to_builder()
                .retain(|name| name != Labels::NAME && !listed.names.iter().any(|ignored| &**ignored == name))
                .build(),
            None => labels.without_metric_name(),
        }
    }
}

/// A series of the result, and where something was found for it (also where a comparison did not hold).
struct Output {
    line: Line,
    group: usize,
    matched: Flags,
}

impl Executor<'_> {
    pub(super) fn join(
        &self,
        link: &BinaryNode,
        node: &Node,
        left: &[Line],
        right: &[Line],
    ) -> Result<Vec<Line>> {
        let count = node.grid.count;
        let side_of_many = link.matching.group.as_ref().map(|group| group.many);
        let (many, one) = if side_of_many == Some(Side::Right) { (right, left) } else { (left, right) };
        let signature = Signature::new(&link.matching);
        let groups = Groups::of(one, &signature);
        // the mistake at the first time is told, of those of one time the one about the side that may have one only
        let mut mistake = groups.first_conflict(one, many, side_of_many, count);

        let mut outputs: Vec<Output> = Vec::new();
        let mut places: HashMap<Labels, usize> = HashMap::new();
        // for one-to-one: where a group has found its pair already
        let mut paired: HashMap<usize, Flags> = HashMap::new();
        let mut counted = self.budget.held(Weight::default())?;
        for many_line in many {
            self.budget.check_time()?;
            let Some(&group) = groups.ids.get(&signature.of(&many_line.labels)) else { continue };
            for one_line in groups.members[group].iter().map(|&index| &one[index]) {
                let both = many_line.points.places_beside(&one_line.points);
                // what comes behind a mistake is not told, so it is not computed
                if both.is_empty() || mistake.as_ref().is_some_and(|known| known.index <= both.start) {
                    continue;
                }
                let labels = result_labels(
                    link,
                    &many_line.labels,
                    &one_line.labels,
                    self.settings.delayed_name_removal,
                );
                let next = outputs.len();
                let place = *places.entry(labels.clone()).or_insert(next);
                if place == next {
                    let drop_name = link.return_bool && self.settings.delayed_name_removal;
                    let line = Line { labels, drop_name, points: Points::default() };
                    outputs.push(Output { line, group, matched: Flags::default() });
                }
                let samples = both.len() as u64;
                counted.add(Weight { samples, bytes: samples * 10 })?;
                let output = &mut outputs[place];
                output.line.points.cover(both.clone());
                output.matched.cover(both.clone());
                let mut pairs = (side_of_many.is_none()).then(|| paired.entry(group).or_default());
                if let Some(pairs) = &mut pairs {
                    pairs.cover(both);
                }
                if let Err(found) = self.pair((link, node.range), many_line, one_line, group, output, pairs)
                    && mistake.as_ref().is_none_or(|known| found.index < known.index)
                {
                    mistake = Some(found);
                }
            }
        }
        if let Some(Mistake { error, .. }) = mistake {
            return Err(error);
        }
        Ok(outputs.into_iter().map(|output| output.line).filter(|line| !line.points.is_empty()).collect())
    }

    /// Computes wherever both series have a value.
    fn pair(
        &self,
        (link, range): (&BinaryNode, ByteRange),
        many: &Line,
        one: &Line,
        group: usize,
        output: &mut Output,
        pairs: Option<&mut Flags>,
    ) -> Result<(), Mistake> {
        let swapped = matches!(&link.matching.group, Some(group) if group.many == Side::Right);
        let mut found = Found { group, output, pairs };
        let only_floats = !many.points.has_histograms() && !one.points.has_histograms();
        if let (true, Some(operation)) = (only_floats, of_floats(link.op, link.return_bool)) {
            return if swapped {
                found.each_float(many, one, |a, b| operation(b, a))
            } else {
                found.each_float(many, one, operation)
            };
        }
        for index in many.points.places() {
            let (Some(a), Some(b)) = (many.points.get(index), one.points.get(index)) else { continue };
            let (left, right) = if swapped { (&b, &a) } else { (&a, &b) };
            let result = self.of_values(link.op, left, right, range);
            found.note(index)?;
            let Some((holds, value)) = result else { continue };
            let value = match (link.return_bool, holds) {
                (true, holds) => Value::Float(f64::from(u8::from(holds))),
                (false, true) => value,
                (false, false) => continue,
            };
            if found.output.line.points.has(index) {
                return Err(Mistake { index, error: ExecError::SameLabelset });
            }
            found.output.line.points.set(index, value);
        }
        Ok(())
    }
}

/// Why series cannot be joined at a place of the grid.
struct Mistake {
    index: usize,
    error: ExecError,
}

/// What is known about where series have found each other.
struct Found<'o> {
    group: usize,
    output: &'o mut Output,
    /// For one-to-one: where the group has found its pair already.
    pairs: Option<&'o mut Flags>,
}

impl Found<'_> {
    /// Notes that a pair was found.
    fn note(&mut self, index: usize) -> Result<(), Mistake> {
        if let Some(pairs) = &mut self.pairs {
            if pairs.mark(index) {
                return Err(Mistake { index, error: ExecError::ManyToOneNotExplicit });
            }
        } else if self.output.matched.has(index) && self.output.group == self.group {
            return Err(Mistake { index, error: ExecError::GroupingNotUnique });
        }
        self.output.matched.mark(index);
        Ok(())
    }

    /// Computes wherever both series have a float.
    fn each_float(
        mut self,
        many: &Line,
        one: &Line,
        operation: impl Fn(f64, f64) -> Option<f64>,
    ) -> Result<(), Mistake> {
        for (index, a, b) in many.points.floats_beside(&one.points) {
            self.note(index)?;
            let Some(value) = operation(a, b) else { continue };
            if self.output.line.points.has(index) {
                return Err(Mistake { index, error: ExecError::SameLabelset });
            }
            self.output.line.points.set_float(index, value);
        }
        Ok(())
    }
}

/// The series of the side that may have only one per group.
struct Groups {
    ids: HashMap<Labels, usize>,
    members: Vec<Vec<usize>>,
}

impl Groups {
    fn of(one: &[Line], signature: &Signature<'_>) -> Self {
        let mut groups = Self { ids: HashMap::new(), members: Vec::new() };
        for (index, line) in one.iter().enumerate() {
            let next = groups.members.len();
            let id = *groups.ids.entry(signature.of(&line.labels)).or_insert(next);
            match groups.members.get_mut(id) {
                Some(members) => members.push(index),
                None => groups.members.push(vec![index]),
            }
        }
        groups
    }

    /// No group may have two series at the same time, if there is anything on the other side then.
    fn first_conflict(
        &self,
        one: &[Line],
        many: &[Line],
        side_of_many: Option<Side>,
        count: usize,
    ) -> Option<Mistake> {
        let shared: Vec<_> = self.ids.iter().filter(|(_, id)| self.members[**id].len() > 1).collect();
        if shared.is_empty() {
            return None;
        }
        let other_side = presence(many.iter().map(|line| &line.points), count);
        // of several at the first time, the one that going through the series in order meets first
        let mut first_conflict: Option<(usize, usize, usize, &Labels)> = None;
        for (labels, id) in shared {
            let members = &self.members[*id];
            for index in (0..count).filter(|&index| other_side[index]) {
                if first_conflict.is_some_and(|(first, ..)| first < index) {
                    break;
                }
                let mut present = members.iter().copied().filter(|&member| one[member].points.has(index));
                if let (Some(first), Some(second)) = (present.next(), present.next()) {
                    if first_conflict.is_none_or(|(at, earliest, ..)| (index, second) < (at, earliest)) {
                        first_conflict = Some((index, second, first, labels));
                    }
                    break;
                }
            }
        }
        let (index, second, first, group) = first_conflict?;
        let side = if side_of_many == Some(Side::Right) { "left" } else { "right" };
        let error = ExecError::duplicate(group, side, &one[second].labels, &one[first].labels);
        Some(Mistake { index, error })
    }
}

/// What a result is called: after the side that may have many, with what `group_left (…)` takes from the other.
fn result_labels(link: &BinaryNode, many: &Labels, one: &Labels, delayed: bool) -> Labels {
    let matching = &link.matching;
    let mut labels = many.to_builder();
    if loses_name(link.op, false) || (link.return_bool && !delayed) {
        labels.retain(|name| !is_metadata(name));
    }
    let Some(group) = &matching.group else {
        if let Some(listed) = &matching.labels {
            let contains = |name: &str| listed.names.iter().any(|listed| &**listed == name);
            labels.retain(|name| contains(name) == listed.on);
        }
        return labels.build();
    };
    for name in &group.include {
        match one.get_shared(name) {
            Some(value) => labels.set(name.clone(), value.clone()),
            None => labels.remove(name),
        };
    }
    let labels = labels.build();
    if link.return_bool && !delayed { without_metadata(&labels) } else { labels }
}
