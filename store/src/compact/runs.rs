//! Makes runs: what was read is merged, and what comes of it written.

use std::collections::HashSet;

use bytes::Bytes;
use model::{RETRY_WINDOW_US, RetryKey};
use object_store::ObjectStoreExt;

use super::ids::Id;
use super::keys::Counted;
use super::merge::{Kind, Made, Merge};
use super::sources::Source;
use super::{CompactError, Compactor, Progress, sealed_list};
use crate::layout::{Day, MergedName, Minute};
use crate::manifest::{Level, Manifest, Run};
use crate::segment::Segment;

/// What runs are made of.
#[derive(Debug)]
pub(super) struct Making {
    pub(super) level: Level,
    pub(super) minutes: (Minute, Minute),
    /// Of the names of all that they are made of.
    pub(super) inputs: u64,
    /// Of all segments that are in them.
    pub(super) ids: Vec<Id>,
    /// That stand beside what they are made of.
    pub(super) keys: Vec<Counted>,
    /// Of samples that are in runs already: of which day they are.
    pub(super) day: Option<Day>,
    /// The last deletion of which nothing is in that.
    pub(super) deleted: u64,
}

impl Compactor {
    /// Whether rows have the times of their pushes, and not times of their own.
    pub(super) fn has_stamps(&self) -> bool {
        self.kind == Kind::Pushes
    }

    /// The runs of what sources give: of pushes one, of samples one for each day of their time.
    pub(super) async fn make(
        &self,
        manifest: &Manifest,
        making: Making,
        (sources, merge): (Vec<Source>, Merge),
        progress: &mut Progress,
    ) -> Result<Vec<Run>, CompactError> {
        let Making { level, minutes: (from, to), inputs, ids, keys: beside, deleted, day: of_day } = making;
        let (level_name, epoch) = (level.name(), manifest.epoch);
        let name = |day: Option<Day>| {
            let day = day.unwrap_or(from.day());
            MergedName { day, level: level_name, minutes: (from, to), epoch, inputs }
        };
        let Made { mut files, mut keys, rows_merged } = self.merge(sources, merge, name, progress).await?;
        if files.is_empty() && (of_day.is_some() || !ids.is_empty()) {
            // all of it is deleted, and still it must be known that these minutes and segments were here
            let day = Some(of_day.unwrap_or(from.day()));
            let empty = self.write_file(name(day).part(0), Segment::default(), progress).await?;
            files.insert(day, vec![empty]);
        }
        keys.extend(beside);
        let mut runs = Vec::new();
        let days = files.len();
        for (index, (day, objects)) in files.into_iter().enumerate() {
            let (keys_name, ids_name) = (name(day).keys(), name(day).ids());
            let mut run = Run {
                level,
                from,
                to,
                day,
                objects,
                keys: None,
                ids: None,
                rows_merged: 0,
                list_bytes: 0,
                deleted,
            };
            if index == 0 {
                run.rows_merged = rows_merged;
            }
            // of runs of several days the last has them all: it is the last to be dropped
            if index + 1 == days {
                if !keys.is_empty() {
                    let bytes = sealed_list::encode(std::mem::take(&mut keys));
                    run.list_bytes += bytes.len() as u64;
                    self.write(&keys_name, bytes.into(), progress).await?;
                    run.keys = Some(keys_name);
                }
                if !ids.is_empty() {
                    let bytes = sealed_list::encode(ids.clone());
                    run.list_bytes += bytes.len() as u64;
                    self.write(&ids_name, bytes.into(), progress).await?;
                    run.ids = Some(ids_name);
                }
            }
            progress.runs += 1;
            runs.push(run);
        }
        Ok(runs)
    }

    /// The ids of the segments of runs, in ascending order.
    pub(super) async fn ids_of(&self, runs: &[Run]) -> Result<Vec<Id>, CompactError> {
        let mut all = Vec::new();
        for name in runs.iter().filter_map(|run| run.ids.as_ref()) {
            all.extend(self.beside(name, sealed_list::decode::<Id>, "it is no list of ids").await?);
        }
        all.sort_unstable();
        Ok(all)
    }

    /// The retry keys of the pushes of runs.
    pub(super) async fn keys_of(&self, runs: &[Run]) -> Result<Vec<Counted>, CompactError> {
        let mut all = Vec::new();
        for name in runs.iter().filter_map(|run| run.keys.as_ref()) {
            all.extend(
                self.beside(name, sealed_list::decode::<Counted>, "it is no list of retry keys").await?,
            );
        }
        Ok(all)
    }

    /// Of the retry keys of some segments those that counted before `from`.
    pub(super) async fn counted(
        &self,
        manifest: &Manifest,
        heads: &[Segment],
        from: Minute,
    ) -> Result<Vec<Counted>, CompactError> {
        let pushes = heads.iter().flat_map(|head| &head.pushes);
        let asked: HashSet<u128> =
            pushes.filter_map(|push| push.retry_key).map(|RetryKey { key, .. }| key).collect();
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let window_us = from.start_us().saturating_sub_unsigned(RETRY_WINDOW_US.unsigned_abs());
        let within = |run: &&Run| run.to.start_us() > window_us && run.from < from;
        let mut counted = Vec::new();
        // one list at a time is in memory
        for run in manifest.runs.iter().filter(within) {
            let of_run = self.keys_of(std::slice::from_ref(run)).await?;
            counted.extend(of_run.into_iter().filter(|(retry, _)| asked.contains(&retry.key)));
        }
        Ok(counted)
    }

    async fn beside<T>(
        &self,
        name: &str,
        decode: impl Fn(&[u8]) -> Option<T>,
        damaged: &str,
    ) -> Result<T, CompactError> {
        let object = self.stream.below(name);
        let failed = |source| CompactError::Store { object: object.clone(), source };
        let bytes: Bytes = self.store.get(&object).await.map_err(failed)?.bytes().await.map_err(failed)?;
        let reason = damaged.to_owned();
        decode(&bytes).ok_or(CompactError::Damaged { object, reason })
    }
}
