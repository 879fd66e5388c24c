//! Routes, inhibition rules and time intervals as they stand in the file.

use std::collections::BTreeMap;

use model::MatchOp;
use model::quote::quoted;
use yaml::Node;

use super::error::refused;
use super::schema::{Fields, Stop};
use crate::intervals::{self, TimeInterval};
use crate::matchers::{Matcher, Matchers};

/// A node of the routing tree as it stands in the file; what is not set is inherited.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Route {
    /// The receiver's name.
    pub receiver: Option<String>,
    /// By which labels alerts are grouped.
    pub group_by: Option<GroupBy>,
    /// Which alerts it takes.
    pub matchers: Matchers,
    /// Intervals in which it is mute.
    pub mute_time_intervals: Vec<String>,
    /// Intervals outside of which it is mute; none for always active.
    pub active_time_intervals: Vec<String>,
    /// Whether routes after it are tried too.
    pub continues: bool,
    /// Those below it.
    pub routes: Vec<Route>,
    /// How long a new group waits.
    pub group_wait_ms: Option<i64>,
    /// How long it waits between flushes.
    pub group_interval_ms: Option<i64>,
    /// After how long a notification is repeated.
    pub repeat_interval_ms: Option<i64>,
}

/// By which labels alerts are grouped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// `...`: by all of them.
    All,
    /// By these.
    Labels(Vec<String>),
}

/// Alerts that fire keep others from being notified of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InhibitRule {
    /// Its name, if it has one.
    pub name: String,
    /// Those that keep others.
    pub source: Matchers,
    /// Those that are kept.
    pub target: Matchers,
    /// Labels in which both must be equal.
    pub equal: Vec<String>,
}

/// Named sets of times.
pub(super) type NamedIntervals = Vec<(String, Vec<TimeInterval>)>;

impl Fields {
    /// Reads a route; what the user should know of its matchers is added to `warnings`.
    pub(super) fn route(&mut self, node: &Node, warnings: &mut Vec<String>) -> Result<Route, Stop> {
        if node.is_null() {
            return Err(Stop::from("missing route in routes".to_owned()));
        }
        let before = self.yaml.mistakes();
        let mut route = Route::default();
        let mut group_by = None;
        for (key, value) in self.yaml.entries(node, "config.plain")? {
            match &*key.0 {
                "receiver" => route.receiver = Some(self.yaml.string(&value)).filter(|name| !name.is_empty()),
                "group_by" if !value.is_null() => group_by = Some(self.yaml.strings(&value)),
                "group_by" => {}
                "match" => route.matchers.extend(self.equal_matchers(&value)?),
                "match_re" => route.matchers.extend(self.regex_matchers(&value)?),
                "matchers" => route.matchers.extend(self.matchers(&value, warnings)?),
                "mute_time_intervals" => route.mute_time_intervals = self.yaml.strings(&value),
                "active_time_intervals" => route.active_time_intervals = self.yaml.strings(&value),
                "continue" => route.continues = self.yaml.bool(&value),
                "routes" => {
                    for item in self.yaml.items(&value, "[]*config.Route") {
                        route.routes.push(self.route(&item, warnings)?);
                    }
                }
                "group_wait" => route.group_wait_ms = self.optional_duration(&value)?,
                "group_interval" => route.group_interval_ms = self.optional_duration(&value)?,
                "repeat_interval" => route.repeat_interval_ms = self.optional_duration(&value)?,
                _ => self.yaml.unknown(&key, "config.plain"),
            }
        }
        if self.yaml.mistakes() == before {
            route.group_by = group_by.map(read_group_by).transpose()?;
            for (name, value) in
                [("group_interval", route.group_interval_ms), ("repeat_interval", route.repeat_interval_ms)]
            {
                if value == Some(0) {
                    return Err(Stop::from(format!("{name} cannot be zero")));
                }
            }
        }
        Ok(route)
    }

    fn optional_duration(&mut self, node: &Node) -> Result<Option<i64>, Stop> {
        if node.is_null() { Ok(None) } else { self.duration(node).map(Some) }
    }

    fn equal_matchers(&mut self, node: &Node) -> Result<Matchers, Stop> {
        let map = self.yaml.string_map(node)?;
        if let Some(name) = map.keys().find(|name| !model::name::is_legacy_label_name(name)) {
            return Err(Stop::from(format!("invalid label name {}", quoted(name))));
        }
        matchers_of(&map, MatchOp::Equal)
    }

    fn regex_matchers(&mut self, node: &Node) -> Result<Matchers, Stop> {
        let mut map = BTreeMap::new();
        for ((name, _), value) in self.yaml.entries(node, "common.plain")? {
            if value.is_null() {
                return Err(Stop::from(format!("invalid regexp value for {}", quoted(&name))));
            }
            if !model::name::is_legacy_label_name(&name) {
                return Err(Stop::from(format!("invalid label name {}", quoted(&name))));
            }
            map.insert(name.to_string(), self.yaml.string(&value));
        }
        matchers_of(&map, MatchOp::Regex)
    }

    fn matchers(&mut self, node: &Node, warnings: &mut Vec<String>) -> Result<Matchers, Stop> {
        let before = self.yaml.mistakes();
        let lines = self.yaml.strings(node);
        let mut matchers = Matchers::default();
        if self.yaml.mistakes() > before {
            return Ok(matchers);
        }
        for line in lines {
            let read = Matchers::read(&line).map_err(|error| error.to_string())?;
            warnings.extend(read.warning);
            matchers.extend(read.matchers);
        }
        Ok(matchers)
    }

    pub(super) fn inhibit_rules(
        &mut self,
        node: &Node,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<InhibitRule>, Stop> {
        let mut rules = Vec::new();
        for item in self.yaml.items(node, "[]common.InhibitRule") {
            let before = self.yaml.mistakes();
            let mut rule = InhibitRule::default();
            for (key, value) in self.yaml.entries(&item, "common.plain")? {
                match &*key.0 {
                    "name" => rule.name = self.yaml.string(&value),
                    "source_match" => rule.source.extend(self.equal_matchers(&value)?),
                    "source_match_re" => rule.source.extend(self.regex_matchers(&value)?),
                    "source_matchers" => rule.source.extend(self.matchers(&value, warnings)?),
                    "target_match" => rule.target.extend(self.equal_matchers(&value)?),
                    "target_match_re" => rule.target.extend(self.regex_matchers(&value)?),
                    "target_matchers" => rule.target.extend(self.matchers(&value, warnings)?),
                    "equal" => rule.equal = self.yaml.strings(&value),
                    _ => self.yaml.unknown(&key, "common.plain"),
                }
            }
            if self.yaml.mistakes() == before && rule.equal.iter().any(String::is_empty) {
                return Err(Stop::from("invalid label name \"\" in equal list".to_owned()));
            }
            rules.push(rule);
        }
        Ok(rules)
    }

    /// Named intervals; `what` and `go_list` are what Alertmanager calls them.
    pub(super) fn named_intervals(
        &mut self,
        node: &Node,
        what: &str,
        go_list: &str,
    ) -> Result<NamedIntervals, Stop> {
        let mut named = Vec::new();
        for item in self.yaml.items(node, go_list) {
            let before = self.yaml.mistakes();
            let (mut name, mut intervals) = (String::new(), Vec::new());
            for (key, value) in self.yaml.entries(&item, "config.plain")? {
                match &*key.0 {
                    "name" => name = self.yaml.string(&value),
                    "time_intervals" => {
                        for item in self.yaml.items(&value, "[]timeinterval.TimeInterval") {
                            intervals.push(self.interval(&item)?);
                        }
                    }
                    _ => self.yaml.unknown(&key, "config.plain"),
                }
            }
            if name.is_empty() && self.yaml.mistakes() == before {
                return Err(Stop::from(format!("missing name in {what}")));
            }
            named.push((name, intervals));
        }
        Ok(named)
    }

    fn interval(&mut self, node: &Node) -> Result<TimeInterval, Stop> {
        const TYPE: &str = "timeinterval.TimeInterval";
        let mut interval = TimeInterval::default();
        for (key, value) in self.yaml.entries(node, TYPE)? {
            if value.is_null() {
                continue;
            }
            match &*key.0 {
                "times" => interval.times = Some(self.times(&value)?),
                "weekdays" => {
                    interval.weekdays = Some(self.ranges(&value, "Weekday", intervals::weekdays)?);
                }
                "days_of_month" => {
                    interval.days_of_month =
                        Some(self.ranges(&value, "DayOfMonth", intervals::days_of_month)?);
                }
                "months" => {
                    interval.months = Some(self.ranges(&value, "Month", intervals::months)?);
                }
                "years" => {
                    interval.years = Some(self.ranges(&value, "Year", intervals::years)?);
                }
                "location" => {
                    let name = self.yaml.string(&value);
                    interval.location = Some(intervals::location(&name).map_err(|error| error.to_string())?);
                }
                _ => self.yaml.unknown(&key, TYPE),
            }
        }
        Ok(interval)
    }

    fn times(&mut self, node: &Node) -> Result<Vec<intervals::MinuteRange>, Stop> {
        const TYPE: &str = "timeinterval.yamlTimeRange";
        let mut times = Vec::new();
        for item in self.yaml.items(node, "[]timeinterval.TimeRange") {
            let before = self.yaml.mistakes();
            let (mut start, mut end) = (String::new(), String::new());
            for (key, value) in self.yaml.entries(&item, TYPE)? {
                match &*key.0 {
                    "start_time" => start = self.yaml.string(&value),
                    "end_time" => end = self.yaml.string(&value),
                    _ => self.yaml.unknown(&key, TYPE),
                }
            }
            if self.yaml.mistakes() == before {
                times.push(intervals::time_range(&start, &end).map_err(|error| error.to_string())?);
            }
        }
        Ok(times)
    }

    fn ranges(
        &mut self,
        node: &Node,
        go_type: &str,
        read: fn(&str) -> Result<intervals::Range, intervals::RangeError>,
    ) -> Result<Vec<intervals::Range>, Stop> {
        let mut ranges = Vec::new();
        for item in self.yaml.items(node, &format!("[]timeinterval.{go_type}Range")) {
            let before = self.yaml.mistakes();
            let text = self.yaml.string(&item);
            if self.yaml.mistakes() == before {
                ranges.push(read(&text).map_err(|error| error.to_string())?);
            }
        }
        Ok(ranges)
    }
}

fn matchers_of(map: &BTreeMap<String, String>, op: MatchOp) -> Result<Matchers, Stop> {
    let matchers = map.iter().map(|(name, value)| Matcher::new(name, op, value));
    let matchers = matchers.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    Ok(Matchers::new(matchers))
}

fn read_group_by(names: Vec<String>) -> Result<GroupBy, String> {
    let (all, labels): (Vec<String>, Vec<String>) = names.into_iter().partition(|name| name == "...");
    if labels.iter().any(String::is_empty) {
        return refused("invalid label name \"\" in group_by list");
    }
    if !all.is_empty() {
        if !labels.is_empty() {
            return refused("cannot have wildcard group_by (`...`) and other labels at the same time");
        }
        return Ok(GroupBy::All);
    }
    for (at, name) in labels.iter().enumerate() {
        if labels[..at].contains(name) {
            return refused(format!("duplicated label {} in group_by", quoted(name)));
        }
    }
    Ok(GroupBy::Labels(labels))
}
