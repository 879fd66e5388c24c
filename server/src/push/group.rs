//! The group that is pushed to, as the path of a request.

use anyhow::bail;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;

use crate::escape::escaped;

/// The labels of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group(String);

/// A label as a flag has it.
pub(super) fn label(text: &str) -> Result<(String, String), String> {
    let label = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = label.ok_or_else(|| format!("expected NAME=VALUE, got {text:?}"))?;
    match name {
        "job" => Err("the job is given by --job".to_owned()),
        name if name.starts_with("__") => Err(format!("{name:?}: names that begin with __ are reserved")),
        name => Ok((name.to_owned(), value.to_owned())),
    }
}

impl Group {
    pub(super) fn new(job: &str, labels: &[(String, String)]) -> anyhow::Result<Self> {
        if job.is_empty() {
            bail!("--job: a job has a name");
        }
        let job = [("job".to_owned(), job.to_owned())];
        let parts = job.iter().chain(labels).map(|(name, value)| part(name, value));
        Ok(Self(parts.collect()))
    }

    /// The path of the group below that of the pushes.
    pub(super) fn path(&self) -> &str {
        &self.0
    }
}

/// A value that a path cannot have is encoded.
fn part(name: &str, value: &str) -> String {
    let (name, is_plain) =
        (escaped(name, b"-_."), !value.is_empty() && !value.contains('/') && value != "." && value != "..");
    match is_plain {
        true => format!("/{name}/{}", escaped(value, b"-_.~")),
        // nothing is encoded as the padding alone
        false if value.is_empty() => format!("/{name}@base64/="),
        false => format!("/{name}@base64/{}", URL_SAFE.encode(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_holds_any_value() {
        let check = |labels: &[(&str, &str)], expect: &str| {
            let labels: Vec<_> =
                labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(Group::new("a b", &labels).unwrap().path(), format!("/job/a%20b{expect}"));
        };
        check(&[], "");
        check(&[("instance", "i-1"), ("zone", "ü%")], "/instance/i-1/zone/%C3%BC%25");
        check(&[("path", "/var/tmp")], "/path@base64/L3Zhci90bXA=");
        check(&[("empty", ""), ("up", "..")], "/empty@base64/=/up@base64/Li4=");
        assert!(Group::new("", &[]).is_err());
    }

    #[test]
    fn labels_are_names_and_values() {
        assert_eq!(label("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        for wrong in ["a", "=b", "job=x", "__name__=x"] {
            assert!(label(wrong).is_err(), "{wrong}");
        }
    }
}
