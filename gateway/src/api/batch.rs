//! `POST /api/v1/batch`: requests about several groups in one, each answered as if it had come alone.

use std::collections::HashMap;

use bytes::Bytes;
use http::{HeaderMap, Method};
use model::GroupKey;
use serde::{Deserialize, Serialize};

use crate::path::{Destination, GroupPath, Resource, Routes, grouping_labels};
use crate::terms;
use crate::told::{Request, ToldRequest, ToldRequestError};

/// A batch as it is sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    requests: Vec<ToldRequest>,
}

/// One request of a batch.
#[derive(Debug)]
pub(crate) struct Single {
    pub(crate) method: Method,
    pub(crate) destination: Destination,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What became of one request.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// A batch of which nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// It is not the JSON that is expected.
    #[error(
        "batch: {0}: expected {{\"requests\": [{{\"method\": \"PUT\", \"path\": \"/metrics/job/…\", \"body\": \"…\"}}]}}"
    )]
    Json(#[from] serde_json::Error),
    /// It has too many requests.
    #[error("batch: the number of requests ({found}) exceeds requests_per_batch_max = {max}")]
    TooMany {
        /// How many.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// Two requests about one group: their order would not be certain.
    #[error(
        "batch: requests[{second}] is about the same group as requests[{first}]: a group may stand in a batch once"
    )]
    SameGroup {
        /// The place of the first.
        first: usize,
        /// The place of the second.
        second: usize,
    },
    /// Something of one request makes no sense.
    #[error("batch: requests[{at}].{field}: {reason}")]
    Field {
        /// Its place.
        at: usize,
        /// What of it.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// Reads a batch. Of the headers it came with, those that are terms of a push hold for each request that does not have them
/// itself. What a request says about its group is looked at later, and answered in its place.
pub(crate) fn requests(
    body: &[u8],
    headers: &HeaderMap,
    routes: &Routes,
    utf8_names: bool,
    max: usize,
) -> Result<Vec<Single>, BatchError> {
    let sent: Sent = serde_json::from_slice(body)?;
    let found = sent.requests.len();
    if found > max {
        return Err(BatchError::TooMany { found, max });
    }
    let mut places = HashMap::new();
    let mut requests = Vec::with_capacity(found);
    for (at, request) in sent.requests.into_iter().enumerate() {
        let mut single = single(at, request, routes)?;
        inherit(&mut single.headers, headers);
        if let Some(group) = group(&single.destination, utf8_names)
            && let Some(first) = places.insert(group, at)
        {
            return Err(BatchError::SameGroup { first, second: at });
        }
        requests.push(single);
    }
    Ok(requests)
}

fn group(destination: &Destination, utf8_names: bool) -> Option<GroupKey> {
    let Destination::Resource(Resource::Group(path)) = destination else { return None };
    Some(GroupKey::of(&grouping_labels(&GroupPath::of(path)?, utf8_names).ok()?))
}

fn inherit(own: &mut HeaderMap, of_batch: &HeaderMap) {
    for name in terms::INHERITED {
        if let Some(value) = of_batch.get(&name) {
            own.entry(name).or_insert_with(|| value.clone());
        }
    }
}

fn single(at: usize, told: ToldRequest, routes: &Routes) -> Result<Single, BatchError> {
    let wrong = |ToldRequestError { field, reason }| BatchError::Field { at, field, reason };
    let Request { method, path, headers, body } = told.request().map_err(wrong)?;
    let destination = routes.destination(&method, &path);
    Ok(Single { method, destination, headers, body })
}
