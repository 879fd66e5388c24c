//! A server for one handler.

use std::io::{self, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::{Request, Response};

/// A connection that says nothing for so long is closed.
const IDLE_SECONDS: u64 = 120;

/// Listens on a free port of loopback until dropped. Each connection has a thread of its own, so a handler may block.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl Server {
    /// Starts on a free port.
    pub fn start(handler: impl Fn(&Request) -> Response + Send + Sync + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        let handler = Arc::new(handler);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (handler, stop) = (Arc::clone(&handler), Arc::clone(&stop));
                // a connection that breaks is the client's matter
                thread::spawn(move || serve(&stream, &*handler, &stop).ok());
            }
        });
        Ok(Self { address, stopped })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://` and where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // wakes the accept
        drop(TcpStream::connect_timeout(&self.address, Duration::from_secs(1)));
    }
}

fn serve(stream: &TcpStream, handler: &impl Fn(&Request) -> Response, stop: &AtomicBool) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(IDLE_SECONDS)))?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = Request::read(&mut reader)? {
        let close =
            request.headers.get("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let response = handler(&request);
        if stop.load(Ordering::SeqCst) {
            break;
        }
        response.write(&mut &*stream)?;
        if close {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;
    use crate::http;

    fn echo() -> Server {
        Server::start(|request| {
            Response::new(201).header("x-target", &request.target).body(request.body.clone())
        })
        .unwrap()
    }

    #[test]
    fn bytes_pass_both_ways() {
        let server = echo();
        let body: Vec<u8> = (0..=255).collect();
        let request = Request::new("PUT", "/a?b=c").body(body.clone());
        let answer = http::send(&server.url(), &request).unwrap();
        assert_eq!((answer.status, answer.headers.get("X-Target"), answer.body), (201, Some("/a?b=c"), body));
    }

    #[test]
    fn chunks_are_put_together_and_a_connection_is_kept() {
        let server = echo();
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream
            .write_all(
                b"POST /1 HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
            )
            .unwrap();
        stream.write_all(b"POST /2 HTTP/1.1\r\nconnection: close\r\ncontent-length: 1\r\n\r\nx").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let bodies: Vec<&str> =
            text.split("\r\n\r\n").map(|part| part.split("HTTP").next().unwrap()).collect();
        assert_eq!(bodies, ["", "abcd", "x"]);
    }
}
