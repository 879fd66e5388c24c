use super::*;

#[test]
fn operators() {
    let check = |op, pattern: &str, value: &str, expect: bool| {
        let matcher = Matcher::new("l", op, pattern).expect("parses");
        assert_eq!(matcher.matches(value), expect, "{matcher} on {value:?}");
        assert_eq!(matcher.negated().matches(value), !expect, "{matcher} on {value:?}");
    };
    check(MatchOp::Equal, "a", "a", true);
    check(MatchOp::Equal, "", "", true);
    check(MatchOp::NotEqual, "a", "", true);
    check(MatchOp::Regex, "a|b", "ab", false);
    check(MatchOp::Regex, "a.b", "a\nb", true);
    check(MatchOp::NotRegex, "a.*", "abc", false);
    check(MatchOp::NotRegex, ".+", "", true);
}

#[test]
fn expressions_match_as_in_go() {
    let check = |pattern: &str, matches: &[&str], others: &[&str]| {
        let matcher = Matcher::new("l", MatchOp::Regex, pattern).unwrap_or_else(|error| panic!("{error}"));
        for value in matches {
            assert!(matcher.matches(value), "{pattern} on {value:?}");
        }
        for value in others {
            assert!(!matcher.matches(value), "{pattern} on {value:?}");
        }
    };
    check("", &[""], &["a"]);
    check("foo|bar|", &["foo", "bar", ""], &["fo", "foobar"]);
    check("(foo|bar)baz?", &["fooba", "barbaz"], &["foo"]);
    check(".*", &["", "a\nb", "é"], &[]);
    check(".+", &["a", "\n"], &[""]);
    check("foo.*", &["foo", "foobar"], &["fo", "xfoo"]);
    check(".*foo", &["foo", "xfoo"], &["foox"]);
    check(".*foo.*", &["foo", "xfoox", "\nfoo"], &["fo"]);
    check("foo.+", &["foox"], &["foo"]);
    check("(?i)foo", &["foo", "FOO", "fOo"], &["bar"]);
    check("(?i:f)oo", &["foo", "Foo"], &["fOO"]);
    check("(?P<name>a)|(?<other>b)", &["a", "b"], &["c"]);
    // ASCII classes
    check(r"\d+", &["123"], &["١٢٣", ""]);
    check(r"\w", &["a", "_"], &["é", "-"]);
    check(r"\W", &["é", "-"], &["a"]);
    check(r"[\d\s]+", &["1 2"], &["a"]);
    check(r"[^\d]", &["a", "é", "\n"], &["1"]);
    check(r"[\D]", &["a"], &["1"]);
    check(r"a\b.*", &["a", "a b", "aé"], &["ab"]);
    check(r"a\B.*", &["ab"], &["a b"]);
    // braces, quotes and what other engines treat differently
    check("{", &["{"], &[""]);
    check("a{,5}", &["a{,5}"], &["a"]);
    check("a{2}", &["aa"], &["a", "aaa"]);
    check("a{2,}", &["aa", "aaa"], &["a"]);
    check("a{01}", &["a{01}"], &["a"]);
    check(r"\Qa.b\E.", &["a.bc"], &["axbc"]);
    check(r"\Qa+", &["a+"], &["aa"]);
    check("[a&&b]+", &["a&b"], &["c"]);
    check("[[a]+", &["[a"], &["]"]);
    check("[]a]+", &["]a"], &["b"]);
    check("[^]a]", &["b"], &["]", "a"]);
    check("[a-]+", &["a-"], &["b"]);
    check("[-a]+", &["a-"], &["b"]);
    check(r"[a\-z]+", &["a-z"], &["b"]);
    check("[[:alpha:]_]+", &["ab_"], &["1"]);
    check("[[:^alpha:]]+", &["12"], &["a"]);
    check(r"\<\_\-", &["<_-"], &["_-"]);
    check(r"\x41\x{e9}\101\0", &["AéA\0"], &["A"]);
    check(r"\pL\p{Greek}\P{L}\p{^L}", &["aα12"], &["aaaa"]);
    check("a#b c", &["a#b c"], &["ab"]);
    check("^a$", &["a"], &["b"]);
    check("a|^|$", &["a", ""], &["b"]);
    check("a*?b+?", &["aab", "b"], &["a"]);
}

#[test]
fn what_go_refuses_is_refused_with_its_words() {
    let check = |pattern: &str, message: &str| {
        let error = Matcher::new("l", MatchOp::Regex, pattern).expect_err(pattern);
        assert_eq!(error.to_string(), format!("error parsing regexp: {message}"), "{pattern}");
    };
    check("(", "missing closing ): `(`");
    check("a(b", "missing closing ): `a(b`");
    check("a)", "unexpected ): `a)`");
    check("[a", "missing closing ]: `[a`");
    check("x[]", "missing closing ]: `[]`");
    check("[b-a]", "invalid character class range: `b-a`");
    check("[[:foo:]]", "invalid character class range: `[:foo:]`");
    check(r"\p{Foo}", r"invalid character class range: `\p{Foo}`");
    check("*", "missing argument to repetition operator: `*`");
    check("a|+", "missing argument to repetition operator: `+`");
    check("a**", "invalid nested repetition operator: `**`");
    check("a*+", "invalid nested repetition operator: `*+`");
    check("a{2}{3}", "invalid nested repetition operator: `{2}{3}`");
    check("a{1001}", "invalid repeat count: `{1001}`");
    check("a{2,1}", "invalid repeat count: `{2,1}`");
    check("(a{100}){11}", "invalid repeat count: `{11}`");
    check("(?:b|(a{10}){10}x+)*(c(d{4,}e{3}){20}){13}?", "invalid repeat count: `{13}?`");
    check("((a{100}){100}", "invalid repeat count: `{100}`");
    check(r"a\", "trailing backslash at end of expression: ``");
    check(r"\1", r"invalid escape sequence: `\1`");
    check(r"\y", r"invalid escape sequence: `\y`");
    check(r"\Z", r"invalid escape sequence: `\Z`");
    check("(?=a)", "invalid or unsupported Perl syntax: `(?=`");
    check("(?x)a", "invalid or unsupported Perl syntax: `(?x`");
    check("(?P<n-m>a)", "invalid named capture: `(?P<n-m>`");
    check("(?P<>a)", "invalid named capture: `(?P<>`");
    check("(?-)a", "invalid or unsupported Perl syntax: `(?-)`");
}

#[test]
fn few_values_are_listed() {
    let check = |op, pattern: &str, expect: Option<&[&str]>| {
        let matcher = Matcher::new("l", op, pattern).expect("parses");
        let found =
            matcher.listed_values().map(|values| values.iter().map(|value| &**value).collect::<Vec<_>>());
        assert_eq!(found.as_deref(), expect, "{pattern}");
    };
    check(MatchOp::Equal, "a|b", Some(&["a|b"]));
    check(MatchOp::Regex, "b|a|b", Some(&["a", "b"]));
    check(MatchOp::Regex, "a(1|2)[xy]?", Some(&["a1", "a1x", "a1y", "a2", "a2x", "a2y"]));
    check(MatchOp::Regex, "a.*", None);
    check(MatchOp::Regex, "[a-z]{3}", None);
    check(MatchOp::NotRegex, "a|b", None);
}

#[test]
fn large_repetitions_end_with_an_error() {
    let error = Matcher::new("l", MatchOp::Regex, r"(\pL\pN){1000}(\pL\pN){1000}(\pL\pN){1000}")
        .expect_err("is too large");
    assert!(error.reason.contains("too large"), "{error}");
}

#[test]
fn captured_groups_fill_templates() {
    let check = |pattern: &str, value: &str, template: &str, expect: Option<&str>| {
        let pattern = CapturePattern::new(pattern).expect("parses");
        assert_eq!(pattern.replace(value, template).as_deref(), expect, "{value:?} as {template:?}");
    };
    check("(.*)-(.*)", "a-b", "$2.$1", Some("b.a"));
    check("(.*)-(.*)", "ab", "$1", None);
    check("(?P<x>a+)(?<y>b+)", "aab", "${y}_${x}$$", Some("b_aa$"));
    check("(a)", "a", "$1x${1}x$3", Some("ax"));
    check("", "", "empty", Some("empty"));
    check(r"(\d+)\Q.\E(\w)", "12.a", "$1$2", Some("12a"));
}
