//! Which resource a path means, and where a path leads that means none. The redirects are those of the Pushgateway's router.

use http::Method;

use super::clean::clean;
use super::percent;
use super::resource::{ApiResource, GROUPS, GroupPath, Resource};
use crate::settings::Web;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// To a resource that has this method.
    Resource(Resource),
    /// To nowhere: the client asks what a resource allows.
    Options(&'static str),
    /// To nowhere: the resource allows other methods.
    NotAllowed(&'static str),
    /// To the path that was meant, and that is to be asked again.
    Redirect {
        /// With the method that was used (307), not with GET (301).
        keeps_method: bool,
        /// The path, percent-encoded.
        location: String,
    },
    /// To nowhere.
    NotFound,
    /// It is no path, or not percent-encoded as it should be.
    BadRequest,
}

const GET: &str = "GET, OPTIONS";
const PUSH: &str = "DELETE, OPTIONS, POST, PUT";

/// The paths of one gateway.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    prefix: Vec<u8>,
    /// Whole paths, what they mean, and their methods as an `Allow` header lists them.
    pages: Vec<Route>,
    /// The same below [`Routes::api_prefix`].
    api: Vec<Route>,
    api_prefix: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Route {
    path: Vec<u8>,
    resource: Resource,
    allow: &'static str,
}

impl Routes {
    /// The paths below the route prefix.
    pub(crate) fn of(web: &Web) -> Self {
        let prefix = clean(web.route_prefix.as_bytes());
        let prefix = prefix.strip_suffix(b"/").unwrap_or(&prefix).to_vec();
        let below = |path: &[u8]| [&prefix, path].concat();
        let page = |path: &[u8], resource, allow| Route { path: below(path), resource, allow };
        let api_prefix = below(b"/api/v1/");
        let api = |path: &str, resource, allow| Route {
            path: [&api_prefix, path.as_bytes()].concat(),
            resource: Resource::Api(resource),
            allow,
        };
        let telemetry = clean(format!("/{}", web.telemetry_path).as_bytes());
        let mut api = vec![
            api("status", ApiResource::Status, GET),
            api("metrics", ApiResource::Metrics, GET),
            api("batch", ApiResource::Batch, "OPTIONS, POST"),
        ];
        if web.admin_api {
            let admin = |path: &[u8], resource, allow| Route {
                path: [&api_prefix, path].concat(),
                resource: Resource::Api(resource),
                allow,
            };
            api.push(admin(b"admin/wipe", ApiResource::Wipe, "OPTIONS, PUT"));
            api.push(admin(b"admin/groups", ApiResource::Groups, "DELETE, OPTIONS"));
        }
        Self {
            pages: vec![
                page(b"/", Resource::Page, GET),
                page(b"/status", Resource::Page, GET),
                page(&telemetry, Resource::Metrics, GET),
                page(b"/-/healthy", Resource::Healthy, GET),
                page(b"/-/ready", Resource::Ready, GET),
                page(b"/-/quit", Resource::Quit, "GET, OPTIONS, POST, PUT"),
            ],
            api,
            api_prefix,
            prefix,
        }
    }

    /// What every path begins with, as it may stand in a link.
    pub(crate) fn prefix(&self) -> String {
        percent::encode(&self.prefix)
    }

    /// Every path; those of groups have parameters.
    pub(crate) fn paths(&self) -> Vec<String> {
        let groups = [
            "/metrics/job/{*group}",
            "/metrics/job@base64/{*group}",
            "/aggregate/metrics/job/{*group}",
            "/aggregate/metrics/job@base64/{*group}",
        ];
        let whole = self.pages.iter().chain(&self.api).map(|route| percent::encode(&route.path));
        whole.chain(groups.map(|path| self.prefix() + path)).collect()
    }

    /// Decides where a request goes by its method and its path as it was sent.
    pub(crate) fn destination(&self, method: &Method, raw_path: &str) -> Destination {
        let Some(path) = percent::decode(raw_path).filter(|path| path.starts_with(b"/")) else {
            return Destination::BadRequest;
        };
        let cleaned = clean(&path);
        if cleaned != path {
            return moved(&cleaned);
        }
        if self.api_prefix.strip_suffix(b"/").is_some_and(|api| *api == path) {
            return moved(&self.api_prefix);
        }
        if path.starts_with(&self.api_prefix) {
            return self.api_destination(method, &path);
        }
        match self.page_at(&path) {
            Some((resource, allow)) => arrived(method, resource, allow),
            None => match self.page_meant(method, &path) {
                Some(meant) => elsewhere(method, &meant),
                None => Destination::NotFound,
            },
        }
    }

    fn api_destination(&self, method: &Method, path: &[u8]) -> Destination {
        if method == Method::OPTIONS {
            return Destination::Resource(Resource::Api(ApiResource::Options));
        }
        match self.api.iter().find(|route| route.path == path) {
            Some(route) => arrived(method, route.resource.clone(), route.allow),
            None => match self.api.iter().find(|route| route.is_meant(method, path)) {
                Some(route) => elsewhere(method, &route.path),
                None => Destination::NotFound,
            },
        }
    }

    fn page_at(&self, path: &[u8]) -> Option<(Resource, &'static str)> {
        if let Some(route) = self.pages.iter().find(|route| route.path == path) {
            return Some((route.resource.clone(), route.allow));
        }
        let path = path.strip_prefix(&self.prefix[..])?;
        GroupPath::of(path).map(|_| (Resource::Group(path.to_vec()), PUSH))
    }

    /// The path of a resource with this method that differs only by letter case or by a slash at its end. Nothing is meant by
    /// OPTIONS, as with the Pushgateway.
    fn page_meant(&self, method: &Method, path: &[u8]) -> Option<Vec<u8>> {
        if method == Method::OPTIONS {
            return None;
        }
        if let Some(route) = self.pages.iter().find(|route| route.is_meant(method, path)) {
            return Some(route.path.clone());
        }
        if !allows(PUSH, method) {
            return None;
        }
        if path.strip_prefix(&self.prefix[..]).is_some_and(|path| path == b"/metrics/job/") {
            // what the Pushgateway says, though nothing is there
            return path.strip_suffix(b"/").map(<[u8]>::to_vec);
        }
        GROUPS.iter().find_map(|groups| {
            let groups = [&self.prefix, *groups].concat();
            let (start, rest) = path.split_at_checked(groups.len())?;
            let matches = start.eq_ignore_ascii_case(&groups) && !rest.is_empty() && *start != *groups;
            matches.then(|| [&groups, rest].concat())
        })
    }
}

impl Route {
    fn is_meant(&self, method: &Method, path: &[u8]) -> bool {
        let bare = |path: &[u8]| path.strip_suffix(b"/").unwrap_or(path).to_ascii_lowercase();
        allows(self.allow, method) && bare(&self.path) == bare(path)
    }
}

fn allows(allow: &str, method: &Method) -> bool {
    allow.split(", ").any(|allowed| allowed == method.as_str())
}

fn arrived(method: &Method, resource: Resource, allow: &'static str) -> Destination {
    if method == Method::OPTIONS {
        Destination::Options(allow)
    } else if allows(allow, method) {
        Destination::Resource(resource)
    } else {
        Destination::NotAllowed(allow)
    }
}

/// To the path without what does not belong there.
fn moved(path: &[u8]) -> Destination {
    Destination::Redirect { keeps_method: false, location: percent::encode(path) }
}

/// To the path that was meant.
fn elsewhere(method: &Method, path: &[u8]) -> Destination {
    Destination::Redirect { keeps_method: method != Method::GET, location: percent::encode(path) }
}
