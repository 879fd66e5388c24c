//! The loop in which the gateway learns what the storage holds.

use std::sync::Arc;
use std::time::Duration;

use gateway::Gateway;
use tokio::sync::watch;

/// How often it is asked whether to look; what failed is tried again after so long too.
const PAUSE: Duration = Duration::from_secs(5);

/// Looks until told to stop. A failure that lasts is told once.
pub(super) async fn keep_looking(gateway: Arc<Gateway>, mut stopped: watch::Receiver<bool>) {
    let mut is_failing = false;
    loop {
        let looked = tokio::select! {
            looked = gateway.look() => looked,
            _ = stopped.wait_for(|stopped| *stopped) => return,
        };
        match looked {
            Ok(()) if is_failing => {
                tracing::info!("pushes are compared with what the storage holds again");
                is_failing = false;
            }
            // nobody is there to stop it any more: the process is ending before it began, and says why itself
            Err(_) if stopped.has_changed().is_err() => return,
            Err(error) if !is_failing => {
                tracing::warn!(%error, "pushes are compared with those to this process only: the storage cannot be read");
                is_failing = true;
            }
            _ => {}
        }
        // an answer means that it is time to stop
        if tokio::time::timeout(PAUSE, stopped.wait_for(|stopped| *stopped)).await.is_ok() {
            return;
        }
    }
}
