//! The commands of a script.

use query::syntax::{ExprKind, Options, SeriesDescription, parse, parse_duration_ms, parse_series};

use crate::starts::{self, Starts};

/// Something in a script that is none of its language.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ScriptError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub text: String,
}

#[derive(Debug)]
pub(crate) enum Command {
    /// Forgets everything.
    Clear,
    Load(Load),
    Eval(Box<Eval>),
}

/// Series that are added to the storage.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) kind: LoadKind,
    /// The distance of two values.
    pub(crate) step_ms: i64,
    pub(crate) series: Vec<SeriesDescription>,
    pub(crate) starts: Vec<Starts>,
}

/// What becomes of the values of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoadKind {
    Samples,
    /// Samples, and native histograms made of the classic ones among them.
    CustomBuckets,
    /// Pushes: each value holds until the next; `stale` ends the series.
    Pushes,
    /// Pushes that add: each value grows the series by as much; `stale` ends it.
    Adds,
}

/// A query and what is expected of it.
#[derive(Debug, Default)]
pub(crate) struct Eval {
    /// The line on which it stands, counted from 1.
    pub(crate) line: usize,
    pub(crate) expr: String,
    pub(crate) times: Times,
    pub(crate) ordered: bool,
    pub(crate) fails: bool,
    /// The text of the error, if it matters.
    pub(crate) fail: Option<Text>,
    pub(crate) warnings: Expected,
    pub(crate) infos: Expected,
    /// `expect range vector`
    pub(crate) range_vector: Option<Times>,
    pub(crate) value: ExpectedValue,
}

/// The value that is expected.
#[derive(Debug)]
pub(crate) enum ExpectedValue {
    Scalar(f64),
    String(String),
    /// Series and their values; none if nothing is expected.
    Series(Vec<SeriesDescription>),
}

impl Default for ExpectedValue {
    fn default() -> Self {
        Self::Series(Vec::new())
    }
}

/// When a query is evaluated, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Times {
    At(i64),
    Range { start: i64, end: i64, step: i64 },
}

impl Default for Times {
    fn default() -> Self {
        Self::At(0)
    }
}

/// What is expected of annotations of one kind.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    pub(crate) any: bool,
    pub(crate) none: bool,
    pub(crate) texts: Vec<Text>,
}

/// A text that is compared.
#[derive(Debug)]
pub(crate) enum Text {
    Exact(String),
    Pattern(String),
}

impl Text {
    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(expected) => expected == text,
            Self::Pattern(pattern) => {
                let anywhere = format!(".*(?:{pattern}).*");
                model::Matcher::new("", model::MatchOp::Regex, anywhere)
                    .is_ok_and(|matcher| matcher.matches(text))
            }
        }
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(text) => write!(f, "{text:?}"),
            Self::Pattern(pattern) => write!(f, "a text like /{pattern}/"),
        }
    }
}

/// A line of a block and where it stands.
#[derive(Clone, Copy)]
struct Line<'t> {
    number: usize,
    text: &'t str,
}

impl Line<'_> {
    fn error(self, text: impl Into<String>) -> ScriptError {
        ScriptError { line: self.number, text: text.into() }
    }
}

type Result<T> = std::result::Result<T, ScriptError>;

/// Reads a script.
///
/// # Errors
/// All lines that are none of the language; the first of each block.
pub(crate) fn commands(text: &str) -> std::result::Result<Vec<Command>, Vec<ScriptError>> {
    let lines: Vec<Line<'_>> = text
        .lines()
        .enumerate()
        .map(|(index, text)| (index + 1, text.trim()))
        .map(|(number, text)| Line { number, text: if text.starts_with('#') { "" } else { text } })
        .collect();
    let (mut all, mut errors) = (Vec::new(), Vec::new());
    let mut rest = lines.as_slice();
    while let Some((head, after)) = rest.split_first() {
        rest = after;
        if head.text.is_empty() {
            continue;
        }
        let first = head.text.split_whitespace().next().unwrap_or("").to_lowercase();
        if first == "clear" {
            all.push(Command::Clear);
            continue;
        }
        let length = after.iter().position(|line| line.text.is_empty()).unwrap_or(after.len());
        let (body, behind) = after.split_at(length);
        rest = behind;
        let command = if first.starts_with("load") {
            load(*head, &first, body).map(Command::Load)
        } else if first.starts_with("eval") {
            eval(*head, &first, body).map(|eval| Command::Eval(Box::new(eval)))
        } else {
            Err(head.error(format!("unknown command {first:?}: expected clear, load or eval")))
        };
        match command {
            Ok(command) => all.push(command),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(all) } else { Err(errors) }
}

fn load(head: Line<'_>, command: &str, body: &[Line<'_>]) -> Result<Load> {
    let kind = match command {
        "load" => LoadKind::Samples,
        "load_with_nhcb" => LoadKind::CustomBuckets,
        "load_pushes" => LoadKind::Pushes,
        "load_adds" => LoadKind::Adds,
        other => return Err(head.error(format!("unknown command {other:?}"))),
    };
    let mut words = Words { line: head, rest: head.text };
    words.next();
    let step_ms = words.duration()?;
    words.end()?;
    let mut load = Load { kind, step_ms, series: Vec::new(), starts: Vec::new() };
    for line in body {
        match starts::parse(line.text) {
            Some(starts) => load.starts.push(starts.map_err(|error| line.error(error))?),
            None => load.series.push(series(*line)?),
        }
    }
    Ok(load)
}

fn series(line: Line<'_>) -> Result<SeriesDescription> {
    parse_series(line.text).map_err(|error| line.error(error.to_string()))
}

fn eval(head: Line<'_>, command: &str, body: &[Line<'_>]) -> Result<Eval> {
    let mut eval = Eval { line: head.number, ..Eval::default() };
    match command {
        "eval" => {}
        "eval_fail" => eval.fails = true,
        "eval_warn" => eval.warnings.any = true,
        "eval_info" => eval.infos.any = true,
        "eval_ordered" => eval.ordered = true,
        other => return Err(head.error(format!("unknown command {other:?}"))),
    }
    let mut words = Words { line: head, rest: head.text };
    words.next();
    let kind = words.next();
    eval.times = match (kind, words.times()?) {
        ("instant", times @ Times::At(_)) | ("range", times @ Times::Range { .. }) => times,
        _ => return Err(head.error("expected eval instant at T or eval range from T to T step D")),
    };
    words.rest.clone_into(&mut eval.expr);
    // a query that is none is a mistake of the script, also where an error is expected
    parse(&eval.expr, &Options::all()).map_err(|error| head.error(error.to_string()))?;
    let mut all = Vec::new();
    for line in body {
        if line.text == "expect" || line.text.starts_with("expect ") {
            expect(&mut eval, *line)?;
        } else if let Some(message) = line.text.strip_prefix("expected_fail_message ") {
            (eval.fails, eval.fail) = (true, Some(Text::Exact(message.trim().to_owned())));
        } else if let Some(pattern) = line.text.strip_prefix("expected_fail_regexp ") {
            (eval.fails, eval.fail) = (true, Some(Text::Pattern(pattern.trim().to_owned())));
        } else if let Some(value) = number(line.text) {
            if body.iter().filter(|line| !line.text.starts_with("expect")).count() > 1 {
                return Err(line.error("a number is the whole result, and not one of several"));
            }
            eval.value = ExpectedValue::Scalar(value);
        } else {
            all.push(series(*line)?);
        }
    }
    if !all.is_empty() {
        eval.value = ExpectedValue::Series(all);
    }
    let contradicts = |expected: &Expected| expected.none && expected.any;
    if contradicts(&eval.warnings) || contradicts(&eval.infos) {
        return Err(head.error("an annotation is expected and excluded at once"));
    }
    Ok(eval)
}

/// A line that is a number, with or without sign.
fn number(text: &str) -> Option<f64> {
    match parse(text, &Options::stable()).ok()?.kind {
        ExprKind::Number(number) => Some(number.value),
        _ => None,
    }
}

fn expect(eval: &mut Eval, line: Line<'_>) -> Result<()> {
    let mut words = Words { line, rest: line.text };
    words.next();
    match words.next() {
        "ordered" => {
            if matches!(eval.times, Times::Range { .. }) {
                return Err(line.error("a range query has no order but that of the labels"));
            }
            eval.ordered = true;
        }
        "fail" if eval.fails => return Err(line.error("an error is expected twice")),
        "fail" => {
            eval.fails = true;
            eval.fail = words.message()?;
        }
        "warn" => {
            eval.warnings.any = true;
            eval.warnings.texts.extend(words.message()?);
        }
        "info" => {
            eval.infos.any = true;
            eval.infos.texts.extend(words.message()?);
        }
        "no_warn" => eval.warnings.none = true,
        "no_info" => eval.infos.none = true,
        "string" => match parse(words.rest, &Options::stable()).map(|expr| expr.kind) {
            Ok(ExprKind::String(text)) => {
                eval.value = ExpectedValue::String(text);
                return Ok(());
            }
            _ => return Err(line.error(format!("expected a string in quotes, found {:?}", words.rest))),
        },
        "range" if words.next() == "vector" => eval.range_vector = Some(words.times()?),
        other => return Err(line.error(format!("unknown expectation {other:?}"))),
    }
    words.end()
}

/// The words of a line.
struct Words<'t> {
    line: Line<'t>,
    rest: &'t str,
}

impl<'t> Words<'t> {
    fn next(&mut self) -> &'t str {
        let text = self.rest.trim_start();
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        self.rest = text[end..].trim_start();
        &text[..end]
    }

    fn keyword(&mut self, expected: &str) -> Result<()> {
        match self.next() {
            found if found == expected => Ok(()),
            found => Err(self.line.error(format!("expected {expected}, found {found:?}"))),
        }
    }

    fn duration(&mut self) -> Result<i64> {
        let text = self.next();
        parse_duration_ms(text).map_err(|error| self.line.error(format!("{text:?}: {error}")))
    }

    fn times(&mut self) -> Result<Times> {
        match self.next() {
            "at" => Ok(Times::At(self.duration()?)),
            "from" => {
                let start = self.duration()?;
                self.keyword("to")?;
                let end = self.duration()?;
                self.keyword("step")?;
                let step = self.duration()?;
                if step <= 0 || end < start {
                    return Err(self.line.error("expected a step above 0 and an end not before the start"));
                }
                Ok(Times::Range { start, end, step })
            }
            other => Err(self.line.error(format!("expected at or from, found {other:?}"))),
        }
    }

    /// `msg: text` or `regex: pattern`, up to the end of the line.
    fn message(&mut self) -> Result<Option<Text>> {
        let rest = std::mem::take(&mut self.rest);
        if rest.is_empty() {
            Ok(None)
        } else if let Some(exact) = rest.strip_prefix("msg:") {
            Ok(Some(Text::Exact(exact.trim().to_owned())))
        } else if let Some(pattern) = rest.strip_prefix("regex:") {
            Ok(Some(Text::Pattern(pattern.trim().to_owned())))
        } else {
            Err(self.line.error(format!("expected msg: or regex:, found {rest:?}")))
        }
    }

    fn end(&self) -> Result<()> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.line.error(format!("unexpected {:?} at the end of the line", self.rest)))
        }
    }
}

#[cfg(test)]
#[path = "script/tests.rs"]
mod tests;
