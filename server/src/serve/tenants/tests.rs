use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::ensure;
use async_trait::async_trait;
use axum::Router;
use axum::routing::get;
use store::Tenant;
use testkit::ManualClock;
use tokio::sync::Semaphore;

use super::*;
use crate::serve::admission::Port;

/// Opens what answers with the name of the tenant and the port.
#[derive(Default)]
pub(in crate::serve) struct Named {
    world: Arc<World>,
}

#[derive(Default)]
struct World {
    /// How often each tenant was opened, and how often closed.
    opened: Mutex<BTreeMap<String, (usize, usize)>>,
    /// Whether opening waits for a permit.
    waits: AtomicBool,
    gate: Gate,
    fails: AtomicBool,
    has_more: AtomicBool,
    closing: AtomicUsize,
}

struct Gate(Semaphore);

impl Default for Gate {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

pub(in crate::serve) struct NamedTenant {
    name: String,
    world: Arc<World>,
}

#[async_trait]
impl Opener for Named {
    type Open = NamedTenant;

    async fn open(&self, tenant: &Tenant) -> anyhow::Result<NamedTenant> {
        let world = &self.world;
        if world.waits.load(Ordering::Relaxed) {
            world.gate.0.acquire().await?.forget();
        }
        ensure!(!world.fails.load(Ordering::Relaxed), "the disk is full");
        world.opened.lock().expect("unpoisoned").entry(tenant.to_string()).or_default().0 += 1;
        Ok(NamedTenant { name: tenant.to_string(), world: Arc::clone(world) })
    }
}

#[async_trait]
impl Opened for NamedTenant {
    fn routes(&self, port: Port) -> Router {
        let text = format!("{} {}", self.name, port.as_str());
        Router::new().route("/api/v1/query", get(async || text))
    }

    fn has_more_to_write(&self) -> bool {
        self.world.has_more.load(Ordering::Relaxed)
    }

    async fn close(&self) {
        self.world.closing.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        self.world.opened.lock().expect("unpoisoned").entry(self.name.clone()).or_default().1 += 1;
    }
}

/// With room for so many.
pub(in crate::serve) fn named(open_max: usize) -> Arc<Tenants<Named>> {
    tenants(open_max, None).1
}

fn tenants(
    open_max: usize,
    idle_max: Option<Duration>,
) -> (Arc<ManualClock>, Arc<Tenants<Named>>, Arc<World>) {
    let (clock, world) = (Arc::new(ManualClock::at_ms(1_000_000)), Arc::new(World::default()));
    let opener = Named { world: Arc::clone(&world) };
    (Arc::clone(&clock), Arc::new(Tenants::new(opener, open_max, idle_max, clock)), world)
}

fn tenant(name: &str) -> Tenant {
    Tenant::new(name).expect("a name")
}

fn counted(world: &World, name: &str) -> (usize, usize) {
    world.opened.lock().expect("unpoisoned").get(name).copied().unwrap_or_default()
}

/// Lets tasks under way go on until this holds.
async fn until(holds: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if holds() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("not in time");
}

#[tokio::test]
async fn many_ask_and_it_is_opened_once() {
    let (_, tenants, world) = tenants(10, None);
    world.waits.store(true, Ordering::Relaxed);
    let ask = || {
        let tenants = Arc::clone(&tenants);
        tokio::spawn(
            async move { tenants.get(&tenant("a")).await.map(|_| ()).map_err(|why| why.to_string()) },
        )
    };
    let asking: Vec<_> = (0..50).map(|_| ask()).collect();
    let impatient = ask();
    tokio::task::yield_now().await;
    // whoever goes away does not keep others from it
    impatient.abort();
    world.gate.0.add_permits(1);
    for asked in asking {
        assert_eq!(asked.await.expect("ends"), Ok(()));
    }
    assert_eq!(counted(&world, "a"), (1, 0));
}

#[tokio::test]
async fn what_fails_is_of_one_tenant_and_is_tried_again() {
    let (clock, tenants, world) = tenants(1, None);
    world.fails.store(true, Ordering::Relaxed);
    let told = |result: Result<_, NotOpen>| result.map(|_| ()).expect_err("is refused").to_string();
    assert_eq!(
        told(tenants.get(&tenant("a")).await),
        "tenant a cannot be opened now: the log of the server says why"
    );
    world.fails.store(false, Ordering::Relaxed);
    // not at once
    assert!(tenants.get(&tenant("a")).await.is_err());
    assert_eq!((counted(&world, "a"), tenants.counts().failures), ((0, 0), 1));
    clock.advance_ms(1_000);
    assert!(tenants.get(&tenant("b")).await.is_ok(), "it takes no place");
    let too_many = tenants.get(&tenant("a")).await.map(|_| ()).expect_err("is refused");
    assert_eq!(too_many.limit(), Some("tenants_max_open"));
    assert!(too_many.to_string().contains("1 tenants are open"), "{too_many}");
    assert!(tenants.get(&tenant("b")).await.is_ok(), "whoever is open stays so");
    assert_eq!(tenants.counts(), TenantCounts { refused: 1, failures: 1, owed: 0 });
}

#[tokio::test]
async fn whoever_is_idle_is_closed_and_opened_again() {
    let (clock, tenants, world) = tenants(1, Some(Duration::from_secs(60)));
    let held = tenants.get(&tenant("a")).await.expect("opens");
    clock.advance_ms(60_000);
    tenants.close_idle();
    assert_eq!(world.closing.load(Ordering::Relaxed), 0, "somebody has it");
    drop(held);
    world.has_more.store(true, Ordering::Relaxed);
    tenants.close_idle();
    assert_eq!(tenants.open_now().len(), 1, "something waits to be written");
    world.has_more.store(false, Ordering::Relaxed);
    drop(tenants.get(&tenant("a")).await);
    tenants.close_idle();
    assert_eq!(tenants.open_now().len(), 1, "it was asked for just now");
    clock.advance_ms(60_000);
    tenants.close_idle();
    assert_eq!(tenants.open_now().len(), 0);
    // while it is being closed it takes its place, and whoever asks for it waits
    assert!(tenants.get(&tenant("b")).await.is_err());
    assert!(tenants.get(&tenant("a")).await.is_ok());
    assert_eq!(counted(&world, "a"), (2, 1));
}

#[tokio::test]
async fn what_a_log_has_is_opened_until_it_works_and_beyond_the_limit() {
    let (clock, tenants, world) = tenants(1, None);
    world.fails.store(true, Ordering::Relaxed);
    tenants.owe(vec![tenant("a"), tenant("b")]).await;
    assert_eq!((tenants.counts().owed, tenants.open_now().len()), (2, 0));
    world.fails.store(false, Ordering::Relaxed);
    clock.advance_ms(1_000);
    tenants.open_owed().await;
    assert_eq!((tenants.counts().owed, tenants.open_now().len()), (0, 2));
    assert!(tenants.get(&tenant("c")).await.is_err());
    tenants.open_owed().await;
    assert_eq!(counted(&world, "a"), (1, 0));
}

#[tokio::test]
async fn the_end_closes_all_and_opens_none() {
    let (_, tenants, world) = tenants(3, None);
    assert!(tenants.get(&tenant("a")).await.is_ok());
    world.waits.store(true, Ordering::Relaxed);
    let opening = {
        let tenants = Arc::clone(&tenants);
        tokio::spawn(async move { tenants.get(&tenant("b")).await.is_ok() })
    };
    tokio::task::yield_now().await;
    let closing = {
        let tenants = Arc::clone(&tenants);
        tokio::spawn(async move { tenants.close().await })
    };
    until(|| counted(&world, "a") == (1, 1)).await;
    // it waits for what is being opened
    assert!(!closing.is_finished());
    world.gate.0.add_permits(1);
    closing.await.expect("ends");
    assert_eq!((counted(&world, "a"), counted(&world, "b")), ((1, 1), (1, 1)));
    assert!(matches!(tenants.get(&tenant("c")).await, Err(NotOpen::Stopped)));
    drop(opening.await);
}
