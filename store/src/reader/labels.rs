//! Labels of series, without their values.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{Labels, NeededLabels, Selection};

use super::request::Request;
use super::{Answer, ReadError, Reader, Usage, stream};
use crate::compute::compute;
use crate::segment::{SeriesList, Span};
use crate::stats::count;

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
        let mut found = BTreeSet::new();
        let answer = self.each(selections, needed, false, |labels| _ = found.insert(labels)).await?;
        Ok(answer.with(found.into_iter().collect()))
    }

    /// Shows the label sets of those series, in no order, some of them several times: all of them at once may be too many. `only_names`:
    /// of label sets with the same names one may be enough.
    async fn each(
        &self,
        selections: &[Selection],
        needed: &NeededLabels,
        only_names: bool,
        mut see: impl FnMut(Labels) + Send,
    ) -> Result<Answer<()>, ReadError> {
        let mut answer = Answer::default();
        for selection in selections {
            let of_one = match self.each_listed(selection, needed, only_names, &mut see).await {
                Ok(Some(of_one)) => of_one,
                // what was seen is seen again; an error is told if it comes again
                Ok(None) | Err(_) => {
                    let mut stream = self.stream_of(selection, needed, false);
                    while let Some(batch) = stream.next_identified().await {
                        batch?.into_iter().for_each(|identified| see(identified.series.labels));
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

    /// The same from what is in memory of the series of files, as far as that tells it; `None` if much is left to be read.
    async fn each_listed(
        &self,
        selection: &Selection,
        needed: &NeededLabels,
        only_names: bool,
        see: &mut (impl FnMut(Labels) + Send),
    ) -> Result<Option<Answer<()>>, ReadError> {
        let (fetch, request) = (self.fetch(), Request::of(selection, needed, false));
        let mut plan = self.plan(&fetch, &request).await?;
        // who asks for all series reads all labels anyway
        let is_all = selection.matchers.is_empty();
        let mut listed = Vec::new();
        for opened in plan.files_of_samples() {
            listed.push(self.listed(&fetch, opened, is_all).await?);
        }
        if listed.iter().all(Option::is_none) {
            return Ok(None);
        }
        let label_sets = match plan.seen_of_samples(selection) {
            Some(seen) => {
                let needed = needed.clone();
                let of_list = move |list: Option<Arc<SeriesList>>| match list {
                    Some(list) => list.label_sets(&seen, &needed, only_names),
                    None => None,
                };
                compute(move || listed.into_iter().map(of_list).collect::<Vec<_>>()).await?
            }
            None => vec![Some(Arc::default()); listed.len()],
        };
        let label_sets = plan.take_samples(label_sets);
        if plan.marks().iter().map(|(_, rows)| rows).sum::<usize>() > self.settings.batch_rows {
            return Ok(None);
        }
        let (streams, left_out) = self.read(&fetch, &request, &plan, Span::default()).await?;
        let (of_rest, left_out) = (selection.clone(), [plan.left_out(), left_out].concat());
        let rest = compute(move || stream::series(&streams, &of_rest)).await?;
        label_sets.iter().flat_map(|of_file| of_file.iter().cloned()).for_each(&mut *see);
        rest.into_iter().for_each(|identified| see(identified.series.labels));
        count(&self.stats.selections, 1);
        Ok(Some(Answer { found: (), left_out: self.told(left_out), usage: fetch.usage() }))
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
        let needed = NeededLabels::These(BTreeSet::from([name.into()]));
        let mut values: BTreeSet<Arc<str>> = BTreeSet::new();
        let see = |labels: Labels| values.extend(labels.get_shared(name).cloned());
        let answer = self.each(selections, &needed, false, see).await?;
        Ok(answer.with(values.into_iter().collect()))
    }

    /// The names of the labels of those series, in order.
    ///
    /// # Errors
    /// As for [`Reader::series`].
    pub async fn label_names(&self, selections: &[Selection]) -> Result<Answer<Vec<Arc<str>>>, ReadError> {
        let mut names: BTreeSet<Arc<str>> = BTreeSet::new();
        let see = |labels: Labels| {
            for label in &labels {
                if !names.contains(&label.name) {
                    names.insert(Arc::clone(&label.name));
                }
            }
        };
        let answer = self.each(selections, &NeededLabels::All, true, see).await?;
        Ok(answer.with(names.into_iter().collect()))
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
