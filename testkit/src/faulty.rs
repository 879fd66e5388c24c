//! An object store that fails when a test says so.

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
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::Semaphore;

/// What is asked of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// An object is written.
    Put,
    /// An object, its head or ranges of it are read.
    Get,
    /// Names are listed.
    List,
    /// An object is deleted.
    Delete,
    /// An object is copied.
    Copy,
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Nothing.
    None,
    /// It fails, and nothing is done.
    Fail,
    /// It is done, and the answer is that it failed.
    FailAfterwards,
    /// It waits for a permit and is then done.
    Wait(Arc<Semaphore>),
    /// It waits for a permit and then fails, and nothing is done.
    WaitAndFail(Arc<Semaphore>),
}

type Plan = dyn Fn(Operation, &Path) -> Fault + Send + Sync;

/// Asks a plan before each operation.
pub struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    plan: Arc<Plan>,
}

impl FaultyStore {
    /// `plan` is asked with the operation and the path (the prefix, for a listing) before anything is done.
    pub fn new(
        inner: Arc<dyn ObjectStore>,
        plan: impl Fn(Operation, &Path) -> Fault + Send + Sync + 'static,
    ) -> Self {
        Self { inner, plan: Arc::new(plan) }
    }

    async fn with<T>(
        &self,
        operation: Operation,
        path: &Path,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        with((self.plan)(operation, path), operation, work).await
    }
}

async fn with<T>(
    fault: Fault,
    operation: Operation,
    work: impl Future<Output = Result<T>> + Send,
) -> Result<T> {
    match fault {
        Fault::None => work.await,
        Fault::Fail => Err(failed(operation)),
        Fault::FailAfterwards => work.await.and(Err(failed(operation))),
        Fault::Wait(permits) => {
            take(&permits).await;
            work.await
        }
        Fault::WaitAndFail(permits) => {
            take(&permits).await;
            Err(failed(operation))
        }
    }
}

async fn take(permits: &Semaphore) {
    if let Ok(permit) = permits.acquire().await {
        permit.forget();
    }
}

fn failed(operation: Operation) -> Error {
    Error::Generic { store: "faulty", source: format!("the test wants this {operation:?} to fail").into() }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaultyStore({:?})", self.inner)
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaultyStore({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.with(Operation::Put, path, self.inner.put_opts(path, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.with(Operation::Put, path, self.inner.put_multipart_opts(path, options)).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.with(Operation::Get, path, self.inner.get_opts(path, options)).await
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.with(Operation::Get, path, self.inner.get_ranges(path, ranges)).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (inner, plan) = (Arc::clone(&self.inner), Arc::clone(&self.plan));
        let delete = move |path: Path| {
            let (inner, fault) = (Arc::clone(&inner), plan(Operation::Delete, &path));
            let work = async move { inner.delete(&path).await.map(|()| path) };
            with(fault, Operation::Delete, work)
        };
        paths.and_then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let fault = (self.plan)(Operation::List, prefix.unwrap_or(&Path::ROOT));
        let (inner, prefix) = (Arc::clone(&self.inner), prefix.cloned());
        let begin = with(fault, Operation::List, async move { Ok(inner.list(prefix.as_ref())) });
        stream::once(begin).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let path = prefix.cloned().unwrap_or_default();
        self.with(Operation::List, &path, self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.with(Operation::Copy, to, self.inner.copy_opts(from, to, options)).await
    }
}
