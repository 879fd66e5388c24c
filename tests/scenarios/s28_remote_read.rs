//! Remote read from the real binary: what was pushed and what was written, both forms of an answer, and the limits.

use mayfly_tests::Fixture;
use testkit::http::{self, Request, Response};
use testkit::protobuf::Message;
use testkit::remote_write::{V1, request_v1, series_v1};

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

fn snappy(message: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(message).unwrap()
}

/// Everything of the last hour whose name begins with `name`, in these forms, for this function.
fn read(fixture: &Fixture, name: &str, forms: &[u64], function: &str) -> Response {
    let (start_ms, end_ms) = (now_ms() - 3_600_000, now_ms());
    let matcher = Message::new().varint(1, 2).bytes(2, "__name__").bytes(3, format!("{name}.*"));
    let hints = Message::new().bytes(2, function).int(3, start_ms).int(4, end_ms);
    let query = Message::new().int(1, start_ms).int(2, end_ms).message(3, matcher).message(4, hints);
    let request =
        forms.iter().fold(Message::new().message(1, query), |request, form| request.varint(2, *form));
    post(fixture, &snappy(&request.into_bytes()))
}

fn post(fixture: &Fixture, body: &[u8]) -> Response {
    http::send(&fixture.server().query, &Request::new("POST", "/api/v1/read").body(body)).expect("an answer")
}

/// The message of an answer of samples.
fn message(answer: &Response) -> Vec<u8> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.headers.get("content-type"), Some("application/x-protobuf"));
    assert_eq!(answer.headers.get("content-encoding"), Some("snappy"));
    snap::raw::Decoder::new().decompress_vec(&answer.body).unwrap()
}

/// Where the values of a label `n` stand, in the order in which they are sent.
fn order(body: &[u8]) -> String {
    let marks = body.windows(6).filter(|bytes| bytes.starts_with(b"\x0a\x01n\x12\x01"));
    marks.map(|bytes| char::from(bytes[5])).collect()
}

fn occurrences(body: &[u8], of: &[u8]) -> usize {
    body.windows(of.len()).filter(|bytes| *bytes == of).count()
}

#[test]
fn what_was_pushed_is_read_as_scraped_and_what_was_written_as_it_is() {
    let fixture = Fixture::with_args(|folder| {
        let config = folder.path().join("mayfly.yml");
        std::fs::write(&config, "global: {external_labels: {region: eu, n: x}}\n").unwrap();
        vec![
            "--config.file".to_owned(),
            config.display().to_string(),
            "--query.as-scraped".to_owned(),
            "1s".to_owned(),
        ]
    });
    fixture.push("PUT", "job/a", "pushed_rows 1.25\n");
    let series: Vec<_> = ["c", "a", "d", "b"]
        .map(|n| [("__name__", "written_rows"), ("n", n)])
        .iter()
        .map(|labels| series_v1(labels, &[(now_ms() - 9_000, 1.5), (now_ms(), 2.5)]))
        .collect();
    let request =
        Request::new("POST", "/api/v1/write").header("content-type", V1).header("content-encoding", "snappy");
    let written = request.body(snappy(&request_v1(series)));
    assert_eq!(http::send(&fixture.server().query, &written).unwrap().status, 204);
    std::thread::sleep(std::time::Duration::from_millis(2_100));
    // the value at every second since the push
    let samples = message(&read(&fixture, "pushed_rows", &[], ""));
    let seen = occurrences(&samples, &1.25_f64.to_le_bytes());
    assert!((2..30).contains(&seen), "{seen}");
    assert_eq!((order(&samples), occurrences(&samples, b"region")), ("x".to_owned(), 1));
    // and a stale marker at the first one that misses it
    fixture.push("DELETE", "job/a", "");
    let stale = 0x7ff0_0000_0000_0002_u64.to_le_bytes();
    assert_eq!(occurrences(&samples, &stale), 0);
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    assert_eq!(occurrences(&message(&read(&fixture, "pushed_rows", &[], "")), &stale), 1);

    let samples = message(&read(&fixture, "written_rows", &[0, 1], ""));
    assert_eq!((order(&samples), occurrences(&samples, &2.5_f64.to_le_bytes())), ("abcd".to_owned(), 4));
    let labels = message(&read(&fixture, "written_rows", &[], "series"));
    assert_eq!((order(&labels), occurrences(&labels, &2.5_f64.to_le_bytes())), ("abcd".to_owned(), 0));
    for function in ["", "rate", "series"] {
        let answer = read(&fixture, "written_rows", &[1, 0], function);
        let content_type = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";
        assert_eq!((answer.status, answer.headers.get("content-type")), (200, Some(content_type)));
        assert_eq!((order(&answer.body).as_str(), occurrences(&answer.body, b"region")), ("abcd", 4));
    }
    let nothing = read(&fixture, "nothing", &[1], "");
    assert_eq!((nothing.status, nothing.body.len()), (200, 0));
}

#[test]
fn limits_are_named() {
    let fixture = Fixture::with_args(|_| {
        ["--storage.remote.read-sample-limit=3", "--query.max-series=4", "--query.max-bytes=2000"]
            .map(str::to_owned)
            .to_vec()
    });
    let long = "x".repeat(900);
    let series = [
        ("samples", "a", 4),
        ("series", "a", 1),
        ("series", "b", 1),
        ("series", "c", 1),
        ("series", "d", 1),
        ("series", "e", 1),
    ]
    .map(|(name, n, count)| (name, n, count))
    .into_iter()
    .chain([("bytes", "a", 1), ("bytes", "b", 1), ("bytes", "c", 1)]);
    let series: Vec<_> = series
        .map(|(name, n, count)| {
            let samples: Vec<_> = (0..count).map(|i| (now_ms() - 1_000 * i, 1.0)).rev().collect();
            let long = if name == "bytes" { long.as_str() } else { "short" };
            series_v1(&[("__name__", name), ("long", long), ("n", n)], &samples)
        })
        .collect();
    let request =
        Request::new("POST", "/api/v1/write").header("content-type", V1).header("content-encoding", "snappy");
    let written = request.body(snappy(&request_v1(series)));
    let answer = http::send(&fixture.server().query, &written).unwrap();
    assert_eq!(answer.status, 204, "{}", answer.text());
    let check = |name: &str, form: u64, status: u16, text: &str| {
        let answer = read(&fixture, name, &[form], "");
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(status == 200 || answer.text() == text, "{}", answer.text());
    };
    check("samples", 0, 400, "exceeded sample limit (3)\n");
    check("samples", 1, 200, "");
    check("series", 1, 400, "more than 4 series\n");
    check("bytes", 0, 400, "an answer of more than 2000 bytes\n");
    check("bytes", 1, 400, "an answer of more than 2000 bytes\n");
    assert_eq!(post(&fixture, b"x").text(), "snappy: corrupt input\n");
    let queries = (0..101).fold(Message::new(), |request, _| request.message(1, Message::new()));
    assert_eq!(post(&fixture, &snappy(&queries.into_bytes())).text(), "more than 100 queries in a request\n");
    let large = post(&fixture, &vec![0; (32 << 20) + 1]);
    assert_eq!(
        (large.status, large.text().as_str()),
        (400, "the body is larger than 33554432 bytes, or broke off\n")
    );
}
