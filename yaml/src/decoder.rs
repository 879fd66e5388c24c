//! From nodes to fields, with the messages of Go's decoder.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::tree::{Content, Node, Position, whole_number};

/// Decodes a file; mistakes are collected, so that all of them can be told at once.
///
/// What is wrong decodes to what Go leaves there: nothing, 0 or an empty text. Whoever decodes must ask
/// [`Decoder::finish`] whether there was anything wrong.
#[derive(Debug)]
pub struct Decoder {
    ignore_unknown: bool,
    version: GoYaml,
    /// With the line of each.
    mistakes: Vec<(usize, String)>,
}

/// Which version of Go's decoder is followed, in what it takes and in what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GoYaml {
    /// Prometheus' rule files.
    V3,
    /// Alertmanager's configuration: `yes` and `off` are booleans, and a key that stands twice hinders no other.
    V2,
}

/// A key of a mapping: its text and its place.
pub type Key = (Rc<str>, Position);

/// The entries of a mapping.
pub type Entries = Vec<(Key, Node)>;

/// Everything that does not fit the fields, one line each: `line 3: field x not found in type T`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("yaml: unmarshal errors:\n  {}", .0.join("\n  "))]
pub struct Mistakes(pub Vec<String>);

/// A merge key whose value is no mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("yaml: map merge requires map or sequence of maps as the value")]
pub struct MergeError;

impl Decoder {
    /// A decoder that takes, or takes no, fields that it is not asked for.
    pub fn new(ignore_unknown: bool) -> Self {
        Self { ignore_unknown, version: GoYaml::V3, mistakes: Vec::new() }
    }

    /// A strict decoder that does as version 2 of Go's decoder does: `yes` and `off` are booleans.
    pub fn version2() -> Self {
        Self { ignore_unknown: false, version: GoYaml::V2, mistakes: Vec::new() }
    }

    /// How many mistakes were found so far.
    pub fn mistakes(&self) -> usize {
        self.mistakes.len()
    }

    /// Ends the decoding.
    ///
    /// # Errors
    /// All mistakes.
    pub fn finish(mut self) -> Result<(), Mistakes> {
        if self.version == GoYaml::V2 {
            // there a key that stands twice is told of where it stands, not before the rest of its mapping
            self.mistakes.sort_by_key(|(line, _)| *line);
        }
        let told: Vec<String> =
            self.mistakes.into_iter().map(|(line, text)| format!("line {line}: {text}")).collect();
        if told.is_empty() { Ok(()) } else { Err(Mistakes(told)) }
    }

    /// Notes a field that does not exist.
    pub fn unknown(&mut self, (key, position): &Key, type_name: &str) {
        if !self.ignore_unknown {
            self.mistakes.push((position.line, format!("field {key} not found in type {type_name}")));
        }
    }

    /// The entries of a mapping, those of merged mappings behind its own; nothing if it is no mapping.
    ///
    /// # Errors
    /// If a merge key has another value than mappings, which Go does not collect.
    pub fn entries(&mut self, node: &Node, type_name: &str) -> Result<Entries, MergeError> {
        let Content::Mapping(pairs) = &node.content else {
            self.expect_null(node, type_name);
            return Ok(Vec::new());
        };
        if self.has_duplicate_keys(pairs, type_name) && self.version == GoYaml::V3 {
            return Ok(Vec::new());
        }
        let mut entries = Vec::with_capacity(pairs.len());
        add_entries(&mut entries, pairs)?;
        Ok(entries)
    }

    fn has_duplicate_keys(&mut self, pairs: &[(Node, Node)], type_name: &str) -> bool {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let before = self.mistakes.len();
        for (key, _) in pairs {
            let Some(text) = key.text() else { continue };
            if let Some(line) = seen.get(&**text) {
                let key_line = key.position.line;
                let quoted = model::quote::quoted(text);
                let told = match self.version {
                    GoYaml::V3 => format!("mapping key {quoted} already defined at line {line}"),
                    GoYaml::V2 if type_name.starts_with("map[") => format!("key {quoted} already set in map"),
                    GoYaml::V2 => format!("field {text} already set in type {type_name}"),
                };
                self.mistakes.push((key_line, told));
            } else {
                seen.insert(text, key.position.line);
            }
        }
        self.mistakes.len() > before
    }

    /// The items of a sequence; nothing if it is none.
    pub fn items(&mut self, node: &Node, type_name: &str) -> Vec<Node> {
        match &node.content {
            Content::Sequence(items) => items.to_vec(),
            _ => {
                self.expect_null(node, type_name);
                Vec::new()
            }
        }
    }

    /// A text; what is null is empty.
    pub fn string(&mut self, node: &Node) -> String {
        match node.text() {
            Some(_) if node.is_null() => String::new(),
            Some(text) => text.to_string(),
            None => {
                self.mismatch(node, "string");
                String::new()
            }
        }
    }

    /// The texts of a sequence.
    pub fn strings(&mut self, node: &Node) -> Vec<String> {
        self.items(node, "[]string").iter().map(|item| self.string(item)).collect()
    }

    /// A whole number.
    pub fn int(&mut self, node: &Node) -> i64 {
        let number = node.text().filter(|_| node.tag() == "!!int").and_then(|text| whole_number(text));
        if number.is_none() {
            self.expect_null(node, "int");
        }
        number.unwrap_or(0)
    }

    /// A number.
    pub fn float(&mut self, node: &Node) -> f64 {
        let number = node.text().and_then(|text| match (node.tag(), &**text) {
            ("!!float", ".inf" | ".Inf" | ".INF" | "+.inf") => Some(f64::INFINITY),
            ("!!float", "-.inf") => Some(f64::NEG_INFINITY),
            ("!!float", ".nan" | ".NaN" | ".NAN") => Some(f64::NAN),
            ("!!int", text) => whole_number(text).map(|number| number as f64),
            ("!!float", text) => text.replace('_', "").parse().ok(),
            _ => None,
        });
        if number.is_none() {
            self.expect_null(node, "float64");
        }
        number.unwrap_or(0.0)
    }

    /// `true` or `false`.
    pub fn bool(&mut self, node: &Node) -> bool {
        let plain = matches!(&node.content, Content::Scalar { plain: true, .. });
        let value = node.text().filter(|_| plain).and_then(|text| self.version.bool(text));
        if value.is_none() {
            self.expect_null(node, "bool");
        }
        value.unwrap_or(false)
    }

    /// Whether a scalar is `true`, `false`, or what else stands for them in this version.
    pub fn is_bool(&self, node: &Node) -> bool {
        let plain = matches!(&node.content, Content::Scalar { plain: true, .. });
        plain && node.text().is_some_and(|text| self.version.bool(text).is_some())
    }

    /// A mapping of texts to texts.
    ///
    /// # Errors
    /// As [`Decoder::entries`].
    pub fn string_map(&mut self, node: &Node) -> Result<BTreeMap<String, String>, MergeError> {
        let entries = self.entries(node, "map[string]string")?;
        Ok(entries.into_iter().map(|((key, _), value)| (key.to_string(), self.string(&value))).collect())
    }

    fn expect_null(&mut self, node: &Node, type_name: &str) {
        if !node.is_null() {
            self.mismatch(node, type_name);
        }
    }

    /// Notes a node that is of another type than the field.
    pub fn mismatch(&mut self, node: &Node, type_name: &str) {
        let value = match node.text() {
            Some(text) if text.len() > 10 => format!(" `{}...`", text.chars().take(7).collect::<String>()),
            Some(text) => format!(" `{text}`"),
            None => String::new(),
        };
        let tag = if self.is_bool(node) { "!!bool" } else { node.tag() };
        self.mistakes.push((node.position.line, format!("cannot unmarshal {tag}{value} into {type_name}")));
    }
}

impl GoYaml {
    fn bool(self, text: &str) -> Option<bool> {
        match text {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" if self == Self::V2 => Some(true),
            "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" if self == Self::V2 => Some(false),
            _ => None,
        }
    }
}

pub(crate) fn add_entries(entries: &mut Entries, pairs: &[(Node, Node)]) -> Result<(), MergeError> {
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
                    let Content::Mapping(merged) = &item.content else { return Err(MergeError) };
                    add_entries(entries, merged)?;
                }
            }
            Content::Scalar { .. } => return Err(MergeError),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(text: &str) -> (Decoder, Entries) {
        let root = crate::parse(text).expect("parses").root.expect("a document");
        let mut decoder = Decoder::new(false);
        let entries = decoder.entries(&root, "T").expect("no merge");
        (decoder, entries)
    }

    #[test]
    fn scalars_have_their_types() {
        let (mut decoder, entries) = mapping("a: 1_000\nb: -1.5e3\nc: .inf\nd: True\ne: text\nf: ~\n");
        let value = |name: &str| {
            let found = entries.iter().find(|((key, _), _)| &**key == name);
            found.expect("is there").1.clone()
        };
        assert_eq!(decoder.int(&value("a")), 1_000);
        assert_eq!([decoder.float(&value("a")), decoder.float(&value("b"))], [1_000.0, -1_500.0]);
        assert_eq!(decoder.float(&value("c")), f64::INFINITY);
        assert!(decoder.bool(&value("d")) && !decoder.bool(&value("f")));
        assert_eq!((decoder.int(&value("f")), decoder.float(&value("f"))), (0, 0.0));
        assert_eq!(decoder.mistakes(), 0);
        assert_eq!((decoder.float(&value("e")), decoder.bool(&value("a"))), (0.0, false));
        assert_eq!(
            decoder.finish().expect_err("two mistakes").to_string(),
            "yaml: unmarshal errors:\n  line 5: cannot unmarshal !!str `text` into float64\n  \
             line 1: cannot unmarshal !!int `1_000` into bool"
        );
    }

    #[test]
    fn keys_stand_once() {
        let (decoder, entries) = mapping("a: 1\na: 2\n");
        assert!(entries.is_empty());
        assert_eq!(
            decoder.finish().expect_err("a mistake").to_string(),
            "yaml: unmarshal errors:\n  line 2: mapping key \"a\" already defined at line 1"
        );
    }

    #[test]
    fn the_older_version_has_more_booleans_and_reads_on() {
        let root =
            crate::parse("a: yes\na: 2\nb: 'yes'\nc: Off\n").expect("parses").root.expect("a document");
        let mut decoder = Decoder::version2();
        let entries = decoder.entries(&root, "T").expect("no merge");
        let values: Vec<bool> = entries.iter().map(|(_, value)| decoder.bool(value)).collect();
        assert_eq!(values, [true, false, false]);
        let _ = decoder.entries(&root, "map[string]string").expect("no merge");
        assert_eq!(
            decoder.finish().expect_err("mistakes").to_string(),
            "yaml: unmarshal errors:\n  line 2: field a already set in type T\n  \
             line 2: key \"a\" already set in map\n  line 3: cannot unmarshal !!str `yes` into bool"
        );
    }
}
