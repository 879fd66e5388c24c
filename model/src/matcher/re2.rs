//! Regular expressions as Go understands them, for the `regex` crate.
//!
//! Prometheus compiles matchers with Go's `regexp` in Perl mode, where `\d`, `\w`, `\s` and `\b` are ASCII, a lone `{`
//! is a brace, `\Q…\E` quotes, `&&` in a class is two ampersands, and a repetition of a repetition or of more than 1,000
//! is refused. [`translate`] reads that syntax, refuses what Go refuses with Go's words, and writes what the `regex`
//! crate (in byte mode) understands the same way.

/// How often something may be repeated with `{n}`, and with all of them that lie in each other.
const REPEAT_MAX: u32 = 1_000;

/// How deeply groups may be nested.
const DEPTH_MAX: usize = 250;

/// What is wrong, and the piece of the pattern in which.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) reason: &'static str,
    pub(super) piece: String,
}

/// Writes a pattern in Go's syntax as one for `regex::bytes`.
pub(super) fn translate(pattern: &str) -> Result<String, Mistake> {
    translate_to(pattern, false)
}

/// Like [`translate`], and groups can be asked for.
pub(super) fn translate_with_groups(pattern: &str) -> Result<String, Mistake> {
    translate_to(pattern, true)
}

fn translate_to(pattern: &str, groups: bool) -> Result<String, Mistake> {
    let out = String::with_capacity(pattern.len() + 8);
    let mut translator = Translator { pattern, at: 0, out, open: 0, repeats: vec![1], repeated: 1, groups };
    translator.all()?;
    Ok(translator.out)
}

struct Translator<'a> {
    pattern: &'a str,
    at: usize,
    out: String,
    open: usize,
    /// How often `{n}` repeats what it repeats most often, in each group that is open.
    repeats: Vec<u32>,
    /// The same of the last atom.
    repeated: u32,
    /// Whether groups capture.
    groups: bool,
}

/// What stands before a repetition.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    /// Nothing that can be repeated.
    Nothing,
    Atom,
    /// A repetition, which starts at this byte.
    Repetition(usize),
}

type Result<T, E = Mistake> = std::result::Result<T, E>;

impl<'a> Translator<'a> {
    fn rest(&self) -> &'a str {
        &self.pattern[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn mistake<T>(&self, reason: &'static str, piece: &str) -> Result<T> {
        Err(Mistake { reason, piece: piece.to_owned() })
    }

    fn literal(&mut self, character: char) {
        self.out.push_str(&regex_syntax::escape(character.encode_utf8(&mut [0; 4])));
    }

    fn all(&mut self) -> Result<()> {
        let mut before = Before::Nothing;
        while let Some(character) = self.peek() {
            let start = self.at;
            if !matches!(character, '*' | '+' | '?' | '{') {
                self.repeated = 1;
            }
            before = match character {
                '*' | '+' | '?' => self.repetition(start, before)?,
                '{' if self.counted().is_some() => self.repetition(start, before)?,
                '(' => self.group()?,
                ')' => {
                    if self.open == 0 {
                        return self.mistake("unexpected )", self.pattern);
                    }
                    self.open -= 1;
                    self.copy(1);
                    self.close_group();
                    Before::Atom
                }
                '|' => {
                    self.copy(1);
                    Before::Nothing
                }
                '[' => self.class()?,
                '\\' => self.escape_outside()?,
                '.' | '^' | '$' => {
                    self.copy(1);
                    Before::Atom
                }
                other => {
                    self.at += other.len_utf8();
                    self.repeated = 1;
                    self.literal(other);
                    Before::Atom
                }
            };
        }
        if self.open > 0 {
            return self.mistake("missing closing )", self.pattern);
        }
        Ok(())
    }

    /// Takes bytes over as they are.
    fn copy(&mut self, bytes: usize) {
        self.out.push_str(&self.pattern[self.at..self.at + bytes]);
        self.at += bytes;
    }

    /// `{n}`, `{n,}` or `{n,m}`: how long it is, and the counts.
    fn counted(&self) -> Option<(usize, u32, Option<u32>)> {
        let close = self.rest().find('}')?;
        let inner = &self.rest()[1..close];
        let count = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let leading_zero = text.len() > 1 && text.starts_with('0');
            (digits && !leading_zero).then(|| text.parse().unwrap_or(u32::MAX))
        };
        match inner.split_once(',') {
            None => count(inner).map(|exactly| (close + 1, exactly, Some(exactly))),
            Some((least, "")) => count(least).map(|least| (close + 1, least, None)),
            Some((least, most)) => Some((close + 1, count(least)?, Some(count(most)?))),
        }
    }

    fn repetition(&mut self, start: usize, before: Before) -> Result<Before> {
        let (mut length, mut times) = (1, None);
        if let Some((bytes, least, most)) = self.counted().filter(|_| self.rest().starts_with('{')) {
            length = bytes;
            let too_many = least > REPEAT_MAX || most.is_some_and(|most| most > REPEAT_MAX || most < least);
            if too_many {
                return self.mistake("invalid repeat count", &self.rest()[..length]);
            }
            times = Some(most.unwrap_or(least));
        }
        if self.rest()[length..].starts_with('?') {
            length += 1;
        }
        let operator = &self.rest()[..length];
        match before {
            Before::Nothing => self.mistake("missing argument to repetition operator", operator),
            Before::Repetition(first) => {
                self.mistake("invalid nested repetition operator", &self.pattern[first..start + length])
            }
            Before::Atom => {
                match times {
                    // what is never there is not repeated
                    Some(0) => self.repeated = 1,
                    Some(times) => self.repeated = self.repeated.saturating_mul(times),
                    None => {}
                }
                if self.repeated > REPEAT_MAX {
                    return self.mistake("invalid repeat count", operator);
                }
                self.note_repeated();
                self.copy(length);
                Ok(Before::Repetition(start))
            }
        }
    }

    /// The group around knows how often the last atom is repeated.
    fn note_repeated(&mut self) {
        if let Some(most) = self.repeats.last_mut() {
            *most = self.repeated.max(*most);
        }
    }

    fn close_group(&mut self) {
        self.repeated = self.repeats.pop().unwrap_or(1);
        self.note_repeated();
    }

    fn group(&mut self) -> Result<Before> {
        self.open += 1;
        self.repeats.push(1);
        if self.open > DEPTH_MAX {
            return self.mistake("expression nests too deeply", self.pattern);
        }
        let rest = self.rest();
        if !rest.starts_with("(?") {
            self.at += 1;
            // where nothing is captured, matching is faster
            self.out.push_str(if self.groups { "(" } else { "(?:" });
            return Ok(Before::Nothing);
        }
        if rest.starts_with("(?P<") || rest.starts_with("(?<") {
            return self.named_group();
        }
        let flags_end = rest[2..].find([':', ')']).map(|end| end + 2);
        let end = flags_end.unwrap_or(rest.len());
        let flags = flags_end.and_then(|end| effective_flags(&rest[2..end]));
        let Some(flags) = flags else {
            let mut flags = rest[2..end].char_indices();
            let bad = flags.find(|(_, flag)| !"imsU-".contains(*flag));
            let piece = bad.map_or(end + 1, |(at, flag)| 2 + at + flag.len_utf8());
            return self.mistake("invalid or unsupported Perl syntax", rest.get(..piece).unwrap_or(rest));
        };
        let only_flags = rest.as_bytes()[end] == b')';
        self.at += end + 1;
        if only_flags {
            self.open -= 1;
            self.repeats.pop();
        }
        match (only_flags, flags.is_empty()) {
            (true, true) => {}
            (true, false) => self.out.push_str(&format!("(?{flags})")),
            (false, _) => self.out.push_str(&format!("(?{flags}:")),
        }
        Ok(Before::Nothing)
    }

    fn named_group(&mut self) -> Result<Before> {
        let rest = self.rest();
        let name_start = rest.find('<').map_or(0, |open| open + 1);
        let Some(length) = rest[name_start..].find('>') else {
            return self.mistake("invalid named capture", rest);
        };
        let name = &rest[name_start..name_start + length];
        // a name of digits could not be told from the number of a group where something is to be taken from it
        let of_word =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !of_word || (self.groups && name.as_bytes()[0].is_ascii_digit()) {
            return self.mistake("invalid named capture", &rest[..=name_start + length]);
        }
        self.at += name_start + length + 1;
        match self.groups {
            true => self.out.push_str(&format!("(?P<{name}>")),
            false => self.out.push_str("(?:"),
        }
        Ok(Before::Nothing)
    }

    fn escape_outside(&mut self) -> Result<Before> {
        let rest = self.rest();
        if let Some(quoted) = rest.strip_prefix("\\Q") {
            let (text, length) = match quoted.find("\\E") {
                Some(end) => (&quoted[..end], end + 4),
                None => (quoted, rest.len()),
            };
            self.at += length;
            self.out.push_str(&regex_syntax::escape(text));
            return Ok(if text.is_empty() { Before::Nothing } else { Before::Atom });
        }
        match rest.as_bytes().get(1) {
            Some(b'A' | b'z') => self.copy(2),
            Some(b'b') => self.replace(2, r"(?-u:\b)"),
            Some(b'B') => self.replace(2, r"(?-u:\B)"),
            _ => match self.class_escape()? {
                Some(class) => self.out.push_str(&format!("[{class}]")),
                None => {
                    let character = self.character_escape()?;
                    self.literal(character);
                }
            },
        }
        Ok(Before::Atom)
    }

    fn replace(&mut self, bytes: usize, with: &str) {
        self.at += bytes;
        self.out.push_str(with);
    }

    /// `\d`, `\pL`, `\p{Greek}`: what stands for them inside of a class.
    fn class_escape(&mut self) -> Result<Option<String>> {
        let rest = self.rest();
        let perl = match rest.as_bytes().get(1) {
            Some(b'd') => "0-9",
            Some(b'D') => "[^0-9]",
            Some(b's') => r"\t\n\f\r\x20",
            Some(b'S') => r"[^\t\n\f\r\x20]",
            Some(b'w') => "0-9A-Za-z_",
            Some(b'W') => "[^0-9A-Za-z_]",
            Some(b'p' | b'P') => return self.unicode_class().map(Some),
            _ => return Ok(None),
        };
        self.at += 2;
        Ok(Some(perl.to_owned()))
    }

    fn unicode_class(&mut self) -> Result<String> {
        let rest = self.rest();
        let mut negated = rest.as_bytes()[1] == b'P';
        let (mut name, length) = match rest[2..].chars().next() {
            Some('{') => match rest.find('}') {
                Some(end) => (&rest[3..end], end + 1),
                None => return self.mistake("invalid character class range", rest),
            },
            Some(letter) => (&rest[2..2 + letter.len_utf8()], 2 + letter.len_utf8()),
            None => return self.mistake("invalid character class range", rest),
        };
        if let Some(inner) = name.strip_prefix('^') {
            (name, negated) = (inner, !negated);
        }
        let class = format!("\\{}{{{name}}}", if negated { 'P' } else { 'p' });
        let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        if !plain || regex_syntax::parse(&class).is_err() {
            return self.mistake("invalid character class range", &rest[..length]);
        }
        self.at += length;
        Ok(class)
    }

    /// An escape that stands for one character.
    fn character_escape(&mut self) -> Result<char> {
        let start = self.at;
        self.at += 1;
        let Some(escaped) = self.next() else {
            return self.mistake("trailing backslash at end of expression", "");
        };
        let octal_follows = self.peek().is_some_and(|next| next.is_digit(8));
        let found = match escaped {
            '0'..='7' if escaped == '0' || octal_follows => {
                let mut code = escaped.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    let Some(digit) = self.peek().and_then(|next| next.to_digit(8)) else { break };
                    self.at += 1;
                    code = code * 8 + digit;
                }
                char::from_u32(code)
            }
            'x' => self.hexadecimal(),
            'a' => Some('\u{7}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\u{b}'),
            other => (other.is_ascii() && !other.is_ascii_alphanumeric()).then_some(other),
        };
        match found {
            Some(character) => Ok(character),
            None => self.mistake("invalid escape sequence", &self.pattern[start..self.at]),
        }
    }

    /// What follows `\x`: two digits, or digits in braces. Where that is wrong, what is wrong has been taken too.
    fn hexadecimal(&mut self) -> Option<char> {
        if !self.rest().starts_with('{') {
            let (high, low) = (self.next()?, self.next()?);
            return char::from_u32(high.to_digit(16)? * 16 + low.to_digit(16)?);
        }
        self.at += 1;
        let (mut code, mut any) = (0, false);
        loop {
            match self.next()? {
                '}' => return if any { char::from_u32(code) } else { None },
                digit => code = code * 16 + digit.to_digit(16)?,
            }
            if code > u32::from(char::MAX) {
                return None;
            }
            any = true;
        }
    }

    /// `[…]`
    fn class(&mut self) -> Result<Before> {
        let start = self.at;
        self.copy(1);
        if self.peek() == Some('^') {
            self.copy(1);
        }
        let mut first = true;
        loop {
            let rest = self.rest();
            match self.peek() {
                None => return self.mistake("missing closing ]", &self.pattern[start..]),
                Some(']') if !first => {
                    self.copy(1);
                    return Ok(Before::Atom);
                }
                Some('[') if rest.starts_with("[:") && rest[2..].contains(":]") => self.named_class()?,
                Some('\\')
                    if matches!(
                        rest.as_bytes().get(1),
                        Some(b'd' | b'D' | b's' | b'S' | b'w' | b'W' | b'p' | b'P')
                    ) =>
                {
                    if let Some(class) = self.class_escape()? {
                        self.out.push_str(&class);
                    }
                }
                Some(_) => self.class_range()?,
            }
            first = false;
        }
    }

    fn named_class(&mut self) -> Result<()> {
        let rest = self.rest();
        let length = rest[2..].find(":]").map_or(rest.len(), |end| end + 4);
        let class = &rest[..length];
        let name = class[2..length - 2].trim_start_matches('^');
        let known = [
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
            "space", "upper", "word", "xdigit",
        ];
        if !known.contains(&name) {
            return self.mistake("invalid character class range", class);
        }
        self.copy(length);
        Ok(())
    }

    /// A character of a class, or a range of them.
    fn class_range(&mut self) -> Result<()> {
        let start = self.at;
        let low = self.class_character()?;
        self.literal(low);
        let rest = self.rest();
        if !rest.starts_with('-') || rest.starts_with("-]") || rest.len() < 2 {
            return Ok(());
        }
        self.copy(1);
        let high = self.class_character()?;
        if high < low {
            return self.mistake("invalid character class range", &self.pattern[start..self.at]);
        }
        self.literal(high);
        Ok(())
    }

    fn class_character(&mut self) -> Result<char> {
        match self.peek() {
            Some('\\') => self.character_escape(),
            Some(_) => Ok(self.next().unwrap_or_default()),
            None => self.mistake("missing closing ]", self.pattern),
        }
    }
}

/// What flags of `(?flags)` come to: each may stand there several times, before and behind a `-`, and the last one counts. `None`
/// if they are none.
fn effective_flags(flags: &str) -> Option<String> {
    let (set, cleared) = flags.split_once('-').map_or((flags, None), |(set, cleared)| (set, Some(cleared)));
    let known = |flags: &str| flags.bytes().all(|flag| b"imsU".contains(&flag));
    if !known(set) || cleared.is_some_and(|cleared| cleared.is_empty() || !known(cleared)) {
        return None;
    }
    let cleared = cleared.unwrap_or("");
    let pick = |from: &str, but: &str| -> String {
        "imsU".chars().filter(|&flag| from.contains(flag) && !but.contains(flag)).collect()
    };
    let (on, off) = (pick(set, cleared), pick(cleared, ""));
    Some(if off.is_empty() { on } else { format!("{on}-{off}") })
}
