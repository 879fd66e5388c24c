//! A connection whose first request may have characters in its query that must be escaped.
//!
//! `curl -g 'http://…/api/v1/query?query=x{job="a"}'` sends its quotes as they are. Go's server takes that, and Prometheus'
//! own documentation has such commands; hyper refuses it without a word. People who type commands make one request for
//! each connection, and programs escape what they send, so the first request is enough.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A longer first line is passed on as it is.
const LINE_BYTES_MAX: usize = 64 << 10;

/// Bytes that are taken from the stream at once, until the first line is there.
const PIECE_BYTES: usize = 4 << 10;

/// A stream in whose first line what must be escaped is.
#[derive(Debug)]
pub(super) struct Unescaped<S> {
    stream: S,
    state: State,
}

#[derive(Debug)]
enum State {
    /// What came of the first line so far.
    Reading(Vec<u8>),
    /// What came with the first line, from there on.
    Giving(Vec<u8>, usize),
    Over,
}

impl<S> Unescaped<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, state: State::Reading(Vec::new()) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Unescaped<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stream, state } = self.get_mut();
        while let State::Reading(line) = state {
            let mut piece = [0; PIECE_BYTES];
            let mut piece = ReadBuf::new(&mut piece);
            ready!(Pin::new(&mut *stream).poll_read(context, &mut piece))?;
            line.extend_from_slice(piece.filled());
            let is_over = piece.filled().is_empty() || line.len() > LINE_BYTES_MAX;
            if is_over || piece.filled().contains(&b'\n') {
                *state = State::Giving(escaped(line), 0);
            }
        }
        if let State::Giving(bytes, given) = state {
            let count = (bytes.len() - *given).min(buffer.remaining());
            buffer.put_slice(&bytes[*given..*given + count]);
            *given += count;
            if *given == bytes.len() {
                *state = State::Over;
            }
            // nothing at all is the end of the stream, which it will say again
            if count > 0 {
                return Poll::Ready(Ok(()));
            }
        }
        Pin::new(stream).poll_read(context, buffer)
    }
}

/// What begins with a request line, of whose query those characters are escaped that a URI may not have.
fn escaped(bytes: &[u8]) -> Vec<u8> {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let query = bytes[..end].iter().position(|byte| *byte == b'?').unwrap_or(end);
    let mut all = bytes[..query].to_vec();
    for byte in &bytes[query..end] {
        match byte {
            b'"' => all.extend(b"%22"),
            b'#' => all.extend(b"%23"),
            b'<' => all.extend(b"%3C"),
            b'>' => all.extend(b"%3E"),
            _ => all.push(*byte),
        }
    }
    all.extend_from_slice(&bytes[end..]);
    all
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Unescaped<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn only_the_query_of_the_first_line_is_changed() {
        let check = async |sent: &str, expect: &str| {
            // one byte at a time, and all at once
            for room in [1, 1 << 20] {
                let (mut client, server) = tokio::io::duplex(room);
                let sent = sent.to_owned();
                let sending = tokio::spawn(async move { client.write_all(sent.as_bytes()).await });
                let mut read = String::new();
                Unescaped::new(server).read_to_string(&mut read).await.expect("reads");
                sending.await.expect("ends").expect("sent");
                assert_eq!(read, expect);
            }
        };
        check(
            "GET /query?query=x{a=\"<b>#\"}&q=%22 HTTP/1.1\r\nx: \"?\"\r\n\r\n\"",
            "GET /query?query=x{a=%22%3Cb%3E%23%22}&q=%22 HTTP/1.1\r\nx: \"?\"\r\n\r\n\"",
        )
        .await;
        check("PUT /\"job\" HTTP/1.1\nx: ?\"\n", "PUT /\"job\" HTTP/1.1\nx: ?\"\n").await;
        check("no line", "no line").await;
        check("", "").await;
        let long = format!("GET /?{}", "x".repeat(LINE_BYTES_MAX * 2));
        check(&long, &long).await;
    }
}
