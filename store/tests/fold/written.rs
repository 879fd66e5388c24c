//! A story as real writers write it and a real reader reads it.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use mayfly_store::{Reader, ReaderSettings, SampleBatch, Source, Stream, Tenant, Writer, WriterSettings};
use model::{Labels, MatchOp, Matcher, Push, Selection, Series, Stamp};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use testkit::ManualClock;

use crate::pushes::Story;

/// When all stories begin.
pub(crate) const T0: i64 = 1_795_391_160_000;

/// What a reader found. Times are milliseconds since the story's begin.
#[derive(Debug)]
pub(crate) struct Found(pub(crate) Vec<Series>);

impl Found {
    /// What every series holds at a time.
    pub(crate) fn at(&self, at_ms: i64) -> BTreeMap<Labels, f64> {
        let value = |series: &Series| Some(series.steps.values[series.steps.at(T0 + at_ms)?]);
        // the reader makes a failure time of 0 up where there is a push time, of which there is none here
        self.0.iter().filter_map(|series| Some((series.labels.clone(), value(series)?))).collect()
    }
}

/// What a reader finds in `(start_ms, end_ms)`, and the pushes with their stamps, counted from the story's begin. Of the
/// segments, those whose bit in `doubles` is set are there twice.
pub(crate) fn written(
    story: &Story,
    doubles: u64,
    (start_ms, end_ms): (i64, i64),
) -> (Found, Vec<(Stamp, Push)>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let stamped = write(&store, story, doubles).await;
        double(&store, doubles).await;
        let source = || Source::new(Stream::pushes(&Path::default(), &Tenant::default()), None);
        let samples: Source<SampleBatch> =
            Source::new(Stream::samples(&Path::default(), &Tenant::default()), None);
        let reader = Reader::new(Arc::clone(&store), source(), samples, ReaderSettings::default());
        let any = vec![Matcher::new("__name__", MatchOp::Regex, ".+").expect("a pattern")];
        let selection = Selection { matchers: any, start_ms: T0 + start_ms, end_ms: T0 + end_ms };
        (Found(reader.select(&selection).await.expect("reads").found), stamped)
    })
}

async fn write(store: &Arc<dyn ObjectStore>, story: &Story, seed: u64) -> Vec<(Stamp, Push)> {
    let clock = Arc::new(ManualClock::at_ms(T0));
    // whose segments are listed first has nothing to do with who was first
    let writer = |index: u32| {
        let settings = WriterSettings::of_writer(seed.rotate_left(index * 21).wrapping_add(u64::from(index)));
        let stream = Stream::pushes(&Path::default(), &Tenant::default());
        Writer::start(Arc::clone(store), stream, Arc::clone(&clock) as _, settings)
    };
    let writers = [0, 1, 2].map(writer);
    let mut stamped = Vec::new();
    let mut waiting = Vec::new();
    for told in story {
        if told.flushed {
            stamped
                .extend(futures::future::try_join_all(std::mem::take(&mut waiting)).await.expect("written"));
        }
        clock.advance_ms(told.gap_ms);
        let push = told.push.clone();
        let writer = &writers[told.writer];
        let mut answer = Box::pin(async move {
            let ack = writer.push(push.clone()).await?;
            Ok::<_, mayfly_store::WriteError>((ack.stamp, push))
        });
        // asked once, so that it is stamped now
        assert!(futures::poll!(&mut answer).is_pending());
        waiting.push(answer);
    }
    stamped.extend(futures::future::try_join_all(waiting).await.expect("written"));
    for (stamp, _) in &mut stamped {
        stamp.at_us -= T0 * 1_000;
    }
    stamped.sort_by_key(|(stamp, _)| *stamp);
    stamped
}

/// Copies segments under other names: their file names begin with 16 digits of the writer and 8 of a number.
async fn double(store: &Arc<dyn ObjectStore>, doubles: u64) {
    let objects: Vec<_> = store.list(None).map(|object| object.expect("listed").location).collect().await;
    for (index, object) in objects.iter().enumerate().filter(|(index, _)| doubles >> (index % 64) & 1 == 1) {
        let file = object.filename().expect("a file");
        let copy =
            object.as_ref().replace(file, &format!("{}{:08x}{}", &file[..16], 0xffff + index, &file[24..]));
        let bytes = store.get(object).await.expect("there").bytes().await.expect("read");
        store.put(&Path::from(copy), bytes.into()).await.expect("put");
    }
}
