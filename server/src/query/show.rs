//! Answers as promtool prints them: as text, or as JSON with `-o json`.

use std::cmp::Ordering;
use std::io::{self, Write};

use model::quote::quoted;

use super::answer::{Bucket, Histogram, Number, Point, Sample, Series, Stream, Value};

const NAME: &str = "__name__";

/// Tells on standard error what is to be known about an answer.
pub(super) fn warnings(warnings: &[String]) -> io::Result<()> {
    warnings.iter().try_for_each(|warning| writeln!(io::stderr(), "query warning: {warning}"))
}

pub(super) fn value(out: &mut impl Write, value: &Value, as_json: bool) -> io::Result<()> {
    if as_json {
        let mut text = String::new();
        match value {
            Value::Vector(samples) => list(&mut text, samples, json_sample),
            Value::Matrix(streams) => list(&mut text, streams, json_stream),
            Value::Scalar(point) => json_point(&mut text, point, json_number),
            Value::String(point) => json_point(&mut text, point, |out, text| json_string(out, text)),
        }
        return writeln!(out, "{text}");
    }
    match value {
        Value::Vector(samples) => {
            let lines: Vec<_> = samples.iter().map(text_sample).collect();
            writeln!(out, "{}", lines.join("\n"))
        }
        Value::Matrix(streams) => {
            let mut streams: Vec<_> = streams.iter().collect();
            streams.sort_by(|a, b| before(&a.metric, &b.metric));
            let blocks: Vec<_> = streams.into_iter().map(text_stream).collect();
            writeln!(out, "{}", blocks.join("\n"))
        }
        Value::Scalar(Point(at, value)) => writeln!(out, "scalar: {} @[{at}]", number(*value)),
        Value::String(Point(_, text)) => writeln!(out, "{text}"),
    }
}

pub(super) fn series(out: &mut impl Write, series: &[Series], as_json: bool) -> io::Result<()> {
    if as_json {
        let mut text = String::new();
        list(&mut text, series, json_labels);
        return writeln!(out, "{text}");
    }
    for series in series {
        let labels: Vec<_> = series.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
        writeln!(out, "{{{}}}", labels.join(", "))?;
    }
    Ok(())
}

pub(super) fn labels(out: &mut impl Write, values: &[String], as_json: bool) -> io::Result<()> {
    if as_json {
        let mut text = String::new();
        list(&mut text, values, |out, value| json_string(out, value));
        return writeln!(out, "{text}");
    }
    values.iter().try_for_each(|value| writeln!(out, "{value}"))
}

/// The order of client_golang: fewer labels first, then by the first name that one lacks, or whose values differ.
fn before(a: &Series, b: &Series) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| {
        let names = a.keys().chain(b.keys()).filter(|name| a.get(*name) != b.get(*name));
        names.min().map_or(Ordering::Equal, |name| match (a.get(name), b.get(name)) {
            (None, _) => Ordering::Less,
            (_, None) => Ordering::Greater,
            (a, b) => a.cmp(&b),
        })
    })
}

/// Without exponents, as Go writes numbers with `'f'`.
fn number(Number(value): Number) -> String {
    match value {
        value if value == f64::INFINITY => "+Inf".to_owned(),
        value if value == f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    }
}

/// Go's `%f`.
fn six_decimals(Number(value): Number) -> String {
    if value.is_finite() { format!("{value:.6}") } else { number(Number(value)) }
}

fn text_metric(metric: &Series) -> String {
    let name = metric.get(NAME).map_or("", String::as_str);
    let mut labels: Vec<_> = metric
        .iter()
        .filter(|(name, _)| *name != NAME)
        .map(|(name, value)| format!("{name}={}", quoted(value)))
        .collect();
    labels.sort_unstable();
    match (labels.is_empty(), metric.contains_key(NAME)) {
        (true, true) => name.to_owned(),
        _ => format!("{name}{{{}}}", labels.join(", ")),
    }
}

fn text_sample(sample: &Sample) -> String {
    let metric = text_metric(&sample.metric);
    match (&sample.value, &sample.histogram) {
        (_, Some(point)) => format!("{metric} => {}", text_histogram(point)),
        (Some(point), None) => format!("{metric} => {}", text_point(point)),
        (None, None) => format!("{metric} => 0 @[0]"),
    }
}

fn text_stream(stream: &Stream) -> String {
    let values = stream.values.iter().map(text_point);
    let lines: Vec<_> = values.chain(stream.histograms.iter().map(text_histogram)).collect();
    format!("{} =>\n{}", text_metric(&stream.metric), lines.join("\n"))
}

fn text_point(Point(at, value): &Point<Number>) -> String {
    format!("{} @[{at}]", number(*value))
}

fn text_histogram(Point(at, histogram): &Point<Histogram>) -> String {
    let bucket = |Bucket(bounds, lower, upper, count): &Bucket| {
        let begin = if matches!(bounds, 1 | 3) { '[' } else { '(' };
        let end = if matches!(bounds, 0 | 3) { ']' } else { ')' };
        format!("{begin}{},{}{end}:{}", number(*lower), number(*upper), number(*count))
    };
    let buckets: Vec<_> = histogram.buckets.iter().flatten().map(bucket).collect();
    let (count, sum) = (six_decimals(histogram.count), six_decimals(histogram.sum));
    format!("Count: {count}, Sum: {sum}, Buckets: [{}] @[{at}]", buckets.join(" "))
}

fn list<T>(out: &mut String, items: &[T], one: impl Fn(&mut String, &T)) {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        one(out, item);
    }
    out.push(']');
}

fn json_labels(out: &mut String, labels: &Series) {
    out.push('{');
    for (index, (name, value)) in labels.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        json_string(out, name);
        out.push(':');
        json_string(out, value);
    }
    out.push('}');
}

fn json_sample(out: &mut String, sample: &Sample) {
    out.push_str("{\"metric\":");
    json_labels(out, &sample.metric);
    if let Some(point) = &sample.histogram {
        out.push_str(",\"histogram\":");
        json_point(out, point, json_histogram);
    } else if let Some(point) = &sample.value {
        out.push_str(",\"value\":");
        json_point(out, point, json_number);
    }
    out.push('}');
}

fn json_stream(out: &mut String, stream: &Stream) {
    out.push_str("{\"metric\":");
    json_labels(out, &stream.metric);
    if !stream.values.is_empty() || stream.histograms.is_empty() {
        out.push_str(",\"values\":");
        list(out, &stream.values, |out, point| json_point(out, point, json_number));
    }
    if !stream.histograms.is_empty() {
        out.push_str(",\"histograms\":");
        list(out, &stream.histograms, |out, point| json_point(out, point, json_histogram));
    }
    out.push('}');
}

fn json_point<T>(out: &mut String, Point(at, value): &Point<T>, of_value: impl Fn(&mut String, &T)) {
    out.push('[');
    out.push_str(&at.to_string());
    out.push(',');
    of_value(out, value);
    out.push(']');
}

fn json_number(out: &mut String, value: &Number) {
    json_string(out, &number(*value));
}

fn json_histogram(out: &mut String, histogram: &Histogram) {
    out.push_str("{\"count\":");
    json_number(out, &histogram.count);
    out.push_str(",\"sum\":");
    json_number(out, &histogram.sum);
    out.push_str(",\"buckets\":");
    match &histogram.buckets {
        None => out.push_str("null"),
        Some(buckets) => list(out, buckets, |out, Bucket(bounds, lower, upper, count)| {
            out.push_str(&format!("[{bounds}"));
            for value in [lower, upper, count] {
                out.push(',');
                json_number(out, value);
            }
            out.push(']');
        }),
    }
    out.push('}');
}

/// As Go writes texts into JSON: safe within HTML.
fn json_string(out: &mut String, text: &str) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(char)));
            }
            char => out.push(char),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(result: &str, as_json: bool) -> String {
        let mut out = Vec::new();
        value(&mut out, &serde_json::from_str(result).expect("is a result"), as_json).expect("is written");
        String::from_utf8(out).expect("is text")
    }

    #[test]
    fn values_are_shown_as_promtool_does() {
        let check = |result: &str, text: &str, json: &str| {
            assert_eq!(shown(result, false), format!("{text}\n"));
            assert_eq!(shown(result, true), format!("{json}\n"));
        };
        check(
            r#"{"resultType":"scalar","result":[1.5,"1e-7"]}"#,
            "scalar: 0.0000001 @[1.5]",
            r#"[1.5,"0.0000001"]"#,
        );
        check(r#"{"resultType":"vector","result":[]}"#, "", "[]");
        check(
            r#"{"resultType":"vector","result":[{"metric":{"__name__":"up","a":"\u2028<","a1":"x"},"value":[1e9,"1e30"]},{"metric":{},"value":[1,"-Inf"]}]}"#,
            "up{a1=\"x\", a=\"\\u2028<\"} => 1000000000000000000000000000000 @[1000000000]\n{} => -Inf @[1]",
            r#"[{"metric":{"__name__":"up","a":"\u2028\u003c","a1":"x"},"value":[1000000000,"1000000000000000000000000000000"]},{"metric":{},"value":[1,"-Inf"]}]"#,
        );
        check(
            r#"{"resultType":"matrix","result":[{"metric":{"__name__":"up"},"values":[[1,"1"],[2.5,"NaN"]]},{"metric":{},"histograms":[[3,{"count":"10","sum":"3.5","buckets":[[1,"-4","-2","3"],[0,"0.5","1","2"]]}]]}]}"#,
            "{} =>\nCount: 10.000000, Sum: 3.500000, Buckets: [[-4,-2):3 (0.5,1]:2] @[3]\nup =>\n1 @[1]\nNaN @[2.5]",
            r#"[{"metric":{"__name__":"up"},"values":[[1,"1"],[2.5,"NaN"]]},{"metric":{},"histograms":[[3,{"count":"10","sum":"3.5","buckets":[[1,"-4","-2","3"],[0,"0.5","1","2"]]}]]}]"#,
        );
    }
}
