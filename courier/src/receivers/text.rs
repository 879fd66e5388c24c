//! Texts of settings, which are templates, and how they are cut where a receiver takes no more.

use std::collections::BTreeMap;
use std::sync::Arc;

use alert::{Form, Notification, NotificationTemplate, NotificationTemplates};
use notify::{Object, Value};
use serde_json::Value as Json;

use super::{Letter, SendError, Unfit};

/// What stands where a text was cut.
const MARK: &str = "…";

/// How deep texts may stand in texts and still be looked at: whoever makes alerts writes them.
const TEXT_DEPTH_MAX: usize = 8;

/// Parses the texts of one receiver's settings.
#[derive(Clone, Copy)]
pub(super) struct Parser<'a> {
    pub(super) settings: &'a Object,
    pub(super) templates: &'a Arc<NotificationTemplates>,
}

/// A text of the settings.
pub(super) struct Text {
    field: &'static str,
    template: NotificationTemplate,
}

/// What texts are expanded for.
pub(super) struct Told {
    pub(super) notification: Notification,
    now_ms: i64,
}

impl Parser<'_> {
    /// The text of a field; empty if the file says nothing.
    pub(super) fn text(&self, field: &'static str) -> Result<Text, Unfit> {
        self.of(field, self.settings.text(field), Form::Plain)
    }

    /// The text of a field as HTML.
    pub(super) fn html(&self, field: &'static str) -> Result<Text, Unfit> {
        self.of(field, self.settings.text(field), Form::Html)
    }

    /// A text that stands in a field.
    pub(super) fn of(&self, field: &'static str, text: &str, form: Form) -> Result<Text, Unfit> {
        let template = self.templates.parse(text, form);
        let template = template.map_err(|error| Unfit::Template(format!("{field}: {error}")))?;
        Ok(Text { field, template })
    }

    /// The texts of a field that is a mapping.
    pub(super) fn map(&self, field: &'static str) -> Result<BTreeMap<String, Text>, Unfit> {
        let Some(Value::TextMap(map)) = self.settings.get(field) else { return Ok(BTreeMap::new()) };
        map.iter().map(|(name, text)| Ok((name.clone(), self.of(field, text, Form::Plain)?))).collect()
    }

    /// The texts of fields of objects, in the order of `names`.
    pub(super) fn list<const N: usize>(
        &self,
        field: &'static str,
        names: [&str; N],
    ) -> Result<Vec<[Text; N]>, Unfit> {
        let one = |object: &Object| {
            let texts: Result<Vec<Text>, Unfit> =
                names.iter().map(|name| self.of(field, object.text(name), Form::Plain)).collect();
            texts?.try_into().map_err(|_| Unfit::Unsupported(format!("with {field}")))
        };
        self.settings.list(field).iter().map(one).collect()
    }

    /// What stands in a field to any depth.
    pub(super) fn tree(&self, field: &'static str) -> Result<Option<Tree>, Unfit> {
        match self.settings.get(field) {
            Some(Value::Tree(tree)) => self.branch(field, tree).map(Some),
            _ => Ok(None),
        }
    }

    fn branch(&self, field: &'static str, tree: &Json) -> Result<Tree, Unfit> {
        let text = |text: &str| self.of(field, text, Form::Plain);
        Ok(match tree {
            Json::String(given) => Tree::Text(Box::new(text(given)?)),
            Json::Array(items) => {
                Tree::List(items.iter().map(|item| self.branch(field, item)).collect::<Result<_, _>>()?)
            }
            Json::Object(map) => {
                let entry = |(key, value): (&String, &Json)| Ok((text(key)?, self.branch(field, value)?));
                Tree::Map(map.iter().map(entry).collect::<Result<_, Unfit>>()?)
            }
            other => Tree::Value(other.clone()),
        })
    }
}

impl Text {
    pub(super) fn expand(&self, told: &Told) -> Result<String, SendError> {
        let expanded = self.template.expand(&told.notification, told.now_ms);
        expanded.map_err(|source| SendError::Template { field: self.field, source })
    }

    /// At most so many characters.
    pub(super) fn expand_to(&self, told: &Told, chars_max: usize) -> Result<String, SendError> {
        Ok(cut_chars(self.expand(told)?, chars_max).0)
    }
}

impl Told {
    pub(super) fn of(letter: &Letter<'_>) -> Self {
        Self::some(letter, usize::MAX)
    }

    /// The first `alerts_max` alerts.
    pub(super) fn some(letter: &Letter<'_>, alerts_max: usize) -> Self {
        let notification = crate::content::notification(letter.intent, alerts_max, letter.external_url);
        Self { notification, now_ms: letter.now_ms }
    }

    pub(super) fn is_resolved(&self) -> bool {
        self.notification.status == "resolved"
    }
}

/// A tree of a field's, with a template in each text.
pub(super) enum Tree {
    Text(Box<Text>),
    List(Vec<Tree>),
    Map(Vec<(Text, Tree)>),
    Value(Json),
}

impl Tree {
    /// The tree with its texts expanded. As in Alertmanager, a text that comes out as YAML other than a text stands for what it
    /// means: a number, nothing, or a whole tree, in which texts are looked at in the same way.
    pub(super) fn expand(&self, told: &Told) -> Result<Json, SendError> {
        Ok(match self {
            Self::Text(text) => meant(text.expand(told)?, 0),
            Self::List(items) => {
                Json::Array(items.iter().map(|item| item.expand(told)).collect::<Result<_, _>>()?)
            }
            Self::Map(entries) => {
                let entry = |(key, value): &(Text, Self)| Ok((key.expand(told)?, value.expand(told)?));
                Json::Object(entries.iter().map(entry).collect::<Result<_, SendError>>()?)
            }
            Self::Value(value) => value.clone(),
        })
    }
}

/// What a text means that stands in so many other texts.
fn meant(text: String, depth: usize) -> Json {
    if depth > TEXT_DEPTH_MAX {
        return Json::String(text);
    }
    match notify::yaml_value(&text) {
        None | Some(Json::String(_)) => Json::String(text),
        Some(tree) => meant_within(tree, depth),
    }
}

fn meant_within(tree: Json, depth: usize) -> Json {
    let within = |tree| meant_within(tree, depth);
    match tree {
        Json::String(text) => meant(text, depth + 1),
        Json::Array(items) => Json::Array(items.into_iter().map(within).collect()),
        Json::Object(map) => Json::Object(map.into_iter().map(|(key, value)| (key, within(value))).collect()),
        other => other,
    }
}

/// The first `max` characters, the last of which is a mark if there were more; and whether there were.
pub(super) fn cut_chars(text: String, max: usize) -> (String, bool) {
    if text.chars().nth(max).is_none() {
        return (text, false);
    }
    (text.chars().take(max - 1).chain(MARK.chars()).collect(), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_as_alertmanager_does() {
        assert_eq!(cut_chars("äöü".to_owned(), 3), ("äöü".to_owned(), false));
        assert_eq!(cut_chars("äöüß".to_owned(), 3), ("äö…".to_owned(), true));
    }

    #[test]
    fn a_text_that_is_yaml_means_what_it_says() {
        let check =
            |text: &str, expect: &str| assert_eq!(meant(text.to_owned(), 0).to_string(), expect, "{text}");
        check("firing", r#""firing""#);
        check("1", "1");
        check("", "null");
        check("~", "null");
        check("yes", "true");
        check("a: b", r#"{"a":"b"}"#);
        check(r#"[{"i":"2","s":"t"}]"#, r#"[{"i":2,"s":"t"}]"#);
        check("a: b: c", r#""a: b: c""#);
        check("[1", r#""[1""#);
        check("2 * 3 > *x", r#""2 * 3 > *x""#);
    }

    #[test]
    fn a_text_does_not_grow_by_aliases() {
        let text = format!("- &a {}{}", "x".repeat(1_000), "\n- *a".repeat(1_000));
        assert_eq!(meant(text.clone(), 0), Json::String(text));
        // without aliases an anchor is none the worse
        assert_eq!(meant("- &a 1".to_owned(), 0).to_string(), "[1]");
    }

    #[test]
    fn texts_in_texts_are_looked_at_to_a_depth() {
        let nested = |depth: usize| {
            let mut text = String::from("1");
            for _ in 0..depth {
                text = format!("- |-\n  {}", text.replace('\n', "\n  "));
            }
            let mut meant = &meant(text, 0);
            let mut levels = 0;
            while let Json::Array(items) = meant {
                (meant, levels) = (&items[0], levels + 1);
            }
            (levels, meant.is_number())
        };
        assert_eq!(nested(TEXT_DEPTH_MAX), (TEXT_DEPTH_MAX, true));
        assert_eq!(nested(TEXT_DEPTH_MAX + 3), (TEXT_DEPTH_MAX + 1, false));
    }
}
