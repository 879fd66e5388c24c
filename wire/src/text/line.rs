//! One line with a sample: name, labels, value, timestamp.

use std::borrow::Cow;
use std::collections::HashSet;

use model::name::{is_legacy_label_name, is_legacy_metric_name};

use super::Options;
use super::cursor::{Cursor, is_blank};
use super::error::{Fault, Quoted, TextError};
use super::number;

/// A sample as it stands in its line.
pub(super) struct Line<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) labels: LineLabels<'a>,
    pub(super) value: f64,
    pub(super) timestamp_ms: Option<i64>,
}

/// Why a line cannot be read: its number is not known here.
pub(crate) enum LineError {
    Fault(Fault),
    TooManyLabels { labels_max: usize },
}

impl LineError {
    pub(crate) fn at(self, line: usize) -> TextError {
        match self {
            Self::Fault(fault) => TextError::Syntax { line, fault },
            Self::TooManyLabels { labels_max } => TextError::TooManyLabels { line, labels_max },
        }
    }
}

impl From<Fault> for LineError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Names and values of labels as they stand in a line.
pub(crate) type LineLabels<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Reads a line up to its line feed.
pub(super) fn read<'a>(cursor: &mut Cursor<'a>, options: &Options) -> Result<Line<'a>, LineError> {
    let (name, labels) = series(cursor, options)?;
    let value = value(cursor)?;
    let timestamp_ms = if is_blank(cursor.peek()?) { Some(timestamp(cursor)?) } else { None };
    Ok(Line { name, labels, value, timestamp_ms })
}

/// Reads the name and the labels of a sample.
pub(crate) fn series<'a>(
    cursor: &mut Cursor<'a>,
    options: &Options,
) -> Result<(Cow<'a, str>, LineLabels<'a>), LineError> {
    let mut braces = Braces { name: None, labels: Vec::new(), seen: HashSet::new(), options };
    if cursor.peek()? == b'{' {
        braces.read(cursor, true)?;
    } else {
        let name = metric_name(cursor.name(Quoted::MetricName)?, options)?;
        if name.is_empty() {
            return Err(Fault::NoMetricName.into());
        }
        braces.name = Some(name);
        cursor.skip_blanks();
        if cursor.peek()? == b'{' {
            braces.read(cursor, false)?;
        }
    }
    match braces.name {
        Some(name) => Ok((name, braces.labels)),
        None => Err(Fault::NoMetricName.into()),
    }
}

/// Reads labels in braces, without a name.
pub(crate) fn labels<'a>(cursor: &mut Cursor<'a>, options: &Options) -> Result<LineLabels<'a>, LineError> {
    let mut braces = Braces { name: None, labels: Vec::new(), seen: HashSet::new(), options };
    braces.read(cursor, false)?;
    Ok(braces.labels)
}

/// Reads a value, behind blanks.
pub(crate) fn value(cursor: &mut Cursor<'_>) -> Result<f64, Fault> {
    cursor.skip_blanks();
    let word = cursor.word()?;
    number::float(word).ok_or_else(|| Fault::Value(word.to_vec()))
}

fn timestamp(cursor: &mut Cursor<'_>) -> Result<i64, Fault> {
    cursor.skip_blanks();
    let word = cursor.word()?;
    let timestamp_ms = number::integer(word).ok_or_else(|| Fault::Timestamp(word.to_vec()))?;
    match cursor.line()? {
        b"" => Ok(timestamp_ms),
        more => Err(Fault::AfterTimestamp(more.to_vec())),
    }
}

/// A metric name as text, checked against the character set that is allowed.
pub(crate) fn metric_name<'a>(name: Cow<'a, [u8]>, options: &Options) -> Result<Cow<'a, str>, Fault> {
    let name = utf8(name).map_err(Fault::MetricName)?;
    let allowed = options.utf8_names || name.is_empty() || is_legacy_metric_name(&name);
    if allowed { Ok(name) } else { Err(Fault::MetricName(name.as_bytes().to_vec())) }
}

fn utf8(bytes: Cow<'_, [u8]>) -> Result<Cow<'_, str>, Vec<u8>> {
    match bytes {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| bytes.to_vec()),
        Cow::Owned(bytes) => {
            String::from_utf8(bytes).map(Cow::Owned).map_err(std::string::FromUtf8Error::into_bytes)
        }
    }
}

/// What stands between `{` and `}`.
struct Braces<'a, 'o> {
    name: Option<Cow<'a, str>>,
    labels: LineLabels<'a>,
    /// The names of the labels, once there are too many to compare each with each.
    seen: HashSet<Cow<'a, str>>,
    options: &'o Options,
}

const COMPARED_MAX: usize = 16;

impl<'a> Braces<'a, '_> {
    /// `may_name`: whether the metric's name may stand inside, as in `{"name", label="value"}`.
    fn read(&mut self, cursor: &mut Cursor<'a>, may_name: bool) -> Result<(), LineError> {
        cursor.skip();
        loop {
            cursor.skip_blanks();
            if cursor.peek()? == b'}' {
                break;
            }
            let token = cursor.name(Quoted::LabelName)?;
            if token.is_empty() {
                return Err(Fault::NoLabelName(self.metric()).into());
            }
            cursor.skip_blanks();
            match cursor.peek()? {
                b'=' => self.label(token, cursor)?,
                b',' | b'}' if may_name => self.metric_name(token)?,
                byte if may_name => return Err(Fault::AfterMetricName(byte).into()),
                byte => return Err(Fault::AfterLabelName(byte).into()),
            }
            cursor.skip_blanks();
            match cursor.peek()? {
                b',' => cursor.skip(),
                b'}' => break,
                _ => {
                    let value = self.labels.last().map(|(_, value)| value.to_string()).unwrap_or_default();
                    return Err(Fault::AfterLabelValue(value).into());
                }
            }
        }
        cursor.skip();
        Ok(())
    }

    fn metric(&self) -> String {
        self.name.as_deref().unwrap_or("").to_owned()
    }

    fn metric_name(&mut self, token: Cow<'a, [u8]>) -> Result<(), Fault> {
        if self.name.is_some() {
            return Err(Fault::SecondMetricName(self.metric()));
        }
        self.name = Some(metric_name(token, self.options)?);
        Ok(())
    }

    fn label(&mut self, name: Cow<'a, [u8]>, cursor: &mut Cursor<'a>) -> Result<(), LineError> {
        let name = utf8(name).map_err(Fault::LabelName)?;
        if !self.options.utf8_names && !is_legacy_label_name(&name) {
            return Err(Fault::LabelName(name.as_bytes().to_vec()).into());
        }
        if name == "__name__" {
            return Err(Fault::ReservedLabelName.into());
        }
        if !self.insert_name(name.clone()) {
            return Err(Fault::DuplicateLabelName(self.metric()).into());
        }
        let labels_max = self.options.limits.labels_max;
        if self.labels.len() == labels_max {
            return Err(LineError::TooManyLabels { labels_max });
        }
        cursor.skip();
        cursor.skip_blanks();
        match cursor.peek()? {
            b'"' => {}
            byte => return Err(Fault::LabelValueStart(byte).into()),
        }
        let value = utf8(cursor.quoted(Quoted::LabelValue)?).map_err(Fault::LabelValue)?;
        self.labels.push((name, value));
        Ok(())
    }

    /// False if the name is there already.
    fn insert_name(&mut self, name: Cow<'a, str>) -> bool {
        if self.labels.len() < COMPARED_MAX {
            return self.labels.iter().all(|(other, _)| *other != name);
        }
        if self.seen.is_empty() {
            self.seen.extend(self.labels.iter().map(|(name, _)| name.clone()));
        }
        self.seen.insert(name)
    }
}
