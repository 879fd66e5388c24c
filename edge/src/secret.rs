//! Texts that a configuration holds, or says where they are.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use config::Secret;

use crate::authorization::AuthorizationError;
use crate::secret_references::{ReferenceError, SecretReference, SecretReferences};

/// A file with a secret that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct SecretError {
    path: PathBuf,
    source: std::io::Error,
}

/// The text of a secret. Files are relative to `folder`; white space around what they hold does not count.
///
/// # Errors
/// If the file cannot be read.
pub fn read(secret: &Secret, folder: &Path) -> Result<String, SecretError> {
    match secret {
        Secret::Inline(text) => Ok(text.clone()),
        Secret::File(path) => {
            let path = folder.join(path);
            match std::fs::read_to_string(&path) {
                Ok(text) => Ok(text.trim().to_owned()),
                Err(source) => Err(SecretError { path, source }),
            }
        }
    }
}

/// The secrets of one configuration. Those in files are read whenever they are needed.
#[derive(Debug)]
pub(crate) struct Secrets {
    folder: PathBuf,
    references: Option<Arc<dyn References>>,
}

/// Finds secrets that lie in no file.
#[async_trait]
pub(crate) trait References: fmt::Debug + Send + Sync {
    /// The text of one, which is one of those that were named at first.
    async fn text(&self, reference: &SecretReference) -> Result<String, ReferenceError>;
}

impl Secrets {
    /// Those that no file holds stand in the configuration itself.
    pub(crate) fn in_files(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), references: None }
    }

    /// Where a file could be named there may be a reference; `all` are the secrets of the configuration.
    pub(crate) fn with_references<'a>(folder: &Path, all: impl Iterator<Item = &'a Secret>) -> Self {
        let all: BTreeSet<_> = all.filter_map(reference).collect();
        let referred = || Arc::new(Referred { all: all.clone(), found: SecretReferences::of_process() }) as _;
        Self { folder: folder.to_owned(), references: (!all.is_empty()).then(referred) }
    }

    /// The text of a secret.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) async fn text(&self, secret: &Secret) -> Result<String, AuthorizationError> {
        let Some((references, reference)) = self.references.as_ref().zip(reference(secret)) else {
            return Ok(read(secret, &self.folder)?);
        };
        references
            .text(&reference)
            .await
            .map_err(|source| AuthorizationError::Reference { reference, source: Box::new(source) })
    }
}

fn reference(secret: &Secret) -> Option<SecretReference> {
    match secret {
        Secret::File(file) => SecretReference::of(file),
        Secret::Inline(_) => None,
    }
}

/// References of one configuration, which are asked for together: what nobody asks for is forgotten.
#[derive(Debug)]
struct Referred {
    all: BTreeSet<SecretReference>,
    found: SecretReferences,
}

#[async_trait]
impl References for Referred {
    async fn text(&self, reference: &SecretReference) -> Result<String, ReferenceError> {
        let mut found = self.found.find(self.all.clone()).await;
        match found.remove(reference) {
            Some(Ok(Secret::Inline(text))) => Ok(text),
            Some(Err(error)) => Err(error),
            Some(Ok(Secret::File(_))) | None => Err(ReferenceError::NoText),
        }
    }
}
