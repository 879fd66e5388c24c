//! Selectors of groups: `{job="backup",instance=~"db.*"}`, as PromQL writes them.

use model::{Labels, MatchOp, Matcher};

/// A text that selects no groups.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// It breaks the grammar.
    #[error("match[] {text:?}: expected {expected} at byte {at}, like {{job=\"backup\",instance=~\"db.*\"}}")]
    Syntax {
        /// The whole selector.
        text: String,
        /// Where it goes wrong.
        at: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// A pattern that is none.
    #[error("match[] {text:?}: {reason}")]
    Pattern {
        /// The whole selector.
        text: String,
        /// What is wrong with the pattern.
        reason: String,
    },
    /// It would select any group.
    #[error(
        "match[] {0:?} matches every group: one matcher at least must not match the empty text; /api/v1/admin/wipe deletes all groups"
    )]
    Everything(String),
    /// There is none.
    #[error("no match[] parameter provided: it says which groups are deleted")]
    None,
}

/// Matchers that all have to match.
#[derive(Clone, Debug)]
pub(crate) struct Selector(Vec<Matcher>);

impl Selector {
    /// Whether a group with these labels is selected.
    pub(crate) fn matches(&self, group: &Labels) -> bool {
        self.0.iter().all(|matcher| matcher.matches(group.get(&matcher.name).unwrap_or("")))
    }

    pub(crate) fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut cursor = Cursor { text, at: 0 };
        cursor.expect("{", "an opening brace")?;
        let mut matchers = Vec::new();
        while !cursor.takes("}") {
            if !matchers.is_empty() {
                cursor.expect(",", "a comma or a closing brace")?;
                if cursor.takes("}") {
                    break;
                }
            }
            matchers.push(cursor.matcher()?);
        }
        cursor.skip_blanks();
        if cursor.at < text.len() {
            return Err(cursor.error("the end"));
        }
        if matchers.iter().all(|matcher| matcher.matches("")) {
            return Err(SelectorError::Everything(text.to_owned()));
        }
        Ok(Self(matchers))
    }
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn error(&self, expected: &'static str) -> SelectorError {
        SelectorError::Syntax { text: self.text.to_owned(), at: self.at, expected }
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn takes(&mut self, word: &str) -> bool {
        self.skip_blanks();
        let takes = self.rest().starts_with(word);
        self.at += if takes { word.len() } else { 0 };
        takes
    }

    fn expect(&mut self, word: &str, expected: &'static str) -> Result<(), SelectorError> {
        if self.takes(word) { Ok(()) } else { Err(self.error(expected)) }
    }

    fn matcher(&mut self) -> Result<Matcher, SelectorError> {
        const EXPECTED: &str = "the name of a label";
        self.skip_blanks();
        let name = match self.rest().chars().next() {
            Some('"' | '\'') => self.string()?,
            _ => {
                let is_part = |char: char| char == '_' || char.is_ascii_alphanumeric();
                let end = self.rest().find(|char| !is_part(char)).unwrap_or(self.rest().len());
                let name = self.rest()[..end].to_owned();
                self.at += end;
                name
            }
        };
        if name.is_empty() {
            return Err(self.error(EXPECTED));
        }
        let operators = [
            ("=~", MatchOp::Regex),
            ("!~", MatchOp::NotRegex),
            ("!=", MatchOp::NotEqual),
            ("=", MatchOp::Equal),
        ];
        let op = operators.into_iter().find(|(word, _)| self.takes(word)).map(|(_, op)| op);
        let op = op.ok_or_else(|| self.error("=, !=, =~ or !~"))?;
        self.skip_blanks();
        let value = self.string()?;
        Matcher::new(&*name, op, &*value)
            .map_err(|error| SelectorError::Pattern { text: self.text.to_owned(), reason: error.to_string() })
    }

    /// A text in single or double quotes; a backslash stands before a quote, a backslash, or the `n` of a line feed.
    fn string(&mut self) -> Result<String, SelectorError> {
        const EXPECTED: &str = "a text in quotes";
        let mut chars = self.rest().char_indices();
        let Some((_, quote @ ('"' | '\''))) = chars.next() else { return Err(self.error(EXPECTED)) };
        let mut string = String::new();
        while let Some((at, char)) = chars.next() {
            match char {
                char if char == quote => {
                    self.at += at + 1;
                    return Ok(string);
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => string.push('\n'),
                    Some((_, char @ ('\\' | '"' | '\''))) => string.push(char),
                    _ => {
                        self.at += at;
                        return Err(self.error("an escape that there is: \\\\, \\\", \\' or \\n"));
                    }
                },
                char => string.push(char),
            }
        }
        Err(self.error("a text in quotes that ends"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selected_groups() {
        let group = Labels::from_pairs([("job", "backup"), ("instance", "db\"1"), ("é.x", "y")]);
        let check = |text: &str, expect: bool| {
            assert_eq!(Selector::parse(text).expect("parses").matches(&group), expect, "{text}");
        };
        check(r#"{job="backup"}"#, true);
        check(r#"{ job = "backup" , instance =~ "db.*" , }"#, true);
        check(r#"{job='backup',instance='db"1'}"#, true);
        check(r#"{instance="db\"1"}"#, true);
        check(r#"{job="backup",instance!~"db.*"}"#, false);
        check(r#"{job="backup",zone=""}"#, true);
        check(r#"{job="backup",zone!=""}"#, false);
        check(r#"{job=~"back"}"#, false);
        check(r#"{"é.x"="y"}"#, true);
    }

    #[test]
    fn what_selects_nothing_or_everything() {
        let check = |text: &str, part: &str| {
            let error = Selector::parse(text).expect_err("refused").to_string();
            assert!(error.contains(part), "{text}: {error}");
        };
        check("", "an opening brace at byte 0");
        check("job=\"x\"", "an opening brace");
        check("{job}", "=, !=, =~ or !~ at byte 4");
        check("{job=x}", "a text in quotes at byte 5");
        check("{job=\"x}", "that ends");
        check("{job=\"\\x\"}", "an escape");
        check("{job=\"x\" instance=\"y\"}", "a comma or a closing brace at byte 9");
        check("{job=\"x\"} more", "the end at byte 10");
        check("{=\"x\"}", "the name of a label");
        check("{job=~\"(\"}", "match[]");
        check("{}", "every group");
        check("{job=~\".*\"}", "every group");
        check("{zone=\"\"}", "every group");
    }
}
