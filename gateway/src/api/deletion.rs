//! `DELETE /api/v1/admin/groups`: the groups that selectors name.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::Labels;
use serde::Serialize;
use store::LiveGroup;

use super::selector::{Selector, SelectorError};
use crate::path::decode_percent;

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Deletion {
    selectors: Vec<Selector>,
    /// Only to be told what would be deleted.
    pub(crate) is_dry: bool,
}

/// Groups that an answer lists; it counts all of them.
const LISTED_MAX: usize = 1_000;

/// What an answer says.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Deleted {
    /// How many groups match.
    matched: usize,
    /// How many were deleted.
    deleted: usize,
    /// The labels of the first of them.
    groups: Vec<BTreeMap<Arc<str>, Arc<str>>>,
}

impl Deletion {
    /// `match[]`, which may stand several times, and `dry_run`.
    pub(crate) fn of_query(query: &str) -> Result<Self, SelectorError> {
        let (mut selectors, mut is_dry) = (Vec::new(), false);
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let text = |encoded: &str| {
                let bytes = decode_percent(&encoded.replace('+', " "));
                bytes.map_or_else(|| encoded.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
            };
            match &*text(name) {
                "match[]" => selectors.push(Selector::parse(&text(value))?),
                "dry_run" => is_dry = !matches!(&*text(value), "" | "0" | "false"),
                _ => {}
            }
        }
        if selectors.is_empty() { Err(SelectorError::None) } else { Ok(Self { selectors, is_dry }) }
    }

    /// The groups that one selector at least names.
    pub(crate) fn matching(&self, live: Vec<LiveGroup>) -> Vec<Labels> {
        let is_selected = |labels: &Labels| self.selectors.iter().any(|selector| selector.matches(labels));
        live.into_iter().map(|group| group.labels).filter(|labels| is_selected(labels)).collect()
    }
}

impl Deleted {
    pub(crate) fn of(matching: &[Labels], deleted: usize) -> Self {
        let listed = |labels: &Labels| {
            labels.iter().map(|label| (Arc::clone(&label.name), Arc::clone(&label.value))).collect()
        };
        Self {
            matched: matching.len(),
            deleted,
            groups: matching.iter().take(LISTED_MAX).map(listed).collect(),
        }
    }
}
