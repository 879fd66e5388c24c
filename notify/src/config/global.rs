//! `global`: what receivers take where they say nothing themselves.

use super::error::refused;
use super::schema::{Object, Preset, Schema, Type, unchecked};

pub(super) static GLOBAL: Schema = Schema {
    go_type: "config.plain",
    fields: &[
        ("http_config", Type::Object(&super::http::HTTP)),
        ("jira_api_url", Type::Url),
        ("mattermost_webhook_url", Type::SecretUrl),
        ("mattermost_webhook_url_file", Type::Text),
        ("opsgenie_api_key", Type::Secret),
        ("opsgenie_api_key_file", Type::Text),
        ("opsgenie_api_url", Type::Url),
        ("pagerduty_url", Type::Url),
        ("resolve_timeout", Type::Duration),
        ("rocketchat_api_url", Type::Url),
        ("rocketchat_token", Type::SecretIfAny),
        ("rocketchat_token_file", Type::Text),
        ("rocketchat_token_id", Type::SecretIfAny),
        ("rocketchat_token_id_file", Type::Text),
        ("slack_api_url", Type::SecretUrl),
        ("slack_api_url_file", Type::Text),
        ("slack_app_token", Type::Secret),
        ("slack_app_token_file", Type::Text),
        ("slack_app_url", Type::Url),
        ("smtp_auth_identity", Type::Text),
        ("smtp_auth_password", Type::Secret),
        ("smtp_auth_password_file", Type::Text),
        ("smtp_auth_secret", Type::Secret),
        ("smtp_auth_secret_file", Type::Text),
        ("smtp_auth_username", Type::Text),
        ("smtp_force_implicit_tls", Type::BoolIfAny),
        ("smtp_from", Type::Text),
        ("smtp_hello", Type::Text),
        ("smtp_require_tls", Type::Bool),
        ("smtp_smarthost", Type::HostPort),
        ("smtp_tls_config", Type::Object(&super::http::TLS)),
        ("telegram_api_url", Type::Url),
        ("telegram_bot_token", Type::Secret),
        ("telegram_bot_token_file", Type::Text),
        ("victorops_api_key", Type::Secret),
        ("victorops_api_key_file", Type::Text),
        ("victorops_api_url", Type::Url),
        ("webex_api_url", Type::Url),
        ("wechat_api_corp_id", Type::Text),
        ("wechat_api_secret", Type::Secret),
        ("wechat_api_secret_file", Type::Text),
        ("wechat_api_url", Type::Url),
    ],
    defaults: &[
        ("resolve_timeout", Preset::Ms(300_000)),
        ("smtp_hello", Preset::Text("localhost")),
        ("smtp_require_tls", Preset::Bool(true)),
        ("pagerduty_url", Preset::Text("https://events.pagerduty.com/v2/enqueue")),
        ("opsgenie_api_url", Preset::Text("https://api.opsgenie.com/")),
        ("wechat_api_url", Preset::Text("https://qyapi.weixin.qq.com/cgi-bin/")),
        (
            "victorops_api_url",
            Preset::Text("https://alert.victorops.com/integrations/generic/20131114/alert/"),
        ),
        ("telegram_api_url", Preset::Text("https://api.telegram.org")),
        ("webex_api_url", Preset::Text("https://webexapis.com/v1/messages")),
        ("rocketchat_api_url", Preset::Text("https://open.rocket.chat/")),
        ("slack_app_url", Preset::Text("https://slack.com/api/chat.postMessage")),
    ],
    check: unchecked,
};

/// The global settings of a file that has none.
pub(super) fn defaults() -> Object {
    let mut global = Object::of_defaults(&GLOBAL);
    global.set("http_config", super::schema::Value::Object(Object::of_defaults(&super::http::HTTP)));
    global.set("smtp_tls_config", super::schema::Value::Object(Object::default()));
    global
}

/// What must hold between the global settings.
pub(super) fn check(global: &Object) -> Result<(), String> {
    one_of(global, "slack_app_token", "slack_app_token_file")?;
    one_of(global, "slack_api_url", "slack_api_url_file")?;
    let either = |name: &str, file: &str| global.is_set(name) || global.is_set(file);
    // a URL of the app's own has been a way to say it before there were tokens
    if either("slack_app_token", "slack_app_token_file")
        && either("slack_api_url", "slack_api_url_file")
        && global.text("slack_api_url") != global.text("slack_app_url")
    {
        return refused(
            "at most one of slack_app_token/slack_app_token_file & slack_api_url/slack_api_url_file must be \
             configured",
        );
    }
    for name in [
        "opsgenie_api_key",
        "victorops_api_key",
        "telegram_bot_token",
        "smtp_auth_password",
        "rocketchat_token",
        "rocketchat_token_id",
        "smtp_auth_secret",
        "wechat_api_secret",
        "mattermost_webhook_url",
    ] {
        one_of(global, name, &format!("{name}_file"))?;
    }
    Ok(())
}

fn one_of(global: &Object, name: &str, file: &str) -> Result<(), String> {
    super::schema::at_most_one(global, name, file)
}
