use std::fs;

use super::*;
use crate::go::quote;
use crate::testing::conformance;

/// 2026-01-02T03:04:05Z
const AT_MS: i64 = 1_767_323_045_000;

fn expand(text: &str, form: Form, notification: &Notification) -> String {
    let templates = NotificationTemplates::new(&[]).expect("parses");
    match templates.parse(text, form) {
        Ok(template) => template.expand(notification, AT_MS).unwrap_or_else(|error| format!("ERROR {error}")),
        Err(error) => format!("PARSE {error}"),
    }
}

/// What Go printed for the same templates and the same notification.
#[test]
fn outputs_of_go() {
    let Some(folder) = conformance("templates") else { return };
    let text = fs::read_to_string(folder.join("cases.json")).expect("reads");
    let cases: serde_json::Value = serde_json::from_str(&text).expect("is JSON");
    let mut data = cases["am"].clone();
    let names = data.as_object_mut().expect("an object");
    for (go, json) in [
        ("Receiver", "receiver"),
        ("Status", "status"),
        ("Alerts", "alerts"),
        ("GroupLabels", "groupLabels"),
        ("CommonLabels", "commonLabels"),
        ("CommonAnnotations", "commonAnnotations"),
        ("ExternalURL", "externalURL"),
    ] {
        let value = names.remove(go).expect("a field");
        names.insert(json.to_owned(), value);
    }
    let notification = Notification::from_json(&data.to_string()).expect("reads");
    let mut count = 0;
    let mut wrong = Vec::new();
    for case in cases["cases"].as_array().expect("cases").iter().filter(|case| case["data"] == "am") {
        let field = |name: &str| case[name].as_str().expect("a text");
        let got = expand(field("template"), Form::Plain, &notification);
        if got != field("go_output") {
            wrong.push(format!(
                "{}: {} instead of {}",
                field("name"),
                quote(&got),
                quote(field("go_output"))
            ));
        }
        count += 1;
    }
    assert_eq!((wrong, count), (Vec::new(), 15));
}

/// What the differential test cannot ask, since the real program says it otherwise, or not at all.
#[test]
fn values_of_a_notification() {
    let text = r#"{"receiver": "a b", "status": "firing", "externalURL": "http://am", "alerts": [
        {"status": "firing", "labels": {"z": "1", "alertname": "A", "b": "<2>"}, "startsAt": "2026-01-02T03:04:05.5+01:00",
         "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://g?a=b&c=d"}]}"#;
    let notification = Notification::from_json(text).expect("reads");
    let check = |text: &str, form: Form, expect: &str| {
        assert_eq!(expand(text, form, &notification), expect, "{text}");
    };
    let plain = |text: &str, expect: &str| check(text, Form::Plain, expect);
    plain("{{ .CommonLabels }}|{{ .Alerts.Resolved }}|{{ if .CommonLabels }}some{{ end }}", "|[]|");
    plain(
        "{{ (index .Alerts 0).Labels.SortedPairs }} {{ (index .Alerts 0).Labels }}",
        "alertname=A, b=<2>, z=1 alertname=A, b=<2>, z=1",
    );
    plain(
        "{{ (index .Alerts 0).EndsAt.IsZero }} {{ (index .Alerts 0).StartsAt }}",
        "true 2026-01-02 02:04:05.5 +0000 UTC",
    );
    plain(r#"{{ (index .Alerts 0).StartsAt | tz "America/New_York" | date "15:04 MST" }}"#, "21:04 EST");
    plain("{{ .GroupLabels.Values.Join \"-\" }}", "");
    plain(
        "{{ .Nope }}",
        "ERROR template: :1:3: executing \"\" at <.Nope>: can't evaluate field Nope in type template.Data",
    );
    plain("{{ humanize 1.0 }}", "PARSE template: :1: function \"humanize\" not defined");
    let html = |text: &str, expect: &str| check(text, Form::Html, expect);
    html(
        "<a href=\"{{ (index .Alerts 0).GeneratorURL }}\">{{ (index .Alerts 0).Labels.b }}</a>",
        "<a href=\"http://g?a=b&amp;c=d\">&lt;2&gt;</a>",
    );
    html("{{ safeHtml \"<b>\" }}<a href=\"?r={{ .Receiver | urlquery }}\">", "<b><a href=\"?r=a&#43;b\">");
    let unfinished = expand("<a href=\"", Form::Html, &notification);
    assert!(
        unfinished.starts_with("ERROR html/template: ends in a non-text context: {stateURL"),
        "{unfinished}"
    );
}

#[test]
fn definitions_of_files_take_precedence() {
    let files = [("a.tmpl".to_owned(), "{{ define \"__alertmanager\" }}ours{{ end }}".to_owned())];
    let templates = NotificationTemplates::new(&files).expect("parses");
    let text = "{{ template \"slack.default.username\" . }}{{ define \"__alertmanager\" }}mine{{ end }}";
    let expand = |text: &str| {
        let template = templates.parse(text, Form::Plain).expect("parses");
        template.expand(&Notification::default(), 0).expect("expands")
    };
    assert_eq!(expand("{{ template \"slack.default.username\" . }}"), "ours");
    assert_eq!(expand(text), "mine");
    assert_eq!(expand("{{ template \"slack.default.username\" . }}"), "ours");
    let broken = NotificationTemplates::new(&[("b.tmpl".to_owned(), "\n{{ nope }}".to_owned())]);
    assert_eq!(broken.expect_err("is none").to_string(), "template: b.tmpl:2: function \"nope\" not defined");
}
