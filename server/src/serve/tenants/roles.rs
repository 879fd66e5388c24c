//! What is of one tenant.

use std::sync::{Arc, Mutex, PoisonError};

use access::{Quota, ROOM_BYTES_MAX, Room};
use alert::Evaluator;
use anyhow::Context;
use axum::Router;
use edge::{Ack, QueryPort, RuleQueries, Storage, StoredDeletions};
use gateway::{About, Gateway, Web};
use ingest::{Receiver, SharedTranslation};
use model::Clock;
use query::Results;
use query::api::{Api, LastReload, Process};
use store::{Reader, SampleBatch, Tenant, Writer};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::serve::limits::TenantLimits;
use crate::serve::looks;
use crate::serve::scraping::Shown;

/// What all tenants are served with.
pub(in crate::serve) struct Common {
    /// Of whichever tenant. Its readers share what they keep in memory.
    pub(in crate::serve) storage: Storage,
    pub(in crate::serve) clock: Arc<dyn Clock>,
    pub(in crate::serve) ack: Ack,
    pub(in crate::serve) limits: TenantLimits,
    pub(in crate::serve) query_port: QueryPort,
    pub(in crate::serve) about: About,
    pub(in crate::serve) process: Process,
    pub(in crate::serve) last_reload: Arc<LastReload>,
    /// What is scraped, for the tenant that the server itself belongs to.
    pub(in crate::serve) targets: Option<Arc<Shown>>,
    /// How OTLP is made into series, of whichever tenant.
    pub(in crate::serve) otlp: SharedTranslation,
    /// Where results of queries are kept, those of each tenant for itself; `None`: none are.
    pub(in crate::serve) results: Option<Arc<Results>>,
}

/// What is of one tenant: who writes, who reads, and what asks them to.
pub(in crate::serve) struct Roles {
    pub(in crate::serve) storage: Storage,
    pub(in crate::serve) writer: Arc<Writer>,
    pub(in crate::serve) samples: Arc<Writer<SampleBatch>>,
    exemplars: Arc<Writer<SampleBatch>>,
    pub(in crate::serve) reader: Arc<Reader>,
    pub(in crate::serve) gateway: Arc<Gateway>,
    pub(in crate::serve) receiver: Arc<Receiver>,
    /// Memory for what is received.
    pub(in crate::serve) room: Arc<Room>,
    /// `None`: nobody counts what comes.
    pub(in crate::serve) quota: Option<Arc<Quota>>,
    pub(in crate::serve) api: Arc<Api>,
    query_port: QueryPort,
    web: Web,
    stop: watch::Sender<bool>,
    looks: Mutex<Option<JoinHandle<()>>>,
}

impl Roles {
    /// Opens what is of a tenant; what an earlier process has left in its log is in the store then. Whoever has `first`, the roles
    /// of the tenant that the server itself belongs to, shares caches and queues with it, and is told nothing of the server.
    pub(in crate::serve) async fn open(
        tenant: &Tenant,
        common: &Common,
        first: Option<&Self>,
    ) -> anyhow::Result<(Self, RuleQueries)> {
        let (clock, ack) = (Arc::clone(&common.clock), common.ack);
        let mut limits = common.limits.of(tenant)?;
        let storage = common.storage.of_tenant(tenant.clone());
        let writer = storage.push_writer(Arc::clone(&clock), ack).await.context("--storage.ack")?;
        let samples = storage.sample_writer(Arc::clone(&clock), ack).await.context("--storage.ack")?;
        let exemplars = storage.exemplar_writer(Arc::clone(&clock), ack).await.context("--storage.ack")?;
        let (writer, samples, exemplars) = (Arc::new(writer), Arc::new(samples), Arc::new(exemplars));
        let reader = storage.reader(Some(&writer), Some(&samples));
        let reader = Arc::new(reader.with_exemplars(storage.exemplar_source(&exemplars)));
        let quota = limits.quota.quota(&clock);
        let room = match first {
            // all tenants share one
            Some(first) => Arc::clone(&first.room),
            None => Room::new(limits.received_bytes_max.unwrap_or(ROOM_BYTES_MAX)),
        };
        let about = match first {
            None => common.about.clone(),
            Some(_) => {
                limits.gateway.web.lifecycle = false;
                common.about.without_flags()
            }
        };
        let web = limits.gateway.web.clone();
        let gateway = Gateway::with_samples(
            Arc::clone(&writer),
            Arc::clone(&samples),
            Arc::clone(&reader),
            Arc::clone(&clock),
            limits.gateway,
        );
        let gateway =
            gateway.with_exemplars(Arc::clone(&exemplars)).within(quota.clone()).in_room(Arc::clone(&room));
        let gateway = Arc::new(gateway.about(about).knowing_groups());
        let receiver =
            Receiver::new(Arc::clone(&samples), Arc::clone(&writer), Arc::clone(&clock), limits.ingest);
        let receiver =
            receiver.with_exemplars(Arc::clone(&exemplars)).within(quota.clone()).in_room(Arc::clone(&room));
        let receiver = receiver.translating(common.otlp.clone());
        let (api, queries) = edge::queries(Arc::clone(&reader), limits.queries, Arc::clone(&clock));
        let api = common.results.iter().fold(api, Api::with_results);
        let api = api.of_tenant(tenant.to_string());
        let api = match web.admin_api {
            true => {
                let deletions = StoredDeletions::new(&storage, Arc::clone(&reader), Arc::clone(&clock));
                api.with_deleter(Arc::new(deletions))
            }
            false => api,
        };
        let (api, receiver) = match first {
            None => {
                let last_reload = Arc::clone(&common.last_reload);
                let api = api.with_process(common.process.clone()).with_last_reload(last_reload);
                let targets = common.targets.clone();
                (targets.into_iter().fold(api, |api, targets| api.with_targets(targets)), receiver)
            }
            Some(first) => (api.queueing_with(&first.api), receiver.remembering_with(&first.receiver)),
        };
        let (stop, stopped) = watch::channel(false);
        let looks = tokio::spawn(looks::keep_looking(Arc::clone(&gateway), stopped));
        let roles = Self {
            storage,
            writer,
            samples,
            exemplars,
            reader,
            gateway,
            receiver: Arc::new(receiver),
            room,
            quota,
            api: Arc::new(api),
            query_port: common.query_port.clone(),
            web,
            stop,
            looks: Mutex::new(Some(looks)),
        };
        Ok((roles, queries))
    }

    /// What answers on the port where jobs push.
    pub(in crate::serve) fn gateway_routes(&self) -> Router {
        let receiver = || Arc::clone(&self.receiver);
        let ingested = ingest::router(receiver()).merge(ingest::influx_router(receiver()));
        below(&self.web.route_prefix, ingested).merge(gateway::router(Arc::clone(&self.gateway)))
    }

    /// What answers on the port where queries are answered, with `more`.
    pub(in crate::serve) fn query_routes(&self, rules: Arc<Evaluator>, more: Router) -> Router {
        let more = ingest::router(Arc::clone(&self.receiver)).merge(more);
        edge::query_routes(Arc::clone(&self.api), rules, &self.query_port, more)
    }

    /// Whether something waits to be written to the object store.
    pub(in crate::serve) fn has_more_to_write(&self) -> bool {
        let of_samples = [&self.samples, &self.exemplars].map(|writer| writer.tail().1.entries());
        self.writer.tail().1.entries() + of_samples.iter().sum::<usize>() > 0
    }

    /// Takes no more, and returns when what was taken is written or refused.
    pub(in crate::serve) async fn close(&self) {
        // whoever listens may have ended already
        let _ = self.stop.send(true);
        let looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(looks) = looks
            && let Err(error) = looks.await
        {
            tracing::error!(%error, tenant = %self.storage.tenant(), "the gateway's looks at the storage ended badly");
        }
        futures::join!(self.writer.close(), self.samples.close(), self.exemplars.close());
    }
}

/// Routes with the prefix that the gateway's have.
fn below(prefix: &str, routes: Router) -> Router {
    let parts: Vec<&str> = prefix.split('/').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return routes;
    }
    // braces stand for parameters unless they are doubled
    let literal = parts.join("/").replace('{', "{{").replace('}', "}}");
    Router::new().nest(&format!("/{literal}"), routes)
}
