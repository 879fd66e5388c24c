//! What the released Pushgateway 1.11.2 answers to each of these bodies was recorded; differences stand at their case.

use super::*;
use crate::exposition;
use crate::name_escaping::Escaping;

const SYNTAX: &str = "text format parsing error in ";

fn parse_with(body: &[u8], options: &Options) -> Result<String, String> {
    let mut families = parse(body, options).map_err(|error| error.to_string())?;
    exposition::sort(&mut families);
    Ok(exposition::write_text(&families, Escaping::AllowUtf8))
}

/// `expect` without the lines that begin with `#`, separated by `; `.
fn check(body: &str, expect: Result<&str, &str>) {
    let found = parse_with(body.as_bytes(), &Options::default());
    let samples =
        |text: String| text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("; ");
    let expect = expect.map(str::to_owned).map_err(|error| format!("{SYNTAX}{error}"));
    assert_eq!(found.map(samples), expect, "{body:?}");
}

#[test]
fn samples() {
    check("", Ok(""));
    check("a 1\n", Ok("a 1"));
    check("  a\t1\n", Ok("a 1"));
    check("a 1\n   ", Ok("a 1"));
    check("a 1 5\n", Ok("a 1 5"));
    check("a 1 -5\n", Ok("a 1 -5"));
    check("a:b{} 1\n:a 1\n", Ok(":a 1; a:b 1"));
    check("a{x = \"1\" , y=\"2\", } 1\n", Ok(r#"a{x="1",y="2"} 1"#));
    check("a {x=\"1\"}1\n", Ok(r#"a{x="1"} 1"#));
    check("a{x=\"é\\n\\\\\\\"\"} 1\n", Ok(r#"a{x="é\n\\\""} 1"#));
    check("b 1\na 1\nb{x=\"\"} 2\n", Ok(r#"a 1; b 1; b{x=""} 2"#));
    check("a nan\nb -inf\nc +infinity\nd 1e5\ne 1e6\n", Ok("a NaN; b -Inf; c +Inf; d 100000; e 1e+06"));
}

#[test]
fn names_in_quotes() {
    check("{\"a\",x=\"1\"} 1\n", Ok(r#"a{x="1"} 1"#));
    check("{x=\"1\" , \"a\" , } 1\n", Ok(r#"a{x="1"} 1"#));
    check("{\"a\"} 1\n\"a\"{\"x\"=\"1\"} 2\n", Ok(r#"a 1; a{x="1"} 2"#));
    check("{\"a\" x=\"1\"} 1\n", Err("line 1: unexpected end of metric name 'x'"));
    check("{\"a\",\"b\"} 1\n", Err("line 1: multiple metric names for metric \"a\""));
    check("{,\"a\"} 1\n", Err("line 1: invalid label name for metric \"\""));
    check("{\"\"} 1\n", Err("line 1: invalid label name for metric \"\""));
    check("\"\" 1\n", Err("line 1: invalid metric name"));
    check("{x=\"1\"} 1\n", Err("line 1: invalid metric name"));
    // the Pushgateway takes the name of the line before, or crashes if there is none
    check("{} 1\n", Err("line 1: invalid metric name"));
    check("a 1\n{} 1\n", Err("line 2: invalid metric name"));
    check("\"a b\" 1\n", Err("line 1: invalid metric name \"a b\""));
    check("{\"a\\\"b\"} 1\n", Err("line 1: invalid metric name \"a\\\"b\""));
    check("a{\"x y\"=\"1\"} 1\n", Err("line 1: invalid label name \"x y\""));
    check("{\"a\\q\"} 1\n", Err("line 1: invalid escape sequence '\\q'"));
    check("{\"a\n\"} 1\n", Err("line 1: label name \"a\" contains unescaped new-line"));
    check("\"a\n", Err("line 1: metric name \"a\" contains unescaped new-line"));
}

#[test]
fn utf8_names_if_allowed() {
    let options = Options { utf8_names: true, ..Options::default() };
    let check = |body: &[u8], expect: Result<&str, &str>| {
        let expect = expect.map(str::to_owned).map_err(|error| format!("{SYNTAX}{error}"));
        assert_eq!(parse_with(body, &options), expect, "{body:?}");
    };
    check(
        "# HELP \"a b\" c\n{\"a b\",\"x.y\"=\"1\"} 1\n{\"é\"} 2\n".as_bytes(),
        Ok(
            "# HELP \"a b\" c\n# TYPE \"a b\" untyped\n{\"a b\",\"x.y\"=\"1\"} 1\n# TYPE \"é\" untyped\n{\"é\"} 2\n",
        ),
    );
    check(b"{\"a\xff\"} 1\n", Err("line 1: invalid metric name \"a\\xff\""));
    check(b"a{\"\xff\"=\"1\"} 1\n", Err("line 1: invalid label name \"\\xff\""));
    check("é 1\n".as_bytes(), Err("line 1: invalid metric name"));
}

#[test]
fn broken_lines() {
    check("blablabla\n", Err("line 1: expected float as value, got \"\""));
    check("a \n", Err("line 1: expected float as value, got \"\""));
    check("a{x=\"1\"} \n", Err("line 1: expected float as value, got \"\""));
    check("a 1\r\n", Err("line 1: expected float as value, got \"1\\r\""));
    check("a-b 1\n", Err("line 1: expected float as value, got \"-b\""));
    check("a 1e400\n", Err("line 1: expected float as value, got \"1e400\""));
    check("a{x=\"1\"}{y=\"1\"} 1\n", Err("line 1: expected float as value, got \"{y=\\\"1\\\"}\""));
    check("1a 1\n", Err("line 1: invalid metric name"));
    check("\u{feff}a 1\n", Err("line 1: invalid metric name"));
    check("a 1 \n", Err("line 1: expected integer as timestamp, got \"\""));
    check("a 1 1.5\n", Err("line 1: expected integer as timestamp, got \"1.5\""));
    check("a 1 # {x=\"y\"} 1\n", Err("line 1: expected integer as timestamp, got \"#\""));
    check("a 1 5 \n", Err("line 1: spurious string after timestamp: \" \""));
    check("a 1 5 6\n", Err("line 1: spurious string after timestamp: \" 6\""));
}

#[test]
fn broken_labels() {
    check("a{,} 1\n", Err("line 1: invalid label name for metric \"a\""));
    check("a{x=\"1\",,y=\"2\"} 1\n", Err("line 1: invalid label name for metric \"a\""));
    check("a{1x=\"1\"} 1\n", Err("line 1: invalid label name for metric \"a\""));
    check("a {\n", Err("line 1: invalid label name for metric \"a\""));
    check("a{x} 1\n", Err("line 1: expected '=' after label name, found '}'"));
    check("a{x:y=\"1\"} 1\n", Err("line 1: expected '=' after label name, found ':'"));
    check("a{x='1'} 1\n", Err("line 1: expected '\"' at start of label value, found '\\''"));
    check("a{x=é} 1\n", Err("line 1: expected '\"' at start of label value, found 'Ã'"));
    check("a{x=\"1\n\"} 1\n", Err("line 1: label value \"1\" contains unescaped new-line"));
    check("a{x=\"1\\q\"} 1\n", Err("line 1: invalid escape sequence '\\q'"));
    check("a{x=\"1\" y=\"2\"} 1\n", Err("line 1: unexpected end of label value \"1\""));
    check("a{__name__=\"b\"} 1\n", Err("line 1: label name \"__name__\" is reserved"));
    check("a{x=\"1\",x=\"2\"} 1\n", Err("line 1: duplicate label names for metric \"a\""));
    let many = (0..40).map(|n| format!("x{n}=\"\",")).collect::<String>();
    check(&format!("a{{{many}x39=\"\"}} 1\n"), Err("line 1: duplicate label names for metric \"a\""));
    let found = parse_with(b"a{x=\"\xff\"} 1\n", &Options::default());
    assert_eq!(found, Err(format!("{SYNTAX}line 1: invalid label value \"\\xff\"")));
}

#[test]
fn every_line_ends_in_a_line_feed() {
    for cut in [
        "a 1",
        "a",
        "a ",
        "a 1 ",
        "a 1 5",
        "a{",
        "a{x",
        "a{x=",
        "a{x=\"1",
        "a{x=\"1\"",
        "a{x=\"1\"}",
        "{",
        "{\"a\"",
        "\"",
        "#",
        "# HELP",
        "# HELP a",
        "# HELP a x",
        "# TYPE a",
        "# TYPE a counter",
        "# comment",
        "a{x=\"\\",
    ] {
        check(cut, Err("line 1: unexpected end of input stream"));
        check(&format!("\n#\n\n{cut}"), Err("line 4: unexpected end of input stream"));
    }
}

#[test]
fn help_and_type() {
    let check = |body: &str, expect: Result<&str, &str>| {
        let found = parse_with(body.as_bytes(), &Options::default());
        let expect = expect.map(str::to_owned).map_err(|error| format!("{SYNTAX}{error}"));
        assert_eq!(found, expect, "{body:?}");
    };
    check("# TYPE a CounTer\na 1\n", Ok("# TYPE a counter\na 1\n"));
    check("#TYPE \"a\" gauge\na 1\n", Ok("# TYPE a gauge\na 1\n"));
    check("# TYPE a \n# TYPE a\n# HELP a\n# HELP \na 1\n", Ok("# TYPE a untyped\na 1\n"));
    check("# TYPE a gauge\n# HELP b c\n", Ok(""));
    check("# EOF\n# UNIT a s\n#\n#  \na 1\n", Ok("# TYPE a untyped\na 1\n"));
    check("a 1\n# HELP a late \n", Ok("# HELP a late \n# TYPE a untyped\na 1\n"));
    check("# HELP a b\\nc\\\\d\\\"e\na 1\n", Ok("# HELP a b\\nc\\\\d\"e\n# TYPE a untyped\na 1\n"));
    check("# HELP a b\\qc\na 1\n", Err("line 1: invalid escape sequence '\\q'"));
    check("# HELP a 1\n# HELP a 2\n", Err("line 2: second HELP line for metric name \"a\""));
    let second = "second TYPE line for metric name \"a\", or TYPE reported after samples";
    check("# TYPE a gauge\n# TYPE a gauge\n", Err(&format!("line 2: {second}")));
    check("a 1\n# TYPE a gauge\n", Err(&format!("line 2: {second}")));
    check("# TYPE a info\n", Err("line 1: unknown metric type \"info\""));
    check("# TYPE a unknown\n", Err("line 1: unknown metric type \"unknown\""));
    check("# TYPE a counter \n", Err("line 1: unknown metric type \"counter \""));
    check("# TYPE a-b counter\n", Err("line 1: invalid metric name in comment"));
    check("# HELP 1a x\n", Err("line 1: invalid metric name in comment"));
    check("# HELP \"a\"b x\n", Err("line 1: invalid metric name in comment"));
    check("# HELP \"a b\" x\n", Err("line 1: invalid metric name \"a b\""));
    check("# TYPE \"a counter\n", Err("line 1: metric name \"a counter\" contains unescaped new-line"));
}

#[test]
fn histograms() {
    let check = |lines: &str, expect| check(&format!("# TYPE h histogram\n{lines}\n"), expect);
    check(
        "h_bucket{le=\"1e3\"} 1.5\nh_sum 3\nh_count 2.5",
        Ok(r#"h_bucket{le="1000"} 1.5; h_bucket{le="+Inf"} 2.5; h_sum 3; h_count 2.5"#),
    );
    check("h_bucket{le=\"+Inf\"} 3\nh_count 9", Ok(r#"h_bucket{le="+Inf"} 3; h_sum 0; h_count 9"#));
    check("h 1\nh_bucket 1\nh_bucket{le=\"NaN\"} 1", Ok(r#"h_bucket{le="+Inf"} 0; h_sum 0; h_count 0"#));
    check("h{le=\"1\"} 1", Ok(r#"h_bucket{le="1"} 1; h_bucket{le="+Inf"} 0; h_sum 0; h_count 0"#));
    check(
        "h_count{a=\"1\",b=\"2\"} 1\nh_sum 7\nh_sum{b=\"2\",a=\"1\"} 5\nh_count 3",
        Ok(concat!(
            r#"h_bucket{le="+Inf"} 3; h_sum 7; h_count 3; "#,
            r#"h_bucket{a="1",b="2",le="+Inf"} 1; h_sum{a="1",b="2"} 5; h_count{a="1",b="2"} 1"#
        )),
    );
    check(
        "{le=\"1\",\"h_bucket\"} 5\nh_count 5",
        Ok(r#"h_bucket{le="1"} 5; h_bucket{le="+Inf"} 5; h_sum 0; h_count 5"#),
    );
    check("h_count 1 5", Ok(r#"h_bucket{le="+Inf"} 1 5; h_sum 0 5; h_count 1 5"#));
    check("h_bucket{le=\"x\"} 1", Err("line 2: expected float as value for 'le' label, got \"x\""));
    check("h_bucket{le=\"1\"} -1", Err("line 2: negative bucket population for histogram \"h\""));
    check("h_count -1", Err("line 2: negative count for histogram \"h\""));
    // the Pushgateway takes the last one
    check("h_bucket{le=\"1\",le=\"2\"} 1", Err("line 2: duplicate label names for metric \"h_bucket\""));
    check(
        "# TYPE h_sum counter",
        Err("line 2: second TYPE line for metric name \"h\", or TYPE reported after samples"),
    );
}

#[test]
fn summaries() {
    let check = |lines: &str, expect| check(&format!("# TYPE s summary\n{lines}\n"), expect);
    check(
        "s{quantile=\"0.9\"} 1\ns{quantile=\"0.50\"} 2\ns_sum 3\ns_count 2.5",
        Ok(r#"s{quantile="0.9"} 1; s{quantile="0.5"} 2; s_sum 3; s_count 2"#),
    );
    check("s 1\ns{quantile=\"NaN\"} 1", Ok("s_sum 0; s_count 0"));
    check("s{quantile=\"x\"} 1", Err("line 2: expected float as value for 'quantile' label, got \"x\""));
    check("s_bucket{le=\"0.5\"} 1", Ok(r#"s_bucket{le="0.5"} 1"#));
    // not a number of observations: 0, where the Pushgateway wraps around
    check("s_count -1.5", Ok("s_sum 0; s_count 0"));
}

#[test]
fn names_that_only_look_like_parts() {
    check("h_bucket{le=\"1\"} 1\n", Ok(r#"h_bucket{le="1"} 1"#));
    check("# TYPE _count summary\n_count 1\n", Ok("_count_sum 0; _count_count 0"));
    check("h_count 5\n# TYPE h histogram\nh_count 6\n", Ok("h_count 5; h_count 6"));
    check("# TYPE a counter\na_total 1\n", Ok("a_total 1"));
}

#[test]
fn limits() {
    let check = |body: &str, limits: Limits, expect: Result<(), &str>| {
        let found = parse(body.as_bytes(), &Options { limits, ..Options::default() });
        assert_eq!(found.map(|_| ()).map_err(|error| error.to_string()), expect.map_err(str::to_owned));
    };
    let body = "a{x=\"1\",y=\"2\"} 1\nb 1\n";
    let exact = Limits { bytes_max: body.len(), samples_max: 2, labels_max: 2 };
    check(body, exact, Ok(()));
    check(body, Limits { bytes_max: 20, ..exact }, Err("body is larger than 20 bytes"));
    check(body, Limits { samples_max: 1, ..exact }, Err("body has more than 1 samples"));
    check(body, Limits { labels_max: 1, ..exact }, Err("a sample in line 1 has more than 1 labels"));
}

#[test]
fn line_ends_are_put_right() {
    let check = |body: &str, expect: &str| {
        assert_eq!(String::from_utf8_lossy(&with_line_feeds(body.as_bytes())), expect, "{body:?}");
    };
    check("", "");
    check("a 1\n", "a 1\n");
    check("a 1", "a 1\n");
    check("a 1\r", "a 1\n");
    check("a 1\r\nb 2\r\n", "a 1\nb 2\n");
    check("a 1\r\nb 2", "a 1\nb 2\n");
    check("a{x=\"\r\"} 1\n", "a{x=\"\r\"} 1\n");
    check("\n", "\n");
}
