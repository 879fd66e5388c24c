//! Gets and heads. A body that breaks off is asked for again from where it broke.

use std::ops::Range;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, DateTime as S3DateTime};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path as Location;
use object_store::{GetOptions, GetRange, GetResult, GetResultPayload, ObjectMeta, Result};

use super::Bucket;
use super::attributes::Headers;
use super::error::S3Error;
use super::watch::Watch;
use crate::AnswerTime;

/// How often one body is asked for again.
const RESUMES_MAX: usize = 3;

pub(super) async fn get(bucket: &Bucket, location: &Location, options: GetOptions) -> Result<GetResult> {
    let (watch, answer_time) = (Watch::default(), options.extensions.get::<AnswerTime>().cloned());
    let result = if options.head {
        head(bucket, location, options, &watch).await
    } else {
        get_body(bucket, location, options, &watch).await
    };
    if let Some(answer_time) = answer_time {
        answer_time.set(watch.date_unix_s());
    }
    result.map_err(|error| error.into_store(location))
}

async fn head(
    bucket: &Bucket,
    location: &Location,
    options: GetOptions,
    watch: &Watch,
) -> Result<GetResult, S3Error> {
    let answer = bucket
        .client()
        .await
        .head_object()
        .bucket(&bucket.settings.bucket)
        .key(location.as_ref())
        .set_if_match(options.if_match)
        .set_if_none_match(options.if_none_match)
        .set_if_modified_since(options.if_modified_since.map(from_chrono))
        .set_if_unmodified_since(options.if_unmodified_since.map(from_chrono))
        .set_version_id(options.version)
        .customize()
        .interceptor(watch.clone())
        .send()
        .await
        .map_err(|error| S3Error::new("look at", bucket.url_of(location), error))?;
    let attributes = Headers::from(&answer).into_attributes();
    let bad = |what| S3Error::BadAnswer { action: "look at", url: bucket.url_of(location), what };
    let meta = ObjectMeta {
        location: location.clone(),
        last_modified: answer.last_modified.and_then(to_chrono).ok_or_else(|| bad("Last-Modified"))?,
        size: answer.content_length.and_then(|size| u64::try_from(size).ok()).ok_or_else(|| bad("length"))?,
        e_tag: answer.e_tag,
        version: answer.version_id,
    };
    let payload = GetResultPayload::Stream(futures::stream::empty().boxed());
    Ok(GetResult { payload, range: 0..meta.size, meta, attributes })
}

async fn get_body(
    bucket: &Bucket,
    location: &Location,
    options: GetOptions,
    watch: &Watch,
) -> Result<GetResult, S3Error> {
    if let Some(range) = &options.range {
        // The header form of an empty or reversed range would mean something else.
        range
            .as_range(u64::MAX)
            .map_err(|_| S3Error::Range { url: bucket.url_of(location), range: format!("{range:?}") })?;
    }
    let ranged = options.range.is_some();
    let mut answer = request(bucket, location, options, watch).await?;
    let attributes = Headers::from(&answer).into_attributes();
    let bad = |what| S3Error::BadAnswer { action: "get", url: bucket.url_of(location), what };
    let (range, size) = match &answer.content_range {
        Some(range) if ranged => parse_content_range(range).ok_or_else(|| bad("Content-Range"))?,
        None if ranged => return Err(bad("Content-Range")),
        _ => {
            let size = answer.content_length.and_then(|size| u64::try_from(size).ok());
            let size = size.ok_or_else(|| bad("length"))?;
            (0..size, size)
        }
    };
    let meta = ObjectMeta {
        location: location.clone(),
        last_modified: answer.last_modified.and_then(to_chrono).ok_or_else(|| bad("Last-Modified"))?,
        size,
        e_tag: answer.e_tag.take(),
        version: answer.version_id.take(),
    };
    let body = Body {
        bucket: bucket.clone(),
        location: location.clone(),
        e_tag: meta.e_tag.clone(),
        version: meta.version.clone(),
        rest: range.clone(),
        stream: answer.body,
        resumes: 0,
    };
    let payload = GetResultPayload::Stream(body.into_stream());
    Ok(GetResult { payload, meta, range, attributes })
}

async fn request(
    bucket: &Bucket,
    location: &Location,
    options: GetOptions,
    watch: &Watch,
) -> Result<GetObjectOutput, S3Error> {
    let answer = bucket
        .client()
        .await
        .get_object()
        .bucket(&bucket.settings.bucket)
        .key(location.as_ref())
        .set_range(options.range.as_ref().map(ToString::to_string))
        .set_if_match(options.if_match)
        .set_if_none_match(options.if_none_match)
        .set_if_modified_since(options.if_modified_since.map(from_chrono))
        .set_if_unmodified_since(options.if_unmodified_since.map(from_chrono))
        .set_version_id(options.version)
        .customize()
        .interceptor(watch.clone())
        .send()
        .await;
    answer.map_err(|error| S3Error::new("get", bucket.url_of(location), error))
}

/// A body on its way, and what is needed to ask for the rest of it.
struct Body {
    bucket: Bucket,
    location: Location,
    e_tag: Option<String>,
    version: Option<String>,
    rest: Range<u64>,
    stream: ByteStream,
    resumes: usize,
}

impl Body {
    fn into_stream(self) -> BoxStream<'static, Result<Bytes>> {
        futures::stream::try_unfold(self, |mut body| async move {
            let piece = body.next().await.map_err(|error| error.into_store(&body.location))?;
            Ok(piece.map(|piece| (piece, body)))
        })
        .boxed()
    }

    async fn next(&mut self) -> Result<Option<Bytes>, S3Error> {
        loop {
            let error = match self.stream.try_next().await {
                Ok(Some(piece)) => {
                    self.rest.start += piece.len() as u64;
                    return Ok(Some(piece));
                }
                Ok(None) => return Ok(None),
                Err(error) => error,
            };
            self.resumes += 1;
            // Without an etag the rest could be that of another object.
            if self.resumes > RESUMES_MAX || self.e_tag.is_none() || self.rest.is_empty() {
                let outcome = crate::Outcome::NotDone;
                let url = self.bucket.url_of(&self.location);
                return Err(S3Error::NoAnswer {
                    action: "read",
                    url,
                    outcome,
                    received: false,
                    source: error.into(),
                });
            }
            tracing::debug!(location = %self.location, rest = ?self.rest, %error, "body broke off");
            let options = GetOptions {
                range: Some(GetRange::Bounded(self.rest.clone())),
                if_match: self.e_tag.clone(),
                version: self.version.clone(),
                ..GetOptions::default()
            };
            self.stream = request(&self.bucket, &self.location, options, &Watch::default()).await?.body;
        }
    }
}

/// `bytes 0-9/100` as range and size.
fn parse_content_range(header: &str) -> Option<(Range<u64>, u64)> {
    let (range, size) = header.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, size): (u64, u64, u64) = (first.parse().ok()?, last.parse().ok()?, size.parse().ok()?);
    (first <= last && last < size).then_some((first..last + 1, size))
}

pub(super) fn to_chrono(time: S3DateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.secs(), time.subsec_nanos())
}

fn from_chrono(time: DateTime<Utc>) -> S3DateTime {
    S3DateTime::from_secs(time.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        let check = |header: &str, expected| assert_eq!(parse_content_range(header), expected, "{header}");
        check("bytes 0-9/100", Some((0..10, 100)));
        check("bytes 99-99/100", Some((99..100, 100)));
        check("bytes 0-9/*", None);
        check("bytes 5-4/100", None);
        check("bytes 0-100/100", None);
        check("bytes */100", None);
        check("0-9/100", None);
    }
}
