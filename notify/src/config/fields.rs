//! The fields of every kind of receiver, and their defaults: those of Alertmanager 0.33.

use super::checks;
use super::schema::{Preset, Schema, Type, unchecked};

pub(super) static WEBHOOK: Schema = Schema {
    go_type: "webhook.plain",
    fields: &[
        ("http_config", Type::Object(&super::http::HTTP)),
        ("max_alerts", Type::Int("uint64")),
        ("payload", Type::Tree),
        ("send_resolved", Type::Bool),
        ("timeout", Type::GoDuration),
        ("url", Type::TemplateUrl),
        ("url_file", Type::Text),
    ],
    defaults: &[("send_resolved", Preset::Bool(true))],
    check: checks::webhook,
};

pub(super) static EMAIL: Schema = Schema {
    go_type: "config.plain",
    fields: &[
        ("auth_identity", Type::Text),
        ("auth_password", Type::Secret),
        ("auth_password_file", Type::Text),
        ("auth_secret", Type::Secret),
        ("auth_secret_file", Type::Text),
        ("auth_username", Type::Text),
        ("force_implicit_tls", Type::BoolIfAny),
        ("from", Type::Text),
        ("headers", Type::TextMap),
        ("hello", Type::Text),
        ("html", Type::Text),
        ("require_tls", Type::BoolIfAny),
        ("send_resolved", Type::Bool),
        ("smarthost", Type::HostPort),
        ("text", Type::Text),
        ("threading", Type::Object(&EMAIL_THREADING)),
        ("tls_config", Type::Object(&super::http::TLS)),
        ("to", Type::Text),
    ],
    defaults: &[
        ("send_resolved", Preset::Bool(false)),
        ("html", Preset::Text(r#"{{ template "email.default.html" . }}"#)),
    ],
    check: checks::email,
};

pub(super) static EMAIL_THREADING: Schema = Schema {
    go_type: "config.ThreadingConfig",
    fields: &[("enabled", Type::Bool), ("thread_by_date", Type::Text)],
    defaults: &[],
    check: unchecked,
};

pub(super) static PAGERDUTY: Schema = Schema {
    go_type: "config.plain",
    fields: &[
        ("class", Type::Text),
        ("client", Type::Text),
        ("client_url", Type::Text),
        ("component", Type::Text),
        ("description", Type::Text),
        ("details", Type::TreeMap),
        ("group", Type::Text),
        ("http_config", Type::Object(&super::http::HTTP)),
        ("images", Type::List(&PAGERDUTY_IMAGE, "[]config.PagerdutyImage")),
        ("links", Type::List(&PAGERDUTY_LINK, "[]config.PagerdutyLink")),
        ("routing_key", Type::Secret),
        ("routing_key_file", Type::Text),
        ("send_resolved", Type::Bool),
        ("service_key", Type::Secret),
        ("service_key_file", Type::Text),
        ("severity", Type::Text),
        ("source", Type::Text),
        ("timeout", Type::GoDuration),
        ("url", Type::Url),
    ],
    defaults: &[
        ("send_resolved", Preset::Bool(true)),
        ("description", Preset::Text(r#"{{ template "pagerduty.default.description" .}}"#)),
        ("client", Preset::Text(r#"{{ template "pagerduty.default.client" . }}"#)),
        ("client_url", Preset::Text(r#"{{ template "pagerduty.default.clientURL" . }}"#)),
    ],
    check: checks::pagerduty,
};

pub(super) static PAGERDUTY_IMAGE: Schema = Schema {
    go_type: "config.PagerdutyImage",
    fields: &[("alt", Type::Text), ("href", Type::Text), ("src", Type::Text)],
    defaults: &[],
    check: unchecked,
};

pub(super) static PAGERDUTY_LINK: Schema = Schema {
    go_type: "config.PagerdutyLink",
    fields: &[("href", Type::Text), ("text", Type::Text)],
    defaults: &[],
    check: unchecked,
};

pub(super) static OPSGENIE: Schema = Schema {
    go_type: "config.plain",
    fields: &[
        ("actions", Type::Text),
        ("api_key", Type::Secret),
        ("api_key_file", Type::Text),
        ("api_url", Type::Url),
        ("description", Type::Text),
        ("details", Type::TextMap),
        ("entity", Type::Text),
        ("http_config", Type::Object(&super::http::HTTP)),
        ("message", Type::Text),
        ("note", Type::Text),
        ("priority", Type::Text),
        ("responders", Type::List(&OPSGENIE_RESPONDER, "[]config.OpsGenieConfigResponder")),
        ("send_resolved", Type::Bool),
        ("source", Type::Text),
        ("tags", Type::Text),
        ("update_alerts", Type::Bool),
    ],
    defaults: &[
        ("send_resolved", Preset::Bool(true)),
        ("message", Preset::Text(r#"{{ template "opsgenie.default.message" . }}"#)),
        ("description", Preset::Text(r#"{{ template "opsgenie.default.description" . }}"#)),
        ("source", Preset::Text(r#"{{ template "opsgenie.default.source" . }}"#)),
    ],
    check: checks::opsgenie,
};

pub(super) static OPSGENIE_RESPONDER: Schema = Schema {
    go_type: "config.OpsGenieConfigResponder",
    fields: &[("id", Type::Text), ("name", Type::Text), ("type", Type::Text), ("username", Type::Text)],
    defaults: &[],
    check: unchecked,
};

pub(super) static WECHAT: Schema = Schema {
    go_type: "config.plain",
    fields: &[
        ("agent_id", Type::Text),
        ("api_secret", Type::Secret),
        ("api_secret_file", Type::Text),
        ("api_url", Type::Url),
        ("corp_id", Type::Text),
        ("http_config", Type::Object(&super::http::HTTP)),
        ("message", Type::Text),
        ("message_type", Type::Text),
        ("send_resolved", Type::Bool),
        ("to_party", Type::Text),
        ("to_tag", Type::Text),
        ("to_user", Type::Text),
    ],
    defaults: &[
        ("send_resolved", Preset::Bool(false)),
        ("message", Preset::Text(r#"{{ template "wechat.default.message" . }}"#)),
        ("to_user", Preset::Text(r#"{{ template "wechat.default.to_user" . }}"#)),
        ("to_party", Preset::Text(r#"{{ template "wechat.default.to_party" . }}"#)),
        ("to_tag", Preset::Text(r#"{{ template "wechat.default.to_tag" . }}"#)),
        ("agent_id", Preset::Text(r#"{{ template "wechat.default.agent_id" . }}"#)),
    ],
    check: checks::wechat,
};

pub(super) static SLACK: Schema = Schema {
    go_type: "config.plain",
    fields: &[
        ("actions", Type::List(&SLACK_ACTION, "[]*config.SlackAction")),
        ("api_url", Type::SecretUrl),
        ("api_url_file", Type::Text),
        ("app_token", Type::Secret),
        ("app_token_file", Type::Text),
        ("app_url", Type::Url),
        ("callback_id", Type::Text),
        ("channel", Type::Text),
        ("color", Type::Text),
        ("fallback", Type::Text),
        ("fields", Type::List(&SLACK_FIELD, "[]*config.SlackField")),
        ("footer", Type::Text),
        ("http_config", Type::Object(&super::http::HTTP)),
        ("icon_emoji", Type::Text),
        ("icon_url", Type::Text),
        ("image_url", Type::Text),
        ("link_names", Type::Bool),
        ("message_text", Type::Text),
        ("mrkdwn_in", Type::Texts),
        ("pretext", Type::Text),
        ("send_resolved", Type::Bool),
        ("short_fields", Type::Bool),
        ("text", Type::Text),
        ("thumb_url", Type::Text),
        ("timeout", Type::GoDuration),
        ("title", Type::Text),
        ("title_link", Type::Text),
        ("update_message", Type::Bool),
        ("username", Type::Text),
    ],
    defaults: &[
        ("send_resolved", Preset::Bool(false)),
        ("color", Preset::Text(r#"{{ template "slack.default.color" . }}"#)),
        ("username", Preset::Text(r#"{{ template "slack.default.username" . }}"#)),
        ("title", Preset::Text(r#"{{ template "slack.default.title" . }}"#)),
        ("title_link", Preset::Text(r#"{{ template "slack.default.titlelink" . }}"#)),
        ("icon_emoji", Preset::Text(r#"{{ template "slack.default.iconemoji" . }}"#)),
        ("icon_url", Preset::Text(r#"{{ template "slack.default.iconurl" . }}"#)),
        ("pretext", Preset::Text(r#"{{ template "slack.default.pretext" . }}"#)),
        ("text", Preset::Text(r#"{{ template "slack.default.text" . }}"#)),
        ("fallback", Preset::Text(r#"{{ template "slack.default.fallback" . }}"#)),
        ("callback_id", Preset::Text(r#"{{ template "slack.default.callbackid" . }}"#)),
        ("footer", Preset::Text(r#"{{ template "slack.default.footer" . }}"#)),
    ],
    check: checks::slack,
};

pub(super) static SLACK_FIELD: Schema = Schema {
    go_type: "config.plain",
    fields: &[("short", Type::BoolIfAny), ("title", Type::Text), ("value", Type::Text)],
    defaults: &[],
    check: checks::slack_field,
};

pub(super) static SLACK_ACTION: Schema = Schema {
    go_type: "config.plain",
    fields: &[
        ("confirm", Type::Object(&SLACK_CONFIRMATION)),
        ("name", Type::Text),
        ("style", Type::Text),
        ("text", Type::Text),
        ("type", Type::Text),
        ("url", Type::Text),
        ("value", Type::Text),
    ],
    defaults: &[],
    check: checks::slack_action,
};

pub(super) static SLACK_CONFIRMATION: Schema = Schema {
    go_type: "config.plain",
    fields: &[
        ("dismiss_text", Type::Text),
        ("ok_text", Type::Text),
        ("text", Type::Text),
        ("title", Type::Text),
    ],
    defaults: &[],
    check: checks::slack_confirmation,
};

pub(super) static VICTOROPS: Schema = Schema {
    go_type: "config.plain",
    fields: &[
        ("api_key", Type::Secret),
        ("api_key_file", Type::Text),
        ("api_url", Type::Url),
        ("custom_fields", Type::TextMap),
        ("entity_display_name", Type::Text),
        ("http_config", Type::Object(&super::http::HTTP)),
        ("message_type", Type::Text),
        ("monitoring_tool", Type::Text),
        ("routing_key", Type::Text),
        ("send_resolved", Type::Bool),
        ("state_message", Type::Text),
    ],
    defaults: &[
        ("send_resolved", Preset::Bool(true)),
        ("message_type", Preset::Text(r#"CRITICAL"#)),
        ("state_message", Preset::Text(r#"{{ template "victorops.default.state_message" . }}"#)),
        ("entity_display_name", Preset::Text(r#"{{ template "victorops.default.entity_display_name" . }}"#)),
        ("monitoring_tool", Preset::Text(r#"{{ template "victorops.default.monitoring_tool" . }}"#)),
    ],
    check: checks::victorops,
};

pub(super) static PUSHOVER: Schema = Schema {
    go_type: "config.plain",
    fields: &[
        ("device", Type::Text),
        ("expire", Type::GoDurationText),
        ("html", Type::Bool),
        ("http_config", Type::Object(&super::http::HTTP)),
        ("message", Type::Text),
        ("monospace", Type::Bool),
        ("priority", Type::Text),
        ("retry", Type::GoDurationText),
        ("send_resolved", Type::Bool),
        ("sound", Type::Text),
        ("title", Type::Text),
        ("token", Type::Secret),
        ("token_file", Type::Text),
        ("ttl", Type::GoDurationText),
        ("url", Type::Text),
        ("url_title", Type::Text),
        ("user_key", Type::Secret),
        ("user_key_file", Type::Text),
    ],
    defaults: &[
        ("send_resolved", Preset::Bool(true)),
        ("title", Preset::Text(r#"{{ template "pushover.default.title" . }}"#)),
        ("message", Preset::Text(r#"{{ template "pushover.default.message" . }}"#)),
        ("url", Preset::Text(r#"{{ template "pushover.default.url" . }}"#)),
        ("priority", Preset::Text(r#"{{ if eq .Status "firing" }}2{{ else }}0{{ end }}"#)),
        ("retry", Preset::Ms(60_000)),
        ("expire", Preset::Ms(3_600_000)),
    ],
    check: checks::pushover,
};

pub(super) static SNS: Schema = Schema {
    go_type: "config.plain",
    fields: &[
        ("api_url", Type::Text),
        ("attributes", Type::TextMap),
        ("http_config", Type::Object(&super::http::HTTP)),
        ("message", Type::Text),
        ("phone_number", Type::Text),
        ("send_resolved", Type::Bool),
        ("sigv4", Type::Object(&SIGV4)),
        ("subject", Type::Text),
        ("target_arn", Type::Text),
        ("topic_arn", Type::Text),
        ("use_aws_http_client", Type::Bool),
    ],
    defaults: &[
        ("send_resolved", Preset::Bool(true)),
        ("subject", Preset::Text(r#"{{ template "sns.default.subject" . }}"#)),
        ("message", Preset::Text(r#"{{ template "sns.default.message" . }}"#)),
    ],
    check: checks::sns,
};

pub(super) static SIGV4: Schema = Schema {
    go_type: "sigv4.plain",
    fields: &[
        ("access_key", Type::Text),
        ("external_id", Type::Text),
        ("profile", Type::Text),
        ("region", Type::Text),
        ("role_arn", Type::Text),
        ("secret_key", Type::Secret),
        ("service_name", Type::Text),
        ("use_fips_sts_endpoint", Type::Bool),
    ],
    defaults: &[],
    check: checks::sigv4,
};

pub(super) static TELEGRAM: Schema = Schema {
    go_type: "config.plain",
    fields: &[
        ("api_url", Type::Url),
        ("bot_token", Type::Secret),
        ("bot_token_file", Type::Text),
        ("chat_id", Type::Int("int64")),
        ("chat_id_file", Type::Text),
        ("disable_notifications", Type::Bool),
        ("http_config", Type::Object(&super::http::HTTP)),
        ("message", Type::Text),
        ("message_thread_id", Type::Int("int")),
        ("parse_mode", Type::Text),
        ("send_resolved", Type::Bool),
    ],
    defaults: &[
        ("send_resolved", Preset::Bool(true)),
        ("message", Preset::Text(r#"{{ template "telegram.default.message" . }}"#)),
        ("parse_mode", Preset::Text(r#"HTML"#)),
    ],
    check: checks::telegram,
};

pub(super) static DISCORD: Schema = Schema {
    go_type: "discord.plain",
    fields: &[
        ("avatar_url", Type::Text),
        ("content", Type::Text),
        ("http_config", Type::Object(&super::http::HTTP)),
        ("message", Type::Text),
        ("send_resolved", Type::Bool),
        ("title", Type::Text),
        ("username", Type::Text),
        ("webhook_url", Type::SecretUrl),
        ("webhook_url_file", Type::Text),
    ],
    defaults: &[
        ("send_resolved", Preset::Bool(true)),
        ("title", Preset::Text(r#"{{ template "discord.default.title" . }}"#)),
        ("message", Preset::Text(r#"{{ template "discord.default.message" . }}"#)),
    ],
    check: checks::discord,
};

pub(super) static WEBEX: Schema = Schema {
    go_type: "config.plain",
    fields: &[
        ("api_url", Type::Url),
        ("http_config", Type::Object(&super::http::HTTP)),
        ("message", Type::Text),
        ("room_id", Type::Text),
        ("send_resolved", Type::Bool),
    ],
    defaults: &[
        ("send_resolved", Preset::Bool(true)),
        ("message", Preset::Text(r#"{{ template "webex.default.message" . }}"#)),
    ],
    check: checks::webex,
};

pub(super) static MSTEAMS: Schema = Schema {
    go_type: "msteams.plain",
    fields: &[
        ("http_config", Type::Object(&super::http::HTTP)),
        ("send_resolved", Type::Bool),
        ("summary", Type::Text),
        ("text", Type::Text),
        ("title", Type::Text),
        ("webhook_url", Type::SecretUrl),
        ("webhook_url_file", Type::Text),
    ],
    defaults: &[
        ("send_resolved", Preset::Bool(true)),
        ("title", Preset::Text(r#"{{ template "msteams.default.title" . }}"#)),
        ("summary", Preset::Text(r#"{{ template "msteams.default.summary" . }}"#)),
        ("text", Preset::Text(r#"{{ template "msteams.default.text" . }}"#)),
    ],
    check: checks::msteams,
};

pub(super) static MSTEAMSV2: Schema = Schema {
    go_type: "config.plain",
    fields: &[
        ("http_config", Type::Object(&super::http::HTTP)),
        ("send_resolved", Type::Bool),
        ("text", Type::Text),
        ("title", Type::Text),
        ("webhook_url", Type::SecretUrl),
        ("webhook_url_file", Type::Text),
    ],
    defaults: &[
        ("send_resolved", Preset::Bool(true)),
        ("title", Preset::Text(r#"{{ template "msteamsv2.default.title" . }}"#)),
        ("text", Preset::Text(r#"{{ template "msteamsv2.default.text" . }}"#)),
    ],
    check: checks::msteamsv2,
};

pub(super) static JIRA: Schema = Schema {
    go_type: "jira.plain",
    fields: &[
        ("api_type", Type::Text),
        ("api_url", Type::Url),
        ("description", Type::TextOr(&JIRA_FIELD, "template")),
        ("fields", Type::TreeMap),
        ("http_config", Type::Object(&super::http::HTTP)),
        ("issue_type", Type::Text),
        ("labels", Type::Texts),
        ("priority", Type::Text),
        ("project", Type::Text),
        ("reopen_duration", Type::Duration),
        ("reopen_transition", Type::Text),
        ("resolve_transition", Type::Text),
        ("send_resolved", Type::Bool),
        ("summary", Type::TextOr(&JIRA_FIELD, "template")),
        ("wont_fix_resolution", Type::Text),
    ],
    defaults: &[
        ("send_resolved", Preset::Bool(true)),
        ("api_type", Preset::Text(r#"auto"#)),
        ("priority", Preset::Text(r#"{{ template "jira.default.priority" . }}"#)),
    ],
    check: checks::jira,
};

pub(super) static JIRA_FIELD: Schema = Schema {
    go_type: "jira.plain",
    fields: &[("enable_update", Type::BoolIfAny), ("template", Type::Text)],
    defaults: &[],
    check: unchecked,
};

pub(super) static INCIDENTIO: Schema = Schema {
    go_type: "incidentio.plain",
    fields: &[
        ("alert_source_token", Type::Secret),
        ("alert_source_token_file", Type::Text),
        ("http_config", Type::Object(&super::http::HTTP)),
        ("max_alerts", Type::Int("uint64")),
        ("send_resolved", Type::Bool),
        ("timeout", Type::GoDuration),
        ("url", Type::Url),
        ("url_file", Type::Text),
    ],
    defaults: &[("send_resolved", Preset::Bool(true))],
    check: checks::incidentio,
};

pub(super) static ROCKETCHAT: Schema = Schema {
    go_type: "config.plain",
    fields: &[
        ("actions", Type::List(&ROCKETCHAT_ACTION, "[]*config.RocketchatAttachmentAction")),
        ("api_url", Type::Url),
        ("channel", Type::Text),
        ("color", Type::Text),
        ("emoji", Type::Text),
        ("fields", Type::List(&ROCKETCHAT_FIELD, "[]*config.RocketchatAttachmentField")),
        ("http_config", Type::Object(&super::http::HTTP)),
        ("icon_url", Type::Text),
        ("image_url", Type::Text),
        ("link_names", Type::Bool),
        ("send_resolved", Type::Bool),
        ("short_fields", Type::Bool),
        ("text", Type::Text),
        ("thumb_url", Type::Text),
        ("title", Type::Text),
        ("title_link", Type::Text),
        ("token", Type::SecretIfAny),
        ("token_file", Type::Text),
        ("token_id", Type::SecretIfAny),
        ("token_id_file", Type::Text),
    ],
    defaults: &[
        ("send_resolved", Preset::Bool(false)),
        ("color", Preset::Text(r#"{{ if eq .Status "firing" }}red{{ else }}green{{ end }}"#)),
        ("emoji", Preset::Text(r#"{{ template "rocketchat.default.emoji" . }}"#)),
        ("icon_url", Preset::Text(r#"{{ template "rocketchat.default.iconurl" . }}"#)),
        ("text", Preset::Text(r#"{{ template "rocketchat.default.text" . }}"#)),
        ("title", Preset::Text(r#"{{ template "rocketchat.default.title" . }}"#)),
        ("title_link", Preset::Text(r#"{{ template "rocketchat.default.titlelink" . }}"#)),
    ],
    check: checks::rocketchat,
};

pub(super) static ROCKETCHAT_FIELD: Schema = Schema {
    go_type: "config.RocketchatAttachmentField",
    fields: &[("short", Type::BoolIfAny), ("title", Type::Text), ("value", Type::Text)],
    defaults: &[],
    check: unchecked,
};

pub(super) static ROCKETCHAT_ACTION: Schema = Schema {
    go_type: "config.RocketchatAttachmentAction",
    fields: &[
        ("imageurl", Type::Text),
        ("iswebview", Type::Bool),
        ("msg", Type::Text),
        ("msginchatwindow", Type::Bool),
        ("msgprocessingtype", Type::Text),
        ("text", Type::Text),
        ("type", Type::Text),
        ("url", Type::Text),
        ("webviewheightratio", Type::Text),
    ],
    defaults: &[],
    check: unchecked,
};

pub(super) static MATTERMOST: Schema = Schema {
    go_type: "mattermost.plain",
    fields: &[
        ("attachments", Type::List(&MATTERMOST_ATTACHMENT, "[]*mattermost.MattermostAttachment")),
        ("author_icon", Type::Text),
        ("author_link", Type::Text),
        ("author_name", Type::Text),
        ("channel", Type::Text),
        ("color", Type::Text),
        ("fallback", Type::Text),
        ("fields", Type::List(&MATTERMOST_FIELD, "[]*mattermost.MattermostField")),
        ("footer", Type::Text),
        ("footer_icon", Type::Text),
        ("http_config", Type::Object(&super::http::HTTP)),
        ("icon_emoji", Type::Text),
        ("icon_url", Type::Text),
        ("image_url", Type::Text),
        ("pretext", Type::Text),
        ("priority", Type::Object(&MATTERMOST_PRIORITY)),
        ("props", Type::Object(&MATTERMOST_PROPS)),
        ("send_resolved", Type::Bool),
        ("text", Type::Text),
        ("thumb_url", Type::Text),
        ("title", Type::Text),
        ("title_link", Type::Text),
        ("type", Type::Text),
        ("username", Type::Text),
        ("webhook_url", Type::SecretUrl),
        ("webhook_url_file", Type::Text),
    ],
    defaults: &[
        ("send_resolved", Preset::Bool(true)),
        ("username", Preset::Text(r#"{{ template "mattermost.default.username" . }}"#)),
        ("color", Preset::Text(r#"{{ template "mattermost.default.color" . }}"#)),
        ("text", Preset::Text(r#"{{ template "mattermost.default.text" . }}"#)),
        ("title", Preset::Text(r#"{{ template "mattermost.default.title" . }}"#)),
        ("title_link", Preset::Text(r#"{{ template "mattermost.default.titlelink" . }}"#)),
        ("fallback", Preset::Text(r#"{{ template "mattermost.default.fallback" . }}"#)),
    ],
    check: checks::mattermost,
};

pub(super) static MATTERMOST_FIELD: Schema = Schema {
    go_type: "mattermost.plain",
    fields: &[("short", Type::BoolIfAny), ("title", Type::Text), ("value", Type::Text)],
    defaults: &[],
    check: checks::mattermost_field,
};

pub(super) static MATTERMOST_ATTACHMENT: Schema = Schema {
    go_type: "mattermost.MattermostAttachment",
    fields: &[
        ("author_icon", Type::Text),
        ("author_link", Type::Text),
        ("author_name", Type::Text),
        ("color", Type::Text),
        ("fallback", Type::Text),
        ("fields", Type::List(&MATTERMOST_FIELD, "[]*mattermost.MattermostField")),
        ("footer", Type::Text),
        ("footer_icon", Type::Text),
        ("image_url", Type::Text),
        ("pretext", Type::Text),
        ("text", Type::Text),
        ("thumb_url", Type::Text),
        ("title", Type::Text),
        ("title_link", Type::Text),
    ],
    defaults: &[],
    check: unchecked,
};

pub(super) static MATTERMOST_PROPS: Schema = Schema {
    go_type: "mattermost.MattermostProps",
    fields: &[("card", Type::Text)],
    defaults: &[],
    check: unchecked,
};

pub(super) static MATTERMOST_PRIORITY: Schema = Schema {
    go_type: "mattermost.MattermostPriority",
    fields: &[
        ("persistent_notifications", Type::Bool),
        ("priority", Type::Text),
        ("requested_ack", Type::Bool),
    ],
    defaults: &[],
    check: unchecked,
};
