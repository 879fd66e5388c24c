//! Templates in labels and annotations of rules, and in notifications: Go's `text/template` with the functions of
//! Prometheus, or of Alertmanager.
//!
//! The `gotmpl` crate parses and walks templates. What it does not do like Go is put right here, from the outside: the
//! parsed tree is checked for what Go refuses when it parses ([`check`]) and rewritten ([`rewrite`]) so that every
//! function call, field access and printed value goes through functions of ours, which know their place in the text.
//!
//! Expansion is pure. A template that asks `query` for something unknown ends with [`Expansion::Needs`]; the caller
//! gets the answer and expands anew.

mod check;
mod dialect;
mod engine;
mod expand;
mod fields;
mod functions;
mod notification;
mod rewrite;
mod site;
mod value;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use dialect::Dialect;
use expand::{Compiled, Library};
pub(crate) use expand::{Environment, Expansion};
use model::{Labels, Value};
pub use notification::{
    ExpansionError, Notification, NotificationError, NotificationTemplate, NotificationTemplates,
    NotifiedAlert,
};

/// What a text becomes part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Anything: values stand in it as they are.
    Plain,
    /// HTML: values are escaped by where they stand.
    Html,
}

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
    body: Body,
}

#[derive(Debug)]
enum Body {
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
        match template.body {
            Body::Broken(error) => Err(error),
            _ => Ok(template),
        }
    }

    /// Like [`RuleTemplate::parse`], but a mistake shows only when the template is expanded.
    pub(crate) fn parse_late(alert: &str, text: &str) -> Self {
        let name = format!("__alert_{alert}");
        if !text.contains("{{") {
            return Self { name, text: Arc::from(text), body: Body::Plain };
        }
        let library = Library::empty(Dialect::Rules, Form::Plain);
        let body = match library.parse(&name, &format!("{DEFINITIONS}{text}")) {
            Ok(compiled) => Body::Compiled(Box::new(compiled)),
            Err(error) => Body::Broken(error),
        };
        Self { name, text: Arc::from(text), body }
    }

    /// As it stands in the rule file.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Expands the template for one element of the answer to the rule's query.
    pub(crate) fn expand(&self, labels: &Labels, value: &Value, environment: &Arc<Environment>) -> Expansion {
        match &self.body {
            Body::Plain => Expansion::Text(self.text.to_string()),
            Body::Broken(error) => {
                Expansion::Failed(format!("error parsing template {}: {error}", self.name))
            }
            Body::Compiled(compiled) => {
                match compiled.expand(&value::alert_data(labels, value, environment), environment) {
                    Expansion::Failed(reason) => {
                        Expansion::Failed(format!("error executing template {}: {reason}", self.name))
                    }
                    expanded => expanded,
                }
            }
        }
    }
}
