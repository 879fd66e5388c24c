//! What Lambda hands to a function, told apart by its shape: HTTP of three kinds, messages of a queue, anything else.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// Fields of every event that is known. Those of one source do not contradict those of another.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Event {
    pub(crate) version: Option<String>,
    pub(crate) raw_path: Option<String>,
    pub(crate) raw_query_string: Option<String>,
    pub(crate) cookies: Option<Vec<String>>,
    pub(crate) http_method: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) query_string_parameters: Option<BTreeMap<String, Option<String>>>,
    pub(crate) multi_value_query_string_parameters: Option<BTreeMap<String, Vec<String>>>,
    pub(crate) headers: Option<BTreeMap<String, Option<String>>>,
    pub(crate) multi_value_headers: Option<BTreeMap<String, Vec<String>>>,
    pub(crate) request_context: Option<RequestContext>,
    pub(crate) body: Option<String>,
    pub(crate) is_base64_encoded: Option<bool>,
    #[serde(rename = "Records")]
    pub(crate) records: Option<Vec<Record>>,
}

/// What the source says about a request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RequestContext {
    pub(crate) http: Option<Http>,
    pub(crate) stage: Option<String>,
    pub(crate) elb: Option<IgnoredAny>,
}

/// Part of payload format 2.0.
#[derive(Debug, Deserialize)]
pub(crate) struct Http {
    pub(crate) method: String,
}

/// A message of a queue.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Record {
    pub(crate) message_id: Option<String>,
    pub(crate) body: Option<String>,
    pub(crate) attributes: Option<BTreeMap<String, String>>,
    pub(crate) event_source: Option<String>,
    #[serde(rename = "eventSourceARN")]
    pub(crate) event_source_arn: Option<String>,
}

/// Who asks over HTTP, and so what an answer looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A Function URL, or an HTTP API with payload format 2.0.
    Payload2,
    /// A REST API, or an HTTP API with payload format 1.0.
    Rest,
    /// An Application Load Balancer; whether its target group has multi-value headers.
    Alb {
        /// Whether it has.
        multi_value: bool,
    },
}

/// An event that asks over HTTP.
#[derive(Debug)]
pub struct HttpEvent {
    pub(crate) source: Source,
    pub(crate) method: String,
    pub(crate) event: Event,
}

/// An event of no source that the function has.
#[derive(Debug, thiserror::Error)]
#[error("the event is none that this function takes: expected {expected}; it has {has}")]
pub struct UnknownEvent {
    expected: &'static str,
    has: String,
}

impl Event {
    /// Whether it comes from a queue.
    pub fn is_batch(&self) -> bool {
        self.records.is_some()
    }

    /// Whether it asks over HTTP.
    pub fn is_http(&self) -> bool {
        let context = self.request_context.as_ref();
        context.is_some_and(|context| context.http.is_some()) || self.http_method.is_some()
    }

    /// Itself as a request.
    ///
    /// # Errors
    /// If it does not ask over HTTP.
    pub fn http(mut self) -> Result<HttpEvent, UnknownEvent> {
        let context = self.request_context.as_mut();
        let (http, is_alb) = match context {
            Some(context) => (context.http.take(), context.elb.is_some()),
            None => (None, false),
        };
        if let Some(Http { method }) = http {
            return Ok(HttpEvent { source: Source::Payload2, method, event: self });
        }
        let multi_value = self.multi_value_headers.is_some();
        match self.http_method.take() {
            Some(method) if is_alb => {
                Ok(HttpEvent { source: Source::Alb { multi_value }, method, event: self })
            }
            Some(method) => Ok(HttpEvent { source: Source::Rest, method, event: self }),
            None => Err(self.unknown(
                "a request by a Function URL, API Gateway or a load balancer (requestContext.http or httpMethod)",
            )),
        }
    }

    /// For whoever does the same whatever the event says.
    ///
    /// # Errors
    /// If it asks for something in particular: over HTTP or from a queue.
    pub fn tick(&self) -> Result<(), UnknownEvent> {
        match self.is_http() || self.is_batch() {
            true => {
                Err(self.unknown("an event of EventBridge, or any other that asks for nothing in particular"))
            }
            false => Ok(()),
        }
    }

    /// The error for whoever expected something else.
    pub fn unknown(&self, expected: &'static str) -> UnknownEvent {
        let known = [
            ("version", self.version.is_some()),
            ("rawPath", self.raw_path.is_some()),
            ("path", self.path.is_some()),
            ("httpMethod", self.http_method.is_some()),
            ("headers", self.headers.is_some()),
            ("requestContext", self.request_context.is_some()),
            ("Records", self.records.is_some()),
        ];
        let fields: Vec<&str> = known.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
        let has = if fields.is_empty() { "no field that is known".to_owned() } else { fields.join(", ") };
        UnknownEvent { expected, has }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_by_shape() {
        let check = |json: &str, expect: Option<(Source, &str)>| {
            let event: Event = serde_json::from_str(json).expect("an event");
            let is_http = event.is_http();
            let found = event.http();
            assert_eq!(found.as_ref().ok().map(|event| (event.source, &*event.method)), expect, "{json}");
            assert_eq!(is_http, expect.is_some());
        };
        check(r#"{"requestContext":{"http":{"method":"PUT"}}}"#, Some((Source::Payload2, "PUT")));
        check(r#"{"httpMethod":"GET","requestContext":{"stage":"x"}}"#, Some((Source::Rest, "GET")));
        let alb = r#"{"httpMethod":"GET","requestContext":{"elb":{"targetGroupArn":"x"}}}"#;
        check(alb, Some((Source::Alb { multi_value: false }, "GET")));
        let alb = r#"{"httpMethod":"GET","requestContext":{"elb":{}},"multiValueHeaders":{}}"#;
        check(alb, Some((Source::Alb { multi_value: true }, "GET")));
        check(r#"{"Records":[]}"#, None);
        check(r#"{"source":"aws.scheduler","detail-type":"x","detail":{}}"#, None);
        check(r#"{"requestContext":null,"headers":null,"body":null}"#, None);
    }

    #[test]
    fn what_is_unknown_says_what_it_has() {
        let event: Event = serde_json::from_str(r#"{"Records":[],"version":"0"}"#).expect("an event");
        let told = event.unknown("a tick").to_string();
        assert!(told.contains("expected a tick; it has version, Records"), "{told}");
        let told = Event::default().unknown("a tick").to_string();
        assert!(told.contains("no field that is known"), "{told}");
    }
}
