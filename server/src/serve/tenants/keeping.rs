//! The loop that looks after tenants.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::registry::{Opener, Tenants};

/// How often it looks.
const PAUSE: Duration = Duration::from_secs(5);

/// Closes those that are idle, and opens those of whom a log has something left, until told to stop.
pub(in crate::serve) async fn keep<O: Opener>(tenants: Arc<Tenants<O>>, mut stopped: watch::Receiver<bool>) {
    loop {
        // an answer means that it is time to stop
        if tokio::time::timeout(PAUSE, stopped.wait_for(|stopped| *stopped)).await.is_ok() {
            return;
        }
        tokio::select! {
            () = tenants.open_owed() => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
        tenants.close_idle();
    }
}
