//! `--web.config.file`: TLS, passwords, headers and a limit on requests, as Prometheus' exporter toolkit has them for all of
//! Prometheus' programs. Statuses and error texts are its own (as of Pushgateway 1.11).
//!
//! It is read anew when it, or a file that it names, has changed. Whether a port speaks TLS is decided at the start.

mod client_certificates;
mod file;
mod rate;
mod tls;
mod users;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::http::{HeaderName, HeaderValue};
use rustls::ServerConfig;
use tokio::time::Instant;

use file::{File, WebConfigError};
pub(super) use rate::Rate;
pub(super) use users::Busy;
use users::Users;

/// How long it is taken for granted that no file has changed.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The file, and what is in force of it.
pub(super) struct WebConfig {
    path: PathBuf,
    known: Mutex<Known>,
    users: Users,
    /// Whether somebody must be asked who they are, since others can reach a port.
    must_ask: AtomicBool,
}

struct Known {
    looked: Instant,
    /// What decides on what is in force, as it was when that was read.
    files: Vec<Stamped>,
    in_force: Result<Arc<InForce>, Arc<str>>,
}

/// By which a file is known to have changed.
type Stamp = (SystemTime, u64);

/// A file as it was at some time; `None`: it was not there.
type Stamped = (PathBuf, Option<Stamp>);

/// What a file without mistakes says.
pub(super) struct InForce {
    pub(super) tls: Option<Arc<ServerConfig>>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) file: File,
}

/// What a request carries whose connection began with a certificate of the client that was verified.
#[derive(Clone, Copy, Debug)]
pub(super) struct VerifiedClient;

impl InForce {
    /// Whether whoever asks must say who they are.
    fn authenticates(&self) -> bool {
        !self.file.users.is_empty() || self.verifies_clients()
    }

    /// Whether a handshake verifies a certificate of each client.
    pub(super) fn verifies_clients(&self) -> bool {
        self.file.tls.as_ref().is_some_and(|tls| tls.clients.are_known())
    }
}

impl WebConfig {
    /// Reads the file.
    pub(super) fn open(path: &Path) -> Result<Self, WebConfigError> {
        let mut files = Vec::new();
        let in_force = read(path, &mut files)?;
        let known = Known { looked: Instant::now(), files, in_force: Ok(Arc::new(in_force)) };
        Ok(Self {
            path: path.to_owned(),
            known: Mutex::new(known),
            users: Users::default(),
            must_ask: AtomicBool::new(false),
        })
    }

    /// What the files say now, or what is wrong with them.
    pub(super) fn in_force(&self) -> Result<Arc<InForce>, Arc<str>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.looked.elapsed() < LOOK_INTERVAL {
            return known.in_force.clone();
        }
        known.looked = Instant::now();
        let are_the_same = known.files.iter().all(|(path, stamp)| stamp_of(path) == *stamp);
        if are_the_same {
            return known.in_force.clone();
        }
        let mut files = Vec::new();
        let before: Vec<_> = known.files.iter().map(|(path, _)| stamped(path)).collect();
        let read = read(&self.path, &mut files).and_then(|read| {
            match self.must_ask.load(Ordering::Relaxed) && !read.authenticates() {
                true => Err(WebConfigError::Anonymous),
                false => Ok(read),
            }
        });
        match read {
            Ok(read) => {
                tracing::info!(file = %self.path.display(), "web configuration is in force as the files say now");
                known.files = files;
                known.in_force = Ok(Arc::new(read));
            }
            Err(error) => {
                tracing::error!(%error, file = %self.path.display(), "unable to parse configuration: nothing is answered");
                // a file that is named may come later
                for named in before {
                    if files.iter().all(|(path, _)| *path != named.0) {
                        files.push(named);
                    }
                }
                known.files = files;
                known.in_force = Err(error.to_string().into());
            }
        }
        known.in_force.clone()
    }

    /// Whether ports speak TLS.
    pub(super) fn has_tls(&self) -> bool {
        self.in_force().is_ok_and(|in_force| in_force.tls.is_some())
    }

    /// Whether whoever asks must say who they are.
    pub(super) fn authenticates(&self) -> bool {
        self.in_force().is_ok_and(|in_force| in_force.authenticates())
    }

    /// From now on a file that asks nobody who they are is a mistake.
    pub(super) fn must_ask(&self) {
        self.must_ask.store(true, Ordering::Relaxed);
    }

    /// Whether without users a connection must have begun with a certificate of the client. What the file says now does not
    /// tell that it did: the connection may be older, and the port one without TLS.
    pub(super) fn wants_certificate(&self, in_force: &InForce) -> bool {
        self.must_ask.load(Ordering::Relaxed) || in_force.verifies_clients()
    }

    /// Whether this is the password of a user.
    pub(super) async fn admits(
        &self,
        in_force: &InForce,
        user: &[u8],
        password: &[u8],
    ) -> Result<bool, Busy> {
        self.users.admit(&in_force.file.users, user, password).await
    }
}

/// Reads the file and those that it names; `files` become these, the file itself first, as they were before they were read, so that
/// what changes meanwhile is looked at again.
fn read(path: &Path, files: &mut Vec<Stamped>) -> Result<InForce, WebConfigError> {
    files.push(stamped(path));
    let text = std::fs::read_to_string(path).map_err(|error| WebConfigError::unreadable(path, &error))?;
    let file = File::read(&text)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let named = file.tls.iter().flat_map(file::TlsFile::files);
    files.extend(named.map(|named| stamped(&folder.join(named))));
    let tls = file.tls.as_ref().map(|tls| tls::server(tls, folder, file.http2)).transpose()?.map(Arc::new);
    let headers = file.headers()?;
    Ok(InForce { tls, headers, file })
}

fn stamped(path: &Path) -> Stamped {
    (path.to_owned(), stamp_of(path))
}

fn stamp_of(path: &Path) -> Option<Stamp> {
    let known = std::fs::metadata(path).ok()?;
    Some((known.modified().ok()?, known.len()))
}
