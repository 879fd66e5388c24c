//! Ways through a proxy: requests over HTTP are handed to it whole, and for TLS it opens a tunnel.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::Service;

/// Which proxy requests go through, and which go straight.
#[derive(Clone, Debug)]
pub struct Proxies {
    matcher: Arc<Matcher>,
    /// As Go's client does where the environment, or a list of exceptions, decides.
    spares_loopback: bool,
}

impl Proxies {
    /// `proxy_url`, but for the hosts of `no_proxy`: names, with all below them, addresses and networks, with commas between them.
    ///
    /// # Errors
    /// If the proxy is not spoken to over plain HTTP.
    pub fn at(url: &str, no_proxy: &str) -> Result<Self, &'static str> {
        let matcher = Matcher::builder().all(spoken(url)?).no(no_proxy.to_owned()).build();
        Ok(Self { matcher: Arc::new(matcher), spares_loopback: !no_proxy.is_empty() })
    }

    /// `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, in large or in small letters.
    ///
    /// # Errors
    /// If a proxy is not spoken to over plain HTTP.
    #[expect(clippy::disallowed_methods, reason = "this is the edge")]
    pub fn of_environment() -> Result<Self, &'static str> {
        Self::of(&|name| std::env::var(name).ok())
    }

    fn of(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, &'static str> {
        let either =
            |name: &str| variable(name).or_else(|| variable(&name.to_lowercase())).unwrap_or_default();
        let (http, https) = (spoken(&either("HTTP_PROXY"))?, spoken(&either("HTTPS_PROXY"))?);
        let matcher = Matcher::builder().http(http).https(https).no(either("NO_PROXY")).build();
        Ok(Self { matcher: Arc::new(matcher), spares_loopback: true })
    }

    fn on_the_way_to(&self, uri: &Uri) -> Option<Intercept> {
        let is_loopback = |host: &str| {
            let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
            host == "localhost" || address.is_ok_and(|address| address.is_loopback())
        };
        if self.spares_loopback && uri.host().is_some_and(is_loopback) {
            return None;
        }
        self.matcher.intercept(uri)
    }

    /// What a request that a proxy is handed whole says to it.
    pub(crate) fn authorization(&self, uri: &Uri) -> Option<HeaderValue> {
        let proxy = self.on_the_way_to(uri).filter(|_| uri.scheme_str() == Some("http"))?;
        let mut value = proxy.basic_auth()?.clone();
        value.set_sensitive(true);
        Some(value)
    }
}

/// A proxy that can be spoken to.
fn spoken(url: &str) -> Result<String, &'static str> {
    match url.split_once("://") {
        Some(("http", _)) | None => Ok(url.to_owned()),
        Some(_) => Err("a proxy must be at http://"),
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Connects, through a proxy where there is one on the way.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    straight: HttpConnector,
    proxies: Option<Proxies>,
}

impl Connector {
    pub(crate) fn new(proxies: Option<Proxies>) -> Self {
        let mut straight = HttpConnector::new();
        // whoever is below TLS is asked for https
        straight.enforce_http(false);
        Self { straight, proxies }
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, Failure>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.straight.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let Some(proxy) = self.proxies.as_ref().and_then(|proxies| proxies.on_the_way_to(&to)) else {
            let connecting = self.straight.call(to);
            return Box::pin(async { Ok(Stream { io: connecting.await?, is_proxy: false }) });
        };
        if to.scheme_str() != Some("https") {
            let connecting = self.straight.call(proxy.uri().clone());
            return Box::pin(async { Ok(Stream { io: connecting.await?, is_proxy: true }) });
        }
        let mut tunnel = Tunnel::new(proxy.uri().clone(), self.straight.clone());
        if let Some(authorization) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(authorization.clone());
        }
        let connecting = tunnel.call(to);
        Box::pin(async { Ok(Stream { io: connecting.await?, is_proxy: false }) })
    }
}

/// A connection, and whether there is a proxy at its other end, which is told whole URLs.
#[derive(Debug)]
pub(crate) struct Stream {
    io: TokioIo<TcpStream>,
    is_proxy: bool,
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.io.connected().proxy(self.is_proxy)
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, into)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, parts)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use http::{Method, StatusCode};
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

    use super::*;
    use crate::{Endpoint, HttpClient};

    fn way(proxies: &Proxies, to: &str) -> Option<String> {
        let proxy = proxies.on_the_way_to(&to.parse().expect("a URL"))?;
        Some(proxy.uri().to_string())
    }

    #[test]
    fn who_goes_through_which_proxy() {
        let check = |proxies: &Proxies, to: &str, expect: Option<&str>| {
            assert_eq!(way(proxies, to).as_deref(), expect, "{to}");
        };
        let one = Proxies::at("http://proxy:3128", "").expect("is spoken to");
        check(&one, "https://hooks.slack.com/x", Some("http://proxy:3128/"));
        check(&one, "http://127.0.0.1:1/x", Some("http://proxy:3128/"));
        let but = Proxies::at("http://proxy:3128", "internal.example, 10.0.0.0/8").expect("is spoken to");
        check(&but, "http://a.internal.example/", None);
        check(&but, "http://10.1.2.3/", None);
        check(&but, "http://localhost:1/", None);
        check(&but, "http://[::1]:1/", None);
        check(&but, "http://11.1.2.3/", Some("http://proxy:3128/"));
        let variables = |name: &str| match name {
            "https_proxy" => Some("http://me:pass@secure:1".to_owned()),
            "NO_PROXY" => Some("example.org".to_owned()),
            _ => None,
        };
        let environment = Proxies::of(&variables).expect("is spoken to");
        check(&environment, "https://example.com/", Some("http://secure:1/"));
        check(&environment, "http://example.com/", None);
        check(&environment, "https://example.org/", None);
        assert!(!format!("{environment:?}").contains("pass"), "{environment:?}");
        assert!(Proxies::at("socks5://proxy:1", "").is_err());
    }

    #[test]
    fn who_asks_is_told_where_there_is_no_tunnel() {
        let proxies = Proxies::at("http://me:p%40ss@proxy:1", "").expect("is spoken to");
        let told = |to: &str| proxies.authorization(&to.parse().expect("a URL"));
        assert_eq!(told("http://a/").expect("is told").to_str().ok(), Some("Basic bWU6cEBzcw=="));
        assert_eq!(told("https://a/"), None);
    }

    /// Answers once, and gives the head of what it was asked.
    async fn proxy(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let place = listener.local_addr().expect("has an address").to_string();
        let asked = tokio::spawn(async move {
            let (socket, _) = listener.accept().await.expect("accepts");
            let mut stream = BufReader::new(socket);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert!(stream.read_line(&mut head).await.expect("reads") > 0, "{head}");
            }
            stream.write_all(answer.as_bytes()).await.expect("writes");
            head
        });
        (format!("http://me:pass@{place}"), asked)
    }

    async fn asked(url: &str, answer: &'static str) -> (Result<StatusCode, String>, String) {
        let (proxy, head) = proxy(answer).await;
        let proxies = Proxies::at(&proxy, "").expect("is spoken to");
        let client =
            HttpClient::through(Some(proxies), &config::Tls::default(), Path::new("/")).expect("a client");
        let to = Endpoint::exactly(url).expect("a URL");
        let sent =
            client.send_to(&to, Method::POST, Vec::new(), b"x".to_vec(), Duration::from_secs(10)).await;
        let sent = sent.map(|(status, _)| status).map_err(|error| error.to_string());
        (sent, head.await.expect("does not panic"))
    }

    #[tokio::test]
    async fn requests_are_handed_over_or_tunnelled() {
        let (sent, head) = asked("http://hook.example/a?b", "HTTP/1.1 204 X\r\n\r\n").await;
        assert_eq!(sent, Ok(StatusCode::NO_CONTENT));
        assert!(head.starts_with("POST http://hook.example/a?b HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("proxy-authorization: Basic bWU6cGFzcw==\r\n"), "{head}");
        assert!(head.contains("host: hook.example\r\n"), "{head}");

        let (sent, head) = asked("https://hook.example/a", "HTTP/1.1 403 X\r\n\r\n").await;
        assert!(sent.is_err(), "{sent:?}");
        assert!(head.starts_with("CONNECT hook.example:443 HTTP/1.1\r\n"), "{head}");
        assert!(head.to_lowercase().contains("proxy-authorization: basic bwu6cgfzcw=="), "{head}");
    }
}
