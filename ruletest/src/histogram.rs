//! Native histograms in the notation of series: `{{schema:1 count:3 sum:2 buckets:[1 2]}}`.

use model::float::shortest;
use model::{CounterReset, Histogram, Span};

/// The notation of a histogram, without what is 0; runs of buckets become one, with zeros between them.
pub(crate) fn notation(histogram: &Histogram) -> String {
    let histogram = histogram.compacted();
    let mut parts = Vec::new();
    if histogram.schema != 0 {
        parts.push(format!("schema:{}", histogram.schema));
    }
    let numbers = [
        ("count", histogram.count),
        ("sum", histogram.sum),
        ("z_bucket", histogram.zero_count),
        ("z_bucket_w", histogram.zero_threshold),
    ];
    for (name, value) in numbers {
        if value != 0.0 {
            parts.push(format!("{name}:{}", shortest(value)));
        }
    }
    if !histogram.custom_bounds.is_empty() {
        parts.push(format!("custom_values:{}", list(&histogram.custom_bounds)));
    }
    match histogram.counter_reset {
        CounterReset::Unknown => {}
        CounterReset::Reset => parts.push("counter_reset_hint:reset".to_owned()),
        CounterReset::NotReset => parts.push("counter_reset_hint:not_reset".to_owned()),
        CounterReset::Gauge => parts.push("counter_reset_hint:gauge".to_owned()),
    }
    side(&mut parts, "offset", "buckets", &histogram.positive_spans, &histogram.positive_counts);
    side(&mut parts, "n_offset", "n_buckets", &histogram.negative_spans, &histogram.negative_counts);
    format!("{{{{{}}}}}", parts.join(" "))
}

fn side(parts: &mut Vec<String>, offset_name: &str, name: &str, spans: &[Span], counts: &[f64]) {
    let Some(first) = spans.first() else { return };
    let mut buckets = Vec::new();
    let mut rest = counts.iter();
    for (index, span) in spans.iter().enumerate() {
        if index > 0 {
            let gap = usize::try_from(span.offset).unwrap_or(0);
            buckets.extend(std::iter::repeat_n(0.0, gap));
        }
        buckets.extend(rest.by_ref().take(span.length as usize));
    }
    if first.offset != 0 {
        parts.push(format!("{offset_name}:{}", first.offset));
    }
    if !buckets.is_empty() {
        parts.push(format!("{name}:{}", list(&buckets)));
    }
}

fn list(values: &[f64]) -> String {
    format!("[{}]", values.iter().map(|value| shortest(*value)).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use query::syntax::{SeriesItem, parse_series};

    use super::*;

    #[test]
    fn what_is_read_is_written() {
        let check = |text: &str, expect: &str| {
            let parsed = parse_series(&format!("{{}} {text}")).expect("parses");
            let [SeriesItem::Histogram { value, .. }] = parsed.items.as_slice() else {
                panic!("no histogram")
            };
            assert_eq!(notation(value), expect);
        };
        check(
            "{{schema:1 sum:-0.3 count:32.1 z_bucket:7.1 z_bucket_w:0.05 buckets:[5.1 10 7] offset:-3 n_buckets:[4.1 5] n_offset:-5}}",
            "{{schema:1 count:32.1 sum:-0.3 z_bucket:7.1 z_bucket_w:0.05 offset:-3 buckets:[5.1 10 7] n_offset:-5 n_buckets:[4.1 5]}}",
        );
        check("{{count:3 sum:2 buckets:[1 0 0 2]}}", "{{count:3 sum:2 buckets:[1 0 0 2]}}");
        check("{{}}", "{{}}");
    }
}
