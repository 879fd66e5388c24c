//! Receivers: whom notifications go to.

use yaml::Node;

use super::error::refused;
use super::schema::{Fields, Object, Schema, Stop, Value};
use super::{checks, fields};

/// A receiver: a name, and everyone who is notified by it.
#[derive(Clone, Debug, PartialEq)]
pub struct Receiver {
    /// The name that routes use.
    pub name: String,
    /// In the order in which Alertmanager builds them.
    pub integrations: Vec<Integration>,
}

/// One way in which a receiver is notified.
#[derive(Clone, Debug, PartialEq)]
pub struct Integration {
    /// What kind it is.
    pub kind: Kind,
    /// Its place among those of its kind in the receiver.
    pub index: usize,
    /// Whether it is told of alerts that are over.
    pub send_resolved: bool,
    /// Its fields, with defaults and what is global put in.
    pub settings: Object,
}

macro_rules! kinds {
    ($($variant:ident, $name:literal, $schema:ident, $go_list:literal;)*) => {
        /// The kinds of receivers that Alertmanager has, in the order in which it builds them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)]
        pub enum Kind { $($variant,)* }

        impl Kind {
            /// All kinds, in their order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in notification logs and metrics: `webhook`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The name in the file: `webhook_configs`.
            pub fn field(self) -> &'static str {
                match self { $(Self::$variant => concat!($name, "_configs"),)* }
            }

            fn schema(self) -> (&'static Schema, &'static str) {
                match self { $(Self::$variant => (&fields::$schema, $go_list),)* }
            }
        }
    };
}

kinds! {
    Webhook, "webhook", WEBHOOK, "[]*webhook.WebhookConfig";
    Email, "email", EMAIL, "[]*config.EmailConfig";
    Pagerduty, "pagerduty", PAGERDUTY, "[]*config.PagerdutyConfig";
    Opsgenie, "opsgenie", OPSGENIE, "[]*config.OpsGenieConfig";
    Wechat, "wechat", WECHAT, "[]*config.WechatConfig";
    Slack, "slack", SLACK, "[]*config.SlackConfig";
    Victorops, "victorops", VICTOROPS, "[]*config.VictorOpsConfig";
    Pushover, "pushover", PUSHOVER, "[]*config.PushoverConfig";
    Sns, "sns", SNS, "[]*config.SNSConfig";
    Telegram, "telegram", TELEGRAM, "[]*config.TelegramConfig";
    Discord, "discord", DISCORD, "[]*discord.DiscordConfig";
    Webex, "webex", WEBEX, "[]*config.WebexConfig";
    Msteams, "msteams", MSTEAMS, "[]*msteams.MSTeamsConfig";
    Msteamsv2, "msteamsv2", MSTEAMSV2, "[]*config.MSTeamsV2Config";
    Jira, "jira", JIRA, "[]*jira.JiraConfig";
    Incidentio, "incidentio", INCIDENTIO, "[]*incidentio.IncidentioConfig";
    Rocketchat, "rocketchat", ROCKETCHAT, "[]*config.RocketchatConfig";
    Mattermost, "mattermost", MATTERMOST, "[]*mattermost.MattermostConfig";
}

/// The order in which Alertmanager looks for what is missing.
const CHECK_ORDER: [Kind; 18] = [
    Kind::Webhook,
    Kind::Email,
    Kind::Slack,
    Kind::Pushover,
    Kind::Pagerduty,
    Kind::Incidentio,
    Kind::Opsgenie,
    Kind::Wechat,
    Kind::Victorops,
    Kind::Sns,
    Kind::Telegram,
    Kind::Discord,
    Kind::Webex,
    Kind::Msteams,
    Kind::Msteamsv2,
    Kind::Jira,
    Kind::Rocketchat,
    Kind::Mattermost,
];

/// A receiver as it stands in the file: objects of its kinds, or nothing where the file says null.
pub(super) struct RawReceiver {
    name: String,
    configs: Vec<(Kind, Vec<Option<Object>>)>,
}

pub(super) fn read(fields: &mut Fields, node: &Node) -> Result<Vec<RawReceiver>, Stop> {
    let mut receivers = Vec::new();
    for item in fields.yaml.items(node, "[]config.Receiver") {
        let before = fields.yaml.mistakes();
        let mut receiver = RawReceiver { name: String::new(), configs: Vec::new() };
        let is_null = item.is_null();
        for (key, value) in fields.yaml.entries(&item, "config.plain")? {
            match (&*key.0, Kind::ALL.iter().find(|kind| *key.0 == *kind.field())) {
                ("name", _) => receiver.name = fields.yaml.string(&value),
                ("labels", _) => _ = fields.yaml.string_map(&value)?,
                (_, Some(kind)) => {
                    let (schema, go_list) = kind.schema();
                    receiver.configs.push((*kind, fields.list(&value, schema, go_list)?));
                }
                _ => fields.yaml.unknown(&key, "config.plain"),
            }
        }
        if receiver.name.is_empty() && fields.yaml.mistakes() == before && !is_null {
            return Err(Stop::from("missing name in receiver".to_owned()));
        }
        receivers.push(receiver);
    }
    Ok(receivers)
}

impl RawReceiver {
    /// Puts in what is global, and refuses what is then still missing.
    pub(super) fn complete(mut self, global: &Object) -> Result<Receiver, String> {
        let mut integrations = Vec::new();
        for kind in CHECK_ORDER {
            let configs = self.configs.iter_mut().filter(|(found, _)| *found == kind);
            let configs = configs.flat_map(|(_, configs)| std::mem::take(configs));
            for (index, config) in configs.enumerate() {
                let settings = complete(kind, config, global)?;
                let send_resolved = settings.is_true("send_resolved");
                integrations.push(Integration { kind, index, send_resolved, settings });
            }
        }
        integrations.sort_by_key(|integration| (integration.kind, integration.index));
        Ok(Receiver { name: self.name, integrations })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

fn complete(kind: Kind, config: Option<Object>, global: &Object) -> Result<Object, String> {
    let mut settings = match config {
        Some(settings) => settings,
        // as Alertmanager has it, some kinds can do without any setting of their own
        None if matches!(kind, Kind::Slack | Kind::Opsgenie | Kind::Wechat | Kind::Rocketchat) => {
            Object::default()
        }
        None => return refused(format!("missing {} config", kind.name())),
    };
    match kind {
        Kind::Email => email(&mut settings, global)?,
        Kind::Slack => slack(&mut settings, global)?,
        Kind::Pagerduty => url(&mut settings, global, "url", "pagerduty_url", "PagerDuty")?,
        Kind::Opsgenie => {
            url(&mut settings, global, "api_url", "opsgenie_api_url", "OpsGenie")?;
            end_with_slash(&mut settings);
            inherit_both(&mut settings, global, "api_key", "opsgenie_api_key");
            require(&settings, "api_key", "no global OpsGenie API Key set either inline or in a file")?;
        }
        Kind::Wechat => {
            url(&mut settings, global, "api_url", "wechat_api_url", "Wechat")?;
            inherit_pair(&mut settings, global, "api_secret", "wechat_api_secret");
            require(&settings, "api_secret", "no global Wechat Api Secret set either inline or in a file")?;
            settings.inherit("corp_id", global, "wechat_api_corp_id");
            if !settings.is_set("corp_id") {
                return refused("no global Wechat CorpID set");
            }
            end_with_slash(&mut settings);
        }
        Kind::Victorops => {
            url(&mut settings, global, "api_url", "victorops_api_url", "VictorOps")?;
            end_with_slash(&mut settings);
            inherit_both(&mut settings, global, "api_key", "victorops_api_key");
            require(&settings, "api_key", "no global VictorOps API Key set")?;
        }
        Kind::Telegram => {
            settings.inherit("api_url", global, "telegram_api_url");
            inherit_pair(&mut settings, global, "bot_token", "telegram_bot_token");
            require(&settings, "bot_token", "missing bot_token or bot_token_file on telegram_config")?;
        }
        Kind::Webex => url(&mut settings, global, "api_url", "webex_api_url", "Webex")?,
        Kind::Jira => url(&mut settings, global, "api_url", "jira_api_url", "Jira Cloud")?,
        Kind::Rocketchat => {
            settings.inherit("api_url", global, "rocketchat_api_url");
            for (name, global_name, shown) in
                [("token_id", "rocketchat_token_id", "TokenID"), ("token", "rocketchat_token", "Token")]
            {
                inherit_both(&mut settings, global, name, global_name);
                if !settings.has(name) && !settings.is_set(&format!("{name}_file")) {
                    return refused(format!("no global Rocketchat {shown} set either inline or in a file"));
                }
            }
        }
        Kind::Mattermost => {
            inherit_pair(&mut settings, global, "webhook_url", "mattermost_webhook_url");
            let missing = "missing webhook_url or webhook_url_file on mattermost_config";
            require(&settings, "webhook_url", missing)?;
        }
        Kind::Webhook
        | Kind::Pushover
        | Kind::Incidentio
        | Kind::Sns
        | Kind::Discord
        | Kind::Msteams
        | Kind::Msteamsv2 => {}
    }
    if kind != Kind::Email {
        settings.inherit("http_config", global, "http_config");
    }
    Ok(settings)
}

fn email(settings: &mut Object, global: &Object) -> Result<(), String> {
    for (name, from, missing) in [
        ("tls_config", "smtp_tls_config", None),
        ("smarthost", "smtp_smarthost", Some("no global SMTP smarthost set")),
        ("from", "smtp_from", Some("no global SMTP from set")),
        ("hello", "smtp_hello", None),
        ("auth_username", "smtp_auth_username", None),
        ("auth_identity", "smtp_auth_identity", None),
        ("require_tls", "smtp_require_tls", None),
        ("force_implicit_tls", "smtp_force_implicit_tls", None),
    ] {
        settings.inherit(name, global, from);
        if let Some(missing) = missing.filter(|_| !settings.is_set(name)) {
            return refused(missing);
        }
    }
    inherit_pair(settings, global, "auth_password", "smtp_auth_password");
    inherit_both(settings, global, "auth_secret", "smtp_auth_secret");
    Ok(())
}

fn slack(settings: &mut Object, global: &Object) -> Result<(), String> {
    url(settings, global, "app_url", "slack_app_url", "Slack App")?;
    let has_url = |settings: &Object| settings.has("api_url") || settings.is_set("api_url_file");
    let has_token = |settings: &Object| settings.is_set("app_token") || settings.is_set("app_token_file");
    if !has_token(settings) && !checks::has_authorization(settings) && !settings.has("api_url") {
        inherit_pair(settings, global, "app_token", "slack_app_token");
    }
    if !has_url(settings) {
        inherit_pair(settings, global, "api_url", "slack_api_url");
    }
    if !has_url(settings) && !has_token(settings) {
        return refused("no Slack API URL nor App token set either inline or in a file");
    }
    settings.inherit("http_config", global, "http_config");
    if has_token(settings) {
        if checks::has_authorization(settings) {
            return refused("http authorization can't be set when using Slack App tokens");
        }
        let app_url = settings.text("app_url").to_owned();
        settings.set("api_url", Value::Secret(app_url));
    }
    Ok(())
}

fn url(
    settings: &mut Object,
    global: &Object,
    name: &'static str,
    from: &str,
    shown: &str,
) -> Result<(), String> {
    settings.inherit(name, global, from);
    if settings.has(name) { Ok(()) } else { refused(format!("no global {shown} URL set")) }
}

/// The path of a URL to which more is added ends in a slash.
fn end_with_slash(settings: &mut Object) {
    let url = settings.text("api_url").to_owned();
    let path_end = url.find(['?', '#']).unwrap_or(url.len());
    if !url[..path_end].ends_with('/') {
        settings.set("api_url", Value::Text(format!("{}/{}", &url[..path_end], &url[path_end..])));
    }
}

/// A secret and the file that may hold it, each for itself.
fn inherit_both(settings: &mut Object, global: &Object, name: &'static str, from: &str) {
    settings.inherit(name, global, from);
    if let Some(file) = file_of(name) {
        settings.inherit(file, global, &format!("{from}_file"));
    }
}

/// A secret and the file that may hold it, if there is neither.
fn inherit_pair(settings: &mut Object, global: &Object, name: &'static str, from: &str) {
    if !settings.is_set(name) && file_of(name).is_none_or(|file| !settings.is_set(file)) {
        inherit_both(settings, global, name, from);
    }
}

fn require(settings: &Object, name: &str, missing: &str) -> Result<(), String> {
    let has = settings.is_set(name) || file_of(name).is_some_and(|file| settings.is_set(file));
    if has { Ok(()) } else { refused(missing) }
}

fn file_of(name: &str) -> Option<&'static str> {
    const FILES: [&str; 9] = [
        "api_key_file",
        "api_secret_file",
        "api_url_file",
        "app_token_file",
        "auth_password_file",
        "auth_secret_file",
        "bot_token_file",
        "token_file",
        "token_id_file",
    ];
    let twin = format!("{name}_file");
    FILES.into_iter().chain(["webhook_url_file"]).find(|file| *file == twin)
}
