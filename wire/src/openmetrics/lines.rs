//! OpenMetrics of any length, line by line: for files of history, which are larger than a body may be.
//!
//! Read as Prometheus reads them for `promtool tsdb create-blocks-from openmetrics`: every line with a sample is a sample of its own,
//! under the name that it has, created times too, and a family may come again. `le` of histograms and `quantile` of summaries have
//! the form that Prometheus gives them.

use std::sync::Arc;

use model::float::bound;
use model::{Labels, Metadata, MetricType};

use super::error::LineFault;
use super::family::Open;
use super::{Fault, headline, sample};
use crate::Exemplar;
use crate::text::Options;
use crate::text::cursor::Cursor;
use crate::text::number;

/// Reads one line after the other.
#[derive(Default)]
pub struct LineReader {
    options: Options,
    /// The family that was named last.
    open: Option<Open>,
    /// What was told of families since it was asked for.
    told: Vec<(Arc<str>, Metadata)>,
    has_ended: bool,
}

impl std::fmt::Debug for LineReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LineReader").field("has_ended", &self.has_ended).finish_non_exhaustive()
    }
}

/// A line with a sample.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleLine {
    /// All labels, the name among them.
    pub labels: Labels,
    /// The value.
    pub value: f64,
    /// Its time, if it has one.
    pub timestamp_ms: Option<i64>,
    /// What came with it.
    pub exemplar: Option<Exemplar>,
}

impl LineReader {
    /// A reader of a file from its beginning. Of the limits, that on labels counts.
    pub fn new(options: Options) -> Self {
        Self { options, ..Self::default() }
    }

    /// Reads a line with its line feed. A sample, unless the line tells of a family or is the end.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(&mut self, line: &[u8]) -> Result<Option<SampleLine>, LineFault> {
        if self.is_sample(line)? { self.sample(&mut Cursor::new(line)).map(Some) } else { Ok(None) }
    }

    /// Whether a line is one with a sample, and not read yet; if it tells of a family or is the end, it is read.
    pub(crate) fn is_sample(&mut self, line: &[u8]) -> Result<bool, LineFault> {
        if self.has_ended {
            return Err(Fault::AfterEnd.into());
        }
        let mut cursor = Cursor::new(line);
        match cursor.peek().map_err(Fault::from)? {
            b'\n' => Err(Fault::Empty.into()),
            b'#' => self.comment(&mut cursor).map(|()| false).map_err(LineFault::from),
            _ => Ok(true),
        }
    }

    /// The type of the family that was named last.
    pub(crate) fn open_type(&self) -> Option<MetricType> {
        self.open.as_ref().map(Open::metric_type)
    }

    /// The end of the file.
    ///
    /// # Errors
    /// If it does not end in `# EOF`.
    pub fn finish(&self) -> Result<(), Fault> {
        if self.has_ended { Ok(()) } else { Err(Fault::NoEnd) }
    }

    /// What was told of families since the last call, under the names that Prometheus gives their series.
    pub fn take_families(&mut self) -> Vec<(Arc<str>, Metadata)> {
        std::mem::take(&mut self.told)
    }

    fn comment(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        let Some((keyword, name)) = headline(cursor, &self.options)? else {
            self.has_ended = true;
            return Ok(());
        };
        if self.open.as_ref().is_none_or(|open| open.name() != name) {
            self.open = Some(Open::new(&name));
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let (before, _) = open.told();
        open.headline(keyword, cursor)?;
        // each line of a family adds to what is told of it, and the type to its name
        self.told.retain(|(family, _)| *family != before);
        self.told.push(open.told());
        Ok(())
    }

    fn sample(&mut self, cursor: &mut Cursor<'_>) -> Result<SampleLine, LineFault> {
        let sample = sample::read(cursor, &self.options)?;
        let bound_label = match self.open_type() {
            Some(MetricType::Histogram) => "le",
            Some(MetricType::Summary) => "quantile",
            _ => "",
        };
        let value_of = |name: &str, value: &str| -> Arc<str> {
            let number = if name == bound_label { number::float(value.as_bytes()) } else { None };
            number.map_or_else(|| value.into(), |number| bound(number).into())
        };
        let own = sample.labels.iter().map(|(name, value)| (Arc::from(&**name), value_of(name, value)));
        let name = (Arc::from(Labels::NAME), Arc::from(&*sample.name));
        let labels = Labels::from_pairs(own.chain([name]));
        let sample::Sample { value, timestamp_ms, exemplar, .. } = sample;
        Ok(SampleLine { labels, value, timestamp_ms, exemplar })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    fn read(text: &str) -> Result<(Vec<String>, Vec<String>), String> {
        let limits = Limits { labels_max: 2, ..Limits::default() };
        let mut reader = LineReader::new(Options { utf8_names: true, limits });
        let (mut samples, mut families) = (Vec::new(), Vec::new());
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let found = reader.read(line.as_bytes()).map_err(|fault| format!("{}: {fault}", index + 1))?;
            samples.extend(found.map(|line| {
                let at = line.timestamp_ms.map(|ms| format!(" {ms}")).unwrap_or_default();
                let exemplar = line.exemplar.map(|exemplar| format!(" # {}", exemplar.value));
                format!("{} {}{at}{}", line.labels, line.value, exemplar.unwrap_or_default())
            }));
            if samples.is_empty() {
                continue;
            }
            families.extend(reader.take_families().into_iter().map(|(name, metadata)| {
                format!("{name} {} {} {}", metadata.r#type.as_str(), metadata.unit, metadata.help)
            }));
        }
        reader.finish().map_err(|fault| fault.to_string())?;
        Ok((samples, families))
    }

    #[test]
    fn every_line_is_a_sample_of_its_own() {
        let text = "# TYPE a counter\na_total{x=\"1\"} 1 1.781 # {t=\"x\"} 0.5 3\na_created{x=\"1\"} 5 1\n\
            # TYPE h histogram\nh_bucket{le=\"1\"} 1 1\nh_count 7 2\nh_bucket{le=\"1\"} 2 2\n\
            # TYPE s summary\ns{quantile=\"0.50\"} 1 1\n# TYPE u unknown\nu{le=\"1\",x=\"\"} NaN\n\
            # TYPE a counter\na_total 3 1\n{\"foo.bar\",\"a.b\"=\"c\"} 1 1\n# EOF\n";
        let (samples, _) = read(text).expect("is read");
        let expect = [
            "a_total{x=\"1\"} 1 1781 # 0.5",
            "a_created{x=\"1\"} 5 1000",
            "h_bucket{le=\"1.0\"} 1 1000",
            "h_count 7 2000",
            "h_bucket{le=\"1.0\"} 2 2000",
            "s{quantile=\"0.5\"} 1 1000",
            "u{le=\"1\"} NaN",
            "a_total 3 1000",
        ];
        assert_eq!(samples[..8], expect.map(str::to_owned));
        assert!(samples[8].contains("foo.bar") && samples.len() == 9, "{samples:?}");
    }

    #[test]
    fn families_are_told_once_they_are_known() {
        let text =
            "# HELP a_seconds A \\\"b\\\".\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# EOF\n";
        let text = text.replace("# EOF", "a_seconds_total 1 1\n# EOF");
        let (_, families) = read(&text).expect("is read");
        assert_eq!(families, ["a_seconds_total counter seconds A \"b\"."]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let check = |text: &str, expect: &str| {
            let error = read(text).expect_err("is refused");
            assert!(error.contains(expect), "{error}");
        };
        check("a 1 1\n", "expected # EOF");
        check("a 1 1\n\n# EOF\n", "2: an empty line");
        check("a 1 1\nb x 1\n# EOF\n", "2: ");
        check("# EOF\na 1 1\n", "2: something stands behind # EOF");
        check("# hello\n", "1: expected # TYPE");
        check("a{a=\"1\",b=\"2\",c=\"3\"} 1\n", "1: a sample has more than 2 labels");
        check("# TYPE a gauge\n# UNIT a seconds\n", "2: ");
        check("a 1 1", "1: ");
    }
}
