//! Counts what is asked of a store, as S3 would bill it.
//!
//! A list counts once per started page of 1000 entries, `get_ranges` once per run of ranges that are close enough to be
//! fetched together, a copy and a move by what they consist of. So the counts on a folder or in memory are those that
//! the same work would have on S3, and a test can bound them. Tries that the store repeats by itself are not seen.

use std::fmt::{self, Display, Formatter};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as Location;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, OBJECT_STORE_COALESCE_DEFAULT,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
    UploadPart,
};

/// How many entries a page of a list has.
const PAGE: u64 = 1000;

/// What was asked so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Objects put, and requests of uploads in parts.
    pub puts: u64,
    /// Gets with content.
    pub gets: u64,
    /// Gets without content.
    pub heads: u64,
    /// Pages of lists.
    pub lists: u64,
    /// Objects deleted.
    pub deletes: u64,
    /// Copies.
    pub copies: u64,
    /// Requests that failed. That an object is not there, is still the same, or that a condition does not hold is an answer.
    pub failures: u64,
    /// Bytes of content put.
    pub bytes_put: u64,
    /// Bytes of content asked for by gets that succeeded.
    pub bytes_got: u64,
}

impl Counts {
    /// What was asked since an earlier reading.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            puts: self.puts - earlier.puts,
            gets: self.gets - earlier.gets,
            heads: self.heads - earlier.heads,
            lists: self.lists - earlier.lists,
            deletes: self.deletes - earlier.deletes,
            copies: self.copies - earlier.copies,
            failures: self.failures - earlier.failures,
            bytes_put: self.bytes_put - earlier.bytes_put,
            bytes_got: self.bytes_got - earlier.bytes_got,
        }
    }
}

#[derive(Debug, Default)]
struct Counters {
    puts: AtomicU64,
    gets: AtomicU64,
    heads: AtomicU64,
    lists: AtomicU64,
    deletes: AtomicU64,
    copies: AtomicU64,
    failures: AtomicU64,
    bytes_put: AtomicU64,
    bytes_got: AtomicU64,
}

fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}

impl Counters {
    /// Counts the failure, if it is one.
    fn check<T>(&self, result: Result<T>) -> Result<T> {
        match &result {
            Ok(_)
            | Err(
                Error::NotFound { .. }
                | Error::NotModified { .. }
                | Error::Precondition { .. }
                | Error::AlreadyExists { .. },
            ) => {}
            Err(_) => add(&self.failures, 1),
        }
        result
    }
}

/// A store that counts. Clones share the counts.
#[derive(Debug, Clone)]
pub struct Instrumented {
    inner: Arc<dyn ObjectStore>,
    counters: Arc<Counters>,
}

impl Instrumented {
    /// Counts from zero what is asked of this store.
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, counters: Arc::default() }
    }

    /// The counts now.
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        Counts {
            puts: read(&counters.puts),
            gets: read(&counters.gets),
            heads: read(&counters.heads),
            lists: read(&counters.lists),
            deletes: read(&counters.deletes),
            copies: read(&counters.copies),
            failures: read(&counters.failures),
            bytes_put: read(&counters.bytes_put),
            bytes_got: read(&counters.bytes_got),
        }
    }

    fn count_list(
        &self,
        found: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let counters = Arc::clone(&self.counters);
        let mut seen = 0;
        add(&counters.lists, 1);
        found
            .map(move |entry| {
                seen += 1;
                if seen > PAGE && seen % PAGE == 1 {
                    add(&counters.lists, 1);
                }
                counters.check(entry)
            })
            .boxed()
    }
}

impl Display for Instrumented {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.inner, f)
    }
}

/// How many requests these ranges take, when those that are close are fetched together.
fn runs(ranges: &[Range<u64>]) -> u64 {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable_by_key(|range| range.start);
    let (mut runs, mut end) = (0, None);
    for range in sorted {
        if end.is_none_or(|end| range.start > end + OBJECT_STORE_COALESCE_DEFAULT) {
            runs += 1;
        }
        end = end.max(Some(range.end));
    }
    runs
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for Instrumented {
    async fn put_opts(
        &self,
        location: &Location,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        add(&self.counters.puts, 1);
        add(&self.counters.bytes_put, payload.content_length() as u64);
        self.counters.check(self.inner.put_opts(location, payload, opts).await)
    }

    async fn put_multipart_opts(
        &self,
        location: &Location,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        add(&self.counters.puts, 1);
        let inner = self.counters.check(self.inner.put_multipart_opts(location, opts).await)?;
        Ok(Box::new(CountedUpload { inner, counters: Arc::clone(&self.counters) }))
    }

    async fn get_opts(&self, location: &Location, options: GetOptions) -> Result<GetResult> {
        let head = options.head;
        add(if head { &self.counters.heads } else { &self.counters.gets }, 1);
        let result = self.counters.check(self.inner.get_opts(location, options).await)?;
        if !head {
            add(&self.counters.bytes_got, result.range.end - result.range.start);
        }
        Ok(result)
    }

    async fn get_ranges(&self, location: &Location, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        add(&self.counters.gets, runs(ranges));
        let parts = self.counters.check(self.inner.get_ranges(location, ranges).await)?;
        add(&self.counters.bytes_got, parts.iter().map(|part| part.len() as u64).sum());
        Ok(parts)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Location>>,
    ) -> BoxStream<'static, Result<Location>> {
        let asked = Arc::clone(&self.counters);
        let locations = locations.inspect_ok(move |_| add(&asked.deletes, 1)).boxed();
        let counters = Arc::clone(&self.counters);
        self.inner.delete_stream(locations).map(move |deleted| counters.check(deleted)).boxed()
    }

    fn list(&self, prefix: Option<&Location>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.count_list(self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Location>,
        offset: &Location,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.count_list(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Location>) -> Result<ListResult> {
        let result = self.inner.list_with_delimiter(prefix).await;
        let found = result.as_ref().map_or(0, |level| level.objects.len() + level.common_prefixes.len());
        add(&self.counters.lists, (found as u64).div_ceil(PAGE).max(1));
        self.counters.check(result)
    }

    async fn copy_opts(&self, from: &Location, to: &Location, options: CopyOptions) -> Result<()> {
        add(&self.counters.copies, 1);
        self.counters.check(self.inner.copy_opts(from, to, options).await)
    }

    async fn rename_opts(&self, from: &Location, to: &Location, options: RenameOptions) -> Result<()> {
        add(&self.counters.copies, 1);
        add(&self.counters.deletes, 1);
        self.counters.check(self.inner.rename_opts(from, to, options).await)
    }
}

#[derive(Debug)]
struct CountedUpload {
    inner: Box<dyn MultipartUpload>,
    counters: Arc<Counters>,
}

#[async_trait]
impl MultipartUpload for CountedUpload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        add(&self.counters.puts, 1);
        add(&self.counters.bytes_put, payload.content_length() as u64);
        let (part, counters) = (self.inner.put_part(payload), Arc::clone(&self.counters));
        Box::pin(async move { counters.check(part.await) })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        add(&self.counters.puts, 1);
        self.counters.check(self.inner.complete().await)
    }

    async fn abort(&mut self) -> Result<()> {
        self.counters.check(self.inner.abort().await)
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use object_store::{ObjectStoreExt, PutMode};

    use super::*;

    fn at(path: &str) -> Location {
        Location::from(path)
    }

    #[tokio::test]
    async fn counts_by_kind() {
        let store = Instrumented::new(Arc::new(InMemory::new()));
        store.put(&at("a"), "12345".into()).await.unwrap();
        store.put_opts(&at("a"), "123".into(), PutMode::Create.into()).await.unwrap_err();
        store.get(&at("a")).await.unwrap();
        store.get_range(&at("a"), 1..3).await.unwrap();
        store.get_ranges(&at("a"), &[0..1, 4..5]).await.unwrap();
        store.get(&at("missing")).await.unwrap_err();
        store.get_range(&at("a"), 8..9).await.unwrap_err();
        store.head(&at("a")).await.unwrap();
        store.list_with_delimiter(None).await.unwrap();
        store.rename(&at("a"), &at("b")).await.unwrap();
        store.copy(&at("b"), &at("c")).await.unwrap();
        let before = store.counts();
        let expected = Counts {
            puts: 2,
            gets: 5,
            heads: 1,
            lists: 1,
            deletes: 1,
            copies: 2,
            failures: 1,
            bytes_put: 8,
            bytes_got: 9,
        };
        assert_eq!(before, expected);

        let mut upload = store.put_multipart(&at("d")).await.unwrap();
        upload.put_part("1234".into()).await.unwrap();
        upload.complete().await.unwrap();
        let later = store.counts().since(&before);
        assert_eq!(later, Counts { puts: 3, bytes_put: 4, ..Counts::default() });
    }

    #[tokio::test]
    async fn lists_count_by_page() {
        let store = Instrumented::new(Arc::new(InMemory::new()));
        for (objects, pages) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (2000, 2), (2001, 3)] {
            for number in 0..objects {
                store.put(&at(&format!("{objects}/{number}")), "".into()).await.unwrap();
            }
            let before = store.counts();
            let found: Vec<_> = store.list(Some(&at(&objects.to_string()))).try_collect().await.unwrap();
            assert_eq!(found.len(), objects);
            assert_eq!(
                store.counts().since(&before),
                Counts { lists: pages, ..Counts::default() },
                "{objects}"
            );
        }
    }

    #[test]
    fn close_ranges_count_once() {
        let gap = OBJECT_STORE_COALESCE_DEFAULT;
        let check = |ranges: &[Range<u64>], expected| assert_eq!(runs(ranges), expected, "{ranges:?}");
        check(&[], 0);
        check(&[5..10, 0..5], 1);
        check(&[0..10, 10 + gap..20 + gap], 1);
        check(&[0..10, 11 + gap..20 + gap], 2);
        check(&[0..3 * gap, 1..2, 3 * gap + 5..3 * gap + 6], 1);
    }
}
