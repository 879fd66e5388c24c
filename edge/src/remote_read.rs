//! `/api/v1/read`: raw samples of selected series, for a Prometheus that reads from here.
//!
//! A client evaluates what it is given as scraped samples, with a lookback of its own. So what was pushed is answered as if it had
//! been scraped: with a sample at every multiple of an interval, and a stale marker behind the last of them where it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use access::Grant;
use alert::Evaluator;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt, TryStreamExt};
use model::{Label, Labels, MatchOp, Matcher, NeededLabels, Selection, Series};
use query::api::Api;
use query::{Scrapes, SeriesSource, SourceError, SourceErrorKind, SourceNotes};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wire::encoding::{EncodingError, snappy_block};
use wire::remote_read::{Frames, Query, ReadRequest, ReadRequestError, ResponseType};
use wire::remote_read::{query_result, read_response, sample_series};

/// Where it is.
pub const READ_PATH: &str = "/api/v1/read";

/// How remote reads are answered. The defaults are those of Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteReadSettings {
    /// How many samples a query may give where the client takes no chunks; 0 for any number.
    pub samples_max: u64,
    /// How many requests are answered at once, others wait; 0 for any number.
    pub concurrent_max: usize,
    /// How many bytes of chunks a frame has, the last chunk aside.
    pub frame_bytes_max: usize,
}

impl Default for RemoteReadSettings {
    fn default() -> Self {
        Self { samples_max: 50_000_000, concurrent_max: 10, frame_bytes_max: 1 << 20 }
    }
}

/// What a request may have, both as it is sent and once inflated.
const BODY_BYTES_MAX: usize = 32 << 20;

/// Far beyond what any clock shows, and safe to compute with.
const TIME_MS_MAX: i64 = i64::MAX / 1_000_000;

/// How remote reads are answered, and places for those that are answered at once; whoever has a clone shares them.
#[derive(Clone, Debug)]
pub struct RemoteReads {
    settings: RemoteReadSettings,
    places: Arc<Semaphore>,
}

impl RemoteReads {
    /// None is answered yet.
    pub fn new(settings: RemoteReadSettings) -> Self {
        let places = match settings.concurrent_max {
            0 => Semaphore::MAX_PERMITS,
            some => some.min(Semaphore::MAX_PERMITS),
        };
        Self { settings, places: Arc::new(Semaphore::new(places)) }
    }
}

/// The route, over what the query API reads.
pub(crate) fn router(api: Arc<Api>, rules: Arc<Evaluator>, reads: &RemoteReads) -> Router {
    let RemoteReads { settings, places } = reads.clone();
    let remote_read = RemoteRead { api, rules, settings, places };
    Router::new().route(READ_PATH, post(read)).with_state(Arc::new(remote_read))
}

struct RemoteRead {
    api: Arc<Api>,
    /// Configuration tells them the external labels.
    rules: Arc<Evaluator>,
    settings: RemoteReadSettings,
    places: Arc<Semaphore>,
}

/// Why a request is not answered. The texts are those of Prometheus where it has them.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the body is larger than {BODY_BYTES_MAX} bytes, or broke off")]
    Body,
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    #[error(transparent)]
    Request(#[from] ReadRequestError),
    #[error("exceeded sample limit ({samples_max})")]
    Samples { samples_max: u64 },
    #[error("more than {series_max} series")]
    Series { series_max: usize },
    #[error("an answer of more than {bytes_max} bytes")]
    Bytes { bytes_max: u64 },
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("reading broke off")]
    Broken(#[from] tokio::task::JoinError),
    #[error("no more requests are answered")]
    Closed(#[from] tokio::sync::AcquireError),
}

impl Refused {
    /// The one place where it is chosen. That bad matchers are no bad request is Prometheus' choice.
    fn status(&self) -> StatusCode {
        match self {
            Self::Request(ReadRequestError::MatcherType | ReadRequestError::Matcher(_)) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::Body | Self::Encoding(_) | Self::Request(_) => StatusCode::BAD_REQUEST,
            Self::Samples { .. } | Self::Series { .. } | Self::Bytes { .. } => StatusCode::BAD_REQUEST,
            Self::Source(error) if error.kind == SourceErrorKind::Limit => StatusCode::BAD_REQUEST,
            Self::Source(_) | Self::Broken(_) | Self::Closed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        if let Self::Source(error) = &self {
            tracing::warn!(error = error as &dyn std::error::Error, "remote read: source does not answer");
        }
        let nosniff = (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        (self.status(), [nosniff], format!("{self}\n")).into_response()
    }
}

async fn read(
    State(remote_read): State<Arc<RemoteRead>>,
    grant: Option<Extension<Grant>>,
    body: Body,
) -> Result<Response, Refused> {
    let place = Arc::clone(&remote_read.places).acquire_owned().await?;
    let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| Refused::Body)?;
    let request = ReadRequest::decode(&snappy_block(&body, BODY_BYTES_MAX)?)?;
    let form = request.response_type()?;
    let grant = grant.map(|Extension(grant)| grant).unwrap_or_default();
    let asked = Asked {
        source: remote_read.api.source_for(&grant),
        external: remote_read.rules.settings().external_labels.clone(),
        remote_read,
        form,
    };
    match form {
        ResponseType::Samples => asked.samples(&request.queries).await,
        ResponseType::StreamedXorChunks => asked.chunks(request.queries, place).await,
    }
}

/// One request, on behalf of somebody.
struct Asked {
    remote_read: Arc<RemoteRead>,
    source: Arc<dyn SeriesSource>,
    external: Labels,
    form: ResponseType,
}

/// A series as it is sent, and the labels by which it is in order.
type Written = (Labels, Vec<u8>);

/// What makes series into bytes.
#[derive(Clone)]
struct Writer {
    form: ResponseType,
    frames: Frames,
    scrapes: Scrapes,
    external: Labels,
    /// How many samples there may be where they are counted.
    samples_left: u64,
    /// How many bytes may be written.
    bytes_left: u64,
    /// Nobody wants it any more.
    unwanted: Arc<AtomicBool>,
}

/// Says that nobody wants something any more.
struct Unwanted(Arc<AtomicBool>);

impl Drop for Unwanted {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What a [`Writer`] made of a batch.
#[derive(Default)]
struct Batch {
    written: Vec<Written>,
    samples: u64,
    bytes: u64,
}

impl Asked {
    async fn samples(&self, queries: &[Query]) -> Result<Response, Refused> {
        let mut results = Vec::new();
        for (index, query) in queries.iter().enumerate() {
            let series = self.query(index, query).await?;
            results.extend(query_result(series.iter().map(|(_, bytes)| bytes.as_slice())));
        }
        let body = tokio::task::spawn_blocking(move || read_response(&results)).await?;
        let body = body.ok_or(Refused::Bytes { bytes_max: u32::MAX.into() })?;
        let headers =
            [(header::CONTENT_TYPE, "application/x-protobuf"), (header::CONTENT_ENCODING, "snappy")];
        Ok((headers, body).into_response())
    }

    /// The first query is read before the head of the answer goes out, so that what goes wrong has a status. If a later one
    /// cannot be read, the answer breaks off.
    async fn chunks(self, queries: Vec<Query>, place: OwnedSemaphorePermit) -> Result<Response, Refused> {
        let mut queries = queries.into_iter().enumerate();
        let first = match queries.next() {
            Some((index, query)) => self.query(index, &query).await?,
            None => Vec::new(),
        };
        let asked = Arc::new(self);
        let others = stream::iter(queries).then(move |(index, query)| {
            let asked = Arc::clone(&asked);
            async move {
                let read = asked.query(index, &query).await;
                read.inspect_err(|error| tracing::warn!(%error, "remote read: an answer breaks off"))
            }
        });
        let all = stream::iter([Ok(first)]).chain(others);
        let body = all.map_ok(move |series| {
            // whoever waits for a place waits until the answer is sent
            let _place = &place;
            parts(series).map(Ok::<_, Refused>)
        });
        let head = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";
        Ok(([(header::CONTENT_TYPE, head)], Body::from_stream(body.try_flatten())).into_response())
    }

    /// The series of a query in order of labels, written as they are sent: chunks take a fraction of the memory of samples.
    async fn query(&self, index: usize, query: &Query) -> Result<Vec<Written>, Refused> {
        let settings = self.remote_read.api.engine().settings();
        let now_ms = self.remote_read.api.clock().now_ms();
        let selection = self.selection(query);
        let mut writer = Writer {
            form: self.form,
            frames: Frames { query_index: index, bytes_max: self.remote_read.settings.frame_bytes_max },
            scrapes: Scrapes {
                interval_ms: settings.as_scraped_ms.filter(|&ms| ms > 0).unwrap_or(settings.hold_interval_ms),
                start_ms: selection.start_ms,
                // nothing was scraped yet in the future
                end_ms: selection.end_ms.min(now_ms),
            },
            external: self.external.clone(),
            samples_left: match (self.form, self.remote_read.settings.samples_max) {
                (ResponseType::StreamedXorChunks, _) | (_, 0) => u64::MAX,
                (ResponseType::Samples, some) => some,
            },
            bytes_left: settings.bytes_max,
            unwanted: Arc::default(),
        };
        let _unwanted = Unwanted(Arc::clone(&writer.unwanted));
        if selection.end_ms < selection.start_ms {
            return Ok(Vec::new());
        }
        let notes = SourceNotes::default();
        let mut written = Vec::<Written>::new();
        let labels_only = query.hints.as_ref().is_some_and(|hints| hints.function == "series");
        let mut batches = self.batches(&selection, labels_only, &notes);
        while let Some(batch) = batches.try_next().await? {
            if written.len() + batch.len() > settings.series_max {
                return Err(Refused::Series { series_max: settings.series_max });
            }
            let work = writer.clone();
            let batch = tokio::task::spawn_blocking(move || work.write(&batch, labels_only)).await?;
            let samples_max = self.remote_read.settings.samples_max;
            let samples_left = writer.samples_left.checked_sub(batch.samples);
            writer.samples_left = samples_left.ok_or(Refused::Samples { samples_max })?;
            let bytes_left = writer.bytes_left.checked_sub(batch.bytes);
            writer.bytes_left = bytes_left.ok_or(Refused::Bytes { bytes_max: settings.bytes_max })?;
            written.extend(batch.written);
        }
        drop(batches);
        for lacking in notes.into_texts() {
            tracing::warn!(lacking, "remote read: an answer is not complete");
        }
        written.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(written)
    }

    /// Series in batches; without samples, if only labels are wanted.
    fn batches<'a>(
        &'a self,
        selection: &'a Selection,
        labels_only: bool,
        notes: &'a SourceNotes,
    ) -> BoxStream<'a, Result<Vec<Series>, SourceError>> {
        if !labels_only {
            return self.source.batches(selection, &NeededLabels::All, notes);
        }
        let named = |labels: Labels| Series { labels, ..Series::default() };
        let all = async move {
            let labels = self.source.series(std::slice::from_ref(selection), notes).await?;
            Ok::<Vec<_>, SourceError>(labels.into_iter().map(named).collect())
        };
        stream::once(all).boxed()
    }

    /// What a query selects. A client that knows the external labels asks for them too, but they are not stored; and what it looks
    /// at may be less than what it asks for.
    fn selection(&self, query: &Query) -> Selection {
        let stored = |matcher: &Matcher| match self.external.get(&matcher.name) {
            Some(value) if matcher.op == MatchOp::Equal && *matcher.value == *value => {
                Matcher::equal(Arc::clone(&matcher.name), "")
            }
            _ => matcher.clone(),
        };
        let (mut start_ms, mut end_ms) = (query.start_ms, query.end_ms);
        if let Some(hints) = query.hints.as_ref().filter(|hints| (hints.start_ms, hints.end_ms) != (0, 0)) {
            (start_ms, end_ms) = (start_ms.max(hints.start_ms), end_ms.min(hints.end_ms));
        }
        let [start_ms, end_ms] = [start_ms, end_ms].map(|at_ms| at_ms.clamp(-TIME_MS_MAX, TIME_MS_MAX));
        Selection { matchers: query.matchers.iter().map(stored).collect(), start_ms, end_ms }
    }
}

impl Writer {
    /// The series of a batch that have samples. It ends behind the one that is too much.
    fn write(&self, batch: &[Series], labels_only: bool) -> Batch {
        let mut done = Batch::default();
        for series in batch {
            let labels = self.labelled(&series.labels);
            // one more than there may be is enough to know
            let most = self.samples_left.saturating_sub(done.samples).saturating_add(1);
            let points = self.scrapes.points(series).take(usize::try_from(most).unwrap_or(usize::MAX));
            let mut bytes = Vec::new();
            match self.form {
                ResponseType::StreamedXorChunks if labels_only => {
                    self.frames.write_labels(&labels, &mut bytes);
                }
                ResponseType::StreamedXorChunks => {
                    self.frames.write(&labels, points, &mut bytes);
                }
                ResponseType::Samples => {
                    let (found, samples) = sample_series(&labels, points);
                    done.samples += samples;
                    if samples > 0 || labels_only {
                        bytes = found;
                    }
                }
            }
            done.bytes += bytes.len() as u64;
            if !bytes.is_empty() {
                done.written.push((series.labels.clone(), bytes));
            }
            let is_too_much = done.samples > self.samples_left || done.bytes > self.bytes_left;
            if is_too_much || self.unwanted.load(Ordering::Relaxed) {
                break;
            }
        }
        done
    }

    /// With the external labels that a series does not have itself.
    fn labelled(&self, labels: &Labels) -> Labels {
        if self.external.is_empty() {
            return labels.clone();
        }
        let mut builder = labels.to_builder();
        for Label { name, value } in &self.external {
            if labels.get(name).is_none() {
                builder.set(Arc::clone(name), Arc::clone(value));
            }
        }
        builder.build()
    }
}

/// Series in pieces that are worth being sent.
fn parts(series: Vec<Written>) -> impl Stream<Item = Bytes> {
    const PART_BYTES: usize = 64 << 10;
    let mut series = series.into_iter();
    stream::iter(std::iter::from_fn(move || {
        let (_, mut part) = series.next()?;
        while part.len() < PART_BYTES {
            let Some((_, more)) = series.next() else { break };
            part.extend_from_slice(&more);
        }
        Some(Bytes::from(part))
    }))
}
