//! Templates in labels and annotations: Go's `text/template` with the functions of Prometheus.
//!
//! The `gotmpl` crate parses and walks templates. What it does not do like Go is put right here, from the outside: the
//! parsed tree is checked for what Go refuses when it parses ([`check`]) and rewritten ([`rewrite`]) so that every
//! function call, field access and printed value goes through functions of ours, which know their place in the text.
//!
//! Expansion is pure. A template that asks `query` for something unknown ends with [`Expansion::Needs`]; the caller
//! gets the answer and expands anew.

mod check;
mod compare;
mod expand;
mod fields;
mod functions;
mod hosts;
mod humanize;
mod rewrite;
mod site;
mod value;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use expand::Compiled;
pub(crate) use expand::{Environment, Expansion};
use model::{Labels, Value};

/// What stands before every template, so that users can write `$labels`.
const DEFINITIONS: &str = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}";

/// A template that Go would not parse, in Go's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template: {name}:{line}: {reason}")]
pub struct TemplateSyntaxError {
    /// The name of the template: `__alert_` and the alert's name.
    pub name: String,
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

/// The template of one label or annotation of an alert.
#[derive(Debug)]
pub(crate) struct RuleTemplate {
    name: String,
    text: Arc<str>,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// Nothing to expand.
    Plain,
    Compiled(Box<Compiled>),
    /// Does not parse, and was not checked.
    Broken(TemplateSyntaxError),
}

impl RuleTemplate {
    /// Parses the template of an alert.
    pub(crate) fn parse(alert: &str, text: &str) -> Result<Self, TemplateSyntaxError> {
        let template = Self::parse_late(alert, text);
        match template.form {
            Form::Broken(error) => Err(error),
            _ => Ok(template),
        }
    }

    /// Like [`RuleTemplate::parse`], but a mistake shows only when the template is expanded.
    pub(crate) fn parse_late(alert: &str, text: &str) -> Self {
        let name = format!("__alert_{alert}");
        if !text.contains("{{") {
            return Self { name, text: Arc::from(text), form: Form::Plain };
        }
        let form = match Compiled::new(&name, &format!("{DEFINITIONS}{text}")) {
            Ok(compiled) => Form::Compiled(Box::new(compiled)),
            Err(error) => Form::Broken(error),
        };
        Self { name, text: Arc::from(text), form }
    }

    /// As it stands in the rule file.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Expands the template for one element of the answer to the rule's query.
    pub(crate) fn expand(&self, labels: &Labels, value: &Value, environment: &Arc<Environment>) -> Expansion {
        match &self.form {
            Form::Plain => Expansion::Text(self.text.to_string()),
            Form::Broken(error) => {
                Expansion::Failed(format!("error parsing template {}: {error}", self.name))
            }
            Form::Compiled(compiled) => {
                compiled.expand(&value::alert_data(labels, value, environment), environment)
            }
        }
    }
}
