//! What must hold within the settings of one receiver.

use model::quote::quoted;

use super::error::refused;
use super::go::check_template;
use super::schema::{Object, Value, at_most_one};

type Checked = Result<(), String>;

pub(super) fn webhook(settings: &mut Object) -> Checked {
    url_or_file(settings, "url", "url_file")
}

fn url_or_file(settings: &Object, url: &str, file: &str) -> Checked {
    let given = |name| settings.has(name) && settings.get(name) != Some(&Value::Secret(String::new()));
    if !given(url) && !settings.is_set(file) {
        return refused(format!("one of {url} or {file} must be configured"));
    }
    if given(url) && settings.is_set(file) {
        return refused(format!("at most one of {url} & {file} must be configured"));
    }
    Ok(())
}

pub(super) fn email(settings: &mut Object) -> Checked {
    let mut headers = std::collections::BTreeMap::new();
    if let Some(Value::TextMap(given)) = settings.get("headers") {
        for (name, value) in given {
            let name = ::config::header::canonical(name);
            if headers.insert(name.clone(), value.clone()).is_some() {
                return refused(format!("duplicate header {} in email config", quoted(&name)));
            }
        }
    }
    if !settings.is_set("to") {
        return refused("missing to address in email config");
    }
    if let Some(threading) = settings.object("threading").filter(|threading| threading.is_true("enabled")) {
        for name in ["References", "In-Reply-To"] {
            if headers.contains_key(name) {
                return refused(format!(
                    "conflicting configuration: threading.enabled conflicts with custom {name} header"
                ));
            }
        }
        if !matches!(threading.text("thread_by_date"), "none" | "daily") {
            return refused("threading.thread_by_date must be either 'none' or 'daily'");
        }
    }
    settings.set("headers", Value::TextMap(headers));
    Ok(())
}

/// What PagerDuty is told besides, unless the file says something else under these names.
const PAGERDUTY_DETAILS: [(&str, &str); 4] = [
    ("firing", "{{ .Alerts.Firing | toJson }}"),
    ("resolved", "{{ .Alerts.Resolved | toJson }}"),
    ("num_firing", "{{ .Alerts.Firing | len }}"),
    ("num_resolved", "{{ .Alerts.Resolved | len }}"),
];

pub(super) fn pagerduty(settings: &mut Object) -> Checked {
    let keys = ["routing_key", "service_key", "routing_key_file", "service_key_file"];
    if keys.iter().all(|key| !settings.is_set(key)) {
        return refused("missing service or routing key in PagerDuty config");
    }
    at_most_one(settings, "routing_key", "routing_key_file")?;
    at_most_one(settings, "service_key", "service_key_file")?;
    let mut details = match settings.get("details") {
        Some(Value::Tree(serde_json::Value::Object(details))) => details.clone(),
        _ => serde_json::Map::new(),
    };
    for (name, text) in PAGERDUTY_DETAILS {
        if !details.contains_key(name) {
            details.insert(name.to_owned(), text.into());
        }
    }
    settings.set("details", Value::Tree(details.into()));
    if !settings.is_set("source") {
        let client = settings.text("client").to_owned();
        settings.set("source", Value::Text(client));
    }
    Ok(())
}

pub(super) fn opsgenie(settings: &mut Object) -> Checked {
    const TYPES: [&str; 5] = ["team", "teams", "user", "escalation", "schedule"];
    at_most_one(settings, "api_key", "api_key_file")?;
    for responder in settings.list("responders") {
        let [id, name, username, kind] = ["id", "name", "username", "type"].map(|name| responder.text(name));
        let shown = |kind: &str| format!("opsGenieConfig responder {{{id} {name} {username} {kind}}}");
        if id.is_empty() && name.is_empty() && username.is_empty() {
            let shown = shown(kind);
            return refused(format!("{shown} has to have at least one of id, username or name specified"));
        }
        if kind.contains("{{") {
            check_template(kind)
                .map_err(|error| format!("{} type contains invalid template syntax: {error}", shown(kind)))?;
            continue;
        }
        let kind = kind.to_lowercase();
        if !TYPES.contains(&kind.as_str()) {
            let shown = shown(&kind);
            return refused(format!("{shown} type does not match valid options ^({})$", TYPES.join("|")));
        }
    }
    Ok(())
}

pub(super) fn wechat(settings: &mut Object) -> Checked {
    if !settings.is_set("message_type") {
        settings.set("message_type", Value::Text("text".to_owned()));
    }
    let kind = settings.text("message_type");
    if !matches!(kind, "text" | "markdown") {
        let kind = quoted(kind);
        return refused(format!("weChat message type {kind} does not match valid options ^(text|markdown)$"));
    }
    at_most_one(settings, "api_secret", "api_secret_file")
}

/// Where Slack takes messages of apps, and changes to them.
const SLACK_POST: &str = "https://slack.com/api/chat.postMessage";

pub(super) fn slack(settings: &mut Object) -> Checked {
    if settings.has("api_url") && settings.is_set("api_url_file") {
        return refused("at most one of api_url & api_url_file must be configured");
    }
    at_most_one(settings, "app_token", "app_token_file")?;
    let has_url = settings.has("api_url") || settings.is_set("api_url_file");
    if has_url && (settings.is_set("app_token") || settings.is_set("app_token_file")) {
        return refused("at most one of api_url/api_url_file & app_token/app_token_file must be configured");
    }
    if settings.is_true("update_message") && settings.text("api_url") != SLACK_POST {
        return refused(format!(
            "update_message can only be used with bot tokens. api_url must be set to {SLACK_POST}"
        ));
    }
    Ok(())
}

pub(super) fn slack_field(field: &mut Object) -> Checked {
    title_and_value(field, "Slack")
}

pub(super) fn mattermost_field(field: &mut Object) -> Checked {
    title_and_value(field, "Mattermost")
}

fn title_and_value(field: &Object, of: &str) -> Checked {
    for name in ["title", "value"] {
        if !field.is_set(name) {
            return refused(format!("missing {name} in {of} field configuration"));
        }
    }
    Ok(())
}

pub(super) fn slack_action(action: &mut Object) -> Checked {
    for name in ["type", "text"] {
        if !action.is_set(name) {
            return refused(format!("missing {name} in Slack action configuration"));
        }
    }
    if !action.is_set("url") && !action.is_set("name") {
        return refused("missing name or url in Slack action configuration");
    }
    Ok(())
}

pub(super) fn slack_confirmation(confirmation: &mut Object) -> Checked {
    if confirmation.is_set("text") {
        return Ok(());
    }
    refused("missing text in Slack confirmation configuration")
}

pub(super) fn victorops(settings: &mut Object) -> Checked {
    const RESERVED: [&str; 7] = [
        "routing_key",
        "message_type",
        "state_message",
        "entity_display_name",
        "monitoring_tool",
        "entity_id",
        "entity_state",
    ];
    if !settings.is_set("routing_key") {
        return refused("missing Routing key in VictorOps config");
    }
    at_most_one(settings, "api_key", "api_key_file")?;
    if let Some(Value::TextMap(fields)) = settings.get("custom_fields")
        && let Some(name) = RESERVED.iter().find(|name| fields.contains_key(**name))
    {
        return refused(format!(
            "victorOps config contains custom field {name} which cannot be used as it conflicts with the \
             fixed/static fields"
        ));
    }
    Ok(())
}

pub(super) fn pushover(settings: &mut Object) -> Checked {
    for (name, file) in [("user_key", "user_key_file"), ("token", "token_file")] {
        if !settings.is_set(name) && !settings.is_set(file) {
            return refused(format!("one of {name} or {file} must be configured"));
        }
        at_most_one(settings, name, file)?;
    }
    if settings.is_true("html") && settings.is_true("monospace") {
        return refused("at most one of monospace & html must be configured");
    }
    Ok(())
}

pub(super) fn sns(settings: &mut Object) -> Checked {
    let given = ["target_arn", "topic_arn", "phone_number"].map(|name| settings.is_set(name));
    // as in Alertmanager: one of them, or all three
    if given.iter().filter(|given| **given).count() % 2 == 0 {
        return refused("must provide either a Target ARN, Topic ARN, or Phone Number for SNS config");
    }
    Ok(())
}

pub(super) fn sigv4(sigv4: &mut Object) -> Checked {
    if sigv4.is_set("access_key") != sigv4.is_set("secret_key") {
        return refused(
            "must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config",
        );
    }
    Ok(())
}

pub(super) fn telegram(settings: &mut Object) -> Checked {
    at_most_one(settings, "bot_token", "bot_token_file")?;
    let has_chat = settings.int("chat_id") != 0;
    if !has_chat && !settings.is_set("chat_id_file") {
        return refused("missing chat_id or chat_id_file on telegram_config");
    }
    if has_chat && settings.is_set("chat_id_file") {
        return refused("at most one of chat_id & chat_id_file must be configured");
    }
    if !matches!(settings.text("parse_mode"), "" | "Markdown" | "MarkdownV2" | "HTML") {
        return refused(
            "unknown parse_mode on telegram_config, must be Markdown, MarkdownV2, HTML or empty string",
        );
    }
    Ok(())
}

pub(super) fn discord(settings: &mut Object) -> Checked {
    url_or_file(settings, "webhook_url", "webhook_url_file")
}

pub(super) fn msteams(settings: &mut Object) -> Checked {
    url_or_file(settings, "webhook_url", "webhook_url_file")
}

pub(super) fn msteamsv2(settings: &mut Object) -> Checked {
    url_or_file(settings, "webhook_url", "webhook_url_file")
}

pub(super) fn mattermost(settings: &mut Object) -> Checked {
    if settings.has("webhook_url") && settings.is_set("webhook_url_file") {
        return refused("at most one of webhook_url & webhook_url_file must be configured");
    }
    Ok(())
}

pub(super) fn webex(settings: &mut Object) -> Checked {
    if !settings.is_set("room_id") {
        return refused("missing room_id on webex_config");
    }
    if !has_authorization(settings) {
        return refused("missing webex_configs.http_config.authorization");
    }
    Ok(())
}

/// Whether the file says how a receiver is authorised, a bearer token being one way.
pub(super) fn has_authorization(settings: &Object) -> bool {
    settings.object("http_config").is_some_and(|http| {
        http.has("authorization") || http.is_set("bearer_token") || http.is_set("bearer_token_file")
    })
}

pub(super) fn jira(settings: &mut Object) -> Checked {
    for name in ["project", "issue_type"] {
        if !settings.is_set(name) {
            return refused(format!("missing {name} in jira_config"));
        }
    }
    if !matches!(settings.text("api_type"), "auto" | "cloud" | "datacenter") {
        return refused("unknown api_type on jira_config, must be auto, cloud or datacenter");
    }
    for (name, template) in [
        ("summary", "{{ template \"jira.default.summary\" . }}"),
        ("description", "{{ template \"jira.default.description\" . }}"),
    ] {
        let mut field = settings.object(name).cloned().unwrap_or_default();
        if !field.has("template") {
            field.set("template", Value::Text(template.to_owned()));
        }
        settings.set(name, Value::Object(field));
    }
    Ok(())
}

pub(super) fn incidentio(settings: &mut Object) -> Checked {
    url_or_file(settings, "url", "url_file")?;
    at_most_one(settings, "alert_source_token", "alert_source_token_file")?;
    let has_token = settings.is_set("alert_source_token") || settings.is_set("alert_source_token_file");
    if has_token && has_authorization(settings) {
        return refused(
            "cannot specify alert_source_token or alert_source_token_file when using http_config.authorization",
        );
    }
    if !has_token && settings.has("http_config") && !has_authorization(settings) {
        return refused(
            "at least one of alert_source_token, alert_source_token_file or http_config.authorization must be \
             configured",
        );
    }
    Ok(())
}

pub(super) fn rocketchat(settings: &mut Object) -> Checked {
    for (name, file) in [("token", "token_file"), ("token_id", "token_id_file")] {
        if settings.has(name) && settings.is_set(file) {
            return refused(format!("at most one of {name} & {file} must be configured"));
        }
    }
    Ok(())
}
