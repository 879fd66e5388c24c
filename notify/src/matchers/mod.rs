//! Matchers as Alertmanager writes them, in both of its grammars.
//!
//! The classic one is that of Alertmanager up to 0.26: names of letters, digits, underscores and colons, and values that are
//! hardly ever quoted. The other takes names and values of any characters, and is stricter about what must be quoted. As in
//! Alertmanager a text is read by both, and where they disagree the classic one counts.

mod classic;
mod utf8;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use model::quote::quoted;
use model::{Labels, MatchOp};

/// A condition on one label, of alerts. A label that an alert lacks has the empty value.
#[derive(Clone, Debug)]
pub struct Matcher {
    name: Arc<str>,
    op: MatchOp,
    value: Arc<str>,
    condition: model::Matcher,
}

/// Conditions that must all hold, in the order of their names, values and operators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matchers(Vec<Matcher>);

/// A text that is no matcher, in Alertmanager's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MatcherError(pub(crate) String);

/// What was read, and what the user should know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The matchers.
    pub matchers: Matchers,
    /// That the grammars disagree.
    pub warning: Option<String>,
}

impl Matcher {
    /// A matcher. Regular expressions must match the whole value; their dot matches no newline.
    ///
    /// # Errors
    /// If the operator wants a regular expression and the value is none.
    pub fn new(name: &str, op: MatchOp, value: &str) -> Result<Self, MatcherError> {
        let condition = model::Matcher::new(name, op, value).map_err(|error| regex_error(&error, value))?;
        // here, unlike in PromQL, a dot stands for no newline
        let condition = match op {
            MatchOp::Regex | MatchOp::NotRegex if value.contains('.') => {
                model::Matcher::new(name, op, format!("(?-s:{value})")).unwrap_or(condition)
            }
            _ => condition,
        };
        Ok(Self { name: Arc::from(name), op, value: Arc::from(value), condition })
    }

    /// The label's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is compared.
    pub fn op(&self) -> MatchOp {
        self.op
    }

    /// What it is compared with.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether a value, empty for a label that is not there, satisfies the condition.
    pub fn matches(&self, value: &str) -> bool {
        self.condition.matches(value)
    }

    fn order(&self) -> (&str, &str, u8) {
        let op = match self.op {
            MatchOp::Equal => 0,
            MatchOp::NotEqual => 1,
            MatchOp::Regex => 2,
            MatchOp::NotRegex => 3,
        };
        (&self.name, &self.value, op)
    }
}

/// The error of Go's compiler, which sees the expression within its anchors.
fn regex_error(error: &model::MatcherError, value: &str) -> MatcherError {
    let pattern = match error.reason.as_str() {
        "missing closing ]" => format!("{})$", error.pattern),
        "missing closing )" | "unexpected )" => format!("^(?:{value})$"),
        _ => error.pattern.clone(),
    };
    MatcherError(format!("error parsing regexp: {}: `{pattern}`", error.reason))
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Matcher {}

/// `name=~"value"`; a name that is more than letters, digits, underscores and colons stands in quotes too.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if model::name::is_legacy_metric_name(&self.name) {
            f.write_str(&self.name)?;
        } else {
            f.write_str(&quoted(&self.name))?;
        }
        let value = self.value.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"");
        write!(f, "{}\"{value}\"", self.op.as_str())
    }
}

impl Matchers {
    /// Puts matchers in order.
    pub fn new(mut matchers: Vec<Matcher>) -> Self {
        matchers.sort_by(|a, b| a.order().cmp(&b.order()));
        Self(matchers)
    }

    /// Reads matchers as Alertmanager does by default: by both grammars.
    ///
    /// # Errors
    /// That of the classic grammar, if neither takes the text.
    pub fn read(text: &str) -> Result<Read, MatcherError> {
        let (matchers, warning) = match (utf8::read(text), classic::read(text)) {
            (Err(_), Err(error)) => return Err(error),
            (Err(error), Ok(classic)) => {
                let suggestion = classic.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
                let warning = format!(
                    "matchers {} are read as {suggestion}, as they used to be; in the grammar of today: {error}",
                    quoted(text)
                );
                (classic, Some(warning))
            }
            (Ok(new), Ok(classic)) if new != classic => {
                let shown = |matchers: &[Matcher]| {
                    matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
                };
                let warning = format!(
                    "matchers {} are read as {}, as they used to be, and not as {}",
                    quoted(text),
                    shown(&classic),
                    shown(&new)
                );
                (classic, Some(warning))
            }
            (Ok(new), _) => (new, None),
        };
        Ok(Read { matchers: Self::new(matchers), warning })
    }

    /// Adds the conditions of another set.
    pub fn extend(&mut self, other: Self) {
        let mut matchers = std::mem::take(&mut self.0);
        matchers.extend(other.0);
        *self = Self::new(matchers);
    }

    /// Whether a label set satisfies all conditions.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|matcher| matcher.matches(labels.get(&matcher.name).unwrap_or("")))
    }

    /// The conditions.
    pub fn iter(&self) -> std::slice::Iter<'_, Matcher> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Matchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        write!(f, "{{{}}}", shown.join(","))
    }
}
