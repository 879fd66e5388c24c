//! Looks at every request before it is worked on.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use gateway::Web;

use super::answer::{Form, denied};
use super::needs::{Need, Port, Routes};
use super::{Access, Denied};

struct Guard {
    access: Arc<Access>,
    port: Port,
    routes: Routes,
}

/// The routes of a port, behind what they need. What is let through carries its grant with it.
pub(in crate::serve) fn guarded(routes: Router, port: Port, web: &Web, access: &Arc<Access>) -> Router {
    let guard = Guard { access: Arc::clone(access), port, routes: Routes::of(port, web) };
    routes.layer(from_fn_with_state(Arc::new(guard), ask))
}

async fn ask(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    let need = guard.routes.need(request.method(), request.uri().path());
    if need == Need::Nothing {
        return next.run(request).await;
    }
    let admitted = guard.access.admit(request.headers()).and_then(|grant| {
        need.check(&grant)?;
        Ok(grant)
    });
    match admitted {
        Ok(grant) => {
            request.extensions_mut().insert(grant);
            next.run(request).await
        }
        Err(error) => {
            guard.access.count(&error);
            let (method, path) = (request.method(), request.uri().path());
            tracing::debug!(%method, path, port = guard.port.as_str(), %error, "request refused");
            denied(&error, Form::of(guard.port, path))
        }
    }
}

impl Denied {
    /// Whether it would help to say who asks.
    pub(super) fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Nobody | Self::NotAdmitted(_))
    }
}
