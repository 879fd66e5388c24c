//! What is handed on.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method};
use model::Labels;
use wire::name_escaping::Escaping;
use wire::{Accepted, Family, PageFormat, protobuf};

use super::placing::place;
use crate::path::group_path;

/// Metrics that are added to what a group holds, each in the usual way of its type: two of them, one after the other, are the same as
/// their sum.
#[derive(Clone, Debug, PartialEq)]
pub struct Adds {
    /// The group, with all labels that were placed in it.
    pub group: Labels,
    /// Without those of the group.
    pub families: Vec<Family>,
}

impl Adds {
    /// Metrics that somebody else than a client of the Pushgateway has measured, with labels as [`crate::relay_router`] places them.
    pub fn of(group: &Labels, mut families: Vec<Family>, labels: &Labels) -> Self {
        let (group, _) = place(labels, group, &mut families);
        Self { group, families }
    }

    /// The push that adds them.
    pub fn push(&self) -> RelayedPush {
        RelayedPush {
            method: Method::POST,
            is_aggregated: true,
            group: self.group.clone(),
            headers: vec![protobuf_type()],
            body: protobuf::write(&self.families, Escaping::AllowUtf8).into(),
            series: series(&self.families),
        }
    }
}

/// A push as it is to be sent: it was good when it came.
#[derive(Clone, Debug, PartialEq)]
pub struct RelayedPush {
    /// PUT, POST or DELETE.
    pub method: Method,
    /// Whether it is added to what the group holds.
    pub is_aggregated: bool,
    /// The group, with all labels that were placed in it.
    pub group: Labels,
    /// What says how the body is written, and the terms that the sender has set.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// As it was sent, unless labels were placed in it.
    pub body: Bytes,
    /// How many metrics it has; a histogram is one.
    pub series: usize,
}

impl RelayedPush {
    /// The path that it is sent to.
    pub fn path(&self) -> String {
        // the job goes first
        let is_job = |label: &&model::Label| &*label.name == "job";
        let labels = self.group.iter().filter(is_job).chain(self.group.iter().filter(|label| !is_job(label)));
        let labels = labels.map(|label| (&*label.name, &*label.value));
        let prefix = if self.is_aggregated { "/aggregate/metrics" } else { "/metrics" };
        format!("{prefix}{}", group_path(labels))
    }
}

pub(super) fn series(families: &[Family]) -> usize {
    families.iter().map(|family| family.metrics.len()).sum()
}

/// The header of a body of delimited protobuf.
pub(super) fn protobuf_type() -> (HeaderName, HeaderValue) {
    let accepted = Accepted { format: PageFormat::ProtobufDelimited, escaping: Escaping::AllowUtf8 };
    let value = HeaderValue::from_str(&accepted.content_type());
    // it is made of plain words
    (CONTENT_TYPE, value.unwrap_or(HeaderValue::from_static("application/vnd.google.protobuf")))
}
