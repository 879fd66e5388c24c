//! How a tenant beside `default` is opened.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use store::Tenant;

use super::registry::{Opened, Opener};
use super::roles::{Common, Roles};
use crate::serve::admission::Port;

/// Opens tenants like a first one.
pub(in crate::serve) struct RolesOpener {
    pub(in crate::serve) common: Arc<Common>,
    pub(in crate::serve) first: Arc<Roles>,
}

/// A tenant, and what answers requests for it. There are no rules of it, and nothing of the server.
pub(in crate::serve) struct OpenTenant {
    pub(in crate::serve) roles: Roles,
    gateway: Router,
    query: Router,
}

#[async_trait]
impl Opener for RolesOpener {
    type Open = OpenTenant;

    async fn open(&self, tenant: &Tenant) -> anyhow::Result<OpenTenant> {
        let (roles, queries) = Roles::open(tenant, &self.common, Some(&self.first)).await?;
        let rules = edge::no_rules(queries, &roles.storage, Arc::clone(&self.common.clock));
        let (gateway, query) = (roles.gateway_routes(), roles.query_routes(rules, Router::new()));
        Ok(OpenTenant { roles, gateway, query })
    }
}

#[async_trait]
impl Opened for OpenTenant {
    fn routes(&self, port: Port) -> Router {
        match port {
            Port::Gateway => self.gateway.clone(),
            Port::Query => self.query.clone(),
        }
    }

    fn has_more_to_write(&self) -> bool {
        self.roles.has_more_to_write()
    }

    async fn close(&self) {
        self.roles.close().await;
    }
}
