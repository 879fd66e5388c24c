//! Connections that send one request after the other.

#![expect(clippy::disallowed_methods, reason = "a measurement is of real time")]

use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use testkit::http::Response;

/// Longer than any answer that is of use.
const ANSWER_MAX: Duration = Duration::from_secs(300);

/// How long a connection waits when it is told that there is too much to do.
const BACKOFF: Duration = Duration::from_millis(30);

/// Sends all requests, each connection as fast as it is answered; gives how long that took.
///
/// # Errors
/// If a request is refused.
pub fn send(address: SocketAddr, requests: &[Vec<Vec<u8>>]) -> anyhow::Result<Duration> {
    let started = Instant::now();
    std::thread::scope(|scope| {
        let senders: Vec<_> =
            requests.iter().map(|bodies| scope.spawn(move || send_over_one(address, bodies))).collect();
        senders
            .into_iter()
            .try_for_each(|sender| sender.join().map_err(|_| anyhow::anyhow!("a connection died"))?)
    })?;
    Ok(started.elapsed())
}

fn send_over_one(address: SocketAddr, bodies: &[Vec<u8>]) -> anyhow::Result<()> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    let mut answers = BufReader::new(&stream);
    for body in bodies {
        let head = format!(
            "POST /api/v1/write HTTP/1.1\r\nHost: bench\r\nContent-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n\
             X-Prometheus-Remote-Write-Version: 0.1.0\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        // in one write: two would be two packets
        let request = [head.as_bytes(), body].concat();
        loop {
            (&stream).write_all(&request)?;
            let answer = Response::read(&mut answers).context("answer")?;
            if answer.status == 503 {
                // as senders do
                std::thread::sleep(BACKOFF);
                continue;
            }
            ensure!(answer.status == 204, "samples are refused: {} {}", answer.status, answer.text());
            break;
        }
    }
    Ok(())
}
