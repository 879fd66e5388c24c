//! Deletes what nothing needs: segments that are in runs, objects of runs that were merged, and leftovers of ticks that were
//! killed.
//!
//! Objects are named by what they are made of and by the epoch, so a tick finds what an earlier one of the same epoch has left.
//! The epoch is raised before anything is deleted: who planned before that cannot commit, and who plans after it makes objects
//! of other names. So what no manifest names, and is of an earlier epoch, nobody will ever name.

use std::collections::HashSet;

use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::lease::micros;
use super::{CompactError, Compactor, Progress};
use crate::layout::{Minute, SegmentName, epoch_of};
use crate::manifest::{Loaded, Manifest, Swept};

impl Compactor {
    /// Looks for what nothing needs, if that was long ago, and deletes it.
    pub(super) async fn sweep_if_due(
        &self,
        loaded: &Loaded,
        now_us: i64,
        progress: &mut Progress,
    ) -> Result<(), CompactError> {
        let is_due = match loaded.manifest.swept {
            Some(swept) => now_us - swept.at.start_us() >= micros(self.settings.sweep_interval),
            // nothing was ever merged: there is nothing to sweep
            None => loaded.manifest.watermark.is_some(),
        };
        if !is_due {
            return Ok(());
        }
        let Some(loaded) = self.take_lease(loaded, now_us).await? else { return Ok(()) };
        let manifest = &loaded.manifest;
        let before = manifest.swept;
        let swept = Some(Swept { at: Minute::of(now_us), watermark: manifest.watermark });
        let raised = Manifest { epoch: manifest.epoch + 1, swept, ..Manifest::clone(manifest) };
        let loaded = self.commit(&loaded, raised, None).await?;
        for object in self.unneeded(&loaded.manifest, before, now_us).await? {
            match self.store.delete(&object).await {
                Ok(()) => progress.swept += 1,
                Err(object_store::Error::NotFound { .. }) => {}
                Err(source) => return Err(CompactError::Store { object, source }),
            }
        }
        Ok(())
    }

    /// What nothing needs any more, and has not for a while.
    async fn unneeded(
        &self,
        manifest: &Manifest,
        before: Option<Swept>,
        now_us: i64,
    ) -> Result<Vec<Path>, CompactError> {
        let named: HashSet<Path> = manifest.object_names().map(|name| self.stream.below(name)).collect();
        let old_us = now_us - micros(self.settings.grace);
        let is_old = |entry: &ObjectMeta| entry.last_modified.timestamp_micros() <= old_us;
        let mut unneeded = Vec::new();
        for folder in self.stream.merged() {
            self.each(&folder, |entry| {
                let is_earlier = epoch_of(&entry.location).is_some_and(|epoch| epoch < manifest.epoch);
                if is_earlier && is_old(&entry) && !named.contains(&entry.location) {
                    unneeded.push(entry.location);
                }
            })
            .await?;
        }
        // who lists hot segments goes by a manifest that was read at the same time: only what an older one has told already to be
        // merged is needed by nobody
        let long_ago = before.filter(|before| before.at.start_us() <= old_us);
        let Some(watermark) = long_ago.and_then(|before| before.watermark) else { return Ok(unneeded) };
        self.each(&self.stream.hot(), |entry| {
            // what is called otherwise is not ours to delete
            let Ok(name) = SegmentName::parse(&entry.location) else { return };
            let is_before = Minute::of(name.stamped_us) < watermark;
            if is_before && is_old(&entry) && !named.contains(&entry.location) {
                unneeded.push(entry.location);
            }
        })
        .await?;
        Ok(unneeded)
    }

    async fn each(&self, folder: &Path, mut look: impl FnMut(ObjectMeta)) -> Result<(), CompactError> {
        let mut listing = self.store.list(Some(folder));
        while let Some(entry) = listing.next().await {
            look(entry.map_err(|source| CompactError::Store { object: folder.clone(), source })?);
        }
        Ok(())
    }
}
