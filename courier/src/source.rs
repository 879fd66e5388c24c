//! Where an `alertmanager.yml` is read, and the templates that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::Secret;
use edge::{
    RuleFileText, RuleFiles, RuleFilesError, SECRET_REFERENCES_MAX, SecretReference, SecretReferences,
};
use model::quote::quoted;
use notify::Config;
use tokio::sync::Mutex;

use crate::book::{Book, BookError};

/// The place of a configuration: a file, or one at `s3://BUCKET/KEY`.
#[derive(Debug)]
pub struct BookSource {
    place: String,
    configuration: RuleFiles,
    s3_endpoint: Option<String>,
    external_url: String,
    tick_ms: i64,
    secrets: SecretReferences,
    /// The places of the templates, kept so that objects that have not changed are not fetched again.
    templates: Mutex<(Vec<String>, Arc<RuleFiles>)>,
}

/// What was found at one time. What is equal needs no second look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BookFiles {
    configuration: RuleFileText,
    templates: Vec<RuleFileText>,
    /// What the configuration refers to.
    secrets: BTreeMap<SecretReference, Secret>,
}

/// Why a configuration is not in force.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file cannot be read.
    #[error(transparent)]
    Files(#[from] RuleFilesError),
    /// The place stands for several files, or for none.
    #[error("{place} must be one file, and stands for {files}")]
    NotOne {
        /// What was given.
        place: String,
        /// How many files it stands for.
        files: usize,
    },
    /// Secrets that it refers to cannot be had.
    #[error("{place}: {}", .mistakes.join("; "))]
    Secrets {
        /// What refers to them.
        place: String,
        /// Receiver, field and reason of each.
        mistakes: Vec<String>,
    },
    /// What stands there cannot be acted upon.
    #[error("{place}: {source}")]
    Book {
        /// Which file.
        place: String,
        /// Why.
        source: BookError,
    },
}

impl BookSource {
    /// The configuration at a place. `external_url` and `tick_ms` are for [`Book::read`].
    ///
    /// # Errors
    /// If a URL cannot name objects. Nothing is read yet.
    pub async fn at(
        place: &str,
        s3_endpoint: Option<&str>,
        external_url: String,
        tick_ms: i64,
    ) -> Result<Self, SourceError> {
        let configuration = RuleFiles::at(&[place.to_owned()], s3_endpoint).await?;
        let templates = Arc::new(RuleFiles::at(&[], s3_endpoint).await?);
        Ok(Self {
            place: place.to_owned(),
            configuration,
            s3_endpoint: s3_endpoint.map(str::to_owned),
            external_url,
            tick_ms,
            secrets: SecretReferences::of_process(),
            templates: Mutex::new((Vec::new(), templates)),
        })
    }

    /// Finds the secrets that the configuration refers to in another environment than the process's.
    #[must_use]
    pub fn with_secrets(self, secrets: SecretReferences) -> Self {
        Self { secrets, ..self }
    }

    /// All files as they are now, and the secrets that are referred to.
    ///
    /// # Errors
    /// If one cannot be read, or the configuration does not say which they are.
    pub async fn read(&self) -> Result<BookFiles, SourceError> {
        let mut texts = self.configuration.read().await?;
        let (Some(configuration), 0) = (texts.pop(), texts.len()) else {
            return Err(SourceError::NotOne { place: self.place.clone(), files: texts.len() });
        };
        let mut config = Config::read(&configuration.1).map_err(|mistake| self.mistaken(mistake.into()))?;
        let secrets = self.secrets_of(&mut config).await?;
        let folder = folder(&configuration.0);
        let places = config.templates.iter().map(|place| below(&folder, place)).collect();
        let templates = self.templates_at(places).await?.read().await?;
        Ok(BookFiles { configuration, templates, secrets })
    }

    /// What files come to.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn load(&self, files: &BookFiles) -> Result<Book, SourceError> {
        let (path, text) = &files.configuration;
        let name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
        let templates: Vec<(String, String)> =
            files.templates.iter().map(|(path, text)| (name(path), text.clone())).collect();
        let folder = folder(path);
        let (folder, secrets) = (Path::new(&folder), &files.secrets);
        Book::read(text, &templates, secrets, folder, &self.external_url, self.tick_ms)
            .map_err(|source| self.mistaken(source))
    }

    fn mistaken(&self, source: BookError) -> SourceError {
        SourceError::Book { place: self.place.clone(), source }
    }

    async fn secrets_of(
        &self,
        config: &mut Config,
    ) -> Result<BTreeMap<SecretReference, Secret>, SourceError> {
        let mut places: BTreeMap<SecretReference, String> = BTreeMap::new();
        config.fill_files(&mut |file| {
            let reference = SecretReference::of(file.file)?;
            let place = || format!("receiver {}: {} is {reference}", quoted(file.receiver), file.field);
            places.entry(reference.clone()).or_insert_with(place);
            None
        });
        let refused = |mistakes| SourceError::Secrets { place: self.place.clone(), mistakes };
        if places.len() > SECRET_REFERENCES_MAX {
            let count = places.len();
            return Err(refused(vec![format!(
                "it refers to {count} secrets; {SECRET_REFERENCES_MAX} are allowed"
            )]));
        }
        let references: BTreeSet<SecretReference> = places.keys().cloned().collect();
        let (mut found, mut mistakes) = (BTreeMap::new(), Vec::new());
        for (reference, secret) in self.secrets.find(references).await {
            match secret {
                Ok(secret) => _ = found.insert(reference, secret),
                Err(error) => mistakes.push(format!("{}: {error}", places[&reference])),
            }
        }
        if mistakes.is_empty() { Ok(found) } else { Err(refused(mistakes)) }
    }

    async fn templates_at(&self, places: Vec<String>) -> Result<Arc<RuleFiles>, SourceError> {
        let mut known = self.templates.lock().await;
        if known.0 != places {
            let files = RuleFiles::at(&places, self.s3_endpoint.as_deref()).await?;
            *known = (places, Arc::new(files));
        }
        Ok(Arc::clone(&known.1))
    }
}

/// The folder of a file, or of an object.
fn folder(path: &str) -> String {
    path.rsplit_once('/').map_or_else(|| ".".to_owned(), |(folder, _)| folder.to_owned())
}

/// A place of the configuration, relative to its folder.
fn below(folder: &str, place: &str) -> String {
    match (place.contains("://"), folder.contains("://")) {
        (true, _) => place.to_owned(),
        (false, true) => format!("{folder}/{place}"),
        (false, false) => PathBuf::from(folder).join(place).display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use config::SigV4;
    use testkit::ManualClock;

    use super::*;

    #[tokio::test]
    async fn secrets_are_referred_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("alertmanager.yml");
        let text = "route: {receiver: r}\n\
                    receivers: [{name: r, webhook_configs: [{url_file: env:HOOK}], \
                    telegram_configs: [{bot_token_file: env:TOKEN, chat_id_file: env:CHAT}]}]\n";
        std::fs::write(&place, text).expect("written");
        let environment = Arc::new(Mutex::new(BTreeMap::from([("HOOK", "http://s3cret/")])));
        let variables = Arc::clone(&environment);
        let lookup =
            move |name: &str| variables.lock().expect("no panic").get(name).map(|&text| text.to_owned());
        let clock = Arc::new(ManualClock::at_ms(1_800_000_000_000));
        let secrets = SecretReferences::new(Arc::new(lookup), SigV4::default(), Arc::clone(&clock) as _);
        let place = place.display().to_string();
        let source = BookSource::at(&place, None, String::new(), 0).await.expect("a place");
        let source = source.with_secrets(secrets);

        let told = source.read().await.expect_err("two are missing").to_string();
        let expect = format!(
            "{place}: receiver \"r\": telegram_configs[0].chat_id_file is env:CHAT: the environment has no such variable; \
             receiver \"r\": telegram_configs[0].bot_token_file is env:TOKEN: the environment has no such variable"
        );
        assert_eq!(told, expect);
        environment.lock().expect("no panic").extend([("TOKEN", "s3cret"), ("CHAT", "7")]);
        let files = source.read().await.expect("reads");
        let book = source.load(&files).expect("loads");
        assert_eq!(book.recipients.len(), 2);
        let shown = format!("{files:?} {source:?} {book:?} {:?}", book.config);
        assert!(!shown.contains("s3cret"), "{shown}");

        // what is exchanged is other files, as soon as it is asked for again
        environment.lock().expect("no panic").insert("TOKEN", "another");
        assert_eq!(source.read().await.expect("reads"), files);
        clock.advance_ms(300_000);
        assert_ne!(source.read().await.expect("reads"), files);
    }
}
