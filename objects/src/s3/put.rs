//! Puts, and what became of a conditional put whose answer was lost.
//!
//! A conditional put that is tried again meets its own first try: the second answer is 412 although the write happened.
//! So every conditional put carries an id of its own in the object's metadata. When any try of it stayed without a
//! clear answer, the object is looked at: if it has this id, the put happened.

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use object_store::path::Path as Location;
use object_store::{Error, PutMode, PutOptions, PutPayload, PutResult, Result};

use super::attributes::Headers;
use super::error::{NOT_FOUND, PRECONDITION_FAILED, S3Error};
use super::put_id::PUT_ID_KEY;
use super::watch::Watch;
use super::{Bucket, upload};
use crate::AnswerTime;

/// Up to this size an object is put in one request; a larger one is uploaded in parts of this size.
pub(super) const PUT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The conditions and the identity of one put.
#[derive(Debug, Clone, Default)]
pub(super) struct Terms {
    pub(super) if_none_match: Option<String>,
    pub(super) if_match: Option<String>,
    /// Only of conditional puts.
    pub(super) id: Option<String>,
    pub(super) headers: Headers,
    pub(super) tags: Option<String>,
}

impl Terms {
    pub(super) fn new(bucket: &Bucket, location: &Location, options: &PutOptions) -> Result<Self, S3Error> {
        let url = || bucket.url_of(location);
        let mut terms = Self {
            headers: Headers::new(&options.attributes)
                .map_err(|attribute| S3Error::Attribute { url: url(), attribute })?,
            tags: Some(options.tags.encoded().to_string()).filter(|tags| !tags.is_empty()),
            ..Self::default()
        };
        match &options.mode {
            PutMode::Overwrite => return Ok(terms),
            PutMode::Create => terms.if_none_match = Some("*".into()),
            PutMode::Update(version) => {
                let e_tag = version.e_tag.clone();
                terms.if_match = Some(e_tag.ok_or_else(|| S3Error::EtagMissing { url: url() })?);
            }
        }
        let id = bucket.put_ids.next();
        terms.headers.metadata.insert(PUT_ID_KEY.into(), id.clone());
        terms.id = Some(id);
        Ok(terms)
    }
}

pub(super) async fn put(
    bucket: &Bucket,
    location: &Location,
    payload: PutPayload,
    options: &PutOptions,
) -> Result<PutResult> {
    let terms = Terms::new(bucket, location, options).map_err(|error| error.into_store(location))?;
    let watch = Watch::default();
    let (written, date) = if payload.content_length() > PUT_BYTES_MAX {
        let written = upload::put_in_parts(bucket, location, payload.into(), &terms, &watch).await;
        settle(bucket, location, &terms, &watch, written).await?
    } else {
        let written = put_at_once(bucket, location, payload.into(), &terms, &watch).await;
        settle(bucket, location, &terms, &watch, written).await?
    };
    if let Some(answer) = options.extensions.get::<AnswerTime>() {
        answer.set(date);
    }
    Ok(written)
}

async fn put_at_once(
    bucket: &Bucket,
    location: &Location,
    content: Bytes,
    terms: &Terms,
    watch: &Watch,
) -> Result<PutResult, S3Error> {
    let headers = terms.headers.clone();
    let answer = bucket
        .client()
        .await
        .put_object()
        .bucket(&bucket.settings.bucket)
        .key(location.as_ref())
        .set_if_none_match(terms.if_none_match.clone())
        .set_if_match(terms.if_match.clone())
        .set_tagging(terms.tags.clone())
        .set_cache_control(headers.cache_control)
        .set_content_disposition(headers.content_disposition)
        .set_content_encoding(headers.content_encoding)
        .set_content_language(headers.content_language)
        .set_content_type(headers.content_type)
        .set_metadata(Some(headers.metadata))
        .body(ByteStream::from(content))
        .customize()
        .interceptor(watch.clone())
        .send()
        .await
        .map_err(|error| S3Error::new("put", bucket.url_of(location), error))?;
    // a web server that says 200 to everything sends none
    let url = || bucket.url_of(location);
    let e_tag = answer.e_tag.ok_or_else(|| S3Error::BadAnswer { action: "put", url: url(), what: "ETag" })?;
    Ok(PutResult { e_tag: Some(e_tag), version: answer.version_id })
}

/// Says what became of a put, asking the server where its answers leave that open. Also gives the server's time.
pub(super) async fn settle(
    bucket: &Bucket,
    location: &Location,
    terms: &Terms,
    watch: &Watch,
    written: Result<PutResult, S3Error>,
) -> Result<(PutResult, Option<i64>)> {
    let error = match written {
        Ok(written) => return Ok((written, watch.date_unix_s())),
        Err(error) => error,
    };
    if !watch.is_doubtful() {
        return Err(refused(location, terms, error.into_not_done()));
    }
    let Some(id) = &terms.id else { return Err(error.into_unknown().into_store(location)) };
    let look = Watch::default();
    match head(bucket, location, &look).await {
        Ok((written, found)) if found.as_ref() == Some(id) => Ok((written, look.date_unix_s())),
        Ok(_) => Err(S3Error::Unsettled { url: bucket.url_of(location) }.into_store(location)),
        // Nothing is there, which is no proof either: a try that got lost may still arrive.
        Err(_) => Err(error.into_unknown().into_store(location)),
    }
}

/// The error of a put that certainly did not happen.
fn refused(location: &Location, terms: &Terms, error: S3Error) -> Error {
    let path = location.to_string();
    match error.status() {
        Some(PRECONDITION_FAILED) if terms.if_none_match.is_some() => {
            Error::AlreadyExists { path, source: error.into() }
        }
        Some(NOT_FOUND) if terms.if_match.is_some() && !error.is_no_such_bucket() => {
            Error::Precondition { path, source: error.into() }
        }
        _ => error.into_store(location),
    }
}

/// What is there now, and the id of the put that wrote it.
async fn head(
    bucket: &Bucket,
    location: &Location,
    watch: &Watch,
) -> Result<(PutResult, Option<String>), S3Error> {
    let mut answer = bucket
        .client()
        .await
        .head_object()
        .bucket(&bucket.settings.bucket)
        .key(location.as_ref())
        .customize()
        .interceptor(watch.clone())
        .send()
        .await
        .map_err(|error| S3Error::new("look at", bucket.url_of(location), error))?;
    let id = answer.metadata.as_mut().and_then(|metadata| metadata.remove(PUT_ID_KEY));
    Ok((PutResult { e_tag: answer.e_tag, version: answer.version_id }, id))
}
