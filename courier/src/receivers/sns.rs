//! Amazon SNS: `Publish`, signed.

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use config::{Auth, Secret, SigV4};
use edge::Authorization;
use http::Method;
use notify::Object;

use super::connection::{Connection, checked};
use super::text::{Parser, Text, Told};
use super::{Letter, SendError, Sender, Unfit, group_hash};

const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// What a message may have, and one by SMS.
const MESSAGE_BYTES_MAX: usize = 256 << 10;
const SMS_BYTES_MAX: usize = 1600;

/// SNS refuses a subject that is longer than this, or that is not printable ASCII.
const SUBJECT_CHARS_MAX: usize = 100;

pub(super) struct Sns {
    connection: Connection,
    authorization: Authorization,
    region: String,
    api_url: Text,
    topic: Text,
    target: Text,
    phone: Text,
    subject: Text,
    has_subject: bool,
    message: Text,
    attributes: BTreeMap<String, Text>,
}

impl Sns {
    pub(super) fn new(parser: Parser<'_>, folder: &Path) -> Result<Self, Unfit> {
        let settings = parser.settings;
        let none = Object::default();
        let sigv4 = settings.object("sigv4").unwrap_or(&none);
        if !sigv4.text("service_name").is_empty() || sigv4.is_true("use_fips_sts_endpoint") {
            return Err(Unfit::Unsupported(
                "with sigv4.service_name or sigv4.use_fips_sts_endpoint".to_owned(),
            ));
        }
        let given = |name: &str| Some(sigv4.text(name).to_owned()).filter(|text| !text.is_empty());
        let secret_key = || Secret::Inline(sigv4.text("secret_key").to_owned());
        let auth = Auth::SigV4(SigV4 {
            region: given("region"),
            keys: given("access_key").map(|key| (key, secret_key())),
            profile: given("profile"),
            role_arn: given("role_arn"),
            external_id: given("external_id"),
        });
        Ok(Self {
            connection: Connection::new(settings, folder)?,
            authorization: Authorization::new(auth, folder).signing("sns", CONTENT_TYPE),
            region: sigv4.text("region").to_owned(),
            api_url: parser.text("api_url")?,
            topic: parser.text("topic_arn")?,
            target: parser.text("target_arn")?,
            phone: parser.text("phone_number")?,
            subject: parser.text("subject")?,
            has_subject: !settings.text("subject").is_empty(),
            message: parser.text("message")?,
            attributes: parser.map("attributes")?,
        })
    }

    fn form(&self, letter: &Letter<'_>, told: &Told) -> Result<BTreeMap<String, String>, SendError> {
        let mut form = BTreeMap::new();
        let mut add = |name: &str, value: String| form.insert(name.to_owned(), value);
        add("Action", "Publish".to_owned());
        add("Version", "2010-03-31".to_owned());
        let (topic, target, phone) =
            (self.topic.expand(told)?, self.target.expand(told)?, self.phone.expand(told)?);
        let bytes_max = if phone.is_empty() { MESSAGE_BYTES_MAX } else { SMS_BYTES_MAX };
        if topic.ends_with(".fifo") {
            let hash = group_hash(letter);
            add("MessageDeduplicationId", hash.clone());
            add("MessageGroupId", hash);
        }
        for (name, value) in [("TopicArn", topic), ("TargetArn", target), ("PhoneNumber", phone)] {
            if !value.is_empty() {
                add(name, value);
            }
        }
        if self.has_subject {
            add("Subject", subject(&self.subject.expand(told)?));
        }
        let (message, is_cut) = cut_bytes(self.message.expand(told)?, bytes_max);
        add("Message", message);
        let mut attributes = BTreeMap::new();
        for (name, text) in &self.attributes {
            attributes.insert(name.clone(), text.expand(told)?);
        }
        if is_cut {
            attributes.insert("truncated".to_owned(), "true".to_owned());
        }
        for (number, (name, value)) in (1..).zip(attributes) {
            let entry = format!("MessageAttributes.entry.{number}");
            add(&format!("{entry}.Name"), name);
            add(&format!("{entry}.Value.DataType"), "String".to_owned());
            add(&format!("{entry}.Value.StringValue"), value);
        }
        Ok(form)
    }
}

/// What SNS takes of a subject: printable ASCII in one line.
fn subject(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_fine = !text.contains(|c: char| !(' '..='~').contains(&c)) && text.len() < SUBJECT_CHARS_MAX;
    if is_fine {
        return text.to_owned();
    }
    let shown = line.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' });
    shown.take(SUBJECT_CHARS_MAX - 1).collect()
}

/// As many whole characters as have room in `max` bytes; and whether there were more.
fn cut_bytes(text: String, max: usize) -> (String, bool) {
    if text.len() <= max {
        return (text, false);
    }
    let end = text.floor_char_boundary(max);
    (text[..end].to_owned(), true)
}

fn encoded(form: &BTreeMap<String, String>) -> String {
    let pairs = form.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// As Go escapes what stands in a query.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            b' ' => escaped.push('+'),
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[async_trait]
impl Sender for Sns {
    async fn send(&self, letter: &Letter<'_>) -> Result<(), SendError> {
        let told = Told::of(letter);
        let body = encoded(&self.form(letter, &told)?).into_bytes();
        let url = match self.api_url.expand(&told)? {
            none if none.is_empty() => {
                let region = match self.region.as_str() {
                    "" => self.authorization.region().await?.unwrap_or_default(),
                    given => given.to_owned(),
                };
                format!("https://sns.{region}.amazonaws.com/")
            }
            url => url,
        };
        let headers = self.authorization.headers(&url, &body).await?;
        let asked = self.connection.ask(Method::POST, &url, CONTENT_TYPE, headers, body, letter.timeout);
        let (status, answer) = asked.await?;
        checked(status, answer, &[]).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_what_sns_takes() {
        assert_eq!(subject("[FIRING:1] a  (b)"), "[FIRING:1] a  (b)");
        assert_eq!(subject("a é\nb"), "a ? b");
        assert_eq!(subject(&"x".repeat(200)).len(), 99);
    }

    #[test]
    fn forms_are_escaped_as_go_does() {
        let form = BTreeMap::from([("a b".to_owned(), "c+é\n~*".to_owned())]);
        assert_eq!(encoded(&form), "a+b=c%2B%C3%A9%0A~%2A");
    }
}
