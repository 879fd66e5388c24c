//! Objects that arrive in parts.
//!
//! An upload that is dropped without `abort` stays on the server, unseen, until a lifecycle rule of the bucket removes
//! it (`AbortIncompleteMultipartUpload`).

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as Location;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use super::Bucket;
use super::error::S3Error;
use super::put::{PUT_BYTES_MAX, Terms, settle};
use super::watch::Watch;

/// How many parts of one large put are under way at the same time.
const PARTS_AT_ONCE: usize = 4;
/// How many parts an upload can have.
const PARTS_MAX: usize = 10_000;

/// An upload that the server knows.
#[derive(Debug)]
struct Session {
    bucket: Bucket,
    location: Location,
    upload_id: String,
    terms: Terms,
}

impl Session {
    async fn start(bucket: &Bucket, location: &Location, terms: Terms) -> Result<Self, S3Error> {
        let headers = terms.headers.clone();
        let answer = bucket
            .client()
            .await
            .create_multipart_upload()
            .bucket(&bucket.settings.bucket)
            .key(location.as_ref())
            .set_tagging(terms.tags.clone())
            .set_cache_control(headers.cache_control)
            .set_content_disposition(headers.content_disposition)
            .set_content_encoding(headers.content_encoding)
            .set_content_language(headers.content_language)
            .set_content_type(headers.content_type)
            .set_metadata(Some(headers.metadata))
            .send()
            .await
            .map_err(|error| S3Error::new("start the upload of", bucket.url_of(location), error))?;
        let upload_id = answer.upload_id.ok_or_else(|| S3Error::BadAnswer {
            action: "start the upload of",
            url: bucket.url_of(location),
            what: "upload id",
        })?;
        Ok(Self { bucket: bucket.clone(), location: location.clone(), upload_id, terms })
    }

    /// Uploads a part; numbers begin at 1.
    async fn part(&self, number: usize, content: Bytes) -> Result<CompletedPart, S3Error> {
        let url = || self.bucket.url_of(&self.location);
        let too_many = |_| S3Error::TooManyParts { url: url(), parts_max: PARTS_MAX };
        let part_number = i32::try_from(number).map_err(too_many)?;
        if number > PARTS_MAX {
            return Err(S3Error::TooManyParts { url: url(), parts_max: PARTS_MAX });
        }
        let answer = self
            .bucket
            .client()
            .await
            .upload_part()
            .bucket(&self.bucket.settings.bucket)
            .key(self.location.as_ref())
            .upload_id(&self.upload_id)
            .part_number(part_number)
            .body(ByteStream::from(content))
            .send()
            .await
            .map_err(|error| S3Error::new("upload a part of", url(), error))?;
        Ok(CompletedPart::builder().part_number(part_number).set_e_tag(answer.e_tag).build())
    }

    async fn complete(&self, parts: Vec<CompletedPart>, watch: &Watch) -> Result<PutResult, S3Error> {
        let answer = self
            .bucket
            .client()
            .await
            .complete_multipart_upload()
            .bucket(&self.bucket.settings.bucket)
            .key(self.location.as_ref())
            .upload_id(&self.upload_id)
            .set_if_none_match(self.terms.if_none_match.clone())
            .set_if_match(self.terms.if_match.clone())
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .customize()
            .interceptor(watch.clone())
            .send()
            .await
            .map_err(|error| {
                S3Error::new("complete the upload of", self.bucket.url_of(&self.location), error)
            })?;
        Ok(PutResult { e_tag: answer.e_tag, version: answer.version_id })
    }

    async fn abort(&self) -> Result<(), S3Error> {
        self.bucket
            .client()
            .await
            .abort_multipart_upload()
            .bucket(&self.bucket.settings.bucket)
            .key(self.location.as_ref())
            .upload_id(&self.upload_id)
            .send()
            .await
            .map_err(|error| {
                S3Error::new("abort the upload of", self.bucket.url_of(&self.location), error)
            })?;
        Ok(())
    }
}

/// Puts a large object, under the same conditions as a small one.
pub(super) async fn put_in_parts(
    bucket: &Bucket,
    location: &Location,
    content: Bytes,
    terms: &Terms,
    watch: &Watch,
) -> Result<PutResult, S3Error> {
    let session = Session::start(bucket, location, terms.clone()).await?;
    let starts = (0..content.len()).step_by(PUT_BYTES_MAX);
    let parts = starts.enumerate().map(|(index, start)| {
        let part = content.slice(start..content.len().min(start + PUT_BYTES_MAX));
        session.part(index + 1, part)
    });
    let parts = futures::stream::iter(parts).buffered(PARTS_AT_ONCE).try_collect().await;
    let written = match parts {
        Ok(parts) => session.complete(parts, watch).await,
        Err(error) => Err(error),
    };
    if written.is_err()
        && let Err(error) = session.abort().await
    {
        // After a completion whose answer was lost there is nothing to abort either.
        tracing::debug!(%error, "upload not aborted");
    }
    written
}

/// An upload whose parts come from the caller.
#[derive(Debug)]
pub(super) struct Upload {
    session: Arc<Session>,
    /// The parts that are there, by number.
    done: Arc<Mutex<Vec<CompletedPart>>>,
    started: usize,
    over: bool,
}

impl Upload {
    pub(super) async fn start(bucket: &Bucket, location: &Location, terms: Terms) -> Result<Self> {
        let session = Session::start(bucket, location, terms).await;
        let session = Arc::new(session.map_err(|error| error.into_store(location))?);
        Ok(Self { session, done: Arc::default(), started: 0, over: false })
    }

    fn check_open(&self) -> Result<()> {
        let over = || S3Error::UploadOver { url: self.session.bucket.url_of(&self.session.location) };
        if self.over { Err(over().into_store(&self.session.location)) } else { Ok(()) }
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let open = self.check_open();
        self.started += 1;
        let (session, done, number) = (Arc::clone(&self.session), Arc::clone(&self.done), self.started);
        Box::pin(async move {
            open?;
            let part = session.part(number, payload.into()).await;
            let part = part.map_err(|error| error.into_store(&session.location))?;
            done.lock().unwrap_or_else(PoisonError::into_inner).push(part);
            Ok(())
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.check_open()?;
        if self.started == 0 {
            // S3 knows no upload without parts.
            self.put_part(PutPayload::default()).await?;
        }
        self.over = true;
        let mut parts = std::mem::take(&mut *self.done.lock().unwrap_or_else(PoisonError::into_inner));
        parts.sort_by_key(CompletedPart::part_number);
        let session = &self.session;
        let watch = Watch::default();
        let written = session.complete(parts, &watch).await;
        let settled = settle(&session.bucket, &session.location, &session.terms, &watch, written).await?;
        Ok(settled.0)
    }

    async fn abort(&mut self) -> Result<()> {
        self.check_open()?;
        self.over = true;
        self.session.abort().await.map_err(|error| error.into_store(&self.session.location))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::tests::Server;

    #[tokio::test]
    async fn no_upload_has_more_parts_than_s3_takes() {
        let server = Server::start().await;
        let location = Location::from("large");
        let session = Session::start(&server.store().bucket, &location, Terms::default()).await.unwrap();
        session.part(PARTS_MAX, Bytes::from_static(b"the last")).await.unwrap();
        let error = session.part(PARTS_MAX + 1, Bytes::from_static(b"one more")).await.unwrap_err();
        assert_eq!(error.to_string(), "the upload of s3://metrics/large has more than 10000 parts");
    }
}
