//! A local folder as an object store, with conditional puts and nothing acknowledged before it is on disk.
//!
//! An object is a file at its own path below the root. A put returns when the file, its name and every directory on the
//! way are synced. `PutMode::Create` and `PutMode::Update` hold between threads and between processes on one machine.
//!
//! **Etags** are hashes of the content. A put returns one; so do a get of a whole object, a get with `if_match` or
//! `if_none_match`, and a `head` of up to 8 MiB. Lists, gets of ranges and a `head` of larger objects leave it out,
//! because it would take reading the object.
//!
//! **Limits of a file system:** an object cannot stand beside objects below its own name (`a` and `a/b`), a path segment
//! has at most 255 bytes, and names that differ only in case are one on some systems. Attributes, tags and versions are
//! refused. The store keeps its own files (locks and temporary files) in `.mayfly` below the root.
//!
//! **Time:** a folder has no clock of its own; its users and it share the one of the machine.

mod at_once;
mod dirs;
mod error;
mod etag;
mod layer;
mod lock;
mod name;
mod read;
mod scratch;
#[cfg(test)]
mod tests;
mod upload;
mod walk;
mod write;

use std::fmt::{self, Display, Formatter};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path as Location;
use object_store::{
    Attributes, CopyMode, CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    RenameTargetMode, Result,
};

pub use error::{FolderError, FolderOpenError};
pub use layer::{Entry, FileLayer, RealFiles};

use at_once::AtOnce;
use dirs::Dirs;
use lock::Locks;
use scratch::Scratch;
use upload::Upload;
use write::Writer;

/// The name of this store in errors.
const STORE: &str = "folder";
/// How many deletes of one stream run at the same time.
const DELETES_AT_ONCE: usize = 16;

/// A local folder as an object store. Clones share it.
#[derive(Debug, Clone)]
pub struct Folder {
    writer: Arc<Writer>,
    at_once: Arc<AtOnce>,
}

impl Folder {
    /// Opens a folder, making it if it is missing, and removes temporary files that dead processes left. Blocks the
    /// thread.
    pub fn open(root: impl AsRef<FilePath>) -> Result<Self, FolderOpenError> {
        Self::open_on(root, Arc::new(RealFiles))
    }

    /// Opens a folder on other file operations, for tests.
    pub fn open_on(root: impl AsRef<FilePath>, layer: Arc<dyn FileLayer>) -> Result<Self, FolderOpenError> {
        let given = root.as_ref();
        let fail = |action, path, source| FolderOpenError::new(given, action, path, source);
        dirs::make_root(given, &*layer).map_err(|(action, path, source)| fail(action, path, source))?;
        let root = given.canonicalize().map_err(|error| fail("resolve", given.into(), error))?;
        if !root.is_dir() {
            return Err(fail("open", root, io::ErrorKind::NotADirectory.into()));
        }
        let root_dir = File::open(&root).map_err(|error| fail("open", root.clone(), error))?;
        let own = root.join(name::OWN_DIR);
        let (locks, tmp) = (own.join("locks"), own.join("tmp"));
        for dir in [&locks, &tmp] {
            std::fs::create_dir_all(dir).map_err(|error| fail("create", dir.clone(), error))?;
        }
        let locks = Locks::new(locks);
        let scratch =
            Scratch::open(&tmp, Arc::clone(&layer)).map_err(|(path, source)| fail("use", path, source))?;
        let dirs = Dirs::new(root.clone(), root_dir, Arc::clone(&layer));
        let at_once = Arc::new(AtOnce::of(&root));
        let writer = Arc::new(Writer { root, layer, dirs, locks, scratch: Arc::new(scratch) });
        Ok(Self { writer, at_once })
    }

    /// Where the store keeps its own files. No object lies there, so its users may keep theirs beside them.
    pub fn own_folder(&self) -> PathBuf {
        self.root().join(name::OWN_DIR)
    }

    /// The folder, as an absolute path.
    pub fn root(&self) -> &FilePath {
        &self.writer.root
    }

    async fn run<T: Send + 'static>(
        &self,
        location: &Location,
        work: impl FnOnce(&Writer, &Location) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (writer, location) = (Arc::clone(&self.writer), location.clone());
        blocking(location.clone(), move || work(&writer, &location)).await
    }

    fn walk(
        &self,
        prefix: Option<&Location>,
        offset: Option<&Location>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        walk::list(self.writer.root.clone(), prefix, offset, Arc::clone(&self.at_once))
    }
}

/// Runs file operations off the async threads.
async fn blocking<T: Send + 'static>(
    location: Location,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.map_err(|error| FolderError::from(error).into_store(&location))?
}

fn refuse_extras(location: &Location, attributes: &Attributes, tags: &str) -> Result<()> {
    let what = match (attributes.is_empty(), tags.is_empty()) {
        (true, true) => return Ok(()),
        (false, _) => "attributes",
        (true, false) => "tags",
    };
    Err(FolderError::Unsupported { what }.into_store(location))
}

impl Display for Folder {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "folder {}", self.root().display())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for Folder {
    async fn put_opts(
        &self,
        location: &Location,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        refuse_extras(location, &opts.attributes, opts.tags.encoded())?;
        self.run(location, move |writer, location| writer.put(location, &payload, &opts.mode)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Location,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        refuse_extras(location, &opts.attributes, opts.tags.encoded())?;
        let temp = self
            .run(location, |writer, location| {
                name::Name::new(location)
                    .and_then(|_| writer.scratch.create())
                    .map_err(|error| error.into_store(location))
            })
            .await?;
        Ok(Box::new(Upload::new(location.clone(), Arc::clone(&self.writer), temp)))
    }

    async fn get_opts(&self, location: &Location, options: GetOptions) -> Result<GetResult> {
        if let Some(got) = self.at_once.done(|| read::get_small(self.root(), location, &options)) {
            return got;
        }
        self.run(location, move |writer, location| read::get(&writer.root, location, &options)).await
    }

    async fn get_ranges(&self, location: &Location, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let ranges = ranges.to_vec();
        self.run(location, move |writer, location| read::get_ranges(&writer.root, location, &ranges)).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Location>>,
    ) -> BoxStream<'static, Result<Location>> {
        let folder = self.clone();
        locations
            .map(move |location| {
                let folder = folder.clone();
                async move {
                    let location = location?;
                    folder.run(&location, Writer::delete).await?;
                    Ok(location)
                }
            })
            .buffered(DELETES_AT_ONCE)
            .boxed()
    }

    fn list(&self, prefix: Option<&Location>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.walk(prefix, None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Location>,
        offset: &Location,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.walk(prefix, Some(offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Location>) -> Result<ListResult> {
        let prefix = prefix.cloned().unwrap_or_default();
        self.run(&prefix, |writer, prefix| {
            walk::list_level(&writer.root, prefix).map_err(|error| error.into_store(prefix))
        })
        .await
    }

    async fn copy_opts(&self, from: &Location, to: &Location, options: CopyOptions) -> Result<()> {
        let mode = match options.mode {
            CopyMode::Overwrite => PutMode::Overwrite,
            CopyMode::Create => PutMode::Create,
        };
        let to = to.clone();
        self.run(from, move |writer, from| writer.copy(from, &to, &mode)).await
    }

    async fn rename_opts(&self, from: &Location, to: &Location, options: RenameOptions) -> Result<()> {
        let exclusive = options.target_mode == RenameTargetMode::Create;
        let to = to.clone();
        self.run(from, move |writer, from| writer.rename(from, &to, exclusive)).await
    }
}
