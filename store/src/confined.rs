//! Keeps everything that is done for a tenant within the tenant's own part of the object store.
//!
//! Readers and writers wrap the store that they are given, so no caller can lead them elsewhere: not by a path, not by a listing
//! that shows too much.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

/// An object that lies outside the tenant's folder was named.
#[derive(Debug, thiserror::Error)]
#[error("{path:?} does not lie under {root}, the folder of the tenant")]
struct Outside {
    path: String,
    root: Path,
}

/// What of a store lies below one folder. Everything else is refused, whoever names it.
#[derive(Clone, Debug)]
pub struct Confined {
    inner: Arc<dyn ObjectStore>,
    root: Path,
}

impl Confined {
    /// What of `inner` lies below `root`.
    pub fn new(inner: Arc<dyn ObjectStore>, root: Path) -> Self {
        Self { inner, root }
    }

    fn check(&self, path: &Path) -> Result<()> {
        // by whole segments: `a/team` is not below `a/te`
        if path.prefix_matches(&self.root) && *path != self.root {
            return Ok(());
        }
        let outside = Outside { path: path.to_string(), root: self.root.clone() };
        Err(Error::PermissionDenied { path: path.to_string(), source: outside.into() })
    }

    fn check_prefix(&self, prefix: Option<&Path>) -> Result<()> {
        match prefix {
            Some(prefix) if *prefix == self.root => Ok(()),
            prefix => self.check(prefix.unwrap_or(&Path::ROOT)),
        }
    }

    fn listing(
        &self,
        prefix: Option<&Path>,
        list: impl FnOnce() -> BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        if let Err(error) = self.check_prefix(prefix) {
            return stream::once(async { Err(error) }).boxed();
        }
        let this = self.clone();
        list().and_then(move |meta| futures::future::ready(this.check(&meta.location).map(|()| meta))).boxed()
    }
}

impl fmt::Display for Confined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, below {}", self.inner, self.root)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for Confined {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.check(path)?;
        self.inner.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.check(path)?;
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.check(path)?;
        self.inner.get_opts(path, options).await
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.check(path)?;
        self.inner.get_ranges(path, ranges).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let this = self.clone();
        let checked = paths.and_then(move |path| futures::future::ready(this.check(&path).map(|()| path)));
        self.inner.delete_stream(checked.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listing(prefix, || self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listing(prefix, || self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.check_prefix(prefix)?;
        let found = self.inner.list_with_delimiter(prefix).await?;
        found
            .objects
            .iter()
            .map(|meta| &meta.location)
            .chain(&found.common_prefixes)
            .try_for_each(|path| self.check(path))?;
        Ok(found)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.check(from)?;
        self.check(to)?;
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.check(from)?;
        self.check(to)?;
        self.inner.rename_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::*;

    fn at(path: &str) -> Path {
        Path::from(path)
    }

    #[tokio::test]
    async fn whatever_names_an_object_elsewhere_is_refused() {
        let memory = Arc::new(InMemory::new());
        for path in ["p/team/a", "p/team-2/a", "p/a", "other"] {
            memory.put(&at(path), "x".into()).await.expect("written");
        }
        let team = Confined::new(memory, at("p/team"));
        let refused = |result: Result<()>, what: &str| {
            let error = result.expect_err(what);
            assert!(matches!(error, Error::PermissionDenied { .. }), "{what}: {error}");
            assert!(error.to_string().contains("does not lie under p/team,"), "{what}: {error}");
        };
        for path in ["p/team-2/a", "p/a", "other", "p/team", "p", ""].map(at) {
            refused(team.put(&path, "x".into()).await.map(drop), "put");
            refused(team.put_multipart(&path).await.map(drop), "upload");
            refused(team.get(&path).await.map(drop), "get");
            refused(team.head(&path).await.map(drop), "head");
            refused(team.get_ranges(&path, &[0..1, 2..3]).await.map(drop), "ranges");
            refused(team.delete(&path).await, "delete");
            refused(team.copy(&path, &at("p/team/b")).await, "copy from");
            refused(team.copy(&at("p/team/a"), &path).await, "copy to");
            refused(team.rename(&path, &at("p/team/b")).await, "move from");
            refused(team.rename(&at("p/team/a"), &path).await, "move to");
            if path != at("p/team") {
                refused(team.list(Some(&path)).try_collect::<Vec<_>>().await.map(drop), "list");
                refused(team.list_with_delimiter(Some(&path)).await.map(drop), "list of a level");
                let listing = team.list_with_offset(Some(&path), &at("p/team/a"));
                refused(listing.try_collect::<Vec<_>>().await.map(drop), "list from");
            }
        }
        refused(team.list(None).try_collect::<Vec<_>>().await.map(drop), "list of all");

        team.put(&at("p/team/b"), "x".into()).await.expect("written");
        team.rename(&at("p/team/b"), &at("p/team/c/d")).await.expect("moved");
        let found: Vec<_> = team.list(Some(&at("p/team"))).try_collect().await.expect("lists");
        assert_eq!(found.len(), 2);
        team.delete(&at("p/team/c/d")).await.expect("deleted");
    }

    /// A store whose listings show more than was asked for.
    #[tokio::test]
    async fn a_listing_that_shows_too_much_is_an_error() {
        let memory = Arc::new(InMemory::new());
        memory.put(&at("p/team/a"), "x".into()).await.expect("written");
        memory.put(&at("p/team-2/a"), "x".into()).await.expect("written");
        let team = Confined::new(Arc::clone(&memory) as _, at("p/team"));
        let everything = team.listing(Some(&at("p/team")), || memory.list(None));
        let found: Result<Vec<_>> = everything.try_collect().await;
        assert!(matches!(found, Err(Error::PermissionDenied { .. })));
    }
}
