//! Runs a compiled template.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gotmpl::{TemplateError, Value};
use model::Labels;

use super::check::{self, Parsed};
use super::engine::{Bound, Engine, TEXT};
use super::functions::{self, Failure};
use super::rewrite::{Call, Rewriter};
use super::site::Source;
use super::{Dialect, Form, TemplateSyntaxError};

/// The longest text that a template may expand to.
pub(crate) const EXPANDED_BYTES_MAX: usize = 1 << 20;

/// What templates see besides the alert.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    pub(crate) external_labels: Labels,
    /// Without a slash at its end.
    pub(crate) external_url: String,
    /// The time of evaluation.
    pub(crate) now_ms: i64,
    /// What is known of the queries that templates ask.
    pub(crate) answers: Answers,
}

/// Answers to queries: the vector, or the error's text.
pub(crate) type Answers = BTreeMap<String, Result<Vec<(Labels, model::Value)>, String>>;

/// What becomes of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expansion {
    /// The text.
    Text(String),
    /// The error's text.
    Failed(String),
    /// A query whose answer must be in the environment.
    Needs(String),
}

/// Definitions, ready to be called by texts.
pub(super) struct Library {
    dialect: Dialect,
    engine: Engine,
    /// The names of all definitions.
    names: Vec<String>,
    /// How many functions the engine has been given.
    calls: usize,
    machine: Arc<Machine>,
}

/// A text that is ready to be expanded.
pub(super) struct Compiled {
    name: String,
    engine: Engine,
    machine: Arc<Machine>,
}

/// What the functions of templates share: one run at a time.
#[derive(Default)]
struct Machine {
    running: Mutex<()>,
    run: Mutex<Run>,
}

/// What the functions of a template need while it runs, and what went wrong in them.
#[derive(Default)]
struct Run {
    environment: Arc<Environment>,
    stopped: Option<Stop>,
}

enum Stop {
    Failed(String),
    Needs(String),
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library").field("names", &self.names).finish_non_exhaustive()
    }
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiled").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Library {
    /// No definitions.
    pub(super) fn empty(dialect: Dialect, form: Form) -> Self {
        let engine = Engine::new(form);
        Self { dialect, engine, names: Vec::new(), calls: 0, machine: Arc::default() }
    }

    /// The definitions of files, given as names and texts. Of two with one name the later one counts.
    pub(super) fn new(
        dialect: Dialect,
        form: Form,
        files: &[(&str, &str)],
    ) -> Result<Self, TemplateSyntaxError> {
        let mut library = Self::empty(dialect, form);
        let parsed: Result<Vec<_>, _> =
            files.iter().map(|(name, text)| check::parse(dialect, name, text)).collect();
        let parsed = parsed?;
        // they may call each other
        library.names.extend(parsed.iter().flat_map(names));
        for ((name, text), parsed) in files.iter().zip(&parsed) {
            let engine = std::mem::replace(&mut library.engine, Engine::new(form));
            (library.engine, library.calls) =
                library.defined(engine, library.calls, Source { name, text }, parsed);
        }
        Ok(library)
    }

    /// A text that may call the definitions, and has some of its own; `name` is what messages call it.
    pub(super) fn parse(&self, name: &str, text: &str) -> Result<Compiled, TemplateSyntaxError> {
        let parsed = check::parse(self.dialect, name, text)?;
        let (engine, _) = self.defined(self.engine.clone(), self.calls, Source { name, text }, &parsed);
        Ok(Compiled { name: name.to_owned(), engine, machine: Arc::clone(&self.machine) })
    }

    /// An engine that has a text and its definitions too, and how many functions it then has.
    fn defined(
        &self,
        mut engine: Engine,
        calls: usize,
        source: Source<'_>,
        parsed: &Parsed,
    ) -> (Engine, usize) {
        let mut rewriter = Rewriter {
            dialect: self.dialect,
            source,
            templates: self
                .names
                .iter()
                .cloned()
                .chain(names(parsed))
                .chain([source.name.to_owned()])
                .collect(),
            executing: source.name.to_owned(),
            first: calls,
            calls: Vec::new(),
        };
        let mut trees = vec![(TEXT.to_owned(), rewriter.list(&parsed.body))];
        for define in &parsed.defines {
            rewriter.executing = define.name.to_string();
            trees.push((define.name.to_string(), rewriter.list(&define.body)));
        }
        let calls = calls + rewriter.calls.len();
        for call in rewriter.calls {
            let (alias, function) = bind(self.dialect, call, Arc::clone(&self.machine));
            engine = engine.with_function(&alias, function);
        }
        for (name, tree) in trees {
            engine = engine.with_tree(&name, tree);
        }
        (engine, calls)
    }
}

fn names(parsed: &Parsed) -> impl Iterator<Item = String> {
    parsed.defines.iter().map(|define| define.name.to_string())
}

impl Compiled {
    pub(super) fn expand(&self, data: &Value, environment: &Arc<Environment>) -> Expansion {
        let _running = lock(&self.machine.running);
        *lock(&self.machine.run) = Run { environment: Arc::clone(environment), stopped: None };
        let mut out = Bounded(String::new());
        let result = self.engine.execute(&mut out, data);
        let stopped = std::mem::take(&mut *lock(&self.machine.run)).stopped;
        let failed = |reason: String| Expansion::Failed(format!("template: {}: {reason}", self.name));
        match (result, stopped) {
            (_, Some(Stop::Needs(query))) => Expansion::Needs(query),
            (_, Some(Stop::Failed(reason))) => Expansion::Failed(reason),
            (Ok(()), None) => Expansion::Text(out.0),
            (Err(TemplateError::Write), None) => {
                failed(format!("the text is longer than {EXPANDED_BYTES_MAX} bytes"))
            }
            // Go says no more of where it is
            (Err(TemplateError::Escape { description, .. }), None) => {
                Expansion::Failed(format!("html/template: {description}"))
            }
            (Err(error), None) => failed(error.to_string()),
        }
    }
}

/// The function of a call, which leaves word in the run when it fails: the engine's own errors know no place.
fn bind(dialect: Dialect, call: Call, machine: Arc<Machine>) -> (String, Bound) {
    let Call { alias, function, site } = call;
    let bound = move |args: &[Value]| {
        let environment = Arc::clone(&lock(&machine.run).environment);
        functions::call(dialect, &function, args, &environment).map_err(|failure| {
            let stop = match failure {
                Failure::Needs(query) => Stop::Needs(query),
                Failure::Misuse(reason) => Stop::Failed(site.failure(&reason)),
                Failure::Error(reason) => {
                    Stop::Failed(site.failure(&format!("error calling {function}: {reason}")))
                }
            };
            lock(&machine.run).stopped.get_or_insert(stop);
            TemplateError::Exec("stopped".to_owned())
        })
    };
    (alias, Box::new(bound))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A text that cannot grow without end.
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > EXPANDED_BYTES_MAX {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}
