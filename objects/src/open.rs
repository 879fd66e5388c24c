//! From a URL to a store.

use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path as Location;

use crate::folder::{Folder, FolderOpenError};

/// The URL of a store that lives as long as the process.
const MEMORY: &str = "memory:";

/// What a URL does not say.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where the S3 server is, when it is not AWS: `http://127.0.0.1:9000`.
    pub s3_endpoint: Option<String>,
    /// The region; otherwise the one of the environment or profile, and `us-east-1` at an endpoint of one's own.
    pub s3_region: Option<String>,
    /// Whether the bucket stands in the path instead of the host name; by default only at an endpoint of one's own.
    pub s3_path_style: Option<bool>,
}

/// An open store.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The store.
    pub store: Arc<dyn ObjectStore>,
    /// Where in the store the caller's objects belong; empty for all of it.
    pub prefix: Location,
    /// What to call the store in logs and errors.
    pub description: String,
}

/// Why a URL cannot be opened as a store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderOpenError),
    /// No store has such a URL.
    #[error("{url:?} is no store: expected a folder, memory: or s3://bucket/prefix")]
    UnknownScheme {
        /// The URL as it was given.
        url: String,
    },
    /// The runtime is shutting down.
    #[error("opening the folder ended early: {source}")]
    Task {
        /// The reason.
        #[from]
        source: tokio::task::JoinError,
    },
}

/// Opens the store at `url`: a folder path, or `memory:`.
pub async fn open(url: &str, _options: &Options) -> Result<Opened, OpenError> {
    if url == MEMORY {
        let store = Arc::new(InMemory::new());
        return Ok(Opened { store, prefix: Location::default(), description: "memory".into() });
    }
    let path = url.strip_prefix("file://").unwrap_or(url);
    if path.is_empty() || path.contains("://") {
        return Err(OpenError::UnknownScheme { url: url.into() });
    }
    let path = PathBuf::from(path);
    let folder = tokio::task::spawn_blocking(move || Folder::open(path)).await??;
    let description = folder.to_string();
    Ok(Opened { store: Arc::new(folder), prefix: Location::default(), description })
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;

    use super::*;

    #[tokio::test]
    async fn opens_folders_and_memory() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("new/data");
        for url in ["memory:", folder.to_str().unwrap(), &format!("file://{}", folder.display())] {
            let opened = open(url, &Options::default()).await.unwrap();
            let location = opened.prefix.join("a").join("b");
            opened.store.put(&location, "content".into()).await.unwrap();
            let read = opened.store.get(&location).await.unwrap().bytes().await.unwrap();
            assert_eq!(read, "content", "{url}");
        }
    }

    #[tokio::test]
    async fn refuses_with_the_path_and_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        for (url, expected) in [
            ("ftp://host/x".to_string(), "\"ftp://host/x\" is no store: expected a folder".to_string()),
            (String::new(), "\"\" is no store".into()),
            (file.display().to_string(), format!("cannot open {}: not a directory", file.display())),
            (format!("{}/below", file.display()), format!("{}/below: Not a directory", file.display())),
            ("/proc/nothing/here".into(), "cannot create /proc/nothing: ".into()),
        ] {
            let error = open(&url, &Options::default()).await.unwrap_err().to_string();
            assert!(error.contains(&expected), "{error}");
        }
    }
}
