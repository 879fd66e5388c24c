//! Where rule files lie: files, folders and patterns of the local disk, and objects.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use alert::RULE_FILE_BYTES_MAX;
use futures::TryStreamExt;
use object_store::path::Path as Location;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use objects::{OpenError, Options};

use crate::glob;

/// How many rule files there may be.
pub const RULE_FILES_MAX: usize = 10_000;

const S3_SCHEME: &str = "s3://";

/// What is taken for a rule file in a folder.
const ENDINGS: [&str; 2] = [".yml", ".yaml"];

/// Rule files, read anew whenever somebody asks.
#[derive(Debug)]
pub struct RuleFiles {
    sources: Vec<Source>,
    /// Objects as they were read last, by URL: what has the same ETag is not fetched again.
    fetched: Mutex<BTreeMap<String, (String, String)>>,
}

#[derive(Debug)]
enum Source {
    /// A file, a folder, or a pattern.
    Local(PathBuf),
    Objects {
        store: Arc<dyn ObjectStore>,
        /// `s3://bucket`
        root: String,
        /// An object, or what objects lie below.
        place: Location,
        /// For the last part of their names.
        pattern: Option<String>,
    },
}

/// A rule file: its path as it was found, and its text.
pub type RuleFileText = (String, String);

/// Why rule files cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RuleFilesError {
    /// The bucket cannot be one.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A pattern that is none, or one in the name of a bucket or of a folder of it.
    #[error("{url}: only the last part of an object's name may be a pattern, like *.yml")]
    Pattern {
        /// What was given.
        url: String,
    },
    /// A file or folder cannot be read.
    #[error("{path}: {source}")]
    Local {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// An object cannot be read.
    #[error("{url}: {source}")]
    Object {
        /// Which.
        url: String,
        /// Why.
        source: object_store::Error,
    },
    /// There is no such object, and nothing below a folder of this name.
    #[error("{url}: there is no such object, and no rule file below it")]
    Nothing {
        /// What was given.
        url: String,
    },
    /// Not UTF-8.
    #[error("{path}: the file is not UTF-8")]
    NotText {
        /// Which.
        path: String,
    },
    /// A file is larger than a rule file may be.
    #[error("{path}: the file has {bytes} bytes; the limit is {RULE_FILE_BYTES_MAX}")]
    TooLarge {
        /// Which.
        path: String,
        /// How large it is.
        bytes: u64,
    },
    /// There are too many.
    #[error("more than {RULE_FILES_MAX} rule files were found")]
    TooMany,
}

impl RuleFiles {
    /// Rule files at these places: a file, a folder, a pattern such as `rules/*.yml`, or the same below `s3://bucket/`.
    ///
    /// # Errors
    /// If a URL cannot name objects. Nothing is read yet.
    pub async fn at(places: &[String], s3_endpoint: Option<&str>) -> Result<Self, RuleFilesError> {
        let mut sources = Vec::new();
        for place in places {
            sources.push(match place.strip_prefix(S3_SCHEME) {
                None => Source::Local(PathBuf::from(place)),
                Some(rest) => {
                    let (folder, pattern) =
                        split(rest).ok_or_else(|| RuleFilesError::Pattern { url: place.clone() })?;
                    let options =
                        Options { s3_endpoint: s3_endpoint.map(str::to_owned), ..Options::default() };
                    let opened = objects::open(&format!("{S3_SCHEME}{folder}"), &options).await?;
                    let bucket = rest.split('/').next().unwrap_or(rest);
                    Source::Objects {
                        store: opened.store,
                        root: format!("{S3_SCHEME}{bucket}"),
                        place: opened.prefix,
                        pattern,
                    }
                }
            });
        }
        Ok(Self { sources, fetched: Mutex::default() })
    }

    /// Whether there is any place to look.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// All files as they are now, each once, in the order of the places and then of their names.
    ///
    /// # Errors
    /// If one of them cannot be read: rules are read whole or not at all.
    pub async fn read(&self) -> Result<Vec<RuleFileText>, RuleFilesError> {
        let mut files: Vec<RuleFileText> = Vec::new();
        let mut fetched = BTreeMap::new();
        for source in &self.sources {
            let found = match source {
                Source::Local(path) => local(path)?,
                Source::Objects { store, root, place, pattern } => {
                    self.objects(&**store, root, place, pattern.as_deref(), &mut fetched).await?
                }
            };
            for file in found {
                if !files.iter().any(|(path, _)| *path == file.0) {
                    files.push(file);
                }
            }
            if files.len() > RULE_FILES_MAX {
                return Err(RuleFilesError::TooMany);
            }
        }
        *self.fetched.lock().unwrap_or_else(PoisonError::into_inner) = fetched;
        Ok(files)
    }

    async fn objects(
        &self,
        store: &dyn ObjectStore,
        root: &str,
        place: &Location,
        pattern: Option<&str>,
        fetched: &mut BTreeMap<String, (String, String)>,
    ) -> Result<Vec<RuleFileText>, RuleFilesError> {
        let url = |location: &Location| format!("{root}/{location}");
        let failed = |location: &Location, source| RuleFilesError::Object { url: url(location), source };
        let mut found: Vec<ObjectMeta> = Vec::new();
        if pattern.is_none() && !place.is_root() {
            match store.head(place).await {
                Ok(object) => found.push(object),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(source) => return Err(failed(place, source)),
            }
        }
        if found.is_empty() {
            let mut listed = store.list(Some(place).filter(|place| !place.is_root()));
            while let Some(object) = listed.try_next().await.map_err(|source| failed(place, source))? {
                if fits(&object.location, place, pattern) {
                    found.push(object);
                }
                if found.len() > RULE_FILES_MAX {
                    return Err(RuleFilesError::TooMany);
                }
            }
            if found.is_empty() && pattern.is_none() {
                return Err(RuleFilesError::Nothing { url: url(place) });
            }
        }
        found.sort_by(|a, b| a.location.cmp(&b.location));
        let mut files = Vec::with_capacity(found.len());
        for object in found {
            let path = url(&object.location);
            let text = self.object(store, &path, &object).await?;
            if let Some(etag) = object.e_tag {
                fetched.insert(path.clone(), (etag, text.clone()));
            }
            files.push((path, text));
        }
        Ok(files)
    }

    /// The text of an object, from memory if its ETag is that of the last time.
    async fn object(
        &self,
        store: &dyn ObjectStore,
        path: &str,
        object: &ObjectMeta,
    ) -> Result<String, RuleFilesError> {
        if object.size > RULE_FILE_BYTES_MAX as u64 {
            return Err(RuleFilesError::TooLarge { path: path.to_owned(), bytes: object.size });
        }
        let known = self.fetched.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        match known {
            Some((etag, text)) if Some(&etag) == object.e_tag.as_ref() => return Ok(text),
            _ => {}
        }
        let failed = |source| RuleFilesError::Object { url: path.to_owned(), source };
        let bytes = store.get(&object.location).await.map_err(failed)?.bytes().await.map_err(failed)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| RuleFilesError::NotText { path: path.to_owned() })
    }
}

/// The part of a URL without patterns, and the pattern at its end; nothing if it has one elsewhere.
fn split(rest: &str) -> Option<(&str, Option<String>)> {
    let (folder, last) = rest.rsplit_once('/').unwrap_or((rest, ""));
    if glob::is_pattern(folder) || glob::matches(last, "").is_err() {
        return None;
    }
    Some(if glob::is_pattern(last) {
        (folder, Some(last.to_owned()))
    } else {
        (rest.trim_end_matches('/'), None)
    })
}

/// Whether an object below a place is meant: by a pattern right below it, or any rule file however deep.
fn fits(object: &Location, place: &Location, pattern: Option<&str>) -> bool {
    let Some(pattern) = pattern else { return is_rule_file(object.as_ref()) };
    let Some(mut below) = object.prefix_match(place) else { return false };
    match (below.next(), below.next()) {
        (Some(name), None) => glob::matches(pattern, name.as_ref()).unwrap_or(false),
        _ => false,
    }
}

fn is_rule_file(name: &str) -> bool {
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// The files at a path: itself, those right below it, or those that fit it.
fn local(path: &Path) -> Result<Vec<RuleFileText>, RuleFilesError> {
    let failed = |path: &Path, source| RuleFilesError::Local { path: path.display().to_string(), source };
    let text = path.to_string_lossy();
    let paths = if path.is_dir() {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(path).map_err(|source| failed(path, source))? {
            let entry = entry.map_err(|source| failed(path, source))?.path();
            if is_rule_file(&entry.to_string_lossy()) && entry.is_file() {
                found.push(entry);
            }
        }
        found.sort();
        found
    } else if glob::is_pattern(&text) && !path.exists() {
        glob::files(path).map_err(|source| failed(path, source))?
    } else {
        vec![path.to_owned()]
    };
    paths.iter().map(|path| Ok((path.display().to_string(), read(path)?))).collect()
}

fn read(path: &Path) -> Result<String, RuleFilesError> {
    let name = || path.display().to_string();
    let failed = |source| RuleFilesError::Local { path: name(), source };
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    if bytes > RULE_FILE_BYTES_MAX as u64 {
        return Err(RuleFilesError::TooLarge { path: name(), bytes });
    }
    String::from_utf8(std::fs::read(path).map_err(failed)?)
        .map_err(|_| RuleFilesError::NotText { path: name() })
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    fn names(files: &[RuleFileText]) -> Vec<&str> {
        files.iter().map(|(path, _)| path.rsplit('/').next().unwrap_or(path)).collect()
    }

    #[tokio::test]
    async fn files_folders_and_patterns() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["b.yml", "a.yaml", "c.txt", "deep/d.yml"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, name).expect("written");
        }
        let at = |place: &str| folder.path().join(place).display().to_string();
        let read = async |places: &[&str]| {
            let places: Vec<String> = places.iter().map(|place| at(place)).collect();
            RuleFiles::at(&places, None).await.expect("places").read().await
        };
        assert_eq!(names(&read(&[""]).await.expect("read")), ["a.yaml", "b.yml"]);
        assert_eq!(
            names(&read(&["*/*.yml", "[bc].*", "b.yml"]).await.expect("read")),
            ["d.yml", "b.yml", "c.txt"]
        );
        assert_eq!(names(&read(&["nothing*.yml"]).await.expect("read")), Vec::<&str>::new());
        let missing = read(&["b.yml", "nope.yml"]).await.expect_err("is missing").to_string();
        assert!(missing.contains("nope.yml: No such file"), "{missing}");
        std::fs::write(folder.path().join("b.yml"), [0xff]).expect("written");
        assert!(matches!(read(&["b.yml"]).await, Err(RuleFilesError::NotText { .. })));
        std::fs::File::create(folder.path().join("b.yml")).expect("made").set_len(17 << 20).expect("grown");
        assert!(matches!(read(&["b.yml"]).await, Err(RuleFilesError::TooLarge { .. })));
    }

    #[tokio::test]
    async fn objects_by_name_below_a_folder_and_by_pattern() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        for name in ["r/b.yml", "r/a.yaml", "r/c.txt", "r/deep/d.yml", "r2/x.yml"] {
            store.put(&Location::from(name), name.into()).await.expect("put");
        }
        let files = |place: &str, pattern: Option<&str>| RuleFiles {
            sources: vec![Source::Objects {
                store: Arc::clone(&store),
                root: "s3://b".to_owned(),
                place: Location::from(place),
                pattern: pattern.map(str::to_owned),
            }],
            fetched: Mutex::default(),
        };
        let one = files("r/b.yml", None);
        assert_eq!(one.read().await.expect("read"), [("s3://b/r/b.yml".to_owned(), "r/b.yml".to_owned())]);
        store.put(&Location::from("r/b.yml"), "new".into()).await.expect("put");
        assert_eq!(one.read().await.expect("read")[0].1, "new");
        let read = async |place: &str, pattern| {
            let found = files(place, pattern).read().await.expect("read");
            names(&found).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(read("r", None).await, ["a.yaml", "b.yml", "d.yml"]);
        assert_eq!(read("r", Some("[bc].*")).await, ["b.yml", "c.txt"]);
        assert_eq!(read("r", Some("nothing*")).await, Vec::<String>::new());
        assert!(matches!(files("nope", None).read().await, Err(RuleFilesError::Nothing { .. })));
    }

    #[tokio::test]
    async fn there_are_no_more_than_so_many() {
        let folder = tempfile::tempdir().expect("a folder");
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        for number in 0..RULE_FILES_MAX {
            std::fs::write(folder.path().join(format!("{number}.yml")), "").expect("written");
            store.put(&Location::from(format!("r/{number}.yml")), "".into()).await.expect("put");
        }
        let place = Source::Objects {
            store: Arc::clone(&store),
            root: "s3://b".to_owned(),
            place: Location::from("r"),
            pattern: None,
        };
        let local = RuleFiles::at(&[folder.path().display().to_string()], None).await.expect("places");
        let objects = RuleFiles { sources: vec![place], fetched: Mutex::default() };
        for files in [&local, &objects] {
            assert_eq!(files.read().await.expect("read").len(), RULE_FILES_MAX);
        }
        std::fs::write(folder.path().join("one.yml"), "").expect("written");
        store.put(&Location::from("r/one.yml"), "".into()).await.expect("put");
        for files in [&local, &objects] {
            let error = files.read().await.expect_err("too many");
            assert_eq!(error.to_string(), "more than 10000 rule files were found");
        }
    }

    #[test]
    fn patterns_stand_at_the_end() {
        assert_eq!(split("b/rules/"), Some(("b/rules", None)));
        assert_eq!(split("b/rules/*.yml"), Some(("b/rules", Some("*.yml".to_owned()))));
        assert_eq!(split("b/r*/a.yml"), None);
        assert_eq!(split("b/r/[.yml"), None);
    }
}
