use proptest::prelude::*;

use super::*;

fn read(text: &str) -> String {
    match Matchers::read(text) {
        Ok(read) => format!("{}{}", read.matchers, if read.warning.is_some() { " classic" } else { "" }),
        Err(error) => error.to_string(),
    }
}

#[test]
fn both_grammars() {
    let check = |text: &str, expect: &str| assert_eq!(read(text), expect, "{text}");
    check("", "{}");
    check("{}", "{}");
    check("foo=bar", r#"{foo="bar"}"#);
    check(r#" { foo = "bar" , dings != bums, } "#, r#"{dings!="bums",foo="bar"}"#);
    check(r#"{foo = "bar", dings != "bums", }"#, r#"{dings!="bums",foo="bar"}"#);
    check(r#"a=~"x|y",b!~z"#, r#"{a=~"x|y",b!~"z"}"#);
    check(r#"{quote="She said: \"Hi, ladies!\""}"#, r#"{quote="She said: \"Hi, ladies!\""}"#);
    // only the classic one takes these
    check("foo=", r#"{foo=""} classic"#);
    check("foo=bar baz", r#"{foo="bar baz"} classic"#);
    // whose closing brace may stand alone
    check("a=~x{2}", r#"{a=~"x{2"} classic"#);
    check("{a=b", r#"{a="b"} classic"#);
    check(r#"a="\d""#, r#"{a="\\d"} classic"#);
    // and only the other one these
    check("foo🙂=bar", r#"{"foo🙂"="bar"}"#);
    check(r#""a b"="c\u00e9\xc3\xa9\303\251""#, r#"{"a b"="cééé"}"#);
    // they disagree on a value that begins with an escape which only one of them knows
    check(r#"a="\t""#, r#"{a="\\t"} classic"#);
    check("a", "bad matcher format: a");
    check("a=b c=\"d", "matcher value contains unescaped double quote: b c=\"d");
    check("a=~[", "error parsing regexp: missing closing ]: `[)$`");
    check("a=~\"(\"", "error parsing regexp: missing closing ): `^(?:()$`");
}

#[test]
fn a_dot_is_no_newline_and_the_whole_value_counts() {
    let matches = |text: &str, value: &str| {
        Matchers::read(text).expect("reads").matchers.matches(&Labels::from_pairs([("a", value)]))
    };
    assert!(matches("a=~b.d", "bcd"));
    assert!(!matches("a=~b.d", "b\nd"));
    assert!(!matches("a=~b", "bb"));
    assert!(matches("a!~b|c", "bc"));
    assert!(matches("x=\"\",y!=z", "b"));
}

proptest! {
    /// What is printed is read as the same, by both grammars.
    #[test]
    fn what_is_printed_is_read(name in "[a-z_:]{1,4}", value in "[ -~é\n]{0,8}", op in 0..2_usize) {
        let op = [MatchOp::Equal, MatchOp::NotEqual][op];
        let matchers = Matchers::new(vec![Matcher::new(&name, op, &value).expect("no regex")]);
        let read = Matchers::read(&matchers.to_string()).expect("reads");
        prop_assert_eq!(read.matchers, matchers);
        prop_assert_eq!(read.warning, None);
    }
}
