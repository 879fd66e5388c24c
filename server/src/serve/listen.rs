//! Ports: who may connect, and how long they may keep a connection without asking for anything or reading what they are sent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::{Extension, Router};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::idle::Idle;
use super::impatient::Impatient;
use super::unescaped::Unescaped;
use super::web_config::{VerifiedClient, WebConfig};

/// What one port allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PortLimits {
    /// Connections at once. One more is answered 503 and closed.
    pub(super) connections_max: usize,
    /// How long a client may take to send the head of a request, and to begin with the next one.
    pub(super) head_max: Duration,
    /// How long a client may read nothing of an answer that waits to be sent.
    pub(super) read_max: Duration,
    /// Bytes of the head of a request.
    pub(super) head_bytes_max: usize,
}

impl Default for PortLimits {
    fn default() -> Self {
        Self {
            connections_max: 16_384,
            head_max: Duration::from_secs(60),
            read_max: Duration::from_secs(60),
            head_bytes_max: 128 << 10,
        }
    }
}

impl PortLimits {
    /// The default, with no more connections than this share of the files that the system lets the process open. Raises that
    /// number first as far as it may.
    pub(super) fn of_system(percent: u64) -> Self {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
        let open_files = match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit.maximum,
            Err(_) => limit.current,
        };
        let default = Self::default();
        let most = open_files.map_or(u64::MAX, |files| files.saturating_mul(percent) / 100);
        let connections_max = default.connections_max.min(usize::try_from(most).unwrap_or(usize::MAX));
        Self { connections_max, ..default }
    }
}

/// A port that is taken and not served yet.
pub(super) struct Listener {
    listener: TcpListener,
    address: SocketAddr,
    /// What told to listen there.
    flag: &'static str,
    /// With it, connections are those of TLS.
    tls: Option<Arc<WebConfig>>,
}

impl Listener {
    pub(super) fn bind(address: SocketAddr, flag: &'static str) -> anyhow::Result<Self> {
        let listener = listen(address).with_context(|| format!("{flag} {address}: cannot listen there"))?;
        let address = listener.local_addr().with_context(|| format!("{flag} {address}"))?;
        Ok(Self { listener, address, flag, tls: None })
    }

    /// The ports that systemd has opened for this process, of which there must be one.
    pub(super) fn of_systemd(flag: &'static str) -> anyhow::Result<Vec<Self>> {
        let mut opened = listenfd::ListenFd::from_env();
        let mut ports = Vec::new();
        for index in 0..opened.len() {
            let taken = opened.take_tcp_listener(index);
            let taken = taken.with_context(|| format!("{flag}: socket {index} is no port of TCP"))?;
            ports.extend(
                taken.map(|port| Self::of_opened(port, flag)).transpose().with_context(|| flag.to_owned())?,
            );
        }
        anyhow::ensure!(!ports.is_empty(), "{flag}: systemd has opened no socket for this process");
        Ok(ports)
    }

    fn of_opened(listener: std::net::TcpListener, flag: &'static str) -> std::io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self { listener: TcpListener::from_std(listener)?, address, flag, tls: None })
    }

    /// The same, where clients speak TLS if the file says so.
    pub(super) fn with_tls(self, web: Option<&Arc<WebConfig>>) -> Self {
        Self { tls: web.filter(|web| web.has_tls()).cloned(), ..self }
    }

    /// Where it is, and what told so.
    pub(super) fn place(&self) -> (&'static str, SocketAddr) {
        (self.flag, self.address)
    }

    pub(super) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Tells scripts on standard output, and people in the log, where to find it.
    pub(super) fn announce(&self, role: &str) {
        say(&format!("{role} listening on {}", self.url()));
        tracing::info!(role, address = %self.address, "listening");
    }

    /// Serves until told to stop, and then until the requests under way are answered.
    pub(super) async fn serve(self, routes: Router, limits: PortLimits, mut stopped: watch::Receiver<bool>) {
        /// After a connection could not be accepted: there may be no file left to open.
        const PAUSE: Duration = Duration::from_millis(100);
        let places = Arc::new(Semaphore::new(limits.connections_max));
        let under_way = GracefulShutdown::new();
        let mut is_failing = false;
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                // an error means that the sender is gone, which is a stop too
                _ = stopped.wait_for(|stopped| *stopped) => break,
            };
            match accepted {
                Ok((stream, _)) => {
                    is_failing = false;
                    match Arc::clone(&places).try_acquire_owned() {
                        Ok(place) => {
                            // an answer is one write, so waiting for more to send only delays it
                            let _ = stream.set_nodelay(true);
                            let stream = Impatient::new(stream, limits.read_max);
                            let served =
                                Served { routes: routes.clone(), limits, watcher: under_way.watcher() };
                            let (tls, stopped) = (self.tls.clone(), stopped.clone());
                            tokio::spawn(async move {
                                match tls {
                                    Some(web) => served.over_tls(&web, stream, stopped).await,
                                    None => served.http1(stream).await,
                                }
                                drop(place);
                            });
                        }
                        Err(_) => drop(tokio::spawn(turn_away(stream, limits.connections_max))),
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        tracing::error!(%error, address = %self.address, "connection not accepted");
                    }
                    let _ = tokio::time::timeout(PAUSE, stopped.wait_for(|stopped| *stopped)).await;
                }
            }
        }
        drop(self.listener);
        under_way.shutdown().await;
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    /// Connections that wait to be accepted. Where there is no room, a client tries again after a second, and the usual 128
    /// are soon filled when many functions end at once.
    const BACKLOG: u32 = 4_096;
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What a connection is served with.
struct Served {
    routes: Router,
    limits: PortLimits,
    watcher: Watcher,
}

impl Served {
    /// Whatever it ends with, the client is gone.
    async fn http1(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head_max)
            .max_buf_size(self.limits.head_bytes_max)
            .serve_connection(TokioIo::new(Unescaped::new(stream)), TowerToHyperService::new(self.routes));
        let _ = self.watcher.watch(connection).await;
    }

    async fn http2(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let idle = Idle::new();
        let head_bytes_max = u32::try_from(self.limits.head_bytes_max).unwrap_or(u32::MAX);
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_header_list_size(head_bytes_max)
            // whoever does not answer for that long is gone
            .keep_alive_interval(self.limits.head_max)
            .keep_alive_timeout(self.limits.head_max)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(idle.counting(self.routes)));
        tokio::select! {
            _ = self.watcher.watch(connection) => {}
            () = idle.lasts(self.limits.head_max) => {}
        }
    }

    async fn over_tls(
        self,
        web: &WebConfig,
        stream: Impatient<TcpStream>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let known = web.in_force().map(|in_force| (in_force.tls.clone(), in_force.verifies_clients()));
        let (tls, verifies) = match known {
            Ok((Some(tls), verifies)) => (tls, verifies),
            Ok((None, _)) => return tracing::debug!("connection closed: there is no TLS any more"),
            // it was told in the log
            Err(_) => return,
        };
        let shaken = timeout(self.limits.head_max, async {
            match speaks_http(stream.get_ref()).await {
                true => Err(stream),
                false => Ok(TlsAcceptor::from(tls).accept(stream).await),
            }
        });
        let shaken = tokio::select! {
            shaken = shaken => shaken,
            _ = stopped.wait_for(|stopped| *stopped) => return,
        };
        let shaken = match shaken {
            Ok(Err(stream)) => {
                let text =
                    "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
                // as long as the client listens
                let _ = timeout(LISTENS, farewell(stream, text.as_bytes())).await;
                return;
            }
            Ok(Ok(shaken)) => Ok(shaken),
            Err(late) => Err(late),
        };
        let stream = match shaken {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::debug!(%error, "TLS handshake error"),
            Err(_) => return tracing::debug!("TLS handshake takes too long"),
        };
        let connection = stream.get_ref().1;
        let is_http2 = connection.alpn_protocol() == Some(b"h2");
        let is_verified = verifies && connection.peer_certificates().is_some_and(|chain| !chain.is_empty());
        let served = match is_verified {
            true => Self { routes: self.routes.layer(Extension(VerifiedClient)), ..self },
            false => self,
        };
        match is_http2 {
            true => served.http2(stream).await,
            false => served.http1(stream).await,
        }
    }
}

/// Whether a client begins with a request instead of a handshake.
async fn speaks_http(stream: &TcpStream) -> bool {
    const BEGINNINGS: [&[u8]; 6] = [b"GET /", b"HEAD ", b"POST ", b"PUT /", b"OPTIO", b"DELET"];
    let mut bytes = [0; 5];
    stream.peek(&mut bytes).await.is_ok_and(|count| BEGINNINGS.contains(&&bytes[..count]))
}

/// How long a client that is turned away may take to hear why.
const LISTENS: Duration = Duration::from_secs(1);

/// The last words to a client. What it sends meanwhile is read, since a connection that is closed on that is reset.
async fn farewell(mut stream: impl AsyncRead + AsyncWrite + Unpin, words: &[u8]) -> std::io::Result<()> {
    stream.write_all(words).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.map(|_| ())
}

/// Says why, as long as the client listens.
async fn turn_away(mut stream: TcpStream, connections_max: usize) {
    let text = format!("{connections_max} connections are open, which is connections_max: try again later\n");
    let length = text.len();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\
         Retry-After: 1\r\nConnection: close\r\n\r\n{text}"
    );
    let _ = tokio::time::timeout(LISTENS, async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    })
    .await;
}

/// A line for the script that started us.
#[expect(clippy::print_stdout, reason = "standard output is for scripts")]
pub(super) fn say(line: &str) {
    println!("{line}");
}

#[cfg(test)]
mod tests {
    use axum::routing::{get, post};
    use tokio::io::AsyncReadExt;

    use super::*;

    /// More than the system buffers between two ends of a connection.
    const MUCH: usize = 64 << 20;

    /// A port with some routes, how to stop it, and the task that serves it.
    async fn port(limits: PortLimits) -> (SocketAddr, watch::Sender<bool>, tokio::task::JoinHandle<()>) {
        let listener = Listener::bind("127.0.0.1:0".parse().expect("an address"), "--flag").expect("binds");
        let (address, (stop, stopped)) = (listener.address, watch::channel(false));
        let routes = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/body", post(|body: String| async { body }));
        let routes = routes.route("/much", get(|| async { vec![b'x'; MUCH] }));
        (address, stop, tokio::spawn(listener.serve(routes, limits, stopped)))
    }

    async fn said(stream: &mut TcpStream) -> String {
        let mut text = String::new();
        let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_string(&mut text)).await;
        read.expect("it ends").expect("reads");
        text
    }

    #[tokio::test]
    async fn one_connection_too_many_is_told_so() {
        let limits = PortLimits { connections_max: 2, ..PortLimits::default() };
        let (address, _stop, _task) = port(limits).await;
        let open = async || {
            let mut stream = TcpStream::connect(address).await.expect("connects");
            stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("writes");
            stream
        };
        // an answer shows that the connection has its place
        let mut kept = Vec::new();
        for _ in 0..2 {
            let mut stream = open().await;
            let mut start = [0; 12];
            stream.read_exact(&mut start).await.expect("answers");
            assert_eq!(&start, b"HTTP/1.1 200");
            kept.push(stream);
        }
        let text = said(&mut TcpStream::connect(address).await.expect("connects")).await;
        assert!(text.starts_with("HTTP/1.1 503") && text.contains("Retry-After: 1"), "{text}");
        assert!(text.contains("2 connections are open, which is connections_max"), "{text}");
        // who leaves makes room
        drop(kept.pop());
        loop {
            let mut stream = open().await;
            let mut start = [0; 12];
            stream.read_exact(&mut start).await.expect("answers");
            if &start == b"HTTP/1.1 200" {
                break;
            }
        }
    }

    #[tokio::test]
    async fn who_is_silent_or_slow_with_a_head_is_cut_off() {
        let limits = PortLimits { head_max: Duration::from_millis(50), ..PortLimits::default() };
        let (address, _stop, _task) = port(limits).await;
        for start in [&b""[..], b"GET / HTTP/1.1\r\nHo", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"] {
            let mut stream = TcpStream::connect(address).await.expect("connects");
            stream.write_all(start).await.expect("writes");
            let text = said(&mut stream).await;
            assert_eq!(text.contains("200 OK"), start.ends_with(b"\r\n\r\n"), "{text}");
        }
    }

    #[tokio::test]
    async fn who_does_not_read_an_answer_is_cut_off() {
        let limits =
            PortLimits { read_max: Duration::from_millis(50), connections_max: 1, ..PortLimits::default() };
        let (address, _stop, _task) = port(limits).await;
        let mut deaf = TcpStream::connect(address).await.expect("connects");
        deaf.write_all(b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("writes");
        // its place is free again once it is cut off, and not before
        loop {
            let mut next = TcpStream::connect(address).await.expect("connects");
            // whoever is turned away may find the connection closed already
            let _ = next.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
            let mut text = String::new();
            if next.read_to_string(&mut text).await.is_ok() && text.starts_with("HTTP/1.1 200") {
                break;
            }
        }
        let mut received = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(30), deaf.read_to_end(&mut received)).await;
        // cut off in the middle, in whichever way
        let _ = read.expect("it ends");
        assert!(received.len() < MUCH, "{}", received.len());
    }

    #[tokio::test]
    async fn who_reads_gets_all() {
        let (address, _stop, _task) = port(PortLimits::default()).await;
        let mut client = TcpStream::connect(address).await.expect("connects");
        client
            .write_all(b"GET /much HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await
            .expect("writes");
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.expect("reads");
        assert!(received.len() > MUCH && received.ends_with(b"xxxx"));
    }

    #[tokio::test]
    async fn a_handshake_has_a_limit() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let web = format!(
            "tls_server_config: {{cert: {:?}, key: {:?}}}\n",
            made.cert.pem(),
            made.signing_key.serialize_pem()
        );
        let path = folder.path().join("web.yml");
        std::fs::write(&path, web).expect("is written");
        let web = Arc::new(WebConfig::open(&path).expect("opens"));
        let listener = Listener::bind("127.0.0.1:0".parse().expect("an address"), "--flag").expect("binds");
        let listener = listener.with_tls(Some(&web));
        let (address, (_stop, stopped)) = (listener.address, watch::channel(false));
        assert!(listener.url().starts_with("https://"));
        let limits = PortLimits { head_max: Duration::from_millis(300), ..PortLimits::default() };
        tokio::spawn(listener.serve(Router::new(), limits, stopped));
        // nothing at all, and the beginning of a record
        for sent in [&b""[..], b"\x16\x03\x01\x02\x00"] {
            let mut stream = TcpStream::connect(address).await.expect("connects");
            stream.write_all(sent).await.expect("writes");
            let ended = timeout(Duration::from_secs(20), said(&mut stream)).await;
            assert_eq!(ended.expect("in time"), "");
        }
        let mut stream = TcpStream::connect(address).await.expect("connects");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("writes");
        let text = said(&mut stream).await;
        assert!(text.ends_with("Client sent an HTTP request to an HTTPS server.\n"), "{text}");
    }

    #[tokio::test]
    async fn a_head_has_a_limit() {
        let limits = PortLimits { head_bytes_max: 8 << 10, ..PortLimits::default() };
        let (address, _stop, _task) = port(limits).await;
        let mut stream = TcpStream::connect(address).await.expect("connects");
        let head = format!("GET / HTTP/1.1\r\nHost: x\r\nx: {}\r\n\r\n", "y".repeat(9 << 10));
        stream.write_all(head.as_bytes()).await.expect("writes");
        let text = said(&mut stream).await;
        assert!(text.starts_with("HTTP/1.1 431"), "{text}");
    }

    #[tokio::test]
    async fn a_stop_waits_for_what_is_under_way() {
        let (address, stop, task) = port(PortLimits::default()).await;
        let mut stream = TcpStream::connect(address).await.expect("connects");
        let head = b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
        stream.write_all(head).await.expect("writes");
        // that it goes on shows that the request has begun
        let mut start = [0; 25];
        stream.read_exact(&mut start).await.expect("goes on");
        assert_eq!(&start, b"HTTP/1.1 100 Continue\r\n\r\n");
        stop.send(true).expect("serves");
        stream.write_all(b"done").await.expect("writes");
        let text = said(&mut stream).await;
        assert!(text.ends_with("done"), "{text}");
        task.await.expect("ends");
        assert!(TcpStream::connect(address).await.is_err());
    }
}
