//! Start timestamps of a series: the line `series@st -1m -1m _` before its values.

use model::Labels;
use query::syntax::{parse_duration_ms, parse_series};

/// How many items one line may have.
const ITEMS_MAX: usize = 1_000_000;

/// Since when the samples of a series count, relative to each; `None` where it is not known.
#[derive(Debug)]
pub(crate) struct Starts {
    pub(crate) labels: Labels,
    pub(crate) offsets_ms: Vec<Option<i64>>,
}

/// Reads the line, if it is one.
pub(crate) fn parse(line: &str) -> Option<Result<Starts, String>> {
    let at = line.find("@st ").or_else(|| line.find("@st\t"))?;
    let series = parse_series(&line[..at]).ok()?;
    let mut offsets_ms = Vec::new();
    for item in line[at + "@st".len()..].split_whitespace() {
        if let Err(error) = add(item, &mut offsets_ms) {
            return Some(Err(format!("{item:?}: {error}")));
        }
    }
    Some(Ok(Starts { labels: series.labels, offsets_ms }))
}

fn add(item: &str, offsets_ms: &mut Vec<Option<i64>>) -> Result<(), String> {
    let (value, times) = match item.split_once('x') {
        Some((value, times)) => (value, Some(times.parse::<usize>().map_err(|error| error.to_string())?)),
        None => (item, None),
    };
    if times.unwrap_or(0) >= ITEMS_MAX - offsets_ms.len() {
        return Err(format!("more than {ITEMS_MAX} items"));
    }
    if value == "_" {
        offsets_ms.extend(std::iter::repeat_n(None, times.unwrap_or(1)));
        return Ok(());
    }
    let second_sign = value.char_indices().skip(1).find(|(_, sign)| matches!(sign, '+' | '-'));
    let (first, step) = match second_sign {
        Some((index, _)) => (signed(&value[..index])?, signed(&value[index..])?),
        None => (signed(value)?, 0),
    };
    let mut next = Some(first);
    for _ in 0..times.map_or(1, |times| times + 1) {
        let start = next.ok_or("the start timestamps grow beyond all times")?;
        offsets_ms.push(Some(start));
        next = start.checked_add(step);
    }
    Ok(())
}

fn signed(text: &str) -> Result<i64, String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    parse_duration_ms(digits).map(|ms| sign * ms).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_repeat_and_grow() {
        let offsets = |items: &str| parse(&format!("a{{b=\"c\"}}@st {items}")).expect("is one");
        let check = |items: &str, expect: &[Option<i64>]| {
            assert_eq!(offsets(items).expect(items).offsets_ms, expect, "{items}");
        };
        check("-1m _ 0", &[Some(-60_000), None, Some(0)]);
        check("_x2 1sx1", &[None, None, Some(1_000), Some(1_000)]);
        check("-1s-500msx2", &[Some(-1_000), Some(-1_500), Some(-2_000)]);
        for items in ["x3", "1sx", "1sx-1", "é", "_x1000000", "5", "1s+x3"] {
            assert!(offsets(items).is_err(), "{items}");
        }
        assert!(parse("a 1 2").is_none());
    }
}
