//! Remarks on a result: warnings, and things worth knowing.

use crate::syntax::{ByteRange, Position};

/// How much a remark matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The result may not be what was meant.
    Warning,
    /// Something in the data or the query is unusual.
    Info,
}

/// A remark on a piece of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// How much it matters.
    pub severity: Severity,
    /// What is remarked, without prefix and position.
    pub text: String,
    /// On which piece of the query.
    pub range: ByteRange,
}

/// The remarks on one result, each text once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations {
    list: Vec<Annotation>,
    /// What the data lack; about no piece of the query.
    lacking: Vec<String>,
}

impl Annotations {
    /// Adds a warning, if its text is not there yet.
    pub fn warn(&mut self, range: ByteRange, text: impl Into<String>) {
        self.add(Severity::Warning, range, text.into());
    }

    /// Adds something worth knowing, if its text is not there yet.
    pub fn info(&mut self, range: ByteRange, text: impl Into<String>) {
        self.add(Severity::Info, range, text.into());
    }

    /// Says what the data lack. Each text is a warning as it stands.
    pub(crate) fn set_lacking(&mut self, texts: Vec<String>) {
        self.lacking = texts;
    }

    fn add(&mut self, severity: Severity, range: ByteRange, text: String) {
        if !self.list.iter().any(|known| known.severity == severity && known.text == text) {
            self.list.push(Annotation { severity, text, range });
        }
    }

    /// Adds all of `other` that are not there yet.
    pub fn append(&mut self, other: Self) {
        for Annotation { severity, text, range } in other.list {
            self.add(severity, range, text);
        }
    }

    /// All remarks of one kind: first, as warnings, what the data lack; then those on the query with prefix and
    /// position: `PromQL warning: … (1:5)`.
    pub fn texts(&self, severity: Severity, query: &str) -> Vec<String> {
        let prefix = match severity {
            Severity::Warning => "PromQL warning",
            Severity::Info => "PromQL info",
        };
        let about_data = self.lacking.iter().filter(|_| severity == Severity::Warning).cloned();
        let about_query =
            self.list.iter().filter(|annotation| annotation.severity == severity).map(|annotation| {
                let position = Position::of(query, annotation.range.start);
                format!("{prefix}: {} ({position})", annotation.text)
            });
        about_data.chain(about_query).collect()
    }

    /// What the data lack; nothing, as a rule.
    pub fn lacking(&self) -> &[String] {
        &self.lacking
    }

    /// All remarks on the query.
    pub fn iter(&self) -> std::slice::Iter<'_, Annotation> {
        self.list.iter()
    }
}

impl FromIterator<Annotation> for Annotations {
    fn from_iter<I: IntoIterator<Item = Annotation>>(all: I) -> Self {
        let mut annotations = Self::default();
        all.into_iter().for_each(|one| annotations.add(one.severity, one.range, one.text));
        annotations
    }
}

impl<'a> IntoIterator for &'a Annotations {
    type Item = &'a Annotation;
    type IntoIter = std::slice::Iter<'a, Annotation>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
