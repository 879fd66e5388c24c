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
        let mut answer = Answer::default();
        for selection in selections {
            let mut stream = self.stream_of(selection, needed, false);
            while let Some(batch) = stream.next_identified().await {
                found.extend(batch?.into_iter().map(|identified| identified.series.labels));
            }
            let of_one = stream.finish();
            answer.left_out.extend(of_one.left_out);
            answer.usage = answer.usage.and(of_one.usage);
        }
        answer.left_out.sort();
        answer.left_out.dedup();
        answer.found = found.into_iter().collect();
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
        let Answer { found, left_out, usage } = self.series(selections, &needed).await?;
        let values: BTreeSet<Arc<str>> =
            found.iter().filter_map(|labels| labels.get_shared(name).cloned()).collect();
        Ok(Answer { found: values.into_iter().collect(), left_out, usage })
    }

    /// The names of the labels of those series, in order.
    ///
    /// # Errors
    /// As for [`Reader::series`].
    pub async fn label_names(&self, selections: &[Selection]) -> Result<Answer<Vec<Arc<str>>>, ReadError> {
        let Answer { found, left_out, usage } = self.series(selections, &NeededLabels::All).await?;
        let labels = found.iter().flat_map(|labels| labels.iter());
        let names: BTreeSet<Arc<str>> = labels.map(|label| Arc::clone(&label.name)).collect();
        Ok(Answer { found: names.into_iter().collect(), left_out, usage })
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
            cached_bytes: self.cached_bytes + other.cached_bytes,
        }
    }
}
