//! One line with a sample: name, labels, value, timestamp, exemplar.

use std::borrow::Cow;

use model::EXEMPLAR_CHARS_MAX;

use super::error::{Fault, LineFault, OpenMetricsError};
use crate::Exemplar;
use crate::text::cursor::{Cursor, is_blank};
use crate::text::line::{self, LineError, LineLabels};
use crate::text::{self, Options, TextError, number};

/// A sample as it stands in its line.
pub(super) struct Sample<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) labels: LineLabels<'a>,
    pub(super) value: f64,
    pub(super) timestamp_ms: Option<i64>,
    pub(super) exemplar: Option<Exemplar>,
}

/// Why a line cannot be read: its number is not known here.
pub(super) enum SampleError {
    Fault(Fault),
    Line(LineError),
}

impl SampleError {
    pub(super) fn at(self, line: usize) -> OpenMetricsError {
        let syntax = |fault| OpenMetricsError::Syntax { line, fault };
        match self {
            Self::Fault(fault) => syntax(fault),
            Self::Line(error) => match error.at(line) {
                TextError::TooManyLabels { labels_max, .. } => {
                    OpenMetricsError::TooManyLabels { line, labels_max }
                }
                TextError::Syntax { fault, .. } => syntax(fault.into()),
                TextError::TooLarge { bytes_max } => OpenMetricsError::TooLarge { bytes_max },
                TextError::TooManySamples { samples_max } => OpenMetricsError::TooManySamples { samples_max },
            },
        }
    }
}

impl From<SampleError> for LineFault {
    fn from(error: SampleError) -> Self {
        match error {
            SampleError::Fault(fault) => fault.into(),
            SampleError::Line(error) => Self::of_line(error),
        }
    }
}

impl LineFault {
    /// What is wrong with a line of any text format.
    pub(crate) fn of_line(error: LineError) -> Self {
        match error {
            LineError::Fault(fault) => Fault::from(fault).into(),
            LineError::TooManyLabels { labels_max } => Self::TooManyLabels { labels_max },
        }
    }
}

impl From<Fault> for SampleError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<LineError> for SampleError {
    fn from(error: LineError) -> Self {
        Self::Line(error)
    }
}

impl From<text::Fault> for SampleError {
    fn from(fault: text::Fault) -> Self {
        Self::Fault(fault.into())
    }
}

/// Reads a line up to its line feed.
pub(super) fn read<'a>(cursor: &mut Cursor<'a>, options: &Options) -> Result<Sample<'a>, SampleError> {
    let (name, labels) = line::series(cursor, options)?;
    let SampleRest { value, timestamp_ms, exemplar } = rest(cursor, options)?;
    Ok(Sample { name, labels, value, timestamp_ms, exemplar })
}

/// What stands behind name and labels.
pub(crate) struct SampleRest {
    pub(crate) value: f64,
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) exemplar: Option<Exemplar>,
}

impl SampleRest {
    /// Reads a line from behind its labels up to its line feed.
    pub(crate) fn read(cursor: &mut Cursor<'_>, options: &Options) -> Result<Self, LineFault> {
        Ok(rest(cursor, options)?)
    }
}

fn rest(cursor: &mut Cursor<'_>, options: &Options) -> Result<SampleRest, SampleError> {
    let value = line::value(cursor)?;
    let timestamp_ms = timestamp(cursor)?;
    cursor.skip_blanks();
    let exemplar = match cursor.peek()? {
        b'#' => Some(exemplar(cursor, options)?),
        _ => None,
    };
    cursor.skip_blanks();
    match cursor.line()? {
        b"" => Ok(SampleRest { value, timestamp_ms, exemplar }),
        more => Err(Fault::AfterSample(more.to_vec()).into()),
    }
}

/// The time that stands behind a value, if there is one.
fn timestamp(cursor: &mut Cursor<'_>) -> Result<Option<i64>, SampleError> {
    if !is_blank(cursor.peek()?) {
        return Ok(None);
    }
    cursor.skip_blanks();
    if matches!(cursor.peek()?, b'#' | b'\n') {
        return Ok(None);
    }
    let word = cursor.word()?;
    let ms = number::float(word).and_then(milliseconds);
    Ok(Some(ms.ok_or_else(|| Fault::Timestamp(word.to_vec()))?))
}

/// Seconds as whole milliseconds, if any clock shows them.
#[expect(clippy::cast_possible_truncation, reason = "it is within the range")]
pub(super) fn milliseconds(seconds: f64) -> Option<i64> {
    let ms = (seconds * 1_000.0).round();
    (ms.abs() <= 1e15).then_some(ms as i64)
}

fn exemplar(cursor: &mut Cursor<'_>, options: &Options) -> Result<Exemplar, SampleError> {
    cursor.skip();
    cursor.skip_blanks();
    if cursor.peek()? != b'{' {
        return Err(Fault::AfterSample(cursor.line()?.to_vec()).into());
    }
    let labels = line::labels(cursor, options)?;
    let chars = labels.iter().map(|(name, value)| name.chars().count() + value.chars().count());
    if chars.sum::<usize>() > EXEMPLAR_CHARS_MAX {
        return Err(Fault::LongExemplar { max: EXEMPLAR_CHARS_MAX }.into());
    }
    let labels = labels.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    let value = line::value(cursor)?;
    Ok(Exemplar { labels, value, timestamp_ms: timestamp(cursor)? })
}
