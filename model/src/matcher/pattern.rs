//! What a regular expression matcher does with a value: the expression itself, or something cheaper that is the same.

use std::sync::Arc;

use regex::bytes::Regex;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::MatcherError;
use super::glob::{self, Piece};
use super::re2;

/// At most so many values are listed instead of running the expression.
const LISTED_MAX: usize = 256;

/// The memory that one compiled expression may take.
const COMPILED_BYTES_MAX: usize = 10 << 20;

/// A compiled expression.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    /// One of these, in order.
    Listed(Arc<[Arc<str>]>),
    /// `.*`
    Anything,
    /// `.+`
    NotEmpty,
    /// `text.*`
    StartsWith(Arc<str>),
    /// `.*text`
    EndsWith(Arc<str>),
    /// `.*text.*`
    Contains(Arc<str>),
    /// Texts with gaps.
    Pieces(Arc<[Piece]>),
    /// Anything else.
    Expression(Regex),
}

impl Pattern {
    /// Compiles an expression in Go's syntax. It must match the whole value, and its dot matches newlines.
    pub(super) fn compile(pattern: &str) -> Result<Self, MatcherError> {
        glob::parse(pattern).map_or_else(|| Self::compiled(pattern), Ok)
    }

    /// Likewise, however simple it is.
    pub(super) fn compiled(pattern: &str) -> Result<Self, MatcherError> {
        let fail =
            |reason: &str, piece: &str| MatcherError { pattern: piece.to_owned(), reason: reason.to_owned() };
        let translated = re2::translate(pattern).map_err(|mistake| fail(mistake.reason, &mistake.piece))?;
        let inner = format!("(?s:{translated})");
        let hir = regex_syntax::ParserBuilder::new()
            .utf8(false)
            .build()
            .parse(&inner)
            .map_err(|_| fail("invalid or unsupported Perl syntax", pattern))?;
        if let Some(simple) = simple(&hir) {
            return Ok(simple);
        }
        regex::bytes::RegexBuilder::new(&format!("^{inner}$"))
            .size_limit(COMPILED_BYTES_MAX)
            .build()
            .map(Self::Expression)
            .map_err(|_| fail("expression too large", pattern))
    }

    pub(super) fn is_match(&self, value: &str) -> bool {
        match self {
            Self::Listed(values) => values.binary_search_by(|listed| (**listed).cmp(value)).is_ok(),
            Self::Anything => true,
            Self::NotEmpty => !value.is_empty(),
            Self::StartsWith(text) => value.starts_with(&**text),
            Self::EndsWith(text) => value.ends_with(&**text),
            Self::Contains(text) => value.contains(&**text),
            Self::Pieces(pieces) => glob::matches(pieces, value),
            Self::Expression(regex) => regex.is_match(value.as_bytes()),
        }
    }

    /// All values that match, if they are few.
    pub(super) fn listed(&self) -> Option<&[Arc<str>]> {
        match self {
            Self::Listed(values) => Some(values),
            _ => None,
        }
    }
}

fn simple(hir: &Hir) -> Option<Pattern> {
    if let Some(mut values) = listed(hir) {
        values.sort_unstable();
        values.dedup();
        let values: Option<Vec<Arc<str>>> =
            values.iter().map(|value| std::str::from_utf8(value).ok().map(Arc::from)).collect();
        return values.map(|values| Pattern::Listed(values.into()));
    }
    let text = |hir: &Hir| match hir.kind() {
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0).ok().map(Arc::from),
        _ => None,
    };
    match hir.kind() {
        HirKind::Repetition(_) => match repeated_any(hir)? {
            0 => Some(Pattern::Anything),
            1 => Some(Pattern::NotEmpty),
            _ => None,
        },
        HirKind::Concat(parts) => match parts.as_slice() {
            [first, last] if repeated_any(last) == Some(0) => text(first).map(Pattern::StartsWith),
            [first, last] if repeated_any(first) == Some(0) => text(last).map(Pattern::EndsWith),
            [first, middle, last] if repeated_any(first) == Some(0) && repeated_any(last) == Some(0) => {
                text(middle).map(Pattern::Contains)
            }
            _ => None,
        },
        _ => None,
    }
}

/// For `.*` and `.+`, how many characters there must be at least.
fn repeated_any(hir: &Hir) -> Option<u32> {
    let HirKind::Repetition(repetition) = hir.kind() else { return None };
    let HirKind::Class(Class::Unicode(class)) = repetition.sub.kind() else { return None };
    let any = matches!(class.ranges(), [range] if range.start() == '\0' && range.end() == char::MAX);
    (any && repetition.max.is_none()).then_some(repetition.min)
}

/// The texts that an expression matches, if they are few.
fn listed(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Empty => Some(vec![Vec::new()]),
        HirKind::Literal(literal) => Some(vec![literal.0.to_vec()]),
        HirKind::Class(Class::Unicode(class)) => {
            let count: usize = class.ranges().iter().map(regex_syntax::hir::ClassUnicodeRange::len).sum();
            let characters = class.ranges().iter().flat_map(|range| range.start()..=range.end());
            (count <= LISTED_MAX).then(|| characters.map(|c| c.to_string().into_bytes()).collect())
        }
        HirKind::Capture(capture) => listed(&capture.sub),
        HirKind::Repetition(repetition) if (repetition.min, repetition.max) == (0, Some(1)) => {
            let mut values = listed(&repetition.sub)?;
            values.push(Vec::new());
            Some(values)
        }
        HirKind::Concat(parts) => parts.iter().try_fold(vec![Vec::new()], |heads: Vec<Vec<u8>>, part| {
            let tails = listed(part)?;
            let few = heads.len() * tails.len() <= LISTED_MAX;
            few.then(|| {
                heads
                    .iter()
                    .flat_map(|head| tails.iter().map(move |tail| [&head[..], tail].concat()))
                    .collect()
            })
        }),
        HirKind::Alternation(parts) => {
            let mut values = Vec::new();
            for part in parts {
                values.extend(listed(part)?);
                if values.len() > LISTED_MAX {
                    return None;
                }
            }
            Some(values)
        }
        _ => None,
    }
}

/// A regular expression in Go's syntax that takes values apart, for `label_replace` and relabelling. It must match the
/// whole value.
#[derive(Clone, Debug)]
pub struct CapturePattern(Regex);

impl CapturePattern {
    /// Compiles an expression.
    ///
    /// # Errors
    /// If it is none.
    pub fn new(pattern: &str) -> Result<Self, MatcherError> {
        let fail =
            |reason: &str, piece: &str| MatcherError { pattern: piece.to_owned(), reason: reason.to_owned() };
        let translated = re2::translate_with_groups(pattern).map_err(|m| fail(m.reason, &m.piece))?;
        regex::bytes::RegexBuilder::new(&format!("^(?s:{translated})$"))
            .size_limit(COMPILED_BYTES_MAX)
            .build()
            .map(Self)
            .map_err(|_| fail("expression too large", pattern))
    }

    /// Whether the value matches.
    pub fn is_match(&self, value: &str) -> bool {
        self.0.is_match(value.as_bytes())
    }

    /// If the value matches: the template with `$1`, `${name}` and `$$` filled in.
    pub fn replace(&self, value: &str, template: &str) -> Option<String> {
        let captures = self.0.captures(value.as_bytes())?;
        let mut out = Vec::new();
        captures.expand(template.as_bytes(), &mut out);
        Some(String::from_utf8_lossy(&out).into_owned())
    }
}
