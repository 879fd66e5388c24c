//! Deletes: one object by its own request, more in batches. That an object was not there is no error.

use std::collections::HashMap;

use aws_sdk_s3::error::BuildError;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::Result;
use object_store::path::Path as Location;

use super::Bucket;
use super::error::{FORBIDDEN, NOT_FOUND, S3Error};
use crate::Outcome;

/// What an error of one object in a batch counts as, for want of a status of its own.
const INTERNAL_ERROR: u16 = 500;

/// How many objects one request can delete.
const BATCH: usize = 1000;
/// How many batches are under way at the same time.
const BATCHES_AT_ONCE: usize = 4;

/// Deletes what comes, and gives the results in the same order.
pub(super) fn delete_stream(
    bucket: &Bucket,
    locations: BoxStream<'static, Result<Location>>,
) -> BoxStream<'static, Result<Location>> {
    let bucket = bucket.clone();
    locations
        .chunks(BATCH)
        .map(move |batch| {
            let bucket = bucket.clone();
            async move { futures::stream::iter(delete_batch(&bucket, batch).await) }
        })
        .buffered(BATCHES_AT_ONCE)
        .flatten()
        .boxed()
}

/// The results of one batch; a single error if the whole request failed.
async fn delete_batch(bucket: &Bucket, batch: Vec<Result<Location>>) -> Vec<Result<Location>> {
    let locations: Vec<&Location> = batch.iter().flatten().collect();
    let deleted = match locations.as_slice() {
        [] => Ok(HashMap::new()),
        [location] => delete_one(bucket, location).await.map_err(|error| error.into_store(location)),
        [first, ..] => delete_many(bucket, &locations).await.map_err(|error| error.into_store(first)),
    };
    match deleted {
        Ok(mut failed) => batch
            .into_iter()
            .map(|location| {
                let location = location?;
                failed
                    .remove(location.as_ref())
                    .map_or_else(|| Ok(location.clone()), |error| Err(error.into_store(&location)))
            })
            .collect(),
        Err(error) => vec![Err(error)],
    }
}

async fn delete_one(bucket: &Bucket, location: &Location) -> Result<HashMap<String, S3Error>, S3Error> {
    let request = bucket.client().await.delete_object();
    let answer = request.bucket(&bucket.settings.bucket).key(location.as_ref()).send().await;
    match answer.map_err(|error| S3Error::new("delete", bucket.url_of(location), error)) {
        Err(error) if error.status() != Some(NOT_FOUND) || error.is_no_such_bucket() => Err(error),
        _ => Ok(HashMap::new()),
    }
}

/// What could not be deleted, by key.
async fn delete_many(bucket: &Bucket, locations: &[&Location]) -> Result<HashMap<String, S3Error>, S3Error> {
    let unbuildable = |error: BuildError| S3Error::NoAnswer {
        action: "delete objects in",
        url: bucket.url(),
        outcome: Outcome::NotDone,
        received: false,
        source: error.into(),
    };
    let ids = locations.iter().map(|location| ObjectIdentifier::builder().key(location.as_ref()).build());
    let ids = ids.collect::<Result<Vec<_>, _>>().map_err(unbuildable)?;
    let delete = Delete::builder().set_objects(Some(ids)).quiet(true).build().map_err(unbuildable)?;
    let answer = bucket
        .client()
        .await
        .delete_objects()
        .bucket(&bucket.settings.bucket)
        .delete(delete)
        .send()
        .await
        .map_err(|error| S3Error::new("delete objects in", bucket.url(), error))?;
    let mut failed = HashMap::new();
    for error in answer.errors.unwrap_or_default() {
        let (Some(key), code) = (error.key, error.code.unwrap_or_default()) else { continue };
        if code == "NoSuchKey" {
            continue;
        }
        let refused = S3Error::Refused {
            action: "delete",
            url: format!("{}/{key}", bucket.url()),
            status: if code == "AccessDenied" { FORBIDDEN } else { INTERNAL_ERROR },
            code,
            message: error.message.unwrap_or_default(),
        };
        failed.insert(key, refused);
    }
    Ok(failed)
}
