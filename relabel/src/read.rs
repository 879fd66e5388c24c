//! From YAML to rules that make sense.

use model::CapturePattern;
use model::quote::quoted;
use yaml::{Node, Reader};

use crate::rule::{ACTIONS, Action, Rule};

/// Known fields, for whoever misspells one.
const FIELDS: [&str; 7] =
    ["source_labels", "separator", "regex", "modulus", "target_label", "replacement", "action"];

const DEFAULT_SEPARATOR: &str = ";";
const DEFAULT_REGEX: &str = "(.*)";
const DEFAULT_REPLACEMENT: &str = "$1";

/// A rule as it stands in the file.
struct Raw {
    source_labels: Option<Vec<String>>,
    separator: String,
    regex: String,
    modulus: u64,
    target_label: String,
    replacement: String,
    action: Action,
}

/// A list of rules; `what` names it in mistakes. What is wrong is told to the reader, and left out.
pub fn read_all(reader: &mut Reader, node: &Node, what: &str) -> Vec<Rule> {
    let mut rules = Vec::new();
    for item in reader.items(node, what) {
        if item.is_null() {
            reader.complain(item.position, format!("empty or null rule in {what}"));
        } else {
            rules.extend(read(reader, &item));
        }
    }
    rules
}

/// One rule; `None` if something is wrong with it, which is told to the reader.
pub fn read(reader: &mut Reader, node: &Node) -> Option<Rule> {
    let before = reader.mistakes();
    let mut raw = Raw {
        source_labels: None,
        separator: DEFAULT_SEPARATOR.to_owned(),
        regex: DEFAULT_REGEX.to_owned(),
        modulus: 0,
        target_label: String::new(),
        replacement: DEFAULT_REPLACEMENT.to_owned(),
        action: Action::Replace,
    };
    let mut regex_at = node.position;
    for (key, value) in reader.entries(node, "a relabelling rule") {
        match &*key.0 {
            "source_labels" => raw.source_labels = Some(source_labels(reader, &value)),
            "separator" => raw.separator = reader.string(&value),
            "regex" if value.is_null() => {}
            "regex" => (raw.regex, regex_at) = (reader.string(&value), value.position),
            "modulus" => raw.modulus = modulus(reader, &value),
            "target_label" => raw.target_label = reader.string(&value),
            "replacement" => raw.replacement = reader.string(&value),
            "action" => raw.action = action(reader, &value),
            _ => reader.unknown(&key, "a relabelling rule", &FIELDS),
        }
    }
    if reader.mistakes() > before {
        return None;
    }
    if let Err(reason) = raw.check() {
        reader.complain(node.position, reason);
        return None;
    }
    match CapturePattern::new(&raw.regex) {
        Ok(regex) => Some(raw.with(regex)),
        Err(error) => {
            reader.complain(regex_at, error.to_string());
            None
        }
    }
}

fn source_labels(reader: &mut Reader, node: &Node) -> Vec<String> {
    let mut names = Vec::new();
    for item in reader.items(node, "source_labels") {
        let name = reader.string(&item);
        if name.is_empty() {
            reader.complain(item.position, format!("{} is not a valid label name", quoted(&name)));
        }
        names.push(name);
    }
    names
}

fn modulus(reader: &mut Reader, node: &Node) -> u64 {
    let number = reader.string(node);
    number.parse().unwrap_or_else(|_| {
        let text = format!("modulus must be a whole number from 1 to {}, not {}", u64::MAX, quoted(&number));
        reader.complain(node.position, text);
        0
    })
}

fn action(reader: &mut Reader, node: &Node) -> Action {
    let text = reader.string(node);
    if text.is_empty() {
        reader.complain(node.position, "relabel action cannot be empty");
        return Action::Replace;
    }
    let lower = text.to_lowercase();
    let known = ACTIONS.iter().find(|(name, _)| *name == lower).map(|(_, action)| *action);
    known.unwrap_or_else(|| {
        reader.complain(node.position, format!("unknown relabel action {}", quoted(&text)));
        Action::Replace
    })
}

impl Raw {
    /// In the words of Prometheus.
    fn check(&self) -> Result<(), String> {
        let Self { action, target_label, .. } = self;
        let name = action.as_str();
        let has_defaults = self.separator == DEFAULT_SEPARATOR
            && self.replacement == DEFAULT_REPLACEMENT
            && self.modulus == 0;
        match action {
            Action::HashMod if self.modulus == 0 => {
                return Err("relabel configuration for hashmod requires non-zero modulus".to_owned());
            }
            Action::Replace
            | Action::HashMod
            | Action::Lowercase
            | Action::Uppercase
            | Action::KeepEqual
            | Action::DropEqual
                if target_label.is_empty() =>
            {
                return Err(format!("relabel configuration for {name} action requires 'target_label' value"));
            }
            Action::Lowercase | Action::Uppercase | Action::KeepEqual | Action::DropEqual
                if self.replacement != DEFAULT_REPLACEMENT =>
            {
                return Err(format!("'replacement' can not be set for {name} action"));
            }
            Action::LabelMap if self.replacement.is_empty() => {
                return Err(format!("{} is invalid 'replacement' for {name} action", quoted("")));
            }
            Action::KeepEqual | Action::DropEqual if self.regex != DEFAULT_REGEX || !has_defaults => {
                return Err(format!(
                    "{name} action requires only 'source_labels' and `target_label`, and no other fields"
                ));
            }
            Action::LabelDrop | Action::LabelKeep
                if self.source_labels.is_some() || !target_label.is_empty() || !has_defaults =>
            {
                return Err(format!("{name} action requires only 'regex', and no other fields"));
            }
            _ => {}
        }
        Ok(())
    }

    fn with(self, regex: CapturePattern) -> Rule {
        Rule {
            source_labels: self.source_labels.unwrap_or_default(),
            separator: self.separator,
            regex,
            modulus: self.modulus,
            target_label: self.target_label,
            replacement: self.replacement,
            action: self.action,
        }
    }
}
