//! What can be wrong with a rule file, in the words of Prometheus.

use std::fmt;

use yaml::{PlacedMistake, Position, YamlError};

use super::decode::DecodeError;
use crate::duration::DurationError;
use crate::go;
use crate::template::TemplateSyntaxError;

/// One mistake in a rule file. `Display` gives the line that Prometheus prints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {mistake}")]
pub struct RuleFileError {
    /// The path as it was given.
    pub file: String,
    /// What is wrong.
    pub mistake: Mistake,
}

/// What is wrong with a rule file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// It is larger than a rule file may be.
    #[error("the file has {bytes} bytes; the limit is {limit}")]
    TooLarge {
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        limit: usize,
    },
    /// It is no YAML.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// Fields that do not exist, or are of another type; one line for each.
    #[error("yaml: unmarshal errors:\n  {}", .lines.join("\n  "))]
    Fields {
        /// `line 3: field x not found in type rulefmt.Rule`.
        lines: Vec<String>,
    },
    /// A merge key whose value is no mapping.
    #[error("yaml: map merge requires map or sequence of maps as the value")]
    Merge,
    /// A duration that is none.
    #[error(transparent)]
    Duration(#[from] DurationError),
    /// A group without a name.
    #[error("{line}:{column}: Groupname must not be empty")]
    GroupNameEmpty {
        /// Of the group.
        line: usize,
        /// Of the group.
        column: usize,
    },
    /// Two groups with one name.
    #[error("{line}:{column}: groupname: \"{name}\" is repeated in the same file")]
    GroupNameRepeated {
        /// Of the second group.
        line: usize,
        /// Of the second group.
        column: usize,
        /// The name.
        name: String,
    },
    /// A mistake in a file of jobs.
    #[error(transparent)]
    Job(PlacedMistake),
    /// A label of a group.
    #[error(transparent)]
    GroupLabel(RuleMistake),
    /// A mistake in one rule.
    #[error("{place}group {}, rule {rule}, {}: {mistake}", go::quote(.group), go::quote(.name))]
    Rule {
        /// Where.
        place: Place,
        /// The group's name.
        group: String,
        /// From 1.
        rule: usize,
        /// The rule's name; that of the alert if it has both.
        name: String,
        /// What is wrong.
        mistake: RuleMistake,
    },
}

impl From<DecodeError> for Mistake {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Fields(mistakes) => Self::Fields { lines: mistakes.0 },
            DecodeError::Duration(error) => Self::Duration(error),
            DecodeError::Merge(_) => Self::Merge,
        }
    }
}

/// None, one or two places; a node that is not there is at 0:0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place(Vec<(usize, usize)>);

impl Place {
    pub(super) fn of<const N: usize>(positions: [Position; N]) -> Self {
        Self(positions.iter().map(|p| (p.line, p.column)).collect())
    }

    /// Line and column of each place.
    pub fn positions(&self) -> &[(usize, usize)] {
        &self.0
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(line, column)| write!(f, "{line}:{column}: "))
    }
}

/// What is wrong with one rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleMistake {
    /// Both.
    #[error("only one of 'record' and 'alert' must be set")]
    RecordAndAlert,
    /// Neither.
    #[error("one of 'record' or 'alert' must be set")]
    NeitherRecordNorAlert,
    /// No expression.
    #[error("field 'expr' must be set in rule")]
    NoExpr,
    /// An expression that PromQL does not take.
    #[error("could not parse expression: {reason}")]
    Expr {
        /// In the words of the PromQL parser.
        reason: String,
    },
    /// A field that only alerts have.
    #[error("invalid field '{field}' in recording rule")]
    FieldInRecordingRule {
        /// Which.
        field: &'static str,
    },
    /// A name that no series may have.
    #[error("invalid recording rule name: {name}")]
    RecordName {
        /// Which.
        name: String,
    },
    /// A name that looks like an expression.
    #[error("braces present in the recording rule name; should it be in expr?: {name}")]
    RecordBraces {
        /// Which.
        name: String,
    },
    /// A name that no label may have.
    #[error("invalid label name: {name}")]
    LabelName {
        /// Which.
        name: String,
    },
    /// A name that no annotation may have.
    #[error("invalid annotation name: {name}")]
    AnnotationName {
        /// Which.
        name: String,
    },
    /// A template that does not parse.
    #[error("label {}: {error}", go::quote(.name))]
    LabelTemplate {
        /// Of which label.
        name: String,
        /// Why.
        error: TemplateSyntaxError,
    },
    /// A template that does not parse.
    #[error("annotation {}: {error}", go::quote(.name))]
    AnnotationTemplate {
        /// Of which annotation.
        name: String,
        /// Why.
        error: TemplateSyntaxError,
    },
}
