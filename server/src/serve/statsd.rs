//! The port of StatsD: packets in, and a flush now and then.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use ingest::Statsd;
use tokio::net::UdpSocket;
use tokio::sync::watch;

use super::listen::say;

/// No packet of UDP is larger.
const PACKET_BYTES_MAX: usize = 64 << 10;

/// After a packet could not be received.
const PAUSE: Duration = Duration::from_millis(100);

/// How long the last flush may take.
const LAST_FLUSH: Duration = Duration::from_secs(10);

/// A port that is taken and not served yet.
pub(super) struct StatsdPort {
    socket: UdpSocket,
    address: SocketAddr,
}

impl StatsdPort {
    pub(super) async fn bind(address: SocketAddr) -> anyhow::Result<Self> {
        let place = || format!("--statsd.listen-address {address}: cannot listen there");
        let socket = UdpSocket::bind(address).await.with_context(place)?;
        let address = socket.local_addr().with_context(place)?;
        Ok(Self { socket, address })
    }

    /// Where it is, and what told so.
    pub(super) fn place(&self) -> (&'static str, SocketAddr) {
        ("--statsd.listen-address", self.address)
    }

    pub(super) fn announce(&self) {
        say(&format!("statsd listening on udp://{}", self.address));
        tracing::info!(role = "statsd", address = %self.address, "listening");
    }

    /// Takes packets and flushes until told to stop, and then once more.
    pub(super) async fn serve(
        self,
        statsd: Arc<Statsd>,
        flush_interval: Duration,
        stopped: watch::Receiver<bool>,
    ) {
        futures::join!(
            take_packets(&self.socket, &statsd, stopped.clone()),
            keep_flushing(&statsd, flush_interval, stopped)
        );
        match tokio::time::timeout(LAST_FLUSH, statsd.flush()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "what came by StatsD last is lost"),
            Err(_) => tracing::error!(after = ?LAST_FLUSH, "what came by StatsD last is lost"),
        }
    }
}

async fn take_packets(socket: &UdpSocket, statsd: &Statsd, mut stopped: watch::Receiver<bool>) {
    let mut packet = vec![0; PACKET_BYTES_MAX];
    let mut is_failing = false;
    loop {
        let received = tokio::select! {
            received = socket.recv(&mut packet) => received,
            // an error means that the sender is gone, which is a stop too
            _ = stopped.wait_for(|stopped| *stopped) => return,
        };
        match received {
            Ok(bytes) => {
                is_failing = false;
                statsd.take(&packet[..bytes]);
            }
            Err(error) => {
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::error!(%error, "packet of StatsD not received");
                }
                let _ = tokio::time::timeout(PAUSE, stopped.wait_for(|stopped| *stopped)).await;
            }
        }
    }
}

/// A failure that lasts is told once.
async fn keep_flushing(statsd: &Statsd, interval: Duration, mut stopped: watch::Receiver<bool>) {
    let mut is_failing = false;
    // an answer means that it is time to stop
    while tokio::time::timeout(interval, stopped.wait_for(|stopped| *stopped)).await.is_err() {
        let flushed = tokio::select! {
            flushed = statsd.flush() => flushed,
            _ = stopped.wait_for(|stopped| *stopped) => return,
        };
        match flushed {
            Ok(()) if is_failing => {
                tracing::info!("what comes by StatsD is pushed again");
                is_failing = false;
            }
            Err(error) if !is_failing => {
                tracing::warn!(%error, "what came by StatsD waits: it could not be pushed");
                is_failing = true;
            }
            _ => {}
        }
    }
}
