//! What a target answers: its format, and its samples.

use std::sync::Arc;

use config::ScrapeProtocol;
use model::{Labels, Metadata, Value};
use wire::scraped::{PageReader, with_end};
use wire::text::Options;
use wire::{Exemplar, Limits, flatten, protobuf};
use xxhash_rust::xxh3::xxh3_128;

/// How a page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    OpenMetrics,
    Protobuf,
}

/// A sample of a page.
pub(crate) struct PageSample<'a> {
    /// By which its series is known.
    pub(crate) key: u128,
    pub(crate) value: Value,
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) created_ms: Option<i64>,
    pub(crate) exemplars: Vec<Exemplar>,
    /// What its labels are, where they are not known.
    pub(crate) labels: &'a dyn Fn() -> Result<Labels, String>,
}

/// What a page tells of families.
pub(crate) type Told = Vec<(Arc<str>, Metadata)>;

/// What is sent along, so that targets answer in a format that is known.
pub(crate) fn accept(protocols: &[ScrapeProtocol]) -> String {
    let name = |protocol: &ScrapeProtocol| match protocol {
        ScrapeProtocol::PrometheusProto => {
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
        }
        ScrapeProtocol::PrometheusText004 => "text/plain;version=0.0.4",
        ScrapeProtocol::PrometheusText100 => "text/plain;version=1.0.0;escaping=allow-utf-8",
        ScrapeProtocol::OpenMetricsText001 => "application/openmetrics-text;version=0.0.1",
        ScrapeProtocol::OpenMetricsText100 => {
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8"
        }
    };
    let names = protocols.iter().map(name).chain(["*/*"]);
    let weighted =
        names.enumerate().map(|(index, name)| format!("{name};q=0.{}", protocols.len() + 1 - index));
    weighted.collect::<Vec<_>>().join(",")
}

impl Format {
    /// What a content type says, or else what is fallen back to.
    ///
    /// # Errors
    /// If neither says it, in the words of Prometheus.
    pub(crate) fn of(content_type: Option<&str>, fallback: Option<ScrapeProtocol>) -> Result<Self, String> {
        let media = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        match (media.to_ascii_lowercase().as_str(), fallback) {
            ("application/openmetrics-text", _) => Ok(Self::OpenMetrics),
            ("application/vnd.google.protobuf", _) => Ok(Self::Protobuf),
            ("text/plain", _) => Ok(Self::Text),
            (_, Some(ScrapeProtocol::PrometheusProto)) => Ok(Self::Protobuf),
            (_, Some(ScrapeProtocol::OpenMetricsText001 | ScrapeProtocol::OpenMetricsText100)) => {
                Ok(Self::OpenMetrics)
            }
            (_, Some(ScrapeProtocol::PrometheusText004 | ScrapeProtocol::PrometheusText100)) => {
                Ok(Self::Text)
            }
            ("", None) => Err("non-compliant scrape target sending blank Content-Type and no \
                fallback_scrape_protocol specified for target"
                .to_owned()),
            (_, None) => Err(format!(
                "received unsupported Content-Type {:?} and no fallback_scrape_protocol specified for target",
                content_type.unwrap_or_default()
            )),
        }
    }
}

/// What a line may have: the body is bounded already, so nothing of it needs a limit of its own.
const OPTIONS: Options = Options {
    utf8_names: true,
    limits: Limits { bytes_max: usize::MAX, samples_max: usize::MAX, labels_max: 10_000 },
};

/// Reads a page sample by sample. `with_classic`: whether a native histogram's classic buckets are samples too.
///
/// # Errors
/// What is wrong with it, or what `each` says; samples before that were given out.
pub(crate) fn read(
    body: Vec<u8>,
    format: Format,
    with_classic: bool,
    each: &mut dyn FnMut(PageSample<'_>) -> Result<(), String>,
) -> Result<Told, String> {
    let body = if format == Format::Protobuf { body } else { with_end(body) };
    let mut page = match format {
        Format::Text => PageReader::text(&body, OPTIONS),
        Format::OpenMetrics => PageReader::openmetrics(&body, OPTIONS),
        Format::Protobuf => return families(&body, with_classic, each),
    };
    let mut key = Vec::new();
    while let Some(line) = page.next().map_err(|error| error.to_string())? {
        key.clear();
        key.push(line.bound as u8);
        key.extend_from_slice(line.series);
        let number = page.line();
        let labels = || line.labels().map_err(|fault| format!("line {number}: {fault}"));
        each(PageSample {
            key: xxh3_128(&key),
            value: Value::Float(line.value),
            timestamp_ms: line.timestamp_ms,
            created_ms: None,
            exemplars: line.exemplar.clone().into_iter().collect(),
            labels: &labels,
        })?;
    }
    Ok(page.into_families())
}

fn families(
    body: &[u8],
    with_classic: bool,
    each: &mut dyn FnMut(PageSample<'_>) -> Result<(), String>,
) -> Result<Told, String> {
    let mut told = Vec::new();
    for mut family in protobuf::parse(body, &OPTIONS.limits).map_err(|error| error.to_string())? {
        told.push((Arc::clone(&family.name), family.metadata()));
        for metric in std::mem::take(&mut family.metrics) {
            let timestamp_ms = metric.timestamp_ms;
            let mut metric = metric;
            if let wire::MetricValue::Histogram(histogram) = &mut metric.value
                && histogram.native.is_some()
                && !with_classic
            {
                histogram.buckets.clear();
            }
            family.metrics = vec![metric];
            for series in flatten(&family) {
                let name = (Arc::from(Labels::NAME), Arc::clone(&series.name));
                let labels = Labels::from_pairs(series.labels.into_iter().chain([name]));
                each(PageSample {
                    key: xxh3_128(&labels.canonical_bytes()),
                    value: series.value,
                    timestamp_ms,
                    created_ms: series.created_ms,
                    exemplars: series.exemplars,
                    labels: &|| Ok(labels.clone()),
                })?;
            }
        }
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let check = |content_type: Option<&str>, fallback, expect: Result<Format, &str>| {
            let found = Format::of(content_type, fallback);
            match expect {
                Ok(format) => assert_eq!(found, Ok(format), "{content_type:?}"),
                Err(text) => assert!(found.clone().is_err_and(|error| error.contains(text)), "{found:?}"),
            }
        };
        check(Some("text/plain; version=0.0.4"), None, Ok(Format::Text));
        check(Some("Application/OpenMetrics-Text"), None, Ok(Format::OpenMetrics));
        check(Some("application/vnd.google.protobuf;x=y"), None, Ok(Format::Protobuf));
        check(None, None, Err("blank Content-Type"));
        check(Some("text/html"), None, Err("unsupported Content-Type \"text/html\""));
        check(Some("text/html"), Some(ScrapeProtocol::OpenMetricsText100), Ok(Format::OpenMetrics));
        check(None, Some(ScrapeProtocol::PrometheusText004), Ok(Format::Text));
    }

    #[test]
    fn the_best_format_has_the_most_weight() {
        let expect = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
            application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
            text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        assert_eq!(accept(&ScrapeProtocol::DEFAULT), expect);
    }
}
