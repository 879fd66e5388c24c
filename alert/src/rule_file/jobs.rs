//! Files that say which jobs push how often: each job to a group of rules that fire when it does not.

use std::collections::BTreeMap;

use model::quote::quoted;
use model::{Labels, MatchOp, Matcher};
use yaml::{Content, Key, Node, PlacedMistake, Position, Reader};

use super::decode::{Field, RawFile};
use super::expectation::Expectation;
use super::{NameScheme, job_rules};
use crate::ports::InstantQuery;
use crate::template::RuleTemplate;

/// How many jobs one file may have.
pub const JOBS_MAX: usize = 1_000;

/// The label by which alerts of one job are known.
pub(super) const EXPECTED: &str = "expected";

const FIELDS: [&str; 7] = ["job", "matchers", "name", "expect", "failed_if", "labels", "annotations"];

/// A job that pushes.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) name: String,
    /// Which groups of pushes are its.
    pub(super) matchers: Vec<Matcher>,
    pub(super) expect: Expectation,
    /// An expression that gives something when the job says itself that it failed; or nothing.
    pub(super) failed_if: Field,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
}

/// Whether a file says what jobs are expected, and not what rules there are.
pub(super) fn is_job_file(root: &Node) -> bool {
    let Content::Mapping(pairs) = &root.content else { return false };
    pairs.iter().any(|(key, _)| key.text().is_some_and(|key| &**key == "jobs"))
}

/// Reads the jobs of a file, and makes their groups of rules.
pub(super) fn read(
    root: &Node,
    check: &dyn InstantQuery,
    names: NameScheme,
) -> Result<RawFile, Vec<PlacedMistake>> {
    let mut jobs = Jobs { reader: Reader::new(), check, names };
    let mut file = RawFile::default();
    let mut seen: BTreeMap<String, Position> = BTreeMap::new();
    for (key, value) in jobs.reader.entries(root, "the file") {
        match &*key.0 {
            "jobs" => {
                let items = jobs.reader.items(&value, "jobs");
                if items.len() > JOBS_MAX {
                    let text = format!("the file has {} jobs; the limit is {JOBS_MAX}", items.len());
                    jobs.reader.complain(value.position, text);
                    break;
                }
                for item in &items {
                    let Some(job) = jobs.job(item) else { continue };
                    match seen.get(&job.name) {
                        Some(first) => jobs.reader.complain(
                            item.position,
                            format!(
                                "there is a job {} at {}:{} already; give one of them another name",
                                quoted(&job.name),
                                first.line,
                                first.column
                            ),
                        ),
                        None => _ = seen.insert(job.name.clone(), item.position),
                    }
                    file.groups.push(job_rules::group(&job, item.position));
                }
            }
            "groups" => jobs.reader.complain(key.1, "a file has either jobs or groups of rules"),
            _ => jobs.reader.unknown(&key, "the file", &["jobs"]),
        }
    }
    jobs.reader.finish().map(|()| file)
}

struct Jobs<'a> {
    reader: Reader,
    check: &'a dyn InstantQuery,
    names: NameScheme,
}

impl Jobs<'_> {
    /// One job; `None` if it lacks something, which is told.
    fn job(&mut self, node: &Node) -> Option<Job> {
        let (mut job_name, mut name, mut expect) = (None, None, None);
        let mut matchers = Vec::new();
        let mut failed_if = Field::default();
        let (mut labels, mut annotations) = (BTreeMap::new(), BTreeMap::new());
        let mistakes = self.reader.mistakes();
        let mut has_expect = false;
        for (key, value) in self.reader.entries(node, "a job") {
            match &*key.0 {
                "job" => job_name = self.name(&value),
                "name" => name = self.name(&value),
                "matchers" => {
                    for item in self.reader.items(&value, "matchers") {
                        let names = self.names;
                        matchers.extend(self.reader.parsed(&item, |text| matcher(text, names)));
                    }
                }
                "expect" => {
                    has_expect = !value.is_null();
                    expect = self.reader.parsed(&value, Expectation::parse);
                }
                "failed_if" => failed_if = self.expression(&value),
                "labels" => labels = self.templates(&value, "a label"),
                "annotations" => annotations = self.templates(&value, "an annotation"),
                _ => self.unknown(&key),
            }
        }
        if !has_expect {
            self.reader.complain(node.position, "a job needs expect, like \"every 24h, grace 1h\"");
        }
        if job_name.is_none() && matchers.is_empty() && self.reader.mistakes() == mistakes {
            let text = "a job needs job or matchers, which say what pushes are its";
            self.reader.complain(node.position, text);
        }
        if let Some(job) = &job_name {
            matchers.insert(0, Matcher::equal("job", job.as_str()));
        }
        let Some(name) = name.or(job_name) else {
            if self.reader.mistakes() == mistakes {
                self.reader.complain(node.position, "a job without job needs a name");
            }
            return None;
        };
        Some(Job { name, matchers, expect: expect?, failed_if, labels, annotations })
    }

    fn unknown(&mut self, key: &Key) {
        if key.0.starts_with("grace ") || key.0.starts_with("every ") {
            let text =
                "within braces an expectation with a comma needs quotes, like expect: 'every 24h, grace 1h'";
            self.reader.complain(key.1, text);
        } else {
            self.reader.unknown(key, "a job", &FIELDS);
        }
    }

    /// A text that is not empty and no template, since it becomes a label.
    fn name(&mut self, node: &Node) -> Option<String> {
        let name = self.reader.string(node);
        let wrong = match name.as_str() {
            "" => "this must be a text that is not empty",
            name if name.contains("{{") => "this becomes a label, and cannot hold {{",
            _ => return Some(name),
        };
        self.reader.complain(node.position, wrong);
        None
    }

    fn expression(&mut self, node: &Node) -> Field {
        let text = self.reader.string(node);
        if let Some(Err(reason)) = (!text.is_empty()).then(|| self.check.check(&text)) {
            self.reader.complain(node.position, format!("could not parse expression: {reason}"));
        }
        Field { text, position: node.position }
    }

    /// Names and templates.
    fn templates(&mut self, node: &Node, what: &str) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for (key, value) in self.reader.entries(node, what) {
            let text = self.reader.string(&value);
            if !self.names.allows(&key.0) || matches!(&*key.0, Labels::NAME | EXPECTED) {
                let name = quoted(&key.0);
                self.reader.complain(key.1, format!("{name} cannot be the name of {what} here"));
            }
            if let Err(error) = RuleTemplate::parse("expected", &text) {
                self.reader.complain(value.position, error.to_string());
            }
            all.insert(key.0.to_string(), text);
        }
        all
    }
}

/// `name="value"`, with `=`, `!=`, `=~` or `!~`; the quotes may be left out.
fn matcher(text: &str, names: NameScheme) -> Result<Matcher, String> {
    let wrong = |reason: &str| {
        format!("{}: {reason}; expected a matcher like team=\"storage\" or host=~\"db.*\"", quoted(text))
    };
    let at = text.find(['=', '!']).ok_or_else(|| wrong("there is no =, !=, =~ or !~"))?;
    let (name, rest) = (text[..at].trim(), &text[at..]);
    let operators =
        [("=~", MatchOp::Regex), ("!~", MatchOp::NotRegex), ("!=", MatchOp::NotEqual), ("=", MatchOp::Equal)];
    let (operator, value) = operators
        .iter()
        .find_map(|(sign, operator)| Some((*operator, rest.strip_prefix(sign)?.trim())))
        .ok_or_else(|| wrong("there is no =, !=, =~ or !~"))?;
    if !names.allows(name) || name == Labels::NAME {
        return Err(wrong("this is not the name of a label of pushes"));
    }
    let value = match value.starts_with('"') {
        true => serde_json::from_str(value).map_err(|_| wrong("the value does not end with its quote"))?,
        false => value.to_owned(),
    };
    Matcher::new(name, operator, value).map_err(|error| wrong(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rules;
    use crate::testing::FakeQuery;

    fn errors(text: &str) -> Vec<String> {
        match Rules::load(&[("jobs.yml", text)], &FakeQuery::default()) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.iter().map(ToString::to_string).collect(),
        }
    }

    /// One job, given as the fields of a flow mapping; what is wrong with it.
    fn check(job: &str, expected: &[&str]) {
        assert_eq!(errors(&format!("jobs:\n- {{{job}}}\n")), expected, "{job}");
    }

    #[test]
    fn jobs_that_are_well() {
        check("job: backup, expect: 'every 24h, grace 1h'", &[]);
        check("job: a, expect: every 1h, labels: {severity: page}, failed_if: code > 0", &[]);
        check(
            "name: n, matchers: [team=storage, 'host=~\"db.*\"', host!~x, job!=\"a\"], expect: every 1h",
            &[],
        );
        assert_eq!(errors("jobs:\n"), [""; 0]);
        assert_eq!(errors("jobs: []\n"), [""; 0]);
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        check("job: a", &[r#"jobs.yml: 2:3: a job needs expect, like "every 24h, grace 1h""#]);
        check(
            "expect: every 1h",
            &["jobs.yml: 2:3: a job needs job or matchers, which say what pushes are its"],
        );
        check("matchers: [a=b], expect: every 1h", &["jobs.yml: 2:3: a job without job needs a name"]);
        check("job: '', expect: every 1h", &["jobs.yml: 2:9: this must be a text that is not empty"]);
        check("job: '{{x}}', expect: every 1h", &["jobs.yml: 2:9: this becomes a label, and cannot hold {{"]);
        check(
            "job: a, expect: every 24h, grace 1h",
            &[
                "jobs.yml: 2:31: within braces an expectation with a comma needs quotes, like expect: 'every 24h, grace 1h'",
            ],
        );
        check(
            "job: a, expect: each 1h",
            &[
                r#"jobs.yml: 2:20: "each 1h": there are every and grace; expected "every DURATION" or "every DURATION, grace DURATION""#,
            ],
        );
        check(
            "job: a, expect: every 1h, failed_if: '!!'",
            &["jobs.yml: 2:41: could not parse expression: 1:1: parse error: unexpected character: '!'"],
        );
        check(
            "job: a, expect: every 1h, labels: {expected: x, __name__: y}",
            &[
                r#"jobs.yml: 2:39: "expected" cannot be the name of a label here"#,
                r#"jobs.yml: 2:52: "__name__" cannot be the name of a label here"#,
            ],
        );
        check(
            "job: a, expect: every 1h, annotations: {x: '{{ $nope }}'}",
            &["jobs.yml: 2:47: template: __alert_expected:1: undefined variable \"$nope\""],
        );
        check(
            "job: a, every: 1h, expect: every 1h",
            &[
                r#"jobs.yml: 2:12: unknown field "every" in a job; there are job, matchers, name, expect, failed_if, labels, annotations"#,
            ],
        );
        assert_eq!(
            errors("jobs: 5\ngroups: []\nx: 1\n"),
            [
                "jobs.yml: 1:7: jobs must be a list",
                "jobs.yml: 2:1: a file has either jobs or groups of rules",
                "jobs.yml: 3:1: unknown field \"x\" in the file; there are jobs",
            ]
        );
        let twice = "jobs:\n- {job: a, expect: every 1h}\n- {job: a, matchers: [x=y], expect: every 1h}\n";
        assert_eq!(
            errors(twice),
            [r#"jobs.yml: 3:3: there is a job "a" at 2:3 already; give one of them another name"#]
        );
    }

    #[test]
    fn matchers_that_are_none() {
        let check = |text: &str, expected: &str| {
            let error = matcher(text, NameScheme::Utf8).expect_err("refused");
            assert!(error.contains(expected) && error.ends_with(r#"host=~"db.*""#), "{error}");
        };
        check("team", "there is no =");
        check("team!storage", "there is no =");
        check("=x", "not the name");
        check("__name__=up", "not the name");
        check("a=\"x", "does not end");
        check("a=\"x\" or b", "does not end");
        check("a=~(", "missing closing )");
    }

    #[test]
    fn a_file_has_so_many_jobs() {
        let jobs = |count| {
            let line = |i| format!("- {{job: j{i}, expect: every 1h}}\n");
            format!("jobs:\n{}", (0..count).map(line).collect::<String>())
        };
        let rules = Rules::load(&[("jobs.yml", jobs(JOBS_MAX))], &FakeQuery::default()).expect("loads");
        assert_eq!(rules.group_count(), JOBS_MAX);
        let one_more = errors(&jobs(JOBS_MAX + 1));
        assert_eq!(one_more, ["jobs.yml: 2:3: the file has 1001 jobs; the limit is 1000"]);
    }
}
