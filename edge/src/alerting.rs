//! All that alerting goes by: rules, settings and receivers, from flags, from a configuration, and from rule files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use alert::{InstantQuery, Notifier, Rules, Settings};
use config::{AlertmanagerTarget, Config, ConfigError, OtlpConfig};
use tokio::sync::Mutex;

use crate::rule_files::{RuleFileText, RuleFiles, RuleFilesError};
use crate::rules::{AlertmanagerError, RuleMistakes, alertmanagers, rules};

/// Where it is read.
pub struct AlertingSource {
    configuration: Option<RuleFiles>,
    rule_places: Vec<String>,
    alertmanager_urls: Vec<String>,
    s3_endpoint: Option<String>,
    settings: Settings,
    /// Gets alerts beside the Alertmanagers.
    notifier: Option<Arc<dyn Notifier>>,
    /// The rule files of all places, with the places: kept, so that objects that have not changed are not fetched again.
    rule_files: Mutex<(Vec<String>, Arc<RuleFiles>)>,
}

impl std::fmt::Debug for AlertingSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AlertingSource").field("rule_places", &self.rule_places).finish_non_exhaustive()
    }
}

/// What was found at one time. What is equal needs no second look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertingFiles {
    configuration: Option<RuleFileText>,
    rules: Vec<RuleFileText>,
}

/// What is to be in force.
pub struct Alerting {
    /// The rules of all files.
    pub rules: Rules,
    /// How they are evaluated.
    pub settings: Settings,
    /// Who gets alerts.
    pub notifiers: Vec<Arc<dyn Notifier>>,
    /// What the configuration says of OTLP, which has nothing to do with alerts but stands in the same file.
    pub otlp: OtlpConfig,
}

impl std::fmt::Debug for Alerting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Alerting").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Why something cannot be in force.
#[derive(Debug, thiserror::Error)]
pub enum AlertingError {
    /// A file cannot be read.
    #[error(transparent)]
    Files(#[from] RuleFilesError),
    /// The place of the configuration stands for several files, or for none.
    #[error("{place} must be one file, and stands for {files}")]
    NotOne {
        /// What was given.
        place: String,
        /// How many files it stands for.
        files: usize,
    },
    /// The configuration is mistaken.
    #[error("{}", lines(.0))]
    Configuration(ConfigError),
    /// A rule file is mistaken.
    #[error(transparent)]
    Rules(#[from] RuleMistakes),
    /// An Alertmanager cannot be one.
    #[error("alertmanagers: {0}")]
    Alertmanagers(#[from] AlertmanagerError),
}

fn lines(error: &ConfigError) -> String {
    error.to_string().lines().collect::<Vec<_>>().join("; ")
}

impl AlertingSource {
    /// `settings` hold where the configuration says nothing. Rule files and Alertmanagers are those given here, and those of
    /// the configuration behind them.
    ///
    /// # Errors
    /// If a URL cannot name objects. Nothing is read yet.
    pub async fn at(
        configuration: Option<&str>,
        rule_places: Vec<String>,
        alertmanager_urls: Vec<String>,
        s3_endpoint: Option<&str>,
        settings: Settings,
    ) -> Result<Self, RuleFilesError> {
        let configuration = match configuration {
            Some(place) => Some(RuleFiles::at(&[place.to_owned()], s3_endpoint).await?),
            None => None,
        };
        let files = Arc::new(RuleFiles::at(&rule_places, s3_endpoint).await?);
        Ok(Self {
            configuration,
            rule_files: Mutex::new((rule_places.clone(), files)),
            rule_places,
            alertmanager_urls,
            s3_endpoint: s3_endpoint.map(str::to_owned),
            settings,
            notifier: None,
        })
    }

    /// One more who gets alerts, whatever is read.
    #[must_use]
    pub fn with_notifier(self, notifier: Arc<dyn Notifier>) -> Self {
        Self { notifier: Some(notifier), ..self }
    }

    /// Whether rules come from nowhere.
    pub fn is_empty(&self) -> bool {
        self.configuration.is_none() && self.rule_places.is_empty()
    }

    /// All files as they are now.
    ///
    /// # Errors
    /// If one cannot be read, or the configuration does not say which they are.
    pub async fn read(&self) -> Result<AlertingFiles, AlertingError> {
        let configuration = self.read_configuration().await?;
        let mut places = self.rule_places.clone();
        if let Some(file) = &configuration {
            let folder = folder(&file.0);
            places.extend(parse(file)?.rule_files.iter().map(|place| below(&folder, place)));
        }
        let files = self.files_at(places).await?;
        Ok(AlertingFiles { configuration, rules: files.read().await? })
    }

    async fn read_configuration(&self) -> Result<Option<RuleFileText>, AlertingError> {
        let Some(file) = &self.configuration else { return Ok(None) };
        let mut texts = file.read().await?;
        match (texts.pop(), texts.len()) {
            (Some(text), 0) => Ok(Some(text)),
            (last, others) => {
                let files = others + usize::from(last.is_some());
                Err(AlertingError::NotOne { place: "the configuration".to_owned(), files })
            }
        }
    }

    async fn files_at(&self, places: Vec<String>) -> Result<Arc<RuleFiles>, AlertingError> {
        let mut known = self.rule_files.lock().await;
        if known.0 != places {
            let files = RuleFiles::at(&places, self.s3_endpoint.as_deref()).await?;
            *known = (places, Arc::new(files));
        }
        Ok(Arc::clone(&known.1))
    }

    /// What files come to.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn load(&self, files: &AlertingFiles, check: &dyn InstantQuery) -> Result<Alerting, AlertingError> {
        let (config, at) = match &files.configuration {
            Some(file) => (parse(file)?, folder(&file.0)),
            None => (Config::default(), String::new()),
        };
        let mut notifiers = alertmanagers(&self.alertmanager_urls, &config.alertmanagers, Path::new(&at))?;
        notifiers.extend(self.notifier.clone());
        let dropped = config.alertmanagers.iter().flat_map(|entry| &entry.dropped);
        let settings = Settings {
            evaluation_interval_ms: config
                .evaluation_interval_ms
                .unwrap_or(self.settings.evaluation_interval_ms),
            query_offset_ms: config.rule_query_offset_ms,
            external_labels: config.external_labels.clone(),
            alert_relabel: config.alert_relabel.clone(),
            dropped_receivers: dropped.map(AlertmanagerTarget::url).collect(),
            ..self.settings.clone()
        };
        Ok(Alerting { rules: rules(&files.rules, check)?, settings, notifiers, otlp: config.otlp })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "external labels may hold variables of the environment, as in Prometheus"
)]
fn parse((path, text): &RuleFileText) -> Result<Config, AlertingError> {
    Config::read(path, text, &|name| std::env::var(name).ok()).map_err(AlertingError::Configuration)
}

/// The folder of a file, or of an object.
fn folder(path: &str) -> String {
    path.rsplit_once('/').map_or_else(|| ".".to_owned(), |(folder, _)| folder.to_owned())
}

/// A place of the configuration, relative to its folder.
fn below(folder: &str, place: &str) -> String {
    if place.contains("://") {
        return place.to_owned();
    }
    if folder.contains("://") {
        return format!("{folder}/{place}");
    }
    // as Go joins paths: `./rules.yml` is `rules.yml`, which names the group, and so sets its slots
    let joined = Path::new(folder).join(place);
    let parts = joined.components().filter(|part| !matches!(part, std::path::Component::CurDir));
    parts.collect::<PathBuf>().display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_relative_to_the_configuration() {
        let check = |file: &str, place: &str, expect: &str| {
            assert_eq!(below(&folder(file), place), expect, "{place} in {file}");
        };
        check("prometheus.yml", "rules/*.yml", "rules/*.yml");
        check("/etc/p/prometheus.yml", "rules.yml", "/etc/p/rules.yml");
        check("/etc/p/prometheus.yml", "/opt/rules.yml", "/opt/rules.yml");
        check("conf/p.yml", "./a.yml", "conf/a.yml");
        check("s3://bucket/conf/p.yml", "rules/*.yml", "s3://bucket/conf/rules/*.yml");
        check("/etc/p.yml", "s3://bucket/rules/", "s3://bucket/rules/");
    }
}
