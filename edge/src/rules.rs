//! Rules of files that were read, and whom alerts are sent to.

use std::sync::Arc;

use alert::{InstantQuery, Notifier, RuleFileError, Rules};

use crate::RuleFileText;
use crate::alertmanager::Alertmanager;
use crate::http::{BadUrl, HttpClient, HttpError};

/// What is wrong with rule files: every mistake in a line of its own, since Prometheus' text may have several.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct RuleMistakes(pub Vec<String>);

/// The rules in these files. Warnings are logged.
///
/// # Errors
/// If there is a mistake in any of them.
pub fn rules(files: &[RuleFileText], check: &dyn InstantQuery) -> Result<Rules, RuleMistakes> {
    let one_line = |error: &RuleFileError| error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    let rules = Rules::load(files, check)
        .map_err(|mistakes| RuleMistakes(mistakes.iter().map(one_line).collect()))?;
    for warning in rules.warnings() {
        tracing::warn!(warning, "rule file");
    }
    if rules.rule_count() > 0 {
        tracing::info!(groups = rules.group_count(), rules = rules.rule_count(), "rules loaded");
    }
    Ok(rules)
}

/// Why nothing can be sent to an Alertmanager.
#[derive(Debug, thiserror::Error)]
pub enum AlertmanagerError {
    /// There is no client.
    #[error(transparent)]
    Client(#[from] HttpError),
    /// Its URL is none.
    #[error(transparent)]
    Url(#[from] BadUrl),
}

/// The Alertmanagers at these base URLs.
///
/// # Errors
/// If a URL is none, or the system has no certificates.
pub fn alertmanagers(urls: &[String]) -> Result<Vec<Arc<dyn Notifier>>, AlertmanagerError> {
    if urls.is_empty() {
        return Ok(Vec::new());
    }
    let client = HttpClient::new()?;
    urls.iter()
        .map(|url| Ok(Arc::new(Alertmanager::new(url, client.clone())?) as Arc<dyn Notifier>))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_alertmanagers_are_checked() {
        let told = alertmanagers(&["localhost:9093".to_owned()]).err().map(|error| error.to_string());
        assert!(told.is_some_and(|told| told.contains("no scheme")));
        assert_eq!(alertmanagers(&[]).map(|all| all.len()).ok(), Some(0));
    }
}
