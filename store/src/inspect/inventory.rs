//! What there is, by partition: what manifest and names tell, without a look at rows.

use std::collections::{BTreeMap, HashSet};

use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use super::{InspectError, Inspector};
use crate::hot;
use crate::layout::{Day, Minute, SegmentName, epoch_of};
use crate::manifest::{Manifest, Object};

/// Which part of a stream it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Segments that are in no run, by the UTC day under which they lie.
    Hot {
        /// `20261122`
        day: String,
    },
    /// A run of the manifest.
    Run {
        /// `tick`, `hour`, `day`
        level: &'static str,
        /// Its first minute, `20261122T2346`.
        from: String,
        /// The first minute that is not in it.
        to: String,
        /// Of samples: the day of their time.
        day: Option<String>,
    },
    /// What was held at a minute.
    Frame {
        /// Which.
        at: String,
        /// The minute of the frame that it says the differences to.
        base: Option<String>,
    },
    /// What no manifest names, and is deleted when it is old: segments that are in runs, files that were merged, leftovers.
    Unneeded,
}

/// How much there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    /// Objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Rows, heads included; of what is unneeded, those that names tell.
    pub rows: u64,
    /// Series, where that is known without a look; of pushes as groups hold them.
    pub series: Option<u64>,
    /// First and last time of a row in µs.
    pub times_us: Option<(i64, i64)>,
}

/// A part of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Which.
    pub place: Place,
    /// What is in it.
    pub holds: Holds,
}

/// What there is of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Runs and frames, then segments, in order of time, then what nobody needs.
    pub partitions: Vec<Partition>,
    /// Everything in minutes before it is in runs; `None`: nothing is.
    pub watermark: Option<String>,
    /// What was before this minute is dropped.
    pub kept_from: Option<String>,
    /// That of the manifest.
    pub epoch: u64,
    /// Who had the lease last, and until when, in µs; 0: nobody.
    pub lease: (u64, i64),
    /// Segments that are in no run.
    pub waiting: u64,
    /// The minute of the oldest of them, in µs.
    pub oldest_waiting_us: Option<i64>,
    /// Objects among them that are not called as Mayfly calls its own.
    pub foreign: Vec<String>,
}

impl Holds {
    fn add(&mut self, bytes: u64, rows: u64, times_us: Option<(i64, i64)>) {
        self.objects += 1;
        self.bytes += bytes;
        self.rows += rows;
        self.see(times_us);
    }

    fn see(&mut self, times_us: Option<(i64, i64)>) {
        self.times_us = match (self.times_us, times_us) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (known, new) => known.or(new),
        };
    }

    fn of(objects: &[Object]) -> Self {
        let mut holds = Self { series: Some(0), ..Self::default() };
        for object in objects {
            holds.add(object.bytes, object.rows, (object.rows > 0).then_some(object.times_us));
            holds.series = holds.series.map(|series| series + object.series);
        }
        holds
    }
}

impl Inventory {
    /// All that counts together. Runs and segments have rows of their own; frames repeat what runs have, so their rows and series
    /// are left out.
    pub fn total(&self) -> Holds {
        let mut total = Holds::default();
        for Partition { place, holds } in &self.partitions {
            if *place == Place::Unneeded {
                continue;
            }
            total.objects += holds.objects;
            total.bytes += holds.bytes;
            if !matches!(place, Place::Frame { .. }) {
                total.rows += holds.rows;
                total.see(holds.times_us);
            }
        }
        total
    }
}

/// A segment that is in no run.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) object: Path,
    pub(super) name: SegmentName,
    pub(super) bytes: u64,
}

/// What was listed.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) waiting: Vec<Waiting>,
    unneeded: Holds,
    pub(super) foreign: Vec<String>,
}

impl Inspector {
    /// What there is.
    ///
    /// # Errors
    /// If the store fails, or the manifest cannot be read.
    pub async fn inventory(&self) -> Result<Inventory, InspectError> {
        let loaded = self.load().await?;
        let manifest = &*loaded.manifest;
        let listed = self.list(manifest).await?;
        let mut partitions = merged(manifest);
        let mut days: BTreeMap<Day, Holds> = BTreeMap::new();
        for Waiting { name, bytes, .. } in &listed.waiting {
            let times_us = (name.rows > 0).then_some((name.from_us, name.to_us));
            days.entry(Day::of(name.stamped_us)).or_default().add(*bytes, name.rows, times_us);
        }
        let hot =
            |(day, holds): (Day, Holds)| Partition { place: Place::Hot { day: day.to_string() }, holds };
        partitions.extend(days.into_iter().map(hot));
        if listed.unneeded.objects > 0 {
            partitions.push(Partition { place: Place::Unneeded, holds: listed.unneeded });
        }
        Ok(Inventory {
            partitions,
            watermark: manifest.watermark.map(|minute| minute.to_string()),
            kept_from: manifest.kept_from.map(|minute| minute.to_string()),
            epoch: manifest.epoch,
            lease: (manifest.lease.holder, manifest.lease.until_us),
            waiting: listed.waiting.len() as u64,
            oldest_waiting_us: listed.waiting.iter().map(|waiting| waiting.name.stamped_us).min(),
            foreign: listed.foreign,
        })
    }

    /// Lists all, and tells apart what counts, what nobody needs, and what is not ours.
    pub(super) async fn list(&self, manifest: &Manifest) -> Result<Listed, InspectError> {
        let named: HashSet<&str> = manifest.object_names().collect();
        let mut listed = Listed::default();
        let told = |entry: &ObjectMeta| self.stream.name_of(&entry.location).unwrap_or_default();
        for entry in self.entries(&self.stream.hot()).await? {
            let Ok(name) = SegmentName::parse(&entry.location) else {
                listed.foreign.push(entry.location.to_string());
                continue;
            };
            if manifest.watermark.is_none_or(|watermark| Minute::of(name.stamped_us) >= watermark) {
                listed.waiting.push(Waiting { object: entry.location, name, bytes: entry.size });
            } else if !named.contains(told(&entry).as_str()) {
                listed.unneeded.add(entry.size, name.rows, Some((name.from_us, name.to_us)));
            }
        }
        let all = listed.waiting.clone();
        hot::drop_doubles(&mut listed.waiting, |waiting| (&waiting.object, &waiting.name));
        let counts: HashSet<&Path> = listed.waiting.iter().map(|waiting| &waiting.object).collect();
        for Waiting { name, bytes, .. } in all.iter().filter(|waiting| !counts.contains(&waiting.object)) {
            listed.unneeded.add(*bytes, name.rows, Some((name.from_us, name.to_us)));
        }
        for folder in self.stream.merged() {
            for entry in self.entries(&folder).await? {
                if named.contains(told(&entry).as_str()) {
                    continue;
                }
                match epoch_of(&entry.location) {
                    Some(_) => listed.unneeded.add(entry.size, 0, None),
                    None => listed.foreign.push(entry.location.to_string()),
                }
            }
        }
        Ok(listed)
    }

    async fn entries(&self, folder: &Path) -> Result<Vec<ObjectMeta>, InspectError> {
        let mut listing = self.store.list(Some(folder));
        let mut entries = Vec::new();
        while let Some(entry) = listing.next().await {
            entries.push(entry.map_err(|source| InspectError::Store { object: folder.clone(), source })?);
        }
        Ok(entries)
    }
}

/// Runs and frames.
fn merged(manifest: &Manifest) -> Vec<Partition> {
    let runs = manifest.runs.iter().map(|run| {
        let mut holds = Holds::of(&run.objects);
        holds.objects += run.keys.iter().chain(&run.ids).count() as u64;
        holds.bytes += run.list_bytes;
        let [from, to] = [run.from, run.to].map(|minute| minute.to_string());
        let day = run.day.map(|day| day.to_string());
        Partition { place: Place::Run { level: run.level.name(), from, to, day }, holds }
    });
    let frames = manifest.frames.iter().map(|frame| {
        let (at, base) = (frame.at.to_string(), frame.base.map(|base| base.to_string()));
        Partition { place: Place::Frame { at, base }, holds: Holds::of(&frame.objects) }
    });
    runs.chain(frames).collect()
}
