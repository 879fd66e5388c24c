//! OpenMetrics of any length, written series by series: history, where every sample has its time.
//!
//! A family is what has one name: a counter `a_total` is the counter `a`, and the parts of histograms and summaries are families of
//! their own and of no known type, since they are not written side by side.

use std::collections::HashSet;

use model::float::shortest;
use model::name::{is_legacy_label_name, is_legacy_metric_name};
use model::{Labels, Metadata, MetricType};

use super::line::{escape, quote};

/// Writes what stands before the series of each name, and their samples.
#[derive(Debug, Default)]
pub struct HistoryWriter {
    /// The families so far.
    families: HashSet<String>,
    /// The name of the series that are written.
    name: Option<String>,
}

impl HistoryWriter {
    /// Writes what is known of the series with this name, unless the last series had the same. Series of one name come together.
    pub fn head(&mut self, text: &mut String, name: &str, metadata: Option<&Metadata>) {
        if self.name.as_deref() == Some(name) {
            return;
        }
        self.name = Some(name.to_owned());
        let (family, word) = self.family(name, metadata.map_or(MetricType::Untyped, |known| known.r#type));
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
    let mut is_first = is_plain;
    for label in labels.iter().filter(|label| *label.name != *Labels::NAME) {
        if !std::mem::take(&mut is_first) {
            text.push(',');
        }
        if is_legacy_label_name(&label.name) {
            text.push_str(&label.name);
        } else {
            quote(&mut text, &label.name, "");
        }
        text.push('=');
        quote(&mut text, &label.value, "");
    }
    text.push('}');
    text
}

/// Writes a sample of a series.
pub fn history_sample(text: &mut String, series: &str, at_ms: i64, value: f64) {
    use std::fmt::Write;
    // writing to a string cannot fail
    let _ = writeln!(text, "{series} {} {}", shortest(value), seconds(at_ms));
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
        let mut writer = HistoryWriter::default();
        let mut text = String::new();
        let known = |r#type, unit: &str| Metadata { r#type, help: "A \"b\"\n".into(), unit: unit.into() };
        let mut series = |pairs: &[(&str, &str)], metadata: Option<Metadata>| {
            let labels = Labels::from_pairs(pairs.iter().copied());
            writer.head(&mut text, labels.metric_name(), metadata.as_ref());
            history_sample(&mut text, &history_series(&labels), 1_500, 1e6);
        };
        series(&[("__name__", "a_total"), ("x", "q\"\\\n")], Some(known(MetricType::Counter, "")));
        series(&[("__name__", "a_total")], None);
        series(&[("__name__", "g_seconds")], Some(known(MetricType::Gauge, "seconds")));
        series(&[("__name__", "h_bucket"), ("le", "1")], None);
        series(&[("__name__", "rows")], Some(known(MetricType::Counter, "")));
        series(&[("__name__", "rows_total")], Some(known(MetricType::Counter, "")));
        series(&[("__name__", "foo.bar"), ("a.b", "c")], None);
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
            history_sample(&mut line, &history_series(&labels), at_ms, value);
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
