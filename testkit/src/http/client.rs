//! One request, one connection.

use std::io::{self, BufReader};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use super::{Request, Response};

/// How long a test waits for any one answer.
const ANSWER_SECONDS: u64 = 30;

/// Sends `request` to `base`, which is `http://host:port` or `host:port`, and reads the whole answer.
pub fn send(base: &str, request: &Request) -> io::Result<Response> {
    let host = base.trim_start_matches("http://").trim_end_matches('/');
    let address: SocketAddr = host.to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let wait = Duration::from_secs(ANSWER_SECONDS);
    let stream = TcpStream::connect_timeout(&address, wait)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(wait))?;
    stream.set_write_timeout(Some(wait))?;
    // a server that refuses a body early answers before it is all sent: read the answer first, then complain
    let written = request.write(host, &mut &stream);
    let answer = Response::read_to(&request.method, &mut BufReader::new(&stream));
    answer.map_err(|err| written.err().unwrap_or(err))
}

/// GET of `target` at `base`.
pub fn get(base: &str, target: &str) -> io::Result<Response> {
    send(base, &Request::new("GET", target))
}
