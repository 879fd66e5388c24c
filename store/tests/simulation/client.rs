//! The store as one process sees it: requests take time, and may go wrong.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use model::AnswerTime;
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::oneshot;

use super::bucket::Broken;
use super::chance::Chance;
use super::ledger::parsed;
use super::manifest;
use super::weather::Fate;
use super::world::World;

/// The store as one process sees it.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    world: Arc<World>,
    /// Whose process it is.
    actor: String,
    /// The process was killed: what it has sent goes on, and it sends nothing more.
    is_dead: Arc<AtomicBool>,
}

impl Client {
    pub(crate) fn new(world: &Arc<World>, actor: &str) -> Self {
        Self { world: Arc::clone(world), actor: actor.to_owned(), is_dead: Arc::default() }
    }

    pub(crate) fn kill(&self) {
        self.is_dead.store(true, Ordering::SeqCst);
    }

    /// Sends a request and waits for the answer. What it does at the store does not depend on whether anybody waits.
    async fn request<T: Send + 'static>(
        &self,
        kind: &str,
        path: &Path,
        effect: impl FnOnce(&World) -> Result<T> + Send + 'static,
    ) -> Result<(T, Fate)> {
        let world = Arc::clone(&self.world);
        world.schedule.goes_on();
        if self.is_dead.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let asked = format!("{kind} {path}");
        let plan = world.weathers.plan(&self.actor, &asked);
        let tie = Chance::of(0, &[&self.actor, &asked]).next();
        let (send, answer) = oneshot::channel();
        let told = format!("{} {asked}", self.actor);
        self.world.schedule.at(world.now_us() + plan.there_us, tie, move || {
            let result = match plan.fate {
                Fate::Done | Fate::Short => done(&world, &told, effect).map(|found| (found, plan.fate)),
                Fate::Unanswered => done(&world, &told, effect).and(Err(failed("no answer came"))),
                Fate::Failed => Err(failed("it failed")),
                Fate::Throttled => Err(failed("SlowDown")),
                Fate::DoneLate(late_us) => {
                    let (later, told) = (Arc::clone(&world), told.clone());
                    world.schedule.at(world.now_us() + late_us, tie, move || {
                        let _ = done(&later, &format!("{told}, late"), effect);
                    });
                    Err(failed("no answer came yet"))
                }
            };
            if plan.fate != Fate::Done {
                world.tell(format!("{told}: {:?}", plan.fate));
            }
            let answering = Arc::clone(&world);
            world.schedule.at(world.now_us() + plan.back_us, tie, move || {
                answering.schedule.goes_on();
                // whoever is gone does not want to know
                let _ = send.send(result);
            });
        });
        answer.await.unwrap_or_else(|_| Err(failed("the store is gone")))
    }
}

fn done<T>(world: &World, told: &str, effect: impl FnOnce(&World) -> Result<T>) -> Result<T> {
    let result = effect(world);
    let outcome = match &result {
        Ok(_) => "done".to_owned(),
        Err(Error::NotFound { .. }) => "not found".to_owned(),
        Err(error) => error.to_string(),
    };
    world.tell(format!("{told}: {outcome}"));
    result
}

fn failed(why: &'static str) -> Error {
    Error::Generic { store: "simulation", source: why.into() }
}

fn date(world: &World, answer: Option<AnswerTime>) {
    if let Some(answer) = answer.filter(|_| world.has_date) {
        let is_frozen = world.bucket().broken == Some(Broken::FrozenDate);
        let at_us = if is_frozen { world.began_us() } else { world.now_us() };
        answer.set(Some(at_us.div_euclid(1_000_000)));
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store of {}", self.actor)
    }
}

#[async_trait]
impl ObjectStore for Client {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let bytes = Bytes::from(payload);
        if !self.is_dead.load(Ordering::SeqCst) {
            let now_us = self.world.now_us();
            let in_log = parsed(path).and_then(|(_, id)| self.world.disk.stamps(id));
            let sent = self.world.ledger().sent(path, &bytes, in_log.as_deref(), now_us);
            if let Err(wrong) = sent {
                self.world.fail(wrong);
            }
        }
        let (at, answer) = (path.clone(), options.extensions.get::<AnswerTime>().cloned());
        let put = move |world: &World| {
            let now_us = world.now_us();
            let before = world.bucket().get(&at).ok();
            let e_tag = world.bucket().put(&at, bytes.clone(), &options.mode, now_us)?;
            world.ledger().landed(&at, now_us);
            if let Some((before, _)) = before.filter(|_| at.filename() == Some("manifest.json"))
                && let Err(wrong) = manifest::rises(&before, &bytes)
            {
                world.fail(wrong);
            }
            if at.filename() == Some("manifest.json") {
                let stream = if at.as_ref().contains("/samples/") { "samples" } else { "pushes" };
                let merged = manifest::merged(&world.bucket(), stream);
                let landed =
                    merged.and_then(|merged| world.ledger().manifest_landed(&at, &bytes, merged, now_us));
                if let Err(wrong) = landed {
                    world.fail(wrong);
                }
            }
            date(world, answer);
            Ok(PutResult { e_tag: Some(e_tag), version: None })
        };
        Ok(self.request("PUT", path, put).await?.0)
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(Error::NotImplemented { operation: "an upload in parts".into(), implementer: self.to_string() })
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let at = path.clone();
        let get = move |world: &World| {
            let found = world.bucket().get(&at);
            date(world, options.extensions.get::<AnswerTime>().cloned());
            let (bytes, meta) = found?;
            options.check_preconditions(&meta)?;
            let range = match &options.range {
                Some(range) => range
                    .as_range(meta.size)
                    .map_err(|error| Error::Generic { store: "simulation", source: Box::new(error) })?,
                None => 0..meta.size,
            };
            let [from, to] = [range.start, range.end].map(|at| usize::try_from(at).expect("fits"));
            Ok((bytes.slice(from..to), range, meta))
        };
        let ((bytes, range, meta), fate) = self.request("GET", path, get).await?;
        let mut parts = vec![Ok(bytes.clone())];
        if fate == Fate::Short {
            parts = vec![Ok(bytes.slice(..bytes.len() / 2)), Err(failed("the answer ends too early"))];
        }
        let payload = GetResultPayload::Stream(stream::iter(parts).boxed());
        Ok(GetResult { payload, meta, range, attributes: Attributes::default() })
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let client = self.clone();
        let delete = move |path: Path| {
            let client = client.clone();
            async move {
                let at = path.clone();
                client.world.ledger().delete_sent(&path, &client.actor);
                client.request("DELETE", &path, move |world| world.bucket().delete(&at)).await?;
                Ok(path)
            }
        };
        paths.and_then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (client, below) = (self.clone(), prefix.cloned().unwrap_or_default());
        let page = move |after: Option<Option<Path>>| {
            let (client, below) = (client.clone(), below.clone());
            async move {
                let Some(after) = after else { return Ok::<_, Error>(None) };
                let (most, of) = (client.world.page, below.clone());
                let list = move |world: &World| {
                    let now_us = world.now_us();
                    Ok(world.bucket().page(&of, after.as_ref(), most, now_us))
                };
                let (found, _) = client.request("LIST", &below, list).await?;
                let next =
                    found.last().filter(|_| found.len() == most).map(|last| Some(last.location.clone()));
                Ok(Some((stream::iter(found.into_iter().map(Ok)), next)))
            }
        };
        stream::try_unfold(Some(None), page).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(Error::NotImplemented {
            operation: "a listing of one level".into(),
            implementer: self.to_string(),
        })
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(Error::NotImplemented { operation: "a copy".into(), implementer: self.to_string() })
    }
}
