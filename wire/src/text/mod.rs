//! The text format 0.0.4, read as strictly as the Pushgateway does.

mod assembly;
pub(crate) mod cursor;
mod error;
pub(crate) mod line;
pub(crate) mod number;

#[cfg(test)]
mod tests;

pub use error::{Fault, Quoted, TextError};

use assembly::Assembly;
use cursor::{Cursor, is_blank};

use crate::{Family, Limits};
use std::borrow::Cow;

/// How a body is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether names may hold any character, if they stand in quotes.
    pub utf8_names: bool,
    /// What the body may ask for.
    pub limits: Limits,
}

/// A body with what people's tools make of line ends put right: CRLF becomes LF, and the last line gets its end.
pub fn with_line_feeds(body: &[u8]) -> Cow<'_, [u8]> {
    let lacks_end = body.last().is_some_and(|last| *last != b'\n');
    if !lacks_end && !body.windows(2).any(|two| two == b"\r\n") {
        return Cow::Borrowed(body);
    }
    let mut fixed = Vec::with_capacity(body.len() + 1);
    for (index, byte) in body.iter().enumerate() {
        let is_part_of_end = *byte == b'\r' && matches!(body.get(index + 1), Some(b'\n') | None);
        if !is_part_of_end {
            fixed.push(*byte);
        }
    }
    if fixed.last().is_some_and(|last| *last != b'\n') {
        fixed.push(b'\n');
    }
    Cow::Owned(fixed)
}

/// Reads a body. The families are in the order in which they begin; those without samples are left out.
///
/// # Errors
/// At the first line that breaks the grammar, or if a limit is reached: all or nothing.
pub fn parse(body: &[u8], options: &Options) -> Result<Vec<Family>, TextError> {
    let Limits { bytes_max, samples_max, .. } = options.limits;
    if body.len() > bytes_max {
        return Err(TextError::TooLarge { bytes_max });
    }
    let mut cursor = Cursor::new(body);
    let mut assembly = Assembly::default();
    let mut samples = 0;
    for number in 1.. {
        cursor.skip_blanks();
        if cursor.is_at_end() {
            break;
        }
        let syntax = |fault| TextError::Syntax { line: number, fault };
        match cursor.peek().map_err(syntax)? {
            b'\n' => {}
            b'#' => comment(&mut cursor, options, &mut assembly).map_err(syntax)?,
            _ => {
                let line = line::read(&mut cursor, options).map_err(|error| error.at(number))?;
                samples += 1;
                if samples > samples_max {
                    return Err(TextError::TooManySamples { samples_max });
                }
                assembly.sample(line).map_err(syntax)?;
            }
        }
        cursor.skip();
    }
    Ok(assembly.finish())
}

/// Reads a line that begins with `#`, up to its line feed.
fn comment(cursor: &mut Cursor<'_>, options: &Options, assembly: &mut Assembly) -> Result<(), Fault> {
    cursor.skip();
    cursor.skip_blanks();
    let keyword = cursor.word()?;
    if !matches!(keyword, b"HELP" | b"TYPE") {
        return cursor.line().map(|_| ());
    }
    cursor.skip_blanks();
    let name = cursor.name(Quoted::MetricName)?;
    match cursor.peek()? {
        b'\n' => return Ok(()),
        byte if name.is_empty() || !is_blank(byte) => return Err(Fault::MetricNameInComment),
        _ => {}
    }
    let name = line::metric_name(name, options)?;
    cursor.skip_blanks();
    if cursor.peek()? == b'\n' {
        assembly.mention(&name);
        Ok(())
    } else if keyword == b"HELP" {
        assembly.help(&name, &cursor.help()?)
    } else {
        assembly.r#type(&name, cursor.line()?)
    }
}
