//! The files of a request: opened once, and then read in whole or span by span.

use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use model::{NeededLabels, RetryKey, Selection, Stamp};
use object_store::path::Path;

use super::fetch::Fetch;
use super::gather::Pushes;
use super::kept::{self, KeptFrom};
use super::known::ByList;
use super::listing::Found;
use super::look::{Look, Looks};
use super::open::Opened;
use super::request::{Asks, Request};
use super::samples::Part;
use super::unreadable::LeftOut;
use super::{ReadError, Reader, Source};
use crate::compute::compute;
use crate::deletion::{Condition, Mask};
use crate::entry::SampleBatch;
use crate::fold::widened;
use crate::layout::{Minute, SegmentName};
use crate::manifest::{Frame, Manifest, Object, Run};
use crate::segment::{Mark, Segment, Span, Wanted};

/// A file of which, perhaps, only what it says of a time and later counts: what it says of before is in a run.
#[derive(Clone, Debug)]
struct Since<T> {
    file: T,
    since_us: Option<i64>,
    /// What is deleted and may be in it.
    mask: Option<Arc<Mask>>,
}

impl<T> Since<T> {
    fn ever(file: T, mask: Option<Arc<Mask>>) -> Self {
        Self { file, since_us: None, mask }
    }

    fn with<U>(self, file: U) -> Since<U> {
        Since { file, since_us: self.since_us, mask: self.mask }
    }
}

/// The files of one stream.
#[derive(Clone, Debug)]
struct Files {
    /// Oldest first.
    frames: Vec<Since<Opened>>,
    /// Runs and segments, in order.
    opened: Vec<Since<Opened>>,
    tail: Vec<Arc<Segment>>,
    tail_mask: Option<Arc<Mask>>,
    /// What was written after all of it.
    added: Vec<Arc<Segment>>,
    /// What says what is deleted: labels that have to be read besides.
    masking: Vec<Arc<str>>,
    left_out: Vec<LeftOut>,
    /// Where the retry keys of runs are, and where those runs end.
    keyed_runs: Vec<(Minute, Path)>,
    /// What was before this is not to be seen.
    kept_from_ms: i64,
    /// Of files of samples: how rows are read where it is kept which series they have.
    by_list: Option<&'static dyn ByList>,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            frames: Vec::new(),
            opened: Vec::new(),
            tail: Vec::new(),
            tail_mask: None,
            added: Vec::new(),
            masking: Vec::new(),
            left_out: Vec::new(),
            keyed_runs: Vec::new(),
            kept_from_ms: i64::MIN,
            by_list: None,
        }
    }
}

impl Files {
    fn all(&self) -> impl Iterator<Item = &Opened> {
        self.frames.iter().chain(&self.opened).map(|since| &since.file)
    }

    /// Where rows stand that may be wanted.
    fn marks<'a>(&'a self, wanted: &'a Wanted) -> impl Iterator<Item = Mark> + 'a {
        let of_files = self.all().flat_map(|opened| opened.marks(wanted));
        let in_memory = self.tail.iter().chain(&self.added);
        of_files.chain(in_memory.flat_map(|segment| segment.marks(&wanted.matching)))
    }
}

/// The files of both streams, and what is wanted of them.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pushes: Files,
    samples: Files,
    of_pushes: Wanted,
    of_samples: Wanted,
    /// Whether something was pushed to be added up.
    pub(super) aggregates: bool,
    /// Whether only all of their labels tell series apart.
    pub(super) all_labels: bool,
    /// The labels that all rows will have that have any.
    pub(super) labels: NeededLabels,
}

impl Plan {
    fn new(request: &Request, pushes: Files, mut samples: Files) -> Self {
        samples.by_list = request.by_list;
        let aggregates =
            pushes.all().any(Opened::aggregates) || pushes.tail.iter().any(|segment| segment.aggregates);
        let collides = pushes.all().chain(samples.all()).any(Opened::has_collision);
        // histograms that add up are told apart by their labels, and read with all of their buckets
        let all_labels = aggregates || collides;
        let labels = if all_labels { NeededLabels::All } else { request.labels.clone() };
        let masking = pushes.masking.iter().chain(&samples.masking).cloned().collect();
        let of_samples = Wanted {
            matching: request.matching.clone(),
            labels: labels.clone().and(NeededLabels::These(masking)),
            values: request.values,
            times_us: request.sample_times_us(),
            span: Span::default(),
            head: request.asks == Asks::Families,
            whole_name: request.whole_name.clone(),
        };
        let mut of_pushes = Wanted { times_us: request.push_times_us(), head: true, ..of_samples.clone() };
        if aggregates {
            of_pushes.matching = of_pushes.matching.iter().map(widened).collect();
            // what adds up is read with the rest of its histogram, which has other names
            of_pushes.whole_name = None;
        }
        Self { pushes, samples, of_pushes, of_samples, aggregates, all_labels, labels }
    }

    /// Where rows stand that may be wanted.
    pub(super) fn marks(&self) -> Vec<Mark> {
        self.pushes.marks(&self.of_pushes).chain(self.samples.marks(&self.of_samples)).collect()
    }

    /// The files of samples; `None` where something of one may be deleted.
    pub(super) fn plain_samples(&self) -> impl Iterator<Item = Option<&Opened>> {
        let is_plain = |since: &&Since<Opened>| since.mask.is_none() && since.since_us.is_none();
        self.samples.opened.iter().map(move |since| Some(since).filter(is_plain).map(|since| &since.file))
    }

    /// Takes away these of the files of samples, of which is known what was asked for.
    pub(super) fn take_samples(&mut self, is_known: &[bool]) {
        let mut is_known = is_known.iter();
        self.samples.opened.retain(|_| !is_known.next().copied().unwrap_or(false));
    }

    /// The same for these of the files of samples, and for nothing else.
    pub(super) fn of_samples_alone(&self, is_meant: &[bool]) -> Self {
        let mut alone = Self { pushes: Files::default(), ..self.clone() };
        alone.take_samples(&is_meant.iter().map(|is_meant| !is_meant).collect::<Vec<_>>());
        alone.samples.tail.clear();
        alone.samples.added.clear();
        alone
    }

    /// What of a selection of samples may be seen.
    pub(super) fn seen_of_samples(&self, selection: &Selection) -> Option<Selection> {
        kept::seen(selection, self.samples.kept_from_ms)
    }

    /// How many rows of files are to be decoded that are not in memory, at the most.
    pub(super) fn rows_to_decode(&self) -> usize {
        let of_files =
            |files: &Files, wanted| files.all().map(|opened| opened.rows_to_decode(wanted)).sum::<usize>();
        of_files(&self.pushes, &self.of_pushes) + of_files(&self.samples, &self.of_samples)
    }

    /// What is known to be missing before any row is read.
    pub(super) fn left_out(&self) -> Vec<LeftOut> {
        [&self.pushes.left_out[..], &self.samples.left_out].concat()
    }
}

/// What one stream holds of what is wanted.
#[derive(Debug, Default)]
struct Segments {
    frames: Vec<Arc<Segment>>,
    files: Vec<Part>,
    left_out: Vec<LeftOut>,
}

/// What was read of both streams.
#[derive(Debug)]
pub(super) struct Streams {
    pub(super) pushes: Pushes,
    pub(super) samples: Vec<Part>,
    /// The labels that all rows have that have any.
    pub(super) labels: NeededLabels,
    /// Which series were read; what is in memory has others too.
    pub(super) span: Span,
    pub(super) kept_from: KeptFrom,
}

impl Streams {
    /// All that was read, but for what stands in lists.
    pub(super) fn segments(&self) -> impl Iterator<Item = &Arc<Segment>> {
        let of_samples = self.samples.iter().filter_map(Part::segment);
        self.pushes.frames.iter().chain(&self.pushes.segments).chain(of_samples)
    }

    /// Whether their series are put together in no time.
    pub(super) fn are_little(&self, selection: &Selection) -> bool {
        let is_little = |part: &Part| match part {
            Part::Rows(segment) => segment.is_little(selection),
            Part::Listed(listed) => listed.is_little(),
        };
        let pushed = self.pushes.frames.iter().chain(&self.pushes.segments);
        pushed.clone().all(|segment| segment.is_little(selection)) && self.samples.iter().all(is_little)
    }
}

impl Reader {
    /// Lists and opens the files of a request.
    pub(super) async fn plan(&self, fetch: &Fetch, request: &Request) -> Result<Plan, ReadError> {
        let of_pushes = async {
            if request.asks == Asks::Exemplars {
                return Ok(Files::default());
            }
            let look = self.look(fetch, &self.pushes).await?;
            self.open_pushes(fetch, request, &look).await
        };
        let source = match request.asks {
            Asks::Pushed => None,
            Asks::Series | Asks::Families => Some(&self.samples),
            Asks::Exemplars => self.exemplars.as_ref(),
        };
        let of_samples = async {
            let Some(source) = source else { return Ok(Files::default()) };
            self.open_samples(fetch, request, source, &self.look(fetch, source).await?).await
        };
        let (pushes, samples) = futures::try_join!(of_pushes, of_samples)?;
        Ok(Plan::new(request, pushes, samples))
    }

    /// Opens the files of a request among those that were listed before. `added` was written since.
    pub(super) async fn plan_of(
        &self,
        fetch: &Fetch,
        request: &Request,
        looks: &Looks,
        added: &[Arc<Segment>],
    ) -> Result<Plan, ReadError> {
        let (pushes, mut samples) = futures::try_join!(
            self.open_pushes(fetch, request, &looks.pushes),
            self.open_samples(fetch, request, &self.samples, &looks.samples),
        )?;
        samples.added = added.to_vec();
        Ok(Plan::new(request, pushes, samples))
    }

    /// The same files, looked through for the rows that match, for who reads them in many spans.
    pub(super) async fn look_through(&self, fetch: &Fetch, plan: Plan) -> Result<Plan, ReadError> {
        let (pushes, samples) = futures::try_join!(
            self.look_through_all(fetch, plan.pushes, &plan.of_pushes),
            self.look_through_all(fetch, plan.samples, &plan.of_samples),
        )?;
        Ok(Plan { pushes, samples, ..plan })
    }

    async fn look_through_all(
        &self,
        fetch: &Fetch,
        mut files: Files,
        wanted: &Wanted,
    ) -> Result<Files, ReadError> {
        let (frame_count, by_list) = (files.frames.len(), files.by_list);
        let mut all = std::mem::take(&mut files.frames);
        all.append(&mut files.opened);
        let looked_through = all.into_iter().map(async |since| {
            let opened = self.looked_through(fetch, &since.file, wanted, by_list).await?;
            Ok::<_, ReadError>(since.with(opened))
        });
        let looked_through = stream::iter(looked_through).buffered(self.settings.requests_max);
        let looked_through: Vec<Since<Result<Opened, LeftOut>>> = looked_through.try_collect().await?;
        for (index, Since { file, since_us, mask }) in looked_through.into_iter().enumerate() {
            match file {
                Ok(file) if index < frame_count => files.frames.push(Since { file, since_us, mask }),
                Ok(file) => files.opened.push(Since { file, since_us, mask }),
                Err(object) => files.left_out.push(object),
            }
        }
        Ok(files)
    }

    /// Reads the series of a span.
    pub(super) async fn read(
        &self,
        fetch: &Fetch,
        request: &Request,
        plan: &Plan,
        span: Span,
    ) -> Result<(Streams, Vec<LeftOut>), ReadError> {
        let of_pushes = Wanted { span: span.clone(), ..plan.of_pushes.clone() };
        let of_samples = Wanted { span: span.clone(), ..plan.of_samples.clone() };
        let (of_pushes, of_samples) = futures::try_join!(
            self.rows_of_all(fetch, &plan.pushes, &of_pushes),
            self.rows_of_all(fetch, &plan.samples, &of_samples),
        )?;
        let left_out = [of_pushes.left_out, of_samples.left_out].concat();
        let keyed_runs = &plan.pushes.keyed_runs;
        let pushed: Vec<Arc<Segment>> = of_pushes.files.iter().filter_map(Part::segment).cloned().collect();
        let counted: Vec<(Stamp, RetryKey)> = match request.keys_from_us() {
            Some(from_us) => self.counted(fetch, keyed_runs, from_us, |_| true).await?,
            None => self.counted_before(fetch, &pushed, keyed_runs).await?,
        };
        let pushes = Pushes { frames: of_pushes.frames, segments: pushed, counted };
        let (pushes_ms, samples_ms) = (plan.pushes.kept_from_ms, plan.samples.kept_from_ms);
        let kept_from = KeptFrom { pushes_ms, samples_ms };
        let (samples, labels) = (of_samples.files, plan.labels.clone());
        Ok((Streams { pushes, samples, labels, span, kept_from }, left_out))
    }

    /// The frames before the time, the runs and segments since them, and the tail.
    async fn open_pushes(&self, fetch: &Fetch, request: &Request, look: &Look) -> Result<Files, ReadError> {
        let (source, listed, manifest) = (&self.pushes, &look.listed, &look.listed.manifest);
        let (from_us, to_us) = request.push_times_us();
        let kept_from_ms = kept::from_ms(manifest);
        let frames = match request.pushed_from_ms {
            i64::MIN => manifest.frames_before(request.start_ms.max(kept_from_ms).saturating_mul(1_000)),
            // what was held before is not asked for
            _ => Vec::new(),
        };
        let since = frames.last().map(|frame| frame.at);
        let is_after = |run: &&Run| since.is_none_or(|since| run.from >= since);
        let masks = Masks::of(manifest);
        let of_runs = manifest.runs.iter().filter(is_after).flat_map(|run| masks.of_run(run));
        let is_wanted = |(object, _): &(&Object, Option<Arc<Mask>>)| {
            let is_in_time = object.times_us.0 <= to_us && object.times_us.1 >= from_us;
            // what a head says is for all names
            is_in_time && (object.head_rows > 0 || request.may_match(object))
        };
        let merged = |(object, mask)| Since::ever(Found::merged(&source.stream, object), mask);
        let is_named = |(object, _): &(&Object, _)| object.head_rows > 0 || request.may_match(object);
        let of_frames = frames.iter().flat_map(|frame| masks.of_frame(frame)).filter(is_named).map(merged);
        let since_us = manifest.watermark.map(Minute::start_us);
        let reaching = listed.reaching.iter().cloned().map(|file| {
            let mask = masks.of_segment(&file);
            Since { file, since_us, mask }
        });
        let mut files: Vec<Since<Found>> = of_runs.filter(is_wanted).map(merged).chain(reaching).collect();
        files.extend(listed.hot((from_us, to_us)).map(|file| {
            let mask = masks.of_segment(&file);
            Since::ever(file, mask)
        }));
        let keyed_runs = manifest.runs.iter().filter_map(|run| Some((run.to, run.keys.clone()?)));
        let keyed_runs = keyed_runs.map(|(to, keys)| (to, source.stream.below(&keys))).collect();
        let opened = self.open_all(fetch, of_frames.collect(), files, look, &masks).await?;
        let left_out = [&listed.left_out[..], &opened.left_out].concat();
        Ok(Files { left_out, keyed_runs, kept_from_ms, ..opened })
    }

    /// The runs and segments with samples of the time, or with what was told of families lately, in the order in which they were
    /// written, and the tail.
    async fn open_samples(
        &self,
        fetch: &Fetch,
        request: &Request,
        source: &Source<SampleBatch>,
        look: &Look,
    ) -> Result<Files, ReadError> {
        let (listed, manifest) = (&look.listed, &look.listed.manifest);
        let times_us = request.sample_times_us();
        let told_from = (request.asks == Asks::Families).then(|| listed.lately());
        let masks = Masks::of(manifest);
        let is_told = |run: &&Run| told_from.is_none_or(|from| run.to > from);
        let of_runs = manifest.runs.iter().filter(is_told).flat_map(|run| masks.of_run(run));
        let is_wanted = |(object, _): &(&Object, Option<Arc<Mask>>)| {
            let is_in_time = object.times_us.0 <= times_us.1 && object.times_us.1 >= times_us.0;
            match told_from {
                Some(_) => object.head_rows > 0,
                None => is_in_time && request.may_match(object),
            }
        };
        let merged = |(object, mask)| Since::ever(Found::merged(&source.stream, object), mask);
        let mut files: Vec<Since<Found>> = of_runs.filter(is_wanted).map(merged).collect();
        let hot_times_us = if told_from.is_some() { (i64::MIN, i64::MAX) } else { times_us };
        files.extend(listed.hot(hot_times_us).map(|file| {
            let mask = masks.of_segment(&file);
            Since::ever(file, mask)
        }));
        let opened = self.open_all(fetch, Vec::new(), files, look, &masks).await?;
        let left_out = [&listed.left_out[..], &opened.left_out].concat();
        Ok(Files { left_out, kept_from_ms: kept::from_ms(manifest), ..opened })
    }

    /// Opens files, in their order.
    async fn open_all(
        &self,
        fetch: &Fetch,
        frames: Vec<Since<Found>>,
        files: Vec<Since<Found>>,
        look: &Look,
        masks: &Masks,
    ) -> Result<Files, ReadError> {
        fetch.count_listed(look.listed.file_count());
        let found = frames.len() + files.len();
        if found > self.settings.segments_max {
            return Err(ReadError::TooManySegments { found, max: self.settings.segments_max });
        }
        let frame_count = frames.len();
        let mut all = Files { masking: masks.labels(), ..Files::default() };
        let opened = frames.into_iter().chain(files).map(async |since| {
            let opened = self.open(fetch, since.file.clone()).await?;
            Ok::<_, ReadError>(since.with(opened))
        });
        let opened = stream::iter(opened).buffered(self.settings.requests_max);
        let opened: Vec<Since<Result<Opened, LeftOut>>> = opened.try_collect().await?;
        for (index, Since { file, since_us, mask }) in opened.into_iter().enumerate() {
            match file {
                Ok(file) if index < frame_count => all.frames.push(Since { file, since_us, mask }),
                Ok(file) => all.opened.push(Since { file, since_us, mask }),
                Err(object) => all.left_out.push(object),
            }
        }
        all.tail_mask = look.tail_from.and_then(|minute| masks.of_minute(minute));
        all.tail.clone_from(&look.tail);
        Ok(all)
    }

    /// What is wanted of open files; the tail's last.
    async fn rows_of_all(&self, fetch: &Fetch, all: &Files, wanted: &Wanted) -> Result<Segments, ReadError> {
        let mut segments = Segments::default();
        let files: Vec<Since<Opened>> = all.frames.iter().chain(&all.opened).cloned().collect();
        let files = files.into_iter();
        let rows = files.map(async |since| {
            // what may be deleted is looked at row by row
            let by_list = all.by_list.filter(|_| since.mask.is_none());
            let mut rows = self.rows(fetch, since.file.clone(), wanted, by_list).await?;
            if let (Ok(Part::Rows(segment)), Some(mask)) = (&mut rows, since.mask.clone()) {
                *segment = masked(Arc::clone(segment), mask).await?;
            }
            Ok::<_, ReadError>(since.with(rows))
        });
        let rows = stream::iter(rows).buffered(self.settings.requests_max);
        let rows: Vec<Since<Result<Part, LeftOut>>> = rows.try_collect().await?;
        for (index, Since { file, since_us, .. }) in rows.into_iter().enumerate() {
            match (file, since_us) {
                (Ok(Part::Rows(frame)), _) if index < all.frames.len() => segments.frames.push(frame),
                (Ok(Part::Rows(segment)), Some(since_us)) => {
                    segments.files.push(Part::Rows(Arc::new(segment.since(since_us))));
                }
                (Ok(part), _) => segments.files.push(part),
                (Err(object), _) => segments.left_out.push(object),
            }
        }
        for segment in all.tail.iter().cloned() {
            segments.files.push(Part::Rows(match all.tail_mask.clone() {
                Some(mask) => masked(segment, mask).await?,
                None => segment,
            }));
        }
        segments.files.extend(all.added.iter().cloned().map(Part::Rows));
        Ok(segments)
    }
}

/// A segment without what is deleted.
async fn masked(segment: Arc<Segment>, mask: Arc<Mask>) -> Result<Arc<Segment>, ReadError> {
    Ok(compute(move || mask.apply(&segment).map_or(segment, Arc::new)).await?)
}

/// What is deleted and may still be in files.
#[derive(Debug)]
struct Masks(Arc<Manifest>);

impl Masks {
    fn of(manifest: &Arc<Manifest>) -> Self {
        Self(Arc::clone(manifest))
    }

    fn of_run<'m>(&self, run: &'m Run) -> impl Iterator<Item = (&'m Object, Option<Arc<Mask>>)> + use<'m> {
        self.each(&run.objects, run.deleted)
    }

    fn of_frame<'m>(
        &self,
        frame: &'m Frame,
    ) -> impl Iterator<Item = (&'m Object, Option<Arc<Mask>>)> + use<'m> {
        self.each(&frame.objects, frame.deleted)
    }

    /// `deleted`: the last deletion of which nothing is in all of them.
    fn each<'m>(
        &self,
        objects: &'m [Object],
        deleted: u64,
    ) -> impl Iterator<Item = (&'m Object, Option<Arc<Mask>>)> + use<'m> {
        let (manifest, of_all) = (Arc::clone(&self.0), Mask::of_merged(&self.0, deleted));
        objects.iter().map(move |object| {
            let mask = match object.deleted > deleted {
                true => Mask::of_merged(&manifest, object.deleted),
                false => of_all.clone(),
            };
            (object, mask.filter(|mask| mask.may_touch(object)))
        })
    }

    fn of_segment(&self, found: &Found) -> Option<Arc<Mask>> {
        if self.0.deletions.is_empty() {
            return None;
        }
        let name = SegmentName::parse(&found.object).ok()?;
        self.of_minute(Minute::of(name.stamped_us))
    }

    fn of_minute(&self, minute: Minute) -> Option<Arc<Mask>> {
        Mask::of_segment(&self.0, minute)
    }

    /// The labels by which it is told what is deleted.
    fn labels(&self) -> Vec<Arc<str>> {
        let conditions = self.0.deletions.iter().flat_map(|recorded| &recorded.matchers);
        conditions.map(|Condition(matcher)| Arc::clone(&matcher.name)).collect()
    }
}
