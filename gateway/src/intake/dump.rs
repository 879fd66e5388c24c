//! A metric as Go's prototext shows it on one line, with single spaces: error texts hold it.

use std::fmt::Write;

use model::float::shortest;
use wire::{Histogram, Metric, MetricValue, Summary};

/// Shows a metric with the labels it has; `instance` is shown empty if it has none, as the Pushgateway does.
pub(crate) fn dump(metric: &Metric) -> String {
    let mut labels: Vec<(&str, &str)> =
        metric.labels.iter().map(|(name, value)| (&**name, &**value)).collect();
    if !labels.iter().any(|(name, _)| *name == "instance") {
        let at = labels.partition_point(|(name, _)| *name < "instance");
        labels.insert(at, ("instance", ""));
    }
    let mut fields: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("label:{{name:{} value:{}}}", quoted(name), quoted(value)))
        .collect();
    let value = match &metric.value {
        MetricValue::Absent => None,
        MetricValue::Counter(value) => Some(format!("counter:{{value:{}}}", float(*value))),
        MetricValue::Gauge(value) => Some(format!("gauge:{{value:{}}}", float(*value))),
        MetricValue::Untyped(value) => Some(format!("untyped:{{value:{}}}", float(*value))),
        MetricValue::Summary(value) => Some(format!("summary:{{{}}}", summary(value))),
        MetricValue::Histogram(value) => Some(format!("histogram:{{{}}}", histogram(value))),
    };
    fields.extend(value);
    fields.extend(metric.timestamp_ms.map(|ms| format!("timestamp_ms:{ms}")));
    fields.join(" ")
}

fn summary(summary: &Summary) -> String {
    let mut fields = Vec::new();
    if summary.count > 0 {
        fields.push(format!("sample_count:{}", summary.count));
    }
    if summary.sum != 0.0 {
        fields.push(format!("sample_sum:{}", float(summary.sum)));
    }
    fields.extend(summary.quantiles.iter().map(|quantile| {
        format!("quantile:{{quantile:{} value:{}}}", float(quantile.quantile), float(quantile.value))
    }));
    fields.join(" ")
}

fn histogram(histogram: &Histogram) -> String {
    let counts = || histogram.buckets.iter().map(|bucket| bucket.cumulative_count).chain([histogram.count]);
    let suffix = if counts().all(|count| count.fract() == 0.0) { "" } else { "_float" };
    let mut fields = Vec::new();
    if histogram.count != 0.0 {
        fields.push(format!("sample_count{suffix}:{}", float(histogram.count)));
    }
    if histogram.sum != 0.0 {
        fields.push(format!("sample_sum:{}", float(histogram.sum)));
    }
    fields.extend(histogram.buckets.iter().map(|bucket| {
        let (count, bound) = (float(bucket.cumulative_count), float(bucket.upper_bound));
        format!("bucket:{{cumulative_count{suffix}:{count} upper_bound:{bound}}}")
    }));
    fields.extend(histogram.native.as_ref().map(|native| format!("schema:{}", native.schema)));
    fields.join(" ")
}

fn float(value: f64) -> String {
    match value {
        f64::INFINITY => "inf".to_owned(),
        f64::NEG_INFINITY => "-inf".to_owned(),
        value if value.is_nan() => "nan".to_owned(),
        value => shortest(value),
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\0'..' ' | '\x7f' => {
                // writing to a string cannot fail
                let _ = write!(quoted, "\\x{:02x}", u32::from(char));
            }
            _ => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use wire::text;

    use super::*;

    #[test]
    fn on_one_line() {
        let check = |body: &str, expect: &str| {
            let families = text::parse(body.as_bytes(), &text::Options::default()).expect("parses");
            assert_eq!(dump(&families[0].metrics[0]), expect);
        };
        check("a 2\n", r#"label:{name:"instance" value:""} untyped:{value:2}"#);
        check(
            "# TYPE a counter\na{a=\"q\\\"\\\\\\né\t\x01\",job=\"j\"} 1e7 5\n",
            concat!(
                r#"label:{name:"a" value:"q\"\\\né\t\x01"} label:{name:"instance" value:""} "#,
                r#"label:{name:"job" value:"j"} counter:{value:1e+07} timestamp_ms:5"#
            ),
        );
        check(
            "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1.5\nh_count 3\nh_sum -inf\n",
            concat!(
                r#"label:{name:"instance" value:""} histogram:{sample_count_float:3 sample_sum:-inf "#,
                "bucket:{cumulative_count_float:1 upper_bound:1} bucket:{cumulative_count_float:1.5 upper_bound:inf}}"
            ),
        );
        check(
            "# TYPE s summary\ns{quantile=\"0.5\"} nan\ns_count 2\ns_sum 3\n",
            concat!(
                r#"label:{name:"instance" value:""} "#,
                "summary:{sample_count:2 sample_sum:3 quantile:{quantile:0.5 value:nan}}"
            ),
        );
    }
}
