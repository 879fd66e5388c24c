//! Rules of files that were read, and whom alerts are sent to.

use std::path::Path;
use std::sync::Arc;

use alert::{InstantQuery, Notifier, RuleFileError, Rules};
use config::AlertmanagersConfig;

use crate::RuleFileText;
use crate::alertmanager::Alertmanager;
use crate::http::{BadUrl, HttpClient, HttpError};
use crate::tls::TlsError;

/// What is wrong with rule files: every mistake in a line of its own, since Prometheus' text may have several.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct RuleMistakes(pub Vec<String>);

/// The rules in these files. Warnings are logged.
///
/// # Errors
/// If there is a mistake in any of them.
pub(crate) fn rules(files: &[RuleFileText], check: &dyn InstantQuery) -> Result<Rules, RuleMistakes> {
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
    /// Its certificates are none.
    #[error("tls_config: {0}")]
    Tls(#[from] TlsError),
}

/// The Alertmanagers at these base URLs.
fn at_urls(urls: &[String], all: &mut Vec<Alertmanager>) -> Result<(), AlertmanagerError> {
    if urls.is_empty() {
        return Ok(());
    }
    let client = HttpClient::new()?;
    for url in urls {
        all.push(Alertmanager::new(url, client.clone())?);
    }
    Ok(())
}

/// The Alertmanagers at these base URLs, and those of a configuration, whose files are relative to `folder`.
///
/// # Errors
/// If a URL is none, or there are no certificates.
pub(crate) fn alertmanagers(
    urls: &[String],
    entries: &[AlertmanagersConfig],
    folder: &Path,
) -> Result<Vec<Arc<dyn Notifier>>, AlertmanagerError> {
    let mut all = Vec::new();
    at_urls(urls, &mut all)?;
    for entry in entries {
        let client = HttpClient::with_tls(&entry.tls, folder)?;
        all.extend(Alertmanager::configured(entry, &client, folder)?);
    }
    let mut named: Vec<Arc<dyn Notifier>> = Vec::new();
    for one in all {
        // the same URL with other credentials or labels is another receiver
        let url = one.name().to_owned();
        let same = named.iter().filter(|other| other.name().split('#').next() == Some(&url)).count();
        named.push(Arc::new(if same == 0 { one } else { one.named(format!("{url}#{}", same + 1)) }));
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_alertmanagers_are_checked() {
        let all = |urls: &[&str]| {
            let urls: Vec<String> = urls.iter().map(|url| (*url).to_owned()).collect();
            let all = alertmanagers(&urls, &[], Path::new("")).map_err(|error| error.to_string())?;
            Ok::<_, String>(all.iter().map(|one| one.name().to_owned()).collect::<Vec<_>>())
        };
        assert!(all(&["localhost:9093"]).is_err_and(|told| told.contains("no scheme")));
        assert_eq!(all(&[]), Ok(Vec::new()));
        let named = ["http://a/api/v2/alerts", "http://b/api/v2/alerts", "http://a/api/v2/alerts#2"];
        assert_eq!(all(&["http://a", "http://b", "http://a/"]), Ok(named.map(str::to_owned).to_vec()));
    }
}
