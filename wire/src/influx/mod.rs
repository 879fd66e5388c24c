//! Influx line protocol: `measurement,tag=value field=1,other=2i 1700000000000000000`, to points with a value for each field.
//!
//! Fields become metrics as VictoriaMetrics calls them: the measurement, `_` and the field, also for one called `value`; whatever no
//! name of Prometheus may have becomes `_`. Numbers are values, true and false are 1 and 0, and texts are left out. A line that
//! cannot be read is a fault of its own.

mod line;
mod names;
mod value;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::Limits;
use crate::remote_write::Faults;

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Names, as Prometheus can have them, and values.
    pub tags: Vec<(Arc<str>, Arc<str>)>,
    /// Names of metrics, and their values. There may be none.
    pub fields: Vec<(Arc<str>, f64)>,
    /// Its time; `None`: when it is received.
    pub at_ms: Option<i64>,
}

/// What a body says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Points {
    /// The lines that can be read.
    pub points: Vec<Point>,
    /// Those that cannot.
    pub faults: Faults,
}

/// In what the times of a body are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Nanoseconds.
    #[default]
    Nanoseconds,
    /// Microseconds.
    Microseconds,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
}

impl Precision {
    /// The precision of this name, in either version of the API.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "" | "n" | "ns" => Self::Nanoseconds,
            "u" | "us" | "µ" => Self::Microseconds,
            "ms" => Self::Milliseconds,
            "s" => Self::Seconds,
            "m" => Self::Minutes,
            "h" => Self::Hours,
            _ => return None,
        })
    }

    fn ms(self, time: i64) -> Option<i64> {
        match self {
            Self::Nanoseconds => Some(time.div_euclid(1_000_000)),
            Self::Microseconds => Some(time.div_euclid(1_000)),
            Self::Milliseconds => Some(time),
            Self::Seconds => time.checked_mul(1_000),
            Self::Minutes => time.checked_mul(60_000),
            Self::Hours => time.checked_mul(3_600_000),
        }
    }
}

/// A body of which nothing can be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InfluxError {
    /// It is larger than allowed.
    #[error("inflated body is larger than {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// It has more fields than allowed, or more labels in all.
    #[error(
        "more than {samples_max} fields, or more than {LABELS_PER_SAMPLE} times as many labels of series"
    )]
    TooMany {
        /// The limit.
        samples_max: usize,
    },
}

/// Labels for each of the samples that a body may have: a line has its tags once, and each of its fields is a series with all of them.
const LABELS_PER_SAMPLE: usize = 8;

/// Reads an inflated body.
///
/// # Errors
/// If it asks for more than the limits allow.
pub fn decode(body: &[u8], precision: Precision, limits: &Limits) -> Result<Points, InfluxError> {
    if body.len() > limits.bytes_max {
        return Err(InfluxError::TooLarge { bytes_max: limits.bytes_max });
    }
    let (mut found, mut rest, mut fields, mut labels) = (Points::default(), body, 0, 0);
    let labels_max = limits.samples_max.saturating_mul(LABELS_PER_SAMPLE);
    while let Some((line, after)) = line::next(rest) {
        rest = after;
        match line::parse(line, precision, limits.labels_max) {
            Ok(point) => {
                fields += point.fields.len();
                labels += point.tags.len() * point.fields.len().max(1);
                if fields > limits.samples_max || labels > labels_max {
                    return Err(InfluxError::TooMany { samples_max: limits.samples_max });
                }
                found.points.push(point);
            }
            Err(fault) => {
                let text = || format!("unable to parse '{}': {fault}", line::shown(line));
                found.faults.add_of(fault.limit(), text);
            }
        }
    }
    Ok(found)
}
