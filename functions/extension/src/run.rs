//! The life of an extension: it registers, listens, and does its work after each invocation and at the end.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use edge::SystemClock;
use functions::Environment;
use model::Labels;
use tokio::net::TcpListener;

use crate::counted::{Counted, Seen};
use crate::function::Function;
use crate::lambda::{Lambda, Next, Registered, Subscribed, left};
use crate::outbox::Outbox;
use crate::receive::{self, Otlp, StatsdPort};
use crate::sender::{Chance, Sender, before};
use crate::settings::{Port, Settings};
use crate::snapshot::Snapshot;
use crate::stats::Stats;
use crate::target::Target;
use crate::telemetry::Telemetry;

/// So long before a function's time is over the extension waits no longer for its end, which may have been lost: an invocation
/// is over when the extension asks for the next one, too, and one that is not over in time is a timeout.
const EARLY: Duration = Duration::from_millis(100);
/// A platform that reports says within so long that an invocation has begun.
const SILENCE: Duration = Duration::from_secs(1);
/// So much of an invocation's time is left when sending ends.
const RESERVE: Duration = Duration::from_millis(50);
/// How long the last reports are waited for when the sandbox ends.
const LAST_REPORTS: Duration = Duration::from_millis(300);
/// So much of the time before the sandbox is killed is left when sending ends.
const LAST_RESERVE: Duration = Duration::from_millis(100);

/// Runs until the sandbox ends.
///
/// # Errors
/// If it cannot start, or Lambda cannot be talked to any more. Lambda then ends the sandbox.
pub async fn run() -> anyhow::Result<()> {
    let mut environment = Environment::of_process();
    let settings = Settings::of(&mut environment);
    let mistakes = environment.finish();
    if settings.api.is_empty() {
        // this is no Lambda
        return mistakes;
    }
    let stats = Arc::new(Stats::default());
    if let Err(mistakes) = mistakes {
        // the function is none the worse for it
        tracing::error!("{mistakes:#}: this is left out, or has its default");
        stats.mistaken_settings();
    }
    let registered = Lambda::at(&settings.api).register(&own_name()).await?;
    match Extension::start(settings, &registered, stats).await {
        Ok(mut extension) => extension.live(&registered).await,
        Err(error) => {
            let _ = registered.cannot_start(&format!("{error:#}")).await;
            Err(error)
        }
    }
}

/// Lambda knows an extension by the name of its file.
fn own_name() -> String {
    let path = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&path).file_name().and_then(|name| name.to_str());
    name.unwrap_or("mayfly").to_owned()
}

struct Extension {
    telemetry: Arc<Telemetry>,
    statsd: Option<Arc<StatsdPort>>,
    outbox: Arc<Outbox>,
    /// `None`: nobody knows where to.
    sender: Option<Sender>,
    stats: Arc<Stats>,
    /// What it has told about itself.
    told: Counted,
    hearing: Hearing,
    send_timeout: Duration,
}

/// Whether the platform tells when an invocation ends. Where it does not, what came with one is sent when the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hearing {
    Hears,
    /// It has told of so many ends, and then of one not: until it tells again, nobody waits for that.
    Missed {
        ends: u64,
    },
}

impl Extension {
    async fn start(settings: Settings, registered: &Registered, stats: Arc<Stats>) -> anyhow::Result<Self> {
        let function = Function {
            name: registered.name.clone(),
            version: registered.version.clone(),
            region: settings.region.clone(),
        };
        let labels = function.labels();
        let clock = Arc::new(SystemClock);
        let outbox = Outbox::new(
            settings.buffer_bytes_max,
            settings.ttl_ms,
            settings.is_snapshot,
            Arc::clone(&clock) as _,
            Arc::clone(&stats),
        );
        let outbox = Arc::new(outbox);
        let telemetry = Telemetry::new(Arc::clone(&outbox), Arc::clone(&stats), labels.clone());
        let hearing = match subscribe(&settings, registered, &telemetry).await {
            true => Hearing::Hears,
            false => Hearing::Missed { ends: 0 },
        };

        let otlp = Otlp::new(Arc::clone(&outbox), &function);
        let router = receive::router(&outbox, otlp, labels.clone());
        for (name, port) in
            [("MAYFLY_PUSH_PORT", settings.push_port), ("MAYFLY_OTLP_PORT", settings.otlp_port)]
        {
            if let Some(port) = port {
                let listening = listen(name, local(port), router.clone()).await;
                needed(port, listening, &stats)?;
            }
        }
        let statsd = match settings.statsd_port {
            Some(port) => {
                needed(port, statsd(port, &labels, Snapshot::new(settings.is_snapshot)).await, &stats)?
            }
            None => None,
        };
        let sender = Target::of(settings.place)?
            .map(|target| Sender::new(Arc::clone(&outbox), Arc::new(target), clock as _, Arc::clone(&stats)));
        let send_timeout = Duration::from_millis(settings.send_timeout_ms.unsigned_abs());
        let told = Counted::new(usize::MAX);
        Ok(Self { telemetry, statsd, outbox, sender, stats, told, hearing, send_timeout })
    }

    async fn live(&mut self, registered: &Registered) -> anyhow::Result<()> {
        loop {
            match registered.next().await? {
                Next::Invoke { id, deadline_ms } => self.invoked(&id, deadline_ms).await,
                Next::Shutdown { reason, deadline_ms } => {
                    self.ends(&reason, deadline_ms).await;
                    return Ok(());
                }
            }
        }
    }

    /// Waits until the function is done, and then sends what there is. Its caller has the answer by then.
    async fn invoked(&mut self, id: &str, deadline_ms: i64) {
        self.outbox.begins();
        self.statsd.iter().for_each(|statsd| statsd.begins());
        if self.sender.is_some() && self.hears() && !self.hears_the_end_of(id, deadline_ms).await {
            tracing::warn!(
                "the platform has not told that an invocation was over: until it tells, metrics are sent when the next one begins"
            );
            self.hearing = Hearing::Missed { ends: self.telemetry.ends() };
        }
        let time = left(deadline_ms).min(self.send_timeout + RESERVE);
        self.flush(time, RESERVE, Chance::OfMany).await;
    }

    fn hears(&mut self) -> bool {
        if let Hearing::Missed { ends } = self.hearing
            && self.telemetry.ends() > ends
        {
            self.hearing = Hearing::Hears;
        }
        self.hearing == Hearing::Hears
    }

    /// False if it was not told, and is waited for no longer.
    async fn hears_the_end_of(&self, id: &str, deadline_ms: i64) -> bool {
        self.telemetry.begins(id);
        let (silence, until) = (before(SILENCE, Duration::ZERO), before(left(deadline_ms), EARLY));
        self.telemetry.is_done(id, silence, until).await
    }

    async fn ends(&mut self, reason: &str, deadline_ms: i64) {
        if self.telemetry.events() > 0 {
            // of an invocation that has run, all but its report is here already
            let until = before(left(deadline_ms).min(LAST_REPORTS), Duration::ZERO);
            self.telemetry.are_reported(until).await;
        }
        self.flush(left(deadline_ms), LAST_RESERVE, Chance::Last).await;
        let (lost, dropped) = (self.outbox.metrics(), self.stats.dropped());
        if lost > 0 {
            tracing::error!(
                reason,
                metrics = lost,
                "the sandbox ends, and these metrics could not be sent: they are lost"
            );
        }
        if dropped > 0 {
            tracing::error!(reason, metrics = dropped, "metrics that were dropped in this sandbox");
        }
    }

    async fn flush(&mut self, time: Duration, reserve: Duration, chance: Chance) {
        if let Some(statsd) = &self.statsd {
            statsd.hand_over(&self.outbox);
        }
        let Some(sender) = &self.sender else {
            self.stats.nowhere(self.outbox.clear());
            return;
        };
        tell_own(&mut self.told, &self.telemetry, &self.stats, self.statsd.as_deref());
        if !self.outbox.is_empty() {
            sender.flush(before(time, reserve), chance).await;
        }
    }
}

/// What it has counted about itself since it was last told, if that is anything.
fn tell_own(told: &mut Counted, telemetry: &Telemetry, stats: &Stats, statsd: Option<&StatsdPort>) {
    let of_statsd = statsd.map(StatsdPort::families).unwrap_or_default();
    let mut families: Vec<_> = stats.families().into_iter().chain(of_statsd).collect();
    let mut seen = Seen::default();
    for family in &mut families {
        told.increments(&Labels::empty(), family, &mut seen);
        let is_more = |metric: &wire::Metric| metric.value != wire::MetricValue::Counter(0.0);
        family.metrics.retain(is_more);
    }
    told.remember(seen);
    families.retain(|family| !family.metrics.is_empty());
    if !families.is_empty() {
        telemetry.add_own(families);
    }
}

/// Whether the platform will report to the telemetry.
async fn subscribe(settings: &Settings, registered: &Registered, telemetry: &Arc<Telemetry>) -> bool {
    // all of the sandbox's own addresses, since nobody says which of them Lambda uses
    let host = settings.telemetry_host.as_deref();
    let ip = host.and_then(|host| host.parse::<IpAddr>().ok()).unwrap_or(Ipv4Addr::UNSPECIFIED.into());
    let address = match listen("MAYFLY_TELEMETRY_HOST", SocketAddr::new(ip, 0), telemetry.router()).await {
        Ok(address) => address,
        Err(error) => {
            tracing::error!(
                "{error:#}; no reports of the platform: metrics are sent when the next invocation begins"
            );
            return false;
        }
    };
    match registered.subscribe(host, address).await {
        Ok(Subscribed::Yes) => true,
        Ok(Subscribed::No) => {
            tracing::warn!(
                "there is no Telemetry API here: metrics are sent when the next invocation begins"
            );
            false
        }
        Err(error) => {
            tracing::error!(%error, "no reports of the platform: metrics are sent when the next invocation begins");
            false
        }
    }
}

/// A port that nobody has asked for is left out if it is not free: the function may do without.
///
/// # Errors
/// If somebody has.
fn needed<T>(port: Port, listening: anyhow::Result<T>, stats: &Stats) -> anyhow::Result<Option<T>> {
    match listening {
        Err(error) if !port.is_set => {
            tracing::error!("{error:#}; it is left out");
            stats.taken_port();
            Ok(None)
        }
        listening => listening.map(Some),
    }
}

async fn statsd(port: Port, labels: &Labels, snapshot: Snapshot) -> anyhow::Result<Arc<StatsdPort>> {
    let place = || {
        let number = port.number;
        format!("MAYFLY_STATSD_PORT {number}: cannot listen there (another port, or off, is an answer)")
    };
    let statsd = Arc::new(StatsdPort::bind(local(port), labels.clone(), snapshot).await.with_context(place)?);
    tracing::info!(variable = "MAYFLY_STATSD_PORT", address = %statsd.address()?, "listening");
    let served = Arc::clone(&statsd);
    tokio::spawn(async move { served.serve().await });
    Ok(statsd)
}

fn local(port: Port) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port.number).into()
}

/// Serves these routes from now on; gives the address, which has a port that was free if none was given.
async fn listen(variable: &str, address: SocketAddr, router: Router) -> anyhow::Result<SocketAddr> {
    let place = || format!("{variable} {address}: cannot listen there (another port, or off, is an answer)");
    let listener = TcpListener::bind(address).await.with_context(place)?;
    let address = listener.local_addr().with_context(place)?;
    tracing::info!(variable, %address, "listening");
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "no requests are taken any more");
        }
    });
    Ok(address)
}
