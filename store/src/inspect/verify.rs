//! Reads all that counts, and tells what is not as names and manifest say.

use std::collections::HashSet;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::inventory::Waiting;
use super::{InspectError, Inspector};
use crate::compute;
use crate::layout::{Minute, SegmentName};
use crate::manifest::{Manifest, stands};
use crate::segment::{self, Segment, SegmentError};

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Which object.
    pub object: String,
    /// What is wrong with it.
    pub what: String,
}

/// What was read, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Objects that were read.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their rows.
    pub rows: u64,
    /// In order of objects.
    pub problems: Vec<Problem>,
    /// Objects that are not called as Mayfly calls its own; no answer has anything of them.
    pub foreign: Vec<String>,
}

/// A Parquet file: its bytes, and its rows or why there are none. `None`: it is not there.
pub(super) type File = Option<(Bytes, Result<Segment, SegmentError>)>;

/// Files that are read at once; each is in memory as a whole.
pub(super) const READS_MAX: usize = 4;

impl Verified {
    pub(super) fn complain(&mut self, object: &Path, what: impl Into<String>) {
        self.problems.push(Problem { object: object.to_string(), what: what.into() });
    }
}

impl Inspector {
    /// Reads every object that counts: compares checksums, decodes all rows, and looks whether names, the manifest and its
    /// invariants are true of them.
    ///
    /// # Errors
    /// If the store fails. What is broken is no error but a [`Problem`].
    pub async fn verify(&self) -> Result<Verified, InspectError> {
        let mut verified = Verified::default();
        let manifest = match self.load().await {
            Ok(loaded) => loaded.manifest,
            Err(InspectError::Manifest(what)) => {
                // without it nothing is known of runs; segments speak for themselves
                verified.complain(&self.stream.manifest(), what);
                Default::default()
            }
            Err(error) => return Err(error),
        };
        if let Err(violation) = stands(&manifest) {
            verified.complain(&self.stream.manifest(), violation.to_string());
        }
        let listed = self.list(&manifest).await?;
        verified.foreign = listed.foreign;
        let mut missing = self.verify_merged(&manifest, &mut verified).await?;
        missing.extend(self.verify_segments(&manifest, listed.waiting, &mut verified).await?);
        self.tell_missing(missing, &mut verified).await?;
        verified.problems.sort();
        Ok(verified)
    }

    /// Segments in no run, and those that go on after the watermark. Gives those that are not there.
    async fn verify_segments(
        &self,
        manifest: &Manifest,
        waiting: Vec<Waiting>,
        verified: &mut Verified,
    ) -> Result<Vec<Path>, InspectError> {
        let going_on = manifest.reaching.iter().filter_map(|segment| {
            let object = self.stream.below(&segment.name);
            let name = SegmentName::parse(&object).ok()?;
            Some(Waiting { object, name, bytes: segment.bytes })
        });
        let all: Vec<Waiting> = going_on.chain(waiting).collect();
        let mut missing = Vec::new();
        let read = |segment: Waiting| async move {
            let file = self.file(&segment.object, segment.name.checksum).await;
            (segment, file)
        };
        // as a list, since this could not be spawned otherwise
        let reads: Vec<_> = all.into_iter().map(read).collect();
        let mut reads = std::pin::pin!(stream::iter(reads).buffered(READS_MAX));
        while let Some((segment, file)) = reads.next().await {
            let Waiting { object, name, bytes } = segment;
            let Some((content, found)) = file? else {
                missing.push(object);
                continue;
            };
            verified.read(&content);
            if content.len() as u64 != bytes {
                verified.complain(&object, format!("it has {} bytes, not {bytes}", content.len()));
            }
            match found {
                Ok(found) => self.compare(&object, &name, &found, verified),
                Err(error) => verified.complain(&object, error.to_string()),
            }
        }
        Ok(missing)
    }

    /// Whether the name of a segment tells the truth.
    fn compare(&self, object: &Path, name: &SegmentName, found: &Segment, verified: &mut Verified) {
        let rows = found.row_count() as u64;
        verified.rows += rows;
        if rows != name.rows {
            verified.complain(object, format!("it has {rows} rows, and its name says {}", name.rows));
        }
        if found.writer != name.writer {
            let (found, name) = (found.writer, name.writer);
            verified.complain(object, format!("it is of writer {found:016x}, and its name says {name:016x}"));
        }
        if let Some((from_us, to_us)) = found.time_range() {
            if (from_us, to_us) != (name.from_us, name.to_us) {
                let (from, to) = (name.from_us, name.to_us);
                verified.complain(
                    object,
                    format!("its times go from {from_us} to {to_us}, and its name says from {from} to {to}"),
                );
            }
            if self.is_of_pushes && Minute::of(from_us) < Minute::of(name.stamped_us) {
                verified.complain(object, format!("it begins at {from_us}, before the minute it lies under"));
            }
        }
        if let Some(what) = disorder(found) {
            verified.complain(object, what);
        }
    }

    /// What is not there may have been merged or swept meanwhile: then a newer manifest does not need it.
    async fn tell_missing(&self, missing: Vec<Path>, verified: &mut Verified) -> Result<(), InspectError> {
        if missing.is_empty() {
            return Ok(());
        }
        let now = self.load().await?.manifest;
        let named: HashSet<Path> = now.object_names().map(|name| self.stream.below(name)).collect();
        for object in missing {
            let waits = SegmentName::parse(&object)
                .is_ok_and(|name| now.watermark.is_none_or(|mark| Minute::of(name.stamped_us) >= mark));
            if waits || named.contains(&object) {
                verified.complain(&object, "it is not there");
            }
        }
        Ok(())
    }

    /// Reads an object; `None`: it is not there.
    pub(super) async fn read(&self, object: &Path) -> Result<Option<Bytes>, InspectError> {
        let failed = |source| InspectError::Store { object: object.clone(), source };
        match self.store.get(object).await {
            Ok(found) => Ok(Some(found.bytes().await.map_err(failed)?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(failed(source)),
        }
    }

    /// Reads and decodes a file.
    pub(super) async fn file(&self, object: &Path, checksum: u64) -> Result<File, InspectError> {
        let Some(content) = self.read(object).await? else { return Ok(None) };
        let bytes = content.clone();
        let decoded = compute::decoded(compute::compute(move || segment::decode(bytes, checksum)).await)?;
        Ok(Some((content, decoded)))
    }
}

impl Verified {
    pub(super) fn read(&mut self, content: &Bytes) {
        self.objects += 1;
        self.bytes += content.len() as u64;
    }
}

/// What of a file is not in order of series and time.
pub(super) fn disorder(file: &Segment) -> Option<String> {
    for pair in file.series.windows(2) {
        if pair[0].order() > pair[1].order() {
            return Some(format!("series {} stands before {}", pair[0].labels, pair[1].labels));
        }
    }
    for series in &file.series {
        let times = &file.rows.at_us[series.range.clone()];
        if times.windows(2).any(|pair| pair[0] > pair[1]) {
            return Some(format!("rows of {} are not in order of time", series.labels));
        }
    }
    None
}
