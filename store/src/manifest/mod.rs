//! What compaction has made of a stream: one object that says which files hold it up to when.
//!
//! It is read whole and swapped by its ETag. Everything in `hot/` in minutes before the watermark is in its runs; what lies
//! there at or after it is not. A stream without a manifest has no runs, and all of `hot/` counts.

mod codec;
mod invariants;
mod swap;

#[cfg(test)]
mod tests;

pub(crate) use codec::ManifestError;
#[cfg(test)]
pub(crate) use invariants::Invariant;
pub(crate) use invariants::{Violation, check, stands};
pub(crate) use swap::{LoadError, Loaded, Manifests, SwapError};

use serde::{Deserialize, Serialize};

use crate::deletion::Recorded;
use crate::layout::{Day, Minute};

/// The version that this code writes, and the newest that it reads.
pub(crate) const FORMAT: u32 = 2;

/// The version of manifests of which nothing was ever deleted.
const FORMAT_WITHOUT_DELETIONS: u32 = 1;

/// The state of one stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// [`FORMAT`], or the version before it where nothing was ever deleted.
    pub(crate) format: u32,
    /// Raised before objects that no manifest names are deleted, so that who planned before that cannot commit.
    pub(crate) epoch: u64,
    /// The first minute that is not in the runs; `None`: all are still to be merged.
    pub(crate) watermark: Option<Minute>,
    /// What was before this is gone, and what is left of it is not to be seen: retention. Of pushes it is the time of a frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kept_from: Option<Minute>,
    /// The number of the last deletion; 0: there was none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) deleted: u64,
    /// Those of which something may be left, in order of numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) deletions: Vec<Recorded>,
    /// Who may work on it.
    pub(crate) lease: Lease,
    /// When objects that nothing needs were last looked for.
    pub(crate) swept: Option<Swept>,
    /// Segments that are in the runs up to the watermark, and go on after it.
    pub(crate) reaching: Vec<Reaching>,
    /// In order of minutes, then of days.
    pub(crate) runs: Vec<Run>,
    /// In order of time.
    pub(crate) frames: Vec<Frame>,
}

/// Who works on a stream, so that others leave it alone. It saves work: what keeps two of them from harm is the swap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lease {
    /// Drawn at random by each holder; 0: nobody.
    #[serde(with = "codec::hex")]
    pub(crate) holder: u64,
    /// Raised whenever the holder changes.
    pub(crate) number: u64,
    /// When it ends, in µs, by the store's clock.
    pub(crate) until_us: i64,
}

/// A segment of pushes that began before the watermark and goes on after it. What it says of before is in a run; what it says of
/// the watermark and later counts still.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reaching {
    /// Its name below the stream.
    pub(crate) name: String,
    /// How long it is.
    pub(crate) bytes: u64,
}

/// A look for objects that nothing needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Swept {
    pub(crate) at: Minute,
    /// The watermark at that time: by the next look, readers that knew an earlier one have ended.
    pub(crate) watermark: Option<Minute>,
}

/// How much a run has been merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// The segments of some minutes.
    Tick,
    /// The ticks of an hour.
    Hour,
    /// The hours of a day.
    Day,
}

impl Level {
    /// The name in manifests and in names of objects.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tick => "tick",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

/// The segments of some minutes, merged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) level: Level,
    /// The first minute whose segments are in it.
    pub(crate) from: Minute,
    /// The first minute after it whose segments are not.
    pub(crate) to: Minute,
    /// Of samples: the UTC day of their own time. Pushes have no other time than that of their minutes.
    pub(crate) day: Option<Day>,
    /// In order of metric name, fingerprint and time: no series stands in two of them, unless it ends one and begins the next.
    pub(crate) objects: Vec<Object>,
    /// The retry keys of its pushes, if there are any; its name below the stream.
    pub(crate) keys: Option<String>,
    /// The ids of the segments that are in it; its name below the stream.
    pub(crate) ids: Option<String>,
    /// How many rows its segments had that are not in it: repeated, merged with others, or deleted.
    pub(crate) rows_merged: u64,
    /// How long the lists of retry keys and ids are, together.
    #[serde(default)]
    pub(crate) list_bytes: u64,
    /// The last deletion of which nothing is in it, nor of those before that.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) deleted: u64,
}

/// What is held at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Frame {
    /// All that was pushed before this minute.
    pub(crate) at: Minute,
    /// The frame that this one says the differences to; `None`: it says all.
    pub(crate) base: Option<Minute>,
    /// As in [`Run::objects`].
    pub(crate) objects: Vec<Object>,
    /// As in [`Run::deleted`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) deleted: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// One Parquet file, and what one need not open it to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Object {
    /// Its name below the stream.
    pub(crate) name: String,
    /// How long it is.
    pub(crate) bytes: u64,
    /// XXH3-64 of it.
    #[serde(with = "codec::hex")]
    pub(crate) checksum: u64,
    /// Where its footer begins.
    pub(crate) footer_start: u64,
    /// Rows, the head included.
    pub(crate) rows: u64,
    /// Rows of the head.
    pub(crate) head_rows: u64,
    /// Series as groups hold them.
    pub(crate) series: u64,
    /// First and last time of a row in µs, the head included.
    pub(crate) times_us: (i64, i64),
    /// First and last metric name; `None`: it has only a head.
    pub(crate) names: Option<(String, String)>,
    /// As in [`Run::deleted`], where a tick has got as far as this object and not to the end of its run or frame; else 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) deleted: u64,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            format: FORMAT_WITHOUT_DELETIONS,
            epoch: 0,
            watermark: None,
            kept_from: None,
            deleted: 0,
            deletions: Vec::new(),
            lease: Lease::default(),
            swept: None,
            reaching: Vec::new(),
            runs: Vec::new(),
            frames: Vec::new(),
        }
    }
}

impl Run {
    /// When the last of it is: of pushes the end of its minutes, of samples that of their day.
    pub(crate) fn end(&self) -> Minute {
        self.day.map_or(self.to, |day| day.next().start())
    }
}

impl Manifest {
    /// Names, below the stream, of all objects that it speaks of.
    pub(crate) fn object_names(&self) -> impl Iterator<Item = &str> {
        let of_runs = self.runs.iter().flat_map(|run| {
            let files = run.objects.iter().map(|object| object.name.as_str());
            files.chain(run.keys.as_deref()).chain(run.ids.as_deref())
        });
        let of_frames = self.frames.iter().flat_map(|frame| &frame.objects);
        let reaching = self.reaching.iter().map(|segment| segment.name.as_str());
        of_runs.chain(of_frames.map(|object| object.name.as_str())).chain(reaching)
    }

    /// The newest frame that says nothing of later than a time in µs, after the frames that it builds on: oldest first. Empty
    /// if there is none.
    pub(crate) fn frames_before(&self, at_us: i64) -> Vec<&Frame> {
        let mut chain = Vec::new();
        let is_usable = |frame: &&Frame| frame.at.start_us() <= at_us && self.is_usable(frame);
        let mut next = self.frames.iter().rev().find(is_usable);
        while let Some(frame) = next {
            chain.push(frame);
            next = frame.base.and_then(|base| self.frames.iter().find(|frame| frame.at == base));
        }
        chain.reverse();
        chain
    }

    /// Whether what a frame tells stays true when what is deleted is left out of it. It does not where it tells sums of which a part
    /// is deleted: then the runs have to be asked, unless they are gone.
    pub(crate) fn is_usable(&self, frame: &Frame) -> bool {
        let mut pending = self.deletions.iter().filter(|recorded| recorded.number > frame.deleted);
        self.kept_from.is_some_and(|kept_from| frame.at <= kept_from)
            || pending.all(|recorded| recorded.spares_sums(frame.at))
    }

    /// The same with another deletion. Its number is given to it.
    pub(crate) fn deleting(&self, recorded: Recorded) -> Self {
        let mut after = self.clone();
        (after.format, after.deleted) = (FORMAT, self.deleted + 1);
        after.deletions.push(Recorded { number: after.deleted, ..recorded });
        after
    }
}
