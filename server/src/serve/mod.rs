//! `mayfly serve`: opens the storage, starts the roles, and ends them in order.
//!
//! Everything that can be wrong with the flags is found before the first request is taken, and told in one line.

pub(crate) mod admission;
mod compacting;
mod disk_cache;
mod idle;
mod impatient;
mod kept_results;
mod limits;
mod listen;
mod looks;
mod notifications;
mod otlp;
mod own_metrics;
mod pushgateway;
mod rules;
mod scraping;
mod statsd;
mod tenants;
mod unescaped;
mod web_config;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use access::QuotaSettings;
use anyhow::{Context, bail};
use edge::{Ack, Storage, SystemClock};
use ingest::{SharedTranslation, Statsd};
use model::Clock;
use query::api::{LastReload, Process};
use store::{Tenant, WriterSettings};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::cli::{AckKind, Serve};
use admission::{Access, Port, guarded};
use compacting::Compacting;
use limits::{Limits, TenantLimits};
use listen::{Listener, PortLimits};
use notifications::Notifications;
use rules::{Around, ServedRules};
use scraping::{JobsFile, Scraping, Shown};
use statsd::StatsdPort;
use tenants::{Common, Roles, RolesOpener, Tenants};
use web_config::WebConfig;

/// How long requests under way may take after the signal to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// `values` are the flags as they were given.
pub(crate) async fn run(flags: Serve, values: BTreeMap<String, String>) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let type_labels = flags.queries.has_feature("type-and-unit-labels");
    let gateway_settings = gateway::Settings { type_labels, ..pushgateway::settings(&flags)? };
    let (push_ttl_ms, web) = (gateway_settings.push_ttl_ms, gateway_settings.web.clone());
    let ingest_settings = ingest::Settings { push_ttl_ms, type_labels, ..ingest::Settings::default() };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let usual = Limits {
        gateway: gateway_settings,
        ingest: ingest_settings,
        quota: QuotaSettings::default(),
        queries: flags.queries.settings(threads),
        received_bytes_max: None,
    };
    let limits = TenantLimits::open(usual, flags.limits_file.as_deref())?;
    let access = Arc::new(Access::open(&flags.access, Arc::clone(&clock))?);
    let gateway_ports: Vec<Listener> =
        gateway_ports(&flags)?.into_iter().map(|port| port.with_tls(access.web())).collect();
    let query_port = Listener::bind(flags.query, "--query.listen-address")?.with_tls(access.web());
    let statsd_port = match flags.statsd.address {
        Some(address) => Some(StatsdPort::bind(address).await?),
        None => None,
    };
    if !flags.access.allows_anonymous {
        let is_reached = |place: &(&str, SocketAddr)| !place.1.ip().to_canonical().is_loopback();
        let http = gateway_ports.iter().chain([&query_port]).map(Listener::place).find(is_reached);
        // packets tell nothing about who sends them
        let udp = statsd_port.as_ref().map(StatsdPort::place).filter(is_reached);
        if let Some((flag, address)) = http.filter(|_| !access.asks()).or(udp) {
            bail!(
                "{flag} {address}: whoever reaches this address could do anything: say who may, with --access.tokens-file or \
                 users in --web.config.file (both are for HTTP only), or with --web.allow-anonymous that this is meant"
            );
        }
        if http.is_some() {
            access.must_ask();
        }
    }
    let storage = Storage::open(&flags.storage, flags.s3_endpoint.as_deref())
        .await
        .with_context(|| format!("--storage {}", flags.storage))?
        .with_writers(writers(&flags));
    let cache_folder = flags.queries.cache_folder.as_deref();
    let readers = disk_cache::readers(cache_folder, flags.queries.cache_bytes_max).await?;
    let disk = readers.disk.clone();
    let storage = storage.with_readers(readers);

    storage.prove().await.with_context(|| format!("--storage {}", flags.storage))?;
    let ack = match flags.ack {
        Some(AckKind::Stored) => Ack::Stored,
        None if !storage.has_folder() => Ack::Stored,
        Some(AckKind::Logged) | None => Ack::Logged { flush_interval: flags.flush_interval },
    };
    let jobs = flags.scrape_config.as_deref().map(JobsFile::open).transpose().context("--scrape-config")?;
    let last_reload = Arc::new(LastReload::at(clock.now_ms()));
    let process = process(values.clone(), clock.now_ms());
    let targets = jobs.is_some().then(|| Arc::new(Shown::on(&process.host)));
    let common = Arc::new(Common {
        storage: storage.clone(),
        clock: Arc::clone(&clock),
        ack,
        limits,
        query_port: flags.query_port.settings(),
        about: pushgateway::about(&edge::build_information(), values.clone(), clock.now_us()),
        process,
        targets: targets.clone(),
        last_reload: Arc::clone(&last_reload),
        otlp: SharedTranslation::default(),
        results: flags.queries.results(),
    });
    let (first, queries) = Roles::open(&Tenant::default(), &common, None).await?;
    let first = Arc::new(first);
    if let Err(error) = first.writer.ready().await {
        // the clock may be set, so this is no reason to end
        tracing::error!(%error, "pushes are refused for now");
    }
    let opener = RolesOpener { common: Arc::clone(&common), first: Arc::clone(&first) };
    let (open_max, idle_max) = (flags.tenants.open_max, flags.tenants.idle_max());
    let tenants = Tenants::new(opener, open_max, idle_max, Arc::clone(&clock));
    let tenants = Arc::new(tenants);
    if matches!(ack, Ack::Logged { .. }) {
        tenants.owe(logged_by_others(&storage).context("--storage.ack: logs of other tenants")?).await;
    }
    let labels = common.limits.of(&Tenant::default())?.ingest.label_limits();
    let statsd = statsd_port.map(|port| {
        let settings = flags.statsd.settings(push_ttl_ms, type_labels, labels);
        let writer = Arc::clone(&first.writer);
        let statsd = Statsd::new(writer, Arc::clone(&clock), settings, edge::identity());
        (port, Arc::new(statsd.within(first.quota.clone())))
    });
    let scraping = jobs.map(|file| Scraping::new(file, Arc::clone(&first.receiver), Arc::clone(&clock)));
    if let (Some(targets), Some(scraping)) = (&targets, &scraping) {
        targets.show(scraping.scraper());
    }
    let external_url = flags.external_url.clone().filter(|url| !url.is_empty());
    let external_url = external_url.unwrap_or_else(|| query_port.url());
    let notifications = Notifications::open(&flags, &storage, &external_url, &clock).await?;
    let around = Around {
        storage: &storage,
        queries,
        samples: Arc::clone(&first.samples),
        clock: Arc::clone(&clock),
        external_url,
        last_reload: Arc::clone(&last_reload),
        otlp: common.otlp.clone(),
        notifications: notifications.clone(),
    };
    let mut rules = ServedRules::open(&flags, around).await?;
    let compacting = (!flags.compact_interval.is_zero())
        .then(|| Arc::new(Compacting::new(&storage, &flags.compact, &clock)));
    let own = own_metrics::router(own_metrics::Sources {
        storage: storage.clone(),
        first: Arc::clone(&first),
        tenants: Arc::clone(&tenants),
        statsd: statsd.as_ref().map(|(_, statsd)| Arc::clone(statsd)),
        evaluator: Arc::clone(&rules.evaluator),
        courier: notifications.as_ref().map(|notifications| Arc::clone(&notifications.courier)),
        scraper: scraping.as_ref().map(|scraping| Arc::clone(scraping.scraper())),
        last_reload,
        compacting: compacting.clone(),
        disk: disk.clone(),
        results: common.results.clone(),
        access: Arc::clone(&access),
        clock: Arc::clone(&clock),
        started_us: clock.now_us(),
    });
    let of_notifications = courier::router(notifications.as_ref().map(|all| Arc::clone(&all.courier)));
    let of_server = rules.lifecycle(&access).merge(own).merge(of_notifications);
    let query_routes = first.query_routes(Arc::clone(&rules.evaluator), of_server);
    let query_routes = guarded(query_routes, Port::Query, &web, &access, &tenants);
    let gateway_routes = guarded(first.gateway_routes(), Port::Gateway, &web, &access, &tenants);

    let (stop, stopped) = watch::channel(false);
    let of_tenants = tokio::spawn(tenants::keep(Arc::clone(&tenants), stopped.clone()));
    let keeps_young = disk.map(|disk| tokio::spawn(disk_cache::keep_young(disk, stopped.clone())));
    let compacts = compacting
        .map(|compacting| tokio::spawn(compacting.keep_compacting(flags.compact_interval, stopped.clone())));
    let of_access = tokio::spawn(admission::keep_reading(Arc::clone(&access), stopped.clone())?);
    let scrapes = match scraping {
        Some(scraping) => Some(tokio::spawn(scraping.keep_scraping(flags.rules_interval, stopped.clone())?)),
        None => None,
    };
    let of_rules = rules.start(&flags, Arc::clone(&clock), &stopped)?;
    let notifies = notifications.map(|notifications| {
        let courier = Arc::clone(&notifications.courier);
        tokio::spawn(notifications::keep_notifying(courier, Arc::clone(&clock), stopped.clone()))
    });
    tracing::info!(%storage, version = env!("CARGO_PKG_VERSION"), "storage opened");
    gateway_ports.iter().for_each(|port| port.announce("gateway"));
    query_port.announce("query");
    let of_statsd = statsd.map(|(port, statsd)| {
        port.announce();
        tokio::spawn(port.serve(statsd, flags.statsd.flush_interval, stopped.clone()))
    });
    // a tenth of the files that may be open is for the storage
    let (of_gateway, of_query) = (PortLimits::of_system(70), PortLimits::of_system(20));
    let servers = tokio::spawn(async move {
        let on_gateway = gateway_ports
            .into_iter()
            .map(|port| port.serve(gateway_routes.clone(), of_gateway, stopped.clone()));
        futures::join!(
            futures::future::join_all(on_gateway),
            query_port.serve(query_routes, of_query, stopped.clone())
        )
    });
    let stop_signal = StopSignal::listen()?;
    listen::say("ready");

    tokio::select! {
        () = stop_signal.received() => {}
        () = first.gateway.quit_requested() => {}
    }
    tracing::info!("stopping");
    // whoever listens may have ended already
    let _ = stop.send(true);
    if tokio::time::timeout(DRAIN, servers).await.is_err() {
        tracing::warn!(after = ?DRAIN, "requests under way were cut off");
    }
    for task in of_rules {
        task.await.context("rule evaluation ended badly")?;
    }
    if let Some(notifies) = notifies {
        notifies.await.context("notifying ended badly")?;
    }
    of_access.await.context("the look at tokens ended badly")?;
    of_tenants.await.context("the look after tenants ended badly")?;
    if let Some(compacts) = compacts {
        compacts.await.context("compaction ended badly")?;
    }
    if let Some(keeps_young) = keeps_young {
        keeps_young.await.context("the cache on disk ended badly")?;
    }
    if let Some(scrapes) = scrapes {
        scrapes.await.context("scraping ended badly")?;
    }
    if let Some(of_statsd) = of_statsd {
        of_statsd.await.context("the port of StatsD ended badly")?;
    }
    futures::join!(first.close(), tenants.close());
    tracing::info!("stopped");
    Ok(())
}

/// What is wrong with a web configuration.
pub(crate) fn check_web_config(path: &Path) -> Result<(), String> {
    WebConfig::open(path).map(|_| ()).map_err(|error| error.to_string())
}

/// Where jobs push.
fn gateway_ports(flags: &Serve) -> anyhow::Result<Vec<Listener>> {
    if flags.pushgateway.systemd_socket {
        return Listener::of_systemd("--web.systemd-socket");
    }
    let bind = |address: &SocketAddr| Listener::bind(*address, "--gateway.listen-address");
    flags.gateway.iter().map(bind).collect()
}

/// The tenants beside `default` of whom an earlier process has left something in a log.
fn logged_by_others(storage: &Storage) -> std::io::Result<Vec<Tenant>> {
    let mut logged = storage.logged_tenants()?;
    logged.retain(|tenant| *tenant != Tenant::default());
    Ok(logged)
}

fn writers(flags: &Serve) -> WriterSettings {
    WriterSettings {
        group_delay: flags.group_delay.unwrap_or_default(),
        segment_bytes_max: flags.segment_size,
        buffer_bytes_max: flags.buffer_size,
        max_skew: flags.max_skew,
        // the storage gives each its own
        ..WriterSettings::of_writer(0)
    }
}

/// What the query API tells about this process.
fn process(flags: BTreeMap<String, String>, started_ms: i64) -> Process {
    let folder = std::env::current_dir().map(|folder| folder.display().to_string());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Process { started_ms, working_directory: folder.unwrap_or_default(), host, flags }
}

/// SIGTERM or SIGINT. From the moment it is listened for, they no longer end the process by themselves.
struct StopSignal {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignal {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?,
        })
    }

    async fn received(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
