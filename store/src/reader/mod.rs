//! Answers selections: which segments, what they hold, and the fold of it.

mod answer;
mod cuts;
mod deletable;
mod deleted;
mod descriptions;
mod disk;
mod error;
mod exemplars;
mod expired;
mod failure;
mod fetch;
mod files;
mod gather;
mod ground;
mod groups;
mod held;
mod kept;
mod known;
mod labels;
mod listing;
mod live;
mod look;
mod lru;
mod memory;
mod names;
mod open;
mod request;
mod retry_keys;
mod samples;
mod select;
mod spans;
mod stream;
mod tail_segments;
mod told;
mod turns;
mod unreadable;
mod view;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use model::{Labels, Metadata, Push, Value};
use object_store::ObjectStore;

pub use answer::Answer;
pub use deletable::Deletable;
pub use disk::{DiskCache, DiskCacheError, DiskCacheStats};
pub use error::{ReadError, ReadErrorKind};
pub use exemplars::PushedExemplar;
pub use fetch::Usage;
pub use groups::{HeldFamily, LiveGroup};
pub use held::{HeldPart, HeldStream};
pub use memory::ReadMemory;
pub use stream::{SeriesStream, Shown};
pub use told::Viewer;
pub use unreadable::LeftOut;
pub use view::{Found, Prepared, View};

use crate::entry::{Entry, SampleBatch};
use crate::layout::Stream;
use crate::settings::ReaderSettings;
use crate::stats::ReaderStats;
use crate::tail::Tail;
use crate::writer::Writer;
pub(crate) use gather::{Gathered, Pushes};
use listing::KnownManifest;
use names::Names;
#[cfg(test)]
pub(crate) use stream::pushed;
use tail_segments::TailSegments;
use turns::Turns;
use unreadable::Unreadable;

/// Reads the pushes and samples of one tenant.
#[derive(Debug)]
pub struct Reader {
    store: Arc<dyn ObjectStore>,
    settings: ReaderSettings,
    pushes: Source<Push>,
    samples: Source<SampleBatch>,
    exemplars: Option<Source<SampleBatch>>,
    memory: Arc<ReadMemory>,
    names: Names,
    turns: Turns,
    unreadable: Unreadable,
    stats: ReaderStats,
    /// How often it was told what answers rest on.
    moments: AtomicU64,
}

/// What is read of one stream.
#[derive(Debug)]
pub struct Source<E> {
    stream: Stream,
    tail: Option<(u64, Arc<Tail<E>>)>,
    sorted: Arc<TailSegments>,
    manifest: KnownManifest,
}

impl<E: Entry> Source<E> {
    /// What is in the store, and what `writer` of the same process holds that is not written yet.
    pub fn new(stream: Stream, writer: Option<&Writer<E>>) -> Self {
        Self {
            stream,
            tail: writer.map(Writer::tail),
            sorted: Arc::default(),
            manifest: KnownManifest::default(),
        }
    }
}

/// A metric family of which at least one pushed series holds a value.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveFamily {
    /// The family's name.
    pub name: Arc<str>,
    /// Its type and help, as last pushed.
    pub metadata: Metadata,
    /// Its series (flat: a histogram's buckets, sum and count are series of their own) with the values that hold, in
    /// order of labels.
    pub series: Vec<(Labels, Value)>,
    /// When each of them was pushed last, in milliseconds.
    pub pushed_ms: Vec<i64>,
}

impl Reader {
    /// A reader of two streams of one tenant: that of `pushes`. Of any other it reads nothing.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        pushes: Source<Push>,
        samples: Source<SampleBatch>,
        settings: ReaderSettings,
    ) -> Self {
        let own_memory = || Arc::new(ReadMemory::new(settings.cache_bytes_max));
        let memory = settings.memory.clone().unwrap_or_else(own_memory);
        let store = pushes.stream.confine(store);
        let unreadable = Unreadable::default();
        let (names, turns, stats) = (Names::default(), Turns::default(), ReaderStats::default());
        let moments = AtomicU64::new(0);
        let exemplars = None;
        Self { store, settings, pushes, samples, exemplars, memory, names, turns, unreadable, stats, moments }
    }

    /// The same, which reads exemplars too.
    #[must_use]
    pub fn with_exemplars(self, exemplars: Source<SampleBatch>) -> Self {
        Self { exemplars: Some(exemplars), ..self }
    }

    /// What it has counted.
    pub fn stats(&self) -> &ReaderStats {
        &self.stats
    }

    /// How many objects the last listings showed that cannot be read, foreign ones included.
    pub fn unreadable(&self) -> usize {
        self.unreadable.count()
    }
}

#[cfg(test)]
mod tests;
