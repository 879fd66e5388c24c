//! The grouping labels in a push's path.

use model::Labels;
use model::name::is_legacy_label_name;
use wire::name_escaping::unescape_values;
use wire::quote;

use super::base64::{self, Base64Error};
use super::resource::GroupPath;

/// A path that names no group. The texts are those of the Pushgateway.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupingError {
    /// The job is empty.
    #[error("job name is required")]
    NoJob,
    /// The job is not base64.
    #[error("invalid base64 encoding in job name {}: {source}", quote::text(&.source.decoded))]
    JobBase64 {
        /// What is wrong with it.
        source: Base64Error,
    },
    /// A name without a value.
    #[error("odd number of components in label string {}", quote::text(.0))]
    Odd(Vec<u8>),
    /// A label cannot be called that.
    #[error("improper label name {}", quote::text(.0))]
    LabelName(Vec<u8>),
    /// A label's value is not base64.
    #[error("invalid base64 encoding for label {label}={}: {source}", quote::text(.value))]
    LabelBase64 {
        /// The label's name.
        label: String,
        /// The value as it was sent.
        value: Vec<u8>,
        /// What is wrong with it.
        source: Base64Error,
    },
    /// A label's value is not UTF-8.
    #[error("label {} has a value that is not utf8: {}", quote::text(.label.as_bytes()), quote::text(.value))]
    NotUtf8 {
        /// The label's name.
        label: String,
        /// Its value.
        value: Vec<u8>,
    },
}

/// The labels of the group that a path names. Empty values are dropped: `x=""` is no label.
pub(crate) fn grouping_labels(path: &GroupPath<'_>, utf8_names: bool) -> Result<Labels, GroupingError> {
    let job = if path.job_is_base64 {
        base64::decode(path.job).map_err(|source| GroupingError::JobBase64 { source })?
    } else {
        path.job.to_vec()
    };
    let mut labels = label_pairs(path.labels, utf8_names)?;
    if job.is_empty() {
        return Err(GroupingError::NoJob);
    }
    labels.push(("job".to_owned(), utf8("job", job)?));
    // of a name that stands twice the last value counts, so the job is always that of the beginning
    Ok(Labels::from_pairs(labels))
}

fn label_pairs(text: &[u8], utf8_names: bool) -> Result<Vec<(String, String)>, GroupingError> {
    let Some(components @ [_, ..]) = text.get(1..) else { return Ok(Vec::new()) };
    let components: Vec<&[u8]> = components.split(|byte| *byte == b'/').collect();
    let pairs = components.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(GroupingError::Odd(text.to_vec()));
    }
    pairs.map(|pair| label(pair[0], pair[1], utf8_names)).collect()
}

fn label(name: &[u8], value: &[u8], utf8_names: bool) -> Result<(String, String), GroupingError> {
    let (name, is_base64) = name.strip_suffix(b"@base64").map_or((name, false), |name| (name, true));
    let label = label_name(name, utf8_names).ok_or_else(|| GroupingError::LabelName(name.to_vec()))?;
    let value = if is_base64 {
        base64::decode(value).map_err(|source| GroupingError::LabelBase64 {
            label: label.clone(),
            value: value.to_vec(),
            source,
        })?
    } else {
        value.to_vec()
    };
    let value = utf8(&label, value)?;
    Ok((label, value))
}

fn label_name(name: &[u8], utf8_names: bool) -> Option<String> {
    let name = std::str::from_utf8(name).ok().filter(|name| !name.starts_with("__"))?;
    if utf8_names {
        let name = unescape_values(name);
        return (!name.is_empty() && !name.starts_with("__")).then(|| name.into_owned());
    }
    is_legacy_label_name(name).then(|| name.to_owned())
}

fn utf8(label: &str, value: Vec<u8>) -> Result<String, GroupingError> {
    String::from_utf8(value)
        .map_err(|error| GroupingError::NotUtf8 { label: label.to_owned(), value: error.into_bytes() })
}
