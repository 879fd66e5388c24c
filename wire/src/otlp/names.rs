//! Names: Prometheus' translations. What they make of which name was written after its package `otlptranslator`.

use super::translation::Strategy;

/// What the suffix of a name depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Gauge,
    Counter,
    Other,
}

/// The name of a metric.
pub(super) fn metric(name: &str, unit: &str, kind: Kind, strategy: Strategy) -> String {
    match strategy {
        Strategy::UnderscoreEscapingWithSuffixes => escaped_with_suffixes(name, unit, kind),
        Strategy::UnderscoreEscapingWithoutSuffixes => {
            let is_word = |char: char| char.is_ascii_alphanumeric() || char == ':' || char == '_';
            let words: Vec<&str> =
                name.split(|char| !is_word(char)).filter(|word| !word.is_empty()).collect();
            begun(words.join("_"))
        }
        Strategy::NoUtf8EscapingWithSuffixes => with_suffixes(name, unit, kind),
        Strategy::NoTranslation => name.to_owned(),
    }
}

/// No name may begin with a digit.
fn begun(name: String) -> String {
    if name.starts_with(|char: char| char.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// The name as it is, then its unit, then `total` or `ratio`. What it ends with already, and a character before that, goes.
fn with_suffixes(name: &str, unit: &str, kind: Kind) -> String {
    fn trimmed<'a>(name: &'a str, suffix: &str) -> &'a str {
        let rest = name.strip_suffix(suffix).and_then(|rest| rest.strip_suffix(|_: char| true));
        rest.filter(|rest| !rest.is_empty()).unwrap_or(name)
    }
    let last = last_word(unit, kind);
    let name = last.map_or(name, |last| trimmed(name, last));
    let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
    let word = |unit: &str, known: fn(&str) -> Option<&'static str>| match unit.trim() {
        unit if unit.contains(['{', '}']) => String::new(),
        unit => known(unit).unwrap_or(unit).to_owned(),
    };
    let (main, per) = (word(main, main_unit), word(per, per_unit));
    let per = if per.is_empty() { per } else { format!("per_{per}") };
    let name = if per.is_empty() { name } else { trimmed(name, &per) };
    let mut words = vec![name];
    if !main.is_empty() && !name.ends_with(&main) {
        words.push(&main);
    }
    words.extend((!per.is_empty()).then_some(&*per));
    words.extend(last);
    words.join("_")
}

/// What a name ends with behind its unit. Some clients say that counters of things have the unit 1.
fn last_word(unit: &str, kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Counter => Some("total"),
        Kind::Gauge if unit == "1" => Some("ratio"),
        _ => None,
    }
}

/// Words of letters, digits and colons joined by `_`, then the unit, then `total` or `ratio`.
fn escaped_with_suffixes(name: &str, unit: &str, kind: Kind) -> String {
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
    if let Some(last) = last_word(unit, kind) {
        words.retain(|word| word != last);
        words.push(last.to_owned());
    }
    begun(words.join("_"))
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

/// The name of a label. Where names are escaped, what is no letter, digit or `_` becomes `_`, and it begins with `key` if it would begin with a digit
/// or a single `_`.
pub(super) fn label(name: &str, strategy: Strategy) -> String {
    if !strategy.escapes() {
        return name.to_owned();
    }
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
        let check = |name: &str, unit: &str, kind, expect: &str| {
            assert_eq!(metric(name, unit, kind, Strategy::UnderscoreEscapingWithSuffixes), expect);
        };
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
    fn other_strategies() {
        let check = |name: &str, unit: &str, kind, expect: [&str; 3]| {
            let strategies = [
                Strategy::UnderscoreEscapingWithoutSuffixes,
                Strategy::NoUtf8EscapingWithSuffixes,
                Strategy::NoTranslation,
            ];
            assert_eq!(
                strategies.map(|strategy| metric(name, unit, kind, strategy)),
                expect,
                "{name} {unit}"
            );
        };
        let same = |name: &'static str, suffixed: &'static str| [name, suffixed, name];
        check("requests", "", Kind::Counter, same("requests", "requests_total"));
        check("requests_total", "", Kind::Counter, same("requests_total", "requests_total"));
        check("a.b--c__d", "s", Kind::Other, ["a_b_c__d", "a.b--c__d_seconds", "a.b--c__d"]);
        check(
            "http.duration.seconds",
            "s",
            Kind::Other,
            ["http_duration_seconds", "http.duration.seconds", "http.duration.seconds"],
        );
        check("requests.total", "1", Kind::Counter, ["requests_total", "requests_total", "requests.total"]);
        check("total", "", Kind::Counter, same("total", "total_total"));
        check("usage", "1", Kind::Gauge, same("usage", "usage_ratio"));
        check("usage.ratio", "1", Kind::Gauge, ["usage_ratio", "usage_ratio", "usage.ratio"]);
        check("disk.io", "By/s", Kind::Gauge, ["disk_io", "disk.io_bytes_per_second", "disk.io"]);
        check(
            "io.bytes.per_second",
            "By/s",
            Kind::Counter,
            ["io_bytes_per_second", "io.bytes_per_second_total", "io.bytes.per_second"],
        );
        check("1st", "{x}", Kind::Gauge, ["_1st", "1st", "1st"]);
        check("größe", "foo$$bar", Kind::Gauge, ["gr_e", "größe_foo$$bar", "größe"]);
        check("xüratio", "1", Kind::Gauge, ["x_ratio", "x_ratio", "xüratio"]);
        check("", "", Kind::Gauge, ["", "", ""]);
    }

    #[test]
    fn labels() {
        let check = |name: &str, expect: &str| {
            assert_eq!(label(name, Strategy::default()), expect);
            assert_eq!(label(name, Strategy::UnderscoreEscapingWithoutSuffixes), expect);
            assert_eq!(label(name, Strategy::NoUtf8EscapingWithSuffixes), name);
            assert_eq!(label(name, Strategy::NoTranslation), name);
        };
        check("service.name", "service_name");
        check("1st", "key_1st");
        check("_x", "key_x");
        check("__x", "__x");
        check("ö", "key_");
        check("", "");
    }
}
