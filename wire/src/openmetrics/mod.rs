//! OpenMetrics 1.0, read: families that are whole, types with their own suffixes, created times, exemplars, units, and an end.
//!
//! Names are those that Prometheus gives the series: the counter `a` is the family `a_total`, and the info `a` is `a_info`. A created
//! time belongs to its metric and is no series.

mod error;
mod family;
mod lines;
mod sample;

#[cfg(test)]
mod tests;

pub use error::{Fault, LineFault, OpenMetricsError};
pub use lines::{LineReader, SampleLine};
pub(crate) use sample::SampleRest;

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use crate::text::cursor::{Cursor, is_blank};
use crate::text::{Options, Quoted, line};
use crate::{Family, Limits};
use family::Open;

/// Reads a body. The families are in the order in which they stand; those without samples are left out.
///
/// # Errors
/// At the first line that breaks the grammar, or if a limit is reached: all or nothing.
pub fn parse(body: &[u8], options: &Options) -> Result<Vec<Family>, OpenMetricsError> {
    let Limits { bytes_max, samples_max, .. } = options.limits;
    if body.len() > bytes_max {
        return Err(OpenMetricsError::TooLarge { bytes_max });
    }
    // the last line needs no end
    let body = match body.last() {
        Some(b'\n') | None => Cow::Borrowed(body),
        Some(_) => Cow::Owned([body, b"\n"].concat()),
    };
    let mut reader = Reader { families: Vec::new(), open: None, seen: HashSet::new(), options };
    let mut cursor = Cursor::new(&body);
    let (mut number, mut samples) = (0, 0);
    loop {
        number += 1;
        let syntax = |fault: Fault| OpenMetricsError::Syntax { line: number, fault };
        if cursor.is_at_end() {
            return Err(syntax(Fault::NoEnd));
        }
        match cursor.peek().map_err(|fault| syntax(fault.into()))? {
            b'\n' => return Err(syntax(Fault::Empty)),
            b'#' if reader.comment(&mut cursor).map_err(syntax)? => {
                cursor.skip();
                return if cursor.is_at_end() {
                    reader.finish().map_err(syntax)
                } else {
                    Err(syntax(Fault::AfterEnd))
                };
            }
            b'#' => {}
            _ => {
                samples += 1;
                if samples > samples_max {
                    return Err(OpenMetricsError::TooManySamples { samples_max });
                }
                reader.sample(&mut cursor).map_err(|error| error.at(number))?;
            }
        }
        cursor.skip();
    }
}

/// What a line tells of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Headline {
    Type,
    Help,
    Unit,
}

/// Reads a line that begins with `#`, up to what it tells, and of which family; `None` is the end.
fn headline<'a>(
    cursor: &mut Cursor<'a>,
    options: &Options,
) -> Result<Option<(Headline, Cow<'a, str>)>, Fault> {
    cursor.skip();
    if !is_blank(cursor.peek()?) {
        return Err(Fault::Comment);
    }
    cursor.skip_blanks();
    let keyword = match cursor.word()? {
        b"EOF" if cursor.peek()? == b'\n' => return Ok(None),
        b"TYPE" => Headline::Type,
        b"HELP" => Headline::Help,
        b"UNIT" => Headline::Unit,
        _ => return Err(Fault::Comment),
    };
    cursor.skip_blanks();
    let name = cursor.name(Quoted::MetricName)?;
    if name.is_empty() || !is_blank(cursor.peek()?) {
        return Err(Fault::Line(crate::text::Fault::MetricNameInComment));
    }
    let name = line::metric_name(name, options)?;
    // one blank: a text may begin with others
    cursor.skip();
    Ok(Some((keyword, name)))
}

struct Reader<'o> {
    families: Vec<Family>,
    open: Option<Open>,
    /// Names of all families so far, with and without suffixes.
    seen: HashSet<Arc<str>>,
    options: &'o Options,
}

impl Reader<'_> {
    /// Reads a line that begins with `#`, up to its line feed. Whether it is the end.
    fn comment(&mut self, cursor: &mut Cursor<'_>) -> Result<bool, Fault> {
        let Some((keyword, name)) = headline(cursor, self.options)? else { return Ok(true) };
        self.family(&name)?.headline(keyword, cursor)?;
        Ok(false)
    }

    /// The family of this name, which begins here unless it has begun.
    fn family(&mut self, name: &str) -> Result<&mut Open, Fault> {
        if self.open.as_ref().is_none_or(|open| open.name() != name) {
            self.close()?;
            self.claim(name)?;
            self.open = Some(Open::new(name));
        }
        self.open.as_mut().ok_or(Fault::Comment)
    }

    fn claim(&mut self, name: &str) -> Result<(), Fault> {
        if self.seen.insert(name.into()) { Ok(()) } else { Err(Fault::Torn(name.to_owned())) }
    }

    fn close(&mut self) -> Result<(), Fault> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let plain = open.name().to_owned();
        let family = open.family();
        if *family.name != *plain {
            self.claim(&family.name)?;
        }
        self.families.extend(Some(family).filter(|family| !family.metrics.is_empty()));
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Family>, Fault> {
        self.close()?;
        Ok(self.families)
    }

    fn sample(&mut self, cursor: &mut Cursor<'_>) -> Result<(), sample::SampleError> {
        let sample = sample::read(cursor, self.options)?;
        if let Some(open) = &mut self.open
            && let Some(part) = open.part(&sample.name)
        {
            return Ok(open.sample(part, sample)?);
        }
        // without a type of its own, or of another name than its family allows
        let name = sample.name.clone();
        let open = self.family(&name)?;
        let part = open.part(&name).ok_or_else(|| Fault::Suffix(name.into_owned()))?;
        Ok(open.sample(part, sample)?)
    }
}
