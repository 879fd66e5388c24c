//! The engine that walks trees, for plain texts and for HTML.

use std::fmt;

use gotmpl::parse::ListNode;
use gotmpl::{TemplateError, Value, html};

use super::Form;

/// How often loops may run in one expansion.
const ITERATIONS_MAX: u64 = 100_000;

/// The name of the tree of a text itself, which no definition can have.
pub(super) const TEXT: &str = "\u{1}text";

/// Calls it: escaping begins at what was parsed.
const CALL_OF_TEXT: &str = "{{template \"\u{1}text\" .}}";

/// What a function of a template is.
pub(super) type Bound = Box<dyn Fn(&[Value]) -> gotmpl::Result<Value> + Send + Sync>;

#[derive(Clone)]
pub(super) enum Engine {
    Plain(gotmpl::Template),
    Html(html::Template),
    /// The engine has refused a tree.
    Broken(String),
}

impl Engine {
    pub(super) fn new(form: Form) -> Self {
        match form {
            Form::Plain => Self::Plain(gotmpl::Template::new(TEXT).max_range_iters(ITERATIONS_MAX)),
            Form::Html => {
                let engine = html::Template::new("").max_range_iters(ITERATIONS_MAX);
                engine.parse(CALL_OF_TEXT).map_or_else(|error| Self::Broken(error.to_string()), Self::Html)
            }
        }
    }

    pub(super) fn with_function(self, name: &str, function: Bound) -> Self {
        match self {
            Self::Plain(engine) => Self::Plain(engine.func(name, function)),
            Self::Html(engine) => Self::Html(engine.func(name, function)),
            broken @ Self::Broken(_) => broken,
        }
    }

    pub(super) fn with_tree(self, name: &str, tree: ListNode) -> Self {
        match self {
            Self::Plain(engine) => Self::Plain(engine.add_parse_tree(name, tree)),
            Self::Html(engine) => engine
                .add_parse_tree(name, tree)
                .map_or_else(|error| Self::Broken(error.to_string()), Self::Html),
            broken @ Self::Broken(_) => broken,
        }
    }

    /// Runs the text.
    pub(super) fn execute(&self, out: &mut impl fmt::Write, data: &Value) -> gotmpl::Result<()> {
        match self {
            Self::Plain(engine) => engine.execute_template_fmt(out, TEXT, data),
            Self::Html(engine) => engine.execute_fmt(out, data),
            Self::Broken(reason) => Err(TemplateError::Exec(reason.clone())),
        }
    }
}
