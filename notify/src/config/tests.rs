use std::path::Path;

use super::*;

/// Documents and what Alertmanager 0.33.1 says of them: an empty text if it takes them. Recorded from `amtool check-config`.
const VERDICTS: &str = include_str!("verdicts.json");

fn told(text: &str) -> String {
    Config::read(text).err().map(|mistake| mistake.to_string()).unwrap_or_default()
}

#[test]
fn verdicts_are_those_of_alertmanager() {
    let verdicts: Vec<(String, String)> = serde_json::from_str(VERDICTS).expect("is JSON");
    assert!(verdicts.len() > 100, "{} verdicts", verdicts.len());
    let wrong: Vec<String> = verdicts
        .iter()
        .filter(|(text, expect)| told(text) != *expect)
        .map(|(text, expect)| format!("{text}expected: {expect}\nbut told: {}\n", told(text)))
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), verdicts.len(), wrong.join("\n"));
}

/// The files that stand beside the contract, with the verdicts of the same program.
#[test]
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where shared data lies")]
fn the_files_of_the_conformance_suite() {
    let Ok(root) = std::env::var("MAYFLY_CONFORMANCE") else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must set MAYFLY_CONFORMANCE");
        eprintln!("skipped: MAYFLY_CONFORMANCE does not name the folder with `alertmanager-config`");
        return;
    };
    let refused = [
        (
            "conf.mattermost-both-webhook-url-and-file",
            "at most one of mattermost_webhook_url & mattermost_webhook_url_file must be configured",
        ),
        ("conf.mattermost-no-webhook-url", "missing webhook_url or webhook_url_file on mattermost_config"),
        ("conf.nil-match_re-route", "invalid regexp value for \"invalid_label\""),
        ("conf.nil-source_match_re-inhibition", "invalid regexp value for \"invalid_source_label\""),
        (
            "conf.opsgenie-both-file-and-apikey",
            "at most one of opsgenie_api_key & opsgenie_api_key_file must be configured",
        ),
        ("conf.opsgenie-no-apikey", "no global OpsGenie API Key set either inline or in a file"),
        (
            "conf.rocketchat-both-tokenid-and-tokenidfile",
            "at most one of rocketchat_token_id & rocketchat_token_id_file must be configured",
        ),
        ("conf.rocketchat-no-token", "no global Rocketchat Token set either inline or in a file"),
        (
            "conf.slack-both-file-and-token",
            "at most one of slack_app_token & slack_app_token_file must be configured",
        ),
        (
            "conf.slack-both-url-and-token",
            "at most one of slack_app_token/slack_app_token_file & slack_api_url/slack_api_url_file must be configured",
        ),
        ("conf.slack-no-api-url-or-token", "no Slack API URL nor App token set either inline or in a file"),
        (
            "conf.slack-update-message-and-webhook",
            "update_message can only be used with bot tokens. api_url must be set to https://slack.com/api/chat.postMessage",
        ),
        (
            "conf.telegram-both-bot-token-and-file",
            "at most one of telegram_bot_token & telegram_bot_token_file must be configured",
        ),
        ("conf.telegram-no-bot-token", "missing bot_token or bot_token_file on telegram_config"),
        (
            "conf.victorops-both-file-and-apikey",
            "at most one of victorops_api_key & victorops_api_key_file must be configured",
        ),
        ("conf.victorops-no-apikey", "no global VictorOps API Key set"),
        (
            "conf.wechat-both-file-and-secret",
            "at most one of wechat_api_secret & wechat_api_secret_file must be configured",
        ),
        ("conf.wechat-no-api-secret", "no global Wechat Api Secret set either inline or in a file"),
        ("conf.bad", "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!str `BAD` into config.plain"),
    ];
    let mut seen = 0;
    for folder in ["alertmanager-config", "alertmanager-routing"] {
        for entry in std::fs::read_dir(Path::new(&root).join(folder)).expect("is there") {
            let path = entry.expect("is there").path();
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            let expect = refused.iter().find(|(file, _)| *file == name).map_or("", |(_, text)| text);
            assert_eq!(told(&std::fs::read_to_string(&path).expect("reads")), expect, "{name}");
            seen += 1;
        }
    }
    assert_eq!(seen, 35);
}

#[test]
fn receivers_take_what_is_global() {
    let config = Config::read(
        "
global: {smtp_smarthost: 'h:25', smtp_from: f, smtp_auth_password: p, opsgenie_api_key: k, http_config: {proxy_url: 'http://p'}}
route: {receiver: r}
receivers:
- name: r
  opsgenie_configs: [{api_url: 'https://o/x'}]
  email_configs: [{to: t}, {to: u, from: g, auth_password_file: q, require_tls: false, send_resolved: yes}]
  webhook_configs: [{url: 'http://w', http_config: {follow_redirects: false}, timeout: 5s}]
  rocketchat_configs: [{token: a, token_id: b}]
",
    )
    .expect("reads");
    let all = &config.receivers[0].integrations;
    let kinds: Vec<_> = all.iter().map(|i| (i.kind.name(), i.index, i.send_resolved)).collect();
    let expect = [
        ("webhook", 0, true),
        ("email", 0, false),
        ("email", 1, true),
        ("opsgenie", 0, true),
        ("rocketchat", 0, false),
    ];
    assert_eq!(kinds, expect);
    let [webhook, first, second, opsgenie, _] = all.as_slice() else { panic!("five") };
    let proxy =
        |settings: &Object| settings.object("http_config").expect("has one").text("proxy_url").to_owned();
    assert_eq!((proxy(&webhook.settings), proxy(&opsgenie.settings)), (String::new(), "http://p".to_owned()));
    assert_eq!(webhook.settings.duration_ms("timeout"), 5_000);
    let texts = |settings: &Object, names: [&str; 4]| names.map(|name| settings.text(name).to_owned());
    let names = ["smarthost", "from", "hello", "auth_password"];
    assert_eq!(texts(&first.settings, names), ["h:25", "f", "localhost", "p"]);
    assert_eq!(texts(&second.settings, names), ["h:25", "g", "localhost", ""]);
    assert_eq!(
        (first.settings.bool("require_tls"), second.settings.bool("require_tls")),
        (Some(true), Some(false))
    );
    assert_eq!(opsgenie.settings.text("api_url"), "https://o/x/");
}

#[test]
fn secrets_are_not_shown() {
    let config = Config::read(
        "
global: {slack_api_url: 'https://hidden', opsgenie_api_key: hidden, http_config: {basic_auth: {username: u, password: hidden}}}
route: {receiver: r}
receivers: [{name: r, slack_configs: [{channel: c}], webhook_configs: [{url: 'http://hidden'}]}]
",
    )
    .expect("reads");
    let shown = format!("{config:?}");
    assert!(!shown.contains("hidden") && shown.contains("<secret>"), "{shown}");
}

#[test]
fn what_has_no_effect_is_told() {
    let config = Config::read(
        "
tracing: {endpoint: x}
route: {receiver: r, routes: [{matchers: ['a=b c']}]}
receivers: [{name: r}]
",
    )
    .expect("reads");
    let [first, second] = config.warnings.as_slice() else { panic!("{:?}", config.warnings) };
    assert_eq!(first, "tracing has no effect");
    assert!(second.starts_with("matchers \"a=b c\" are read as a=\"b c\", as they used to be"), "{second}");
}
