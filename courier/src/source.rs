//! Where an `alertmanager.yml` is read, and the templates that it names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use edge::{RuleFileText, RuleFiles, RuleFilesError};
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
    /// The places of the templates, kept so that objects that have not changed are not fetched again.
    templates: Mutex<(Vec<String>, Arc<RuleFiles>)>,
}

/// What was found at one time. What is equal needs no second look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BookFiles {
    configuration: RuleFileText,
    templates: Vec<RuleFileText>,
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
            templates: Mutex::new((Vec::new(), templates)),
        })
    }

    /// All files as they are now.
    ///
    /// # Errors
    /// If one cannot be read, or the configuration does not say which they are.
    pub async fn read(&self) -> Result<BookFiles, SourceError> {
        let mut texts = self.configuration.read().await?;
        let (Some(configuration), 0) = (texts.pop(), texts.len()) else {
            return Err(SourceError::NotOne { place: self.place.clone(), files: texts.len() });
        };
        let config = Config::read(&configuration.1).map_err(|mistake| self.mistaken(mistake.into()))?;
        let folder = folder(&configuration.0);
        let places = config.templates.iter().map(|place| below(&folder, place)).collect();
        let templates = self.templates_at(places).await?.read().await?;
        Ok(BookFiles { configuration, templates })
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
        Book::read(text, &templates, Path::new(&folder), &self.external_url, self.tick_ms)
            .map_err(|source| self.mistaken(source))
    }

    fn mistaken(&self, source: BookError) -> SourceError {
        SourceError::Book { place: self.place.clone(), source }
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
