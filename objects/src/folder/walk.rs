//! Lists: a walk over the folder in the order of the objects' whole paths, as S3 lists them.
//!
//! A directory sorts as its name with the slash that follows in every path below it: `a-b` comes before `a/b`, which
//! comes before `a0`. What is no object is passed over: symbolic links, names that no object path can have, the store's
//! own files.

use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path as Location;
use object_store::{ListResult, ObjectMeta, Result};

use super::FolderError;
use super::at_once::AtOnce;
use super::dirs::is_absence;
use super::name::{OWN_DIR, is_object_segment, join};
use super::read::object_meta;

/// How many objects one blocking task looks at.
const BATCH: usize = 1000;
/// So many entries of directories are looked at in no time.
const FEW: usize = 64;

/// One entry of a directory.
struct Found {
    name: String,
    is_dir: bool,
}

impl Found {
    /// What the entry sorts by.
    fn key(&self) -> impl Iterator<Item = u8> {
        self.name.bytes().chain(self.is_dir.then_some(b'/'))
    }
}

/// Where a list is.
pub(super) struct Walk {
    root: PathBuf,
    /// Relative path of each open directory and what is left of it.
    open: Vec<(String, std::vec::IntoIter<Found>)>,
    /// Objects up to and including this path are passed over.
    offset: Option<String>,
    /// So many entries may be read; when there are none left, there may be more than were.
    left: usize,
}

impl Walk {
    fn new(
        root: PathBuf,
        prefix: &str,
        offset: Option<String>,
        mut left: usize,
    ) -> Result<Self, FolderError> {
        let open = vec![(prefix.to_string(), entries(&root, prefix, &mut left)?.into_iter())];
        Ok(Self { root, open, offset, left })
    }

    /// All objects, if there are few entries.
    fn few(
        root: &FilePath,
        prefix: &str,
        offset: Option<&str>,
    ) -> Option<Result<Vec<ObjectMeta>, FolderError>> {
        let walked = Self::new(root.into(), prefix, offset.map(Into::into), FEW)
            .and_then(|mut walk| Ok((walk.batch()?, walk)));
        match walked {
            Ok((_, walk)) if walk.left == 0 || !walk.open.is_empty() => None,
            walked => Some(walked.map(|(batch, _)| batch)),
        }
    }

    /// The next objects; none at the end.
    fn batch(&mut self) -> Result<Vec<ObjectMeta>, FolderError> {
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            let Some((dir, rest)) = self.open.last_mut() else {
                break;
            };
            let Some(found) = rest.next() else {
                self.open.pop();
                continue;
            };
            let path = join(dir, &found.name);
            if found.is_dir {
                if self.may_follow(&path) {
                    let below = entries(&self.root, &path, &mut self.left)?.into_iter();
                    self.open.push((path, below));
                }
            } else if self.offset.as_ref().is_none_or(|offset| path > *offset) {
                batch.extend(meta_of(&self.root, &path)?);
            }
        }
        Ok(batch)
    }

    /// Whether a path below this directory can come after the offset.
    fn may_follow(&self, dir: &str) -> bool {
        let below = format!("{dir}/");
        self.offset.as_ref().is_none_or(|offset| below > *offset || offset.starts_with(&below))
    }
}

/// All objects below a prefix, after an offset.
pub(super) fn list(
    root: PathBuf,
    prefix: Option<&Location>,
    offset: Option<&Location>,
    at_once: Arc<AtOnce>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    let prefix = prefix.cloned().unwrap_or_default();
    let offset = offset.map(ToString::to_string);
    let start = {
        let prefix = prefix.to_string();
        async move {
            let few = || Walk::few(&root, &prefix, offset.as_deref());
            if let Some(batch) = at_once.done(few) {
                return Ok((batch?, None));
            }
            blocking(move || {
                let mut walk = Walk::new(root, &prefix, offset, usize::MAX)?;
                // most listings are short: no thread is asked whether there is more
                Ok((walk.batch()?, Some(walk).filter(|walk| !walk.open.is_empty())))
            })
            .await
        }
    };
    futures::stream::once(start)
        .map_ok(|(batch, walk)| {
            let rest = futures::stream::try_unfold(walk, |walk| async move {
                let Some(mut walk) = walk else { return Ok(None) };
                blocking(move || {
                    let batch = walk.batch()?;
                    let walk = Some(walk).filter(|walk| !walk.open.is_empty());
                    Ok((!batch.is_empty()).then(|| (futures::stream::iter(batch).map(Ok), walk)))
                })
                .await
            });
            futures::stream::iter(batch).map(Ok).chain(rest.try_flatten())
        })
        .try_flatten()
        .map_err(move |error: FolderError| error.into_store(&prefix))
        .boxed()
}

/// One level below a prefix: its objects, and the directories with objects below them. Blocks the thread.
pub(super) fn list_level(root: &FilePath, prefix: &Location) -> Result<ListResult, FolderError> {
    let mut result = ListResult { common_prefixes: Vec::new(), objects: Vec::new() };
    for found in all_entries(root, prefix.as_ref())? {
        let path = join(prefix.as_ref(), &found.name);
        if !found.is_dir {
            result.objects.extend(meta_of(root, &path)?);
        } else if holds_objects(root, &path)? {
            result.common_prefixes.extend(Location::parse(&path));
        }
    }
    Ok(result)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FolderError> + Send + 'static,
) -> Result<T, FolderError> {
    tokio::task::spawn_blocking(work).await?
}

fn holds_objects(root: &FilePath, dir: &str) -> Result<bool, FolderError> {
    for found in all_entries(root, dir)? {
        if !found.is_dir || holds_objects(root, &join(dir, &found.name))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn all_entries(root: &FilePath, dir: &str) -> Result<Vec<Found>, FolderError> {
    let mut left = usize::MAX;
    entries(root, dir, &mut left)
}

/// The sorted entries of a directory, as many as are `left`, which there are fewer of then; none if it is gone.
fn entries(root: &FilePath, dir: &str, left: &mut usize) -> Result<Vec<Found>, FolderError> {
    if dir.split('/').next() == Some(OWN_DIR) {
        return Ok(Vec::new());
    }
    let path = root.join(dir);
    let mut found = match read_dir(&path, dir, left) {
        Err(error) if is_absence(&error) => Vec::new(),
        other => other.map_err(|error| FolderError::io("list", path, error))?,
    };
    found.sort_unstable_by(|a, b| a.key().cmp(b.key()));
    Ok(found)
}

fn read_dir(path: &FilePath, dir: &str, left: &mut usize) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path)? {
        if *left == 0 {
            break;
        }
        *left -= 1;
        let entry = entry?;
        let kind = entry.file_type()?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if (kind.is_file() || kind.is_dir()) && is_object_segment(dir, &name) {
            found.push(Found { name, is_dir: kind.is_dir() });
        }
    }
    Ok(found)
}

/// What a list says about an object; none if it is gone meanwhile.
fn meta_of(root: &FilePath, path: &str) -> Result<Option<ObjectMeta>, FolderError> {
    let Ok(location) = Location::parse(path) else {
        return Ok(None);
    };
    let file = root.join(path);
    match std::fs::symlink_metadata(&file).and_then(|meta| object_meta(location, &meta)) {
        Ok(meta) => Ok(Some(meta)),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(FolderError::io("look at", file, error)),
    }
}
