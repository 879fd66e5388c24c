//! What can be asked for, and the parts of a group's path.

/// What can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    /// `/` and `/status`: the web page.
    Page,
    /// `/metrics`, or where `--web.telemetry-path` puts it.
    Metrics,
    /// `/-/healthy`
    Healthy,
    /// `/-/ready`
    Ready,
    /// `/-/quit`
    Quit,
    /// `/metrics/job/…` or `/aggregate/metrics/job/…`: the path, decoded and without the route prefix.
    Group(Vec<u8>),
    /// `/api/v1/…`
    Api(ApiResource),
}

/// What can be asked for below `/api/v1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApiResource {
    /// `/status`
    Status,
    /// `/metrics`
    Metrics,
    /// `/admin/wipe`
    Wipe,
    /// `/admin/groups`: of Mayfly only.
    Groups,
    /// `/batch`: of Mayfly only.
    Batch,
    /// `OPTIONS` of anything.
    Options,
}

/// The parts of a group's path, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupPath<'a> {
    pub(crate) job: &'a [u8],
    pub(crate) job_is_base64: bool,
    /// Whether what is pushed to it is added to what is held.
    pub(crate) is_aggregated: bool,
    /// What stands after the job, with the slash before it.
    pub(crate) labels: &'a [u8],
}

/// What stands before the path of a group to whose metrics is added; a client has it in its base URL.
const AGGREGATE: &[u8] = b"/aggregate";

/// Where groups are. The longer one first: it begins like the other.
pub(super) const GROUPS: [&[u8]; 2] = [b"/metrics/job@base64/", b"/metrics/job/"];

impl<'a> GroupPath<'a> {
    /// `None` if the path is not that of a group.
    pub(crate) fn of(path: &'a [u8]) -> Option<Self> {
        let (path, is_aggregated) = match path.strip_prefix(AGGREGATE) {
            Some(rest) => (rest, true),
            None => (path, false),
        };
        let (rest, job_is_base64) = GROUPS
            .iter()
            .zip([true, false])
            .find_map(|(start, is_base64)| Some((path.strip_prefix(*start)?, is_base64)))
            .filter(|(rest, _)| !rest.is_empty())?;
        let end = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
        let (job, labels) = rest.split_at(end);
        Some(Self { job, job_is_base64, is_aggregated, labels })
    }
}
