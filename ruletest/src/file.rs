//! The test file: YAML to tests, with the messages of Go's decoder.

use std::collections::BTreeMap;

use alert::parse_duration;
use yaml::{Decoder, MergeError, Mistakes, Node, YamlError};

/// The default of `evaluation_interval`.
const EVALUATION_INTERVAL_MS: i64 = 60_000;

/// A file of tests.
#[derive(Debug, Default)]
pub struct TestFile {
    /// Patterns of rule files, as they stand.
    pub rule_files: Vec<String>,
    pub(crate) evaluation_interval_ms: i64,
    pub(crate) group_eval_order: Vec<String>,
    pub(crate) fuzzy_compare: bool,
    pub(crate) tests: Vec<Test>,
}

/// One test: a world of its own.
#[derive(Debug, Default)]
pub(crate) struct Test {
    pub(crate) name: String,
    /// How far apart the values of its series are.
    pub(crate) interval_ms: i64,
    pub(crate) start_ms: i64,
    /// A series and its values, both as they stand.
    pub(crate) series: Vec<(String, String)>,
    pub(crate) alerts: Vec<AlertTest>,
    pub(crate) expressions: Vec<ExpressionTest>,
    pub(crate) external_labels: Texts,
    pub(crate) external_url: String,
}

pub(crate) type Texts = BTreeMap<String, String>;

/// Which alerts of a name fire at a time.
#[derive(Debug, Default)]
pub(crate) struct AlertTest {
    pub(crate) at_ms: i64,
    pub(crate) alertname: String,
    /// Labels and annotations.
    pub(crate) expected: Vec<(Texts, Texts)>,
}

/// What an expression gives at a time.
#[derive(Debug, Default)]
pub(crate) struct ExpressionTest {
    pub(crate) expr: String,
    pub(crate) at_ms: i64,
    pub(crate) expected: Vec<ExpectedSample>,
}

#[derive(Debug, Default)]
pub(crate) struct ExpectedSample {
    pub(crate) labels: String,
    pub(crate) value: f64,
    pub(crate) histogram: String,
}

/// Why a text is no test file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TestFileError {
    /// It is no YAML.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// Fields that do not exist, or are of another type.
    #[error(transparent)]
    Fields(#[from] Mistakes),
    /// A merge key without a mapping.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// A duration that is none.
    #[error(transparent)]
    Duration(#[from] alert::DurationError),
    /// An interval at which time would stand still.
    #[error("line {line}: an interval must be above 0")]
    Interval {
        /// Where.
        line: usize,
    },
    /// A start that is no time.
    #[error("line {line}: start_timestamp {text:?} is neither a number of seconds nor a time as in RFC 3339")]
    Start {
        /// Where.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// A group that is named twice.
    #[error("group name repeated in evaluation order: {0}")]
    Repeated(String),
}

impl TestFile {
    /// Reads a test file.
    ///
    /// # Errors
    /// If it is none; fields that it does not know are mistakes.
    pub fn parse(text: &str) -> Result<Self, TestFileError> {
        let mut file = Self { evaluation_interval_ms: EVALUATION_INTERVAL_MS, ..Self::default() };
        let Some(root) = yaml::parse(text)?.root else { return Ok(file) };
        let mut fields = Fields(Decoder::new(false));
        fields.file(&root, &mut file)?;
        fields.0.finish()?;
        for test in &mut file.tests {
            if test.interval_ms == 0 {
                test.interval_ms = file.evaluation_interval_ms;
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        if let Some(name) = file.group_eval_order.iter().find(|name| !seen.insert(*name)) {
            return Err(TestFileError::Repeated(name.clone()));
        }
        Ok(file)
    }
}

struct Fields(Decoder);

impl Fields {
    fn file(&mut self, node: &Node, file: &mut TestFile) -> Result<(), TestFileError> {
        for (key, value) in self.0.entries(node, "main.unitTestFile")? {
            match &*key.0 {
                "rule_files" => file.rule_files = self.0.strings(&value),
                "evaluation_interval" => {
                    if let Some(interval_ms) = self.interval(&value)? {
                        file.evaluation_interval_ms = interval_ms;
                    }
                }
                "group_eval_order" => file.group_eval_order = self.0.strings(&value),
                "fuzzy_compare" => file.fuzzy_compare = self.0.bool(&value),
                "tests" => {
                    for item in self.0.items(&value, "[]main.testGroup") {
                        let test = self.test(&item)?;
                        file.tests.push(test);
                    }
                }
                _ => self.0.unknown(&key, "main.unitTestFile"),
            }
        }
        Ok(())
    }

    fn test(&mut self, node: &Node) -> Result<Test, TestFileError> {
        let mut test = Test::default();
        for (key, value) in self.0.entries(node, "main.testGroup")? {
            match &*key.0 {
                "name" => test.name = self.0.string(&value),
                "interval" => test.interval_ms = self.interval(&value)?.unwrap_or(0),
                "start_timestamp" => test.start_ms = self.time(&value)?,
                "input_series" => {
                    for item in self.0.items(&value, "[]main.series") {
                        let series = self.series(&item)?;
                        test.series.push(series);
                    }
                }
                "alert_rule_test" => {
                    for item in self.0.items(&value, "[]main.alertTestCase") {
                        let alert = self.alert(&item)?;
                        test.alerts.push(alert);
                    }
                }
                "promql_expr_test" => {
                    for item in self.0.items(&value, "[]main.promqlTestCase") {
                        let expression = self.expression(&item)?;
                        test.expressions.push(expression);
                    }
                }
                "external_labels" => test.external_labels = self.0.string_map(&value)?,
                "external_url" => test.external_url = self.0.string(&value),
                _ => self.0.unknown(&key, "main.testGroup"),
            }
        }
        Ok(test)
    }

    fn series(&mut self, node: &Node) -> Result<(String, String), TestFileError> {
        let mut series = (String::new(), String::new());
        for (key, value) in self.0.entries(node, "main.series")? {
            match &*key.0 {
                "series" => series.0 = self.0.string(&value),
                "values" => series.1 = self.0.string(&value),
                _ => self.0.unknown(&key, "main.series"),
            }
        }
        Ok(series)
    }

    fn alert(&mut self, node: &Node) -> Result<AlertTest, TestFileError> {
        let mut test = AlertTest::default();
        for (key, value) in self.0.entries(node, "main.alertTestCase")? {
            match &*key.0 {
                "eval_time" => test.at_ms = self.duration(&value)?.unwrap_or(0),
                "alertname" => test.alertname = self.0.string(&value),
                "exp_alerts" => {
                    for item in self.0.items(&value, "[]main.alert") {
                        let expected = self.expected_alert(&item)?;
                        test.expected.push(expected);
                    }
                }
                _ => self.0.unknown(&key, "main.alertTestCase"),
            }
        }
        Ok(test)
    }

    fn expected_alert(&mut self, node: &Node) -> Result<(Texts, Texts), TestFileError> {
        let mut expected = (BTreeMap::new(), BTreeMap::new());
        for (key, value) in self.0.entries(node, "main.alert")? {
            match &*key.0 {
                "exp_labels" => expected.0 = self.0.string_map(&value)?,
                "exp_annotations" => expected.1 = self.0.string_map(&value)?,
                _ => self.0.unknown(&key, "main.alert"),
            }
        }
        Ok(expected)
    }

    fn expression(&mut self, node: &Node) -> Result<ExpressionTest, TestFileError> {
        let mut test = ExpressionTest::default();
        for (key, value) in self.0.entries(node, "main.promqlTestCase")? {
            match &*key.0 {
                "expr" => test.expr = self.0.string(&value),
                "eval_time" => test.at_ms = self.duration(&value)?.unwrap_or(0),
                "exp_samples" => {
                    for item in self.0.items(&value, "[]main.sample") {
                        let sample = self.sample(&item)?;
                        test.expected.push(sample);
                    }
                }
                _ => self.0.unknown(&key, "main.promqlTestCase"),
            }
        }
        Ok(test)
    }

    fn sample(&mut self, node: &Node) -> Result<ExpectedSample, TestFileError> {
        let mut sample = ExpectedSample::default();
        for (key, value) in self.0.entries(node, "main.sample")? {
            match &*key.0 {
                "labels" => sample.labels = self.0.string(&value),
                "value" => sample.value = self.0.float(&value),
                "histogram" => sample.histogram = self.0.string(&value),
                _ => self.0.unknown(&key, "main.sample"),
            }
        }
        Ok(sample)
    }

    fn duration(&mut self, node: &Node) -> Result<Option<i64>, TestFileError> {
        if node.is_null() {
            return Ok(None);
        }
        let before = self.0.mistakes();
        let text = self.0.string(node);
        Ok(if self.0.mistakes() > before { None } else { Some(parse_duration(&text)?) })
    }

    /// 0 stands for the default, as in promtool.
    fn interval(&mut self, node: &Node) -> Result<Option<i64>, TestFileError> {
        match self.duration(node)? {
            Some(ms) if ms < 0 => Err(TestFileError::Interval { line: node.position.line }),
            interval => Ok(interval.filter(|ms| *ms > 0)),
        }
    }

    /// Seconds since the Unix epoch, or a time as in RFC 3339.
    fn time(&mut self, node: &Node) -> Result<i64, TestFileError> {
        let text = self.0.string(node);
        if text.is_empty() {
            return Ok(0);
        }
        let seconds = text.parse::<f64>().ok().map(|seconds| seconds * 1_000.0);
        let seconds = seconds.filter(|ms| ms.is_finite() && ms.abs() < 9e15);
        #[expect(clippy::cast_possible_truncation, reason = "it is in range")]
        let from_seconds = seconds.map(|ms| ms.round() as i64);
        let from_text =
            || chrono::DateTime::parse_from_rfc3339(&text).ok().map(|time| time.timestamp_millis());
        from_seconds
            .or_else(from_text)
            .ok_or_else(|| TestFileError::Start { line: node.position.line, text: text.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        TestFile::parse(text).expect_err("no test file").to_string()
    }

    #[test]
    fn a_file_has_defaults() {
        let file = TestFile::parse("tests:\n- {}\n- interval: 5s\n  start_timestamp: 2026-01-02T03:04:05Z\n");
        let file = file.expect("reads");
        assert_eq!(file.tests.iter().map(|test| test.interval_ms).collect::<Vec<_>>(), [60_000, 5_000]);
        assert_eq!(file.tests[1].start_ms, 1_767_323_045_000);
        assert_eq!(TestFile::parse("").expect("reads").tests.len(), 0);
    }

    #[test]
    fn mistakes_are_told_in_the_words_of_promtool() {
        assert_eq!(
            error("tests:\n- nope: 1\nevaluation_interval: 1m\nalso: 2\n"),
            "yaml: unmarshal errors:\n  line 2: field nope not found in type main.testGroup\n  \
             line 4: field also not found in type main.unitTestFile"
        );
        assert_eq!(error("evaluation_interval: 5\n"), r#"not a valid duration string: "5""#);
        assert_eq!(error("group_eval_order: [a, b, a]\n"), "group name repeated in evaluation order: a");
        assert!(
            error("tests:\n- start_timestamp: soon\n")
                .contains("line 2: start_timestamp \"soon\" is neither")
        );
        assert!(error("tests: [").starts_with("yaml: line "));
    }
}
