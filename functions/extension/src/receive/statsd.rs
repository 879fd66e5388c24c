//! The port of StatsD.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use edge::SystemClock;
use gateway::{Adds, Taker as _};
use ingest::{StatsdPackets, StatsdSettings};
use model::{Clock as _, Labels, MetricType, PushedFamily, Value};
use tokio::net::UdpSocket;
use wire::{Family, Histogram, Metric, MetricValue};

use crate::outbox::Outbox;
use crate::snapshot::Snapshot;

/// No packet of UDP is larger.
const PACKET_BYTES_MAX: usize = 64 << 10;
/// Packets that are taken before anything else gets its turn.
const PACKETS_AT_ONCE: usize = 1_000;

/// Packets that come, added up until they are asked for.
#[derive(Debug)]
pub(crate) struct StatsdPort {
    socket: UdpSocket,
    packets: StatsdPackets,
    group: Labels,
    labels: Labels,
    snapshot: Mutex<Snapshot>,
}

impl StatsdPort {
    pub(crate) async fn bind(address: SocketAddr, labels: Labels, snapshot: Snapshot) -> io::Result<Self> {
        let group = Labels::from_pairs([("job", "statsd")]);
        let settings = StatsdSettings {
            group: group.clone(),
            series_max: 5_000,
            members_max: 20_000,
            bytes_max: 2 << 20,
            gauges_max: 2_000,
            ..StatsdSettings::default()
        };
        let packets = StatsdPackets::new(settings);
        let (socket, snapshot) = (UdpSocket::bind(address).await?, Mutex::new(snapshot));
        Ok(Self { socket, packets, group, labels, snapshot })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Takes packets for ever, so that the socket's own buffer does not run over.
    pub(crate) async fn serve(&self) {
        loop {
            if let Err(error) = self.socket.readable().await {
                tracing::error!(%error, "packets of StatsD are not received any more");
                return;
            }
            if self.snapshot().is_behind(SystemClock.now_ms()) {
                self.packets.end();
            }
            self.take_what_is_there();
            tokio::task::yield_now().await;
        }
    }

    fn take_what_is_there(&self) {
        let mut packet = vec![0; PACKET_BYTES_MAX];
        for _ in 0..PACKETS_AT_ONCE {
            match self.socket.try_recv(&mut packet) {
                Ok(bytes) => self.packets.take(&packet[..bytes]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    tracing::warn!(%error, "packet of StatsD not received");
                    return;
                }
            }
        }
    }

    /// Puts what has come since the last time into the outbox.
    pub(crate) fn hand_over(&self, outbox: &Outbox) {
        self.take_what_is_there();
        let families: Vec<Family> = families(self.packets.end(), &self.group);
        if families.is_empty() {
            return;
        }
        if let Err(full) = outbox.add(Adds::of(&self.group, families, &self.labels)) {
            tracing::error!(%full, "what came by StatsD is dropped");
        }
    }

    /// The first invocation begins.
    pub(crate) fn begins(&self) {
        if self.snapshot().ends(SystemClock.now_ms()) {
            self.packets.end();
        }
    }

    fn snapshot(&self) -> MutexGuard<'_, Snapshot> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it has counted about packets.
    pub(crate) fn families(&self) -> Vec<Family> {
        let is_counter = |family: &Family| family.r#type == MetricType::Counter;
        self.packets.families().into_iter().filter(is_counter).collect()
    }
}

/// The same as a client would push it, without the labels of the group.
fn families(pushed: Vec<PushedFamily>, group: &Labels) -> Vec<Family> {
    let mut families: BTreeMap<Arc<str>, Family> = BTreeMap::new();
    for PushedFamily { name, r#type, help, unit, series, .. } in pushed {
        let family = families.entry(Arc::clone(&name)).or_insert_with(|| Family {
            name,
            help,
            unit,
            r#type,
            metrics: Vec::with_capacity(series.len()),
        });
        family.metrics.extend(series.into_iter().map(|series| {
            let own = series
                .labels
                .iter()
                .filter(|label| &*label.name != Labels::NAME && group.get(&label.name).is_none());
            let labels = own.map(|label| (Arc::clone(&label.name), Arc::clone(&label.value))).collect();
            Metric::new(labels, value(r#type, series.value))
        }));
    }
    families.into_values().collect()
}

fn value(r#type: MetricType, value: Value) -> MetricValue {
    match value {
        Value::Float(value) if r#type == MetricType::Counter => MetricValue::Counter(value),
        Value::Float(value) => MetricValue::Gauge(value),
        Value::Histogram(native) => {
            let (count, sum) = (native.count, native.sum);
            MetricValue::Histogram(Histogram { count, sum, buckets: Vec::new(), native: Some(native) })
        }
    }
}
