//! Runs a compiled template.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gotmpl::{Template, TemplateError, Value};
use model::Labels;

use super::TemplateSyntaxError;
use super::check;
use super::functions::{self, Failure};
use super::rewrite::{Call, Rewriter};
use super::site::Source;

/// The longest text that a template may expand to.
pub(crate) const EXPANDED_BYTES_MAX: usize = 1 << 20;
/// How often loops may run in one expansion.
const ITERATIONS_MAX: u64 = 100_000;

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

/// A template that is ready to run.
pub(super) struct Compiled {
    name: String,
    template: Template,
    /// Shared with the functions of the template; one run at a time.
    run: Arc<Mutex<Run>>,
    running: Mutex<()>,
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

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiled").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Compiled {
    pub(super) fn new(name: &str, text: &str) -> Result<Self, TemplateSyntaxError> {
        let parsed = check::parse(name, text)?;
        let mut rewriter = Rewriter {
            source: Source { name, text },
            templates: parsed
                .defines
                .iter()
                .map(|define| define.name.to_string())
                .chain([name.to_owned()])
                .collect(),
            executing: name.to_owned(),
            calls: Vec::new(),
        };
        let mut trees = vec![(name.to_owned(), rewriter.list(&parsed.body))];
        for define in &parsed.defines {
            rewriter.executing = define.name.to_string();
            trees.push((define.name.to_string(), rewriter.list(&define.body)));
        }
        let run = Arc::new(Mutex::new(Run::default()));
        let mut template = Template::new(name).max_range_iters(ITERATIONS_MAX);
        for call in rewriter.calls {
            let (alias, function) = bind(call, Arc::clone(&run));
            template = template.func(&alias, function);
        }
        for (name, tree) in trees {
            template = template.add_parse_tree(&name, tree);
        }
        Ok(Self { name: name.to_owned(), template, run, running: Mutex::new(()) })
    }

    pub(super) fn expand(&self, data: &Value, environment: &Arc<Environment>) -> Expansion {
        let _running = lock(&self.running);
        *lock(&self.run) = Run { environment: Arc::clone(environment), stopped: None };
        let mut out = Bounded(String::new());
        let result = self.template.execute_template_fmt(&mut out, &self.name, data);
        let stopped = std::mem::take(&mut *lock(&self.run)).stopped;
        let failed =
            |reason: &str| Expansion::Failed(format!("error executing template {}: {reason}", self.name));
        match (result, stopped) {
            (_, Some(Stop::Needs(query))) => Expansion::Needs(query),
            (_, Some(Stop::Failed(reason))) => failed(&reason),
            (Ok(()), None) => Expansion::Text(out.0),
            (Err(TemplateError::Write), None) => failed(&format!(
                "template: {}: the text is longer than {EXPANDED_BYTES_MAX} bytes",
                self.name
            )),
            (Err(error), None) => failed(&format!("template: {}: {error}", self.name)),
        }
    }
}

type Bound = Box<dyn Fn(&[Value]) -> gotmpl::Result<Value> + Send + Sync>;

/// The function of a call, which leaves word in the run when it fails: the engine's own errors know no place.
fn bind(call: Call, run: Arc<Mutex<Run>>) -> (String, Bound) {
    let Call { alias, function, site } = call;
    let bound = move |args: &[Value]| {
        let environment = Arc::clone(&lock(&run).environment);
        functions::call(&function, args, &environment).map_err(|failure| {
            let stop = match failure {
                Failure::Needs(query) => Stop::Needs(query),
                Failure::Misuse(reason) => Stop::Failed(site.failure(&reason)),
                Failure::Error(reason) => {
                    Stop::Failed(site.failure(&format!("error calling {function}: {reason}")))
                }
            };
            lock(&run).stopped.get_or_insert(stop);
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
