//! What is shown, in the order of Alertmanager's fields.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::fmt::strtime;
use model::Labels;
use notify::{
    Config, GroupBy, Matchers, Route, ShownAlert, ShownGroup, Silence, SilenceMatcher, SilenceState, State,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

#[derive(Serialize)]
pub(super) struct Receiver<'a> {
    pub(super) name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Alert<'a> {
    annotations: BTreeMap<&'a str, &'a str>,
    ends_at: String,
    fingerprint: String,
    receivers: Vec<Receiver<'a>>,
    starts_at: String,
    status: Status<'a>,
    updated_at: String,
    #[serde(rename = "generatorURL", skip_serializing_if = "str::is_empty")]
    generator_url: &'a str,
    labels: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    inhibited_by: Vec<String>,
    muted_by: &'a [&'a str],
    silenced_by: &'a [&'a str],
    state: &'static str,
}

#[derive(Serialize)]
pub(super) struct Group<'a> {
    alerts: Vec<Alert<'a>>,
    labels: BTreeMap<&'a str, &'a str>,
    receiver: Receiver<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShownSilence<'a> {
    id: &'a str,
    status: InState,
    updated_at: String,
    comment: &'a str,
    created_by: &'a str,
    ends_at: String,
    matchers: Vec<ShownMatcher<'a>>,
    starts_at: String,
}

#[derive(Serialize)]
struct InState {
    state: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownMatcher<'a> {
    is_equal: bool,
    is_regex: bool,
    name: &'a str,
    value: &'a str,
}

pub(super) fn alert<'a>(shown: &'a ShownAlert<'a>) -> Alert<'a> {
    let is_suppressed = !shown.silenced_by.is_empty() || shown.inhibited_by.is_some();
    Alert {
        annotations: map(&shown.alert.annotations),
        ends_at: time(shown.alert.ends_at_ms),
        fingerprint: format!("{:016x}", shown.fingerprint),
        receivers: shown.receivers.iter().map(|name| Receiver { name }).collect(),
        starts_at: time(shown.alert.starts_at_ms),
        status: Status {
            inhibited_by: shown.inhibited_by.map(|id| format!("{id:016x}")).into_iter().collect(),
            muted_by: &shown.muted_by,
            silenced_by: &shown.silenced_by,
            state: if is_suppressed || !shown.muted_by.is_empty() { "suppressed" } else { "active" },
        },
        updated_at: time(shown.alert.updated_at_ms),
        generator_url: &shown.alert.generator_url,
        labels: map(&shown.alert.labels),
    }
}

pub(super) fn group<'a>(shown: &'a ShownGroup<'a>) -> Group<'a> {
    Group {
        alerts: shown.alerts.iter().map(alert).collect(),
        labels: map(shown.labels),
        receiver: Receiver { name: shown.receiver },
    }
}

pub(super) fn silence<'a>(id: &'a str, silence: &'a Silence, now_ms: i64) -> ShownSilence<'a> {
    let matcher = |matcher: &'a SilenceMatcher| ShownMatcher {
        is_equal: matcher.is_equal,
        is_regex: matcher.is_regex,
        name: &matcher.name,
        value: &matcher.value,
    };
    ShownSilence {
        id,
        status: InState { state: silence.state_at(now_ms).as_str() },
        updated_at: time(silence.updated_at_ms),
        comment: &silence.comment,
        created_by: &silence.created_by,
        ends_at: time(silence.ends_at_ms),
        matchers: silence.matchers.iter().map(matcher).collect(),
        starts_at: time(silence.starts_at_ms),
    }
}

/// Those that a filter wants: first the active ones by their end, then those to come by their beginning, then those that are over,
/// the last one first.
pub(super) fn silences<'a>(state: &'a State, filter: &Matchers, now_ms: i64) -> Vec<ShownSilence<'a>> {
    // a filter looks at the names and values of conditions as if they were labels
    let wanted = |silence: &Silence| {
        let pairs = silence.matchers.iter().map(|matcher| (matcher.name.as_str(), matcher.value.as_str()));
        filter.matches(&Labels::from_pairs(pairs))
    };
    let mut all: Vec<(&String, &Silence)> =
        state.silences().iter().filter(|(_, silence)| wanted(silence)).collect();
    all.sort_by_key(|(_, silence)| {
        let state = silence.state_at(now_ms);
        let at = match state {
            SilenceState::Active => silence.ends_at_ms,
            SilenceState::Pending => silence.starts_at_ms,
            SilenceState::Expired => -silence.ends_at_ms,
        };
        (state, at)
    });
    all.into_iter().map(|(id, one)| silence(id, one, now_ms)).collect()
}

/// The configuration without what may be secret: of receivers their names alone.
pub(super) fn status(config: &Config, started_ms: i64) -> Value {
    let rules = config.inhibit_rules.iter().map(|rule| {
        json!({
            "source_matchers": matchers(&rule.source),
            "target_matchers": matchers(&rule.target),
            "equal": rule.equal,
        })
    });
    let original = json!({
        "global": {"resolve_timeout": model::duration::format(config.global.duration_ms("resolve_timeout"))},
        "route": route(&config.route),
        "inhibit_rules": rules.collect::<Vec<_>>(),
        "receivers": config.receivers.iter().map(|receiver| json!({"name": receiver.name})).collect::<Vec<_>>(),
        "templates": config.templates,
    });
    let version = env!("CARGO_PKG_VERSION");
    json!({
        "cluster": {"peers": [], "status": "disabled"},
        "config": {"original": original.to_string()},
        "uptime": time(started_ms),
        "versionInfo": {
            "branch": "", "buildDate": "", "buildUser": "", "goVersion": "", "revision": "",
            "version": format!("mayfly {version}"),
        },
    })
}

fn matchers(matchers: &Matchers) -> Vec<String> {
    matchers.iter().map(ToString::to_string).collect()
}

fn route(from: &Route) -> Value {
    let mut shown = Map::new();
    let mut set = |name: &str, value: Value| _ = shown.insert(name.to_owned(), value);
    if let Some(receiver) = &from.receiver {
        set("receiver", json!(receiver));
    }
    match &from.group_by {
        Some(GroupBy::All) => set("group_by", json!(["..."])),
        Some(GroupBy::Labels(names)) => set("group_by", json!(names)),
        None => {}
    }
    if !from.matchers.is_empty() {
        set("matchers", json!(matchers(&from.matchers)));
    }
    if from.continues {
        set("continue", json!(true));
    }
    let times = [
        ("group_wait", from.group_wait_ms),
        ("group_interval", from.group_interval_ms),
        ("repeat_interval", from.repeat_interval_ms),
    ];
    for (name, ms) in times {
        if let Some(ms) = ms {
            set(name, json!(model::duration::format(ms)));
        }
    }
    if !from.routes.is_empty() {
        set("routes", from.routes.iter().map(route).collect());
    }
    shown.into()
}

fn map(labels: &Labels) -> BTreeMap<&str, &str> {
    labels.iter().map(|label| (&*label.name, &*label.value)).collect()
}

/// With milliseconds, always.
fn time(ms: i64) -> String {
    let at = Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX });
    strtime::format("%Y-%m-%dT%H:%M:%S.%3fZ", at).unwrap_or_default()
}
