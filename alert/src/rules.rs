//! The rules that are evaluated: groups in the order of their files, rules in the order of their groups.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::Labels;

use crate::ports::InstantQuery;
use crate::rule_file::{self, RuleFileError, RuleFileOptions};
use crate::schedule::Schedule;
use crate::template::RuleTemplate;

/// All rules, checked and ready.
#[derive(Debug, Default)]
pub struct Rules {
    /// By file, as given; within a file as they stand.
    pub(crate) groups: Vec<Group>,
    warnings: Vec<String>,
}

/// Rules that are evaluated at the same times, one after the other.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) file: Arc<str>,
    pub(crate) name: Arc<str>,
    /// `None`: the default of the settings.
    pub(crate) interval_ms: Option<i64>,
    /// `None`: the default of the settings.
    pub(crate) query_offset_ms: Option<i64>,
    /// How many alerts or series a rule may have; 0 is no limit.
    pub(crate) limit: usize,
    pub(crate) rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Of the alert, or of the series.
    pub(crate) name: Arc<str>,
    /// As the PromQL printer writes it.
    pub(crate) expr: Arc<str>,
    /// As they stand in the file, those of the group included; in alerts they are templates.
    pub(crate) labels: Labels,
    pub(crate) kind: RuleKind,
}

/// What a rule makes of the answer to its query.
#[derive(Debug)]
pub(crate) enum RuleKind {
    /// Series.
    Recording {
        /// Set on every series; an empty value removes a label, which [`Rule::labels`] cannot say.
        labels: Vec<(Arc<str>, Arc<str>)>,
    },
    /// Alerts.
    Alerting {
        for_ms: i64,
        keep_firing_for_ms: i64,
        /// By name.
        label_templates: Vec<(Arc<str>, RuleTemplate)>,
        /// By name.
        annotations: Vec<(Arc<str>, RuleTemplate)>,
    },
}

impl Rules {
    /// Reads rule files, given as path and text.
    ///
    /// # Errors
    /// Every mistake in every file.
    pub fn load<P: AsRef<str>, T: AsRef<str>>(
        files: &[(P, T)],
        check: &dyn InstantQuery,
    ) -> Result<Self, Vec<RuleFileError>> {
        Self::load_with(files, check, &RuleFileOptions::default())
    }

    /// Like [`Rules::load`], with options.
    ///
    /// # Errors
    /// Every mistake in every file.
    pub fn load_with<P: AsRef<str>, T: AsRef<str>>(
        files: &[(P, T)],
        check: &dyn InstantQuery,
        options: &RuleFileOptions,
    ) -> Result<Self, Vec<RuleFileError>> {
        let mut rules = Self::default();
        let mut errors = Vec::new();
        for (path, text) in files {
            let path = path.as_ref();
            match rule_file::parse(path, text.as_ref(), check, options) {
                Ok(file) => {
                    rules.groups.extend(file.groups);
                    rules.warnings.extend(file.warnings);
                }
                Err(mistakes) => errors.extend(
                    mistakes.into_iter().map(|mistake| RuleFileError { file: path.to_owned(), mistake }),
                ),
            }
        }
        if errors.is_empty() { Ok(rules) } else { Err(errors) }
    }

    /// How many rules there are.
    pub fn rule_count(&self) -> usize {
        self.groups.iter().map(|group| group.rules.len()).sum()
    }

    /// Rules that stand more than once, whatever their expressions are: name and labels, each once, sorted.
    pub fn repeated(&self) -> Vec<(&str, &Labels)> {
        let rules = self.groups.iter().flat_map(|group| &group.rules);
        let mut all: Vec<_> = rules.map(|rule| (&*rule.name, &rule.labels)).collect();
        all.sort();
        let mut repeated: Vec<_> =
            all.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        repeated.dedup();
        repeated
    }

    /// How many groups there are.
    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// The names of the series that these rules write.
    pub fn written_names(&self) -> BTreeSet<String> {
        let rules = self.groups.iter().flat_map(|group| &group.rules);
        let mut names = BTreeSet::new();
        for rule in rules {
            match rule.is_alerting() {
                true => names.extend(["ALERTS".to_owned(), "ALERTS_FOR_STATE".to_owned()]),
                false => _ = names.insert(rule.name.to_string()),
            }
        }
        names
    }

    /// What users should know about their files although it is no error.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// When the next slot of any group is; `None` if there is no group.
    pub(crate) fn next_slot_ms(&self, default_interval_ms: i64, now_ms: i64) -> Option<i64> {
        let next = |group: &Group| {
            let interval_ms = group.interval_ms.unwrap_or(default_interval_ms);
            Schedule::new(&group.file, &group.name, interval_ms).next_ms(now_ms)
        };
        self.groups.iter().map(next).min()
    }

    /// The shortest interval of a group: how often a tick is worth its while.
    pub fn interval_ms_min(&self, default_ms: i64) -> Option<i64> {
        self.groups.iter().map(|group| group.interval_ms.unwrap_or(default_ms)).min()
    }
}

impl Group {
    /// Names the group among all files.
    pub(crate) fn key(&self) -> String {
        format!("{};{}", self.file, self.name)
    }
}

impl Rule {
    pub(crate) fn is_alerting(&self) -> bool {
        matches!(self.kind, RuleKind::Alerting { .. })
    }
}
