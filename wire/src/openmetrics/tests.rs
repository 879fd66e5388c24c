use super::*;
use crate::name_escaping::Escaping;
use crate::{MetricValue, exposition};

fn parsed(body: &str) -> Result<Vec<Family>, OpenMetricsError> {
    parse(body.as_bytes(), &Options::default())
}

/// What the body says, in the other text format.
#[track_caller]
fn check(body: &str, expect: &str) {
    let families = parsed(&format!("{body}# EOF\n")).expect(body);
    assert_eq!(exposition::write_text(&families, Escaping::AllowUtf8), expect, "{body}");
}

#[track_caller]
fn refused(body: &str, expect: &str) {
    let error = parsed(body).expect_err(body).to_string();
    assert_eq!(error.strip_prefix("OpenMetrics parsing error in ").expect(&error), expect, "{body}");
}

#[test]
fn all_types() {
    check(
        "# TYPE a counter\n# HELP a Help\\n \\\"q\\\" \\\\.\na_total{x=\"1\"} 5\na_total{x=\"2\"} 1.5e3\n",
        "# HELP a_total Help\\n \"q\" \\\\.\n# TYPE a_total counter\na_total{x=\"1\"} 5\na_total{x=\"2\"} 1500\n",
    );
    check("# TYPE g gauge\ng NaN\n", "# TYPE g gauge\ng NaN\n");
    check("# TYPE u unknown\nu -Inf\n", "# TYPE u untyped\nu -Inf\n");
    check(
        "plain 1\nother{x=\"y\"} 2\n",
        "# TYPE plain untyped\nplain 1\n# TYPE other untyped\nother{x=\"y\"} 2\n",
    );
    check("# TYPE build info\nbuild_info{v=\"1\"} 1\n", "# TYPE build_info gauge\nbuild_info{v=\"1\"} 1\n");
    check(
        "# TYPE s stateset\ns{s=\"up\"} 1\ns{s=\"down\"} 0\n",
        "# TYPE s gauge\ns{s=\"up\"} 1\ns{s=\"down\"} 0\n",
    );
    check(
        "# TYPE s summary\ns{quantile=\"0.5\"} 7\ns_sum 8\ns_count 2\n",
        "# TYPE s summary\ns{quantile=\"0.5\"} 7\ns_sum 8\ns_count 2\n",
    );
    let histogram = |suffix: &str| {
        format!(
            "h_bucket{{x=\"1\",le=\"1.0\"}} 1\nh_bucket{{x=\"1\",le=\"+Inf\"}} 3\nh_{suffix}sum{{x=\"1\"}} 5\nh_{suffix}count{{x=\"1\"}} 3\n"
        )
    };
    let shown = histogram("").replace("1.0", "1");
    check(&format!("# TYPE h histogram\n{}", histogram("")), &format!("# TYPE h histogram\n{shown}"));
    check(&format!("# TYPE h gaugehistogram\n{}", histogram("g")), &format!("# TYPE h histogram\n{shown}"));
    // a family of which there is nothing
    check("# TYPE a counter\n# TYPE b gauge\nb 1\n", "# TYPE b gauge\nb 1\n");
    assert_eq!(parsed("# EOF"), Ok(Vec::new()));
}

#[test]
fn units_created_times_and_exemplars() {
    let body = "# TYPE a_seconds counter\n# UNIT a_seconds seconds\n\
        a_seconds_total{x=\"1\"} 5 # {trace_id=\"t\",é=\"\\\"\"} 0.5 1700000000.25\na_seconds_created{x=\"1\"} 1600000000.5\n\
        # TYPE h histogram\nh_bucket{le=\"1\"} 1 # {} 0.25\nh_bucket{le=\"+Inf\"} 1\nh_count 1\nh_sum 0.25\nh_created 1\n# EOF";
    let options = Options { utf8_names: true, ..Options::default() };
    let families = parse(body.replace("é=", "\"é\"=").as_bytes(), &options).expect("parses");
    let [a, h] = &families[..] else { panic!("{families:?}") };
    assert_eq!(
        (&*a.name, &*a.unit, a.metrics[0].created_ms),
        ("a_seconds_total", "seconds", Some(1_600_000_000_500))
    );
    let [exemplar] = &a.metrics[0].exemplars[..] else { panic!("{a:?}") };
    let labels = vec![("trace_id".into(), "t".into()), ("é".into(), "\"".into())];
    assert_eq!((&exemplar.labels, exemplar.value), (&labels, 0.5));
    assert_eq!(exemplar.timestamp_ms, Some(1_700_000_000_250));
    let [metric] = &h.metrics[..] else { panic!("{h:?}") };
    let MetricValue::Histogram(histogram) = &metric.value else { panic!("{metric:?}") };
    assert_eq!((metric.created_ms, histogram.count), (Some(1_000), 1.0));
    let exemplars: Vec<_> = histogram.buckets.iter().map(|bucket| bucket.exemplar.is_some()).collect();
    assert_eq!(exemplars, [true, false]);
}

#[test]
fn timestamps() {
    let at = |body: &str| parsed(&format!("{body}\n# EOF")).expect(body)[0].metrics[0].timestamp_ms;
    assert_eq!(at("a 1 1700000000.1234"), Some(1_700_000_000_123));
    assert_eq!(at("a 1 -0.001"), Some(-1));
    assert_eq!(at("a 1"), None);
    for time in ["x", "NaN", "+Inf", "1e300", "1,5"] {
        let line = format!("a 1 {time}\n# EOF");
        refused(&line, &format!("line 1: expected seconds since 1970 as timestamp, got \"{time}\""));
    }
}

#[test]
fn points_of_several_times() {
    let body = "# TYPE a counter\na_total 1 1\na_total 2 2.5\na_created 0.5\n# TYPE h histogram\nh_count 1 1\nh_sum 5 1\nh_count 2 2\nh_sum 7 2\n# EOF";
    let families = parsed(body).expect("parses");
    let times = |family: &Family| {
        family.metrics.iter().map(|metric| (metric.timestamp_ms, metric.created_ms)).collect::<Vec<_>>()
    };
    assert_eq!(times(&families[0]), [(Some(1_000), None), (Some(2_500), Some(500))]);
    assert_eq!(times(&families[1]), [(Some(1_000), None), (Some(2_000), None)]);
    refused("a 1 1\na 2 1\n# EOF", "line 2: second sample \"a\"");
}

#[test]
fn faults() {
    for body in ["", "a 1\n", "a 1\n#EOF\n"] {
        let at = if body.contains('#') { "line 2: expected # TYPE, # HELP, # UNIT or # EOF" } else { "" };
        let end = format!("line {}: expected # EOF at the end", body.lines().count() + 1);
        refused(body, if at.is_empty() { &end } else { at });
    }
    refused("# EOF\na 1\n", "line 1: something stands behind # EOF");
    refused("# EOF\n\n", "line 1: something stands behind # EOF");
    refused("a 1\n\n# EOF", "line 2: an empty line");
    refused("# a comment\n# EOF", "line 1: expected # TYPE, # HELP, # UNIT or # EOF");
    refused("# TYPE a\n# EOF", "line 1: invalid metric name in comment");
    refused("# TYPE a untyped\n# EOF", "line 1: unknown metric type \"untyped\"");
    refused("# TYPE a gauge\na 1\nb 1\na 2\n# EOF", "line 4: the lines of \"a\" do not stand together");
    refused(
        "# TYPE a counter\na_total 1\n# TYPE a_total gauge\n# EOF",
        "line 3: the lines of \"a_total\" do not stand together",
    );
    refused(
        "a_total 1\n# TYPE a counter\na_total 1\n# EOF",
        "line 4: the lines of \"a_total\" do not stand together",
    );
    refused(
        "# TYPE a gauge\n# TYPE a gauge\n# EOF",
        "line 2: second TYPE line for \"a\", or TYPE reported after samples",
    );
    refused("a 1\n# HELP a x\n# EOF", "line 2: second HELP line for \"a\", or HELP reported after samples");
    refused("# TYPE a counter\na 1\n# EOF", "line 2: \"a\" lacks the suffix that its type has");
    refused("# UNIT a seconds\n# EOF", "line 1: \"a\" does not end in its unit \"seconds\"");
    refused("# TYPE h histogram\nh_bucket 1\n# EOF", "line 2: expected a number as label \"le\"");
    refused("# TYPE h histogram\nh_bucket{le=\"x\"} 1\n# EOF", "line 2: expected a number as label \"le\"");
    refused("# TYPE s summary\ns 1\n# EOF", "line 2: expected a number as label \"quantile\"");
    refused(
        "# TYPE s stateset\ns{x=\"up\"} 1\n# EOF",
        "line 2: expected the label \"s\", which says which state it is",
    );
    refused(
        "# TYPE h histogram\nh_count -1\n# EOF",
        "line 2: \"h_count\" counts less than nothing, or no number",
    );
    refused("a 1\na 2\n# EOF", "line 2: second sample \"a\"");
    refused("# TYPE a counter\na_total 1\na_total 2\n# EOF", "line 3: second sample \"a_total\"");
    refused(
        "a 1 # {x=\"y\"} 1\n# EOF",
        "line 1: an exemplar of what has none: only counters and buckets have some",
    );
    refused("# TYPE a counter\na_total 1 # x\n# EOF", "line 2: spurious string after sample: \"x\"");
    refused("# TYPE a counter\na_total 1 # {} 1 2 3\n# EOF", "line 2: spurious string after sample: \"3\"");
    refused("a 1 2 3\n# EOF", "line 1: spurious string after sample: \"3\"");
    let long = format!("# TYPE a counter\na_total 1 # {{x=\"{}\"}} 1\n# EOF", "y".repeat(128));
    refused(&long, "line 2: the labels of an exemplar have more than 128 characters");
    refused("a x\n# EOF", "line 1: expected float as value, got \"x\"");
    refused("a{x=\"1\",x=\"2\"} 1\n# EOF", "line 1: duplicate label names for metric \"a\"");
    refused("a{x=\"1\"", "line 1: unexpected end of label value \"1\"");
}

#[test]
fn limits() {
    let limits = Limits { bytes_max: 40, samples_max: 2, labels_max: 1 };
    let options = Options { limits, ..Options::default() };
    let check = |body: &str, expect: OpenMetricsError| {
        assert_eq!(parse(body.as_bytes(), &options), Err(expect), "{body}");
    };
    assert!(parse(b"a{x=\"1\"} 1\nb 2\n# EOF\n", &options).is_ok());
    check("a 1\nb 2\nc 3\n# EOF\n", OpenMetricsError::TooManySamples { samples_max: 2 });
    check("a{x=\"1\",y=\"2\"} 1\n# EOF", OpenMetricsError::TooManyLabels { line: 1, labels_max: 1 });
    check(&"a 1\n".repeat(11), OpenMetricsError::TooLarge { bytes_max: 40 });
}
