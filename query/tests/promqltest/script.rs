//! The commands of a script.

use mayfly_query::syntax::parse_duration_ms;

/// A command and the line on which it stands.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) line: usize,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Clear,
    Load {
        step_ms: i64,
        /// Whether native histograms are to be made of classic ones.
        custom_buckets: bool,
        lines: Vec<String>,
    },
    Eval(Box<Eval>),
    /// Something that this runner does not understand.
    Broken(String),
}

/// A query and what is expected of it.
#[derive(Debug, Default)]
pub(crate) struct Eval {
    pub(crate) expr: String,
    pub(crate) times: Times,
    pub(crate) ordered: bool,
    pub(crate) fail: Option<Text>,
    pub(crate) fails: bool,
    pub(crate) warnings: Expected,
    pub(crate) infos: Expected,
    pub(crate) string: Option<String>,
    /// `expect range vector`
    pub(crate) range_vector: Option<Times>,
    /// Series and values, or a number.
    pub(crate) lines: Vec<String>,
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

/// Reads a script.
pub(crate) fn parse(text: &str) -> Vec<Command> {
    let lines: Vec<&str> =
        text.lines().map(|line| if line.trim_start().starts_with('#') { "" } else { line.trim() }).collect();
    let mut commands = Vec::new();
    let mut next = 0;
    while next < lines.len() {
        let head = lines[next];
        if head.is_empty() {
            next += 1;
            continue;
        }
        let line = next + 1;
        let first = head.split_whitespace().next().unwrap_or("").to_lowercase();
        let length = lines[next..].iter().position(|line| line.is_empty()).unwrap_or(lines.len() - next);
        let body = &lines[next + 1..next + length];
        let kind = if first == "clear" {
            next += 1;
            commands.push(Command { line, kind: Kind::Clear });
            continue;
        } else if first.starts_with("load") {
            load(head, body)
        } else if first.starts_with("eval") {
            eval(head, &first, body).map(|eval| Kind::Eval(Box::new(eval)))
        } else {
            Err(format!("unknown command {head:?}"))
        };
        next += length;
        commands.push(Command { line, kind: kind.unwrap_or_else(Kind::Broken) });
    }
    commands
}

fn duration(text: &str) -> Result<i64, String> {
    parse_duration_ms(text).map_err(|error| error.to_string())
}

fn load(head: &str, body: &[&str]) -> Result<Kind, String> {
    let mut words = head.split_whitespace();
    let custom_buckets = match words.next() {
        Some("load_with_nhcb") => true,
        Some("load") => false,
        other => return Err(format!("unknown command {other:?}")),
    };
    let step_ms = duration(words.next().ok_or("load lacks its step")?)?;
    Ok(Kind::Load { step_ms, custom_buckets, lines: body.iter().map(|line| (*line).to_owned()).collect() })
}

/// Takes a word off the front.
fn word<'t>(rest: &mut &'t str) -> &'t str {
    let text = rest.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    *rest = text[end..].trim_start();
    &text[..end]
}

fn times(rest: &mut &str) -> Result<Times, String> {
    match word(rest) {
        "from" => {
            let start = duration(word(rest))?;
            let to = word(rest);
            let end = duration(word(rest))?;
            let step_word = word(rest);
            let step = duration(word(rest))?;
            if (to, step_word) != ("to", "step") {
                return Err("expected from … to … step …".to_owned());
            }
            Ok(Times::Range { start, end, step })
        }
        "at" => Ok(Times::At(duration(word(rest))?)),
        other => Err(format!("expected a time, found {other:?}")),
    }
}

fn eval(head: &str, command: &str, body: &[&str]) -> Result<Eval, String> {
    let mut rest = head;
    word(&mut rest);
    let mut eval = Eval::default();
    match command {
        "eval" => {}
        "eval_fail" => eval.fails = true,
        "eval_warn" => eval.warnings.any = true,
        "eval_info" => eval.infos.any = true,
        "eval_ordered" => eval.ordered = true,
        other => return Err(format!("unknown command {other:?}")),
    }
    match word(&mut rest) {
        "instant" | "range" => eval.times = times(&mut rest)?,
        other => return Err(format!("expected instant or range, found {other:?}")),
    }
    rest.clone_into(&mut eval.expr);
    for line in body {
        if let Some(expectation) = line.strip_prefix("expect ") {
            expect(&mut eval, expectation.trim())?;
        } else if let Some(message) = line.strip_prefix("expected_fail_message ") {
            eval.fail = Some(Text::Exact(message.trim().to_owned()));
        } else if let Some(pattern) = line.strip_prefix("expected_fail_regexp ") {
            eval.fail = Some(Text::Pattern(pattern.trim().to_owned()));
        } else {
            eval.lines.push((*line).to_owned());
        }
    }
    Ok(eval)
}

fn expect(eval: &mut Eval, text: &str) -> Result<(), String> {
    let mut rest = text;
    let what = word(&mut rest);
    let message = || {
        if let Some(exact) = rest.strip_prefix("msg:") {
            Some(Text::Exact(exact.trim().to_owned()))
        } else {
            rest.strip_prefix("regex:").map(|pattern| Text::Pattern(pattern.trim().to_owned()))
        }
    };
    match what {
        "ordered" => eval.ordered = true,
        "fail" => {
            eval.fails = true;
            eval.fail = message();
        }
        "warn" => {
            eval.warnings.any = true;
            eval.warnings.texts.extend(message());
        }
        "info" => {
            eval.infos.any = true;
            eval.infos.texts.extend(message());
        }
        "no_warn" => eval.warnings.none = true,
        "no_info" => eval.infos.none = true,
        "string" => {
            let literal = mayfly_query::syntax::parse(rest, &mayfly_query::syntax::Options::stable());
            match literal.map(|expr| expr.kind) {
                Ok(mayfly_query::syntax::ExprKind::String(text)) => eval.string = Some(text),
                _ => return Err(format!("no string: {rest}")),
            }
        }
        "range" => {
            if word(&mut rest) != "vector" {
                return Err("expected range vector".to_owned());
            }
            eval.range_vector = Some(times(&mut rest)?);
        }
        other => return Err(format!("unknown expectation {other:?}")),
    }
    Ok(())
}
