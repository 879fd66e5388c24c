//! Texts that a configuration holds, or names a file of.

use std::path::{Path, PathBuf};

use config::Secret;

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
