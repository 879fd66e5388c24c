//! What a rule is, and what it does to labels.

use md5::{Digest, Md5};
use model::CapturePattern;
use model::{Labels, LabelsBuilder};

use crate::case;

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Writes what was captured to a label.
    Replace,
    /// Drops what does not match.
    Keep,
    /// Drops what matches.
    Drop,
    /// Drops what is not equal to a label.
    KeepEqual,
    /// Drops what is equal to a label.
    DropEqual,
    /// Writes a hash, modulo a number, to a label.
    HashMod,
    /// Copies labels to other names.
    LabelMap,
    /// Removes labels by name.
    LabelDrop,
    /// Removes all other labels by name.
    LabelKeep,
    /// Writes the value in lower case to a label.
    Lowercase,
    /// Writes the value in upper case to a label.
    Uppercase,
}

/// Every action by its name.
pub(crate) const ACTIONS: [(&str, Action); 11] = [
    ("replace", Action::Replace),
    ("keep", Action::Keep),
    ("drop", Action::Drop),
    ("keepequal", Action::KeepEqual),
    ("dropequal", Action::DropEqual),
    ("hashmod", Action::HashMod),
    ("labelmap", Action::LabelMap),
    ("labeldrop", Action::LabelDrop),
    ("labelkeep", Action::LabelKeep),
    ("lowercase", Action::Lowercase),
    ("uppercase", Action::Uppercase),
];

impl Action {
    /// As it is written in files.
    pub fn as_str(self) -> &'static str {
        ACTIONS.iter().find(|(_, action)| *action == self).map_or("", |(name, _)| name)
    }
}

/// One rule, as it was read: only reading makes them, so what contradicts itself does not exist.
#[derive(Clone, Debug)]
pub struct Rule {
    pub(crate) source_labels: Vec<String>,
    pub(crate) separator: String,
    pub(crate) regex: CapturePattern,
    pub(crate) modulus: u64,
    pub(crate) target_label: String,
    pub(crate) replacement: String,
    pub(crate) action: Action,
}

/// Runs the rules in order; `None` if one of them drops the label set.
pub fn apply(rules: &[Rule], labels: &Labels) -> Option<Labels> {
    if rules.is_empty() {
        return Some(labels.clone());
    }
    let mut current = labels.clone();
    for rule in rules {
        current = rule.apply(&current)?;
    }
    Some(current)
}

impl Rule {
    /// What becomes of a label set; `None` if it is dropped.
    fn apply(&self, labels: &Labels) -> Option<Labels> {
        let value = self.value(labels);
        let matches = |text: &str| self.regex.is_match(text);
        let target = || labels.get(&self.target_label).unwrap_or("");
        let kept = match self.action {
            Action::Keep => matches(&value),
            Action::Drop => !matches(&value),
            Action::KeepEqual => target() == value,
            Action::DropEqual => target() != value,
            _ => true,
        };
        if !kept {
            return None;
        }
        let mut changed = labels.to_builder();
        match self.action {
            Action::Keep | Action::Drop | Action::KeepEqual | Action::DropEqual => {
                return Some(labels.clone());
            }
            Action::Replace => self.replace(&value, &mut changed),
            Action::HashMod => {
                changed.set(self.target_label.as_str(), hash_mod(&value, self.modulus).to_string());
            }
            Action::Lowercase => {
                changed.set(self.target_label.as_str(), case::lower(&value));
            }
            Action::Uppercase => {
                changed.set(self.target_label.as_str(), case::upper(&value));
            }
            Action::LabelMap => {
                for label in labels {
                    if let Some(name) = self.regex.replace(&label.name, &self.replacement) {
                        changed.set(name, label.value.clone());
                    }
                }
            }
            Action::LabelDrop => _ = changed.retain(|name| !matches(name)),
            Action::LabelKeep => _ = changed.retain(matches),
        }
        Some(changed.build())
    }

    /// The values of the source labels, joined; a label that is not there has the empty value.
    fn value(&self, labels: &Labels) -> String {
        let values = self.source_labels.iter().map(|name| labels.get(name).unwrap_or(""));
        values.collect::<Vec<_>>().join(&self.separator)
    }

    /// Where the value does not match, or the target comes out as no name, nothing changes.
    fn replace(&self, value: &str, changed: &mut LabelsBuilder) {
        let target = self.regex.replace(value, &self.target_label);
        if let (Some(target), Some(text)) = (target, self.regex.replace(value, &self.replacement))
            && !target.is_empty()
        {
            changed.set(target, text);
        }
    }
}

/// The last eight bytes of the MD5 sum, as a number, modulo `modulus`.
fn hash_mod(value: &str, modulus: u64) -> u64 {
    let sum: [u8; 16] = Md5::digest(value.as_bytes()).into();
    let [.., a, b, c, d, e, f, g, h] = sum;
    u64::from_be_bytes([a, b, c, d, e, f, g, h]) % modulus.max(1)
}
