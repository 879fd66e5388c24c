//! An object store with a clock of its own, as S3 has.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use model::{AnswerTime, Clock};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// Says in every answer to a put or a get what time it is by `clock`.
#[derive(Debug)]
pub struct DatedStore {
    inner: Arc<dyn ObjectStore>,
    clock: Arc<dyn Clock>,
}

impl DatedStore {
    /// `inner`, with `clock` for its own.
    pub fn new(inner: Arc<dyn ObjectStore>, clock: Arc<dyn Clock>) -> Self {
        Self { inner, clock }
    }

    fn date(&self, answer: Option<AnswerTime>) {
        if let Some(answer) = answer {
            answer.set(Some(self.clock.now_us().div_euclid(1_000_000)));
        }
    }
}

impl fmt::Display for DatedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatedStore({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for DatedStore {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let answer = options.extensions.get().cloned();
        let result = self.inner.put_opts(path, payload, options).await;
        self.date(answer.filter(|_| result.is_ok()));
        result
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let answer = options.extensions.get().cloned();
        let result = self.inner.get_opts(path, options).await;
        self.date(answer);
        result
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
