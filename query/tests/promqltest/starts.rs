//! Start timestamps of a series: the line `series@st -1m -1m _` before its values.

use mayfly_query::syntax::{parse_duration_ms, parse_series};
use model::Labels;

/// Since when the samples of a series count, relative to each; `None` where it is not known.
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
    if value == "_" {
        offsets_ms.extend(std::iter::repeat_n(None, times.unwrap_or(1)));
        return Ok(());
    }
    let second_sign = value[1..].find(['+', '-']).map(|index| index + 1);
    let (first, step) = match second_sign {
        Some(index) => (signed(&value[..index])?, signed(&value[index..])?),
        None => (signed(value)?, 0),
    };
    let count = times.map_or(1, |times| times + 1);
    offsets_ms.extend((0..count).map(|index| Some(first + step * i64::try_from(index).expect("few"))));
    Ok(())
}

fn signed(text: &str) -> Result<i64, String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    parse_duration_ms(digits).map(|ms| sign * ms).map_err(|error| error.to_string())
}
