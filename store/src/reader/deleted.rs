//! What is deleted is kept by no reader longer than in the store: what it has in memory and on disk is forgotten where a manifest says
//! of other deletions than the one before, also in an earlier process.

use std::sync::Arc;

use bytes::Bytes;

use super::disk::Piece;
use super::fetch::Fetch;
use super::open::{Kept, Key};
use super::{DiskCache, Reader};
use crate::layout::Stream;
use crate::manifest::Manifest;

/// How often what is in memory and on disk was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Forgotten {
    memory: u64,
    disk: u64,
}

impl Reader {
    pub(super) fn forgotten(&self) -> Forgotten {
        let disk = self.settings.disk.as_ref().map_or(0, |disk| disk.cleared());
        Forgotten { memory: self.memory.forgotten(), disk }
    }

    /// Forgets what was read of a tenant if something was deleted, or is at last gone, since the manifest that was seen last.
    /// What this fetches from now on may be kept; what others ask for that listed before may not.
    pub(super) async fn forget_deleted(
        &self,
        fetch: &Fetch,
        stream: &Stream,
        last: Option<&Manifest>,
        manifest: &Manifest,
    ) {
        let tells_the_same =
            |last: &Manifest| last.deleted == manifest.deleted && last.deletions == manifest.deletions;
        match last {
            Some(last) if tells_the_same(last) => return,
            // of a store of which nothing was ever deleted, everything may be kept
            None if manifest.deleted == 0 => return,
            _ => {}
        }
        self.memory.forget(stream);
        if let Some(disk) = &self.settings.disk {
            self.clear(disk, stream, last.is_none(), told(manifest)).await;
        }
        fetch.renew(self.forgotten());
    }

    /// Clears what is on disk, unless an earlier process has done so for the same deletions.
    async fn clear(&self, disk: &Arc<DiskCache>, stream: &Stream, is_first: bool, told: String) {
        let note = Piece::Deletions(stream.manifest());
        if is_first && disk.get(vec![note]).await.pop().flatten().is_some_and(|noted| noted == told) {
            return;
        }
        disk.clear(stream.manifest(), told.into());
    }

    /// Keeps in memory what was read, if nothing was forgotten since it was asked for.
    pub(super) fn remember(&self, fetch: &Fetch, key: Key, kept: Kept, bytes: usize) {
        self.memory.put(key, kept, bytes, fetch.forgotten().memory);
    }

    /// The same on disk, of what was fetched and is as it was written.
    pub(super) fn keep(&self, fetch: &Fetch, fetched: Vec<(Piece, Bytes)>) {
        if let Some(disk) = &self.settings.disk
            && !fetched.is_empty()
        {
            disk.put(fetched, fetch.forgotten().disk);
        }
    }
}

/// What a manifest says of deletions: how many there were, and which of them may have left something in objects.
pub(super) fn told(manifest: &Manifest) -> String {
    let pending = manifest.deletions.iter().map(|recorded| format!(" {}", recorded.number));
    format!("{}:{}", manifest.deleted, pending.collect::<String>())
}
