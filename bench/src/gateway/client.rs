//! An HTTP client that keeps its connection and allocates next to nothing, so that the server is what is measured.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail};

/// Longer than any answer that is of use.
const ANSWER_MAX: Duration = Duration::from_secs(300);

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// If nobody listens.
    pub fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Sends a request and gives the status of its answer.
    ///
    /// # Errors
    /// If the connection ends.
    pub fn ask(&mut self, method: &str, path: &str, body: &str) -> anyhow::Result<u16> {
        let length = body.len();
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {length}\r\n\r\n{body}");
        self.stream.write_all(request.as_bytes())?;
        self.buffer.clear();
        let head = loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            self.fill()?;
        };
        let text = std::str::from_utf8(&self.buffer[..head]).context("head")?.to_ascii_lowercase();
        let status = text.get(9..12).context("status")?.parse().context("status")?;
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.map_or(Ok(0), |length| length.trim().parse()).context("length")?;
        while self.buffer.len() < head + length {
            self.fill()?;
        }
        Ok(status)
    }

    fn fill(&mut self) -> anyhow::Result<()> {
        let mut chunk = [0; 4096];
        let count = self.stream.read(&mut chunk)?;
        if count == 0 {
            bail!("the connection ended");
        }
        self.buffer.extend_from_slice(&chunk[..count]);
        Ok(())
    }
}
