//! Go's `fmt.Sprintf` for the values that templates know.

use super::{fixed, quote, scientific, significant};

/// One value to print.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    /// `nil`.
    Nil,
    /// A truth value.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    Uint(u64),
    /// A float64.
    Float(f64),
    /// A string.
    Text(String),
    /// Anything else: how `%v` prints it, and the name of its type.
    Other {
        /// As `%v` prints it.
        text: String,
        /// As `%T` prints it.
        type_name: &'static str,
    },
}

/// The widest field and the highest precision; Go allows a million.
const WIDTH_MAX: usize = 10_000;

#[derive(Clone, Copy, Default)]
struct Spec {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// Go's `fmt.Sprintf`.
pub(crate) fn sprintf(format: &str, operands: &[Operand]) -> String {
    let mut out = String::with_capacity(format.len());
    let mut args = Args { operands, next: 0, reordered: false };
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = directive(&mut out, &rest[at + 1..], &mut args);
    }
    out.push_str(rest);
    if !args.reordered && args.next < operands.len() {
        let extra: Vec<String> = operands[args.next..].iter().map(extra).collect();
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    out
}

fn extra(operand: &Operand) -> String {
    if *operand == Operand::Nil {
        "<nil>".to_owned()
    } else {
        format!("{}={}", operand.type_name(), operand.plain())
    }
}

struct Args<'a> {
    operands: &'a [Operand],
    next: usize,
    reordered: bool,
}

impl<'a> Args<'a> {
    fn take(&mut self) -> Option<&'a Operand> {
        let operand = self.operands.get(self.next)?;
        self.next += 1;
        Some(operand)
    }

    /// Reads `[3]`; `None` if the index is bad.
    fn index<'t>(&mut self, rest: &'t str) -> Option<&'t str> {
        let Some(inner) = rest.strip_prefix('[') else { return Some(rest) };
        self.reordered = true;
        let (index, rest) = inner.split_once(']')?;
        let index: usize = index.parse().ok()?;
        self.next = index.checked_sub(1).filter(|i| *i < self.operands.len())?;
        Some(rest)
    }
}

/// Prints what follows a `%`, and returns what follows that.
fn directive<'t>(out: &mut String, text: &'t str, args: &mut Args) -> &'t str {
    let mut spec = Spec::default();
    let mut rest = text;
    while let Some(flag) = rest.chars().next() {
        match flag {
            '+' => spec.plus = true,
            '-' => spec.minus = true,
            '#' => spec.sharp = true,
            ' ' => spec.space = true,
            '0' => spec.zero = true,
            _ => break,
        }
        rest = &rest[1..];
    }
    let mut bad_index = false;
    let mut index = |args: &mut Args, rest: &'t str| {
        args.index(rest).unwrap_or_else(|| {
            bad_index = true;
            rest.split_once(']').map_or(rest, |(_, after)| after)
        })
    };
    rest = index(args, rest);
    rest = number(out, rest, args, &mut spec, "%!(BADWIDTH)", |spec, width| {
        spec.minus |= width < 0;
        spec.width = usize::try_from(width.unsigned_abs()).ok();
    });
    if let Some(after) = rest.strip_prefix('.') {
        rest = index(args, after);
        spec.precision = Some(0);
        rest = number(out, rest, args, &mut spec, "%!(BADPREC)", |spec, precision| {
            spec.precision = usize::try_from(precision).ok();
        });
    }
    rest = index(args, rest);
    let Some(verb) = rest.chars().next() else {
        out.push_str("%!(NOVERB)");
        return rest;
    };
    rest = &rest[verb.len_utf8()..];
    match verb {
        '%' => out.push('%'),
        _ if bad_index => out.push_str(&format!("%!{verb}(BADINDEX)")),
        _ => match args.take() {
            None => out.push_str(&format!("%!{verb}(MISSING)")),
            Some(operand) => out.push_str(&print(operand, verb, spec)),
        },
    }
    rest
}

/// Reads a width or precision: digits, or `*` for an argument.
fn number<'t>(
    out: &mut String,
    rest: &'t str,
    args: &mut Args,
    spec: &mut Spec,
    bad: &str,
    set: impl FnOnce(&mut Spec, i64),
) -> &'t str {
    if let Some(after) = rest.strip_prefix('*') {
        match args.take() {
            Some(Operand::Int(value)) if value.unsigned_abs() <= WIDTH_MAX as u64 => set(spec, *value),
            _ => out.push_str(bad),
        }
        return after;
    }
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if digits > 0 {
        match rest[..digits].parse::<i64>() {
            Ok(value) if value <= WIDTH_MAX as i64 => set(spec, value),
            _ => out.push_str(bad),
        }
    }
    &rest[digits..]
}

fn print(operand: &Operand, verb: char, spec: Spec) -> String {
    match (operand, verb) {
        (_, 'T') => pad(operand.type_name().to_owned(), spec),
        (Operand::Nil, 'v') => pad("<nil>".to_owned(), spec),
        (Operand::Bool(value), 't' | 'v') => pad(value.to_string(), spec),
        (Operand::Int(value), _) => match integer(value.unsigned_abs(), *value < 0, verb, spec) {
            Some(text) => text,
            None => bad_verb(operand, verb),
        },
        (Operand::Uint(value), _) => match integer(*value, false, verb, spec) {
            Some(text) => text,
            None => bad_verb(operand, verb),
        },
        (Operand::Float(value), _) => match float(*value, verb, spec) {
            Some(text) => text,
            None => bad_verb(operand, verb),
        },
        (Operand::Text(text), 's' | 'v') => pad(truncated(text, spec).to_owned(), spec),
        (Operand::Text(text), 'q') => pad(quoted(truncated(text, spec), spec), spec),
        (Operand::Text(text), 'x' | 'X') => pad(hex(truncated_bytes(text, spec), verb, spec), spec),
        (Operand::Other { text, .. }, 'v' | 's') => pad(text.clone(), spec),
        _ => bad_verb(operand, verb),
    }
}

fn bad_verb(operand: &Operand, verb: char) -> String {
    match operand {
        Operand::Nil => format!("%!{verb}(<nil>)"),
        _ => format!("%!{verb}({}={})", operand.type_name(), operand.plain()),
    }
}

impl Operand {
    /// As `%v` prints it.
    pub(crate) fn plain(&self) -> String {
        match self {
            Self::Nil => "<nil>".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Uint(value) => value.to_string(),
            Self::Float(value) => model::float::shortest(*value),
            Self::Text(text) | Self::Other { text, .. } => text.clone(),
        }
    }

    fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::Other { type_name, .. } => type_name,
        }
    }
}

fn quoted(text: &str, spec: Spec) -> String {
    let raw = spec.sharp && !text.contains(|c: char| c == '`' || (c.is_control() && c != '\t'));
    if raw { format!("`{text}`") } else { quote(text) }
}

fn truncated(text: &str, spec: Spec) -> &str {
    let Some(precision) = spec.precision else { return text };
    text.char_indices().nth(precision).map_or(text, |(at, _)| &text[..at])
}

fn truncated_bytes(text: &str, spec: Spec) -> &[u8] {
    let bytes = text.as_bytes();
    &bytes[..spec.precision.unwrap_or(bytes.len()).min(bytes.len())]
}

fn hex(bytes: &[u8], verb: char, spec: Spec) -> String {
    let (digits, prefix) = if verb == 'X' { ("0123456789ABCDEF", "0X") } else { ("0123456789abcdef", "0x") };
    let digits = digits.as_bytes();
    let mut out = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        if spec.space && at > 0 {
            out.push(' ');
        }
        if spec.sharp && (at == 0 || spec.space) {
            out.push_str(prefix);
        }
        out.push(char::from(digits[usize::from(byte >> 4)]));
        out.push(char::from(digits[usize::from(byte & 15)]));
    }
    out
}

fn integer(magnitude: u64, negative: bool, verb: char, spec: Spec) -> Option<String> {
    let (prefix, digits) = match verb {
        'd' | 'v' => ("", magnitude.to_string()),
        'b' => (if spec.sharp { "0b" } else { "" }, format!("{magnitude:b}")),
        'o' => (if spec.sharp { "0" } else { "" }, format!("{magnitude:o}")),
        'O' => ("0o", format!("{magnitude:o}")),
        'x' => (if spec.sharp { "0x" } else { "" }, format!("{magnitude:x}")),
        'X' => (if spec.sharp { "0X" } else { "" }, format!("{magnitude:X}")),
        'c' => return Some(pad(rune(magnitude).to_string(), spec)),
        'q' => return Some(pad(format!("'{}'", rune(magnitude)), spec)),
        'U' => return Some(pad(format!("U+{magnitude:04X}"), spec)),
        _ => return None,
    };
    let digits = match spec.precision {
        Some(0) if magnitude == 0 => return Some(pad(String::new(), Spec { zero: false, ..spec })),
        Some(precision) => format!("{digits:0>precision$}"),
        None => digits,
    };
    let spec = Spec { zero: spec.zero && spec.precision.is_none(), ..spec };
    Some(pad_number(negative, &format!("{prefix}{digits}"), spec))
}

fn rune(code: u64) -> char {
    u32::try_from(code).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn float(value: f64, verb: char, spec: Spec) -> Option<String> {
    let precision = spec.precision;
    let text = match verb {
        'v' | 'g' | 'G' => match precision {
            Some(digits) => significant(value, digits),
            None => model::float::shortest(value),
        },
        'e' | 'E' => scientific(value, Some(precision.unwrap_or(6))),
        'f' | 'F' => fixed(value, precision.unwrap_or(6)),
        _ => return None,
    };
    let text = if verb.is_ascii_uppercase() && value.is_finite() { text.to_uppercase() } else { text };
    let negative = text.starts_with('-');
    let magnitude = text.trim_start_matches(['-', '+']);
    let finite = value.is_finite();
    let spec = Spec {
        plus: spec.plus || (value == f64::INFINITY && !spec.space),
        zero: spec.zero && finite,
        ..spec
    };
    Some(if value.is_nan() && !spec.plus && !spec.space {
        pad("NaN".to_owned(), spec)
    } else {
        pad_number(negative, magnitude, spec)
    })
}

/// Sign, padding and digits in the order in which Go puts them.
fn pad_number(negative: bool, magnitude: &str, spec: Spec) -> String {
    let sign = match (negative, spec.plus, spec.space) {
        (true, _, _) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        _ => "",
    };
    let length = sign.len() + magnitude.chars().count();
    match spec.width {
        Some(width) if spec.zero && !spec.minus && width > length => {
            format!("{sign}{}{magnitude}", "0".repeat(width - length))
        }
        _ => pad(format!("{sign}{magnitude}"), Spec { zero: false, ..spec }),
    }
}

fn pad(text: String, spec: Spec) -> String {
    let missing = spec.width.unwrap_or(0).saturating_sub(text.chars().count());
    match missing {
        0 => text,
        _ if spec.minus => text + &" ".repeat(missing),
        _ if spec.zero => "0".repeat(missing) + &text,
        _ => " ".repeat(missing) + &text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_go() {
        let text = |text: &str| Operand::Text(text.to_owned());
        let check = |format: &str, operands: &[Operand], expect: &str| {
            assert_eq!(sprintf(format, operands), expect, "{format}");
        };
        check("%d%%", &[Operand::Int(42)], "42%");
        check("%5d|%-5d|%05d|%+d", &vec![Operand::Int(42); 4], "   42|42   |00042|+42");
        check("%x %X %#x %b %o %c %U", &vec![Operand::Int(255); 7], "ff FF 0xff 11111111 377 ÿ U+00FF");
        check("%s|%5s|%-5s|%.1s|%q|%x", &vec![text("ab"); 6], "ab|   ab|ab   |a|\"ab\"|6162");
        check(
            "%v %g %f %e %.2f %8.3f|",
            &vec![Operand::Float(1234567.891); 6],
            "1.234567891e+06 1.234567891e+06 1234567.891000 1.234568e+06 1234567.89 1234567.891|",
        );
        check("%.3g %05.1f", &[Operand::Float(0.00012345), Operand::Float(3.25159)], "0.000123 003.3");
        check("%t %v", &[Operand::Bool(true), Operand::Nil], "true <nil>");
        check("%f %5v %+v", &[f64::INFINITY, f64::NAN, -1.0].map(Operand::Float), "+Inf   NaN -1");
        check("%d", &[text("x")], "%!d(string=x)");
        check("%s", &[Operand::Float(1.0)], "%!s(float64=1)");
        check("%s %s", &[text("x")], "x %!s(MISSING)");
        check("x", &[text("y"), Operand::Nil], "x%!(EXTRA string=y, <nil>)");
        check("%", &[], "%!(NOVERB)");
        check("%[2]s %[1]s", &[text("a"), text("b")], "b a");
        check("%*d", &[Operand::Int(4), Operand::Int(7)], "   7");
        check("%99999999d", &[Operand::Int(4)], "%!(BADWIDTH)4");
    }
}
