//! The page for browsers: where whoever opens the query port finds something to ask with, and where the links of alerts lead.
//!
//! It is files and nothing else, and tells nothing of what is stored: its script asks the API as any client does. The plain page
//! is always here; a server may have been built with another one ([`Page::of`]).

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// What is called so is answered at `/` and `/graph`, and the rest below `/assets/`, under its name.
const INDEX: &str = "index.html";

const PLAIN: &[PageFile] = &[
    PageFile { name: INDEX, bytes: include_bytes!("plain.html") },
    PageFile { name: "plain.css", bytes: include_bytes!("plain.css") },
    PageFile { name: "plain.js", bytes: include_bytes!("plain.js") },
];

/// The paths of a page, as axum writes them.
pub(crate) const PATHS: [&str; 3] = ["/", "/graph", "/assets/{name}"];

/// Nothing of anybody else's runs in it, nothing that came with an answer does, and it asks nobody else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'self'";

/// One file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageFile {
    /// Its name, which says by its end what it is.
    pub name: &'static str,
    /// What is in it.
    pub bytes: &'static [u8],
}

/// The files of a page.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    files: &'static [PageFile],
    /// Whether a name stands for what is in the file, so that it may be kept for ever.
    has_lasting_names: bool,
}

impl Page {
    /// An expression, a table and a graph, without libraries.
    pub const PLAIN: Self = Self { files: PLAIN, has_lasting_names: false };

    /// These files, in whose names, that of `index.html` aside, is a hash of what is in them; the plain page if there are none.
    pub fn of(files: &'static [PageFile]) -> Self {
        let has_index = files.iter().any(|file| file.name == INDEX);
        if has_index { Self { files, has_lasting_names: true } } else { Self::PLAIN }
    }

    pub(crate) fn router(self) -> Router {
        Router::new()
            .route(PATHS[0], get(index))
            .route(PATHS[1], get(index))
            .route(PATHS[2], get(asset))
            .with_state(self)
    }

    fn answer(self, name: &str) -> Response {
        let Some(file) = self.files.iter().find(|file| file.name == name) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let is_lasting = self.has_lasting_names && name != INDEX;
        let keeping = if is_lasting { "public, max-age=31536000, immutable" } else { "no-cache" };
        let headers = [
            (CONTENT_TYPE, content_type(name)),
            (CACHE_CONTROL, keeping),
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            // an address has the expression in it
            (REFERRER_POLICY, "no-referrer"),
        ];
        (headers, file.bytes).into_response()
    }
}

async fn index(State(page): State<Page>) -> Response {
    page.answer(INDEX)
}

async fn asset(State(page): State<Page>, Path(name): Path<String>) -> Response {
    page.answer(&name)
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, end)| end) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::{HeaderMap, Request};
    use tower::ServiceExt as _;

    use super::*;

    const BUILT: &[PageFile] =
        &[PageFile { name: INDEX, bytes: b"<p>" }, PageFile { name: "a-1B.js", bytes: b"1" }];

    async fn get(page: Page, path: &str) -> (StatusCode, HeaderMap, String) {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let (head, body) = page.router().oneshot(request).await.expect("an answer").into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("a body");
        (head.status, head.headers, String::from_utf8(bytes.to_vec()).expect("text"))
    }

    #[tokio::test]
    async fn files_say_what_they_are_and_how_long_they_may_be_kept() {
        let built = Page::of(BUILT);
        let (html, script) = ("text/html; charset=utf-8", "text/javascript; charset=utf-8");
        let lasting = "public, max-age=31536000, immutable";
        for (page, path, expect, kept) in [
            (built, "/", html, "no-cache"),
            (built, "/graph?g0.expr=up", html, "no-cache"),
            (built, "/assets/index.html", html, "no-cache"),
            (built, "/assets/a-1B.js", script, lasting),
            (Page::PLAIN, "/assets/plain.js", script, "no-cache"),
            (Page::PLAIN, "/assets/plain.css", "text/css; charset=utf-8", "no-cache"),
        ] {
            let (status, headers, _) = get(page, path).await;
            assert_eq!(status, StatusCode::OK, "{path}");
            assert_eq!(headers[CONTENT_TYPE], expect, "{path}");
            assert_eq!(headers[CACHE_CONTROL], kept, "{path}");
            assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
            let policy = headers[CONTENT_SECURITY_POLICY].to_str().expect("text");
            assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}");
        }
        for path in ["/assets/plain.js", "/assets/", "/assets/../index.html", "/graph.js"] {
            assert_eq!(get(built, path).await.0, StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[tokio::test]
    async fn without_files_the_page_is_plain() {
        let (_, _, plain) = get(Page::of(&[]), "/").await;
        assert!(plain.contains("plain.js") && plain.contains("make page"), "{plain}");
        for word in ["style=", "<style", "<script>", "onclick", "http://", "https://"] {
            assert!(!plain.contains(word), "{word}");
        }
    }
}
