//! Rule files, wherever they lie, and whom alerts are sent to.

use std::sync::Arc;

use alert::{InstantQuery, Notifier, RULE_FILE_BYTES_MAX, RuleFileError, Rules};
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore};
use objects::{OpenError, Options};

use crate::alertmanager::Alertmanager;
use crate::http::{BadUrl, HttpClient, HttpError};

/// Why there are no rules. One line, with every mistake.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// A file cannot be read.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The URL of an object is none.
    #[error(transparent)]
    Url(#[from] OpenError),
    /// An object cannot be read.
    #[error("{url}: {source}")]
    Object {
        /// Which.
        url: String,
        /// Why.
        source: object_store::Error,
    },
    /// An object is too large for a rule file.
    #[error("{url} has {found} bytes, more than RULE_FILE_BYTES_MAX = {RULE_FILE_BYTES_MAX}")]
    TooLarge {
        /// Which.
        url: String,
        /// How many it has.
        found: u64,
    },
    /// It is no text.
    #[error("{0} is not UTF-8")]
    NoText(String),
    /// There are mistakes in what was read.
    #[error("{}", one_line(.0))]
    Mistakes(Vec<RuleFileError>),
}

/// Reads and checks rule files: paths, or objects at `s3://BUCKET/KEY`. Warnings are logged.
///
/// # Errors
/// If one cannot be read or is mistaken.
pub async fn rules(
    places: &[String],
    s3_endpoint: Option<&str>,
    check: &dyn InstantQuery,
) -> Result<Rules, RulesError> {
    let mut files = Vec::new();
    for place in places {
        let text = match place.starts_with("s3://") {
            true => object(place, s3_endpoint).await?,
            false => std::fs::read_to_string(place)
                .map_err(|source| RulesError::File { path: place.clone(), source })?,
        };
        files.push((place.clone(), text));
    }
    let rules = Rules::load(&files, check).map_err(RulesError::Mistakes)?;
    for warning in rules.warnings() {
        tracing::warn!(warning, "rule file");
    }
    if rules.rule_count() > 0 {
        tracing::info!(groups = rules.group_count(), rules = rules.rule_count(), "rules loaded");
    }
    Ok(rules)
}

async fn object(url: &str, s3_endpoint: Option<&str>) -> Result<String, RulesError> {
    let options = Options { s3_endpoint: s3_endpoint.map(str::to_owned), ..Options::default() };
    let opened = objects::open(url, &options).await?;
    text(&*opened.store, &opened.prefix, url).await
}

async fn text(store: &dyn ObjectStore, at: &Path, url: &str) -> Result<String, RulesError> {
    let failed = |source| RulesError::Object { url: url.to_owned(), source };
    let found = store.get_opts(at, GetOptions::default()).await.map_err(failed)?;
    if usize::try_from(found.meta.size).unwrap_or(usize::MAX) > RULE_FILE_BYTES_MAX {
        return Err(RulesError::TooLarge { url: url.to_owned(), found: found.meta.size });
    }
    let bytes = found.bytes().await.map_err(failed)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| RulesError::NoText(url.to_owned()))
}

/// Prometheus' text may have several lines; whoever started us gets one.
fn one_line(errors: &[RuleFileError]) -> String {
    let error = |error: &RuleFileError| error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    errors.iter().map(error).collect::<Vec<_>>().join("; ")
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
    use object_store::memory::InMemory;
    use object_store::{PutOptions, PutPayload};

    use super::*;

    async fn text_of(bytes: Option<Vec<u8>>) -> Result<String, String> {
        let (store, at) = (InMemory::new(), Path::from("rules/a.yml"));
        if let Some(bytes) = bytes {
            store.put_opts(&at, PutPayload::from(bytes), PutOptions::default()).await.expect("stored");
        }
        text(&store, &at, "s3://b/rules/a.yml").await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn objects_are_texts_of_a_limited_size() {
        assert_eq!(text_of(Some(b"groups: []".to_vec())).await.as_deref(), Ok("groups: []"));
        assert_eq!(text_of(Some(b"\xff".to_vec())).await, Err("s3://b/rules/a.yml is not UTF-8".to_owned()));
        let told = text_of(None).await.expect_err("is missing");
        assert!(told.starts_with("s3://b/rules/a.yml: "), "{told}");
        assert!(text_of(Some(vec![b' '; RULE_FILE_BYTES_MAX])).await.is_ok());
        let told = text_of(Some(vec![b' '; RULE_FILE_BYTES_MAX + 1])).await.expect_err("is too large");
        assert!(told.contains("16777217 bytes, more than RULE_FILE_BYTES_MAX = 16777216"), "{told}");
    }

    #[test]
    fn urls_of_alertmanagers_are_checked() {
        let told = alertmanagers(&["localhost:9093".to_owned()]).err().map(|error| error.to_string());
        assert!(told.is_some_and(|told| told.contains("no scheme")));
        assert_eq!(alertmanagers(&[]).map(|all| all.len()).ok(), Some(0));
    }
}
