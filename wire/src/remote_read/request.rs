//! What is asked for.

use std::str;

use model::{MatchOp, Matcher, MatcherError};

use crate::fields::{FieldError, Fields};

/// A request to read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadRequest {
    /// Each is answered by itself.
    pub queries: Vec<Query>,
    /// The numbers of the forms of an answer that the client takes, the best first.
    pub accepted: Vec<u64>,
}

/// Which series are asked for, and of which time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// The first millisecond.
    pub start_ms: i64,
    /// The last millisecond.
    pub end_ms: i64,
    /// What labels must match.
    pub matchers: Vec<Matcher>,
    /// What the samples are for.
    pub hints: Option<Hints>,
}

/// What a client does with the samples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// The first millisecond of what it looks at.
    pub start_ms: i64,
    /// The last millisecond of it.
    pub end_ms: i64,
    /// The function that they are for: `series` if it wants labels only.
    pub function: String,
}

/// A body that cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum ReadRequestError {
    /// It is not this message.
    #[error(transparent)]
    Message(#[from] FieldError),
    /// It has more queries than are answered at once.
    #[error("more than {queries_max} queries in a request")]
    TooManyQueries {
        /// The limit.
        queries_max: usize,
    },
    /// Matchers are equal or not, by text or by expression.
    #[error("invalid matcher type")]
    MatcherType,
    /// A matcher with a bad regular expression.
    #[error(transparent)]
    Matcher(#[from] MatcherError),
    /// None of the forms of an answer is known.
    #[error(
        "server does not support any of the requested response types: [{}]; supported: map[SAMPLES:{{}} STREAMED_XOR_CHUNKS:{{}}]",
        accepted.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
    )]
    ResponseTypes {
        /// Their numbers.
        accepted: Vec<u64>,
    },
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseType {
    /// All samples, in one message.
    Samples,
    /// Chunks of samples, in frames.
    StreamedXorChunks,
}

impl ReadRequest {
    /// Prometheus sends one query at a time.
    pub const QUERIES_MAX: usize = 100;

    /// Reads an inflated body.
    ///
    /// # Errors
    /// If it is no such message, or asks for what there is not.
    pub fn decode(body: &[u8]) -> Result<Self, ReadRequestError> {
        let mut request = Self::default();
        let mut fields = Fields::of(body);
        while let Some((tag, field)) = fields.next()? {
            match tag {
                1 if request.queries.len() >= Self::QUERIES_MAX => {
                    return Err(ReadRequestError::TooManyQueries { queries_max: Self::QUERIES_MAX });
                }
                1 => request.queries.push(query(field.bytes("Queries")?)?),
                2 => field.uints_up_to("AcceptedResponseTypes", 100, &mut request.accepted)?,
                _ => {}
            }
        }
        Ok(request)
    }

    /// The first form that both sides know.
    ///
    /// # Errors
    /// If there is none.
    pub fn response_type(&self) -> Result<ResponseType, ReadRequestError> {
        let known = self.accepted.iter().find_map(|number| match number {
            0 => Some(ResponseType::Samples),
            1 => Some(ResponseType::StreamedXorChunks),
            _ => None,
        });
        match known {
            None if self.accepted.is_empty() => Ok(ResponseType::Samples),
            None => Err(ReadRequestError::ResponseTypes { accepted: self.accepted.clone() }),
            Some(known) => Ok(known),
        }
    }
}

fn query(message: &[u8]) -> Result<Query, ReadRequestError> {
    let mut query = Query::default();
    let mut fields = Fields::of(message);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            1 => query.start_ms = field.int("StartTimestampMs")?,
            2 => query.end_ms = field.int("EndTimestampMs")?,
            3 => query.matchers.push(matcher(field.bytes("Matchers")?)?),
            4 => query.hints = Some(hints(field.bytes("Hints")?)?),
            _ => {}
        }
    }
    Ok(query)
}

fn matcher(message: &[u8]) -> Result<Matcher, ReadRequestError> {
    let (mut number, mut name, mut value) = (0, "", "");
    let mut fields = Fields::of(message);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            1 => number = field.uint("Type")?,
            2 => name = text("Name", field.bytes("Name")?)?,
            3 => value = text("Value", field.bytes("Value")?)?,
            _ => {}
        }
    }
    let op = match number {
        0 => MatchOp::Equal,
        1 => MatchOp::NotEqual,
        2 => MatchOp::Regex,
        3 => MatchOp::NotRegex,
        _ => return Err(ReadRequestError::MatcherType),
    };
    Ok(Matcher::new(name, op, value)?)
}

fn hints(message: &[u8]) -> Result<Hints, ReadRequestError> {
    let mut hints = Hints::default();
    let mut fields = Fields::of(message);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            2 => hints.function = text("Func", field.bytes("Func")?)?.to_owned(),
            3 => hints.start_ms = field.int("StartMs")?,
            4 => hints.end_ms = field.int("EndMs")?,
            _ => {}
        }
    }
    Ok(hints)
}

fn text<'a>(field: &'static str, bytes: &'a [u8]) -> Result<&'a str, FieldError> {
    str::from_utf8(bytes).map_err(|_| FieldError::NotUtf8(field))
}
