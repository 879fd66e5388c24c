//! Every decoder with damaged input: none may panic, and none may ask for memory that its input does not account for.
//!
//! The same seed gives the same inputs. `FUZZ_ROUNDS` and `FUZZ_SEED` (`make fuzz` sets them) go further than a test run does.

use std::alloc::System;
use std::fmt::Write;

use mayfly_wire::encoding::{AnswerEncoding, Encoding, gzip, inflate};
use mayfly_wire::influx::{self, Precision};
use mayfly_wire::name_escaping::{Escaping, unescape_values};
use mayfly_wire::otlp::{self, Format, Promoted, Strategy, Translation};
use mayfly_wire::remote_write::{self, KnownLabels, Version, WriteRequest};
use mayfly_wire::scraped::{self, PageReader};
use mayfly_wire::{
    Accepted, BodyFormat, Family, Limits, exposition, flatten, openmetrics, protobuf, statsd, text,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use testkit::Mutator;
use testkit::protobuf::Message;
use testkit::remote_write::{RequestV2, custom_histogram, histogram, request_v1, series_v1};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const TEXTS: &[&[u8]] = &[
    b"# HELP a Help \\\\ \\n.\n# TYPE a counter\na{x=\"1\",y=\"\\\"\"} 1.5e3\na 2 1700000000000\n",
    b"# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 3\nh_sum 4\nh_count 3\n",
    b"# TYPE s summary\ns{quantile=\"0.5\"} NaN\ns_sum -Inf\ns_count 2\n",
    b"{\"a.b\",\"l.n\"=\"v\"} 1\n# TYPE g gauge\ng 0x10\n",
    b"a 1\r\nb 2",
];
const TEXT_TOKENS: &[&[u8]] = &[
    b"# TYPE ",
    b"# HELP ",
    b"{",
    b"}",
    b"\"",
    b"\\",
    b"\n",
    b",",
    b"=",
    b"le=",
    b"NaN",
    b"+Inf",
    b"1e999",
    b"\xff",
    b"\xc3",
    b"histogram",
    b"summary",
    b"_bucket",
    b"quantile=",
    b"99999999999999999999",
    b"\0",
];
const OPENMETRICS: &[&[u8]] = &[
    b"# TYPE a_s counter\n# UNIT a_s s\n# HELP a_s Help \\n\na_s_total{x=\"1\"} 1 # {t=\"x\"} 0.5 1.25\na_s_created{x=\"1\"} 1.5\n# EOF",
    b"# TYPE h histogram\nh_bucket{le=\"1\"} 1 # {} 0.2\nh_bucket{le=\"+Inf\"} 2\nh_sum 4\nh_count 2\nh_created 1\n# EOF\n",
    b"# TYPE s summary\ns{quantile=\"0.5\"} NaN\ns_sum 1\ns_count 2 17.5\n# TYPE i info\ni_info{a=\"b\"} 1\n# EOF\n",
    b"# TYPE e stateset\ne{e=\"up\"} 1\n# TYPE g gaugehistogram\ng_bucket{le=\"+Inf\"} 2\ng_gsum 1\ng_gcount 2\nplain 1\n# EOF",
];
const OPENMETRICS_TOKENS: &[&[u8]] = &[
    b"# TYPE ",
    b"# UNIT ",
    b"# EOF",
    b" # {",
    b"_created",
    b"_total",
    b"_info",
    b"counter",
    b"gaugehistogram",
    b"\n",
    b"{",
    b"le=",
    b"1e300",
    b"\xff",
];
const NAMES: &[&[u8]] = &[b"U__foo_2e_bar", b"U__a__b", b"U__x_10ffff_y", b"plain", b"U__"];
const NAME_TOKENS: &[&[u8]] = &[b"U__", b"_", b"__", b"_2e_", b"_110000_", b"_d800_", "é".as_bytes()];
const HEADERS: &[&[u8]] = &[
    b"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited;q=0.6",
    b"text/plain;version=0.0.4;q=0.2,application/openmetrics-text;version=1.0.0;escaping=values",
    b"gzip;q=0.5, zstd, *;q=0",
];
const HEADER_TOKENS: &[&[u8]] = &[b";", b",", b"=", b"\"", b"\\", b"q=", b"q=1e999", b"*/*"];

const PACKETS: &[&[u8]] = &[
    b"a.b:1:2.5:-3|d|@0.1|#k:v,flag,__x:1|c:id|T1656581400\nc:1|c",
    b"a:1|c:+2|g|@0.5:x:y|s\r\n\n_e{1,1}:a|b\n_sc|a|0",
    b"t:320|ms|@0.3\nu:ann|s",
];
const PACKET_TOKENS: &[&[u8]] = &[
    b":",
    b"|",
    b"|@",
    b"|#",
    b"@1e-300",
    b"\n",
    b",",
    b"|ms",
    b"NaN",
    b"1e308",
    b"_e{",
    b"\xff",
    b"\xc3\xa9",
];
const LINES: &[&[u8]] = &[
    b"cpu,host=a,zone=b\\ c usage=1.5,idle=2i,ok=t,s=\"x \\\" y\nz\" 1700000000000000000\n",
    b"# comment\r\nm\\,n,k=v v=-1e3,w=18446744073709551615u\nb v=f 12",
];
const LINE_TOKENS: &[&[u8]] = &[
    b",",
    b"=",
    b" ",
    b"\n",
    b"\"",
    b"\\",
    b"#",
    b"i",
    b"u",
    b"true",
    b"1e999",
    b"-9223372036854775808",
    b"\xff",
];

/// What a call may allocate in all, beside this much for each byte of its input.
const BYTES: usize = 1 << 20;
const BYTES_PER_BYTE: usize = 1_000;

#[expect(clippy::disallowed_methods, reason = "tests are an edge")]
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

/// Calls `target` with many inputs, and shows the one at which something went wrong.
fn check(name: &str, corpus: &[&[u8]], tokens: &[&[u8]], target: impl Fn(&[u8])) {
    let rounds = number("FUZZ_ROUNDS").unwrap_or(15_000);
    let seed = number("FUZZ_SEED").unwrap_or(1);
    let mut mutator = Mutator::new(seed, corpus, tokens);
    for _ in 0..rounds {
        let input = mutator.input();
        let region = Region::new(ALLOCATOR);
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| target(&input)));
        let allocated = region.change().bytes_allocated;
        let most = BYTES + BYTES_PER_BYTE * input.len();
        assert!(
            ended.is_ok() && allocated <= most,
            "{name}: {allocated} bytes for \"{}\"",
            input.escape_ascii()
        );
    }
}

/// Reads a page as far as it can be read, with all labels, and what it tells of families.
fn scrape(mut page: PageReader<'_>) {
    while let Ok(Some(line)) = page.next() {
        let _ = line.labels();
    }
    page.into_families();
}

/// Whatever was read can be written in every way. What was read from text reads again as text; protobuf may hold what is refused
/// only later, such as labels without a name.
fn written(families: &[Family], is_text: bool) {
    for family in families {
        assert!(!flatten(family).is_empty() || !is_text);
    }
    let plain = exposition::write_text(families, Escaping::AllowUtf8);
    let options = text::Options { utf8_names: true, ..text::Options::default() };
    if let Err(error) = text::parse(plain.as_bytes(), &options)
        && is_text
    {
        panic!("{error}\n{plain}");
    }
    for escaping in [Escaping::Underscores, Escaping::Dots, Escaping::Values] {
        exposition::write_openmetrics(families, escaping);
        let body = exposition::write_protobuf(families, escaping);
        assert!(protobuf::parse(&body, &Limits::default()).is_ok());
    }
}

fn bodies() -> Vec<Vec<u8>> {
    let parsed = |text: &&[u8]| {
        let options = text::Options { utf8_names: true, ..text::Options::default() };
        text::parse(text, &options).ok()
    };
    let of_texts = TEXTS.iter().filter_map(parsed);
    let written = |families: Vec<Family>| exposition::write_protobuf(&families, Escaping::AllowUtf8);
    of_texts.map(written).chain([native_histograms()]).collect()
}

/// A family of native histograms, one of them with an exemplar, and one that has classic buckets too.
fn native_histograms() -> Vec<u8> {
    let exemplar = Message::new().message(1, Message::new().bytes(1, "t").bytes(2, "v")).double(2, 1.5);
    let exponential = Message::new()
        .varint(1, 4)
        .double(2, 3.5)
        .sint(5, 0)
        .double(6, 0.001)
        .varint(7, 1)
        .message(12, Message::new().sint(1, 0).varint(2, 2))
        .sints(13, [1, 1])
        .message(16, exemplar);
    let classic = Message::new()
        .varint(1, 3)
        .double(2, 3.5)
        .message(3, Message::new().varint(1, 1).double(2, 1.0))
        .sint(5, 3)
        .message(9, Message::new().sint(1, -1).varint(2, 1))
        .sints(10, [3]);
    let of = |histogram: Message| Message::new().message(7, histogram);
    let family =
        Message::new().bytes(1, "n").varint(3, 4).message(4, of(exponential)).message(4, of(classic));
    let family = family.into_bytes();
    let length = family.len();
    [&[(length & 0x7f) as u8 | 0x80, (length >> 7) as u8][..], &family].concat()
}

/// A request of each version with all that there is.
fn remote_write_bodies() -> (Vec<u8>, Vec<u8>) {
    let labels = [("__name__", "h"), ("job", "a"), ("é", "b")];
    let v1 = series_v1(&labels, &[(1, 1.0), (2, f64::NAN)])
        .message(
            3,
            Message::new().message(1, Message::new().bytes(1, "t").bytes(2, "v")).double(2, 1.0).int(3, 5),
        )
        .message(4, histogram(3, [1, 2], 3.0))
        .message(4, custom_histogram(4, [1, 2, 0], 3.0));
    let v2 = RequestV2::default().floats(&labels, &[(1, 1.0), (2, f64::NAN)]).series(&labels, |series| {
        let histograms =
            series.message(3, histogram(3, [1, 2], 3.0)).message(3, custom_histogram(4, [1, 2, 0], 3.0));
        let metadata = Message::new().varint(1, 1).varint(3, 2).varint(4, 3);
        histograms.message(4, Message::new().varints(1, [1, 2]).double(2, 1.0)).message(5, metadata).int(6, 7)
    });
    let told = Message::new().varint(1, 1).bytes(2, "h").bytes(4, "Help.").bytes(5, "s");
    let v1 = [request_v1([v1]), Message::new().message(3, told).into_bytes()].concat();
    (v1, v2.into_bytes())
}

const OTLP_JSON: &[u8] = br#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},
"scopeMetrics":[{"metrics":[{"name":"h","unit":"s","histogram":{"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":"17",
"count":"3","sum":1.5,"bucketCounts":["1",2],"explicitBounds":[1]}]}},{"name":"e","exponentialHistogram":{"aggregationTemporality":1,
"dataPoints":[{"timeUnixNano":"17","count":"3","scale":12,"positive":{"offset":-3,"bucketCounts":["1","2"]},
"exemplars":[{"timeUnixNano":"9","asDouble":1.5,"traceId":"0a","spanId":"0b","filteredAttributes":[{"key":"k","value":{"boolValue":true}}]}]}]}}],
"scope":{"name":"lib","version":"1","attributes":[{"key":"x.y","value":{"intValue":"3"}}]},"schemaUrl":"s"}]}]}"#;

/// An export with one of all kinds.
fn otlp_body() -> Vec<u8> {
    let attribute = || {
        Message::new()
            .bytes(1, "k")
            .message(2, Message::new().message(5, Message::new().message(1, Message::new().int(3, -1))))
    };
    let point = || Message::new().fixed64(2, 1).fixed64(3, 2_000_000).fixed64(4, 3).double(5, 1.5);
    let exemplar = Message::new().fixed64(2, 9).double(3, 1.5).bytes(4, [11]).bytes(5, [10]);
    let exemplar = || exemplar.clone().message(7, attribute());
    let number =
        Message::new().fixed64(3, 2_000_000).double(4, 1.0).message(5, exemplar()).message(7, attribute());
    let classic =
        point().fixed64s(6, [1, 2]).doubles(7, [1.0]).message(8, exemplar()).message(9, attribute());
    let buckets = Message::new().sint(1, -3).varints(2, [1, 2]);
    let exponential = point().sint(6, 12).message(8, buckets).message(11, exemplar());
    let summary = point().message(6, Message::new().double(1, 0.5).double(2, 1.0));
    let kinds = [(5, number.clone()), (7, number), (9, classic), (10, exponential), (11, summary)];
    let scope = kinds.into_iter().fold(Message::new(), |scope, (kind, point)| {
        let data = Message::new().message(1, point).varint(2, 2).varint(3, 1);
        scope.message(2, Message::new().bytes(1, "m").bytes(3, "By/s").message(kind, data))
    });
    let library = Message::new().bytes(1, "lib").bytes(2, "1").message(3, attribute());
    let scope = scope.message(1, library).bytes(3, "http://schema");
    let resource = Message::new()
        .message(1, Message::new().bytes(1, "service.name").message(2, Message::new().bytes(1, "a")));
    Message::new().message(1, Message::new().message(1, resource).message(2, scope)).into_bytes()
}

fn snappy_block(plain: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(plain).expect("memory")
}

fn snappy(plain: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = snap::write::FrameEncoder::new(Vec::new());
    encoder.write_all(plain).expect("memory");
    encoder.into_inner().expect("memory")
}

// one test: what is allocated is counted for the whole process
/// What is known of a body itself makes no difference.
fn same_labels(version: Version, input: &[u8]) {
    let known = KnownLabels::new(16 << 10);
    let decode = |known: &KnownLabels| {
        let labels = |request: WriteRequest| request.series.into_iter().map(|series| series.labels);
        remote_write::decode(version, input, &Limits::default(), known)
            .map(|request| labels(request).collect::<Vec<_>>())
    };
    let first = decode(&known);
    assert_eq!(first, decode(&known));
    assert_eq!(first, decode(&KnownLabels::new(0)));
}

#[test]
fn no_decoder_panics_or_asks_for_much() {
    check("text", TEXTS, TEXT_TOKENS, |input| {
        for utf8_names in [false, true] {
            let options = text::Options { utf8_names, ..text::Options::default() };
            let _ = text::parse(&text::with_line_feeds(input), &options);
        }
    });
    check("OpenMetrics", OPENMETRICS, OPENMETRICS_TOKENS, |input| {
        for utf8_names in [false, true] {
            let options = text::Options { utf8_names, ..text::Options::default() };
            let families = openmetrics::parse(input, &options).unwrap_or_default();
            let names: std::collections::HashSet<_> = families.iter().map(|family| &family.name).collect();
            assert_eq!(names.len(), families.len());
            assert!(families.iter().all(|family| !family.metrics.is_empty()));
        }
    });
    check("scraped text", TEXTS, TEXT_TOKENS, |input| {
        let body = scraped::with_end(input.to_vec());
        let options = text::Options { utf8_names: true, ..text::Options::default() };
        scrape(PageReader::text(&body, options));
    });
    check("scraped OpenMetrics", OPENMETRICS, OPENMETRICS_TOKENS, |input| {
        let body = scraped::with_end(input.to_vec());
        let options = text::Options { utf8_names: true, ..text::Options::default() };
        scrape(PageReader::openmetrics(&body, options));
    });
    let bodies = bodies();
    let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
    let tokens: &[&[u8]] = &[b"\xff\xff\xff\xff\x0f", b"\x80", b"\x0a", b"\x22", b"\x3a", b"\x18\x04", b"\0"];
    check("protobuf", &bodies, tokens, |input| {
        let _ = protobuf::parse(input, &Limits::default());
    });
    let (v1, v2) = remote_write_bodies();
    check("remote write 1.0", &[&v1], tokens, |input| same_labels(Version::V1, input));
    check("remote write 2.0", &[&v2], tokens, |input| same_labels(Version::V2, input));
    let otlp = otlp_body();
    check("OTLP in protobuf", &[&otlp], tokens, |input| {
        if let Ok(message) = otlp::decode(Format::Protobuf, input, &Limits::default()) {
            for translation in translations() {
                let _ = otlp::families(&message, &translation);
            }
        }
    });
    let words: &[&[u8]] =
        &[b"null", b"{}", b"[]", b"\"\"", b"-1", b"1e999", b"\"NaN\"", b"[[[[", b"asInt", b"\xff"];
    check("OTLP in JSON", &[OTLP_JSON], words, |input| {
        if let Ok(message) = otlp::decode(Format::Json, input, &Limits::default()) {
            for translation in translations() {
                let _ = otlp::families(&message, &translation);
            }
        }
    });
    let packed = [snappy_block(&v1), snappy_block(&vec![0; 1 << 16])];
    check("snappy block", &[&packed[0], &packed[1]], &[b"\x80\x80\x80\x20", b"\xfe\xff"], |input| {
        if let Ok(inflated) = mayfly_wire::encoding::snappy_block(input, 1 << 12) {
            assert!(inflated.len() <= 1 << 12);
        }
    });
    let zeros = vec![0; 1 << 16];
    let (packed, framed) = (gzip(&zeros), snappy(&zeros));
    let corpus = [&packed[..], &gzip(TEXTS[0]), &framed, &snappy(TEXTS[0])];
    check("inflate", &corpus, &[b"\x1f\x8b\x08", b"\xff\x06\0\0sNaPpY", b"\xff"], |input| {
        for encoding in [Encoding::Gzip, Encoding::SnappyFramed] {
            if let Ok(inflated) = inflate(encoding, input, 1 << 12) {
                assert!(inflated.len() <= 1 << 12);
            }
        }
    });
    check("packets", PACKETS, PACKET_TOKENS, |input| {
        for line in statsd::lines(input) {
            let Ok(statsd::Line::Samples { samples, .. }) = statsd::parse(line, 64) else { continue };
            assert!(!samples.is_empty() && samples.iter().all(|sample| sample.weight >= 1.0));
        }
    });
    check("lines", LINES, LINE_TOKENS, |input| {
        for precision in [Precision::Nanoseconds, Precision::Hours] {
            let found = influx::decode(input, precision, &Limits::default()).expect("within the limits");
            let numbers = found.points.iter().flat_map(|point| &point.fields);
            assert!(numbers.into_iter().all(|(name, value)| !name.is_empty() && value.is_finite()));
        }
    });
    check("names", NAMES, NAME_TOKENS, |input| {
        let name = String::from_utf8_lossy(input);
        let plain = unescape_values(&name);
        let mut shown = String::new();
        for escaping in [Escaping::AllowUtf8, Escaping::Underscores, Escaping::Dots, Escaping::Values] {
            let _ = write!(shown, "{} {}", escaping.metric_name(&plain), escaping.label_name(&name));
        }
    });
    check("headers", HEADERS, HEADER_TOKENS, |input| {
        let header = String::from_utf8_lossy(input);
        let _ = BodyFormat::of_header(Some(&header));
        let _ = Encoding::of_header(Some(&header));
        let _ = AnswerEncoding::of_header(Some(&header));
        let _ = Accepted::of_header(Some(&header), true).content_type();
    });
}

#[test]
fn what_was_read_can_be_written() {
    let rounds = number("FUZZ_ROUNDS").unwrap_or(15_000);
    let seed = number("FUZZ_SEED").unwrap_or(1);
    let bodies = bodies();
    let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
    let mut texts = Mutator::new(seed, TEXTS, TEXT_TOKENS);
    let mut messages = Mutator::new(seed, &bodies, &[b"\x80", b"\x0a", b"\xff\xff\xff\xff\x0f"]);
    let options = text::Options { utf8_names: true, ..text::Options::default() };
    let mut count = 0;
    for _ in 0..rounds {
        let families = text::parse(&texts.input(), &options).unwrap_or_default();
        written(&families, true);
        count += u64::from(!families.is_empty());
        let families = protobuf::parse(&messages.input(), &Limits::default()).unwrap_or_default();
        written(&families, false);
        count += u64::from(!families.is_empty());
    }
    assert!(count > rounds / 20, "only {count} of {rounds} inputs were good");
}

/// What inputs are made of is what is meant.
#[test]
fn bodies_can_be_read() {
    let limits = Limits::default();
    assert!(bodies().iter().all(|body| protobuf::parse(body, &limits).is_ok()));
    let (v1, v2) = remote_write_bodies();
    for (version, body) in [(Version::V1, v1), (Version::V2, v2)] {
        let request = remote_write::decode(version, &body, &limits, &KnownLabels::new(0)).expect("is read");
        assert!(request.faults.is_empty(), "{}", request.faults.text());
        assert_eq!(request.families.len(), usize::from(version == Version::V1));
    }
    for (format, body) in [(Format::Protobuf, otlp_body()), (Format::Json, OTLP_JSON.to_vec())] {
        let message = otlp::decode(format, &body, &limits).expect("is read");
        let export = otlp::families(&message, &translations()[1]);
        let families =
            export.resources.iter().flat_map(|resource| resource.cumulative.iter().chain(&resource.delta));
        let exemplars = families.flat_map(|family| &family.metrics).map(|metric| metric.exemplars.len());
        assert!(exemplars.sum::<usize>() > 0, "{format:?} {}", export.faults.text());
    }
}

/// What is usual, and all that is not.
fn translations() -> [Translation; 2] {
    let other = Translation {
        strategy: Strategy::NoUtf8EscapingWithSuffixes,
        promoted: Promoted::AllBut(vec!["service.name".to_owned()]),
        keeps_identifying: true,
        native_histograms: true,
        scopes: true,
    };
    [Translation::default(), other]
}
