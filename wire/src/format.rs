//! Which format a body is in, and which one a reader asks for.

use crate::name_escaping::Escaping;

const PROTOBUF: &str = "application/vnd.google.protobuf";
const OPENMETRICS: &str = "application/openmetrics-text";
const FAMILY: &str = "io.prometheus.client.MetricFamily";

/// The format of a pushed or scraped body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFormat {
    /// The text format 0.0.4.
    Text,
    /// OpenMetrics, of any version.
    OpenMetrics,
    /// `io.prometheus.client.MetricFamily` messages, each with its length before it.
    ProtobufDelimited,
}

impl BodyFormat {
    /// What a `Content-Type` header says. As with the Pushgateway, whatever does not fully name the delimited
    /// protobuf format is text, but for OpenMetrics, which has a name of its own.
    pub fn of_header(content_type: Option<&str>) -> Self {
        match content_type.map(MediaRange::parse) {
            Some(media) if media.is_delimited_protobuf() => Self::ProtobufDelimited,
            Some(media) if media.media == OPENMETRICS => Self::OpenMetrics,
            _ => Self::Text,
        }
    }
}

/// The format of an exposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageFormat {
    /// The text format 0.0.4.
    Text,
    /// `io.prometheus.client.MetricFamily` messages, each with its length before it.
    ProtobufDelimited,
    /// OpenMetrics, of one of its versions.
    OpenMetrics(&'static str),
}

/// The format and the escaping of names that a reader of an exposition gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The format.
    pub format: PageFormat,
    /// How names outside the legacy character set are written.
    pub escaping: Escaping,
}

impl Accepted {
    /// The best that an `Accept` header asks for and that is on offer; text if it asks for nothing on offer. OpenMetrics is on
    /// offer if asked to be: it calls a counter `a` `a_total`.
    ///
    /// The escaping that was asked for last holds, also where it stood beside a better format that is not on offer: that is how
    /// Prometheus, which names it beside OpenMetrics only, gets its names from a Pushgateway.
    pub fn of_header(accept: Option<&str>, with_openmetrics: bool) -> Self {
        let mut ranges: Vec<_> = accept.unwrap_or("").split(',').map(MediaRange::parse).collect();
        ranges.retain(|range| range.quality() > 0.0);
        ranges.sort_by(|a, b| b.quality().total_cmp(&a.quality()));
        let mut escaping = Escaping::default();
        for range in &ranges {
            let asked = range.parameter("escaping").and_then(|word| Escaping::from_word(&word));
            escaping = asked.unwrap_or(escaping);
            if let Some(format) = range.page_format(with_openmetrics) {
                return Self { format, escaping };
            }
        }
        Self { format: PageFormat::Text, escaping }
    }

    /// The `Content-Type` of the answer.
    pub fn content_type(self) -> String {
        let escaping = self.escaping.as_str();
        match self.format {
            PageFormat::OpenMetrics(version) => {
                format!("{OPENMETRICS}; version={version}; charset=utf-8; escaping={escaping}")
            }
            PageFormat::Text => format!("text/plain; version=0.0.4; charset=utf-8; escaping={escaping}"),
            PageFormat::ProtobufDelimited => {
                format!("{PROTOBUF}; proto={FAMILY}; encoding=delimited; escaping={escaping}")
            }
        }
    }
}

/// A media type with its parameters; names in lower case.
struct MediaRange<'a> {
    media: String,
    parameters: Vec<(String, &'a str)>,
}

impl<'a> MediaRange<'a> {
    fn parse(header: &'a str) -> Self {
        let mut parts = header.split(';');
        let media = parts.next().unwrap_or("").trim().to_ascii_lowercase();
        let parameters = parts.filter_map(|part| {
            let (name, value) = part.split_once('=')?;
            Some((name.trim().to_ascii_lowercase(), value.trim()))
        });
        Self { media, parameters: parameters.collect() }
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let (_, value) = self.parameters.iter().find(|(key, _)| key == name)?;
        let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        Some(quoted.map_or_else(|| (*value).to_owned(), |inner| inner.replace('\\', "")))
    }

    fn is_delimited_protobuf(&self) -> bool {
        self.media == PROTOBUF
            && self.parameter("proto").as_deref() == Some(FAMILY)
            && self.parameter("encoding").as_deref() == Some("delimited")
    }

    /// The format on offer that it asks for.
    fn page_format(&self, with_openmetrics: bool) -> Option<PageFormat> {
        if self.is_delimited_protobuf() {
            return Some(PageFormat::ProtobufDelimited);
        }
        if self.is_text() {
            return Some(PageFormat::Text);
        }
        self.openmetrics().filter(|_| with_openmetrics).map(PageFormat::OpenMetrics)
    }

    fn is_text(&self) -> bool {
        self.media == "text/plain" && self.parameter("version").is_none_or(|version| version == "0.0.4")
    }

    /// The version of OpenMetrics that is asked for, if it is one that there is.
    fn openmetrics(&self) -> Option<&'static str> {
        if self.media != OPENMETRICS {
            return None;
        }
        match self.parameter("version").as_deref() {
            Some("1.0.0") => Some("1.0.0"),
            None | Some("0.0.1") => Some("0.0.1"),
            Some(_) => None,
        }
    }

    fn quality(&self) -> f64 {
        self.parameter("q").map_or(1.0, |quality| quality.parse().unwrap_or(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types() {
        let check =
            |header: Option<&str>, expect| assert_eq!(BodyFormat::of_header(header), expect, "{header:?}");
        check(None, BodyFormat::Text);
        check(Some("application/json"), BodyFormat::Text);
        check(Some("application/openmetrics-text; version=1.0.0"), BodyFormat::OpenMetrics);
        check(Some("Application/OpenMetrics-text"), BodyFormat::OpenMetrics);
        let full =
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
        check(Some(full), BodyFormat::ProtobufDelimited);
        check(
            Some(
                "Application/VND.google.Protobuf;Encoding=\"delimited\";x=y;PROTO=io.prometheus.client.MetricFamily",
            ),
            BodyFormat::ProtobufDelimited,
        );
        check(
            Some("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily"),
            BodyFormat::Text,
        );
        check(Some("application/vnd.google.protobuf; encoding=delimited"), BodyFormat::Text);
    }

    #[test]
    fn accepted() {
        let check = |header: Option<&str>, expect: &str| {
            assert_eq!(Accepted::of_header(header, false).content_type(), expect, "{header:?}");
        };
        let text = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";
        let proto = |escaping: &str| {
            format!(
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; \
                 encoding=delimited; escaping={escaping}"
            )
        };
        check(None, text);
        check(Some("*/*"), text);
        check(Some("application/openmetrics-text; version=1.0.0"), text);
        let prometheus = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
            encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
            text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        check(Some(prometheus), &proto("underscores"));
        // what stands beside a better format that is not on offer holds too
        let utf8 = "text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8";
        check(Some(&prometheus.replace("q=0.6", "q=0.1")), utf8);
        check(Some(&prometheus.replace("q=0.6", "q=0")), utf8);
        check(Some("text/plain;version=0.0.4;escaping=allow-utf-8"), utf8);
        check(Some("application/json;escaping=allow-utf-8,*/*;escaping=none"), utf8);
        check(Some("text/plain;q=0.9,application/json;escaping=dots;q=0.1"), text);
        check(
            Some("text/plain;version=1.0.0;q=0.9,text/plain;escaping=dots;q=0.2"),
            "text/plain; version=0.0.4; charset=utf-8; escaping=dots",
        );
    }

    #[test]
    fn openmetrics_where_it_is_on_offer() {
        let check = |header: &str, expect: &str| {
            assert_eq!(Accepted::of_header(Some(header), true).content_type(), expect, "{header:?}");
        };
        let of_version = |version: &str| {
            format!("application/openmetrics-text; version={version}; charset=utf-8; escaping=underscores")
        };
        check("application/openmetrics-text; version=1.0.0", &of_version("1.0.0"));
        check("application/openmetrics-text", &of_version("0.0.1"));
        let text = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";
        check("application/openmetrics-text; version=9.0.0", text);
        check("application/openmetrics-text;version=1.0.0;q=0.5,text/plain", text);
        check("*/*", text);
    }
}
