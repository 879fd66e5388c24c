//! From YAML nodes to the fields of rule files, with the messages of Go's decoder.

use std::collections::BTreeMap;

use yaml::{Decoder, MergeError, Mistakes, Node, Position};

use crate::duration::{self, DurationError};

/// The file: its groups.
#[derive(Debug, Default)]
pub(super) struct RawFile {
    pub(super) groups: Vec<RawGroup>,
}

/// A group as it stands in the file.
#[derive(Debug, Default)]
pub(super) struct RawGroup {
    pub(super) position: Position,
    pub(super) name: String,
    pub(super) interval_ms: i64,
    pub(super) query_offset_ms: Option<i64>,
    pub(super) limit: i64,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) rules: Vec<RawRule>,
    pub(super) partial_response_strategy: Option<Position>,
}

/// A rule as it stands in the file.
#[derive(Debug, Default)]
pub(super) struct RawRule {
    pub(super) record: Field,
    pub(super) alert: Field,
    pub(super) expr: Field,
    pub(super) for_ms: i64,
    pub(super) keep_firing_for_ms: i64,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
}

/// A text and its place; empty and 0:0 if it is not there.
#[derive(Clone, Debug, Default)]
pub(super) struct Field {
    pub(super) text: String,
    pub(super) position: Position,
}

/// Why nodes are no rule file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DecodeError {
    #[error(transparent)]
    Fields(#[from] Mistakes),
    #[error(transparent)]
    Duration(#[from] DurationError),
    #[error(transparent)]
    Merge(#[from] MergeError),
}

/// Reads the fields of a rule file.
pub(super) fn file(root: &Node, ignore_unknown: bool) -> Result<RawFile, DecodeError> {
    let mut fields = Fields(Decoder::new(ignore_unknown));
    let file = fields.file(root)?;
    fields.0.finish()?;
    Ok(file)
}

struct Fields(Decoder);

impl Fields {
    fn file(&mut self, node: &Node) -> Result<RawFile, DecodeError> {
        let mut file = RawFile::default();
        for (key, value) in self.0.entries(node, "rulefmt.RuleGroups")? {
            match &*key.0 {
                "groups" => {
                    for item in self.0.items(&value, "[]rulefmt.RuleGroup") {
                        file.groups.push(self.group(&item)?);
                    }
                }
                _ => self.0.unknown(&key, "rulefmt.RuleGroups"),
            }
        }
        Ok(file)
    }

    fn group(&mut self, node: &Node) -> Result<RawGroup, DecodeError> {
        let mut group = RawGroup { position: node.position, ..RawGroup::default() };
        for (key, value) in self.0.entries(node, "rulefmt.RuleGroup")? {
            match &*key.0 {
                "name" => group.name = self.0.string(&value),
                "interval" => group.interval_ms = self.duration(&value)?.unwrap_or(0),
                "query_offset" => group.query_offset_ms = self.duration(&value)?,
                "limit" => group.limit = self.0.int(&value),
                "labels" => group.labels = self.0.string_map(&value)?,
                "rules" => {
                    for item in self.0.items(&value, "[]rulefmt.Rule") {
                        group.rules.push(self.rule(&item)?);
                    }
                }
                // A field of Thanos; answers here are never partial, so it means nothing.
                "partial_response_strategy" => group.partial_response_strategy = Some(value.position),
                _ => self.0.unknown(&key, "rulefmt.RuleGroup"),
            }
        }
        Ok(group)
    }

    fn rule(&mut self, node: &Node) -> Result<RawRule, DecodeError> {
        let mut rule = RawRule::default();
        for (key, value) in self.0.entries(node, "rulefmt.Rule")? {
            match &*key.0 {
                "record" => rule.record = self.field(&value),
                "alert" => rule.alert = self.field(&value),
                "expr" => rule.expr = self.field(&value),
                "for" => rule.for_ms = self.duration(&value)?.unwrap_or(0),
                "keep_firing_for" => rule.keep_firing_for_ms = self.duration(&value)?.unwrap_or(0),
                "labels" => rule.labels = self.0.string_map(&value)?,
                "annotations" => rule.annotations = self.0.string_map(&value)?,
                _ => self.0.unknown(&key, "rulefmt.Rule"),
            }
        }
        Ok(rule)
    }

    fn field(&mut self, node: &Node) -> Field {
        Field { text: self.0.string(node), position: node.position }
    }

    fn duration(&mut self, node: &Node) -> Result<Option<i64>, DecodeError> {
        if node.is_null() {
            return Ok(None);
        }
        let before = self.0.mistakes();
        let text = self.0.string(node);
        if self.0.mistakes() > before { Ok(None) } else { Ok(Some(duration::parse(&text)?)) }
    }
}
