//! Which tenants are open.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use model::Clock;
use store::Tenant;
use tokio::sync::watch;

use crate::serve::admission::Port;

/// Opens tenants.
#[async_trait]
pub(in crate::serve) trait Opener: Send + Sync + 'static {
    type Open: Opened;

    async fn open(&self, tenant: &Tenant) -> anyhow::Result<Self::Open>;
}

/// A tenant that is open.
#[async_trait]
pub(in crate::serve) trait Opened: Send + Sync + 'static {
    /// What answers requests for it.
    fn routes(&self, port: Port) -> Router;

    /// Whether something waits to be written.
    fn has_more_to_write(&self) -> bool;

    /// Returns when all that was acknowledged is as durable as it gets.
    async fn close(&self);
}

/// Why a tenant is not open.
#[derive(Clone, Debug, thiserror::Error)]
pub(in crate::serve) enum NotOpen {
    /// Too many are.
    #[error("{max} tenants are open beside default, which is --tenants.max-open: try again later")]
    TooMany { max: usize },
    /// It was tried.
    #[error("tenant {tenant} cannot be opened now: the log of the server says why")]
    Failed { tenant: Tenant },
    /// It is too late.
    #[error("the server is shutting down")]
    Stopped,
}

impl NotOpen {
    /// The limit that is exceeded, for programs.
    pub(in crate::serve) fn limit(&self) -> Option<&'static str> {
        matches!(self, Self::TooMany { .. }).then_some("tenants_max_open")
    }
}

/// A tenant that could not be opened is left alone for so long.
const RETRY_MS: i64 = 1_000;

/// The tenants of a server beside the one that is always there.
pub(in crate::serve) struct Tenants<O: Opener> {
    opener: O,
    open_max: usize,
    /// How long nobody asks for a tenant before it is closed; `None`: for ever.
    idle_max: Option<Duration>,
    clock: Arc<dyn Clock>,
    slots: Mutex<Slots<O::Open>>,
    refused: AtomicU64,
    failures: AtomicU64,
}

struct Slots<T> {
    by_tenant: HashMap<Tenant, Slot<T>>,
    /// Those of whom a log has something left: they are opened although nobody asks, and however many are open.
    owed: BTreeMap<String, Tenant>,
    is_stopped: bool,
}

enum Slot<T> {
    Open(Arc<Kept<T>>),
    /// It is being opened or closed.
    Changing(watch::Receiver<Change>),
    Failed {
        until_ms: i64,
    },
}

/// How far that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    UnderWay,
    Done,
    Failed,
}

/// A tenant that is open, for as long as somebody has this.
pub(in crate::serve) struct Kept<T> {
    pub(in crate::serve) open: T,
    used_ms: AtomicI64,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) struct TenantCounts {
    /// Requests that would have opened one too many.
    pub(in crate::serve) refused: u64,
    /// Tenants that could not be opened, as often as that was tried.
    pub(in crate::serve) failures: u64,
    /// Tenants of whom a log has something that is not in the storage, and that are not open.
    pub(in crate::serve) owed: usize,
}

impl<O: Opener> Tenants<O> {
    /// None is open yet.
    pub(in crate::serve) fn new(
        opener: O,
        open_max: usize,
        idle_max: Option<Duration>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let slots = Slots { by_tenant: HashMap::new(), owed: BTreeMap::new(), is_stopped: false };
        let (refused, failures) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { opener, open_max, idle_max, clock, slots: Mutex::new(slots), refused, failures }
    }

    /// A tenant, which is opened if it is not open. It stays open at least as long as the caller has it.
    pub(in crate::serve) async fn get(
        self: &Arc<Self>,
        tenant: &Tenant,
    ) -> Result<Arc<Kept<O::Open>>, NotOpen> {
        let failed = || NotOpen::Failed { tenant: tenant.clone() };
        loop {
            let mut change = {
                let mut slots = self.lock();
                let now_ms = self.clock.now_ms();
                match slots.by_tenant.get(tenant) {
                    Some(Slot::Open(kept)) => {
                        kept.used_ms.store(now_ms, Ordering::Relaxed);
                        return Ok(Arc::clone(kept));
                    }
                    Some(Slot::Changing(change)) => change.clone(),
                    Some(Slot::Failed { until_ms }) if now_ms < *until_ms => return Err(failed()),
                    _ => self.begin(&mut slots, tenant, now_ms)?,
                }
            };
            match change.wait_for(|change| *change != Change::UnderWay).await.as_deref() {
                Ok(Change::Failed) | Err(_) => return Err(failed()),
                // open, or closed and to be opened anew
                Ok(_) => {}
            }
        }
    }

    /// Begins to open a tenant, if there is room.
    fn begin(
        self: &Arc<Self>,
        slots: &mut Slots<O::Open>,
        tenant: &Tenant,
        now_ms: i64,
    ) -> Result<watch::Receiver<Change>, NotOpen> {
        if slots.is_stopped {
            return Err(NotOpen::Stopped);
        }
        slots.forget_failures(now_ms);
        let is_owed = slots.owed.contains_key(&tenant.to_string());
        if slots.by_tenant.len() >= self.open_max && !is_owed {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(NotOpen::TooMany { max: self.open_max });
        }
        let (sender, change) = watch::channel(Change::UnderWay);
        slots.by_tenant.insert(tenant.clone(), Slot::Changing(change.clone()));
        // whoever asked may go away, and others wait for it
        let (this, tenant) = (Arc::clone(self), tenant.clone());
        tokio::spawn(async move { this.open(tenant, sender).await });
        Ok(change)
    }

    async fn open(self: Arc<Self>, tenant: Tenant, sender: watch::Sender<Change>) {
        let (this, of_task) = (Arc::clone(&self), tenant.clone());
        let opened = tokio::spawn(async move { this.opener.open(&of_task).await }).await;
        let opened = opened.map_err(anyhow::Error::from).and_then(|opened| opened);
        let now_ms = self.clock.now_ms();
        let (slot, change) = match opened {
            Ok(open) => {
                tracing::info!(%tenant, "tenant opened");
                (Slot::Open(Arc::new(Kept { open, used_ms: AtomicI64::new(now_ms) })), Change::Done)
            }
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%tenant, error = format!("{error:#}"), "tenant not opened");
                (Slot::Failed { until_ms: now_ms.saturating_add(RETRY_MS) }, Change::Failed)
            }
        };
        let mut slots = self.lock();
        if change == Change::Done {
            slots.owed.remove(&tenant.to_string());
        }
        slots.by_tenant.insert(tenant, slot);
        drop(slots);
        sender.send_replace(change);
    }

    /// Opens tenants of whom a log has something left; those that cannot be opened are tried again by [`Self::open_owed`].
    pub(in crate::serve) async fn owe(self: &Arc<Self>, tenants: Vec<Tenant>) {
        self.lock().owed.extend(tenants.into_iter().map(|tenant| (tenant.to_string(), tenant)));
        self.open_owed().await;
    }

    pub(in crate::serve) async fn open_owed(self: &Arc<Self>) {
        let owed: Vec<Tenant> = self.lock().owed.values().cloned().collect();
        for tenant in owed {
            // whatever is wrong was told
            let _ = self.get(&tenant).await;
        }
    }

    /// Closes those that nobody has asked for for long, that nobody has, and of whom nothing waits to be written.
    pub(in crate::serve) fn close_idle(self: &Arc<Self>) {
        let Some(idle_max) = self.idle_max else { return };
        let idle_ms = i64::try_from(idle_max.as_millis()).unwrap_or(i64::MAX);
        let before_ms = self.clock.now_ms().saturating_sub(idle_ms);
        let mut slots = self.lock();
        slots.forget_failures(self.clock.now_ms());
        let is_idle = |slot: &Slot<O::Open>| match slot {
            // only under this lock is it given to anybody
            Slot::Open(kept) => {
                Arc::strong_count(kept) == 1
                    && kept.used_ms.load(Ordering::Relaxed) <= before_ms
                    && !kept.open.has_more_to_write()
            }
            _ => false,
        };
        let idle: Vec<Tenant> = slots
            .by_tenant
            .iter()
            .filter(|(_, slot)| is_idle(slot))
            .map(|(tenant, _)| tenant.clone())
            .collect();
        for tenant in idle {
            tracing::info!(%tenant, "tenant closed, since nobody asks for it");
            self.close_one(&mut slots, tenant);
        }
    }

    /// Begins to close a tenant that is open.
    fn close_one(self: &Arc<Self>, slots: &mut Slots<O::Open>, tenant: Tenant) {
        let (sender, change) = watch::channel(Change::UnderWay);
        let before = slots.by_tenant.insert(tenant.clone(), Slot::Changing(change));
        let this = Arc::clone(self);
        tokio::spawn(async move {
            if let Some(Slot::Open(kept)) = before {
                kept.open.close().await;
            }
            this.lock().by_tenant.remove(&tenant);
            sender.send_replace(Change::Done);
        });
    }

    /// Closes all, and opens no more. Requests that are still under way are refused by what they write with.
    pub(in crate::serve) async fn close(self: &Arc<Self>) {
        loop {
            let changes: Vec<_> = {
                let mut slots = self.lock();
                slots.is_stopped = true;
                slots.by_tenant.retain(|_, slot| !matches!(slot, Slot::Failed { .. }));
                let open: Vec<Tenant> = slots
                    .by_tenant
                    .iter()
                    .filter(|(_, slot)| matches!(slot, Slot::Open(_)))
                    .map(|(tenant, _)| tenant.clone())
                    .collect();
                for tenant in open {
                    self.close_one(&mut slots, tenant);
                }
                let changing = slots.by_tenant.values().filter_map(|slot| match slot {
                    Slot::Changing(change) => Some(change.clone()),
                    _ => None,
                });
                changing.collect()
            };
            if changes.is_empty() {
                return;
            }
            for mut change in changes {
                // an error means that whoever changed it is gone
                let _ = change.wait_for(|change| *change != Change::UnderWay).await;
            }
        }
    }

    /// Those that are open, in order of names.
    pub(in crate::serve) fn open_now(&self) -> Vec<(Tenant, Arc<Kept<O::Open>>)> {
        let slots = self.lock();
        let open = slots.by_tenant.iter().filter_map(|(tenant, slot)| match slot {
            Slot::Open(kept) => Some((tenant.clone(), Arc::clone(kept))),
            _ => None,
        });
        let mut open: Vec<_> = open.collect();
        open.sort_by_key(|(tenant, _)| tenant.to_string());
        open
    }

    pub(in crate::serve) fn counts(&self) -> TenantCounts {
        TenantCounts {
            refused: self.refused.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            owed: self.lock().owed.len(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Slots<O::Open>> {
        // nothing in here panics between two changes that belong together
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Slots<T> {
    /// Those whose time is over take no place any more.
    fn forget_failures(&mut self, now_ms: i64) {
        self.by_tenant.retain(|_, slot| !matches!(slot, Slot::Failed { until_ms } if *until_ms <= now_ms));
    }
}
