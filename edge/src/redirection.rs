//! Redirections, followed as Go's client follows them.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};

use crate::http::{ANSWER_BYTES_MAX, Endpoint, HttpClient, HttpError, split};

/// So many redirections are followed.
pub(crate) const REDIRECTIONS_MAX: usize = 10;

impl HttpClient {
    /// As [`HttpClient::send_to`], and follows up to ten redirections: with a GET, or after 307 and 308 with the same once more.
    /// Headers that are not shown, and who asks, are for the host that was meant at first.
    ///
    /// # Errors
    /// If there is no answer within `timeout`, it is larger than anybody needs, or leads nowhere.
    pub async fn send_on(
        &self,
        to: &Endpoint,
        method: Method,
        headers: Vec<(HeaderName, HeaderValue)>,
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<(StatusCode, Bytes), HttpError> {
        let sent = self.follow(to, method, headers, body.into());
        tokio::time::timeout(timeout, sent).await.map_err(|_| HttpError::Timeout(timeout))?
    }

    async fn follow(
        &self,
        first: &Endpoint,
        mut method: Method,
        mut headers: Vec<(HeaderName, HeaderValue)>,
        mut body: Bytes,
    ) -> Result<(StatusCode, Bytes), HttpError> {
        let mut to = first.clone();
        for _ in 0..=REDIRECTIONS_MAX {
            let request = Request::builder().method(method.clone());
            let answer = self.ask(&to, request, headers.clone(), body.clone(), ANSWER_BYTES_MAX).await?;
            let status = answer.status();
            let is_same = matches!(status.as_u16(), 307 | 308);
            let location = answer.headers().get(LOCATION).and_then(|location| location.to_str().ok());
            let Some(location) = location.filter(|_| is_same || matches!(status.as_u16(), 301..=303)) else {
                return Ok((status, answer.into_body()));
            };
            let next = redirected(&to.to_string(), location);
            // the reason alone: what is asked may hold a secret
            to = Endpoint::exactly(&next).map_err(|error| HttpError::Redirection(error.reason.to_owned()))?;
            if to.host() != first.host() {
                headers.retain(|(name, value)| !value.is_sensitive() && name != AUTHORIZATION);
            }
            if !is_same {
                method = Method::GET;
                body = Bytes::new();
                headers.retain(|(name, _)| name != CONTENT_TYPE);
            }
        }
        Err(HttpError::Redirection(format!("stopped after {REDIRECTIONS_MAX} redirects")))
    }
}

/// Where a redirection leads.
pub(crate) fn redirected(from: &str, location: &str) -> String {
    let has_scheme = location.split_once("://").is_some_and(|(scheme, _)| !scheme.contains(['/', '?', '#']));
    let Some((base, path)) = split(from).filter(|_| !has_scheme) else {
        return location.to_owned();
    };
    if location.starts_with("//") {
        return format!("{}:{location}", base.split(':').next().unwrap_or_default());
    }
    if location.starts_with('/') {
        return format!("{base}{location}");
    }
    let folder = path.split('?').next().unwrap_or_default();
    let folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
    format!("{base}{folder}/{location}")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use testkit::http::{Response, Server};

    use super::*;

    #[test]
    fn redirections() {
        let check = |from: &str, location: &str, expect: &str| assert_eq!(redirected(from, location), expect);
        check("http://a:1/x/y?z=1", "https://b/c", "https://b/c");
        check("http://a:1/x/y?z=1", "/c?d", "http://a:1/c?d");
        check("http://a:1/x/y?z=1", "c", "http://a:1/x/c");
        check("http://a:1", "c", "http://a:1/c");
        check("http://a:1/x", "/m?of=http://b", "http://a:1/m?of=http://b");
        check("https://a:1/x", "//b/c", "https://b/c");
    }

    /// Method, path, body, and who asks.
    type Asked = (String, String, String, Option<String>);

    /// Redirects `/STATUS` to a place, and says `ok` elsewhere.
    fn server(leads_to: String) -> (Server, Arc<Mutex<Vec<Asked>>>) {
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let seen = Arc::clone(&asked);
        let server = Server::start(move |request| {
            let body = String::from_utf8_lossy(&request.body).into_owned();
            let who = request.headers.get("authorization").map(str::to_owned);
            let path = request.path().to_owned();
            seen.lock().expect("no panic").push((request.method.clone(), path.clone(), body, who));
            match path[1..].parse() {
                Ok(status) => Response::new(status).header("location", &leads_to),
                Err(_) => Response::new(200).body("ok"),
            }
        });
        (server.expect("starts"), asked)
    }

    async fn sent(url: &str) -> Result<(StatusCode, Bytes), HttpError> {
        let mut who = HeaderValue::from_static("Bearer x");
        who.set_sensitive(true);
        let headers = vec![(CONTENT_TYPE, HeaderValue::from_static("text/plain")), (AUTHORIZATION, who)];
        let client = HttpClient::new().expect("a client");
        let to = Endpoint::exactly(url).expect("a URL");
        client.send_on(&to, Method::POST, headers, b"body".to_vec(), Duration::from_secs(10)).await
    }

    #[tokio::test]
    async fn redirections_are_followed_as_go_does() {
        let (other, told_other) = server(String::new());
        for (status, method, body) in [
            (301, "GET", ""),
            (302, "GET", ""),
            (303, "GET", ""),
            (307, "POST", "body"),
            (308, "POST", "body"),
        ] {
            let (near, told) = server("end".to_owned());
            let answer = sent(&format!("{}/{status}", near.url())).await.expect("is answered");
            assert_eq!(answer, (StatusCode::OK, Bytes::from("ok")));
            let who = Some("Bearer x".to_owned());
            let last = told.lock().expect("no panic").last().cloned();
            assert_eq!(last, Some((method.to_owned(), "/end".to_owned(), body.to_owned(), who)), "{status}");

            let (far, _) = server(format!("{}/end", other.url()));
            sent(&format!("{}/{status}", far.url())).await.expect("is answered");
            let last = told_other.lock().expect("no panic").last().cloned();
            assert_eq!(last, Some((method.to_owned(), "/end".to_owned(), body.to_owned(), None)), "{status}");
        }
        let (round, told) = server("/307".to_owned());
        let error = sent(&format!("{}/307", round.url())).await.expect_err("has no end").to_string();
        assert!(error.contains("stopped after 10 redirects"), "{error}");
        assert_eq!(told.lock().expect("no panic").len(), 11);
        let (away, _) = server("ftp://x".to_owned());
        assert!(sent(&format!("{}/302", away.url())).await.is_err());
        assert_eq!(
            sent(&format!("{}/304", away.url())).await.expect("is answered").0,
            StatusCode::NOT_MODIFIED
        );
    }
}
