//! A bucket in memory behind `s3s`, whose every put checks its conditions and sets under one lock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CommonPrefix, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CopySource, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
    DeleteObjectsOutput, ETag, ETagCondition, Error, GetObjectInput, GetObjectOutput, HeadObjectInput,
    HeadObjectOutput, ListObjectsV2Input, ListObjectsV2Output, Metadata, Object, PutObjectInput,
    PutObjectOutput, Range, StreamingBlob, Timestamp, UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use xxhash_rust::xxh3::xxh3_128;

/// The only bucket.
pub(super) const BUCKET: &str = "metrics";
/// A key that nobody may delete.
pub(super) const UNDELETABLE: &str = "undeletable";
/// When everything was last modified.
const MODIFIED: Duration = Duration::from_secs(1_800_000_000);
/// How many keys a page has, as with AWS.
const PAGE_KEYS: usize = 1000;
/// The smallest part but the last, as with AWS.
const PART_BYTES_MIN: usize = 5 * 1024 * 1024;

/// If-Match and If-None-Match.
type Conditions<'a> = (Option<&'a ETagCondition>, Option<&'a ETagCondition>);

#[derive(Debug, Clone)]
struct Stored {
    content: Bytes,
    e_tag: String,
    metadata: Option<Metadata>,
    content_type: Option<String>,
}

#[derive(Debug, Default)]
struct Upload {
    parts: BTreeMap<i32, Bytes>,
    metadata: Option<Metadata>,
    content_type: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Stored>,
    uploads: BTreeMap<String, Upload>,
}

/// What a policy allows or denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    PutObject,
    GetObject,
    ListBucket,
    DeleteObject,
}

/// The bucket, and how it misbehaves.
#[derive(Debug, Default)]
pub(crate) struct Backend {
    state: Mutex<State>,
    next_upload: AtomicUsize,
    /// Ignore If-Match and If-None-Match, as several servers do.
    pub(crate) ignores_conditions: AtomicBool,
    /// Ignore If-Match alone.
    pub(crate) ignores_if_match: AtomicBool,
    /// Check conditions, but not under the lock that writes.
    pub(crate) checks_too_early: AtomicBool,
    /// Lists nothing, as if what was put took time to show.
    pub(crate) lists_nothing: AtomicBool,
    /// What nobody may do.
    pub(crate) denied: Mutex<Option<Action>>,
    /// So many of the next bodies break off in the middle.
    pub(super) broken_bodies: AtomicUsize,
}

/// The bucket as the server holds it.
#[derive(Debug, Clone)]
pub(super) struct Shared(pub(super) Arc<Backend>);

impl std::ops::Deref for Shared {
    type Target = Backend;

    fn deref(&self) -> &Backend {
        &self.0
    }
}

fn check(conditions: Conditions<'_>, found: Option<&Stored>) -> S3Result<()> {
    let (if_match, if_none_match) = conditions;
    match (if_match, found) {
        (Some(_), None) => return Err(s3_error!(NoSuchKey)),
        (Some(ETagCondition::ETag(e_tag)), Some(found)) if e_tag.value() != found.e_tag => {
            return Err(s3_error!(PreconditionFailed));
        }
        _ => {}
    }
    match (if_none_match, found) {
        (Some(ETagCondition::Any), Some(_)) => Err(s3_error!(PreconditionFailed)),
        (Some(ETagCondition::ETag(e_tag)), Some(found)) if e_tag.value() == found.e_tag => {
            Err(s3_error!(PreconditionFailed))
        }
        _ => Ok(()),
    }
}

fn check_bucket(bucket: &str) -> S3Result<()> {
    if bucket == BUCKET {
        Ok(())
    } else {
        Err(s3_error!(NoSuchBucket, "The specified bucket does not exist"))
    }
}

async fn read(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let Some(mut body) = body else { return Ok(Bytes::new()) };
    let mut content = Vec::new();
    while let Some(piece) = body.try_next().await.map_err(|_| s3_error!(IncompleteBody))? {
        content.extend_from_slice(&piece);
    }
    Ok(content.into())
}

fn modified() -> Option<Timestamp> {
    Some(Timestamp::from(UNIX_EPOCH + MODIFIED))
}

impl Backend {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn allow(&self, action: Action) -> S3Result<()> {
        if *self.denied.lock().unwrap() == Some(action) {
            return Err(s3_error!(AccessDenied, "not by this policy"));
        }
        Ok(())
    }

    pub(super) fn uploads(&self) -> usize {
        self.state().uploads.len()
    }

    /// Overwrites an object behind everybody's back.
    pub(super) fn overtake(&self, key: &str) {
        let overtaking = stored("overtaken".into(), None, None);
        self.state().objects.insert(key.into(), overtaking);
    }

    /// Checks and sets under one lock.
    fn write(&self, key: &str, stored: Stored, conditions: Conditions<'_>) -> S3Result<ETag> {
        let mut state = self.state();
        let checks =
            !self.ignores_conditions.load(Ordering::SeqCst) && !self.checks_too_early.load(Ordering::SeqCst);
        if checks {
            let (if_match, if_none_match) = conditions;
            let if_match = if_match.filter(|_| !self.ignores_if_match.load(Ordering::SeqCst));
            check((if_match, if_none_match), state.objects.get(key))?;
        }
        let e_tag = ETag::Strong(stored.e_tag.clone());
        state.objects.insert(key.into(), stored);
        Ok(e_tag)
    }

    async fn check_early(&self, key: &str, conditions: Conditions<'_>) -> S3Result<()> {
        if self.checks_too_early.load(Ordering::SeqCst) {
            check(conditions, self.state().objects.get(key))?;
            // Lets others check as well, before anybody writes.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    fn find(&self, bucket: &str, key: &str) -> S3Result<Stored> {
        check_bucket(bucket)?;
        self.state()
            .objects
            .get(key)
            .cloned()
            .ok_or_else(|| s3_error!(NoSuchKey, "The specified key does not exist."))
    }

    fn body(&self, content: &Bytes) -> StreamingBlob {
        let breaks = self
            .broken_bodies
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_ok();
        if !breaks {
            let whole = Ok::<_, std::io::Error>(content.clone());
            return StreamingBlob::wrap(futures::stream::iter([whole]));
        }
        let half = futures::stream::once(std::future::ready(Ok(content.slice(..content.len() / 2))));
        let broken = futures::stream::once(async {
            sent().await;
            Err(std::io::Error::other("broken on purpose"))
        });
        StreamingBlob::wrap(half.chain(broken))
    }
}

/// Gives what was written the time to leave, so that the client has the head of the answer.
#[expect(clippy::disallowed_methods, reason = "nothing tells when the socket is empty")]
async fn sent() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

fn stored(content: Bytes, metadata: Option<Metadata>, content_type: Option<String>) -> Stored {
    let e_tag = format!("{:032x}", xxh3_128(&content));
    Stored { content, e_tag, metadata, content_type }
}

/// What a get or head with conditions that do not hold answers.
fn check_read((if_match, if_none_match): Conditions<'_>, found: &Stored) -> S3Result<()> {
    check((if_match, None), Some(found))?;
    check((None, if_none_match), Some(found)).map_err(|_| s3_error!(NotModified))
}

#[async_trait::async_trait]
impl S3 for Shared {
    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        check_bucket(&input.bucket)?;
        self.allow(Action::PutObject)?;
        let conditions = (input.if_match.as_ref(), input.if_none_match.as_ref());
        self.check_early(&input.key, conditions).await?;
        let content = read(input.body).await?;
        let stored = stored(content, input.metadata, input.content_type.map(|kind| kind.to_string()));
        let e_tag = self.write(&input.key, stored, conditions)?;
        Ok(S3Response::new(PutObjectOutput { e_tag: Some(e_tag), ..Default::default() }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        self.allow(Action::GetObject)?;
        let found = self.find(&input.bucket, &input.key)?;
        check_read((input.if_match.as_ref(), input.if_none_match.as_ref()), &found)?;
        let size = found.content.len();
        let part = match input.range {
            Some(range) => range.check(size as u64)?,
            None => 0..size as u64,
        };
        let content =
            found.content.slice(usize::try_from(part.start).unwrap()..usize::try_from(part.end).unwrap());
        let whole = |_: &Range| format!("bytes {}-{}/{size}", part.start, part.end - 1);
        let output = GetObjectOutput {
            content_range: input.range.as_ref().map(whole),
            content_length: Some(i64::try_from(content.len()).unwrap()),
            body: Some(self.body(&content)),
            e_tag: Some(ETag::Strong(found.e_tag)),
            last_modified: modified(),
            metadata: found.metadata,
            content_type: found.content_type,
            ..Default::default()
        };
        Ok(S3Response::new(output))
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        self.allow(Action::GetObject)?;
        let found = self.find(&input.bucket, &input.key)?;
        check_read((input.if_match.as_ref(), input.if_none_match.as_ref()), &found)?;
        let output = HeadObjectOutput {
            content_length: Some(i64::try_from(found.content.len()).unwrap()),
            e_tag: Some(ETag::Strong(found.e_tag)),
            last_modified: modified(),
            metadata: found.metadata,
            content_type: found.content_type,
            ..Default::default()
        };
        Ok(S3Response::new(output))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        check_bucket(&input.bucket)?;
        self.allow(Action::ListBucket)?;
        if self.lists_nothing.load(Ordering::SeqCst) {
            return Ok(S3Response::new(ListObjectsV2Output::default()));
        }
        let prefix = input.prefix.unwrap_or_default();
        let after = input.continuation_token.or(input.start_after).unwrap_or_default();
        let (mut contents, mut prefixes, mut last) = (Vec::new(), BTreeSet::new(), None);
        let mut is_truncated = false;
        for (key, found) in self.state().objects.range(prefix.clone()..) {
            let Some(rest) = key.strip_prefix(&prefix) else { break };
            // A page may end with a prefix that is rolled up, which is then the token.
            if *key <= after || (after.ends_with('/') && key.starts_with(&after) && input.delimiter.is_some())
            {
                continue;
            }
            let rolled = input.delimiter.as_ref().and_then(|delimiter| rest.split_once(delimiter.as_str()));
            let rolled = rolled.map(|(first, _)| format!("{prefix}{first}/"));
            if rolled.as_ref().is_some_and(|rolled| prefixes.contains(rolled)) {
                continue;
            }
            if contents.len() + prefixes.len() == PAGE_KEYS {
                is_truncated = true;
                break;
            }
            last = Some(rolled.clone().unwrap_or_else(|| key.clone()));
            match rolled {
                Some(rolled) => {
                    prefixes.insert(rolled);
                }
                None => contents.push(Object {
                    key: Some(key.clone()),
                    size: Some(i64::try_from(found.content.len()).unwrap()),
                    e_tag: Some(ETag::Strong(found.e_tag.clone())),
                    last_modified: modified(),
                    ..Default::default()
                }),
            }
        }
        let prefixes = prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(prefix) });
        let output = ListObjectsV2Output {
            contents: Some(contents),
            common_prefixes: Some(prefixes.collect()),
            is_truncated: Some(is_truncated),
            next_continuation_token: last.filter(|_| is_truncated),
            ..Default::default()
        };
        Ok(S3Response::new(output))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        check_bucket(&request.input.bucket)?;
        self.allow(Action::DeleteObject)?;
        if request.input.key.ends_with(UNDELETABLE) {
            return Err(s3_error!(AccessDenied, "not this one"));
        }
        self.state().objects.remove(&request.input.key);
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        check_bucket(&request.input.bucket)?;
        let mut errors = Vec::new();
        for object in request.input.delete.objects {
            if object.key.ends_with(UNDELETABLE) {
                let (key, code) = (Some(object.key), Some("AccessDenied".to_string()));
                errors.push(Error { key, code, message: Some("not this one".into()), version_id: None });
            } else {
                self.state().objects.remove(&object.key);
            }
        }
        Ok(S3Response::new(DeleteObjectsOutput { errors: Some(errors), ..Default::default() }))
    }

    async fn copy_object(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let CopySource::Bucket { bucket, key, .. } = &request.input.copy_source else {
            return Err(s3_error!(InvalidRequest));
        };
        let found = self.find(bucket, key)?;
        self.write(&request.input.key, found, (None, None))?;
        Ok(S3Response::new(CopyObjectOutput::default()))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        check_bucket(&request.input.bucket)?;
        let id = self.next_upload.fetch_add(1, Ordering::SeqCst).to_string();
        let content_type = request.input.content_type.map(|kind| kind.to_string());
        let upload = Upload { parts: BTreeMap::new(), metadata: request.input.metadata, content_type };
        self.state().uploads.insert(id.clone(), upload);
        Ok(S3Response::new(CreateMultipartUploadOutput { upload_id: Some(id), ..Default::default() }))
    }

    async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let content = read(request.input.body).await?;
        let e_tag = Some(ETag::Strong(format!("{:032x}", xxh3_128(&content))));
        let mut state = self.state();
        let upload =
            state.uploads.get_mut(&request.input.upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        upload.parts.insert(request.input.part_number, content);
        Ok(S3Response::new(UploadPartOutput { e_tag, ..Default::default() }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let upload = self.state().uploads.remove(&input.upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        let asked = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        if asked.is_empty() || asked.len() != upload.parts.len() {
            return Err(s3_error!(InvalidPart));
        }
        if upload.parts.values().rev().skip(1).any(|part| part.len() < PART_BYTES_MIN) {
            return Err(s3_error!(EntityTooSmall));
        }
        let content: Vec<u8> = upload.parts.values().flatten().copied().collect();
        let stored = stored(content.into(), upload.metadata, upload.content_type);
        let e_tag =
            self.write(&input.key, stored, (input.if_match.as_ref(), input.if_none_match.as_ref()))?;
        let output = CompleteMultipartUploadOutput { e_tag: Some(e_tag), ..Default::default() };
        Ok(S3Response::new(output))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let removed = self.state().uploads.remove(&request.input.upload_id);
        removed.ok_or_else(|| s3_error!(NoSuchUpload))?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}
