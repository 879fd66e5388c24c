//! Fields of the configuration as tables, and how nodes become them.
//!
//! A receiver has up to thirty fields, nearly all of them texts. So each kind is a table of names and types, and what stands in
//! a file is an [`Object`] of it, with defaults where the file says nothing.

use std::collections::BTreeMap;
use std::fmt;

use yaml::{Content, Decoder, MergeError, Mistakes, Node};

use super::error::{ConfigMistake, refused};
use super::go;

/// What a field holds.
#[derive(Clone, Copy)]
pub(super) enum Type {
    Text,
    /// A text that is not shown.
    Secret,
    /// A text that is not shown, for which empty is not the same as absent.
    SecretIfAny,
    Bool,
    /// `true` or `false`, for which absent is something else.
    BoolIfAny,
    /// A whole number, of this type in Go.
    Int(&'static str),
    Float,
    /// A duration like `1h30m`, whose largest unit is the year.
    Duration,
    /// A duration as Go writes it, or nanoseconds.
    GoDuration,
    /// A duration as Go writes it.
    GoDurationText,
    Url,
    /// A URL that is not shown.
    SecretUrl,
    /// A URL, or a template of one; not shown.
    TemplateUrl,
    /// Any URL of a proxy.
    ProxyUrl,
    /// `HOST:PORT`
    HostPort,
    Texts,
    Secrets,
    TextMap,
    /// Anything, to any depth.
    Tree,
    /// A mapping of anything.
    TreeMap,
    /// A mapping of lists of secrets.
    SecretsMap,
    Object(&'static Schema),
    /// A mapping of names to objects; the type's own name in Go.
    Objects(&'static Schema, &'static str),
    /// Objects, or a text that stands for one with this single field.
    TextOr(&'static Schema, &'static str),
    /// A list of objects; the list's type in Go.
    List(&'static Schema, &'static str),
}

/// The fields of one kind of object.
pub(super) struct Schema {
    /// The type's name in Go, which stands in messages.
    pub(super) go_type: &'static str,
    pub(super) fields: &'static [(&'static str, Type)],
    pub(super) defaults: &'static [(&'static str, Preset)],
    /// What must hold between the fields of one object.
    pub(super) check: fn(&mut Object) -> Result<(), String>,
}

/// What a field holds if the file does not say.
#[derive(Clone, Copy)]
pub(super) enum Preset {
    Text(&'static str),
    Bool(bool),
    Ms(i64),
}

/// Nothing has to hold.
pub(super) fn unchecked(_: &mut Object) -> Result<(), String> {
    Ok(())
}

/// What stands in one object of the configuration: its fields by name, defaults included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object(BTreeMap<&'static str, Value>);

/// What a field holds.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// A text; a URL or an address is one too.
    Text(String),
    /// A text that is not shown.
    Secret(String),
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A duration, in milliseconds.
    DurationMs(i64),
    /// Texts.
    Texts(Vec<String>),
    /// Texts that are not shown.
    Secrets(Vec<String>),
    /// Texts by name.
    TextMap(BTreeMap<String, String>),
    /// Whatever stood there.
    Tree(serde_json::Value),
    /// An object.
    Object(Object),
    /// Objects by name.
    Objects(BTreeMap<String, Object>),
    /// A list of objects.
    List(Vec<Object>),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => text.fmt(f),
            Self::Secret(_) | Self::Secrets(_) => f.write_str("<secret>"),
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::DurationMs(ms) => f.write_str(&model::duration::format(*ms)),
            Self::Texts(texts) => texts.fmt(f),
            Self::TextMap(map) => map.fmt(f),
            Self::Tree(tree) => tree.fmt(f),
            Self::Object(object) => object.fmt(f),
            Self::Objects(objects) => objects.fmt(f),
            Self::List(objects) => objects.fmt(f),
        }
    }
}

impl Object {
    /// The text of a field, a secret one included; empty if there is none.
    pub fn text(&self, name: &str) -> &str {
        match self.0.get(name) {
            Some(Value::Text(text) | Value::Secret(text)) => text,
            _ => "",
        }
    }

    /// Whether a field is true.
    pub fn is_true(&self, name: &str) -> bool {
        self.bool(name).unwrap_or(false)
    }

    /// `true`, `false`, or neither.
    pub fn bool(&self, name: &str) -> Option<bool> {
        match self.0.get(name) {
            Some(Value::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    /// The number in a field; 0 if there is none.
    pub fn int(&self, name: &str) -> i64 {
        match self.0.get(name) {
            Some(Value::Int(value)) => *value,
            _ => 0,
        }
    }

    /// The duration in a field; 0 if there is none.
    pub fn duration_ms(&self, name: &str) -> i64 {
        match self.0.get(name) {
            Some(Value::DurationMs(ms)) => *ms,
            _ => 0,
        }
    }

    /// The object in a field.
    pub fn object(&self, name: &str) -> Option<&Object> {
        match self.0.get(name) {
            Some(Value::Object(object)) => Some(object),
            _ => None,
        }
    }

    /// The objects in a field.
    pub fn list(&self, name: &str) -> &[Object] {
        match self.0.get(name) {
            Some(Value::List(objects)) => objects,
            _ => &[],
        }
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// An object of which the file says nothing.
    pub(super) fn of_defaults(schema: &Schema) -> Self {
        let value = |preset: &Preset| match preset {
            Preset::Text(text) => Value::Text((*text).to_owned()),
            Preset::Bool(value) => Value::Bool(*value),
            Preset::Ms(ms) => Value::DurationMs(*ms),
        };
        Self(schema.defaults.iter().map(|(name, preset)| (*name, value(preset))).collect())
    }

    /// Whether the file, or a default, says anything of a field.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether a field holds a text that is not empty.
    pub(super) fn is_set(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }

    pub(super) fn fields_mut(&mut self) -> impl Iterator<Item = (&'static str, &mut Value)> {
        self.0.iter_mut().map(|(name, value)| (*name, value))
    }

    pub(super) fn set(&mut self, name: &'static str, value: Value) {
        self.0.insert(name, value);
    }

    /// Takes a field from another object unless this one has it, and it is no empty text.
    pub(super) fn inherit(&mut self, name: &'static str, from: &Object, from_name: &str) {
        let is_empty = match self.0.get(name) {
            None => true,
            Some(Value::Text(text) | Value::Secret(text)) => text.is_empty(),
            Some(_) => false,
        };
        if let Some(value) = from.get(from_name).filter(|_| is_empty) {
            self.0.insert(name, value.clone());
        }
    }
}

/// Reads nodes by their schemas. Mistakes of types are collected; anything else ends it.
pub(super) struct Fields {
    pub(super) yaml: Decoder,
}

/// Why reading ended.
#[derive(Debug)]
pub(super) struct Stop(pub(super) ConfigMistake);

impl From<MergeError> for Stop {
    fn from(error: MergeError) -> Self {
        Self(ConfigMistake::Merge(error))
    }
}

impl From<String> for Stop {
    fn from(text: String) -> Self {
        Self(ConfigMistake::Refused(text))
    }
}

impl Fields {
    pub(super) fn new() -> Self {
        Self { yaml: Decoder::version2() }
    }

    pub(super) fn finish(self) -> Result<(), Mistakes> {
        self.yaml.finish()
    }

    /// An object; `None` if some of its types are wrong, which is noted.
    pub(super) fn object(&mut self, node: &Node, schema: &'static Schema) -> Result<Option<Object>, Stop> {
        let before = self.yaml.mistakes();
        let mut object = Object::of_defaults(schema);
        for (key, value) in self.yaml.entries(node, schema.go_type)? {
            match schema.fields.iter().find(|(name, _)| **name == *key.0) {
                Some((name, kind)) => {
                    // Go leaves zero where null stands, not the default
                    object.0.remove(name);
                    if let Some(value) = self.value(&value, *kind)? {
                        object.set(name, value);
                    }
                }
                None => self.yaml.unknown(&key, schema.go_type),
            }
        }
        if self.yaml.mistakes() > before {
            return Ok(None);
        }
        (schema.check)(&mut object)?;
        Ok(Some(object))
    }

    /// The objects of a list, those that are null as `None`.
    pub(super) fn list(
        &mut self,
        node: &Node,
        schema: &'static Schema,
        go_list: &str,
    ) -> Result<Vec<Option<Object>>, Stop> {
        let mut objects = Vec::new();
        for item in self.yaml.items(node, go_list) {
            if item.is_null() {
                objects.push(None);
            } else if let Some(object) = self.object(&item, schema)? {
                objects.push(Some(object));
            }
        }
        Ok(objects)
    }

    fn value(&mut self, node: &Node, kind: Type) -> Result<Option<Value>, Stop> {
        if node.is_null() {
            return Ok(None);
        }
        let before = self.yaml.mistakes();
        let value = match kind {
            Type::Text => Value::Text(self.yaml.string(node)),
            Type::Secret | Type::SecretIfAny => Value::Secret(self.secret(node, "config.plain")),
            Type::Bool | Type::BoolIfAny => Value::Bool(self.yaml.bool(node)),
            Type::Int(go_type) => Value::Int(self.int(node, go_type)),
            Type::Float => Value::Float(self.yaml.float(node)),
            Type::Duration => Value::DurationMs(self.duration(node)?),
            Type::GoDuration => Value::DurationMs(self.go_duration(node)),
            Type::GoDurationText => {
                let text = self.text_of(node, "config.duration");
                if self.yaml.mistakes() > before {
                    return Ok(None);
                }
                Value::DurationMs(go::duration_ms(&text)?)
            }
            Type::Url | Type::SecretUrl | Type::TemplateUrl | Type::ProxyUrl => {
                return self.url(node, kind);
            }
            Type::HostPort => {
                let text = self.yaml.string(node);
                if self.yaml.mistakes() == before && !text.is_empty() {
                    go::check_host_port(&text)?;
                }
                Value::Text(text)
            }
            Type::Texts => Value::Texts(self.yaml.strings(node)),
            Type::Secrets => Value::Secrets(self.secrets(node)),
            Type::TextMap => Value::TextMap(self.yaml.string_map(node)?),
            Type::Tree => Value::Tree(self.tree(node)?),
            Type::TreeMap => {
                self.yaml.entries(node, "map[string]interface {}")?;
                Value::Tree(self.tree(node)?)
            }
            Type::SecretsMap => {
                let mut names = Vec::new();
                for ((name, _), value) in self.yaml.entries(node, "config.ProxyHeader")? {
                    self.secrets(&value);
                    names.push(name.to_string());
                }
                Value::Texts(names)
            }
            Type::Object(schema) => return Ok(self.object(node, schema)?.map(Value::Object)),
            Type::Objects(schema, go_type) => {
                let mut objects = BTreeMap::new();
                for ((name, _), value) in self.yaml.entries(node, go_type)? {
                    objects.insert(name.to_string(), self.object(&value, schema)?.unwrap_or_default());
                }
                Value::Objects(objects)
            }
            Type::TextOr(schema, field) => {
                if node.text().is_none() {
                    return Ok(self.object(node, schema)?.map(Value::Object));
                }
                let mut object = Object::default();
                object.set(field, Value::Text(self.yaml.string(node)));
                Value::Object(object)
            }
            Type::List(schema, go_type) => {
                Value::List(self.list(node, schema, go_type)?.into_iter().flatten().collect())
            }
        };
        Ok((self.yaml.mistakes() == before).then_some(value))
    }

    /// The text of a scalar, or a mistake that names another type than `string`.
    fn text_of(&mut self, node: &Node, go_type: &str) -> String {
        match node.text() {
            Some(text) => text.to_string(),
            None => {
                self.yaml.mismatch(node, go_type);
                String::new()
            }
        }
    }

    fn secret(&mut self, node: &Node, go_type: &str) -> String {
        if node.is_null() { String::new() } else { self.text_of(node, go_type) }
    }

    fn secrets(&mut self, node: &Node) -> Vec<String> {
        let items = self.yaml.items(node, "[]config.Secret");
        items.iter().map(|item| self.secret(item, "config.plain")).collect()
    }

    fn int(&mut self, node: &Node, go_type: &str) -> i64 {
        let text = node.text().filter(|_| matches!(node.tag(), "!!int" | "!!float"));
        let number = text.and_then(|text| {
            // as Go does it, what stands behind the point of a whole field is dropped
            yaml::whole_number(text)
                .or_else(|| text.replace('_', "").parse::<f64>().ok().map(|float| float as i64))
        });
        match number {
            Some(number) if number >= 0 || !go_type.starts_with('u') => number,
            _ => {
                self.yaml.mismatch(node, go_type);
                0
            }
        }
    }

    pub(super) fn duration(&mut self, node: &Node) -> Result<i64, Stop> {
        let before = self.yaml.mistakes();
        let text = self.yaml.string(node);
        if self.yaml.mistakes() > before {
            return Ok(0);
        }
        Ok(model::duration::parse(&text).map_err(|error| error.to_string())?)
    }

    fn go_duration(&mut self, node: &Node) -> i64 {
        let nanoseconds = || yaml::whole_number(node.text().filter(|_| node.tag() == "!!int")?);
        let ms = nanoseconds()
            .map(|ns| ns / 1_000_000)
            .or_else(|| node.text().and_then(|text| go::duration_ms(text).ok()));
        ms.unwrap_or_else(|| {
            self.yaml.mismatch(node, "time.Duration");
            0
        })
    }

    fn url(&mut self, node: &Node, kind: Type) -> Result<Option<Value>, Stop> {
        let before = self.yaml.mistakes();
        let text = match kind {
            Type::TemplateUrl => self.secret(node, "common.plain"),
            _ => self.yaml.string(node),
        };
        if self.yaml.mistakes() > before {
            return Ok(None);
        }
        let is_hidden = text == "<secret>";
        match kind {
            Type::TemplateUrl if text.is_empty() || is_hidden => {}
            Type::TemplateUrl if text.contains("{{") => {
                go::check_template(&text).map_err(|error| format!("invalid template syntax: {error}"))?;
            }
            Type::TemplateUrl => {
                go::check_http_url(&text).map_err(|error| format!("invalid URL: {error}"))?;
            }
            Type::SecretUrl if is_hidden => {}
            Type::ProxyUrl => _ = go::parse_url(&text)?,
            _ => go::check_http_url(&text)?,
        }
        Ok(Some(match kind {
            Type::Url | Type::ProxyUrl => Value::Text(text),
            _ => Value::Secret(text),
        }))
    }

    fn tree(&mut self, node: &Node) -> Result<serde_json::Value, Stop> {
        use serde_json::Value as Json;
        Ok(match &node.content {
            Content::Sequence(items) => {
                Json::Array(items.iter().map(|item| self.tree(item)).collect::<Result<_, _>>()?)
            }
            Content::Mapping(_) => {
                let entries = self.yaml.entries(node, "map[interface {}]interface {}")?;
                let pairs =
                    entries.into_iter().map(|((key, _), value)| Ok((key.to_string(), self.tree(&value)?)));
                Json::Object(pairs.collect::<Result<_, Stop>>()?)
            }
            Content::Scalar { text, .. } => match node.tag() {
                "!!null" => Json::Null,
                _ if self.yaml.is_bool(node) => Json::Bool(self.yaml.bool(node)),
                "!!int" => text.parse::<i64>().map_or_else(|_| Json::String(text.to_string()), Json::from),
                "!!float" => Json::from(self.yaml.float(node)),
                _ => Json::String(text.to_string()),
            },
        })
    }
}

/// What a text means as YAML; `None` if it is none, or has aliases, by which a short text may mean gigabytes.
pub fn yaml_value(text: &str) -> Option<serde_json::Value> {
    if yaml::has_aliases(text) {
        return None;
    }
    let document = yaml::parse(text).ok()?;
    let Some(root) = document.root else { return Some(serde_json::Value::Null) };
    let mut fields = Fields::new();
    let tree = fields.tree(&root).ok()?;
    fields.finish().ok()?;
    Some(tree)
}

/// At most one of some fields is there.
pub(super) fn at_most_one(object: &Object, first: &str, second: &str) -> Result<(), String> {
    if object.is_set(first) && object.is_set(second) {
        return refused(format!("at most one of {first} & {second} must be configured"));
    }
    Ok(())
}
