//! Which resource a path means, and where a path leads that means none.

use http::Method;

use super::clean::clean;
use super::percent;

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

/// What can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    /// `/metrics`
    Metrics,
    /// `/-/healthy`
    Healthy,
    /// `/-/ready`
    Ready,
    /// `/metrics/job/…`: the path, decoded.
    Group(Vec<u8>),
}

/// The parts of a group's path, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupPath<'a> {
    pub(crate) job: &'a [u8],
    pub(crate) job_is_base64: bool,
    /// What stands after the job, with the slash before it.
    pub(crate) labels: &'a [u8],
}

impl<'a> GroupPath<'a> {
    /// `None` if the path is not that of a group.
    pub(crate) fn of(path: &'a [u8]) -> Option<Self> {
        let plain = path.strip_prefix(b"/metrics/job/").map(|rest| (rest, false));
        let base64 = || path.strip_prefix(b"/metrics/job@base64/").map(|rest| (rest, true));
        let (rest, job_is_base64) = plain.or_else(base64).filter(|(rest, _)| !rest.is_empty())?;
        let end = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
        let (job, labels) = rest.split_at(end);
        Some(Self { job, job_is_base64, labels })
    }
}

impl Resource {
    fn at(path: &[u8]) -> Option<Self> {
        match path {
            b"/metrics" => Some(Self::Metrics),
            b"/-/healthy" => Some(Self::Healthy),
            b"/-/ready" => Some(Self::Ready),
            _ => GroupPath::of(path).map(|_| Self::Group(path.to_vec())),
        }
    }

    /// The methods, as an `Allow` header lists them.
    fn allow(&self) -> &'static str {
        match self {
            Self::Metrics | Self::Healthy | Self::Ready => "GET, OPTIONS",
            Self::Group(_) => "DELETE, OPTIONS, POST, PUT",
        }
    }

    fn has(&self, method: &Method) -> bool {
        self.allow().split(", ").any(|allowed| allowed == method.as_str())
    }
}

/// Decides where a request goes by its method and its path as it was sent.
pub(crate) fn destination(method: &Method, raw_path: &str) -> Destination {
    let Some(path) = percent::decode(raw_path).filter(|path| path.starts_with(b"/")) else {
        return Destination::BadRequest;
    };
    let cleaned = clean(&path);
    if cleaned != path {
        return Destination::Redirect { keeps_method: false, location: percent::encode(&cleaned) };
    }
    match Resource::at(&path) {
        Some(resource) if method == Method::OPTIONS => Destination::Options(resource.allow()),
        Some(resource) if resource.has(method) => Destination::Resource(resource),
        Some(resource) => Destination::NotAllowed(resource.allow()),
        None => match meant(method, &path) {
            Some(path) => Destination::Redirect {
                keeps_method: method != Method::GET,
                location: percent::encode(&path),
            },
            None => Destination::NotFound,
        },
    }
}

/// The path of a resource with this method that differs only by letter case or by a slash at its end.
fn meant(method: &Method, path: &[u8]) -> Option<Vec<u8>> {
    const PREFIXES: [&[u8]; 5] =
        [b"/metrics/job@base64/", b"/metrics/job/", b"/metrics", b"/-/healthy", b"/-/ready"];
    if path == b"/metrics/job/" && Resource::Group(Vec::new()).has(method) {
        // what the Pushgateway says, though nothing is there
        return Some(b"/metrics/job".to_vec());
    }
    PREFIXES.iter().find_map(|prefix| {
        let (start, rest) = path.split_at_checked(prefix.len())?;
        let meant = if rest == b"/" { prefix.to_vec() } else { [prefix, rest].concat() };
        let matches = start.eq_ignore_ascii_case(prefix) && meant != path;
        let has_method = || Resource::at(&meant).is_some_and(|resource| resource.has(method));
        (matches && has_method()).then_some(meant)
    })
}
