//! Ctrl-C and SIGTERM end the demo's server, wherever the story stands.

use std::process::{self, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::bail;
use testkit::server::Mayfly;
use tokio::signal::unix::{SignalKind, signal};

const LOOK_MS: u64 = 200;
/// What a shell expects of a program that was interrupted.
const INTERRUPTED: i32 = 130;

/// The server, in the hands of whoever ends it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Running(Arc<Mutex<Option<Mayfly>>>);

impl Running {
    /// From here on a signal stops the server and ends this process.
    pub(crate) fn stop_on_signals() -> anyhow::Result<Self> {
        let running = Self::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let guard = runtime.enter();
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        drop(guard);
        let held = running.clone();
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            });
            if let Err(err) = held.stop() {
                eprintln!("demo: {err:#}");
            }
            process::exit(INTERRUPTED);
        });
        Ok(running)
    }

    /// Hands the server over.
    pub(crate) fn holds(&self, server: Mayfly) {
        *self.lock() = Some(server);
    }

    /// Stops the server cleanly; `None` where it has been stopped before.
    pub(crate) fn stop(&self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.lock().take().map(Mayfly::stop).transpose()?)
    }

    /// Returns only where the server ends by itself, which is an error: the end that is meant comes by a signal.
    pub(crate) fn wait_for_end(&self) -> anyhow::Result<()> {
        loop {
            if let Some(status) = self.lock().as_mut().and_then(|server| server.ended().transpose()) {
                bail!("mayfly serve ended by itself: {}", status?);
            }
            thread::sleep(Duration::from_millis(LOOK_MS));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Mayfly>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
