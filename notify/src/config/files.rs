//! Files that receivers' settings name, and what somebody else knows to be in them.

use super::Config;
use super::schema::{Object, Value};

/// A file that a receiver's settings name.
#[derive(Clone, Copy, Debug)]
pub struct NamedFile<'a> {
    /// The receiver's name.
    pub receiver: &'a str,
    /// Where in its settings: `slack_configs[0].api_url_file`.
    pub field: &'a str,
    /// What stands there.
    pub file: &'a str,
}

impl Config {
    /// Asks of each file that receivers name what is in it. What is known then stands in the field as a secret, and the file is
    /// not read; what is not known stays a file.
    pub fn fill_files(&mut self, known: &mut dyn FnMut(NamedFile<'_>) -> Option<String>) {
        for receiver in &mut self.receivers {
            for integration in &mut receiver.integrations {
                let field = format!("{}[{}]", integration.kind.field(), integration.index);
                let mut of_receiver =
                    |field: &str, file: &str| known(NamedFile { receiver: &receiver.name, field, file });
                fill(&mut integration.settings, &field, &mut of_receiver);
            }
        }
    }
}

fn fill(object: &mut Object, place: &str, known: &mut dyn FnMut(&str, &str) -> Option<String>) {
    let mut found = Vec::new();
    for (name, value) in object.fields_mut() {
        let field = format!("{place}.{name}");
        match value {
            Value::Text(file) if name.ends_with("_file") && !file.is_empty() => {
                if let Some(text) = known(&field, file) {
                    *value = Value::Secret(text);
                }
            }
            // of a header
            Value::Texts(files) if name == "files" => files.retain(|file| match known(&field, file) {
                Some(text) => {
                    found.push(text);
                    false
                }
                None => true,
            }),
            Value::Object(below) => fill(below, &field, known),
            Value::Objects(below) => {
                for (key, object) in below {
                    fill(object, &format!("{field}.{key}"), known);
                }
            }
            Value::List(below) => {
                for (index, object) in below.iter_mut().enumerate() {
                    fill(object, &format!("{field}[{index}]"), known);
                }
            }
            _ => {}
        }
    }
    if !found.is_empty() {
        let mut secrets = match object.get("secrets") {
            Some(Value::Secrets(secrets)) => secrets.clone(),
            _ => Vec::new(),
        };
        secrets.extend(found);
        object.set("secrets", Value::Secrets(secrets));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_asked_for_by_their_fields() {
        let text = "global: {slack_api_url_file: env:SLACK}\n\
                    route: {receiver: r}\n\
                    receivers:\n\
                    - name: r\n  \
                      slack_configs: [{}]\n  \
                      webhook_configs:\n  \
                      - url_file: hook\n    \
                        http_config:\n      \
                          http_headers: {X-Key: {files: [env:KEY, key]}}\n      \
                          basic_auth: {username: u, password_file: env:PASSWORD}\n      \
                          tls_config: {ca_file: env:CA}\n";
        let mut config = Config::read(text).expect("reads");
        let mut asked = Vec::new();
        config.fill_files(&mut |file| {
            asked.push(format!("{} {} {}", file.receiver, file.field, file.file));
            file.file.starts_with("env:").then(|| "s3cret".to_owned())
        });
        asked.sort();
        assert_eq!(
            asked,
            [
                "r slack_configs[0].api_url_file env:SLACK",
                "r webhook_configs[0].http_config.basic_auth.password_file env:PASSWORD",
                "r webhook_configs[0].http_config.http_headers.X-Key.files env:KEY",
                "r webhook_configs[0].http_config.http_headers.X-Key.files key",
                "r webhook_configs[0].http_config.tls_config.ca_file env:CA",
                "r webhook_configs[0].url_file hook",
            ]
        );
        let integrations = &config.receivers[0].integrations;
        let (webhook, slack) = (&integrations[0].settings, &integrations[1].settings);
        assert_eq!(slack.get("api_url_file"), Some(&Value::Secret("s3cret".to_owned())));
        assert_eq!(webhook.get("url_file"), Some(&Value::Text("hook".to_owned())));
        let shown = format!("{:?}", config.receivers);
        assert!(!shown.contains("s3cret") && shown.contains("<secret>"), "{shown}");
    }
}
