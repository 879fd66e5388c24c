//! Descriptions of series: `up{job="a"} 1 2 _ 5+1x3 stale`, the notation of rule tests and of PromQL test files.

use std::sync::Arc;

use model::{Histogram, Labels, stale_nan};

use super::error::ParseError;
use super::lexer::{Digits, Lexer};
use super::number;
use super::parser::parse_metric;
use super::position::ByteRange;

/// A series and its values, one per interval.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesDescription {
    /// Which series.
    pub labels: Labels,
    /// Its values.
    pub items: Vec<SeriesItem>,
}

/// What a series has at one time.
#[derive(Clone, Debug, PartialEq)]
pub enum SeriesItem {
    /// Nothing.
    Gap,
    /// A number; [`model::stale_nan`] for `stale`.
    Float(f64),
    /// A native histogram.
    Histogram {
        /// The histogram.
        value: Arc<Histogram>,
        /// Whether it says what is known about resets.
        states_reset: bool,
    },
}

/// How many values one description may have.
pub(super) const ITEMS_MAX: usize = 10_000_000;

/// Parses a description of a series.
///
/// # Errors
/// The first mistake.
pub fn parse_series(text: &str) -> Result<SeriesDescription, ParseError> {
    let end = end_of_metric(text);
    let labels = parse_metric(&text[..end])?;
    let mut values = Values { text, lexer: Lexer::new(text), items: Vec::new() };
    values.lexer.at = end;
    values.all()?;
    Ok(SeriesDescription { labels, items: values.items })
}

/// The byte behind the name and the labels.
fn end_of_metric(text: &str) -> usize {
    let (mut in_braces, mut quote, mut escaped) = (false, None, false);
    for (index, byte) in text.bytes().enumerate() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(open) if byte == b'\\' && open != b'`' => escaped = true,
            Some(open) if byte == open => quote = None,
            Some(_) => {}
            None => match byte {
                b'"' | b'\'' | b'`' => quote = Some(byte),
                b'{' => in_braces = true,
                b'}' => return index + 1,
                b' ' | b'\t' if !in_braces => {
                    // a space may stand before the braces
                    let rest = text[index..].trim_start();
                    if !rest.starts_with('{') || rest.starts_with("{{") {
                        return index;
                    }
                }
                _ => {}
            },
        }
    }
    text.len()
}

pub(super) struct Values<'a> {
    pub(super) text: &'a str,
    pub(super) lexer: Lexer<'a>,
    items: Vec<SeriesItem>,
}

impl Values<'_> {
    pub(super) fn error<T>(&self, from: usize, message: impl Into<String>) -> Result<T, ParseError> {
        Err(ParseError::new(self.text, ByteRange::new(from, self.lexer.at.max(from)), message))
    }

    fn all(&mut self) -> Result<(), ParseError> {
        loop {
            let before = self.lexer.at;
            self.lexer.take_while(|byte| matches!(byte, b' ' | b'\t'));
            let Some(next) = self.lexer.peek() else { return Ok(()) };
            if before == self.lexer.at {
                return self.error(before, format!("unexpected {next:?} in series values"));
            }
            self.item()?;
        }
    }

    fn item(&mut self) -> Result<(), ParseError> {
        let start = self.lexer.at;
        let rest = &self.text[start..];
        if rest.starts_with("{{") {
            return self.histograms();
        }
        if self.lexer.take(b'_') {
            let count = self.times()?.unwrap_or(1);
            return self.push(count, |_| SeriesItem::Gap);
        }
        if rest.starts_with("stale") {
            self.lexer.at += "stale".len();
            let count = self.times()?.map_or(1, |times| times + 1);
            return self.push(count, |_| SeriesItem::Float(stale_nan()));
        }
        let first = self.number()?;
        let step = match self.lexer.peek() {
            Some('+' | '-') => self.number()?,
            _ => 0.0,
        };
        let has_step = self.lexer.source.as_bytes().get(self.lexer.at) == Some(&b'x');
        let count = match self.times()? {
            Some(times) => times + 1,
            None if !has_step && step != 0.0 => {
                return self.error(start, "expected x and a number of repetitions");
            }
            None => 1,
        };
        let mut value = first;
        self.push(count, |index| {
            if index > 0 {
                value += step;
            }
            SeriesItem::Float(value)
        })
    }

    pub(super) fn push(
        &mut self,
        count: usize,
        mut item: impl FnMut(usize) -> SeriesItem,
    ) -> Result<(), ParseError> {
        if self.items.len().saturating_add(count) > ITEMS_MAX {
            return self.error(self.lexer.at, format!("a series may have at most {ITEMS_MAX} values"));
        }
        self.items.extend((0..count).map(&mut item));
        Ok(())
    }

    /// `x5`
    pub(super) fn times(&mut self) -> Result<Option<usize>, ParseError> {
        if !self.lexer.take(b'x') {
            return Ok(None);
        }
        let start = self.lexer.at;
        self.lexer.take_while(|byte| byte.is_ascii_digit());
        match self.text[start..self.lexer.at].parse() {
            Ok(times) => Ok(Some(times)),
            Err(_) => self.error(start, "invalid number of repetitions"),
        }
    }

    pub(super) fn number(&mut self) -> Result<f64, ParseError> {
        let start = self.lexer.at;
        let negative = self.lexer.take(b'-');
        if !negative {
            self.lexer.take(b'+');
        }
        let digits = self.lexer.at;
        let rest = &self.text.as_bytes()[digits..];
        let word = rest
            .get(..3)
            .is_some_and(|word| word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"nan"));
        if word {
            self.lexer.at += 3;
        } else if !self.lexer.number(Digits::DecimalBeforeTimes) {
            return self.error(
                start,
                format!("bad number in series values: {:?}", &self.text[start..self.lexer.at]),
            );
        }
        match number::parse(&self.text[digits..self.lexer.at]) {
            Ok(value) => Ok(if negative { -value } else { value }),
            Err(error) => self.error(start, format!("error parsing number: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, labels: &str, values: &[Option<f64>]) {
        let series = parse_series(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let found: Vec<Option<f64>> = series
            .items
            .iter()
            .map(|item| match item {
                SeriesItem::Float(value) => Some(*value),
                _ => None,
            })
            .collect();
        assert_eq!((series.labels.to_string().as_str(), found.as_slice()), (labels, values), "{text}");
    }

    #[test]
    fn values_repeat_and_grow() {
        check("up", "up", &[]);
        check("up 1 2.5 -3", "up", &[Some(1.0), Some(2.5), Some(-3.0)]);
        check("up{a=\"b c\"} 1", "up{a=\"b c\"}", &[Some(1.0)]);
        check("{} 1", "{}", &[Some(1.0)]);
        check("up {a=\"b\"} 1", "up{a=\"b\"}", &[Some(1.0)]);
        check("up 1x2", "up", &[Some(1.0); 3]);
        check("up 0x2", "up", &[Some(0.0); 3]);
        check("up _ _x2 1", "up", &[None, None, None, Some(1.0)]);
        check("up 1+2x2 5-1x1", "up", &[Some(1.0), Some(3.0), Some(5.0), Some(5.0), Some(4.0)]);
        check("up 1e-3 Inf -inf", "up", &[Some(0.001), Some(f64::INFINITY), Some(f64::NEG_INFINITY)]);
        check("{\"a.b\", c=\"d\"} 1", "{__name__=\"a.b\", c=\"d\"}", &[Some(1.0)]);
    }

    #[test]
    fn mistakes_are_told() {
        for text in ["up 1y", "up 1+2", "up xx", "up{ 1", "up 1x"] {
            assert!(parse_series(text).is_err(), "{text}");
        }
    }
}
