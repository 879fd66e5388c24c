//! The body of an answer to a scrape.

use std::sync::Arc;

use store::{LiveFamily, LiveGroup, ReadError};
use wire::encoding::AnswerEncoding;
use wire::{Accepted, Family, PageFormat, exposition};

use super::assemble::{HeldExemplars, assemble};
use super::failure_time::add_zeros;
use crate::settings::Settings;

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum ScrapeError {
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There is too much.
    #[error("{series} series are held, which exceeds series_per_scrape_max = {max}")]
    TooManySeries {
        /// How many.
        series: usize,
        /// The limit.
        max: usize,
    },
    /// It could not be compressed.
    #[error("could not compress the page: {0}")]
    Compress(#[source] std::io::Error),
    /// The process is going down.
    #[error("interrupted: the process is shutting down")]
    Interrupted,
}

/// A page and what its headers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) content_type: String,
    pub(crate) encoding: AnswerEncoding,
    pub(crate) body: Vec<u8>,
}

/// Checks that groups do not hold more than one answer may show.
pub(crate) fn check_count(live: &[LiveGroup], settings: &Settings) -> Result<(), ScrapeError> {
    let of_group = |group: &LiveGroup| group.families.iter().map(|family| family.series.len()).sum::<usize>();
    let series = live.iter().map(of_group).sum();
    let max = settings.series_per_scrape_max;
    if series > max { Err(ScrapeError::TooManySeries { series, max }) } else { Ok(()) }
}

/// Writes what the store holds in the format that was asked for.
pub(crate) fn page(
    live: &[LiveFamily],
    exemplars: &HeldExemplars,
    accepted: Accepted,
    encoding: AnswerEncoding,
    settings: &Settings,
) -> Result<Page, ScrapeError> {
    let series = live.iter().map(|family| family.series.len()).sum();
    let max = settings.series_per_scrape_max;
    if series > max {
        return Err(ScrapeError::TooManySeries { series, max });
    }
    let mut families: Vec<Family> = live.iter().flat_map(|family| assemble(family, exemplars)).collect();
    add_zeros(&mut families);
    show_instance(&mut families);
    exposition::sort(&mut families);
    let body = match accepted.format {
        PageFormat::Text => exposition::write_text(&families, accepted.escaping).into_bytes(),
        PageFormat::ProtobufDelimited => exposition::write_protobuf(&families, accepted.escaping),
        PageFormat::OpenMetrics(_) => {
            exposition::write_openmetrics(&families, accepted.escaping).into_bytes()
        }
    };
    let body = encoding.compress(body).map_err(ScrapeError::Compress)?;
    Ok(Page { content_type: accepted.content_type(), encoding, body })
}

/// Shows the label `instance` as empty where it is absent, so that no scraper sets it to the gateway's own.
pub(super) fn show_instance(families: &mut [Family]) {
    let (name, value): (Arc<str>, Arc<str>) = ("instance".into(), "".into());
    for metric in families.iter_mut().flat_map(|family| &mut family.metrics) {
        if !metric.labels.iter().any(|(label, _)| **label == *name) {
            metric.labels.push((Arc::clone(&name), Arc::clone(&value)));
        }
    }
}
