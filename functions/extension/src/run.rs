//! The life of an extension: it registers, listens, and does its work after each invocation and at the end.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use edge::identity;
use functions::Environment;
use model::Labels;
use tokio::net::TcpListener;

use crate::counted::Counted;
use crate::function::Function;
use crate::lambda::{Lambda, Next, Registered, Subscribed, left};
use crate::outbox::Outbox;
use crate::receive::{self, Otlp, StatsdPort};
use crate::sender::{Sender, before};
use crate::settings::Settings;
use crate::stats::Stats;
use crate::target::Target;
use crate::telemetry::Telemetry;

/// So long before a function's time is over the extension waits no longer for its end, which may have been lost: an invocation
/// is over when the extension asks for the next one, too, and one that is not over in time is a timeout.
const EARLY: Duration = Duration::from_millis(100);
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
    let mistakes = environment.finish().err();
    if let Some(mistakes) = mistakes {
        if !settings.api.is_empty()
            && let Ok(registered) = Lambda::at(&settings.api).register(&own_name()).await
        {
            // it ends either way, and the log says why
            let _ = registered.cannot_start(&mistakes.to_string()).await;
        }
        return Err(mistakes);
    }
    let registered = Lambda::at(&settings.api).register(&own_name()).await?;
    match Extension::start(settings, &registered).await {
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
    sender: Sender,
    stats: Arc<Stats>,
    /// What it has told about itself.
    told: Counted,
    /// Whether the platform tells when an invocation ends. Where it does not, what came with one is sent when the next one begins.
    hears: bool,
    send_timeout: Duration,
}

impl Extension {
    async fn start(settings: Settings, registered: &Registered) -> anyhow::Result<Self> {
        let function = Function {
            name: registered.name.clone(),
            version: registered.version.clone(),
            region: settings.region.clone(),
        };
        let labels = function.labels();
        let stats = Arc::new(Stats::default());
        let identity = [identity(), identity()];
        let outbox =
            Arc::new(Outbox::new(settings.buffer_bytes_max, settings.ttl_ms, identity, Arc::clone(&stats)));
        let telemetry = Telemetry::new(Arc::clone(&outbox), Arc::clone(&stats), labels.clone());
        let hears = subscribe(&settings, registered, &telemetry).await?;

        let otlp = Otlp::new(Arc::clone(&outbox), &function);
        let router = receive::router(&outbox, otlp, labels.clone());
        for (name, port) in
            [("MAYFLY_PUSH_PORT", settings.push_port), ("MAYFLY_OTLP_PORT", settings.otlp_port)]
        {
            if let Some(port) = port {
                listen(name, local(port), router.clone()).await?;
            }
        }
        let statsd = match settings.statsd_port {
            Some(port) => Some(statsd(port, &labels).await?),
            None => None,
        };
        let target = Arc::new(Target::of(settings.place)?);
        let sender = Sender::new(Arc::clone(&outbox), target, Arc::clone(&stats));
        let send_timeout = Duration::from_millis(settings.send_timeout_ms.unsigned_abs());
        let told = Counted::new(usize::MAX);
        Ok(Self { telemetry, statsd, outbox, sender, stats, told, hears, send_timeout })
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
        if self.hears {
            self.telemetry.begins(id);
            let before_events = self.telemetry.events();
            let until = before(left(deadline_ms), EARLY);
            let is_done = self.telemetry.is_done(id, until).await;
            if !is_done && self.telemetry.events() == before_events {
                tracing::error!(
                    "the platform does not report: metrics are sent when the next invocation begins"
                );
                self.hears = false;
            }
        }
        self.flush(left(deadline_ms).min(self.send_timeout + RESERVE), RESERVE).await;
    }

    async fn ends(&mut self, reason: &str, deadline_ms: i64) {
        if self.hears {
            // of an invocation that has run, all but its report is here already
            let until = before(left(deadline_ms).min(LAST_REPORTS), Duration::ZERO);
            self.telemetry.are_reported(until).await;
        }
        self.flush(left(deadline_ms), LAST_RESERVE).await;
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

    async fn flush(&mut self, time: Duration, reserve: Duration) {
        if let Some(statsd) = &self.statsd {
            statsd.hand_over(&self.outbox);
        }
        self.tell_own();
        if !self.outbox.is_empty() {
            self.sender.flush(before(time, reserve)).await;
        }
    }

    /// What it has counted about itself since it was last told, if that is anything.
    fn tell_own(&mut self) {
        let of_statsd = self.statsd.as_ref().map(|statsd| statsd.families()).unwrap_or_default();
        let mut families: Vec<_> = self.stats.families().into_iter().chain(of_statsd).collect();
        for family in &mut families {
            self.told.increments(&Labels::empty(), family);
            let is_more = |metric: &wire::Metric| metric.value != wire::MetricValue::Counter(0.0);
            family.metrics.retain(is_more);
        }
        families.retain(|family| !family.metrics.is_empty());
        if !families.is_empty() {
            self.telemetry.add_own(families);
        }
    }
}

/// Whether the platform will report to the telemetry.
async fn subscribe(
    settings: &Settings,
    registered: &Registered,
    telemetry: &Arc<Telemetry>,
) -> anyhow::Result<bool> {
    // all of the sandbox's own addresses, since nobody says which of them Lambda uses
    let host = settings.telemetry_host.as_deref();
    let ip = host.and_then(|host| host.parse::<IpAddr>().ok()).unwrap_or(Ipv4Addr::UNSPECIFIED.into());
    let address = listen("MAYFLY_TELEMETRY_HOST", SocketAddr::new(ip, 0), telemetry.router()).await?;
    match registered.subscribe(host, address).await {
        Ok(Subscribed::Yes) => Ok(true),
        Ok(Subscribed::No) => {
            tracing::warn!(
                "there is no Telemetry API here: metrics are sent when the next invocation begins"
            );
            Ok(false)
        }
        Err(error) => {
            tracing::error!(%error, "no reports of the platform: metrics are sent when the next invocation begins");
            Ok(false)
        }
    }
}

async fn statsd(port: u16, labels: &Labels) -> anyhow::Result<Arc<StatsdPort>> {
    let place =
        || format!("MAYFLY_STATSD_PORT {port}: cannot listen there (another port, or off, is an answer)");
    let statsd = Arc::new(StatsdPort::bind(local(port), labels.clone()).await.with_context(place)?);
    tracing::info!(variable = "MAYFLY_STATSD_PORT", address = %statsd.address()?, "listening");
    let served = Arc::clone(&statsd);
    tokio::spawn(async move { served.serve().await });
    Ok(statsd)
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
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
