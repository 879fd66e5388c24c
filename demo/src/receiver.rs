//! A receiver that speaks Alertmanager's `/api/v2/alerts`.

use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use serde_json::Value;
use testkit::http::{Request, Response, Server};

/// Takes alerts as an Alertmanager does.
#[derive(Debug)]
pub(crate) struct Receiver {
    server: Server,
    alerts: mpsc::Receiver<Value>,
}

impl Receiver {
    pub(crate) fn start() -> std::io::Result<Self> {
        let (send, alerts) = mpsc::channel();
        let send = Mutex::new(send);
        let server = Server::start(move |request| {
            let posted = posted(request);
            let Some(posted) = posted else { return Response::new(404) };
            for alert in posted {
                // the story may be over
                drop(send.lock().unwrap_or_else(PoisonError::into_inner).send(alert));
            }
            Response::new(200)
        })?;
        Ok(Self { server, alerts })
    }

    /// What `--alertmanager.url` takes.
    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// The next alert.
    pub(crate) fn next_firing(&self, wait: Duration) -> Result<Value, mpsc::RecvTimeoutError> {
        self.alerts.recv_timeout(wait)
    }
}

fn posted(request: &Request) -> Option<Vec<Value>> {
    let fits = request.method == "POST" && request.path() == "/api/v2/alerts";
    if fits { serde_json::from_slice(&request.body).ok() } else { None }
}
