//! From nodes to fields, for files whose mistakes are told with line and column.

use std::collections::BTreeMap;
use std::fmt;

use crate::decoder::{Entries, Key, add_entries};
use crate::tree::{Content, Node, Position};

/// How many mistakes of one file are told.
pub const MISTAKES_MAX: usize = 100;

/// Decodes a file; mistakes are collected, so that all of them can be told at once.
///
/// What is wrong decodes to nothing, 0 or an empty text. Whoever reads must ask [`Reader::finish`] whether there was anything
/// wrong.
#[derive(Debug, Default)]
pub struct Reader {
    mistakes: Vec<PlacedMistake>,
}

/// One mistake and its place: `3:5: unknown field "x"`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}: {text}", .at.line, .at.column)]
pub struct PlacedMistake {
    /// Where.
    pub at: Position,
    /// What is wrong, and what would be right.
    pub text: String,
}

impl Reader {
    /// A reader that has found nothing wrong yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many mistakes were found so far.
    pub fn mistakes(&self) -> usize {
        self.mistakes.len()
    }

    /// Notes a mistake; beyond [`MISTAKES_MAX`] they are not kept.
    pub fn complain(&mut self, at: Position, text: impl Into<String>) {
        if self.mistakes.len() < MISTAKES_MAX {
            self.mistakes.push(PlacedMistake { at, text: text.into() });
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// All mistakes, in the order of their places.
    pub fn finish(mut self) -> Result<(), Vec<PlacedMistake>> {
        self.mistakes.sort_by_key(|mistake| (mistake.at.line, mistake.at.column));
        if self.mistakes.is_empty() { Ok(()) } else { Err(self.mistakes) }
    }

    /// Notes a field that does not exist in `what`, which knows some others.
    pub fn unknown(&mut self, (key, at): &Key, what: &str, known: &[&str]) {
        let key = model::quote::quoted(key);
        self.complain(*at, format!("unknown field {key} in {what}; there are {}", known.join(", ")));
    }

    /// The entries of a mapping, those of merged mappings behind its own; nothing if it is null, or no mapping.
    pub fn entries(&mut self, node: &Node, what: &str) -> Entries {
        let Content::Mapping(pairs) = &node.content else {
            self.expect_null(node, what, "a mapping");
            return Vec::new();
        };
        let mut seen: BTreeMap<&str, Position> = BTreeMap::new();
        for (key, _) in pairs.iter() {
            match key.text() {
                Some(text) => {
                    if let Some(first) = seen.insert(text, key.position) {
                        let quoted = model::quote::quoted(text);
                        let text = format!(
                            "mapping key {quoted} already defined at {}:{}",
                            first.line, first.column
                        );
                        self.complain(key.position, text);
                    }
                }
                None => self.complain(key.position, format!("a key of {what} must be a text")),
            }
        }
        let mut entries = Vec::with_capacity(pairs.len());
        if let Err(error) = add_entries(&mut entries, pairs) {
            self.complain(node.position, error.to_string());
        }
        entries
    }

    /// The items of a sequence; nothing if it is null, or none.
    pub fn items(&mut self, node: &Node, what: &str) -> Vec<Node> {
        match &node.content {
            Content::Sequence(items) => items.to_vec(),
            _ => {
                self.expect_null(node, what, "a list");
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
                self.complain(node.position, "this must be a text");
                String::new()
            }
        }
    }

    /// `true` or `false`; what is null is false.
    pub fn bool(&mut self, node: &Node) -> bool {
        match node.text().map(|text| text.to_ascii_lowercase()) {
            Some(text) if node.tag() == "!!bool" => text == "true",
            _ => {
                self.expect_null(node, "this", "true or false");
                false
            }
        }
    }

    /// A text that `parse` takes; `None` if it is null, or refused.
    pub fn parsed<T, E: fmt::Display>(
        &mut self,
        node: &Node,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let before = self.mistakes();
        let text = self.string(node);
        if node.is_null() || self.mistakes() > before {
            return None;
        }
        parse(&text).map_err(|error| self.complain(node.position, error.to_string())).ok()
    }

    fn expect_null(&mut self, node: &Node, what: &str, expected: &str) {
        if !node.is_null() {
            self.complain(node.position, format!("{what} must be {expected}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, read: impl Fn(&mut Reader, &Key, &Node)) -> Vec<String> {
        let root = crate::parse(text).expect("parses").root.expect("a document");
        let mut reader = Reader::new();
        for (key, value) in reader.entries(&root, "the file") {
            read(&mut reader, &key, &value);
        }
        reader.finish().err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn mistakes_have_their_place() {
        let read = |reader: &mut Reader, key: &Key, value: &Node| match &*key.0 {
            "list" => _ = reader.items(value, "list"),
            "flag" => _ = reader.bool(value),
            "number" => _ = reader.parsed(value, str::parse::<u8>),
            _ => reader.unknown(key, "the file", &["list", "flag", "number"]),
        };
        assert_eq!(told("list: [1]\nflag: ~\nnumber: 7\n", read), Vec::<String>::new());
        assert_eq!(
            told("number: 700\nfoo: 1\nlist: 2\nflag:\n  - yes\nlist: 3\n", read),
            [
                "1:9: number too large to fit in target type",
                "2:1: unknown field \"foo\" in the file; there are list, flag, number",
                "3:7: list must be a list",
                "5:3: this must be true or false",
                "6:1: mapping key \"list\" already defined at 3:1",
            ]
        );
        assert_eq!(told("[1]", read), ["1:1: the file must be a mapping"]);
        assert_eq!(
            told("<<: 1\n", read),
            ["1:1: yaml: map merge requires map or sequence of maps as the value"]
        );
    }

    #[test]
    fn so_many_mistakes_are_told() {
        let lines: String = (0..MISTAKES_MAX + 5).map(|i| format!("f{i}: 1\n")).collect();
        assert_eq!(told(&lines, |reader, key, _| reader.unknown(key, "x", &[])).len(), MISTAKES_MAX);
    }
}
