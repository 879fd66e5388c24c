//! Labels of series, without their values.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{Labels, NeededLabels, Selection};

use super::{Answer, ReadError, Reader, Usage};

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
        let answer = self.each(selections, needed, |labels| _ = found.insert(labels)).await?;
        Ok(answer.with(found.into_iter().collect()))
    }

    /// Shows the label sets of those series, in no order, some of them several times: all of them at once may be too many.
    async fn each(
        &self,
        selections: &[Selection],
        needed: &NeededLabels,
        mut see: impl FnMut(Labels) + Send,
    ) -> Result<Answer<()>, ReadError> {
        let mut answer = Answer::default();
        for selection in selections {
            let mut stream = self.stream_of(selection, needed, false);
            while let Some(batch) = stream.next_identified().await {
                batch?.into_iter().for_each(|identified| see(identified.series.labels));
            }
            let of_one = stream.finish();
            answer.left_out.extend(of_one.left_out);
            answer.usage = answer.usage.and(of_one.usage);
        }
        answer.left_out.sort();
        answer.left_out.dedup();
        Ok(answer)
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
        let answer = self.each(selections, &needed, see).await?;
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
        let answer = self.each(selections, &NeededLabels::All, see).await?;
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
