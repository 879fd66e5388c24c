//! Rule files: YAML to groups of rules, or to every mistake that is in them.
//!
//! There are two kinds. [`decode`] reads those that Prometheus has, with its messages; [`jobs`] reads those that say which jobs
//! are expected, and [`job_rules`] makes groups of rules of them. What is generated is validated like what is written.

mod decode;
mod error;
mod expectation;
mod job_rules;
mod jobs;
mod validate;

#[cfg(test)]
mod tests;

pub use error::{Mistake, Place, RuleFileError, RuleMistake};
pub use jobs::JOBS_MAX;
pub use yaml::YamlError;

use crate::ports::InstantQuery;
use crate::rules::Group;

/// The largest rule file that is read.
pub const RULE_FILE_BYTES_MAX: usize = 16 << 20;

/// How rule files are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleFileOptions {
    /// Skip fields that do not exist instead of refusing them.
    pub ignore_unknown_fields: bool,
    /// Which names labels, annotations and records may have.
    pub names: NameScheme,
}

/// Which names are valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameScheme {
    /// Any text that is not empty.
    #[default]
    Utf8,
    /// Letters, digits and underscores (and colons in records).
    Legacy,
}

impl NameScheme {
    fn allows(self, name: &str) -> bool {
        match self {
            Self::Utf8 => !name.is_empty(),
            Self::Legacy => model::name::is_legacy_label_name(name),
        }
    }
}

/// A file that was read without mistakes.
#[derive(Debug)]
pub(crate) struct RuleFile {
    pub(crate) groups: Vec<Group>,
    /// What the user should know all the same.
    pub(crate) warnings: Vec<String>,
}

/// Reads one rule file.
pub(crate) fn parse(
    path: &str,
    text: &str,
    check: &dyn InstantQuery,
    options: &RuleFileOptions,
) -> Result<RuleFile, Vec<Mistake>> {
    if text.len() > RULE_FILE_BYTES_MAX {
        return Err(vec![Mistake::TooLarge { bytes: text.len(), limit: RULE_FILE_BYTES_MAX }]);
    }
    let document = yaml::parse(text).map_err(|error| vec![error.into()])?;
    let mut warnings = Vec::new();
    if document.more_follow {
        warnings.push(format!("{path}: only the first YAML document is read"));
    }
    let raw = match &document.root {
        Some(root) if jobs::is_job_file(root) => jobs::read(root, check, options.names)
            .map_err(|mistakes| mistakes.into_iter().map(Mistake::Job).collect::<Vec<_>>())?,
        Some(root) => {
            decode::file(root, options.ignore_unknown_fields).map_err(|error| vec![error.into()])?
        }
        None => decode::RawFile::default(),
    };
    for group in &raw.groups {
        if let Some(position) = group.partial_response_strategy {
            let (line, column) = (position.line, position.column);
            warnings.push(format!("{path}: {line}:{column}: partial_response_strategy has no effect"));
        }
    }
    let (groups, mistakes) = validate::groups(path, raw, check, options);
    if mistakes.is_empty() { Ok(RuleFile { groups, warnings }) } else { Err(mistakes) }
}
