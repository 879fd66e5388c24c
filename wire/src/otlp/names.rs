//! Names: Prometheus' default translation, `UnderscoreEscapingWithSuffixes`.

/// What the suffix of a name depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Gauge,
    Counter,
    Other,
}

/// The name of a metric: words of letters, digits and colons joined by `_`, then its unit, then `total` or `ratio`.
pub(super) fn metric(name: &str, unit: &str, kind: Kind) -> String {
    let is_word = |char: char| char.is_ascii_alphanumeric() || char == ':';
    let mut words: Vec<String> =
        name.split(|char| !is_word(char)).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let (main, per) = unit.split_once('/').map_or((unit, None), |(main, per)| (main, Some(per)));
    let suffixes = [suffix(main, main_unit), per.map(|per| suffix(per, per_unit)).unwrap_or_default()];
    let [main, per] = suffixes;
    if !main.is_empty() && !words.contains(&main) {
        words.push(main);
    }
    if !per.is_empty() && !words.contains(&format!("per_{per}")) {
        words.extend(["per".to_owned(), per]);
    }
    let last = match kind {
        Kind::Counter => Some("total"),
        // some clients say that counters of things have the unit 1
        Kind::Gauge if unit == "1" => Some("ratio"),
        _ => None,
    };
    if let Some(last) = last {
        words.retain(|word| word != last);
        words.push(last.to_owned());
    }
    let name = words.join("_");
    if name.starts_with(|char: char| char.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// A unit as a word; none for what stands in braces.
fn suffix(unit: &str, known: fn(&str) -> Option<&'static str>) -> String {
    let unit = unit.trim();
    if unit.contains(['{', '}']) {
        return String::new();
    }
    if let Some(word) = known(unit) {
        return word.to_owned();
    }
    let words = unit.split(|char: char| !char.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_")
}

fn main_unit(unit: &str) -> Option<&'static str> {
    Some(match unit {
        "d" => "days",
        "h" => "hours",
        "min" => "minutes",
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "GiBy" => "gibibytes",
        "TiBy" => "tibibytes",
        "KBy" => "kilobytes",
        "MBy" => "megabytes",
        "GBy" => "gigabytes",
        "TBy" => "terabytes",
        "m" => "meters",
        "V" => "volts",
        "A" => "amperes",
        "J" => "joules",
        "W" => "watts",
        "g" => "grams",
        "Cel" => "celsius",
        "Hz" => "hertz",
        "1" => "",
        "%" => "percent",
        _ => return None,
    })
}

fn per_unit(unit: &str) -> Option<&'static str> {
    Some(match unit {
        "s" => "second",
        "m" => "minute",
        "h" => "hour",
        "d" => "day",
        "w" => "week",
        "mo" => "month",
        "y" => "year",
        _ => return None,
    })
}

/// The name of a label: what is no letter, digit or `_` becomes `_`, and it begins with `key` if it would begin with a digit
/// or a single `_`.
pub(super) fn label(name: &str) -> String {
    let plain = |char: char| if char.is_ascii_alphanumeric() { char } else { '_' };
    let label: String = name.chars().map(plain).collect();
    match label.as_bytes() {
        [b'0'..=b'9', ..] => format!("key_{label}"),
        [b'_'] | [b'_', b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9', ..] => format!("key{label}"),
        _ => label,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics() {
        let check = |name: &str, unit: &str, kind, expect: &str| assert_eq!(metric(name, unit, kind), expect);
        check("http.server.duration", "s", Kind::Other, "http_server_duration_seconds");
        check("http.server.duration_seconds", "s", Kind::Other, "http_server_duration_seconds");
        check("requests", "", Kind::Counter, "requests_total");
        check("requests", "{request}", Kind::Counter, "requests_total");
        check("total.requests", "1", Kind::Counter, "requests_total");
        check("utilization", "1", Kind::Gauge, "utilization_ratio");
        check("utilization", "1", Kind::Other, "utilization");
        check("load", "%", Kind::Gauge, "load_percent");
        check("disk.io", "By/s", Kind::Gauge, "disk_io_bytes_per_second");
        check("disk.io", "By", Kind::Counter, "disk_io_bytes_total");
        check("a--b..c", "foo$$bar", Kind::Gauge, "a_b_c_foo_bar");
        check("1st", "", Kind::Gauge, "_1st");
        check("größe", "", Kind::Gauge, "gr_e");
        check("job:rate", "/{thing}", Kind::Gauge, "job:rate");
        check("", "", Kind::Gauge, "");
    }

    #[test]
    fn labels() {
        let check = |name: &str, expect: &str| assert_eq!(label(name), expect);
        check("service.name", "service_name");
        check("1st", "key_1st");
        check("_x", "key_x");
        check("__x", "__x");
        check("ö", "key_");
        check("", "");
    }
}
