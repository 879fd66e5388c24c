//! Values that are given on the command line.

/// A metric and its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Value {
    /// The name alone.
    pub(super) name: String,
    /// The name with its labels, as text has them.
    pub(super) series: String,
    pub(super) value: f64,
}

/// A value as an argument has it: behind the last `=` that stands outside of braces.
pub(super) fn value(text: &str) -> Result<Value, String> {
    let expected =
        || format!("expected NAME=VALUE, like rows=42 or 'rows{{table=\"users\"}}=42', got {text:?}");
    let labels_end = text.rfind('}').map_or(0, |end| end + 1);
    let equals = text[labels_end..].find('=').map(|at| labels_end + at).ok_or_else(expected)?;
    let (series, number) = (&text[..equals], &text[equals + 1..]);
    let name = series.split('{').next().unwrap_or_default();
    let is_name = |(at, byte): (usize, u8)| {
        byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':') || at > 0 && byte.is_ascii_digit()
    };
    if name.is_empty() || !name.bytes().enumerate().all(is_name) {
        return Err(expected());
    }
    let value = match number {
        "NaN" => Ok(f64::NAN),
        "+Inf" | "Inf" => Ok(f64::INFINITY),
        "-Inf" => Ok(f64::NEG_INFINITY),
        number => number.parse().map_err(|_| format!("{text:?}: {number:?} is no number")),
    }?;
    Ok(Value { name: name.to_owned(), series: series.to_owned(), value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_have_labels() {
        let check = |text: &str, name: &str, series: &str, expect: f64| {
            let found = value(text).unwrap();
            assert_eq!((&*found.name, &*found.series), (name, series), "{text}");
            assert!(found.value.to_bits() == expect.to_bits(), "{text}");
        };
        check("rows=42", "rows", "rows", 42.0);
        check("a:b=-1e3", "a:b", "a:b", -1_000.0);
        check("rows{a=\"=}\"}=1", "rows", "rows{a=\"=}\"}", 1.0);
        check("x=NaN", "x", "x", f64::NAN);
        check("x=+Inf", "x", "x", f64::INFINITY);
        for wrong in ["rows", "=1", "rows=", "rows=many", "1x=1", "ro-ws=1", "rows{a=\"b\"}", "rows=1=2"] {
            assert!(value(wrong).is_err(), "{wrong}");
        }
    }
}
