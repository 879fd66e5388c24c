//! From a URL to a store.

use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path as Location;

use crate::folder::{Folder, FolderOpenError};
use crate::s3::{Account, Retries, S3, S3Settings};

/// What the URL of a bucket begins with.
const S3_SCHEME: &str = "s3://";
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
    /// Where keys and region come from.
    pub account: Account,
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
    /// The store's own folder on a local disk, where there is one; no object lies in it.
    pub own_folder: Option<PathBuf>,
    /// Counts what was tried again; only S3 tries again.
    pub retries: Retries,
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
    /// The URL names no bucket, or a prefix that no object path can begin with.
    #[error("{url:?} is no bucket: {reason}")]
    BadBucket {
        /// The URL as it was given.
        url: String,
        /// The reason.
        reason: String,
    },
    /// The runtime is shutting down.
    #[error("opening the folder ended early: {source}")]
    Task {
        /// The reason.
        #[from]
        source: tokio::task::JoinError,
    },
}

/// Opens the store at `url`: a folder path, `s3://bucket/prefix`, or `memory:`.
///
/// A folder is made if it is missing, and swept. A bucket is not contacted: that costs time where it is short, so a
/// wrong name shows with the first request.
pub async fn open(url: &str, options: &Options) -> Result<Opened, OpenError> {
    if url == MEMORY {
        let store = Arc::new(InMemory::new());
        return Ok(Opened {
            store,
            prefix: Location::default(),
            description: "memory".into(),
            own_folder: None,
            retries: Retries::default(),
        });
    }
    if let Some(rest) = url.strip_prefix(S3_SCHEME) {
        return open_s3(url, rest, options);
    }
    let path = url.strip_prefix("file://").unwrap_or(url);
    if path.is_empty() || path.contains("://") {
        return Err(OpenError::UnknownScheme { url: url.into() });
    }
    let path = PathBuf::from(path);
    let folder = tokio::task::spawn_blocking(move || Folder::open(path)).await??;
    let description = folder.to_string();
    let own_folder = Some(folder.own_folder());
    let (prefix, retries) = (Location::default(), Retries::default());
    Ok(Opened { store: Arc::new(folder), prefix, description, own_folder, retries })
}

fn open_s3(url: &str, rest: &str, options: &Options) -> Result<Opened, OpenError> {
    let bad = |reason: String| OpenError::BadBucket { url: url.into(), reason };
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() || !bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    {
        return Err(bad("expected s3://bucket/prefix".into()));
    }
    let prefix = Location::parse(prefix).map_err(|error| bad(error.to_string()))?;
    let store = S3::new(S3Settings {
        bucket: bucket.into(),
        endpoint: options.s3_endpoint.clone(),
        region: options.s3_region.clone(),
        path_style: options.s3_path_style,
        account: options.account,
        static_credentials: None,
    });
    let description = match prefix.is_root() {
        true => store.to_string(),
        false => format!("{store}, below {prefix}"),
    };
    let retries = store.retries();
    Ok(Opened { store: Arc::new(store), prefix, description, own_folder: None, retries })
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
    async fn opens_buckets_without_asking_them() {
        let options = Options { s3_endpoint: Some("http://127.0.0.1:1".into()), ..Options::default() };
        for (url, prefix, description) in [
            ("s3://bucket", "", "s3://bucket at http://127.0.0.1:1"),
            ("s3://bucket/", "", "s3://bucket at http://127.0.0.1:1"),
            ("s3://my-b.u/a/b/", "a/b", "s3://my-b.u at http://127.0.0.1:1, below a/b"),
        ] {
            let opened = open(url, &options).await.unwrap();
            assert_eq!((opened.prefix.as_ref(), opened.description.as_str()), (prefix, description));
        }
        for url in ["s3://", "s3:///prefix", "s3://b cket/x", "s3://bucket/a//b", "s3://bucket/../x"] {
            assert!(matches!(open(url, &options).await, Err(OpenError::BadBucket { .. })), "{url}");
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
