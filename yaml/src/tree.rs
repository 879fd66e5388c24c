//! YAML as a tree in which every node knows its place.
//!
//! Scalars stay the texts that the user wrote: a field that wants a string takes `1` and `yes` as they stand, as Go's
//! decoder does. Aliases are resolved here, merge keys where mappings are decoded.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError};

/// What a file may hold at most, aliases counted as what they stand for.
pub const NODES_MAX: usize = 1_000_000;
/// How deep collections may nest.
pub const DEPTH_MAX: usize = 64;

/// A line and a column, both from 1; 0 for a node that is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// One node of the tree.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it begins.
    pub position: Position,
    /// What it is.
    pub content: Content,
    /// This node and all below it.
    size: usize,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub enum Content {
    /// A text as it was written.
    Scalar {
        /// Without quotes.
        text: Rc<str>,
        /// Whether it stands without quotes.
        plain: bool,
    },
    /// Items.
    Sequence(Rc<[Node]>),
    /// Keys and values, as they stand.
    Mapping(Rc<[(Node, Node)]>),
}

/// Why a text is no YAML that we take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum YamlError {
    /// The syntax is wrong.
    #[error("yaml: line {line}: {reason}")]
    Syntax {
        /// From 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A limit of ours.
    #[error("yaml: the document holds more than {NODES_MAX} nodes")]
    TooLarge,
    /// A limit of ours.
    #[error("yaml: line {line}: collections nest deeper than {DEPTH_MAX} levels")]
    TooDeep {
        /// From 1.
        line: usize,
    },
}

/// The first document of a text.
#[derive(Debug)]
pub struct Document {
    /// `None` if there is nothing at all.
    pub root: Option<Node>,
    /// Whether more documents follow, which nobody reads.
    pub more_follow: bool,
}

/// Parses the first document.
///
/// # Errors
/// If it is no YAML, or more than a limit allows.
pub fn parse(text: &str) -> Result<Document, YamlError> {
    let mut reader = Reader {
        text: Lines::new(text),
        events: Parser::new_from_str(text),
        anchors: HashMap::new(),
        total: 0,
    };
    loop {
        match reader.next()? {
            (Event::DocumentStart(_), _) => break,
            (Event::StreamEnd, _) => return Ok(Document { root: None, more_follow: false }),
            _ => {}
        }
    }
    let first = reader.next()?;
    let root = reader.node(first, None, 0)?;
    let more_follow = loop {
        match reader.next() {
            Ok((Event::DocumentEnd, _)) => {}
            Ok((Event::StreamEnd, _)) => break false,
            // Whatever follows is not read, so its mistakes do not count.
            Ok(_) | Err(_) => break true,
        }
    };
    Ok(Document { root: Some(root), more_follow })
}

/// Whether a text has an alias before the first place where it is no YAML: only then its tree may be larger than the text.
pub fn has_aliases(text: &str) -> bool {
    let mut events = Parser::new_from_str(text).map_while(Result::ok);
    text.contains('*') && events.any(|(event, _)| matches!(event, Event::Alias(_)))
}

struct Reader<'a> {
    text: Lines<'a>,
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    total: usize,
}

type Placed<'a> = (Event<'a>, saphyr_parser::Span);

impl<'a> Reader<'a> {
    /// The next event. After an error the parser would repeat it for ever, so callers must stop.
    fn next(&mut self) -> Result<Placed<'a>, YamlError> {
        match self.events.next_event() {
            Some(event) => event.map_err(|error| syntax(&error)),
            None => Ok((Event::StreamEnd, saphyr_parser::Span::default())),
        }
    }

    /// The node that begins with an event; `after` is the end of its key, if it has one.
    fn node(
        &mut self,
        (event, span): Placed<'a>,
        after: Option<Marker>,
        depth: usize,
    ) -> Result<Node, YamlError> {
        let mut position = Position { line: span.start.line(), column: span.start.col() + 1 };
        if depth > DEPTH_MAX {
            return Err(YamlError::TooDeep { line: position.line });
        }
        self.count(1)?;
        let (content, anchor) = match event {
            Event::Alias(anchor) => {
                let target = self.anchors.get(&anchor).cloned().ok_or_else(|| YamlError::Syntax {
                    line: position.line,
                    reason: "the value of an anchor contains itself".to_owned(),
                })?;
                self.count(target.size)?;
                return Ok(Node { position, ..target });
            }
            Event::Scalar(text, style, anchor, _) => {
                position = after.and_then(|end| self.text.value_after(end)).unwrap_or(position);
                (Content::Scalar { text: Rc::from(&*text), plain: style == ScalarStyle::Plain }, anchor)
            }
            Event::SequenceStart(anchor, _) => (self.sequence(depth)?, anchor),
            Event::MappingStart(anchor, _) => (self.mapping(depth)?, anchor),
            _ => (Content::Scalar { text: Rc::from(""), plain: true }, 0),
        };
        let size = 1 + match &content {
            Content::Scalar { .. } => 0,
            Content::Sequence(items) => items.iter().map(|item| item.size).sum(),
            Content::Mapping(pairs) => pairs.iter().map(|(key, value)| key.size + value.size).sum(),
        };
        let node = Node { position, content, size };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn sequence(&mut self, depth: usize) -> Result<Content, YamlError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd | Event::StreamEnd, _) => return Ok(Content::Sequence(items.into())),
                event => items.push(self.node(event, None, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Content, YamlError> {
        let mut pairs = Vec::new();
        loop {
            match self.next()? {
                (Event::MappingEnd | Event::StreamEnd, _) => return Ok(Content::Mapping(pairs.into())),
                event => {
                    let key_end = event.1.end;
                    let key = self.node(event, None, depth + 1)?;
                    let value = self.next()?;
                    pairs.push((key, self.node(value, Some(key_end), depth + 1)?));
                }
            }
        }
    }

    fn count(&mut self, nodes: usize) -> Result<(), YamlError> {
        self.total += nodes;
        if self.total > NODES_MAX { Err(YamlError::TooLarge) } else { Ok(()) }
    }
}

fn syntax(error: &ScanError) -> YamlError {
    YamlError::Syntax { line: error.marker().line(), reason: error.info().to_owned() }
}

/// Finds where the value of a key begins: at its anchor, tag or block indicator, which the parser's spans leave out.
struct Lines<'a> {
    lines: Vec<&'a str>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Self { lines: text.split('\n').collect() }
    }

    /// The place of what follows `key:` on the same line; `None` if nothing does.
    fn value_after(&self, key_end: Marker) -> Option<Position> {
        let line = self.lines.get(key_end.line().checked_sub(1)?)?;
        let mut rest = line.char_indices().skip(key_end.col()).skip_while(|(_, c)| matches!(c, ' ' | '\t'));
        rest.next().filter(|(_, c)| *c == ':')?;
        let (at, first) = rest.find(|(_, c)| !matches!(c, ' ' | '\t' | '\r'))?;
        let column = line[..at].chars().count() + 1;
        (first != '#').then_some(Position { line: key_end.line(), column })
    }
}

impl Node {
    /// The text of a scalar.
    pub fn text(&self) -> Option<&Rc<str>> {
        match &self.content {
            Content::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether this is `null`, or nothing.
    pub fn is_null(&self) -> bool {
        self.tag() == "!!null"
    }

    /// The short name of the node's type, as Go's decoder resolves it.
    pub fn tag(&self) -> &'static str {
        match &self.content {
            Content::Sequence(_) => "!!seq",
            Content::Mapping(_) => "!!map",
            Content::Scalar { plain: false, .. } => "!!str",
            Content::Scalar { text, .. } => scalar_tag(text),
        }
    }
}

/// A whole number as Go's decoder reads it: decimal, or behind `0x`, `0o`, `0` or `0b` of another base, and with `_` anywhere.
pub fn whole_number(text: &str) -> Option<i64> {
    let text = text.replace('_', "");
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(&text)),
    };
    // one sign is enough
    digits.chars().next().filter(char::is_ascii_digit)?;
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    digits.chars().next().filter(char::is_ascii_alphanumeric)?;
    i64::from_str_radix(&format!("{sign}{digits}"), base).ok()
}

fn scalar_tag(text: &str) -> &'static str {
    let digits = text.trim_start_matches(['+', '-']);
    match text {
        "" | "~" | "null" | "Null" | "NULL" => "!!null",
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => "!!bool",
        ".inf" | ".Inf" | ".INF" | "+.inf" | "-.inf" | ".nan" | ".NaN" | ".NAN" => "!!float",
        _ if digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
            if whole_number(text).is_some() {
                "!!int"
            } else if digits.parse::<f64>().is_ok() {
                "!!float"
            } else {
                "!!str"
            }
        }
        _ => "!!str",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(text: &str) -> Node {
        parse(text).expect("parses").root.expect("a document")
    }

    fn value(node: &Node, key: &str) -> Node {
        let Content::Mapping(pairs) = &node.content else { panic!("no mapping") };
        pairs.iter().find(|(k, _)| k.text().is_some_and(|t| &**t == key)).expect("has the key").1.clone()
    }

    #[test]
    fn values_stand_where_their_anchor_or_indicator_stands() {
        let node = root("a: &x foo\n\"é\": |\n  text\nb:   'q'\nc:\n  later\nd: *x\ne: # nothing\n");
        let at = |key: &str| (value(&node, key).position.line, value(&node, key).position.column);
        assert_eq!([at("a"), at("é"), at("b"), at("c"), at("d")], [(1, 4), (2, 6), (4, 6), (6, 3), (7, 4)]);
        assert_eq!(value(&node, "d").text().map(ToString::to_string), Some("foo".to_owned()));
        assert!(value(&node, "e").is_null());
    }

    #[test]
    fn whole_numbers_are_those_of_go() {
        let check = |text: &str, expect: Option<i64>| assert_eq!(whole_number(text), expect, "{text}");
        for (text, number) in [("0", 0), ("12", 12), ("-7", -7), ("+7", 7), ("1_000", 1_000), ("0x1F", 31)] {
            check(text, Some(number));
        }
        for (text, number) in
            [("010", 8), ("0o17", 15), ("0b101", 5), ("-0x10", -16), ("-9223372036854775808", i64::MIN)]
        {
            check(text, Some(number));
        }
        for text in ["", "-", "08", "0x", "0x-1", "0o8", "--1", "1.0", "9223372036854775808", "x"] {
            check(text, None);
        }
        assert_eq!(["0x10", "08", "0b2", "1_0"].map(scalar_tag), ["!!int", "!!float", "!!str", "!!int"]);
    }

    #[test]
    fn only_the_first_document_counts() {
        assert!(parse("a: 1\n---\nb: [\n").expect("parses").more_follow);
        assert!(!parse("---\na: 1\n...\n").expect("parses").more_follow);
        assert!(parse("# nothing\n").expect("parses").root.is_none());
    }

    #[test]
    fn limits() {
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..8 {
            let below = vec![format!("*a{}", level - 1); 10].join(",");
            bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        }
        assert_eq!(parse(&bomb).err(), Some(YamlError::TooLarge));
        let deep = format!("{}{}", "[".repeat(70), "]".repeat(70));
        assert_eq!(parse(&deep).err(), Some(YamlError::TooDeep { line: 1 }));
    }

    #[test]
    fn mistakes() {
        let check = |text: &str, expect: &str| {
            assert_eq!(parse(text).err().map(|error| error.to_string()).as_deref(), Some(expect), "{text}");
        };
        check("a: [1\nb: 2", "yaml: line 2: illegal placement of ':' indicator");
        check("a: *nope", "yaml: line 1: while parsing node, found unknown anchor");
    }
}
