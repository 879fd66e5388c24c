//! What the object store holds: a literal one, in which everything happens at once.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use chrono::DateTime;
use object_store::path::Path;
use object_store::{Error, ObjectMeta, PutMode, Result};

/// A promise that the store does not keep; the simulation has to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// `If-Match` is not looked at: a swap always succeeds.
    IfMatch,
    /// `If-None-Match: *` is not looked at: an object is overwritten.
    Create,
    /// A PUT is answered and nothing is written, now and then.
    LostPut,
    /// A listing does not show what was written in the last minutes.
    StaleList,
    /// A PUT may leave the first half of an object.
    TornPut,
    /// The `Date` of answers stands still.
    FrozenDate,
}

#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) bytes: Bytes,
    etag: u64,
    written_us: i64,
}

/// All objects.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    pub(crate) objects: BTreeMap<Path, Stored>,
    pub(crate) writes: u64,
    pub(crate) broken: Option<Broken>,
}

#[derive(Debug)]
struct Told(&'static str);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Told {}

impl Bucket {
    /// Writes an object; gives its ETag.
    pub(crate) fn put(&mut self, path: &Path, bytes: Bytes, mode: &PutMode, now_us: i64) -> Result<String> {
        let found = self.objects.get(path);
        let name = || path.to_string();
        match mode {
            PutMode::Create if found.is_some() && self.broken != Some(Broken::Create) => {
                return Err(Error::AlreadyExists { path: name(), source: Box::new(Told("it is there")) });
            }
            PutMode::Update(version) if self.broken != Some(Broken::IfMatch) => {
                let is_same = found.is_some_and(|found| Some(etag(found)) == version.e_tag);
                if !is_same {
                    return Err(Error::Precondition { path: name(), source: Box::new(Told("ETag differs")) });
                }
            }
            _ => {}
        }
        self.writes += 1;
        let is_lost = self.broken == Some(Broken::LostPut) && self.writes.is_multiple_of(7);
        let is_torn = self.broken == Some(Broken::TornPut) && self.writes.is_multiple_of(7);
        let bytes = if is_torn { bytes.slice(..bytes.len() / 2) } else { bytes };
        let stored = Stored { bytes, etag: self.writes, written_us: now_us };
        let tag = etag(&stored);
        if !is_lost {
            self.objects.insert(path.clone(), stored);
        }
        Ok(tag)
    }

    /// An object, and what is known of it.
    pub(crate) fn get(&self, path: &Path) -> Result<(Bytes, ObjectMeta)> {
        let found = self.objects.get(path);
        let missing = || Error::NotFound { path: path.to_string(), source: Box::new(Told("no such object")) };
        let found = found.ok_or_else(missing)?;
        Ok((found.bytes.clone(), meta(path, found)))
    }

    pub(crate) fn delete(&mut self, path: &Path) -> Result<()> {
        let missing = || Error::NotFound { path: path.to_string(), source: Box::new(Told("no such object")) };
        self.objects.remove(path).map(drop).ok_or_else(missing)
    }

    /// The objects below a folder, after a name, and no more than a page.
    pub(crate) fn page(
        &self,
        below: &Path,
        after: Option<&Path>,
        most: usize,
        now_us: i64,
    ) -> Vec<ObjectMeta> {
        let is_shown = |stored: &Stored| {
            self.broken != Some(Broken::StaleList) || now_us - stored.written_us > 400_000_000
        };
        let found = self.objects.iter().filter(|(path, stored)| {
            path.prefix_matches(below) && after.is_none_or(|after| *path > after) && is_shown(stored)
        });
        found.take(most).map(|(path, stored)| meta(path, stored)).collect()
    }
}

fn etag(stored: &Stored) -> String {
    format!("\"{}\"", stored.etag)
}

fn meta(path: &Path, stored: &Stored) -> ObjectMeta {
    ObjectMeta {
        location: path.clone(),
        last_modified: DateTime::from_timestamp_micros(stored.written_us).expect("a time"),
        size: stored.bytes.len() as u64,
        e_tag: Some(etag(stored)),
        version: None,
    }
}
