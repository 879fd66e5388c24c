//! Looks at every request before it is worked on.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CONNECTION;
use axum::http::{HeaderName, HeaderValue, StatusCode, Version};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use gateway::Web;
use store::Tenant;
use tower::{Layer, ServiceExt};

use super::answer::{Form, denied, not_open, status, unprompted};
use super::needs::{Need, Port, Routes};
use super::{Access, Asked, Denied};
use crate::serve::tenants::{Opened, Opener, Tenants};
use crate::serve::web_config::{InForce, Rate};

/// By which scripts of pages say that they ask, and will know what to do about a refusal.
const REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

struct Guard<O: Opener> {
    access: Arc<Access>,
    tenants: Arc<Tenants<O>>,
    port: Port,
    routes: Routes,
    rate: Option<Rate>,
}

/// The routes of a port, behind what they need. What is let through carries its grant with it. `routes` are those of tenant
/// `default` and of the server; what is for another tenant goes to that one's.
pub(in crate::serve) fn guarded<O: Opener>(
    routes: Router,
    port: Port,
    web: &Web,
    access: &Arc<Access>,
    tenants: &Arc<Tenants<O>>,
) -> Router {
    let in_force = access.web().and_then(|web| web.in_force().ok());
    let rate = in_force.and_then(|in_force| in_force.file.rate).map(Rate::new);
    let (access, tenants) = (Arc::clone(access), Arc::clone(tenants));
    let guard = Guard { access, tenants, port, routes: Routes::of(port, web), rate };
    // before anything is routed: what one router notes about a path would be in the way of the next
    let asked = from_fn_with_state(Arc::new(guard), ask::<O>).layer(routes);
    Router::new().fallback_service(asked)
}

async fn ask<O: Opener>(State(guard): State<Arc<Guard<O>>>, request: Request, next: Next) -> Response {
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

impl<O: Opener> Guard<O> {
    async fn answer(&self, web: Option<&InForce>, mut request: Request, next: Next) -> Response {
        let need = self.routes.need(request.method(), request.uri().path());
        if need == Need::Nothing {
            return next.run(request).await;
        }
        let admitted = self.access.admit(request.headers(), request.extensions(), web).await;
        let checked = admitted.and_then(|(grant, asked)| {
            need.check(&grant)?;
            match asked {
                Asked::Other(tenant) if need.is_of_server() => Err(Denied::Server { tenant }),
                asked => Ok((grant, asked)),
            }
        });
        match checked {
            Ok((grant, asked)) => {
                request.extensions_mut().insert(grant);
                match asked {
                    Asked::First => next.run(request).await,
                    Asked::Other(tenant) => self.answer_of(&tenant, request).await,
                }
            }
            Err(error) => {
                self.access.count(&error);
                let (method, path) = (request.method(), request.uri().path());
                tracing::debug!(%method, path, port = self.port.as_str(), %error, "request refused");
                let (version, mut response) = (request.version(), denied(&error, Form::of(self.port, path)));
                if request.headers().contains_key(REQUESTED_WITH) {
                    unprompted(&mut response);
                }
                if matches!(error, Denied::NoCertificate) && version < Version::HTTP_2 {
                    // the next one may have it
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                response
            }
        }
    }

    async fn answer_of(&self, tenant: &Tenant, request: Request) -> Response {
        match self.tenants.get(tenant).await {
            // it is kept open until it has answered
            Ok(kept) => {
                let answered = kept.open.routes(self.port).oneshot(request).await;
                answered.unwrap_or_else(|never| match never {})
            }
            Err(why) => {
                let path = request.uri().path();
                tracing::debug!(%tenant, path, port = self.port.as_str(), %why, "request refused");
                not_open(&why, Form::of(self.port, path))
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
