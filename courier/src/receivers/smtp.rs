//! Speaks SMTP with one server, for one mail.
//!
//! Libraries for this know neither CRAM-MD5 nor an identity, which Alertmanager's settings have.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use md5::{Digest, Md5};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// What an answer may have.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// How long the end of a connection is waited for, on which nothing depends.
const QUIT_TIME_MAX: Duration = Duration::from_secs(1);

/// Where mails are given.
pub(super) struct Server<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    /// What we call ourselves.
    pub(super) hello: &'a str,
    pub(super) security: Security,
    pub(super) tls: Arc<ClientConfig>,
    /// The name that the server's certificate must have, if that is not its host.
    pub(super) name: Option<&'a str>,
    /// `None`: nobody in particular.
    pub(super) login: Option<Login>,
}

/// From when on TLS is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Security {
    Never,
    /// From STARTTLS on, without which nothing is sent.
    StartTls,
    Always,
}

/// Who we are. What is empty is not known.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) identity: String,
    pub(super) username: String,
    pub(super) password: String,
    /// For CRAM-MD5.
    pub(super) secret: String,
}

/// Why a mail was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SmtpError {
    #[error("{0}")]
    Connection(#[from] io::Error),
    #[error("{0:?} is no name that a certificate can have")]
    Name(String),
    #[error("the server answered {command} with {answer}")]
    Refused { command: &'static str, answer: String },
    #[error("what the server said is no SMTP: {0}")]
    Nonsense(String),
    #[error("'require_tls' is true (default), but the server does not offer STARTTLS")]
    NoStartTls,
    #[error("of the ways to log in that the server offers, {0:?}, there is none for which we know enough")]
    NoLogin(String),
    #[error("the password is not sent over a connection that is not encrypted")]
    Unencrypted,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    is_encrypted: bool,
    /// What the server can do, a line each.
    offers: Vec<String>,
}

/// Gives a mail to a server, which has taken it when this returns.
pub(super) async fn send(
    server: &Server<'_>,
    from: &str,
    to: &[String],
    message: &str,
) -> Result<(), SmtpError> {
    let tcp = TcpStream::connect((server.host, server.port)).await?;
    let mut connection = match server.security {
        Security::Always => Connection::over(encrypted(server, Box::new(tcp)).await?, true),
        _ => Connection::over(Box::new(tcp), false),
    };
    connection.answer("the connection", "220").await?;
    connection.hello(server.hello).await?;
    if server.security == Security::StartTls {
        if connection.offer("STARTTLS").is_none() {
            return Err(SmtpError::NoStartTls);
        }
        connection.ask("STARTTLS", "STARTTLS", "220").await?;
        // what came before the handshake is not believed
        let plain = connection.stream.into_inner();
        connection = Connection::over(encrypted(server, plain).await?, true);
        connection.hello(server.hello).await?;
    }
    if let Some(login) = &server.login
        && let Some(ways) = connection.offer("AUTH")
    {
        connection.log_in(login, &ways, server.host).await?;
    }
    connection.ask("MAIL", &format!("MAIL FROM:<{from}>"), "250").await?;
    for to in to {
        connection.ask("RCPT", &format!("RCPT TO:<{to}>"), "25").await?;
    }
    connection.ask("DATA", "DATA", "354").await?;
    connection.write(&stuffed(message)).await?;
    connection.answer("the mail", "250").await?;
    // it is taken, whatever is said of the end
    let _ = tokio::time::timeout(QUIT_TIME_MAX, connection.ask("QUIT", "QUIT", "221")).await;
    Ok(())
}

async fn encrypted(server: &Server<'_>, plain: Box<dyn Stream>) -> Result<Box<dyn Stream>, SmtpError> {
    let name = server.name.unwrap_or(server.host);
    let name = ServerName::try_from(name.to_owned()).map_err(|_| SmtpError::Name(name.to_owned()))?;
    let stream = TlsConnector::from(Arc::clone(&server.tls)).connect(name, plain).await?;
    Ok(Box::new(stream))
}

/// The lines of a mail with its end: a dot at the beginning of a line stands twice.
fn stuffed(message: &str) -> String {
    let mut out = String::with_capacity(message.len() + 64);
    for line in message.split_inclusive('\n') {
        if line.starts_with('.') {
            out.push('.');
        }
        out.push_str(line);
    }
    if !out.ends_with("\r\n") {
        out.push_str("\r\n");
    }
    out.push_str(".\r\n");
    out
}

impl Connection {
    fn over(stream: Box<dyn Stream>, is_encrypted: bool) -> Self {
        Self { stream: BufReader::new(stream), is_encrypted, offers: Vec::new() }
    }

    async fn hello(&mut self, name: &str) -> Result<(), SmtpError> {
        let answer = self.ask("EHLO", &format!("EHLO {name}"), "250").await?;
        self.offers = answer.lines().skip(1).map(str::to_owned).collect();
        Ok(())
    }

    /// What stands behind the name of something that the server can do.
    fn offer(&self, name: &str) -> Option<String> {
        self.offers.iter().find_map(|offer| {
            let (first, rest) = offer.split_once(' ').unwrap_or((offer, ""));
            first.eq_ignore_ascii_case(name).then(|| rest.trim().to_owned())
        })
    }

    /// In the first of the server's ways for which we know enough.
    async fn log_in(&mut self, login: &Login, ways: &str, host: &str) -> Result<(), SmtpError> {
        let is_local = matches!(host, "localhost" | "127.0.0.1" | "::1");
        for way in ways.split_whitespace() {
            match way {
                "CRAM-MD5" if !login.secret.is_empty() => {
                    let challenge = self.ask("AUTH", "AUTH CRAM-MD5", "334").await?;
                    let challenge = BASE64
                        .decode(challenge.trim())
                        .map_err(|_| SmtpError::Nonsense("a challenge that is not base64".to_owned()))?;
                    let proof = hmac_md5(login.secret.as_bytes(), &challenge);
                    let answer = BASE64.encode(format!("{} {proof}", login.username));
                    return self.ask("AUTH", &answer, "235").await.map(|_| ());
                }
                "PLAIN" if !login.password.is_empty() => {
                    if !self.is_encrypted && !is_local {
                        return Err(SmtpError::Unencrypted);
                    }
                    let who = format!("{}\0{}\0{}", login.identity, login.username, login.password);
                    let line = format!("AUTH PLAIN {}", BASE64.encode(who));
                    return self.ask("AUTH", &line, "235").await.map(|_| ());
                }
                "LOGIN" if !login.password.is_empty() => {
                    if !self.is_encrypted && !is_local {
                        return Err(SmtpError::Unencrypted);
                    }
                    self.ask("AUTH", "AUTH LOGIN", "334").await?;
                    self.ask("AUTH", &BASE64.encode(&login.username), "334").await?;
                    return self.ask("AUTH", &BASE64.encode(&login.password), "235").await.map(|_| ());
                }
                _ => {}
            }
        }
        Err(SmtpError::NoLogin(ways.to_owned()))
    }

    async fn ask(&mut self, command: &'static str, line: &str, expected: &str) -> Result<String, SmtpError> {
        self.write(&format!("{line}\r\n")).await?;
        self.answer(command, expected).await
    }

    async fn write(&mut self, text: &str) -> Result<(), SmtpError> {
        self.stream.write_all(text.as_bytes()).await?;
        Ok(self.stream.flush().await?)
    }

    /// The text of an answer, without its codes, if they begin with what is expected.
    async fn answer(&mut self, command: &'static str, expected: &str) -> Result<String, SmtpError> {
        let (mut text, mut code) = (String::new(), String::new());
        let mut limited = (&mut self.stream).take(ANSWER_BYTES_MAX);
        loop {
            let mut bytes = Vec::new();
            limited.read_until(b'\n', &mut bytes).await?;
            let line = String::from_utf8_lossy(&bytes);
            let (Some(number), true) = (line.get(..3), line.ends_with('\n')) else {
                return Err(SmtpError::Nonsense(line.chars().take(100).collect()));
            };
            number.clone_into(&mut code);
            text.push_str(line.get(4..).unwrap_or("").trim_end());
            if line.as_bytes().get(3) != Some(&b'-') {
                break;
            }
            text.push('\n');
        }
        if code.starts_with(expected) {
            return Ok(text);
        }
        let shown: String = text.replace('\n', " ").chars().take(500).collect();
        Err(SmtpError::Refused { command, answer: format!("{code} {shown}") })
    }
}

/// In hexadecimal digits.
fn hmac_md5(key: &[u8], message: &[u8]) -> String {
    const BLOCK_BYTES: usize = 64;
    let mut block = [0; BLOCK_BYTES];
    if key.len() > BLOCK_BYTES {
        block[..16].copy_from_slice(&Md5::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let padded = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = Md5::new().chain_update(padded(0x36)).chain_update(message).finalize();
    let outer = Md5::new().chain_update(padded(0x5c)).chain_update(inner).finalize();
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_answered() {
        // RFC 2195
        let proof = hmac_md5(b"tanstaaftanstaaf", b"<1896.697170952@postoffice.reston.mci.net>");
        assert_eq!(proof, "b913a602c7eda7a495b4e6e7334d3890");
    }

    #[tokio::test]
    async fn a_mail_that_was_taken_does_not_wait_for_the_end() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let port = listener.local_addr().expect("has an address").port();
        let serving = tokio::spawn(async move {
            let (socket, _) = listener.accept().await.expect("accepts");
            let mut socket = BufReader::new(socket);
            for (answer, lines) in
                [("220 x", 1), ("250 x", 1), ("250 x", 1), ("250 x", 1), ("354 x", 2), ("250 x", 1)]
            {
                socket.write_all(format!("{answer}\r\n").as_bytes()).await.expect("writes");
                for _ in 0..lines {
                    socket.read_line(&mut String::new()).await.expect("reads");
                }
            }
            // QUIT has come, and nothing is said
            std::future::pending::<()>().await;
        });
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("has versions")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let server = Server {
            host: "127.0.0.1",
            port,
            hello: "me",
            security: Security::Never,
            tls: Arc::new(config),
            name: None,
            login: None,
        };
        let to = ["c@d".to_owned()];
        let sent = tokio::time::timeout(Duration::from_secs(10), send(&server, "a@b", &to, "mail")).await;
        sent.expect("does not wait").expect("is taken");
        serving.abort();
    }

    #[test]
    fn dots_are_doubled() {
        assert_eq!(stuffed("a\r\n.\r\n..b\r\n"), "a\r\n..\r\n...b\r\n.\r\n");
        assert_eq!(stuffed("a"), "a\r\n.\r\n");
    }
}
