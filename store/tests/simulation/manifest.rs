//! What a manifest says, read as docs/format.md describes it and not by the code under test.

use std::collections::{BTreeMap, BTreeSet};

use model::{Labels, MatchOp, Matcher};
use object_store::path::Path;
use serde_json::Value;

use super::bucket::Bucket;
use super::ledger::{Id, minute_us};

const DAY_US: i64 = 86_400_000_000;

/// What of a stream is in runs.
#[derive(Debug)]
pub(crate) struct Merged {
    pub(crate) watermark_us: i64,
    /// From when on it is kept; `i64::MIN`: from the beginning.
    pub(crate) kept_us: i64,
    /// The minutes under which a segment is in runs, in order; in the books also those of runs that are gone.
    pub(crate) minutes: BTreeMap<Id, BTreeSet<i64>>,
    /// When each of its runs ends: of samples the day of their time.
    pub(crate) run_ends_us: Vec<i64>,
    /// Of when there are frames.
    pub(crate) frames_us: Vec<i64>,
    /// The objects that it names.
    pub(crate) objects: BTreeSet<Path>,
    /// How many deletions are under way.
    pub(crate) deletions: usize,
}

/// A deletion, as a manifest tells it.
#[derive(Clone, Debug)]
pub(crate) struct Deletion {
    pub(crate) number: u64,
    matchers: Vec<Matcher>,
    from_us: i64,
    to_us: i64,
    through_us: i64,
    /// When the manifest came to the store that told it first.
    pub(crate) landed_us: i64,
}

impl Deletion {
    /// Whether it takes a part of what was before a time, or may take it from a sum that goes on.
    pub(crate) fn takes_part_of(&self, before_us: i64) -> bool {
        self.from_us < before_us && (self.from_us > i64::MIN || self.to_us < before_us)
    }

    /// Whether a value of a series at a time is meant. Of samples: in a segment filed under a minute.
    pub(crate) fn means(&self, labels: &Labels, at_us: i64, minute_us: Option<i64>) -> bool {
        minute_us.is_none_or(|minute_us| minute_us <= self.through_us)
            && (self.from_us..=self.to_us).contains(&at_us)
            && self.matchers.iter().all(|matcher| matcher.matches(labels.get(&matcher.name).unwrap_or("")))
    }

    /// Whether it is by this matcher alone.
    pub(crate) fn is_by(&self, matcher: &Matcher) -> bool {
        let texts = |m: &Matcher| (m.name.to_string(), m.op, m.value.to_string());
        self.matchers.iter().map(texts).eq([texts(matcher)])
    }
}

/// The deletions that a manifest tells, which came to the store just now.
pub(crate) fn deletions(bytes: &[u8], landed_us: i64) -> Result<Vec<Deletion>, String> {
    let manifest: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let told = manifest["deletions"].as_array().cloned().unwrap_or_default();
    let deletion = |told: &Value| {
        let matcher = |of: &Value| {
            let op = match of[1].as_str()? {
                "=" => MatchOp::Equal,
                "=~" => MatchOp::Regex,
                _ => return None,
            };
            Matcher::new(of[0].as_str()?, op, of[2].as_str()?).ok()
        };
        Some(Deletion {
            number: told["number"].as_u64()?,
            matchers: told["matchers"].as_array()?.iter().map(matcher).collect::<Option<_>>()?,
            from_us: told["from_us"].as_i64().unwrap_or(i64::MIN),
            to_us: told["to_us"].as_i64()?,
            through_us: minute_us(told["through"].as_str()?)?,
            landed_us,
        })
    };
    told.iter().map(|told| deletion(told).ok_or_else(|| format!("{told} is no deletion"))).collect()
}

/// What the manifest of a stream says now.
pub(crate) fn merged(bucket: &Bucket, stream: &str) -> Result<Merged, String> {
    let at = |name: &str| Path::from(format!("default/{stream}/{name}"));
    let mut merged = Merged::default();
    let Ok((bytes, _)) = bucket.get(&at("manifest.json")) else { return Ok(merged) };
    let manifest: Value =
        serde_json::from_slice(&bytes).map_err(|error| format!("the manifest of {stream}: {error}"))?;
    if let Some(watermark) = manifest["watermark"].as_str() {
        merged.watermark_us = minute_us(watermark).ok_or_else(|| format!("{watermark} is no minute"))?;
    }
    if let Some(kept_from) = manifest["kept_from"].as_str() {
        merged.kept_us = minute_us(kept_from).ok_or_else(|| format!("{kept_from} is no minute"))?;
    }
    merged.deletions = deletions(&bytes, 0)?.len();
    let list = |of: &Value, name: &str| of[name].as_array().cloned().unwrap_or_default();
    let named = |of: Value| of["name"].as_str().map(at);
    let runs = list(&manifest, "runs");
    for run in &runs {
        let day = run["day"].as_str().and_then(|day| Some(minute_us(&format!("{day}T0000"))? + DAY_US));
        let end_us = day.or_else(|| minute_us(run["to"].as_str()?));
        merged.run_ends_us.push(end_us.ok_or_else(|| format!("{run} does not end"))?);
        merged.objects.extend(list(run, "objects").into_iter().filter_map(named));
        merged.objects.extend(run["keys"].as_str().map(at));
        let Some(ids) = run["ids"].as_str().map(at) else { continue };
        let (bytes, _) = bucket.get(&ids).map_err(|error| format!("{ids} is named: {error}"))?;
        for (id, at_us) in segments(&bytes).ok_or_else(|| format!("{ids} is no list of ids"))? {
            merged.minutes.entry(id).or_default().insert(at_us);
        }
        merged.objects.insert(ids);
    }
    for frame in list(&manifest, "frames") {
        merged.objects.extend(list(&frame, "objects").into_iter().filter_map(named));
        merged.frames_us.extend(frame["at"].as_str().and_then(minute_us));
    }
    merged.objects.extend(list(&manifest, "reaching").into_iter().filter_map(named));
    merged.is_there(bucket)?;
    Ok(merged)
}

impl Merged {
    /// Whether all that it names is there.
    pub(crate) fn is_there(&self, bucket: &Bucket) -> Result<(), String> {
        match self.objects.iter().find(|object| !bucket.objects.contains_key(object)) {
            Some(missing) => Err(format!("{missing} is named by the manifest and is not there")),
            None => Ok(()),
        }
    }
}

impl Default for Merged {
    fn default() -> Self {
        Self {
            watermark_us: i64::MIN,
            kept_us: i64::MIN,
            minutes: BTreeMap::new(),
            run_ends_us: Vec::new(),
            frames_us: Vec::new(),
            objects: BTreeSet::new(),
            deletions: 0,
        }
    }
}

/// Whether one manifest may follow another: the watermark and the epoch never fall.
pub(crate) fn rises(before: &[u8], after: &[u8]) -> Result<(), String> {
    let places = |manifest: &[u8]| -> Result<(i64, u64), String> {
        let manifest: Value = serde_json::from_slice(manifest).map_err(|error| error.to_string())?;
        let watermark = manifest["watermark"].as_str().and_then(minute_us);
        Ok((watermark.unwrap_or(i64::MIN), manifest["epoch"].as_u64().unwrap_or(0)))
    };
    let (before, after) = (places(before)?, places(after)?);
    match after.0 < before.0 || after.1 < before.1 {
        true => Err(format!("watermark and epoch fall from {before:?} to {after:?}")),
        false => Ok(()),
    }
}

/// The segments in a list of ids, each with its minute.
fn segments(bytes: &[u8]) -> Option<Vec<(Id, i64)>> {
    let body = bytes.strip_prefix(b"MAYFIDS1")?;
    let body = body.get(..body.len().checked_sub(8)?)?;
    let of = |entry: &[u8]| {
        let (writer, rest) = entry.split_first_chunk::<8>()?;
        let (number, minute) = rest.split_first_chunk::<4>()?;
        let id = (u64::from_be_bytes(*writer), u32::from_be_bytes(*number));
        Some((id, i64::from_be_bytes(minute.try_into().ok()?)))
    };
    body.chunks(20).map(of).collect()
}
