//! A bucket of S3, or of a server that speaks S3, on aws-sdk-s3.
//!
//! Making an [`S3`] costs nothing: the environment is read and the first connection made with the first request.
//!
//! Requests are tried up to five times with random, doubling pauses, within 90 seconds. A put under a condition whose
//! answer was lost is settled by looking at the object (see `put`); where that leaves it open, the error's
//! [`outcome`](crate::outcome()) is unknown. Objects above 16 MiB are uploaded in parts, under the same conditions; a
//! server that honours conditions on puts but not at the end of uploads would go unnoticed there.
//!
//! Lists come in the server's order: that of the whole keys on AWS, but not everywhere.
//!
//! A missing object is `NotFound`; a missing bucket is not, except for a `head`, whose answer cannot tell them apart.

mod account;
mod attributes;
mod client;
mod copy;
mod delete;
mod error;
mod get;
mod list;
mod put;
mod put_id;
mod retries;
mod settings;
#[cfg(test)]
pub(crate) mod tests;
mod upload;
mod watch;

use std::fmt::{self, Display, Formatter};
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::path::Path as Location;
use object_store::{
    CopyMode, CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, OBJECT_STORE_COALESCE_DEFAULT,
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    RenameOptions, RenameTargetMode, Result, coalesce_ranges,
};
use tokio::sync::OnceCell;

pub use account::Account;
pub use client::http as aws_http;
pub(crate) use error::Mendable;
pub use error::S3Error;
pub use retries::Retries;
pub use settings::S3Settings;

use put::Terms;
use put_id::PutIds;

/// The name of this store in errors.
const STORE: &str = "S3";

/// One bucket. Clones share the client.
#[derive(Debug, Clone)]
pub struct S3 {
    bucket: Bucket,
}

impl S3 {
    /// A bucket; nothing is read or sent yet.
    pub fn new(settings: S3Settings) -> Self {
        let shared =
            Shared { settings, client: OnceCell::new(), put_ids: PutIds::new(), retries: Retries::default() };
        Self { bucket: Bucket(Arc::new(shared)) }
    }
}

impl S3 {
    /// How often the SDK tried requests again.
    pub fn retries(&self) -> Retries {
        self.bucket.retries.clone()
    }
}

/// What all requests need.
#[derive(Debug, Clone)]
struct Bucket(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: S3Settings,
    client: OnceCell<Client>,
    put_ids: PutIds,
    retries: Retries,
}

impl Bucket {
    async fn client(&self) -> &Client {
        self.client.get_or_init(|| client::connect(&self.settings, &self.retries)).await
    }

    fn url(&self) -> String {
        format!("s3://{}", self.settings.bucket)
    }

    fn url_of(&self, location: &Location) -> String {
        format!("{}/{location}", self.url())
    }
}

impl std::ops::Deref for Bucket {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Display for S3 {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.bucket.url())?;
        match &self.bucket.settings.endpoint {
            Some(endpoint) => write!(f, " at {endpoint}"),
            None => Ok(()),
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for S3 {
    async fn put_opts(
        &self,
        location: &Location,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        put::put(&self.bucket, location, payload, &opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Location,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let options = PutOptions { tags: opts.tags, attributes: opts.attributes, ..PutOptions::default() };
        let terms = Terms::new(&self.bucket, location, &options);
        let terms = terms.map_err(|error| error.into_store(location))?;
        Ok(Box::new(upload::Upload::start(&self.bucket, location, terms).await?))
    }

    async fn get_opts(&self, location: &Location, options: GetOptions) -> Result<GetResult> {
        get::get(&self.bucket, location, options).await
    }

    async fn get_ranges(&self, location: &Location, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        coalesce_ranges(ranges, |range| self.get_range(location, range), OBJECT_STORE_COALESCE_DEFAULT).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Location>>,
    ) -> BoxStream<'static, Result<Location>> {
        delete::delete_stream(&self.bucket, locations)
    }

    fn list(&self, prefix: Option<&Location>) -> BoxStream<'static, Result<ObjectMeta>> {
        list::list(&self.bucket, prefix, None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Location>,
        offset: &Location,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        list::list(&self.bucket, prefix, Some(offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Location>) -> Result<ListResult> {
        list::list_level(&self.bucket, prefix).await
    }

    async fn copy_opts(&self, from: &Location, to: &Location, options: CopyOptions) -> Result<()> {
        copy::copy(&self.bucket, from, to, options.mode).await
    }

    /// S3 knows no move: a copy, then a delete.
    async fn rename_opts(&self, from: &Location, to: &Location, options: RenameOptions) -> Result<()> {
        let mode = match options.target_mode {
            RenameTargetMode::Overwrite => CopyMode::Overwrite,
            RenameTargetMode::Create => CopyMode::Create,
        };
        copy::copy(&self.bucket, from, to, mode).await?;
        self.delete(from).await
    }
}
