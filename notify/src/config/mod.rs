//! `alertmanager.yml`: what Alertmanager 0.33 takes is taken, and what it refuses is refused in its words.
//!
//! No file but the one text is read here: secrets in files, and templates, are for whoever sends.

mod checks;
mod error;
mod fields;
mod files;
mod global;
mod go;
mod http;
mod receivers;
mod routes;
mod schema;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use model::quote::quoted;
use yaml::Node;

pub use error::{CONFIG_BYTES_MAX, ConfigMistake};
pub use files::NamedFile;
pub use receivers::{Integration, Kind, Receiver};
pub use routes::{GroupBy, InhibitRule, Route};
pub use schema::{Object, Value, yaml_value};

use crate::intervals::TimeInterval;
use error::refused;
use receivers::RawReceiver;
use routes::NamedIntervals;
use schema::{Fields, Schema, Stop, Type, unchecked};

/// A configuration without mistakes.
#[derive(Clone, Debug)]
pub struct Config {
    /// What is global, with defaults.
    pub global: Object,
    /// The root of the routing tree.
    pub route: Route,
    /// Which alerts keep which others from being notified of.
    pub inhibit_rules: Vec<InhibitRule>,
    /// Whom notifications go to.
    pub receivers: Vec<Receiver>,
    /// Files and patterns of templates, as they stand in the file.
    pub templates: Vec<String>,
    /// Sets of times by name.
    pub time_intervals: BTreeMap<String, Vec<TimeInterval>>,
    /// What the user should know all the same.
    pub warnings: Vec<String>,
}

static TRACING: Schema = Schema {
    go_type: "tracing.plain",
    fields: &[
        ("client_type", Type::Text),
        ("compression", Type::Text),
        ("endpoint", Type::Text),
        ("headers", Type::Tree),
        ("insecure", Type::Bool),
        ("sampling_fraction", Type::Float),
        ("timeout", Type::Duration),
        ("tls_config", Type::Object(&http::TLS)),
    ],
    defaults: &[],
    check: unchecked,
};

static EVENT_RECORDER: Schema = Schema {
    go_type: "eventrecorder.Config",
    fields: &[("file_outputs", Type::Tree), ("kafka_outputs", Type::Tree), ("webhook_outputs", Type::Tree)],
    defaults: &[],
    check: unchecked,
};

/// The file as it stands, before anything is inherited.
#[derive(Default)]
struct Raw {
    global: Option<Object>,
    route: Option<Route>,
    inhibit_rules: Vec<InhibitRule>,
    receivers: Vec<RawReceiver>,
    templates: Vec<String>,
    mute_time_intervals: NamedIntervals,
    time_intervals: NamedIntervals,
    warnings: Vec<String>,
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// What Alertmanager says that is wrong with it.
    pub fn read(text: &str) -> Result<Self, ConfigMistake> {
        if text.len() > CONFIG_BYTES_MAX {
            return Err(ConfigMistake::TooLarge { bytes: text.len() });
        }
        let document = yaml::parse(text)?;
        let Some(root) = document.root.filter(|root| !root.is_null()) else {
            return Err(ConfigMistake::Refused("no route provided in config".to_owned()));
        };
        let mut fields = Fields::new();
        let raw = Raw::read(&mut fields, &root).map_err(|Stop(mistake)| mistake)?;
        fields.finish()?;
        raw.complete().map_err(ConfigMistake::Refused)
    }
}

impl Raw {
    fn read(fields: &mut Fields, root: &Node) -> Result<Self, Stop> {
        let mut raw = Self::default();
        for (key, value) in fields.yaml.entries(root, "config.plain")? {
            if value.is_null() && !matches!(&*key.0, "receivers" | "templates") {
                continue;
            }
            match &*key.0 {
                "global" => raw.global = fields.object(&value, &global::GLOBAL)?,
                "route" => raw.route = Some(fields.route(&value, &mut raw.warnings)?),
                "inhibit_rules" => raw.inhibit_rules = fields.inhibit_rules(&value, &mut raw.warnings)?,
                "receivers" => raw.receivers = receivers::read(fields, &value)?,
                "templates" => raw.templates = fields.yaml.strings(&value),
                "mute_time_intervals" => {
                    let go_list = "[]config.MuteTimeInterval";
                    raw.mute_time_intervals =
                        fields.named_intervals(&value, "mute time interval", go_list)?;
                }
                "time_intervals" => {
                    raw.time_intervals =
                        fields.named_intervals(&value, "time interval", "[]config.TimeInterval")?;
                }
                "tracing" => _ = fields.object(&value, &TRACING)?,
                "event_recorder" => _ = fields.object(&value, &EVENT_RECORDER)?,
                _ => fields.yaml.unknown(&key, "config.plain"),
            }
            if matches!(&*key.0, "tracing" | "event_recorder") {
                raw.warnings.push(format!("{} has no effect", key.0));
            }
        }
        Ok(raw)
    }

    /// Puts in what is global, and checks what the parts say of each other.
    fn complete(self) -> Result<Config, String> {
        let mut global = self.global.unwrap_or_else(global::defaults);
        let defaults = global::defaults();
        for name in ["http_config", "smtp_tls_config"] {
            global.inherit(name, &defaults, name);
        }
        global::check(&global)?;
        let mut names = BTreeSet::new();
        let mut receivers = Vec::with_capacity(self.receivers.len());
        for receiver in self.receivers {
            if !names.insert(receiver.name().to_owned()) {
                return refused(format!(
                    "notification config name {} is not unique",
                    quoted(receiver.name())
                ));
            }
            receivers.push(receiver.complete(&global)?);
        }
        let Some(route) = self.route else { return refused("no routes provided") };
        check_root(&route)?;
        check_receivers(&route, &names)?;
        let mut time_intervals = BTreeMap::new();
        for (named, what) in
            [(self.mute_time_intervals, "mute time interval"), (self.time_intervals, "time interval")]
        {
            for (name, intervals) in named {
                if time_intervals.contains_key(&name) {
                    return refused(format!("{what} {} is not unique", quoted(&name)));
                }
                time_intervals.insert(name, intervals);
            }
        }
        check_intervals(&route, &time_intervals)?;
        if route.continues {
            return refused("cannot have continue in root route");
        }
        Ok(Config {
            global,
            route,
            inhibit_rules: self.inhibit_rules,
            receivers,
            templates: self.templates,
            time_intervals,
            warnings: self.warnings,
        })
    }
}

fn check_root(root: &Route) -> Result<(), String> {
    if root.receiver.is_none() {
        return refused("root route must specify a default receiver");
    }
    if !root.matchers.is_empty() {
        return refused("root route must not have any matchers");
    }
    if !root.mute_time_intervals.is_empty() {
        return refused("root route must not have any mute time intervals");
    }
    if !root.active_time_intervals.is_empty() {
        return refused("root route must not have any active time intervals");
    }
    Ok(())
}

fn check_receivers(route: &Route, names: &BTreeSet<String>) -> Result<(), String> {
    for below in &route.routes {
        check_receivers(below, names)?;
    }
    match &route.receiver {
        Some(name) if !names.contains(name) => {
            refused(format!("undefined receiver {} used in route", quoted(name)))
        }
        _ => Ok(()),
    }
}

fn check_intervals(route: &Route, known: &BTreeMap<String, Vec<TimeInterval>>) -> Result<(), String> {
    for below in &route.routes {
        check_intervals(below, known)?;
    }
    let mut names = route.active_time_intervals.iter().chain(&route.mute_time_intervals);
    match names.find(|name| !known.contains_key(*name)) {
        Some(name) => refused(format!("undefined time interval {} used in route", quoted(name))),
        None => Ok(()),
    }
}
