//! Parameters of a request: those of the URL, and of a form in the body.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::header;
use http_body_util::{BodyExt, Limited};

use super::answer::ApiError;
use super::time::{parse_step_ms, parse_time_ms};

/// A form may have so many bytes.
pub(super) const FORM_BYTES_MAX: usize = 10 << 20;

/// Names and values, those of the form first.
#[derive(Debug, Default)]
pub struct Parameters(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Parameters {
    type Rejection = ApiError;

    async fn from_request(request: Request<Body>, _state: &S) -> Result<Self, ApiError> {
        let (head, body) = request.into_parts();
        let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_form = content_type
            .is_some_and(|value| value.trim_start().starts_with("application/x-www-form-urlencoded"));
        let mut pairs = Vec::new();
        if is_form && matches!(head.method, http::Method::POST | http::Method::PUT) {
            let limited = Limited::new(body, FORM_BYTES_MAX).collect().await;
            let bytes = limited.map_err(|error| match error.is::<http_body_util::LengthLimitError>() {
                true => ApiError::bad_data(format!(
                    "error parsing form values: http: POST too large, at most {FORM_BYTES_MAX} bytes are allowed"
                )),
                false => ApiError::bad_data(format!("error parsing form values: {error}")),
            })?;
            pairs.extend(decode(&bytes.to_bytes())?);
        }
        pairs.extend(decode(head.uri.query().unwrap_or("").as_bytes())?);
        Ok(Self(pairs))
    }
}

/// Takes `a=b&c=d` apart.
fn decode(form: &[u8]) -> Result<Vec<(String, String)>, ApiError> {
    let pairs = form.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let end_of_name = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
            let value = pair.get(end_of_name + 1..).unwrap_or(b"");
            Ok((unescape(&pair[..end_of_name])?, unescape(value)?))
        })
        .collect()
}

/// `+` is a space, `%41` is a byte.
fn unescape(text: &[u8]) -> Result<String, ApiError> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'+' => out.push(b' '),
            b'%' => {
                let code = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
                let Some(byte) = code.and_then(|code| u8::from_str_radix(code, 16).ok()) else {
                    return Err(ApiError::bad_data("error parsing form values: invalid URL escape"));
                };
                out.push(byte);
                rest = &tail[2..];
            }
            other => out.push(*other),
        }
    }
    String::from_utf8(out).map_err(|_| ApiError::bad_data("error parsing form values: invalid UTF-8"))
}

impl Parameters {
    /// The first value of a parameter; empty if it is not there.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// All values of a parameter, in order.
    pub fn all<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A time that must be there.
    pub(super) fn time_ms(&self, name: &str) -> Result<i64, ApiError> {
        parse_time_ms(self.get(name)).map_err(|reason| ApiError::parameter(name, reason))
    }

    /// A time, or what stands for it. Prometheus words what is wrong with it otherwise than where it must be there.
    pub(super) fn time_ms_or(&self, name: &str, default_ms: i64) -> Result<i64, ApiError> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(default_ms);
        }
        let told = |reason| ApiError::parameter(name, format!("invalid time value for '{name}': {reason}"));
        parse_time_ms(text).map_err(told)
    }

    /// A duration that must be there.
    pub(super) fn duration_ms(&self, name: &str) -> Result<i64, ApiError> {
        parse_step_ms(self.get(name)).map_err(|reason| ApiError::parameter(name, reason))
    }

    /// A duration, if it is there.
    pub(super) fn optional_duration_ms(&self, name: &str) -> Result<Option<i64>, ApiError> {
        if self.get(name).is_empty() { Ok(None) } else { self.duration_ms(name).map(Some) }
    }

    /// How many results are wanted; `None` is all.
    pub(super) fn limit(&self) -> Result<Option<usize>, ApiError> {
        let text = self.get("limit");
        if text.is_empty() {
            return Ok(None);
        }
        let limit = whole_number(text).map_err(|reason| {
            ApiError::parameter("limit", format!("strconv.Atoi: parsing {text:?}: {reason}"))
        })?;
        match usize::try_from(limit) {
            Ok(0) => Ok(None),
            Ok(limit) => Ok(Some(limit)),
            Err(_) => Err(ApiError::parameter("limit", "limit must be non-negative")),
        }
    }

    /// Whether something is asked for.
    pub(super) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.get(name) {
            "" | "0" | "false" => Ok(false),
            "1" | "true" => Ok(true),
            other => Err(ApiError::parameter(name, format!("{other:?} is neither true nor false"))),
        }
    }

    /// How many results are wanted, where a negative number, or none, is all.
    pub(super) fn count_or_all(&self, name: &str) -> Result<Option<usize>, ApiError> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(None);
        }
        let count = whole_number(text).map_err(|_| ApiError::bad_data(format!("{name} must be a number")))?;
        Ok(usize::try_from(count).ok())
    }
}

/// As Go reads a whole number, and in its words.
fn whole_number(text: &str) -> Result<i64, &'static str> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    text.parse().map_err(|error: std::num::ParseIntError| match error.kind() {
        PosOverflow | NegOverflow => "value out of range",
        _ => "invalid syntax",
    })
}
