//! Looks at every request before it is worked on.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, StatusCode, Version};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use gateway::Web;

use super::answer::{Form, denied, status};
use super::needs::{Need, Port, Routes};
use super::{Access, Denied};
use crate::serve::web_config::{InForce, Rate};

struct Guard {
    access: Arc<Access>,
    port: Port,
    routes: Routes,
    rate: Option<Rate>,
}

/// The routes of a port, behind what they need. What is let through carries its grant with it.
pub(in crate::serve) fn guarded(routes: Router, port: Port, web: &Web, access: &Arc<Access>) -> Router {
    let in_force = access.web().and_then(|web| web.in_force().ok());
    let rate = in_force.and_then(|in_force| in_force.file.rate).map(Rate::new);
    let guard = Guard { access: Arc::clone(access), port, routes: Routes::of(port, web), rate };
    routes.layer(from_fn_with_state(Arc::new(guard), ask))
}

async fn ask(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    if guard.rate.as_ref().is_some_and(|rate| !rate.allows()) {
        return status(StatusCode::TOO_MANY_REQUESTS);
    }
    let Some(web) = guard.access.web() else { return guard.answer(None, request, next).await };
    // what is wrong was told in the log
    let Ok(in_force) = web.in_force() else { return status(StatusCode::INTERNAL_SERVER_ERROR) };
    let mut response = guard.answer(Some(&in_force), request, next).await;
    for (name, value) in &in_force.headers {
        response.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    response
}

impl Guard {
    async fn answer(&self, web: Option<&InForce>, mut request: Request, next: Next) -> Response {
        let need = self.routes.need(request.method(), request.uri().path());
        if need == Need::Nothing {
            return next.run(request).await;
        }
        let admitted = self.access.admit(request.headers(), request.extensions(), web).await;
        let checked = admitted.and_then(|grant| {
            need.check(&grant)?;
            Ok(grant)
        });
        match checked {
            Ok(grant) => {
                request.extensions_mut().insert(grant);
                next.run(request).await
            }
            Err(error) => {
                self.access.count(&error);
                let (method, path) = (request.method(), request.uri().path());
                tracing::debug!(%method, path, port = self.port.as_str(), %error, "request refused");
                let (version, mut response) = (request.version(), denied(&error, Form::of(self.port, path)));
                if matches!(error, Denied::NoCertificate) && version < Version::HTTP_2 {
                    // the next one may have it
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                response
            }
        }
    }
}

impl Denied {
    /// Whether it would help to say who asks.
    pub(super) fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Nobody | Self::NoUser | Self::NotAdmitted(_))
    }
}
