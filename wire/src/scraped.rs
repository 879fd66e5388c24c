//! Pages that are scraped, line by line, as Prometheus reads them.
//!
//! Unlike a push, a page is not checked as a whole: each line with a sample is one, families may come again, and what is told of them
//! need not fit. Of a series that was there before nothing is read but its text ([`PageLine::series`]), by which its labels are
//! known; who does not know it asks for them. `le` and `quantile` have the form that Prometheus gives them.

use std::collections::HashMap;
use std::sync::Arc;

use model::float::bound;
use model::{Labels, Metadata, MetricType};

use crate::Exemplar;
use crate::openmetrics::{Fault, LineFault, LineReader, SampleRest};
use crate::text::cursor::{Cursor, is_blank};
use crate::text::line;
use crate::text::{self, Options, Quoted, number};

/// A page that is being read.
#[derive(Debug)]
pub struct PageReader<'a> {
    rest: &'a [u8],
    line: usize,
    options: Options,
    families: Families,
}

/// What was told of families, each format in its way.
#[derive(Debug)]
enum Families {
    Text { told: HashMap<Arc<str>, Metadata>, open: Option<(Arc<str>, MetricType)> },
    OpenMetrics(LineReader),
}

/// A line with a sample.
#[derive(Debug)]
pub struct PageLine<'a> {
    /// Name and labels, as they stand there.
    pub series: &'a [u8],
    /// Which label is a bound.
    pub bound: Bound,
    /// The value.
    pub value: f64,
    /// Its time, if it has one.
    pub timestamp_ms: Option<i64>,
    /// What came with it.
    pub exemplar: Option<Exemplar>,
    options: Options,
}

/// Which label of a series is a bound, whose numbers are written in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bound {
    /// None.
    None,
    /// `le`, of a bucket.
    Le,
    /// `quantile`, of a summary.
    Quantile,
}

/// What is wrong with a page.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct PageError {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub fault: LineFault,
}

impl<'a> PageReader<'a> {
    /// A page of the text format. Its last line has an end, see [`with_end`].
    pub fn text(body: &'a [u8], options: Options) -> Self {
        Self::new(body, options, Families::Text { told: HashMap::new(), open: None })
    }

    /// A page of OpenMetrics.
    pub fn openmetrics(body: &'a [u8], options: Options) -> Self {
        Self::new(body, options, Families::OpenMetrics(LineReader::new(options)))
    }

    fn new(body: &'a [u8], options: Options, families: Families) -> Self {
        Self { rest: body, line: 0, options, families }
    }

    /// The next sample; `None` at the end.
    ///
    /// # Errors
    /// At the first line that breaks the grammar.
    #[expect(clippy::should_implement_trait, reason = "it ends with an error, and an iterator would go on")]
    pub fn next(&mut self) -> Result<Option<PageLine<'a>>, PageError> {
        loop {
            let end = self.rest.iter().position(|byte| *byte == b'\n').map_or(self.rest.len(), |at| at + 1);
            let (text, rest) = self.rest.split_at(end);
            if text.is_empty() {
                let ended = match &self.families {
                    Families::Text { .. } => Ok(()),
                    Families::OpenMetrics(reader) => reader.finish(),
                };
                return ended
                    .map(|()| None)
                    .map_err(|fault| PageError { line: self.line, fault: fault.into() });
            }
            (self.rest, self.line) = (rest, self.line + 1);
            match self.families.read(text, &self.options) {
                Ok(Some(line)) => return Ok(Some(line)),
                Ok(None) => {}
                Err(fault) => return Err(PageError { line: self.line, fault }),
            }
        }
    }

    /// The number of the line that was read last.
    pub fn line(&self) -> usize {
        self.line
    }

    /// What the page told of families, under the names that Prometheus gives their series.
    pub fn into_families(self) -> Vec<(Arc<str>, Metadata)> {
        match self.families {
            Families::Text { told, .. } => told.into_iter().collect(),
            Families::OpenMetrics(mut reader) => reader.take_families(),
        }
    }
}

/// A page whose last line has an end.
pub fn with_end(mut body: Vec<u8>) -> Vec<u8> {
    if body.last().is_some_and(|last| *last != b'\n') {
        body.push(b'\n');
    }
    body
}

impl Families {
    /// Reads a line with its line feed.
    fn read<'a>(&mut self, text: &'a [u8], options: &Options) -> Result<Option<PageLine<'a>>, LineFault> {
        let (bound, is_openmetrics) = match self {
            Self::OpenMetrics(reader) => {
                if !reader.is_sample(text)? {
                    return Ok(None);
                }
                (Bound::of(reader.open_type()), true)
            }
            Self::Text { told, open } => {
                let blanks = text.iter().take_while(|byte| is_blank(**byte)).count();
                match text.get(blanks) {
                    None | Some(b'\n') => return Ok(None),
                    Some(b'#') => {
                        comment(&text[blanks + 1..], told, open)?;
                        return Ok(None);
                    }
                    Some(_) => {}
                }
                (Bound::of(open.as_ref().map(|(_, metric_type)| *metric_type)), false)
            }
        };
        let end = series_end(text);
        let (series, rest) = text.split_at(end);
        let mut cursor = Cursor::new(rest);
        let SampleRest { value, timestamp_ms, exemplar } = if is_openmetrics {
            SampleRest::read(&mut cursor, options)?
        } else {
            let of_text = |fault: text::Fault| LineFault::from(Fault::from(fault));
            let value = line::value(&mut cursor).map_err(of_text)?;
            let timestamp_ms = text_timestamp(&mut cursor).map_err(of_text)?;
            SampleRest { value, timestamp_ms, exemplar: None }
        };
        Ok(Some(PageLine { series, bound, value, timestamp_ms, exemplar, options: *options }))
    }
}

/// Where name and labels end. What is no series ends somewhere, and is told when its labels are read.
fn series_end(text: &[u8]) -> usize {
    let mut at = text.iter().take_while(|byte| is_blank(**byte)).count();
    let is_part = |byte: &u8| !is_blank(*byte) && !matches!(*byte, b'{' | b'\n');
    at += text[at..].iter().take_while(|byte| is_part(byte)).count();
    let name_end = at;
    at += text[at..].iter().take_while(|byte| is_blank(**byte)).count();
    if text.get(at) != Some(&b'{') {
        return name_end;
    }
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (index, byte) in text.iter().enumerate().skip(at) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b'}' if !is_quoted => return index + 1,
            _ => {}
        }
    }
    text.len()
}

/// A time in milliseconds, and nothing behind it.
fn text_timestamp(cursor: &mut Cursor<'_>) -> Result<Option<i64>, text::Fault> {
    cursor.skip_blanks();
    let word = cursor.word()?;
    let at = match word {
        b"" => None,
        word => Some(number::integer(word).ok_or_else(|| text::Fault::Timestamp(word.to_vec()))?),
    };
    cursor.skip_blanks();
    match cursor.line()? {
        b"" => Ok(at),
        more => Err(text::Fault::AfterTimestamp(more.to_vec())),
    }
}

/// A line that tells of a family, or says nothing that counts.
fn comment(
    text: &[u8],
    told: &mut HashMap<Arc<str>, Metadata>,
    open: &mut Option<(Arc<str>, MetricType)>,
) -> Result<(), LineFault> {
    let of_text = |fault: text::Fault| LineFault::from(Fault::from(fault));
    let mut cursor = Cursor::new(text);
    cursor.skip_blanks();
    let keyword = cursor.word().map_err(of_text)?;
    if !matches!(keyword, b"TYPE" | b"HELP") {
        return Ok(());
    }
    cursor.skip_blanks();
    let name = cursor.name(Quoted::MetricName).map_err(of_text)?;
    let Ok(name) = std::str::from_utf8(&name) else { return Ok(()) };
    if name.is_empty() {
        return Ok(());
    }
    let name: Arc<str> = name.into();
    cursor.skip_blanks();
    let metadata = told.entry(Arc::clone(&name)).or_default();
    if keyword == b"HELP" {
        metadata.help = String::from_utf8_lossy(&cursor.help().map_err(of_text)?).as_ref().into();
        return Ok(());
    }
    let word = cursor.line().map_err(of_text)?;
    metadata.r#type = match word.trim_ascii() {
        b"counter" => MetricType::Counter,
        b"gauge" => MetricType::Gauge,
        b"histogram" => MetricType::Histogram,
        b"summary" => MetricType::Summary,
        b"untyped" => MetricType::Untyped,
        other => return Err(Fault::UnknownType(other.to_vec()).into()),
    };
    *open = Some((name, metadata.r#type));
    Ok(())
}

impl Bound {
    fn of(metric_type: Option<MetricType>) -> Self {
        match metric_type {
            Some(MetricType::Histogram) => Self::Le,
            Some(MetricType::Summary) => Self::Quantile,
            _ => Self::None,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Le => "le",
            Self::Quantile => "quantile",
        }
    }
}

impl PageLine<'_> {
    /// All labels, the name among them.
    ///
    /// # Errors
    /// If its text is no series.
    pub fn labels(&self) -> Result<Labels, LineFault> {
        let text = [self.series, b"\n"].concat();
        let mut cursor = Cursor::new(&text);
        cursor.skip_blanks();
        let (name, labels) = line::series(&mut cursor, &self.options).map_err(LineFault::of_line)?;
        let more = cursor.line().map_err(|fault| LineFault::from(Fault::from(fault)))?;
        if !more.is_empty() {
            return Err(Fault::AfterSample(more.to_vec()).into());
        }
        let value_of = |name: &str, value: &str| -> Arc<str> {
            let number = if name == self.bound.label() { number::float(value.as_bytes()) } else { None };
            number.map_or_else(|| value.into(), |number| bound(number).into())
        };
        let own = labels.iter().map(|(name, value)| (Arc::from(&**name), value_of(name, value)));
        Ok(Labels::from_pairs(own.chain([(Arc::from(Labels::NAME), Arc::from(&*name))])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    fn read(page: PageReader<'_>) -> Result<(Vec<String>, Vec<String>), String> {
        let (mut page, mut lines) = (page, Vec::new());
        while let Some(line) = page.next().map_err(|error| error.to_string())? {
            let at = line.timestamp_ms.map(|ms| format!(" {ms}")).unwrap_or_default();
            let exemplar =
                line.exemplar.as_ref().map(|exemplar| format!(" # {}", exemplar.value)).unwrap_or_default();
            let labels = line.labels().map_err(|fault| format!("line {}: {fault}", page.line()))?;
            lines.push(format!("{labels} {}{at}{exemplar}", line.value));
        }
        let mut told: Vec<_> = page
            .into_families()
            .iter()
            .map(|(name, metadata)| format!("{name} {} {}", metadata.r#type.as_str(), metadata.help))
            .collect();
        told.sort();
        Ok((lines, told))
    }

    const OPTIONS: Options =
        Options { utf8_names: true, limits: Limits { bytes_max: 1 << 20, samples_max: 100, labels_max: 3 } };

    fn text(body: &str) -> Result<(Vec<String>, Vec<String>), String> {
        read(PageReader::text(&with_end(body.as_bytes().to_vec()), OPTIONS))
    }

    #[test]
    fn text_is_read_as_prometheus_reads_it() {
        let body = "# HELP a What\\n it is.\n# TYPE a counter\na 1\n\n   \n# a comment\n  a{x=\"}\\\"\",} 2 1500\n\
            # TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\na 4\n\
            # TYPE s summary\ns {quantile=\"0.50\"} NaN\n{\"x.y\", \"b.c\"=\"d\"} -Inf\nlast 7";
        let (lines, told) = text(body).unwrap();
        let expect = [
            r#"a 1"#,
            r#"a{x="}\""} 2 1500"#,
            r#"h_bucket{le="1.0"} 1"#,
            r#"h_bucket{le="+Inf"} 2"#,
            "h_sum 3",
            "a 4",
            r#"s{quantile="0.5"} NaN"#,
            r#"{__name__="x.y", "b.c"="d"} -inf"#,
            "last 7",
        ];
        assert_eq!(lines, expect);
        assert_eq!(told, ["a counter What\n it is.", "h histogram ", "s summary "]);
        assert_eq!(text("").unwrap().0, Vec::<String>::new());
    }

    #[test]
    fn openmetrics_has_an_end_and_exemplars() {
        let om = |body: &str| read(PageReader::openmetrics(&with_end(body.as_bytes().to_vec()), OPTIONS));
        let (lines, told) =
            om("# TYPE a counter\na_total{x=\"1\"} 1 1.5 # {t=\"}\"} 0.5\na_created{x=\"1\"} 5\n# EOF\n")
                .unwrap();
        assert_eq!(lines, [r#"a_total{x="1"} 1 1500 # 0.5"#, r#"a_created{x="1"} 5"#]);
        assert_eq!(told, ["a_total counter "]);
        assert_eq!(om("a 1\n").unwrap_err(), "line 1: expected # EOF at the end");
        assert!(om("a 1\n\n# EOF").unwrap_err().starts_with("line 2: "));
        assert!(om("# EOF\na 1\n").unwrap_err().starts_with("line 2: "));
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        for wrong in [
            "a",
            "a x",
            "a 1 x",
            "a 1 1 1",
            "a{x=\"1\" 1",
            "a{x=1} 1",
            "{x=\"1\"} 1",
            "1a 1",
            "a{x=\"1\"}} 1",
            "a{b=\"\",c=\"\",d=\"\",e=\"\"} 1",
            "# TYPE a thing",
            "a\u{7f} 1",
        ] {
            let error = text(&format!("ok 1\n{wrong}\n")).expect_err(wrong);
            assert!(error.starts_with("line 2: "), "{wrong}: {error}");
        }
    }
}
