//! The group that is pushed to, as the path of a request.

use anyhow::bail;
use gateway::group_path;

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
        let labels = labels.iter().map(|(name, value)| (&**name, &**value));
        Ok(Self(group_path([("job", job)].into_iter().chain(labels))))
    }

    /// The path of the group below that of the pushes.
    pub(super) fn path(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_a_job() {
        let labels = [("instance".to_owned(), "i-1".to_owned())];
        assert_eq!(Group::new("a b", &labels).unwrap().path(), "/job/a%20b/instance/i-1");
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
