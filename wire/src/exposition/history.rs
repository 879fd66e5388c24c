//! OpenMetrics of any length, written series by series: history, where every sample has its time.
//!
//! A family is what has one name, a counter `a_total` is the counter `a`, and the parts of a histogram or a summary are one as far as
//! they are written side by side. What comes behind something else is a family of its own and of no known type.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use model::float::shortest;
use model::name::{is_legacy_label_name, is_legacy_metric_name};
use model::{Exemplar, Labels, Metadata, MetricType};

use super::line::{escape, quote};

/// Writes what stands before the series of each name, and their samples.
#[derive(Debug, Default)]
pub struct HistoryWriter {
    /// The families so far.
    families: HashSet<String>,
    /// The name of the series that are written.
    name: Option<String>,
    /// Their family, if it has parts.
    open: Option<String>,
}

/// What is known of families.
type Known = HashMap<Arc<str>, Metadata>;

impl HistoryWriter {
    /// Writes what is known of the series with this name, unless the last series had the same, or is another part of the same
    /// family. Series of one name come together, and names in order.
    pub fn head(&mut self, text: &mut String, name: &str, known: &Known) {
        if self.name.as_deref() == Some(name) {
            return;
        }
        self.name = Some(name.to_owned());
        let of_parts = family_of_part(name, known);
        if of_parts.as_ref().is_some_and(|part| self.open.as_deref() == Some(part.family)) {
            return;
        }
        let opens = of_parts.filter(|part| part.is_first && !self.families.contains(part.family));
        self.open = opens.as_ref().map(|part| part.family.to_owned());
        let (family, word, metadata) = match opens {
            Some(Part { family, metadata, .. }) => (family, metadata.r#type.as_str(), Some(metadata)),
            None => {
                let metadata = known.get(name);
                let r#type = metadata.map_or(MetricType::Untyped, |known| known.r#type);
                let (family, word) = self.family(name, r#type);
                (family, word, metadata)
            }
        };
        self.families.insert(family.to_owned());
        let mut comment = |keyword: &str, rest: &dyn Fn(&mut String)| {
            text.push_str("# ");
            text.push_str(keyword);
            text.push(' ');
            if is_legacy_metric_name(family) {
                text.push_str(family);
            } else {
                quote(text, family, "");
            }
            text.push(' ');
            rest(text);
            text.push('\n');
        };
        if let Some(help) = metadata.map(|known| &known.help).filter(|help| !help.is_empty()) {
            comment("HELP", &|text| escape(text, help, true));
        }
        comment("TYPE", &|text| text.push_str(word));
        let is_end = |unit: &&str| family.strip_suffix(*unit).is_some_and(|rest| rest.ends_with('_'));
        if let Some(unit) = metadata.map(|known| &*known.unit).filter(|unit| !unit.is_empty()).filter(is_end)
        {
            comment("UNIT", &|text| escape(text, unit, true));
        }
    }

    /// The family of a name, and its type as the format writes it: unknown where the name does not fit the type.
    fn family<'n>(&self, name: &'n str, r#type: MetricType) -> (&'n str, &'static str) {
        let suffixed = |suffix: &str| {
            let family = name.strip_suffix(suffix)?;
            (!family.is_empty() && !self.families.contains(family)).then_some((family, r#type.as_str()))
        };
        let found = match r#type {
            MetricType::Counter => suffixed("_total"),
            MetricType::Info => suffixed("_info"),
            MetricType::Gauge => Some((name, "gauge")),
            _ => None,
        };
        found.unwrap_or((name, "unknown"))
    }
}

/// A name as a part of a family.
struct Part<'a> {
    family: &'a str,
    metadata: &'a Metadata,
    /// Whether others may follow it: a histogram begins with its buckets.
    is_first: bool,
}

/// The family of which series of this name are a part, if there is one that has parts.
fn family_of_part<'a>(name: &'a str, known: &'a Known) -> Option<Part<'a>> {
    const SUFFIXES: [&str; 5] = ["_bucket", "_count", "_sum", "_gcount", "_gsum"];
    let suffixed = SUFFIXES.into_iter().filter_map(|suffix| Some((name.strip_suffix(suffix)?, suffix)));
    [(name, "")].into_iter().chain(suffixed).find_map(|(family, suffix)| {
        let metadata = known.get(family)?;
        let is_first = match (metadata.r#type, suffix) {
            (MetricType::Histogram | MetricType::GaugeHistogram, "_bucket")
            | (MetricType::Summary, "" | "_count" | "_sum") => true,
            (MetricType::Histogram, "_count" | "_sum")
            | (MetricType::GaugeHistogram, "_gcount" | "_gsum") => false,
            _ => return None,
        };
        Some(Part { family, metadata, is_first })
    })
}

/// Whether lines of a name may have exemplars.
pub fn history_takes_exemplars(name: &str) -> bool {
    name.ends_with("_total") || name.ends_with("_bucket")
}

/// Name and labels of a series, as they stand in each line of it.
pub fn history_series(labels: &Labels) -> String {
    let (mut text, name) = (String::new(), labels.metric_name());
    let is_plain = is_legacy_metric_name(name);
    if is_plain {
        text.push_str(name);
    }
    if is_plain && labels.len() == 1 {
        return text;
    }
    text.push('{');
    if !is_plain {
        quote(&mut text, name, "");
    }
    pairs(&mut text, labels, is_plain);
    text.push('}');
    text
}

/// Labels but for the name.
fn pairs(text: &mut String, labels: &Labels, mut is_first: bool) {
    for label in labels.iter().filter(|label| *label.name != *Labels::NAME) {
        if !std::mem::take(&mut is_first) {
            text.push(',');
        }
        if is_legacy_label_name(&label.name) {
            text.push_str(&label.name);
        } else {
            quote(text, &label.name, "");
        }
        text.push('=');
        quote(text, &label.value, "");
    }
}

/// Writes a sample of a series, and an exemplar with it.
pub fn history_sample(text: &mut String, series: &str, at_ms: i64, value: f64, exemplar: Option<&Exemplar>) {
    use std::fmt::Write;
    // writing to a string cannot fail
    let _ = write!(text, "{series} {} {}", shortest(value), seconds(at_ms));
    if let Some(Exemplar { labels, value, at_ms }) = exemplar {
        text.push_str(" # {");
        pairs(text, labels, true);
        let _ = write!(text, "}} {} {}", shortest(*value), seconds(*at_ms));
    }
    text.push('\n');
}

/// Seconds of which Prometheus makes the same milliseconds: it drops what is beyond them.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "times are far smaller")]
fn seconds(at_ms: i64) -> f64 {
    let seconds = at_ms as f64 / 1e3;
    if (seconds * 1e3) as i64 == at_ms { seconds } else { seconds.next_up() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openmetrics::LineReader;
    use crate::text::Options;

    #[test]
    fn what_is_known_stands_before_the_series_of_a_name() {
        let known = |r#type, unit: &str| Metadata { r#type, help: "A \"b\"\n".into(), unit: unit.into() };
        let known: HashMap<Arc<str>, Metadata> = [
            ("a_total", known(MetricType::Counter, "")),
            ("g_seconds", known(MetricType::Gauge, "seconds")),
            ("rows", known(MetricType::Counter, "")),
            ("rows_total", known(MetricType::Counter, "")),
        ]
        .map(|(name, metadata)| (name.into(), metadata))
        .into();
        let mut writer = HistoryWriter::default();
        let mut text = String::new();
        let mut series = |pairs: &[(&str, &str)]| {
            let labels = Labels::from_pairs(pairs.iter().copied());
            writer.head(&mut text, labels.metric_name(), &known);
            history_sample(&mut text, &history_series(&labels), 1_500, 1e6, None);
        };
        series(&[("__name__", "a_total"), ("x", "q\"\\\n")]);
        series(&[("__name__", "a_total")]);
        series(&[("__name__", "g_seconds")]);
        series(&[("__name__", "h_bucket"), ("le", "1")]);
        series(&[("__name__", "rows")]);
        series(&[("__name__", "rows_total")]);
        series(&[("__name__", "foo.bar"), ("a.b", "c")]);
        assert_eq!(
            text,
            "# HELP a A \\\"b\\\"\\n\n# TYPE a counter\na_total{x=\"q\\\"\\\\\\n\"} 1e+06 1.5\na_total 1e+06 1.5\n\
             # HELP g_seconds A \\\"b\\\"\\n\n# TYPE g_seconds gauge\n# UNIT g_seconds seconds\ng_seconds 1e+06 1.5\n\
             # TYPE h_bucket unknown\nh_bucket{le=\"1\"} 1e+06 1.5\n\
             # HELP rows A \\\"b\\\"\\n\n# TYPE rows unknown\nrows 1e+06 1.5\n\
             # HELP rows_total A \\\"b\\\"\\n\n# TYPE rows_total unknown\nrows_total 1e+06 1.5\n\
             # TYPE \"foo.bar\" unknown\n{\"foo.bar\",\"a.b\"=\"c\"} 1e+06 1.5\n"
        );
    }

    #[test]
    fn parts_that_stand_side_by_side_are_one_family() {
        let check = |r#type: MetricType, names: &[&str], expect: &[&str]| {
            let metadata = Metadata { r#type, help: "H".into(), ..Metadata::default() };
            let known: HashMap<Arc<str>, Metadata> = [("h".into(), metadata)].into();
            let (mut writer, mut text) = (HistoryWriter::default(), String::new());
            names.iter().for_each(|name| writer.head(&mut text, name, &known));
            assert_eq!(text.lines().collect::<Vec<_>>(), expect, "{type} {names:?}");
        };
        let histogram = ["# HELP h H", "# TYPE h histogram"];
        check(MetricType::Histogram, &["h_bucket", "h_bucket", "h_count", "h_sum"], &histogram);
        let between =
            ["# HELP h H", "# TYPE h histogram", "# TYPE h_bytes unknown", "# TYPE h_count unknown"];
        check(MetricType::Histogram, &["h_bucket", "h_bytes", "h_count"], &between);
        check(MetricType::Histogram, &["h_count"], &["# TYPE h_count unknown"]);
        check(
            MetricType::GaugeHistogram,
            &["h_bucket", "h_gcount", "h_gsum"],
            &["# HELP h H", "# TYPE h gaugehistogram"],
        );
        check(MetricType::Summary, &["h", "h_count", "h_sum"], &["# HELP h H", "# TYPE h summary"]);
        check(MetricType::Summary, &["h_count", "h_sum"], &["# HELP h H", "# TYPE h summary"]);
        // what is called as the family stands before its buckets
        let native = ["# HELP h H", "# TYPE h unknown", "# TYPE h_bucket unknown"];
        check(MetricType::Histogram, &["h", "h_bucket"], &native);
        check(MetricType::Gauge, &["h_bucket"], &["# TYPE h_bucket unknown"]);
    }

    #[test]
    fn exemplars_are_read_again() {
        let labels = Labels::from_pairs([("__name__", "a_total"), ("x", "y")]);
        let exemplar_labels = Labels::from_pairs([("trace_id", "q\"\\\n"), ("span", "c")]);
        let exemplar = Exemplar { labels: exemplar_labels, value: 0.1, at_ms: 1_795_000_000_781 };
        let mut line = String::new();
        history_sample(&mut line, &history_series(&labels), 1_500, 2.0, Some(&exemplar));
        let mut reader = LineReader::new(Options { utf8_names: true, ..Options::default() });
        let read = reader.read(line.as_bytes()).expect("is read").expect("is a sample");
        assert_eq!(read.exemplar.and_then(|exemplar| exemplar.stored(1_500)), Some(exemplar), "{line}");
        let bare = Exemplar { labels: Labels::empty(), value: 1.0, at_ms: 0 };
        let mut line = String::new();
        history_sample(&mut line, "a_total", 1_500, 2.0, Some(&bare));
        assert_eq!(line, "a_total 2 1.5 # {} 1 0\n");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut reader = LineReader::new(Options { utf8_names: true, ..Options::default() });
        for (labels, at_ms, value) in [
            (vec![("__name__", "a_total"), ("x", "q\"\\\n é")], 1_795_000_000_781, 0.1),
            (vec![("__name__", "foo.bar"), ("a.b", "c")], 131_593_270, f64::NAN),
            (vec![("__name__", "foo.bar")], 2_198_982_377_069, f64::NEG_INFINITY),
            (vec![("__name__", "a")], 0, -0.0),
        ] {
            let labels = Labels::from_pairs(labels);
            let mut line = String::new();
            history_sample(&mut line, &history_series(&labels), at_ms, value, None);
            let read = reader.read(line.as_bytes()).expect("is read").expect("is a sample");
            assert_eq!((&read.labels, read.timestamp_ms), (&labels, Some(at_ms)), "{line}");
            assert_eq!(read.value.to_bits(), value.to_bits(), "{line}");
        }
    }

    #[test]
    fn prometheus_reads_the_same_milliseconds() {
        for at_ms in [0, 1, 131_593_270, 2_109_663_209, 4_249_749_770, 1_435_781_451_781, 2_198_982_377_069] {
            #[expect(clippy::cast_possible_truncation, reason = "as Prometheus does")]
            let read = (seconds(at_ms) * 1e3) as i64;
            assert_eq!(read, at_ms);
        }
    }
}
