//! Requests and responses, and how they stand on the wire.

use std::io::{self, BufRead, Read, Write};

/// More than any test sends; a length above it is a mistake in the test.
const BODY_BYTES_MAX: usize = 256 << 20;
const HEAD_BYTES_MAX: u64 = 1 << 20;

/// Header fields in the order of the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    /// The first field of this name, in any case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Adds a field.
    pub fn push(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    fn is_framing(name: &str) -> bool {
        ["content-length", "transfer-encoding", "connection"].iter().any(|f| name.eq_ignore_ascii_case(f))
    }
}

/// A request with its whole body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// In capitals.
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    /// Without the fields that frame the body; those are written and read by this module.
    pub headers: Headers,
    /// After chunks are put together.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without fields or body.
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Headers::default(),
            body: Vec::new(),
        }
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// With this field added.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(name, value);
        self
    }

    /// The target up to the question mark.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(&self.target, |(path, _)| path)
    }

    /// The target behind the question mark; empty where there is none.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    pub(super) fn write(&self, host: &str, to: &mut impl Write) -> io::Result<()> {
        let mut text =
            format!("{} {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n", self.method, self.target);
        write_rest(&mut text, &self.headers, &self.body, to)
    }

    /// The next request of a connection; `None` where the other side has closed it.
    pub(super) fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some((first, headers)) = read_head(from)? else {
            return Ok(None);
        };
        let mut words = first.split(' ');
        let (Some(method), Some(target), Some(_)) = (words.next(), words.next(), words.next()) else {
            return Err(invalid(&format!("no request line: {first:?}")));
        };
        let (method, target) = (method.to_owned(), target.to_owned());
        let body = read_body(from, &headers, false)?;
        Ok(Some(Self { method, target, headers, body }))
    }
}

/// A response with its whole body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Three digits.
    pub status: u16,
    /// As in [`Request`].
    pub headers: Headers,
    /// After chunks are put together.
    pub body: Vec<u8>,
}

impl Response {
    /// A response without fields or body.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Headers::default(), body: Vec::new() }
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// With this field added.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(name, value);
        self
    }

    /// The body as text, whatever it holds.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> io::Result<serde_json::Value> {
        serde_json::from_slice(&self.body).map_err(|err| invalid(&format!("no JSON: {err}: {}", self.text())))
    }

    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let mut text = format!("HTTP/1.1 {} .\r\n", self.status);
        write_rest(&mut text, &self.headers, &self.body, to)
    }

    /// Reads an answer, of a connection that may stay open.
    ///
    /// # Errors
    /// If it is none, or ends early.
    pub fn read(from: &mut impl BufRead) -> io::Result<Self> {
        Self::read_to("GET", from)
    }

    /// The same, to a request of this method: an answer to HEAD has no body, whatever its head says.
    pub(super) fn read_to(method: &str, from: &mut impl BufRead) -> io::Result<Self> {
        loop {
            let (first, headers) = read_head(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
            let status: u16 = status.ok_or_else(|| invalid(&format!("no status line: {first:?}")))?;
            if status == 100 {
                continue;
            }
            let is_bare = method == "HEAD" || status == 204 || status == 304;
            let body = if is_bare { Vec::new() } else { read_body(from, &headers, true)? };
            return Ok(Self { status, headers, body });
        }
    }
}

/// Head and body in one write: two would wait for each other (Nagle against delayed ACK, 40 ms on loopback).
fn write_rest(head: &mut String, headers: &Headers, body: &[u8], to: &mut impl Write) -> io::Result<()> {
    for (name, value) in headers.0.iter().filter(|(name, _)| !Headers::is_framing(name)) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    let mut bytes = std::mem::take(head).into_bytes();
    bytes.extend_from_slice(body);
    to.write_all(&bytes)?;
    to.flush()
}

fn read_head(from: &mut impl BufRead) -> io::Result<Option<(String, Headers)>> {
    let mut limited = from.take(HEAD_BYTES_MAX);
    let mut line = || -> io::Result<Option<String>> {
        let mut bytes = Vec::new();
        if limited.read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        let text = String::from_utf8(bytes).map_err(|_| invalid("a head that is not UTF-8"))?;
        Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
    };
    let Some(first) = line()? else { return Ok(None) };
    let mut headers = Headers::default();
    loop {
        let field = line()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if field.is_empty() {
            return Ok(Some((first, headers)));
        }
        let (name, value) =
            field.split_once(':').ok_or_else(|| invalid(&format!("no header field: {field:?}")))?;
        headers.push(name.trim(), value.trim());
    }
}

fn read_body(from: &mut impl BufRead, headers: &Headers, until_close: bool) -> io::Result<Vec<u8>> {
    if headers.get("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        return read_chunks(from);
    }
    let mut body = Vec::new();
    match headers.get("content-length") {
        Some(length) => {
            let length = length.parse().ok().filter(|length| *length <= BODY_BYTES_MAX);
            body.resize(length.ok_or_else(|| invalid("content-length"))?, 0);
            from.read_exact(&mut body)?;
        }
        None if until_close => drop(from.read_to_end(&mut body)?),
        None => {}
    }
    Ok(body)
}

fn read_chunks(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        let size = usize::from_str_radix(line.split(';').next().unwrap_or("").trim(), 16);
        let size = size.map_err(|_| invalid(&format!("chunk size {line:?}")))?;
        if body.len().saturating_add(size) > BODY_BYTES_MAX {
            return Err(invalid("body too long"));
        }
        let start = body.len();
        body.resize(start + size, 0);
        from.read_exact(&mut body[start..])?;
        // the end of the chunk; behind the last one first its trailer fields, which nobody here reads
        loop {
            line.clear();
            if from.read_line(&mut line)? == 0 || line.trim().is_empty() {
                break;
            }
        }
        if size == 0 {
            return Ok(body);
        }
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
