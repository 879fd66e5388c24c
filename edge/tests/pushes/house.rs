//! One process, without ports.

use std::sync::Arc;

use axum::body::Body;
use gateway::Gateway;
use http::{Method, Request, StatusCode};
use mayfly_edge::{Ack, Storage, StoredSeries};
use model::Clock;
use query::{Engine, Value};
use testkit::ManualClock;
use tower::ServiceExt;

/// When the clock begins.
pub(crate) const T0: i64 = 1_795_391_160_000;

/// One process on a storage URL.
pub(crate) struct House {
    pub(crate) clock: Arc<ManualClock>,
    gateway: axum::Router,
    series: StoredSeries,
    engine: Engine,
}

impl House {
    pub(crate) async fn open(url: &str, clock: Arc<ManualClock>, ack: Ack) -> Self {
        let storage = Storage::open(url, None).await.expect("opens");
        let writer = storage.push_writer(Arc::clone(&clock) as _, ack).await.expect("a writer");
        let writer = Arc::new(writer);
        let reader = Arc::new(storage.reader(Some(&writer), None));
        let settings = gateway::Settings::default();
        let gateway = Gateway::new(writer, Arc::clone(&reader), Arc::clone(&clock) as _, settings);
        Self {
            gateway: gateway::router(Arc::new(gateway)),
            series: StoredSeries::new(reader),
            engine: Engine::new(query::Settings::default(), Arc::clone(&clock) as _),
            clock,
        }
    }

    pub(crate) async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> StatusCode {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        self.gateway.clone().oneshot(request).await.expect("an answer").status()
    }

    /// The values of an instant query, `ago_ms` before the clock's time.
    pub(crate) async fn ask(&self, expr: &str, ago_ms: i64) -> Vec<f64> {
        let expr = self.engine.parse(expr).expect("parses");
        let at_ms = self.clock.now_ms() - ago_ms;
        let outcome = self.engine.instant(&self.series, &expr, at_ms).await.expect("answers");
        let Value::Vector(samples) = outcome.value else {
            panic!("no vector: {:?}", outcome.value);
        };
        let floats = samples.into_iter().map(|sample| match sample.value {
            model::Value::Float(value) => value,
            model::Value::Histogram(_) => panic!("a histogram"),
        });
        floats.collect()
    }
}
