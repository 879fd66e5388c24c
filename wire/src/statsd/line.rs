//! One line.

use std::sync::Arc;

use super::names::escaped;

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub enum Line<'a> {
    /// Something was measured.
    Samples {
        /// The name, as Prometheus can have it.
        name: Arc<str>,
        /// Names, as Prometheus can have them, and values, in the order in which they were sent.
        tags: Vec<(Arc<str>, Arc<str>)>,
        /// Tags that cannot be labels, and are left out.
        bad_tags: usize,
        /// At least one.
        samples: Vec<Sample<'a>>,
    },
    /// An event of DogStatsD.
    Event,
    /// A service check of DogStatsD.
    ServiceCheck,
}

/// One value of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample<'a> {
    /// What was measured.
    pub measured: Measured<'a>,
    /// How many it stands for: one over its sample rate.
    pub weight: f64,
}

/// A value by its type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measured<'a> {
    /// `c`: something happened so often.
    Count(f64),
    /// `g`: something has this value.
    Gauge(f64),
    /// `g` with a sign: it has become more, or less, by this.
    GaugeDelta(f64),
    /// `ms`: something took so long, in seconds.
    Seconds(f64),
    /// `h`, `d`: an observation, in a unit that only its sender knows.
    Observation(f64),
    /// `s`: one of the members that are counted once each.
    Member(&'a str),
}

/// Why a line is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Fault {
    /// It is not text.
    #[error("not UTF-8")]
    Utf8,
    /// There is no name, or nothing behind it.
    #[error("expected a name and a colon")]
    Name,
    /// A value is no finite number.
    #[error("a value is no number")]
    Value,
    /// It says that something happened less than no times.
    #[error("a counter goes down")]
    NegativeCount,
    /// The type is missing or not known.
    #[error("unknown type")]
    Type,
    /// The sample rate is no number above 0 and up to 1.
    #[error("the sample rate is no number above 0 and up to 1")]
    Rate,
    /// There are more tags than labels are allowed.
    #[error("too many tags")]
    Tags,
}

impl Fault {
    /// The fault as a word, for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf8",
            Self::Name => "name",
            Self::Value => "value",
            Self::NegativeCount => "negative_count",
            Self::Type => "type",
            Self::Rate => "rate",
            Self::Tags => "tags",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Count,
    Gauge,
    Milliseconds,
    Observation,
    Set,
}

/// Reads a line. It is taken whole or not at all.
///
/// # Errors
/// If it is none.
pub fn parse(line: &[u8], tags_max: usize) -> Result<Line<'_>, Fault> {
    if line.starts_with(b"_e{") {
        return Ok(Line::Event);
    }
    if line.starts_with(b"_sc|") {
        return Ok(Line::ServiceCheck);
    }
    let line = std::str::from_utf8(line).map_err(|_| Fault::Utf8)?;
    let (name, rest) = line.split_once(':').filter(|(name, _)| !name.is_empty()).ok_or(Fault::Name)?;
    let mut reader = Reader { rest, tags: Vec::new(), bad_tags: 0, tags_max, samples: Vec::new() };
    while reader.values()? {}
    let Reader { tags, bad_tags, samples, .. } = reader;
    Ok(Line::Samples { name: escaped(name).into(), tags, bad_tags, samples })
}

struct Reader<'a> {
    rest: &'a str,
    tags: Vec<(Arc<str>, Arc<str>)>,
    bad_tags: usize,
    tags_max: usize,
    samples: Vec<Sample<'a>>,
}

impl<'a> Reader<'a> {
    /// Values of one type, with their sections. Whether others follow.
    fn values(&mut self) -> Result<bool, Fault> {
        let (values, rest) = self.rest.split_once('|').ok_or(Fault::Type)?;
        self.rest = rest;
        let kind = match self.until(&['|', ':']) {
            "c" => Kind::Count,
            "g" => Kind::Gauge,
            "ms" => Kind::Milliseconds,
            "h" | "d" => Kind::Observation,
            "s" => Kind::Set,
            _ => return Err(Fault::Type),
        };
        let mut rate = 1.0;
        while let Some(section) = self.rest.strip_prefix('|') {
            self.rest = section;
            if let Some(number) = section.strip_prefix('@') {
                self.rest = number;
                rate = number_of(self.until(&['|', ':'])).ok_or(Fault::Rate)?;
            } else if let Some(tags) = section.strip_prefix('#') {
                self.rest = tags;
                let tags = self.until(&['|']);
                self.tags(tags)?;
            } else {
                self.until(&['|']);
            }
        }
        // a rate that is too small for a weight is none
        let weight = 1.0 / rate;
        if !(rate > 0.0 && rate <= 1.0 && weight.is_finite()) {
            return Err(Fault::Rate);
        }
        if kind == Kind::Set {
            self.samples.push(Sample { measured: Measured::Member(values), weight: 1.0 });
        } else {
            for value in values.split(':') {
                self.samples.push(Sample { measured: measured(kind, value)?, weight });
            }
        }
        let Some(more) = self.rest.strip_prefix(':') else { return Ok(false) };
        self.rest = more;
        Ok(true)
    }

    /// What comes before the first of these, or all.
    fn until(&mut self, ends: &[char]) -> &'a str {
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (before, rest) = self.rest.split_at(end);
        self.rest = rest;
        before
    }

    /// A tag without a value is true.
    fn tags(&mut self, tags: &'a str) -> Result<(), Fault> {
        for tag in tags.split(',').filter(|tag| !tag.is_empty()) {
            let (name, value) = tag.split_once(':').unwrap_or((tag, "true"));
            let name = escaped(name);
            if name.is_empty() || name.starts_with("__") {
                self.bad_tags += 1;
                continue;
            }
            if self.tags.len() == self.tags_max {
                return Err(Fault::Tags);
            }
            self.tags.push((name.into(), value.into()));
        }
        Ok(())
    }
}

fn measured(kind: Kind, value: &str) -> Result<Measured<'_>, Fault> {
    let number = number_of(value).ok_or(Fault::Value)?;
    Ok(match kind {
        Kind::Count if number < 0.0 => return Err(Fault::NegativeCount),
        Kind::Count => Measured::Count(number),
        Kind::Gauge if value.starts_with(['+', '-']) => Measured::GaugeDelta(number),
        Kind::Gauge => Measured::Gauge(number),
        Kind::Milliseconds => Measured::Seconds(number / 1_000.0),
        Kind::Observation => Measured::Observation(number),
        Kind::Set => Measured::Member(value),
    })
}

fn number_of(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}
