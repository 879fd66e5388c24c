//! Ports.

use std::net::SocketAddr;

use anyhow::Context;
use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A port that is taken and not served yet.
pub(super) struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listener {
    pub(super) async fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("{flag} {address}: cannot listen there"))?;
        let address = listener.local_addr().with_context(|| format!("{flag} {address}"))?;
        Ok(Self { listener, address })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Tells scripts on standard output, and people in the log, where to find it.
    pub(super) fn announce(&self, role: &str) {
        say(&format!("{role} listening on {}", self.url()));
        tracing::info!(role, address = %self.address, "listening");
    }

    /// Serves until told to stop, and then until the requests under way are answered.
    pub(super) async fn serve(self, routes: Router, mut stopped: watch::Receiver<bool>) {
        let stop = async move {
            // an error means that the sender is gone, which is a stop too
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        if let Err(error) = axum::serve(self.listener, routes).with_graceful_shutdown(stop).await {
            tracing::error!(%error, address = %self.address, "server ended");
        }
    }
}

/// A line for the script that started us.
#[expect(clippy::print_stdout, reason = "standard output is for scripts")]
pub(super) fn say(line: &str) {
    println!("{line}");
}
