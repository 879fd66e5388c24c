//! The tokens of the text format. None is followed by a look back, so reading a body is one pass over its bytes.

use std::borrow::Cow;

use super::{Fault, Quoted};

/// A place in a body. Whatever wants a byte after the last one fails with [`Fault::End`].
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn peek(&self) -> Result<u8, Fault> {
        self.rest.first().copied().ok_or(Fault::End)
    }

    pub(crate) fn skip(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    pub(crate) fn skip_blanks(&mut self) {
        let blanks = self.rest.iter().take_while(|byte| is_blank(**byte)).count();
        self.rest = &self.rest[blanks..];
    }

    /// The bytes before the first that satisfies `end`, which must exist.
    pub(crate) fn until(&mut self, end: impl Fn(u8) -> bool) -> Result<&'a [u8], Fault> {
        let length = self.rest.iter().position(|byte| end(*byte)).ok_or(Fault::End)?;
        let (token, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(token)
    }

    /// The bytes before the next blank or line feed.
    pub(crate) fn word(&mut self) -> Result<&'a [u8], Fault> {
        self.until(|byte| is_blank(byte) || byte == b'\n')
    }

    /// The bytes before the next line feed.
    pub(crate) fn line(&mut self) -> Result<&'a [u8], Fault> {
        self.until(|byte| byte == b'\n')
    }

    /// A name, in quotes or not; empty if none begins here.
    pub(crate) fn name(&mut self, what: Quoted) -> Result<Cow<'a, [u8]>, Fault> {
        match self.peek()? {
            b'"' => self.quoted(what),
            b'0'..=b'9' => Ok(Cow::Borrowed(b"")),
            _ => {
                let colon = what == Quoted::MetricName;
                let part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || (colon && byte == b':');
                Ok(Cow::Borrowed(self.until(|byte| !part(byte))?))
            }
        }
    }

    /// What stands between the quote that is next and the one that closes it.
    pub(crate) fn quoted(&mut self, what: Quoted) -> Result<Cow<'a, [u8]>, Fault> {
        self.skip();
        let mut text = Cow::Borrowed(self.until(|byte| matches!(byte, b'"' | b'\\' | b'\n'))?);
        loop {
            let byte = self.peek()?;
            self.skip();
            match byte {
                b'"' => return Ok(text),
                b'\n' => return Err(Fault::LineFeed { what, text: text.into_owned() }),
                _ => {
                    text.to_mut().push(self.escaped()?);
                    text.to_mut().extend(self.until(|byte| matches!(byte, b'"' | b'\\' | b'\n'))?);
                }
            }
        }
    }

    /// The rest of the line as a help text.
    pub(crate) fn help(&mut self) -> Result<Cow<'a, [u8]>, Fault> {
        let mut text = Cow::Borrowed(self.until(|byte| matches!(byte, b'\\' | b'\n'))?);
        while self.peek()? == b'\\' {
            self.skip();
            text.to_mut().push(self.escaped()?);
            text.to_mut().extend(self.until(|byte| matches!(byte, b'\\' | b'\n'))?);
        }
        Ok(text)
    }

    fn escaped(&mut self) -> Result<u8, Fault> {
        let byte = self.peek()?;
        self.skip();
        match byte {
            b'n' => Ok(b'\n'),
            b'"' | b'\\' => Ok(byte),
            _ => Err(Fault::Escape(byte)),
        }
    }
}

pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}
