//! What each route needs: the one table of it. A route that is not here needs everything, so that one that is forgotten is
//! open to nobody; and a test holds the table to what the routers have.

use std::fmt;

use access::{Grant, Refused, Scope};
use axum::http::Method;
use gateway::Web;

/// One of the two ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    Gateway,
    Query,
}

impl Port {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Query => "query",
        }
    }
}

/// What whoever asks must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing at all.
    Nothing,
    /// One of these scopes. The route shows and changes nothing outside of the bounds of a token.
    OneOf(&'static [Scope]),
    /// This scope, and a token without bounds, since the route is about more than some series.
    Whole(Scope),
    /// The same, and to ask for the tenant `default`, since the route is about the server.
    Server(Scope),
}

use Need::{Nothing, OneOf, Server, Whole};

const PUSH: Need = OneOf(&[Scope::Push]);
const READ: Need = OneOf(&[Scope::Read]);
const DELETE: Need = OneOf(&[Scope::Delete]);
/// The routers of other tenants have nothing of the server.
const UNKNOWN: Need = Whole(Scope::Admin);

impl Need {
    /// Whether a grant is enough.
    pub(crate) fn check(self, grant: &Grant) -> Result<(), Refused> {
        match self {
            Nothing => Ok(()),
            OneOf(scopes) if scopes.iter().any(|scope| grant.check_scope(*scope).is_ok()) => Ok(()),
            OneOf(scopes) => scopes.iter().try_for_each(|scope| grant.check_scope(*scope)),
            Whole(scope) | Server(scope) => grant.check_scope(scope).and_then(|()| grant.check_whole()),
        }
    }

    /// Whether it is about the server, and not about what a tenant has.
    pub(crate) fn is_of_server(self) -> bool {
        matches!(self, Server(_))
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Nothing => f.write_str("nothing"),
            OneOf(scopes) => {
                f.write_str(&scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" or "))
            }
            Whole(scope) => write!(f, "{scope}, unbound"),
            Server(scope) => write!(f, "{scope}, unbound, tenant default"),
        }
    }
}

/// Methods, between blanks, and a path, in which `{name}` is anything without a slash and `{*name}` anything at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) methods: &'static str,
    pub(crate) path: String,
    pub(crate) need: Need,
}

/// The routes of a port.
#[derive(Clone, Debug)]
pub(crate) struct Routes(Vec<Route>);

type Row = (&'static str, &'static str, Need);

/// On the gateway's port, below its route prefix.
const GATEWAY: [Row; 20] = [
    ("GET", "/", READ),
    ("GET", "/status", READ),
    ("GET", "/-/healthy", Nothing),
    ("GET", "/-/ready", Nothing),
    ("GET POST PUT", "/-/quit", Server(Scope::Admin)),
    ("POST PUT", "/metrics/job/{*group}", PUSH),
    ("DELETE", "/metrics/job/{*group}", DELETE),
    ("POST PUT", "/metrics/job@base64/{*group}", PUSH),
    ("DELETE", "/metrics/job@base64/{*group}", DELETE),
    ("POST PUT", "/aggregate/metrics/job/{*group}", PUSH),
    ("DELETE", "/aggregate/metrics/job/{*group}", DELETE),
    ("POST PUT", "/aggregate/metrics/job@base64/{*group}", PUSH),
    ("DELETE", "/aggregate/metrics/job@base64/{*group}", DELETE),
    ("GET", "/api/v1/metrics", READ),
    // flags, among others
    ("GET", "/api/v1/status", Server(Scope::Read)),
    // each request of it needs what it would need alone
    ("POST", "/api/v1/batch", OneOf(&[Scope::Push, Scope::Delete])),
    ("DELETE", "/api/v1/admin/groups", DELETE),
    ("PUT", "/api/v1/admin/wipe", Whole(Scope::Delete)),
    ("POST", "/write", PUSH),
    ("POST", "/api/v2/write", PUSH),
];

/// What senders of Influx line protocol ask before they send.
const INFLUX: [Row; 3] = [
    ("GET POST", "/ping", OneOf(&[Scope::Push, Scope::Read])),
    ("GET", "/health", OneOf(&[Scope::Push, Scope::Read])),
    ("GET POST", "/query", PUSH),
];

/// On both ports.
const RECEIVERS: [Row; 3] = [
    ("POST", "/api/v1/write", PUSH),
    ("POST", "/v1/metrics", PUSH),
    ("POST", "/api/v1/otlp/v1/metrics", PUSH),
];

/// On the query port.
const QUERY: [Row; 51] = [
    ("GET POST", "/api/v1/query", READ),
    ("GET POST", "/api/v1/query_range", READ),
    ("GET POST", "/api/v1/format_query", READ),
    ("GET POST", "/api/v1/parse_query", READ),
    ("GET POST", "/api/v1/query_exemplars", READ),
    ("GET POST", "/api/v1/series", READ),
    ("GET POST", "/api/v1/labels", READ),
    ("GET", "/api/v1/label/{name}/values", READ),
    ("GET", "/api/v1/metadata", READ),
    ("GET", "/federate", READ),
    ("POST", "/api/v1/read", READ),
    ("GET", "/api/v1/rules", READ),
    ("GET", "/api/v1/alerts", READ),
    // whom alerts are sent to
    ("GET", "/api/v1/alertmanagers", Server(Scope::Read)),
    ("GET", "/api/v1/targets", READ),
    ("GET", "/api/v1/targets/metadata", READ),
    ("GET", "/api/v1/targets/relabel_steps", READ),
    ("GET", "/api/v1/scrape_pools", READ),
    ("GET", "/api/v1/scrape_pools/config", READ),
    ("GET", "/api/v1/status/buildinfo", READ),
    ("GET", "/api/v1/status/runtimeinfo", Server(Scope::Read)),
    ("GET", "/api/v1/status/config", Server(Scope::Read)),
    ("GET", "/api/v1/status/flags", Server(Scope::Read)),
    ("GET", "/api/v1/status/tsdb", READ),
    ("GET", "/api/v1/status/tsdb/blocks", READ),
    ("GET", "/api/v1/status/walreplay", READ),
    ("GET", "/api/v1/notifications", Server(Scope::Read)),
    ("GET", "/api/v1/notifications/live", Server(Scope::Read)),
    ("GET", "/api/v1/openapi.yaml", READ),
    ("GET", "/api/v1/features", READ),
    ("GET", "/version", READ),
    // the page, which tells nothing and asks for a token by itself
    ("GET", "/", Nothing),
    ("GET", "/graph", Nothing),
    ("GET", "/assets/{name}", Nothing),
    ("POST PUT", "/api/v1/admin/tsdb/delete_series", DELETE),
    ("POST PUT", "/api/v1/admin/tsdb/clean_tombstones", DELETE),
    ("POST PUT", "/api/v1/admin/tsdb/snapshot", UNKNOWN),
    ("POST PUT", "/-/reload", Server(Scope::Admin)),
    ("GET", "/-/healthy", Nothing),
    ("GET", "/-/ready", Nothing),
    // who is notified, which is of the server
    ("GET", "/alertmanager/api/v2/alerts", Server(Scope::Read)),
    ("POST", "/alertmanager/api/v2/alerts", Server(Scope::Push)),
    ("GET", "/alertmanager/api/v2/alerts/groups", Server(Scope::Read)),
    ("GET", "/alertmanager/api/v2/receivers", Server(Scope::Read)),
    ("GET", "/alertmanager/api/v2/silence/{id}", Server(Scope::Read)),
    ("DELETE", "/alertmanager/api/v2/silence/{id}", Server(Scope::Admin)),
    ("GET", "/alertmanager/api/v2/silences", Server(Scope::Read)),
    ("POST", "/alertmanager/api/v2/silences", Server(Scope::Admin)),
    ("GET", "/alertmanager/api/v2/status", Server(Scope::Read)),
    ("GET", "/alertmanager/-/ready", Nothing),
    // of the server, and rule groups of anybody
    ("GET", "/metrics", Server(Scope::Read)),
];

impl Routes {
    pub(crate) fn of(port: Port, web: &Web) -> Self {
        let route = |prefix: &str, (methods, path, need): Row| Route {
            methods,
            path: format!("{prefix}{path}"),
            need,
        };
        let routes = match port {
            Port::Query => QUERY.into_iter().chain(RECEIVERS).map(|row| route("", row)).collect(),
            Port::Gateway => {
                let prefix = match web.route_prefix.trim_matches('/') {
                    "" => String::new(),
                    prefix => format!("/{prefix}"),
                };
                let telemetry = format!("{prefix}/{}", web.telemetry_path.trim_start_matches('/'));
                let rows = GATEWAY.into_iter().chain(INFLUX).chain(RECEIVERS);
                let of_telemetry = Route { methods: "GET", path: telemetry, need: READ };
                rows.map(|row| route(&prefix, row)).chain([of_telemetry]).collect()
            }
        };
        Self(routes)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Route> {
        self.0.iter()
    }

    /// What a request needs, by its path as it was sent. Browsers ask with OPTIONS what they may ask, and say nothing about
    /// themselves; the answer says nothing either.
    pub(crate) fn need(&self, method: &Method, path: &str) -> Need {
        let mut meant = self.0.iter().filter(|route| takes(&route.path, path));
        if method == Method::OPTIONS {
            return meant.next().map_or(UNKNOWN, |_| Nothing);
        }
        let word = if method == Method::HEAD { "GET" } else { method.as_str() };
        meant
            .find(|route| route.methods.split(' ').any(|known| known == word))
            .map_or(UNKNOWN, |route| route.need)
    }
}

/// Whether a path is one that the pattern means.
fn takes(pattern: &str, path: &str) -> bool {
    let (mut parts, mut pieces) = (pattern.split('/'), path.split('/'));
    loop {
        match (parts.next(), pieces.next()) {
            (None, None) => return true,
            (Some(part), Some(piece)) if part.starts_with("{*") => {
                return !piece.is_empty() || pieces.next().is_some();
            }
            (Some(part), Some(piece)) if part.starts_with('{') => {
                if piece.is_empty() {
                    return false;
                }
            }
            (Some(part), Some(piece)) if part == piece => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn web() -> Web {
        Web { admin_api: true, lifecycle: true, ..Web::default() }
    }

    #[test]
    fn the_table_has_the_routes_of_the_routers() {
        let check = |port: Port, web: &Web, paths: Vec<String>| {
            let routes = Routes::of(port, web);
            let known: BTreeSet<String> = routes.iter().map(|route| route.path.clone()).collect();
            assert_eq!(known, paths.into_iter().collect(), "{port:?}");
        };
        let texts = |paths: Vec<&str>| paths.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let mut query = texts(edge::query_paths());
        query.extend(texts(ingest::paths()));
        query.extend(crate::serve::own_metrics::PATHS.map(str::to_owned));
        query.push(crate::serve::rules::RELOAD_PATH.to_owned());
        query.extend(texts(courier::API_PATHS.to_vec()));
        check(Port::Query, &web(), query);
        let receivers = || texts(ingest::paths()).into_iter().chain(texts(ingest::influx_paths()));
        check(Port::Gateway, &web(), gateway::paths(&web()).into_iter().chain(receivers()).collect());
        let moved = Web { route_prefix: "/a/b/".to_owned(), telemetry_path: "shown".to_owned(), ..web() };
        let below = receivers().map(|path| format!("/a/b{path}"));
        check(Port::Gateway, &moved, gateway::paths(&moved).into_iter().chain(below).collect());
    }

    #[test]
    fn the_openapi_description_has_them_too() {
        let all = edge::OPENAPI.lines().skip_while(|line| *line != "paths:").skip(1);
        let (mut path, mut described) = ("", BTreeSet::new());
        for line in all.take_while(|line| line.starts_with(' ')) {
            let key = line.trim_start().trim_end_matches(':');
            match line.len() - line.trim_start().len() {
                2 => path = key,
                4 => {
                    described.insert((key.to_uppercase(), path.to_owned()));
                }
                _ => {}
            }
        }
        let routes = Routes::of(Port::Query, &web());
        let methods = |route: &Route| {
            let path = route.path.clone();
            route.methods.split(' ').map(move |method| (method.to_owned(), path.clone())).collect::<Vec<_>>()
        };
        assert_eq!(described, routes.iter().flat_map(methods).collect());
    }

    #[test]
    fn what_is_not_there_needs_everything() {
        let (gateway, query) = (Routes::of(Port::Gateway, &web()), Routes::of(Port::Query, &web()));
        let check = |routes: &Routes, method: Method, path: &str, expect: &str| {
            assert_eq!(routes.need(&method, path).to_string(), expect, "{method} {path}");
        };
        check(&gateway, Method::PUT, "/metrics/job/a/b/c", "push");
        check(&gateway, Method::DELETE, "/metrics/job/a", "delete");
        check(&gateway, Method::HEAD, "/metrics", "read");
        check(&gateway, Method::OPTIONS, "/metrics/job/a", "nothing");
        check(&query, Method::GET, "/api/v1/label/job/values", "read");
        check(&query, Method::POST, "/api/v1/query", "read");
        check(&query, Method::GET, "/-/healthy", "nothing");
        let all = "admin, unbound";
        for path in
            ["/metrics/job", "/metrics/job/", "//metrics", "/METRICS", "/metrics/", "/%6detrics", "/new"]
        {
            check(&gateway, Method::GET, path, all);
            check(&gateway, Method::OPTIONS, path, all);
        }
        check(&gateway, Method::PATCH, "/metrics/job/a", all);
        check(&gateway, Method::PUT, "/api/v1/admin/wipe", "delete, unbound");
        for path in ["/api/v1/label//values", "/api/v1/label/a/b/values", "/api/v1/query/", "/api/v1", ""] {
            check(&query, Method::GET, path, all);
        }
        check(&query, Method::DELETE, "/api/v1/series", all);
        check(&query, Method::GET, "/metrics", "read, unbound, tenant default");
        check(&query, Method::POST, "/-/reload", "admin, unbound, tenant default");
        check(&gateway, Method::PUT, "/-/quit", "admin, unbound, tenant default");
    }
}
