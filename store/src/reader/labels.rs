//! Labels of series, without their values.

use std::collections::BTreeSet;
use std::sync::Arc;

use foldhash::HashSet;

use model::{Labels, NeededLabels, Selection};

use super::files::Plan;
use super::open::{Opened, Parts};
use super::request::Request;
use super::{Answer, ReadError, Reader, Usage, cuts, fetch::Fetch, stream};
use crate::compute::compute;
use crate::segment::{SeriesTable, Span, Texts};
use crate::stats::count;

/// What is asked of the labels of some series.
#[derive(Clone, Debug)]
enum Asked {
    /// All label sets, with some of their labels.
    Sets(NeededLabels),
    Names,
    Values(Arc<str>),
}

/// What was found of that.
#[derive(Debug, Default)]
struct Seen {
    sets: HashSet<Labels>,
    texts: HashSet<Arc<str>>,
}

/// The place of a file of which some rows are of another time, and the texts that it may have.
type Cut = (usize, Texts);

/// What a table tells.
enum Told {
    Sets(Arc<[Labels]>),
    Texts(Vec<Arc<str>>),
}

/// To look at so many series takes less than to have another thread do it.
const AT_ONCE_SERIES_MAX: usize = 100_000;
const AT_ONCE_SETS_MAX: usize = 1_000;

impl Seen {
    fn add_texts(&mut self, texts: &Texts) {
        for text in &**texts {
            if !self.texts.contains(text) {
                self.texts.insert(Arc::clone(text));
            }
        }
    }

    fn has_texts(&self, texts: &Texts) -> bool {
        texts.iter().all(|text| self.texts.contains(text))
    }
}

fn in_order<T: Ord>(seen: HashSet<T>) -> Vec<T> {
    let mut all: Vec<T> = seen.into_iter().collect();
    all.sort_unstable();
    all
}

impl Asked {
    /// What a table tells of it; `None` if only rows do.
    fn told(&self, table: &SeriesTable, within: &Selection) -> Option<Told> {
        match self {
            Self::Sets(needed) => table.label_sets(within, needed).map(Told::Sets),
            Self::Names => table.label_names(within).map(Told::Texts),
            Self::Values(name) => table.label_values(within, name).map(Told::Texts),
        }
    }

    /// The labels that have to be read.
    fn needed(&self) -> NeededLabels {
        match self {
            Self::Sets(needed) => needed.clone(),
            Self::Names => NeededLabels::All,
            Self::Values(name) => NeededLabels::These(BTreeSet::from([Arc::clone(name)])),
        }
    }

    fn see(&self, labels: &Labels, seen: &mut Seen) {
        match self {
            Self::Sets(needed) => _ = seen.sets.insert(needed.of(labels)),
            Self::Values(name) => seen.texts.extend(labels.get_shared(name).cloned()),
            Self::Names => {
                for label in labels {
                    if !seen.texts.contains(&label.name) {
                        seen.texts.insert(Arc::clone(&label.name));
                    }
                }
            }
        }
    }
}

impl Reader {
    /// The label sets of the series that hold or have something within the time of one of the selections that they match,
    /// in order, each once. With the labels that are needed and no others.
    ///
    /// # Errors
    /// [`ReadError::kind`](super::ReadError::kind) says what to do.
    pub async fn series(
        &self,
        selections: &[Selection],
        needed: &NeededLabels,
    ) -> Result<Answer<Vec<Labels>>, ReadError> {
        let answer = self.seen(selections, &Asked::Sets(needed.clone())).await?;
        Ok(answer.map(|seen| in_order(seen.sets)))
    }

    /// The values of a label over those series, in order.
    ///
    /// # Errors
    /// As for [`Reader::series`].
    pub async fn label_values(
        &self,
        name: &str,
        selections: &[Selection],
    ) -> Result<Answer<Vec<Arc<str>>>, ReadError> {
        let answer = self.seen(selections, &Asked::Values(name.into())).await?;
        Ok(answer.map(|seen| in_order(seen.texts)))
    }

    /// The names of the labels of those series, in order.
    ///
    /// # Errors
    /// As for [`Reader::series`].
    pub async fn label_names(&self, selections: &[Selection]) -> Result<Answer<Vec<Arc<str>>>, ReadError> {
        let answer = self.seen(selections, &Asked::Names).await?;
        Ok(answer.map(|seen| in_order(seen.texts)))
    }

    /// What is asked of those series. They come one after the other: all of them at once may be too many.
    async fn seen(&self, selections: &[Selection], asked: &Asked) -> Result<Answer<Seen>, ReadError> {
        let mut answer = Answer::<Seen>::default();
        for selection in selections {
            let of_one = match self.seen_beside_rows(selection, asked).await {
                Ok(Some(of_one)) => of_one.map(|seen| {
                    answer.found.sets.extend(seen.sets);
                    answer.found.texts.extend(seen.texts);
                }),
                // an error is told if it comes again
                Ok(None) | Err(_) => {
                    let mut stream = self.stream_of(selection, &asked.needed(), false);
                    while let Some(batch) = stream.next_identified().await {
                        let batch = batch?.into_iter();
                        batch.for_each(|identified| asked.see(&identified.series.labels, &mut answer.found));
                    }
                    stream.finish()
                }
            };
            answer.left_out.extend(of_one.left_out);
            answer.usage = answer.usage.and(of_one.usage);
        }
        answer.left_out.sort();
        answer.left_out.dedup();
        Ok(answer)
    }

    /// The same from what files of samples say beside their rows and what is in memory of their series, as far as that tells it; `None`
    /// if much is left to be read.
    async fn seen_beside_rows(
        &self,
        selection: &Selection,
        asked: &Asked,
    ) -> Result<Option<Answer<Seen>>, ReadError> {
        let mut seen = Seen::default();
        let (fetch, request) = (self.fetch(), Request::of(selection, &asked.needed(), false));
        let mut plan = self.plan(&fetch, &request).await?;
        let (mut is_told, cut) = match plan.seen_of_samples(selection) {
            Some(within) => self.known_files(&fetch, &plan, &within, asked, &mut seen).await?,
            None => (plan.plain_samples().map(|_| true).collect(), Vec::new()),
        };
        let is_cut: Vec<bool> =
            (0..is_told.len()).map(|at| cut.iter().any(|(place, _)| *place == at)).collect();
        is_told.iter_mut().zip(&is_cut).for_each(|(is_told, is_cut)| *is_told |= is_cut);
        if !is_told.contains(&true) {
            return Ok(None);
        }
        let of_cut = plan.of_samples_alone(&is_cut);
        plan.take_samples(&is_told);
        if plan.marks().iter().map(|(_, rows)| rows).sum::<usize>() > self.settings.batch_rows {
            return Ok(None);
        }
        let (streams, mut left_out) = self.read(&fetch, &request, &plan, Span::default()).await?;
        left_out.extend(plan.left_out());
        let rest = stream::series_of(streams, selection).await?;
        rest.into_iter().for_each(|identified| asked.see(&identified.series.labels, &mut seen));
        for span in cuts::spans(of_cut.marks(), self.settings.batch_rows, of_cut.aggregates) {
            // there are no others
            if cut.iter().all(|(_, texts)| seen.has_texts(texts)) {
                break;
            }
            let (streams, of_span) = self.read(&fetch, &request, &of_cut, span).await?;
            left_out.extend(of_span);
            let found = stream::series_of(streams, selection).await?;
            found.into_iter().for_each(|identified| asked.see(&identified.series.labels, &mut seen));
        }
        count(&self.stats.selections, 1);
        Ok(Some(Answer { found: seen, left_out: self.told(left_out), usage: fetch.usage() }))
    }

    /// Of which of the files of samples it is known what is asked of the series that have a sample `within` a selection; that is seen.
    /// And which others have some rows of another time, with the texts that they may have.
    async fn known_files(
        &self,
        fetch: &Fetch,
        plan: &Plan,
        within: &Selection,
        asked: &Asked,
        seen: &mut Seen,
    ) -> Result<(Vec<bool>, Vec<Cut>), ReadError> {
        let files: Vec<Option<&Opened>> = plan.plain_samples().collect();
        let mut is_known = vec![false; files.len()];
        let mut cut: Vec<Option<Texts>> = vec![None; files.len()];
        for (place, opened) in files.iter().enumerate() {
            let Some(opened) = opened else { continue };
            match self.texts(fetch, opened, within, asked).await? {
                Some((texts, true)) => {
                    seen.add_texts(&texts);
                    is_known[place] = true;
                }
                Some((texts, false)) => cut[place] = Some(texts),
                None => {}
            }
        }
        for (place, opened) in files.into_iter().enumerate() {
            // where some rows are of another time, there may be fewer texts, but no others
            is_known[place] |= cut[place].as_ref().is_some_and(|texts| seen.has_texts(texts));
            let Some(opened) = opened.filter(|_| !is_known[place]) else { continue };
            is_known[place] = match opened {
                Opened::Whole(segment) => {
                    segment.labels_within(within).for_each(|labels| asked.see(labels, seen));
                    true
                }
                Opened::Parts(parts) => self.sees_list(fetch, parts, within, asked, seen).await?,
            };
        }
        let mut still_cut = Vec::new();
        for (place, texts) in cut.into_iter().enumerate().filter_map(|(place, texts)| Some((place, texts?))) {
            is_known[place] |= seen.has_texts(&texts);
            if !is_known[place] {
                still_cut.push((place, texts));
            }
        }
        Ok((is_known, still_cut))
    }

    /// The texts that are asked for as a file of samples says them beside its rows, and whether all of its rows are within the
    /// selection; `None` if only rows tell.
    async fn texts(
        &self,
        fetch: &Fetch,
        opened: &Opened,
        within: &Selection,
        asked: &Asked,
    ) -> Result<Option<(Texts, bool)>, ReadError> {
        if !within.matchers.is_empty() || matches!(asked, Asked::Sets(_)) {
            return Ok(None);
        }
        let Some((first_us, last_us)) = opened.times_us() else { return Ok(None) };
        let from_us = within.start_ms.saturating_mul(1_000);
        let to_us = within.end_ms.saturating_mul(1_000).saturating_add(999);
        let is_whole = from_us <= first_us && last_us <= to_us;
        let texts = match asked {
            Asked::Sets(_) => None,
            Asked::Values(name) => self.values_in(fetch, opened, name).await?,
            Asked::Names => self.names_in(fetch, opened).await?,
        };
        Ok(texts.map(|texts| (texts, is_whole)))
    }

    /// Looks for what is asked in the list of the series of a file, and says whether that tells it.
    async fn sees_list(
        &self,
        fetch: &Fetch,
        parts: &Parts,
        within: &Selection,
        asked: &Asked,
        seen: &mut Seen,
    ) -> Result<bool, ReadError> {
        // who asks for all series reads all labels anyway
        let at_once = within.matchers.is_empty();
        let Some(list) = self.listed(fetch, parts, at_once).await? else { return Ok(false) };
        // texts are soon seen, most of the time
        let at_once_max = if matches!(asked, Asked::Sets(_)) { AT_ONCE_SETS_MAX } else { AT_ONCE_SERIES_MAX };
        let told = if list.candidate_count(within, &Span::default()) <= at_once_max {
            asked.told(&list, within)
        } else {
            let (within, asked) = (within.clone(), asked.clone());
            compute(move || asked.told(&list, &within)).await?
        };
        match told {
            Some(Told::Sets(sets)) => seen.sets.extend(sets.iter().cloned()),
            Some(Told::Texts(texts)) => seen.texts.extend(texts),
            None => return Ok(false),
        }
        Ok(true)
    }
}

impl Usage {
    /// What two answers took.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            bytes: self.bytes + other.bytes,
            segments: self.segments + other.segments,
            listed: self.listed + other.listed,
            known: self.known + other.known,
            row_groups: self.row_groups + other.row_groups,
            row_groups_read: self.row_groups_read + other.row_groups_read,
            rows: self.rows + other.rows,
            cached_bytes: self.cached_bytes + other.cached_bytes,
        }
    }
}
