//! Whoever goes away while a query is answered ends it: nothing more is asked of the storage.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use model::{Clock, Labels, Samples};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use query::Settings;
use store::{Reader, ReaderSettings, SampleBatch, Source, Stream, Tenant, Writer, WriterSettings};
use testkit::{Fault, FaultyStore, ManualClock, Operation};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

const T0: i64 = 1_795_391_160_000;
const SEGMENTS: usize = 40;
/// So many objects are fetched at once.
const AT_ONCE: usize = 4;

/// Segments of which each is fetched when there is a permit for it, and how many were asked for.
struct House {
    router: Router,
    permits: Arc<Semaphore>,
    asked: Arc<AtomicUsize>,
}

impl House {
    async fn new() -> Self {
        let inner: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at_ms(T0));
        let (prefix, tenant) = (Path::default(), Tenant::default());
        let samples = Stream::samples(&prefix, &tenant);
        let settings = WriterSettings::of_writer(1);
        let writer = Writer::start(Arc::clone(&inner), samples.clone(), Arc::clone(&clock), settings);
        for segment in 0..SEGMENTS {
            let mut one = Samples::default();
            one.push(T0, 1.0);
            let labels = [("__name__", "up".to_owned()), ("instance", segment.to_string())];
            writer.push(SampleBatch::of(vec![(Labels::from_pairs(labels), one)])).await.expect("written");
        }
        let (permits, asked) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let (waiting, counted) = (Arc::clone(&permits), Arc::clone(&asked));
        let store = FaultyStore::new(inner, move |operation, path| {
            if operation != Operation::Get || !path.as_ref().ends_with(".parquet") {
                return Fault::None;
            }
            counted.fetch_add(1, Ordering::Relaxed);
            Fault::Wait(Arc::clone(&waiting))
        });
        let settings = ReaderSettings { requests_max: AT_ONCE, ..ReaderSettings::default() };
        let pushes = Source::new(Stream::pushes(&prefix, &tenant), None);
        let reader = Reader::new(Arc::new(store), pushes, Source::new(samples, None), settings);
        let (api, _) = mayfly_edge::queries(Arc::new(reader), Settings::default(), clock);
        Self { router: query::api::router(Arc::new(api)), permits, asked }
    }

    /// Until so many were asked for, or for ever.
    async fn until_asked(&self, count: usize) {
        while self.asked.load(Ordering::Relaxed) < count {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_ends_its_query() {
    let house = House::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("has an address");
    let server = tokio::spawn(axum::serve(listener, house.router.clone()).into_future());
    let request = format!("GET /api/v1/query?query=up&time={} HTTP/1.1\r\nhost: x\r\n\r\n", T0 / 1_000);

    let mut gone = TcpStream::connect(address).await.expect("connects");
    gone.write_all(request.as_bytes()).await.expect("is sent");
    house.until_asked(AT_ONCE).await;
    house.permits.add_permits(AT_ONCE);
    house.until_asked(2 * AT_ONCE).await;
    drop(gone);
    // a query that goes on would ask for more at once, since nothing keeps it waiting any more
    tokio::time::timeout(Duration::from_secs(20), async {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        stream.write_all(b"GET /api/v1/status/flags HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("is sent");
        stream.read_u8().await.expect("is answered");
    })
    .await
    .expect("in time");
    let asked = house.asked.load(Ordering::Relaxed);
    house.permits.add_permits(SEGMENTS * 2);
    let went_on = tokio::time::timeout(Duration::from_millis(300), house.until_asked(asked + 1)).await;
    assert!(went_on.is_err(), "{} of {SEGMENTS} were asked for", house.asked.load(Ordering::Relaxed));

    // whoever stays gets all of it
    let mut stays = TcpStream::connect(address).await.expect("connects");
    stays
        .write_all(request.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n").as_bytes())
        .await
        .expect("is sent");
    let mut answer = String::new();
    stays.read_to_string(&mut answer).await.expect("is answered");
    assert_eq!(answer.matches("\"instance\"").count(), SEGMENTS, "{answer}");
    server.abort();
}
