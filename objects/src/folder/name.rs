//! Object path ↔ file path. Segments are taken literally, so a `ls` shows the names that the code uses.

use object_store::path::{Path as Location, PathPart};

use super::FolderError;

/// The folder of the store's own files, directly below the root; never an object.
pub(super) const OWN_DIR: &str = ".mayfly";
/// Longest name that the usual file systems take.
const NAME_BYTES_MAX: usize = 255;

/// An object's path, checked and split into the directory, which is empty for the root, and the name in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) dir: String,
    pub(super) file: String,
}

impl Name {
    pub(super) fn new(location: &Location) -> Result<Self, FolderError> {
        let raw = location.as_ref();
        let bad = |reason| FolderError::BadName { location: raw.into(), reason };
        if raw.is_empty() {
            return Err(bad("it is empty"));
        }
        for segment in raw.split('/') {
            // `Location` promises this much; what keeps objects inside of the root is worth a second look.
            if segment.is_empty() || PathPart::parse(segment).is_err() {
                return Err(bad("a segment is empty, relative or has control characters"));
            }
            if segment.len() > NAME_BYTES_MAX {
                return Err(bad("a segment is longer than 255 bytes"));
            }
        }
        if raw.split('/').next() == Some(OWN_DIR) {
            return Err(bad("the store keeps its own files in .mayfly"));
        }
        let (dir, file) = raw.rsplit_once('/').unwrap_or(("", raw));
        Ok(Self { dir: dir.into(), file: file.into() })
    }

    /// The path relative to the root.
    pub(super) fn path(&self) -> String {
        join(&self.dir, &self.file)
    }
}

/// `dir/name`, or just the name in the root.
pub(super) fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_string() } else { format!("{dir}/{name}") }
}

/// Whether an entry of a directory can be part of an object's path.
pub(super) fn is_object_segment(dir: &str, name: &str) -> bool {
    PathPart::parse(name).is_ok() && !(dir.is_empty() && name == OWN_DIR)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Option<(&str, &str)>) {
        let name = Name::new(&Location::parse(path).unwrap());
        match expected {
            Some((dir, file)) => {
                let name = name.unwrap();
                assert_eq!((name.dir.as_str(), name.file.as_str()), (dir, file));
                assert_eq!(name.path(), path);
            }
            None => assert!(matches!(name, Err(FolderError::BadName { .. })), "{path}"),
        }
    }

    #[test]
    fn splits_and_refuses() {
        check("a", Some(("", "a")));
        check("a/b/c d%2F", Some(("a/b", "c d%2F")));
        check("a/.mayfly", Some(("a", ".mayfly")));
        check(".mayfly", None);
        check(".mayfly/tmp/0", None);
        check("", None);
        check(&"n".repeat(256), None);
        for escape in ["..", "a/../../b", "./a", "a//b"] {
            assert!(Location::parse(escape).is_err(), "{escape}");
        }
        assert_eq!(Location::from("../x").as_ref(), "%2E%2E/x");
    }
}
