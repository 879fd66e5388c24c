//! What both text formats have in common: how names, labels and samples are written.

use std::borrow::Cow;
use std::sync::Arc;

use model::float;
use model::name::{is_legacy_label_name, is_legacy_metric_name};

use crate::family::{Exemplar, Metric};
use crate::name_escaping::Escaping;

/// A label that the metric itself does not have: `le` or `quantile`, and its value as the format writes it.
pub(super) type Bound<'b> = Option<(&'static str, &'b str)>;

/// Writes the lines of one family.
pub(super) struct LineWriter<'a> {
    pub(super) text: &'a mut String,
    /// The family's name as it is shown.
    pub(super) name: &'a str,
    pub(super) escaping: Escaping,
}

impl LineWriter<'_> {
    /// `# HELP name rest`, and its like.
    pub(super) fn comment(&mut self, keyword: &str, rest: impl FnOnce(&mut String)) {
        self.text.push_str("# ");
        self.text.push_str(keyword);
        self.text.push(' ');
        if is_legacy_metric_name(self.name) {
            self.text.push_str(self.name);
        } else {
            quote(self.text, self.name, "");
        }
        self.text.push(' ');
        rest(self.text);
        self.text.push('\n');
    }

    /// One sample; `timestamp` as the format writes it. Only OpenMetrics has exemplars.
    pub(super) fn sample(
        &mut self,
        suffix: &str,
        metric: &Metric,
        bound: Bound<'_>,
        value: &str,
        timestamp: Option<String>,
        exemplar: Option<&Exemplar>,
    ) {
        let is_plain = is_legacy_metric_name(self.name);
        if is_plain {
            self.text.push_str(self.name);
            self.text.push_str(suffix);
        }
        if !is_plain || !metric.labels.is_empty() || bound.is_some() {
            self.text.push('{');
            if !is_plain {
                quote(self.text, self.name, suffix);
            }
            self.labels(&metric.labels, bound, is_plain);
            self.text.push('}');
        }
        self.text.push(' ');
        self.text.push_str(value);
        if let Some(timestamp) = timestamp {
            self.text.push(' ');
            self.text.push_str(&timestamp);
        }
        if let Some(Exemplar { labels, value, timestamp_ms }) = exemplar {
            self.text.push_str(" # {");
            self.labels(labels, None, true);
            self.text.push_str("} ");
            self.text.push_str(&float::bound(*value));
            if let Some(at_ms) = timestamp_ms {
                self.text.push_str(&format!(" {}", *at_ms as f64 / 1e3));
            }
        }
        self.text.push('\n');
    }

    fn labels(&mut self, labels: &[(Arc<str>, Arc<str>)], bound: Bound<'_>, mut is_first: bool) {
        let own = labels.iter().map(|(name, value)| (self.escaping.label_name(name), &**value));
        let bound = bound.map(|(name, value)| (Cow::Borrowed(name), value));
        for (name, value) in own.chain(bound) {
            if !std::mem::take(&mut is_first) {
                self.text.push(',');
            }
            if is_legacy_label_name(&name) {
                self.text.push_str(&name);
            } else {
                quote(self.text, &name, "");
            }
            self.text.push('=');
            quote(self.text, value, "");
        }
    }
}

/// In double quotes, with an end that needs no escaping.
pub(super) fn quote(text: &mut String, plain: &str, end: &str) {
    text.push('"');
    escape(text, plain, true);
    text.push_str(end);
    text.push('"');
}

/// Backslashes and line feeds are escaped; double quotes only inside of quotes.
pub(super) fn escape(text: &mut String, plain: &str, quoted: bool) {
    let mut rest = plain;
    while let Some(at) = rest.find(|char| matches!(char, '\\' | '\n') || (char == '"' && quoted)) {
        text.push_str(&rest[..at]);
        text.push_str(match rest.as_bytes()[at] {
            b'\n' => "\\n",
            b'"' => "\\\"",
            _ => "\\\\",
        });
        rest = &rest[at + 1..];
    }
    text.push_str(rest);
}
