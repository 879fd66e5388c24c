//! `and`, `or`, `unless`: which series stay, by the labels of others.

use std::collections::HashMap;

use model::Labels;

use super::join::Signature;
use crate::exec::flags::Flags;
use crate::exec::points::Line;
use crate::exec::{Result, names};
use crate::plan::BinaryNode;
use crate::syntax::BinaryOp;

pub(super) fn combine(link: &BinaryNode, left: &[Line], right: &[Line]) -> Result<Vec<Line>> {
    let signature = Signature::new(&link.matching);
    match link.op {
        BinaryOp::And => Ok(keep(left, &by_signature(right, &signature), &signature, true)),
        BinaryOp::Unless => Ok(keep(left, &by_signature(right, &signature), &signature, false)),
        _ => {
            let mut lines = left.to_vec();
            lines.extend(keep(right, &by_signature(left, &signature), &signature, false));
            names::merge_same(lines)
        }
    }
}

/// At which places any series with a signature has a value.
pub(super) fn by_signature(lines: &[Line], signature: &Signature<'_>) -> HashMap<Labels, Flags> {
    let mut groups: HashMap<Labels, Flags> = HashMap::new();
    for Line { labels, points, .. } in lines {
        let present = groups.entry(signature.of(labels)).or_default();
        present.cover(points.places());
        for index in points.places().filter(|&index| points.has(index)) {
            present.mark(index);
        }
    }
    groups
}

/// What the lines have where their partners are present, or where they are not.
fn keep(
    lines: &[Line],
    partners: &HashMap<Labels, Flags>,
    signature: &Signature<'_>,
    where_present: bool,
) -> Vec<Line> {
    let mut kept = Vec::new();
    for line in lines {
        let present = partners.get(&signature.of(&line.labels));
        let mut line = line.clone();
        line.points.retain(|index| present.is_some_and(|present| present.has(index)) == where_present);
        if !line.points.is_empty() {
            kept.push(line);
        }
    }
    kept
}
