//! The words of the language.

use super::operator::{AggregateOp, BinaryOp};
use super::position::ByteRange;

/// One token and where it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) range: ByteRange,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    EndOfInput,
    /// The lexer cannot go on; what is wrong stands beside the tokens.
    Error,
    Identifier,
    /// A name that stands for something where a time or a duration does: `start`, `end`, `step`, `range`, `min_of`, `max_of`.
    TimeWord,
    /// An identifier with a colon in it.
    MetricIdentifier,
    String,
    Number,
    Duration,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    Assign,
    EqualRegex,
    NotRegex,
    At,
    Operator(BinaryOp),
    Aggregate(AggregateOp),
    Keyword(Keyword),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keyword {
    Anchored,
    Bool,
    By,
    Fill,
    FillLeft,
    FillRight,
    GroupLeft,
    GroupRight,
    Ignoring,
    Offset,
    On,
    Smoothed,
    Without,
}

impl Keyword {
    /// Whether a metric may have this name although it is a keyword.
    pub(crate) fn may_name_a_metric(self) -> bool {
        matches!(
            self,
            Self::Anchored
                | Self::By
                | Self::Fill
                | Self::FillLeft
                | Self::FillRight
                | Self::Offset
                | Self::Smoothed
                | Self::Without
        )
    }
}

/// What a word is, whatever its case.
pub(crate) fn of_word(word: &str) -> Kind {
    let lower = word.to_ascii_lowercase();
    let keyword = match lower.as_str() {
        "and" => return Kind::Operator(BinaryOp::And),
        "or" => return Kind::Operator(BinaryOp::Or),
        "unless" => return Kind::Operator(BinaryOp::Unless),
        "atan2" => return Kind::Operator(BinaryOp::Atan2),
        "inf" | "nan" => return Kind::Number,
        "start" | "end" | "step" | "range" | "min_of" | "max_of" => return Kind::TimeWord,
        "anchored" => Keyword::Anchored,
        "bool" => Keyword::Bool,
        "by" => Keyword::By,
        "fill" => Keyword::Fill,
        "fill_left" => Keyword::FillLeft,
        "fill_right" => Keyword::FillRight,
        "group_left" => Keyword::GroupLeft,
        "group_right" => Keyword::GroupRight,
        "ignoring" => Keyword::Ignoring,
        "offset" => Keyword::Offset,
        "on" => Keyword::On,
        "smoothed" => Keyword::Smoothed,
        "without" => Keyword::Without,
        _ => {
            return match AggregateOp::ALL.into_iter().find(|op| op.as_str() == lower) {
                Some(op) => Kind::Aggregate(op),
                None if word.contains(':') => Kind::MetricIdentifier,
                None => Kind::Identifier,
            };
        }
    };
    Kind::Keyword(keyword)
}

impl Token {
    pub(crate) fn text<'a>(&self, source: &'a str) -> &'a str {
        &source[self.range.start..self.range.end]
    }

    /// How error messages name it.
    pub(crate) fn describe(&self, source: &str) -> String {
        let text = self.text(source);
        let quoted = |what: &str| match text.chars().count() {
            ..=10 => format!("{what} {text:?}"),
            _ => format!("{what} {:?}...", text.chars().take(10).collect::<String>()),
        };
        match self.kind {
            Kind::EndOfInput => "end of input".to_owned(),
            Kind::Identifier => format!("identifier {text:?}"),
            Kind::MetricIdentifier => format!("metric identifier {text:?}"),
            Kind::String => quoted("string"),
            Kind::Number => quoted("number"),
            Kind::Duration => quoted("duration"),
            Kind::EqualRegex | Kind::NotRegex | Kind::At | Kind::Operator(_) => format!("<op:{text}>"),
            Kind::Aggregate(_) => format!("<aggr:{text}>"),
            Kind::Keyword(_) => format!("<{text}>"),
            _ => format!("{text:?}"),
        }
    }
}
