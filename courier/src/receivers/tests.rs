//! What receivers are posted, beside what Alertmanager posted by the same configuration for the same alerts.

use std::path::Path;
use std::sync::Arc;

use alert::NotificationTemplates;
use model::Labels;
use notify::{Config, Dispatcher, Intent, Received, State};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::{Letter, Sender, recipient};
use crate::courier::SEND_TIME_MAX;
use crate::tests::Hook;

const CONFIG: &str = include_str!("golden/alertmanager.yml");
const POSTED: &str = include_str!("golden/posted.json");

/// The alerts of a file that compares: two that began in January, and were over an hour later.
fn alerts(at_ms: i64, are_over: bool) -> Vec<Received> {
    const STARTS_MS: i64 = 1_767_323_045_000;
    let alert =
        |i: &str, annotations: &[(&str, &str)], starts_ms: i64, ends_ms: i64, generator_url: &str| Received {
            labels: Labels::from_pairs([
                ("alertname", "A"),
                ("i", i),
                ("severity", "critical"),
                ("job", "j"),
            ]),
            annotations: Labels::from_pairs(annotations.iter().copied()),
            starts_at_ms: Some(starts_ms),
            ends_at_ms: are_over.then_some(ends_ms),
            generator_url: generator_url.to_owned(),
            at_ms,
        };
    let hour_ms = 3_600_000;
    vec![
        alert(
            "1",
            &[("s", "t <&> ü"), ("summary", "sum")],
            STARTS_MS + 100,
            STARTS_MS + hour_ms + 250,
            "http://g/x",
        ),
        alert("2", &[("summary", "sum")], STARTS_MS, STARTS_MS + hour_ms, ""),
    ]
}

/// What each integration is to be told, first of alerts that fire and then of their end.
pub(super) fn intents(config: &Config) -> [Vec<Intent>; 2] {
    let dispatcher = Dispatcher::new(config);
    let (mut state, mut at_ms) = (State::default(), 1_795_843_790_000);
    [false, true].map(|are_over| {
        let intents = dispatcher.tick(&mut state, alerts(at_ms, are_over), at_ms);
        for intent in &intents {
            dispatcher.settle(&mut state, intent.id, notify::Outcome::Sent, at_ms);
        }
        at_ms += 10_000;
        intents
    })
}

pub(super) fn letter(intent: &Intent) -> Letter<'_> {
    Letter {
        intent,
        external_url: "http://am.example/x",
        now_ms: intent.flushed_at_ms,
        timeout: SEND_TIME_MAX,
    }
}

pub(super) fn senders(config: &Config) -> Vec<(String, usize, Box<dyn Sender>)> {
    let templates = Arc::new(NotificationTemplates::new(&[]).expect("parses"));
    let all = config.receivers[0].integrations.iter().map(|integration| {
        let made = recipient(integration.kind, &integration.settings, &templates, Path::new("/"));
        let sender = made.unwrap_or_else(|unfit| panic!("{unfit:?}")).sender;
        (integration.kind.name().to_owned(), integration.index, sender)
    });
    all.collect()
}

/// Method, path, who asks, and body.
type Posted = (String, String, String, String);

fn posted(request: &str) -> Posted {
    let (head, body) = request.split_once("\r\n\r\n").expect("has a body");
    let mut words = head.split_whitespace();
    let mut word = || words.next().expect("a request line").to_owned();
    let who = head.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap_or("");
    // of a signature, whose it is
    let who = who.split("/2").next().unwrap_or("").to_owned();
    (word(), word(), who, body.to_owned())
}

#[tokio::test]
async fn what_is_posted_is_what_alertmanager_posts() {
    let golden: std::collections::BTreeMap<String, Vec<Posted>> =
        serde_json::from_str(POSTED).expect("is JSON");
    // Slack takes text, Telegram JSON, and both any JSON that does not say no
    let hook = Hook::answering(&[200]).await;
    let base = hook.url.trim_end_matches("/hook");
    let config = Config::read(&CONFIG.replace("URL", base)).expect("reads");
    let senders = senders(&config);
    let mut seen = 0;
    for (intents, expect) in intents(&config).into_iter().zip(["firing", "resolved"]) {
        assert_eq!(intents.len(), senders.len());
        for intent in &intents {
            let (_, _, sender) = senders
                .iter()
                .find(|(kind, index, _)| (kind, *index) == (&intent.kind, intent.index))
                .expect("there is one");
            sender.send(&letter(intent)).await.unwrap_or_else(|error| panic!("{}: {error}", intent.kind));
        }
        let requests = hook.requests();
        let mut found: Vec<Posted> = requests[seen..].iter().map(|request| posted(request)).collect();
        seen = requests.len();
        found.sort();
        let mut expected = golden[expect].clone();
        expected.sort();
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected);
        }
        assert_eq!(found.len(), expected.len());
    }
}

/// Takes one mail after the other, and what was said for each of them.
async fn mail_server() -> (String, Arc<std::sync::Mutex<Vec<(Vec<String>, String)>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let place = listener.local_addr().expect("has an address").to_string();
    let taken: Arc<std::sync::Mutex<Vec<_>>> = Arc::default();
    let seen = Arc::clone(&taken);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let mut stream = BufReader::new(socket);
            let (mut said, mut mail) = (Vec::new(), String::new());
            let mut answer = "220 here\r\n";
            loop {
                stream.get_mut().write_all(answer.as_bytes()).await.expect("writes");
                let mut line = String::new();
                stream.read_line(&mut line).await.expect("reads");
                let command = line.trim_end().to_owned();
                answer = match command.split(' ').next().unwrap_or("") {
                    "EHLO" => "250-here\r\n250-8BITMIME\r\n250 AUTH LOGIN PLAIN\r\n",
                    "AUTH" | "dQ==" => "334 VXNlcg==\r\n",
                    "cA==" => "235 welcome\r\n",
                    "DATA" => "354 go on\r\n",
                    _ => "250 good\r\n",
                };
                let is_over = command == "QUIT";
                said.push(command);
                if said.last().is_some_and(|last| last == "DATA") {
                    stream.get_mut().write_all(answer.as_bytes()).await.expect("writes");
                    while !mail.ends_with("\r\n.\r\n") {
                        stream.read_line(&mut mail).await.expect("reads");
                    }
                    answer = "250 taken\r\n";
                }
                if is_over {
                    break;
                }
            }
            seen.lock().expect("no panic").push((said, mail));
        }
    });
    (place, taken)
}

/// A mail without what is different each time: headers in order, and a boundary of its own.
fn comparable(mail: &str) -> (Vec<String>, String) {
    let mail = mail.replace("\r\n", "\n");
    let (head, body) = mail.split_once("\n\n").expect("has a body");
    let boundary = head.split_once("boundary=").expect("has a boundary").1.lines().next().unwrap_or("");
    let is_same = |line: &&str| !line.starts_with("Message-Id: ") && !line.starts_with("Date: ");
    let mut lines: Vec<String> =
        head.lines().filter(is_same).map(|line| line.replace(boundary, "B")).collect();
    lines.sort();
    (lines, body.replace(boundary, "B").trim_end_matches(".\n").to_owned())
}

#[tokio::test]
async fn mails_are_those_of_alertmanager() {
    let (place, taken) = mail_server().await;
    let text = include_str!("golden/mail.yml").replace("SMARTHOST", &place);
    let config = Config::read(&text).expect("reads");
    let [_, resolved] = intents(&config);
    for (intent, (_, _, sender)) in resolved.iter().zip(senders(&config)) {
        sender.send(&letter(intent)).await.expect("is taken");
    }
    // the server writes down a mail when it has heard the end
    while taken.lock().expect("no panic").len() < 2 {
        tokio::task::yield_now().await;
    }
    let taken = taken.lock().expect("no panic").clone();
    let login = ["EHLO h.x", "AUTH LOGIN", "dQ==", "cA==", "MAIL FROM:<am@x.y>", "RCPT TO:<a@b.c>"];
    assert_eq!(taken[0].0, [&login[..], &["RCPT TO:<d@e.f>", "DATA", "QUIT"]].concat());
    assert_eq!(taken[1].0, [&login[..], &["DATA", "QUIT"]].concat());
    for ((_, mail), expect) in
        taken.iter().zip([include_str!("golden/mail-0.eml"), include_str!("golden/mail-1.eml")])
    {
        assert_eq!(comparable(mail), comparable(expect));
        assert!(mail.contains("\r\nDate: Sat, 28 Nov 2026 05:30:00 +0000\r\n"), "{}", &mail[..500]);
    }
}

#[tokio::test]
async fn a_mail_is_not_given_without_the_tls_that_is_asked_for() {
    let (place, _) = mail_server().await;
    let text = include_str!("golden/mail.yml").replace("SMARTHOST", &place);
    let config = Config::read(&text.replace("require_tls: false", "require_tls: true")).expect("reads");
    let [firing, _] = intents(&config);
    let error = senders(&config)[0].2.send(&letter(&firing[0])).await.expect_err("is not given");
    assert_eq!(error.to_string(), "'require_tls' is true (default), but the server does not offer STARTTLS");
    assert!(error.may_be_tried());
}

#[tokio::test]
async fn what_is_too_long_is_cut_as_alertmanager_cuts_it() {
    let hook = Hook::answering(&[200]).await;
    let base = hook.url.trim_end_matches("/hook");
    let long = "'{{ .CommonAnnotations.l }}'";
    let text = format!(
        "route: {{receiver: a}}\nreceivers:\n- name: a\n  \
         slack_configs: [{{api_url: '{base}/slack', channel: c, title: {long}}}]\n  \
         pagerduty_configs: [{{url: '{base}/pd', routing_key: k, description: {long}}}]\n  \
         opsgenie_configs: [{{api_url: '{base}/ops/', api_key: k, message: {long}, description: d}}]\n  \
         sns_configs: [{{api_url: '{base}/sns', phone_number: '1', sigv4: {{region: r, access_key: a, secret_key: b}}, message: {long}}}]\n  \
         telegram_configs: [{{api_url: '{base}', bot_token: h, chat_id: 1, message: {long}}}, \
         {{api_url: '{base}', bot_token: t, chat_id: 1, message: {long}, parse_mode: ''}}]\n  \
         discord_configs: [{{webhook_url: '{base}/discord', title: {long}, message: {long}, content: {long}}}]\n"
    );
    let config = Config::read(&text).expect("reads");
    let alert = notify::StoredAlert {
        labels: Labels::from_pairs([("alertname", "A")]),
        annotations: Labels::from_pairs([("l", "ü".repeat(300_000))]),
        starts_at_ms: 0,
        ends_at_ms: 1_000_000_000_000,
        updated_at_ms: 0,
        is_timeout: false,
        generator_url: String::new(),
    };
    let intent = crate::tests::intent("a", vec![alert]);
    for (_, _, sender) in senders(&config) {
        sender.send(&letter(&intent)).await.expect("is taken");
    }
    let requests: Vec<Posted> = hook.requests().iter().map(|request| posted(request)).collect();
    let body = |path: &str| {
        let found = requests.iter().find(|request| request.1 == path);
        found.unwrap_or_else(|| panic!("{path}: {}", requests.len())).3.clone()
    };
    let cut = |chars: usize| format!("\"{}…\"", "ü".repeat(chars));
    assert!(body("/slack").contains(&format!("\"title\":{}", cut(1023))));
    let event = body("/pd");
    assert!(event.contains(&format!("\"summary\":{}", cut(1023))));
    assert!(event.contains(
        "\"custom_details\":{\"error\":\"Custom details have been removed because the original event exceeds the maximum size of 512KB\"}"
    ));
    assert!(body("/ops/v2/alerts").contains(&format!("\"message\":{}", cut(129))));
    let sms = body("/sns");
    assert!(sms.contains(&format!("&Message={}&", "%C3%BC".repeat(800))), "{}", &sms[..200]);
    assert!(sms.contains("Attributes.entry.1.Name=truncated&"), "{}", &sms[sms.len() - 300..]);
    assert!(
        body("/both/sendMessage").contains("message length exceeds Telegram limits.\\n\\t\\t\\tPlease check")
    );
    assert!(body("/bott/sendMessage").contains(&format!("\"text\":{}", cut(4095))));
    let message = body("/discord");
    for (field, chars) in [("content", 1999), ("title", 255), ("description", 4095)] {
        assert!(message.contains(&format!("\"{field}\":{}", cut(chars))), "{field}");
    }
}
