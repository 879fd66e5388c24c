//! From YAML nodes to the fields of rule files, with the messages of Go's decoder.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::yaml::{Content, Node, Position};
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
    #[error("yaml: unmarshal errors:\n  {}", .0.join("\n  "))]
    Fields(Vec<String>),
    #[error(transparent)]
    Duration(#[from] DurationError),
    #[error("yaml: map merge requires map or sequence of maps as the value")]
    Merge,
}

/// Reads the fields of a rule file.
pub(super) fn file(root: &Node, ignore_unknown: bool) -> Result<RawFile, DecodeError> {
    let mut decoder = Decoder { ignore_unknown, mistakes: Vec::new() };
    let file = decoder.file(root)?;
    if decoder.mistakes.is_empty() { Ok(file) } else { Err(DecodeError::Fields(decoder.mistakes)) }
}

struct Decoder {
    ignore_unknown: bool,
    mistakes: Vec<String>,
}

impl Decoder {
    fn file(&mut self, node: &Node) -> Result<RawFile, DecodeError> {
        let mut file = RawFile::default();
        for (key, value) in self.entries(node, "rulefmt.RuleGroups")? {
            match &*key.0 {
                "groups" => {
                    for item in self.items(&value, "[]rulefmt.RuleGroup") {
                        file.groups.push(self.group(&item)?);
                    }
                }
                _ => self.unknown(&key, "rulefmt.RuleGroups"),
            }
        }
        Ok(file)
    }

    fn group(&mut self, node: &Node) -> Result<RawGroup, DecodeError> {
        let mut group = RawGroup { position: node.position, ..RawGroup::default() };
        for (key, value) in self.entries(node, "rulefmt.RuleGroup")? {
            match &*key.0 {
                "name" => group.name = self.string(&value),
                "interval" => group.interval_ms = self.duration(&value)?.unwrap_or(0),
                "query_offset" => group.query_offset_ms = self.duration(&value)?,
                "limit" => group.limit = self.int(&value),
                "labels" => group.labels = self.string_map(&value)?,
                "rules" => {
                    for item in self.items(&value, "[]rulefmt.Rule") {
                        group.rules.push(self.rule(&item)?);
                    }
                }
                // A field of Thanos; answers here are never partial, so it means nothing.
                "partial_response_strategy" => group.partial_response_strategy = Some(value.position),
                _ => self.unknown(&key, "rulefmt.RuleGroup"),
            }
        }
        Ok(group)
    }

    fn rule(&mut self, node: &Node) -> Result<RawRule, DecodeError> {
        let mut rule = RawRule::default();
        for (key, value) in self.entries(node, "rulefmt.Rule")? {
            match &*key.0 {
                "record" => rule.record = self.field(&value),
                "alert" => rule.alert = self.field(&value),
                "expr" => rule.expr = self.field(&value),
                "for" => rule.for_ms = self.duration(&value)?.unwrap_or(0),
                "keep_firing_for" => rule.keep_firing_for_ms = self.duration(&value)?.unwrap_or(0),
                "labels" => rule.labels = self.string_map(&value)?,
                "annotations" => rule.annotations = self.string_map(&value)?,
                _ => self.unknown(&key, "rulefmt.Rule"),
            }
        }
        Ok(rule)
    }

    fn unknown(&mut self, (key, position): &(Rc<str>, Position), type_name: &str) {
        if !self.ignore_unknown {
            self.mistakes.push(format!("line {}: field {key} not found in type {type_name}", position.line));
        }
    }

    /// The entries of a mapping, those of merged mappings behind its own; nothing if it is no mapping.
    fn entries(&mut self, node: &Node, type_name: &str) -> Result<Entries, DecodeError> {
        let Content::Mapping(pairs) = &node.content else {
            self.expect_null(node, type_name);
            return Ok(Vec::new());
        };
        if self.has_duplicate_keys(pairs) {
            return Ok(Vec::new());
        }
        let mut entries = Vec::with_capacity(pairs.len());
        add_entries(&mut entries, pairs)?;
        Ok(entries)
    }

    fn has_duplicate_keys(&mut self, pairs: &[(Node, Node)]) -> bool {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let before = self.mistakes.len();
        for (key, _) in pairs {
            let Some(text) = key.text() else { continue };
            if let Some(line) = seen.get(&**text) {
                let key_line = key.position.line;
                let quoted = crate::go::quote(text);
                self.mistakes
                    .push(format!("line {key_line}: mapping key {quoted} already defined at line {line}"));
            } else {
                seen.insert(text, key.position.line);
            }
        }
        self.mistakes.len() > before
    }

    fn items(&mut self, node: &Node, type_name: &str) -> Vec<Node> {
        match &node.content {
            Content::Sequence(items) => items.to_vec(),
            _ => {
                self.expect_null(node, type_name);
                Vec::new()
            }
        }
    }

    fn field(&mut self, node: &Node) -> Field {
        Field { text: self.string(node), position: node.position }
    }

    fn string(&mut self, node: &Node) -> String {
        match node.text() {
            Some(_) if node.is_null() => String::new(),
            Some(text) => text.to_string(),
            None => {
                self.mismatch(node, "string");
                String::new()
            }
        }
    }

    fn int(&mut self, node: &Node) -> i64 {
        let number =
            node.text().filter(|_| node.tag() == "!!int").and_then(|t| t.replace('_', "").parse().ok());
        if number.is_none() {
            self.expect_null(node, "int");
        }
        number.unwrap_or(0)
    }

    fn duration(&mut self, node: &Node) -> Result<Option<i64>, DecodeError> {
        if node.is_null() {
            return Ok(None);
        }
        let before = self.mistakes.len();
        let text = self.string(node);
        if self.mistakes.len() > before { Ok(None) } else { Ok(Some(duration::parse(&text)?)) }
    }

    fn string_map(&mut self, node: &Node) -> Result<BTreeMap<String, String>, DecodeError> {
        let entries = self.entries(node, "map[string]string")?;
        Ok(entries.into_iter().map(|((key, _), value)| (key.to_string(), self.string(&value))).collect())
    }

    fn expect_null(&mut self, node: &Node, type_name: &str) {
        if !node.is_null() {
            self.mismatch(node, type_name);
        }
    }

    fn mismatch(&mut self, node: &Node, type_name: &str) {
        let value = match node.text() {
            Some(text) if text.len() > 10 => format!(" `{}...`", text.chars().take(7).collect::<String>()),
            Some(text) => format!(" `{text}`"),
            None => String::new(),
        };
        let (line, tag) = (node.position.line, node.tag());
        self.mistakes.push(format!("line {line}: cannot unmarshal {tag}{value} into {type_name}"));
    }
}

type Entries = Vec<((Rc<str>, Position), Node)>;

fn add_entries(entries: &mut Entries, pairs: &[(Node, Node)]) -> Result<(), DecodeError> {
    let is_merge =
        |key: &Node| matches!(&key.content, Content::Scalar { text, plain: true } if &**text == "<<");
    for (key, value) in pairs.iter().filter(|(key, _)| !is_merge(key)) {
        let Some(text) = key.text() else { continue };
        if !entries.iter().any(|((known, _), _)| known == text) {
            entries.push(((text.clone(), key.position), value.clone()));
        }
    }
    for (_, value) in pairs.iter().filter(|(key, _)| is_merge(key)) {
        match &value.content {
            Content::Mapping(merged) => add_entries(entries, merged)?,
            Content::Sequence(items) => {
                for item in items.iter() {
                    let Content::Mapping(merged) = &item.content else { return Err(DecodeError::Merge) };
                    add_entries(entries, merged)?;
                }
            }
            Content::Scalar { .. } => return Err(DecodeError::Merge),
        }
    }
    Ok(())
}
