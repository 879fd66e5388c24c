//! Groups of targets, as configurations and files of targets have them.

use model::quote::quoted;
use model::{Labels, LabelsBuilder};
use yaml::{Node, Position, Reader};

/// Targets with the same labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetGroup {
    /// `HOST:PORT` of each, and where it stands.
    pub targets: Vec<(Position, String)>,
    /// What all of them have besides.
    pub labels: Labels,
}

const FIELDS: [&str; 2] = ["targets", "labels"];

/// A list of groups; `what` names it in mistakes.
pub(crate) fn read_all(reader: &mut Reader, node: &Node, what: &str) -> Vec<TargetGroup> {
    let mut groups = Vec::new();
    for item in reader.items(node, what) {
        if item.is_null() {
            reader.complain(item.position, format!("empty or null section in {what}"));
        } else {
            groups.push(read(reader, &item, what));
        }
    }
    groups
}

fn read(reader: &mut Reader, node: &Node, what: &str) -> TargetGroup {
    let mut group = TargetGroup::default();
    for (key, value) in reader.entries(node, what) {
        match &*key.0 {
            "targets" => {
                for address in reader.items(&value, "targets") {
                    group.targets.push((address.position, reader.string(&address)));
                }
            }
            "labels" => group.labels = labels(reader, &value, "labels"),
            _ => reader.unknown(&key, what, &FIELDS),
        }
    }
    group
}

/// Labels with their values.
pub(crate) fn labels(reader: &mut Reader, node: &Node, what: &str) -> Labels {
    let mut labels = LabelsBuilder::default();
    for ((name, at), value) in reader.entries(node, what) {
        if name.is_empty() {
            reader.complain(at, format!("{} is not a valid label name", quoted(&name)));
        }
        labels.set(&*name, reader.string(&value));
    }
    labels.build()
}
