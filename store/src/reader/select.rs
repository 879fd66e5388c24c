//! All series of a selection at once, for who needs all of them.

use model::{NeededLabels, Selection, Series};

use super::gather::Identified;
use super::stream::sort;
use super::{Answer, ReadError, Reader};

/// About what a series takes in memory beside its labels, samples and steps, and what a label takes.
const SERIES_BYTES: usize = size_of::<Identified>();
const LABEL_BYTES: usize = size_of::<model::Label>();

impl Reader {
    /// The series that match, each with what it held within the selection's time; in order of labels.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn select(&self, selection: &Selection) -> Result<Answer<Vec<Series>>, ReadError> {
        self.select_labels(selection, &NeededLabels::All).await
    }

    /// Like [`Reader::select`], with the labels that are needed and no others; so several series may have equal labels.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn select_labels(
        &self,
        selection: &Selection,
        needed: &NeededLabels,
    ) -> Result<Answer<Vec<Series>>, ReadError> {
        let max = self.settings.answer_bytes_max;
        let mut stream = self.stream(selection, needed);
        let (mut all, mut bytes, mut batches): (Vec<Identified>, usize, usize) = (Vec::new(), 0, 0);
        while let Some(batch) = stream.next_identified().await {
            let batch = batch?;
            bytes += batch.iter().map(memory_bytes).sum::<usize>();
            if bytes > max {
                return Err(ReadError::TooMuch { max });
            }
            batches += 1;
            all.extend(batch);
        }
        if batches > 1 {
            sort(&mut all);
        }
        let Answer { left_out, usage, .. } = stream.finish();
        let found = all.into_iter().map(|identified| identified.series).collect();
        Ok(Answer { found, left_out, usage })
    }
}

/// About how much memory a series takes.
fn memory_bytes(identified: &Identified) -> usize {
    let Series { labels, samples, steps } = &identified.series;
    let histograms = |some: &[Option<std::sync::Arc<model::Histogram>>]| {
        some.iter()
            .flatten()
            .map(|h| 200 + 8 * (h.positive_counts.len() + h.negative_counts.len()))
            .sum::<usize>()
    };
    SERIES_BYTES
        + labels.len() * LABEL_BYTES
        + samples.len() * 16
        + steps.len() * 25
        + histograms(&samples.histograms)
        + histograms(&steps.histograms)
}
