//! From nodes to fields, with the messages of Go's decoder.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::tree::{Content, Node, Position};

/// Decodes a file; mistakes are collected, so that all of them can be told at once.
///
/// What is wrong decodes to what Go leaves there: nothing, 0 or an empty text. Whoever decodes must ask
/// [`Decoder::finish`] whether there was anything wrong.
#[derive(Debug)]
pub struct Decoder {
    ignore_unknown: bool,
    mistakes: Vec<String>,
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
        Self { ignore_unknown, mistakes: Vec::new() }
    }

    /// How many mistakes were found so far.
    pub fn mistakes(&self) -> usize {
        self.mistakes.len()
    }

    /// Ends the decoding.
    ///
    /// # Errors
    /// All mistakes.
    pub fn finish(self) -> Result<(), Mistakes> {
        if self.mistakes.is_empty() { Ok(()) } else { Err(Mistakes(self.mistakes)) }
    }

    /// Notes a field that does not exist.
    pub fn unknown(&mut self, (key, position): &Key, type_name: &str) {
        if !self.ignore_unknown {
            self.mistakes.push(format!("line {}: field {key} not found in type {type_name}", position.line));
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
                let quoted = model::quote::quoted(text);
                self.mistakes
                    .push(format!("line {key_line}: mapping key {quoted} already defined at line {line}"));
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
        let number =
            node.text().filter(|_| node.tag() == "!!int").and_then(|t| t.replace('_', "").parse().ok());
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
            ("!!int" | "!!float", text) => text.replace('_', "").parse().ok(),
            _ => None,
        });
        if number.is_none() {
            self.expect_null(node, "float64");
        }
        number.unwrap_or(0.0)
    }

    /// `true` or `false`.
    pub fn bool(&mut self, node: &Node) -> bool {
        let value =
            node.text().filter(|_| node.tag() == "!!bool").map(|text| text.to_ascii_lowercase() == "true");
        if value.is_none() {
            self.expect_null(node, "bool");
        }
        value.unwrap_or(false)
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
        let (line, tag) = (node.position.line, node.tag());
        self.mistakes.push(format!("line {line}: cannot unmarshal {tag}{value} into {type_name}"));
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
}
