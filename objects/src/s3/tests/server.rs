//! An S3 server in this process, on a port of loopback, that loses requests and answers when told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::{TcpListener, TcpStream};

use super::backend::{BUCKET, Backend, Shared};
use crate::s3::{S3, S3Settings};

const KEY_ID: &str = "AKTEST";
const SECRET: &str = "SKTESTSECRET";
/// What the next requests of each method meet.
type Faults = Arc<Mutex<VecDeque<(Method, Fault)>>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What happens to a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// It arrives and is carried out; the connection breaks before the answer.
    LoseAnswer,
    /// The same, and before anybody can look somebody else overwrites the object.
    LoseAnswerAndOvertake,
    /// The connection breaks, and nothing is carried out.
    LoseRequest,
    /// It is carried out, and answered with 500.
    AnswerWith500,
    /// It is not carried out, and answered with this status.
    Refuse(u16),
    /// Nothing.
    Pass,
}

/// A running server; it stops when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    endpoint: String,
    pub(crate) backend: Arc<Backend>,
    faults: Faults,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let backend = Arc::new(Backend::default());
        let mut builder = S3ServiceBuilder::new(Shared(Arc::clone(&backend)));
        builder.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        let service = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let faults = Faults::default();
        let task = tokio::spawn(accept(listener, service, Arc::clone(&backend), Arc::clone(&faults)));
        Self { endpoint, backend, faults, task }
    }

    /// The next requests of this method meet these faults, one after the other.
    pub(super) fn meet(&self, method: &Method, faults: &[Fault]) {
        let faults = faults.iter().map(|fault| (method.clone(), *fault));
        self.faults.lock().unwrap().extend(faults);
    }

    pub(crate) fn settings(&self) -> S3Settings {
        S3Settings {
            bucket: BUCKET.into(),
            endpoint: Some(self.endpoint.clone()),
            region: Some("us-east-1".into()),
            path_style: None,
            static_credentials: Some((KEY_ID.into(), SECRET.into())),
            ..S3Settings::default()
        }
    }

    pub(crate) fn store(&self) -> S3 {
        S3::new(self.settings())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, service: S3Service, backend: Arc<Backend>, faults: Faults) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        tokio::spawn(serve(stream, service.clone(), Arc::clone(&backend), Arc::clone(&faults)));
    }
}

async fn serve(stream: TcpStream, service: S3Service, backend: Arc<Backend>, faults: Faults) {
    let service = service_fn(move |request: Request<Incoming>| {
        let fault = {
            let mut faults = faults.lock().unwrap();
            let index = faults.iter().position(|(method, _)| method == request.method());
            index.and_then(|index| faults.remove(index)).map_or(Fault::Pass, |(_, fault)| fault)
        };
        answer(service.clone(), Arc::clone(&backend), request, fault)
    });
    // A connection that breaks is what some tests want.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    service: S3Service,
    backend: Arc<Backend>,
    request: Request<Incoming>,
    fault: Fault,
) -> Result<Response<s3s::Body>, BoxError> {
    let path = request.uri().path().to_string();
    let carried_out = match fault {
        Fault::LoseRequest => return Err("request lost".into()),
        Fault::Refuse(status) => {
            return Ok(Response::builder().status(status).body(s3s::Body::empty())?);
        }
        _ => service.call(request.map(s3s::Body::from)).await.map_err(|error| format!("{error:?}"))?,
    };
    match fault {
        Fault::LoseAnswerAndOvertake => {
            backend.overtake(path.strip_prefix(&format!("/{BUCKET}/")).unwrap());
            Err("answer lost".into())
        }
        Fault::LoseAnswer => Err("answer lost".into()),
        Fault::AnswerWith500 => Ok(Response::builder().status(500).body(s3s::Body::empty())?),
        _ => Ok(carried_out),
    }
}
