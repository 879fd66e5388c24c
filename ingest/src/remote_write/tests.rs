//! What Prometheus' own suite asks of a receiver, and what happens to bodies that are not as they should be.

use axum::Router;
use axum::body::{Body, to_bytes};
use http::Request;
use model::{CounterReset, Labels, Matcher, STALE_NAN, Samples, Selection, Series};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use store::{Reader, ReaderSettings, Source, Stream, Tenant, Writer, WriterSettings};
use testkit::protobuf::Message;
use testkit::remote_write::{RequestV2, V1, V2, custom_histogram, histogram, request_v1, sample, series_v1};
use testkit::{Fault, FaultyStore, ManualClock, Operation};
use tokio::sync::Semaphore;
use tower::ServiceExt;

use super::*;
use crate::router;
use crate::settings::Settings;

pub(super) const NOW_MS: i64 = 1_795_370_073_531;

/// A receiver, its router, and a reader of another process on the same store: it sees only what is durable.
pub(super) struct Bench {
    receiver: Arc<Receiver>,
    router: Router,
    reader: Reader,
}

/// Status, text, and the counts of the headers: samples, histograms, exemplars.
pub(super) type Answered = (u16, String, Option<[u64; 3]>);

impl Bench {
    pub(super) fn new() -> Self {
        Self::over(Arc::new(InMemory::new()), Settings::default(), WriterSettings::of_writer(1))
    }

    fn over(store: Arc<dyn ObjectStore>, settings: Settings, of_writer: WriterSettings) -> Self {
        Self::with(store, settings, of_writer, |receiver| receiver)
    }

    /// With the label sets that another remembers.
    fn remembering(settings: Settings, other: &Self) -> Self {
        let of_writer = WriterSettings::of_writer(4);
        Self::with(Arc::new(InMemory::new()), settings, of_writer, |receiver| {
            receiver.remembering_with(&other.receiver)
        })
    }

    fn with(
        store: Arc<dyn ObjectStore>,
        settings: Settings,
        of_writer: WriterSettings,
        finish: impl FnOnce(Receiver) -> Receiver,
    ) -> Self {
        let clock = Arc::new(ManualClock::at_ms(NOW_MS));
        let (root, tenant) = (Path::default(), Tenant::default());
        let samples = Stream::samples(&root, &tenant);
        let writer = Writer::start(Arc::clone(&store), samples.clone(), Arc::clone(&clock) as _, of_writer);
        let pushed = Stream::pushes(&root, &tenant);
        let of_pushes = WriterSettings::of_writer(2);
        let pusher: Writer =
            Writer::start(Arc::clone(&store), pushed.clone(), Arc::clone(&clock) as _, of_pushes);
        let pushes = Source::new(pushed, None);
        let exemplars = Stream::exemplars(&root, &tenant);
        let of_exemplars = Writer::start(
            Arc::clone(&store),
            exemplars.clone(),
            Arc::clone(&clock) as _,
            WriterSettings::of_writer(3),
        );
        let reader = Reader::new(store, pushes, Source::new(samples, None), ReaderSettings::default());
        let reader = reader.with_exemplars(Source::new(exemplars, None));
        let receiver = Receiver::new(Arc::new(writer), Arc::new(pusher), clock, settings);
        let receiver = Arc::new(finish(receiver.with_exemplars(Arc::new(of_exemplars))));
        Self { router: router(Arc::clone(&receiver)), receiver, reader }
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answered {
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let status = response.status().as_u16();
        let count = |name: &HeaderName| response.headers().get(name)?.to_str().ok()?.parse().ok();
        let counts = [SAMPLES, HISTOGRAMS, EXEMPLARS].iter().map(count).collect::<Option<Vec<u64>>>();
        let counts = counts.map(|counts| [counts[0], counts[1], counts[2]]);
        let text = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        (status, String::from_utf8(text.to_vec()).expect("text"), counts)
    }

    pub(super) async fn write(&self, content_type: &str, message: &[u8]) -> Answered {
        self.send(request(&[("content-type", content_type), ("content-encoding", "snappy")], packed(message)))
            .await
    }

    /// A request of 2.0 that is taken whole.
    async fn written(&self, message: RequestV2) -> [u64; 3] {
        let (status, text, counts) = self.write(V2, &message.into_bytes()).await;
        assert_eq!((status, &*text), (204, ""));
        counts.expect("headers of 2.0")
    }

    /// What is stored under a name, by its labels.
    pub(super) async fn stored(&self, name: &str) -> Vec<Series> {
        let selection = Selection {
            matchers: vec![Matcher::equal("__name__", name)],
            start_ms: 0,
            end_ms: i64::MAX / 1_000,
        };
        self.reader.select(&selection).await.expect("reads").found
    }

    /// The exemplars under a name.
    async fn exemplars(&self, name: &str) -> Vec<String> {
        let matchers = vec![Matcher::equal("__name__", name)];
        let selection = Selection { matchers, start_ms: 0, end_ms: i64::MAX / 1_000 };
        let found = self.reader.exemplars(&[selection]).await.expect("reads").found;
        let exemplars = found.iter().flat_map(|series| &series.exemplars);
        let shown = |exemplar: &model::Exemplar| {
            format!("{}@{}", exemplar.labels.get("trace_id").unwrap_or_default(), exemplar.at_ms)
        };
        exemplars.map(shown).collect()
    }

    /// What is known of families.
    pub(super) async fn told(&self) -> Vec<String> {
        let told = self.reader.descriptions().await.expect("reads").found;
        let shown = |(name, told): (Arc<str>, Vec<model::Told>)| {
            let told = told.iter().map(|told| &told.metadata);
            let told: Vec<String> =
                told.map(|told| format!("{} {} {}", told.r#type, told.help, told.unit)).collect();
            format!("{name} {}", told.join(", "))
        };
        told.into_iter().map(shown).collect()
    }

    pub(super) async fn samples(&self, name: &str) -> Samples {
        let [series] = &self.stored(name).await[..] else { panic!("one series") };
        series.samples.clone()
    }

    pub(super) async fn is_empty(&self) -> bool {
        let selection = Selection { matchers: Vec::new(), start_ms: 0, end_ms: i64::MAX / 1_000 };
        self.reader.select(&selection).await.expect("reads").found.is_empty()
    }
}

pub(super) fn packed(message: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(message).expect("packs")
}

pub(super) fn request(headers: &[(&str, &str)], body: Vec<u8>) -> Request<Body> {
    let request = Request::post("/api/v1/write");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Body::from(body)).expect("a request")
}

const NAME: [(&str, &str); 1] = [("__name__", "m")];

fn one_sample() -> Vec<u8> {
    request_v1([series_v1(&NAME, &[(NOW_MS, 1.0)])])
}

#[tokio::test]
async fn floats_of_both_versions() {
    let bench = Bench::new();
    let labels = [("__name__", "m"), ("job", "a")];
    let v1 = request_v1([series_v1(&labels, &[(NOW_MS - 2, 1.0), (NOW_MS - 1, f64::INFINITY)])]);
    assert_eq!(bench.write(V1, &v1).await, (204, String::new(), None));
    let stale = f64::from_bits(STALE_NAN);
    assert_eq!(bench.written(RequestV2::default().floats(&labels, &[(NOW_MS, stale)])).await, [1, 0, 0]);
    let samples = bench.samples("m").await;
    assert_eq!(samples.timestamps_ms, [NOW_MS - 2, NOW_MS - 1, NOW_MS]);
    let bits: Vec<u64> = samples.values.iter().map(|value| value.to_bits()).collect();
    assert_eq!(bits, [1.0_f64.to_bits(), f64::INFINITY.to_bits(), STALE_NAN]);
}

#[tokio::test]
async fn any_order_of_time_and_the_later_write_counts() {
    let bench = Bench::new();
    for samples in
        [&[(NOW_MS, 1.0), (NOW_MS - 9, 2.0)][..], &[(1, 3.0), (NOW_MS, 4.0)], &[(NOW_MS + 600_000, 5.0)]]
    {
        bench.written(RequestV2::default().floats(&NAME, samples)).await;
    }
    let samples = bench.samples("m").await;
    assert_eq!(samples.timestamps_ms, [1, NOW_MS - 9, NOW_MS, NOW_MS + 600_000]);
    assert_eq!(samples.values, [3.0, 2.0, 4.0, 5.0]);
}

#[tokio::test]
async fn native_histograms_and_custom_buckets() {
    let bench = Bench::new();
    let counts = bench
        .written(
            RequestV2::default()
                .series(&[("__name__", "native")], |series| {
                    series.message(3, histogram(NOW_MS, [2, 1], 3.5).varint(14, 2))
                })
                .series(&[("__name__", "custom")], |series| {
                    series.message(3, custom_histogram(NOW_MS, [1, 0, 2], 20.0))
                }),
        )
        .await;
    assert_eq!(counts, [0, 2, 0]);
    let samples = bench.samples("native").await;
    let native = samples.histograms[0].as_ref().expect("a histogram");
    assert_eq!((native.count, native.sum, native.zero_count, native.zero_threshold), (4.0, 3.5, 1.0, 0.001));
    assert_eq!(
        (&native.positive_counts[..], native.counter_reset),
        (&[2.0, 1.0][..], CounterReset::NotReset)
    );
    let samples = bench.samples("custom").await;
    let custom = samples.histograms[0].as_ref().expect("a histogram");
    assert_eq!(
        (custom.schema, &custom.custom_bounds[..], &custom.positive_counts[..]),
        (-53, &[1.0, 5.0][..], &[1.0, 0.0, 2.0][..])
    );
}

#[tokio::test]
async fn exemplars_metadata_and_start_times_are_taken() {
    let bench = Bench::new();
    let exemplar = Message::new().varints(1, [1, 2]).double(2, 1.0).int(3, NOW_MS);
    let message = RequestV2::default().series(&NAME, |series| {
        let metadata = Message::new().varint(1, 1).varint(3, 2).varint(4, 0);
        series.message(2, sample(NOW_MS, 1.0)).message(4, exemplar).message(5, metadata).int(6, NOW_MS - 5)
    });
    assert_eq!(bench.written(message).await, [1, 0, 1]);
    assert_eq!(bench.samples("m").await.values, [1.0]);
    // its label is one of a metric's, by the symbols
    assert_eq!(bench.exemplars("m").await, [format!("@{NOW_MS}")]);
}

#[tokio::test]
async fn exemplars_are_there_once_and_families_are_told() {
    let bench = Bench::new();
    let label = |name: &str, value: &str| Message::new().bytes(1, name).bytes(2, value);
    let exemplar = |trace: &str, at_ms: i64| {
        Message::new().message(1, label("trace_id", trace)).double(2, 0.5).int(3, at_ms)
    };
    // as Prometheus sends them: apart from samples
    let of_exemplars = Message::new()
        .message(1, label("__name__", "m"))
        .message(3, exemplar("t2", NOW_MS - 1))
        .message(3, exemplar("t1", NOW_MS - 9))
        .message(3, exemplar(&"x".repeat(121), NOW_MS))
        .message(3, exemplar("ahead", NOW_MS + 600_001));
    let family = Message::new().varint(1, 1).bytes(2, "m").bytes(4, "Help.").bytes(5, "s");
    let body = Message::new().message(1, of_exemplars).message(3, family).into_bytes();
    for _ in 0..2 {
        assert_eq!(bench.write(V1, &body).await, (204, String::new(), None));
        assert_eq!(bench.exemplars("m").await, [format!("t1@{}", NOW_MS - 9), format!("t2@{}", NOW_MS - 1)]);
    }
    assert!(bench.is_empty().await);
    assert_eq!(bench.told().await, ["m counter Help. s"]);
    let mut message = RequestV2::default();
    let help = message.symbol("Took.");
    let message = message.series(&[("__name__", "took_bucket")], |series| {
        series.message(2, sample(NOW_MS, 1.0)).message(5, Message::new().varint(1, 3).varint(3, help))
    });
    assert_eq!(bench.written(message).await, [1, 0, 0]);
    assert_eq!(bench.told().await, ["m counter Help. s", "took histogram Took. "]);
}

#[tokio::test]
async fn many_series_and_every_character() {
    let bench = Bench::new();
    let numbers: Vec<String> = (0..1_500).map(|number| number.to_string()).collect();
    let message = numbers.iter().fold(RequestV2::default(), |message, number| {
        message.floats(&[("__name__", "many"), ("number", number)], &[(NOW_MS, 1.0)])
    });
    assert_eq!(bench.written(message).await, [1_500, 0, 0]);
    assert_eq!(bench.stored("many").await.len(), 1_500);
    let labels = [("__name__", "größe.x"), ("jöb/a b", "\"\n\\ é 漢字 🦋"), ("_", " ")];
    bench.written(RequestV2::default().floats(&labels, &[(NOW_MS, 1.0)])).await;
    assert_eq!(bench.stored("größe.x").await[0].labels, Labels::from_pairs(labels));
}

#[tokio::test]
async fn headers_say_which_message_it_is() {
    let bench = Bench::new();
    let v2 = || RequestV2::default().floats(&NAME, &[(NOW_MS, 1.0)]).into_bytes();
    let check = async |headers: &[(&str, &str)], message: Vec<u8>, status: u16, starts: &str| {
        let (found, text, counts) = bench.send(request(headers, packed(&message))).await;
        assert_eq!(found, status, "{headers:?} {text}");
        assert!(text.starts_with(starts), "{text}");
        assert_eq!(counts.is_some(), headers[0].1.contains("v2") && status == 204, "{headers:?}");
    };
    check(&[("content-type", ""), ("content-encoding", "")], one_sample(), 204, "").await;
    check(&[("content-type", V1)], one_sample(), 204, "").await;
    let named = "application/x-protobuf; proto=prometheus.WriteRequest";
    check(&[("content-type", named), ("content-encoding", "Snappy")], one_sample(), 204, "").await;
    check(&[("content-type", V2), ("content-encoding", "snappy")], v2(), 204, "").await;
    check(&[("content-type", "text/plain")], one_sample(), 415, "expected application/x-protobuf as").await;
    check(&[("content-type", "application/x-protobuf;proto=v3")], one_sample(), 415, "got application").await;
    let gzip = "gzip encoding (compression) is not accepted by this server; only snappy is acceptable\n";
    check(&[("content-type", V1), ("content-encoding", "gzip")], one_sample(), 415, gzip).await;
    check(&[("content-type", V2), ("content-encoding", "zstd")], v2(), 415, "zstd encoding").await;
    // no headers at all
    assert_eq!(bench.send(request(&[], packed(&one_sample()))).await.0, 204);
}

#[tokio::test]
async fn what_is_good_is_written_and_what_is_not_is_told() {
    let bench = Bench::new();
    let message = RequestV2::default()
        .floats(&[("job", "nameless")], &[(NOW_MS, 1.0)])
        .floats(&NAME, &[(NOW_MS, 1.0), (NOW_MS + 600_001, 2.0)])
        .series(&[("__name__", "h")], |series| {
            let good = series.message(3, histogram(NOW_MS, [1, 1], 2.0));
            good.message(3, Message::new().sint(4, 9).int(15, NOW_MS - 1))
        });
    let (status, text, counts) = bench.write(V2, &message.into_bytes()).await;
    assert_eq!((status, counts), (400, Some([1, 1, 0])));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(lines[0], r#"invalid metric name or labels, got {job="nameless"}"#);
    assert!(lines[1].contains("got schema 9 for series {__name__=\"h\"}"), "{text}");
    assert!(lines[2].contains("samples_ahead_max_ms is 600000, for series {__name__=\"m\"}"), "{text}");
    assert_eq!((bench.samples("m").await.len(), bench.samples("h").await.len()), (1, 1));
    assert!(bench.stored("").await.is_empty());
    // the same with 1.0
    let series = [
        series_v1(&[("job", "nameless")], &[(NOW_MS, 1.0)]),
        series_v1(&[("__name__", "v1")], &[(NOW_MS, 1.0)]),
    ];
    let answer = (400, "invalid metric name or labels, got {job=\"nameless\"}\n".to_owned(), None);
    assert_eq!(bench.write(V1, &request_v1(series)).await, answer);
    assert_eq!(bench.samples("v1").await.len(), 1);
}

#[tokio::test]
async fn nothing_is_stored_of_what_is_refused_whole() {
    let limits = Settings {
        body_bytes_max: 2_000,
        inflated_body_bytes_max: 10_000,
        samples_per_request_max: 20,
        ..Settings::default()
    };
    let bench = Bench::over(Arc::new(InMemory::new()), limits, WriterSettings::of_writer(1));
    let check = async |body: Vec<u8>, status: u16, text: &str| {
        let (found, said, counts) = bench.send(request(&[("content-type", V2)], body)).await;
        assert_eq!((found, &*said, counts), (status, &*format!("{text}\n"), Some([0, 0, 0])));
    };
    check(Vec::new(), 400, "snappy: corrupt input").await;
    check(b"hello world".to_vec(), 400, "snappy: corrupt input").await;
    check(
        b"\xff\xff\xff\xff\x0f".to_vec(),
        413,
        "inflated body is larger than 10000 bytes, which is inflated_body_bytes_max",
    )
    .await;
    check(packed(&[0xff; 3]), 400, "unexpected EOF").await;
    let mut cut = RequestV2::default().floats(&NAME, &[(NOW_MS, 1.0)]).into_bytes();
    cut.pop();
    check(packed(&cut), 400, "unexpected EOF").await;
    check(vec![0; 2_001], 413, "body is larger than 2000 bytes, which is body_bytes_max").await;
    check(
        packed(&[0; 10_001]),
        413,
        "inflated body is larger than 10000 bytes, which is inflated_body_bytes_max",
    )
    .await;
    let samples: Vec<(i64, f64)> = (0..20).map(|ms| (NOW_MS + ms, 1.0)).collect();
    let many = RequestV2::default().floats(&NAME, &samples).into_bytes();
    check(
        packed(&many),
        413,
        "more than 20 series, samples, buckets and exemplars, which is samples_per_request_max",
    )
    .await;
    assert!(bench.is_empty().await);
    let request = request(&[("content-type", V2)], vec![0; 2_001]);
    let refused = bench.router.clone().oneshot(request).await.expect("infallible");
    assert_eq!(refused.headers()["mayfly-limit"], "body_bytes_max");
    let counted = wire::exposition::write_text(
        &bench.receiver.stats().families(),
        wire::name_escaping::Escaping::default(),
    );
    for (limit, count) in
        [("body_bytes_max", 2), ("inflated_body_bytes_max", 2), ("samples_per_request_max", 1)]
    {
        let line = format!(
            "mayfly_write_limits_exceeded_total{{protocol=\"remote_write\",limit=\"{limit}\"}} {count}\n"
        );
        assert!(counted.contains(&line), "{line}{counted}");
    }
    // an empty request is none of that
    assert_eq!(bench.write(V2, b"").await, (204, String::new(), Some([0, 0, 0])));
}

#[tokio::test]
async fn other_methods() {
    let bench = Bench::new();
    let ask = async |method: &str| {
        let request = Request::builder().method(method).uri("/api/v1/write").body(Body::empty());
        bench.router.clone().oneshot(request.expect("a request")).await.expect("infallible")
    };
    for method in ["GET", "PUT", "DELETE"] {
        let response = ask(method).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()["allow"], "OPTIONS, POST");
    }
    assert_eq!(ask("OPTIONS").await.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_write_that_is_not_durable_is_no_success() {
    let store = FaultyStore::new(Arc::new(InMemory::new()), |operation, _| match operation {
        Operation::Put => Fault::Fail,
        _ => Fault::None,
    });
    let bench = Bench::over(Arc::new(store), Settings::default(), WriterSettings::of_writer(1));
    let message = RequestV2::default().floats(&NAME, &[(NOW_MS, 1.0)]).into_bytes();
    let (status, text, counts) = bench.write(V2, &message).await;
    assert_eq!((status, counts), (503, Some([0, 0, 0])), "{text}");
    assert!(bench.is_empty().await);
}

#[tokio::test]
async fn of_a_write_that_fails_in_part_the_rest_is_counted() {
    let exemplar = || Message::new().varints(1, [1, 2]).double(2, 1.0).int(3, NOW_MS);
    let message = || {
        let fill = |series: Message| series.message(2, sample(NOW_MS, 1.0)).message(4, exemplar());
        RequestV2::default().series(&NAME, fill).into_bytes()
    };
    for (broken, expect) in [("samples", [0, 0, 1]), ("exemplars", [1, 0, 0])] {
        let store =
            FaultyStore::new(Arc::new(InMemory::new()), move |operation, path: &Path| match operation {
                Operation::Put if path.parts().any(|part| part.as_ref() == broken) => Fault::Fail,
                _ => Fault::None,
            });
        let bench = Bench::over(Arc::new(store), Settings::default(), WriterSettings::of_writer(1));
        let (status, text, counts) = bench.write(V2, &message()).await;
        assert_eq!((status, counts), (503, Some(expect)), "{broken}: {text}");
        assert_eq!(bench.stored("m").await.len() as u64, expect[0]);
        assert_eq!(bench.exemplars("m").await.len() as u64, expect[2]);
    }
}

#[tokio::test]
async fn limits_hold_also_for_labels_that_another_has_sent() {
    let long = "x".repeat(20);
    let labels = [("__name__", "m"), ("a", &*long), ("b", "1"), ("c", "1")];
    let (v1, v2) = (
        request_v1([series_v1(&labels, &[(NOW_MS, 1.0)])]),
        RequestV2::default().floats(&labels, &[(NOW_MS, 1.0)]).into_bytes(),
    );
    let first = Bench::new();
    for (limit, settings) in [
        ("labels_per_series_max", Settings { labels_per_series_max: 3, ..Settings::default() }),
        ("label_value_bytes_max", Settings { label_value_bytes_max: 19, ..Settings::default() }),
    ] {
        let second = Bench::remembering(settings, &first);
        for (content_type, message) in [(V1, &v1), (V2, &v2)] {
            assert_eq!(first.write(content_type, message).await.0, 204);
            let request =
                request(&[("content-type", content_type), ("content-encoding", "snappy")], packed(message));
            let response = second.router.clone().oneshot(request).await.expect("infallible");
            assert_eq!(response.status(), StatusCode::BAD_REQUEST);
            assert_eq!(response.headers()["mayfly-limit"], limit);
        }
        assert!(second.is_empty().await);
    }
}

#[tokio::test]
async fn more_rows_than_the_store_takes_at_once_are_refused_for_good() {
    let of_writer = WriterSettings { entry_bytes_max: 1, ..WriterSettings::of_writer(1) };
    let bench = Bench::over(Arc::new(InMemory::new()), Settings::default(), of_writer);
    let (status, text, _) = bench.write(V1, &one_sample()).await;
    assert_eq!(status, 413);
    assert!(text.contains("no more than 1 may at once, which is entry_bytes_max"), "{text}");
}

#[tokio::test]
async fn one_write_too_many_and_a_full_buffer_are_told_to_come_again() {
    let gate = Arc::new(Semaphore::new(0));
    let waits = Arc::clone(&gate);
    let store = FaultyStore::new(Arc::new(InMemory::new()), move |operation, _| match operation {
        Operation::Put => Fault::Wait(Arc::clone(&waits)),
        _ => Fault::None,
    });
    let settings = Settings { writes_in_flight_max: 2, ..Settings::default() };
    let of_writer = WriterSettings { buffer_bytes_max: 1, ..WriterSettings::of_writer(1) };
    let bench = Arc::new(Bench::over(Arc::new(store), settings, of_writer));
    let first = tokio::spawn({
        let bench = Arc::clone(&bench);
        async move { bench.write(V1, &one_sample()).await }
    });
    // until its place is taken and its row waits
    while bench.receiver.admit().and_then(|_one| bench.receiver.admit().map(drop)).is_ok() {
        tokio::task::yield_now().await;
    }
    let (status, text, _) = bench.write(V1, &one_sample()).await;
    assert_eq!(status, 503);
    assert!(text.contains("are waiting to be written"), "{text}");
    // nor is it looked at what cannot be taken
    assert_eq!(bench.write(V1, b"no message").await.0, 503);
    let places = (bench.receiver.admit().expect("a place"), bench.write(V1, &one_sample()).await);
    assert_eq!(places.1.0, 503);
    assert!(
        places.1.1.contains("2 writes are being worked on, which is writes_in_flight_max"),
        "{}",
        places.1.1
    );
    gate.add_permits(10);
    assert_eq!(first.await.expect("ends").0, 204);
}

#[tokio::test]
async fn what_finds_no_memory_may_come_again() {
    let bench = Bench::over(Arc::new(InMemory::new()), Settings::default(), WriterSettings::of_writer(1));
    let mut others = bench.receiver.room().place();
    others.grow(access::ROOM_BYTES_MAX).expect("is there");
    let (status, text, _) = bench.write(V1, &one_sample()).await;
    assert!(status == 503 && text.contains("which is received_bytes_max: try again later"), "{text}");
    assert!(bench.is_empty().await);
    drop(others);
    assert_eq!(bench.write(V1, &one_sample()).await.0, 204);
    assert_eq!(bench.receiver.room().taken(), 0);
}

#[tokio::test]
async fn a_slow_body_may_come_again() {
    let settings = Settings { body_timeout_ms: 1, ..Settings::default() };
    let bench = Bench::over(Arc::new(InMemory::new()), settings, WriterSettings::of_writer(1));
    let never = Body::from_stream(futures::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    let request = Request::post("/api/v1/write").body(never).expect("a request");
    let (status, text, _) = bench.send(request).await;
    assert_eq!((status, &*text), (503, "the body did not come within 1 ms, which is body_timeout_ms\n"));
}
