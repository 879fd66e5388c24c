//! A connection of HTTP/2 on which nothing is asked any more. hyper ends one of HTTP/1 that waits for too long, and has no such
//! limit here.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http_body_util::BodyExt;
use tokio::sync::watch;
use tokio::time::timeout;

/// How many requests of a connection are under way, the sending of answers included.
#[derive(Clone)]
pub(super) struct Idle(Arc<watch::Sender<usize>>);

/// A request under way.
struct UnderWay(Idle);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}

impl Idle {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    /// The routes, whose requests count.
    pub(super) fn counting(&self, routes: Router) -> Router {
        routes.layer(from_fn_with_state(self.clone(), count))
    }

    /// Waits until nothing was under way for that long.
    pub(super) async fn lasts(self, max: Duration) {
        let mut counts = self.0.subscribe();
        loop {
            // the sender is here, so this does not fail
            let _ = counts.wait_for(|count| *count == 0).await;
            if timeout(max, counts.wait_for(|count| *count > 0)).await.is_err() {
                return;
            }
        }
    }
}

async fn count(State(idle): State<Idle>, request: Request, next: Next) -> Response {
    idle.0.send_modify(|count| *count += 1);
    let under_way = UnderWay(idle);
    let response = next.run(request).await;
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            // until the last byte is on its way
            let _ = &under_way;
            frame
        }))
    })
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "time is that of the test")]
mod tests {
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    const MAX: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn nothing_under_way_for_so_long() {
        let idle = Idle::new();
        let slow = get(async || {
            tokio::time::sleep(4 * MAX).await;
            "slow"
        });
        let routes = idle.counting(Router::new().route("/", slow));
        let started = tokio::time::Instant::now();
        let asking = async {
            tokio::time::sleep(MAX / 2).await;
            let request = Request::get("/").body(Body::empty()).expect("a request");
            let response = routes.oneshot(request).await.expect("answers");
            // it takes its time to read that
            tokio::time::sleep(2 * MAX).await;
            drop(response);
        };
        tokio::join!(idle.lasts(MAX), asking);
        assert_eq!(started.elapsed(), MAX / 2 + 4 * MAX + 2 * MAX + MAX);
    }
}
