//! Expressions that parse, with their normal form, and expressions that do not, with what is said about them.

use super::{DEPTH_MAX, parse, parse_metric, parse_metric_selector};
use crate::syntax::Options;

fn check(text: &str, normal: &str) {
    let expr = parse(text, &Options::all()).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(expr.to_string(), normal, "{text}");
    assert_eq!(
        parse(normal, &Options::all()).expect(normal).to_string(),
        normal,
        "the normal form is stable"
    );
}

fn same(text: &str) {
    check(text, text);
}

fn fails(text: &str, message: &str) {
    let error = parse(text, &Options::stable()).expect_err(text);
    assert_eq!(error.to_string(), message, "{text}");
}

#[test]
fn literals() {
    check("1", "1");
    check("+1", "1");
    check("-.5", "-0.5");
    check("1e6", "1000000");
    check("0x8f", "143");
    check("1_000", "1000");
    check("Inf", "+Inf");
    check("-nan", "NaN");
    check("5m", "5m");
    check("1h30m * 2", "1h30m * 2");
    check("'a\\'b'", "\"a'b\"");
    check("`a\\d`", "\"a\\\\d\"");
}

#[test]
fn operators() {
    check("1+2*3", "1 + 2 * 3");
    check("(1+2)*3", "(1 + 2) * 3");
    check("2^3^2", "2 ^ 3 ^ 2");
    check("-a^2", "-a ^ 2");
    check("a and b or c unless d", "a and b or c unless d");
    check("a == bool 1", "a == bool 1");
    check("a+on(x)b", "a + on (x) b");
    check("a+ignoring(x,)b", "a + ignoring (x) b");
    check("a+on()b", "a + on () b");
    check("a+ignoring()b", "a + b");
    check("a*on(x,y)group_left b", "a * on (x, y) group_left () b");
    check("a*ignoring(x)group_right(z)b", "a * ignoring (x) group_right (z) b");
    check("a + fill(0) b", "a + fill (0) b");
    check("a + fill_right(1) fill_left(-2) b", "a + fill_left (-2) fill_right (1) b");
    check("h </ 2 >/ 1", "h </ 2 >/ 1");
    check("a atan2 b", "a atan2 b");
}

#[test]
fn selectors() {
    same("up");
    same("job:up:sum");
    same("up{a=\"b\",c!=\"d\",e=~\"f.*\",g!~\"h\"}");
    check("{a='b',}", "{a=\"b\"}");
    check("{\"a.b\"}", "{__name__=\"a.b\"}");
    check("x{b=\"1\",\"a.b\"=\"2\",a=\"3\"}", "x{\"a.b\"=\"2\",a=\"3\",b=\"1\"}");
    check("{\"up\"}", "{__name__=\"up\"}");
    check("up{\"x y\"=\"z\"}", "up{\"x y\"=\"z\"}");
    check("up offset 5m", "up offset 5m");
    check("up offset -5m @ 10", "up @ 10.000 offset -5m");
    check("up @ start()", "up @ start()");
    check("up[5m] @ END() offset 1m", "up[5m] @ end() offset 1m");
    check("up[1h:]", "up[1h:]");
    check("up[1h:5m] @ -1.5", "up[1h:5m] @ -1.500");
    check("up[300]", "up[5m]");
    check("up[5m+step()*2]", "up[5m + step() * 2]");
    check("up[min_of(step(), 1m):max_of(1, 2)]", "up[min_of(step(), 1m):max_of(1, 2)]");
    check("up offset -(1m+5s)", "up offset -(1m + 5s)");
    check("up offset 2 ^ 2", "up offset 2s ^ 2");
    check("rate(up[5m] anchored)", "rate(up[5m] anchored)");
    check("up smoothed offset 1m", "up smoothed offset 1m");
    check("up smoothed offset 1m @ 5", "up @ 5.000 smoothed offset 1m");
}

#[test]
fn keywords_may_be_names() {
    for name in
        ["sum", "by", "without", "offset", "and", "or", "unless", "start", "end", "step", "anchored", "fill"]
    {
        same(name);
        check(&format!("{name}{{a='b'}}"), &format!("{name}{{a=\"b\"}}"));
    }
    check("sum by(on,bool,group_left,sum)(x)", "sum by (on, bool, group_left, sum) (x)");
    check("sum+by", "sum + by");
    check("x{by='1',sum='2',on='3'}", "x{by=\"1\",on=\"3\",sum=\"2\"}");
}

#[test]
fn aggregations() {
    check("sum(x)", "sum(x)");
    check("SUM(x) BY (a)", "sum by (a) (x)");
    check("sum by()(x)", "sum(x)");
    check("sum without()(x)", "sum without () (x)");
    check("topk(3,x)by(a,\"b.c\")", "topk by (a, \"b.c\") (3, x)");
    check("count_values('v',x)", "count_values(\"v\", x)");
    check("limitk(2, x)", "limitk(2, x)");
}

#[test]
fn calls() {
    check("rate(x[5m])", "rate(x[5m])");
    check("time()", "time()");
    check("round(x)", "round(x)");
    check("round(x,5)", "round(x, 5)");
    check("label_join(x,'a','b')", "label_join(x, \"a\", \"b\")");
    check("# nothing\nup # more", "up");
}

#[test]
fn mistakes_have_the_words_of_prometheus() {
    fails("", "unknown position: parse error: no expression found in input");
    fails("# just a comment", "1:1: parse error: no expression found in input");
    fails("1+", "1:3: parse error: unexpected end of input");
    fails("*test", "1:1: parse error: unexpected <op:*>");
    fails("(1", "1:3: parse error: unclosed left parenthesis");
    fails("1)", "1:3: parse error: unexpected right parenthesis ')'");
    fails("a\n+\n}", "3:1: parse error: unexpected character: '}'");
    fails("1 !~ 1", "1:3: parse error: unexpected character after '!': '~'");
    fails("1 =~ 1", "1:3: parse error: unexpected character after '=': '~'");
    fails("up{", "1:4: parse error: unexpected end of input inside braces");
    fails("up{a}", "1:5: parse error: unexpected \"}\" in label matching, expected label matching operator");
    fails("up{a=b}", "1:6: parse error: unexpected identifier \"b\" in label matching, expected string");
    fails(
        "up{a='b' c='d'}",
        "1:10: parse error: unexpected identifier \"c\" in label matching, expected \",\" or \"}\"",
    );
    fails("up{,}", "1:4: parse error: unexpected \",\" in label matching, expected identifier or \"}\"");
    fails("{}", "1:1: parse error: vector selector must contain at least one non-empty matcher");
    fails("{a=~\".*\"}", "1:1: parse error: vector selector must contain at least one non-empty matcher");
    fails("up{__name__='x'}", "1:1: parse error: metric name must not be set twice: \"up\" or \"x\"");
    fails("up[5m", "1:6: parse error: unclosed left bracket");
    fails("up[", "1:4: parse error: unexpected end of input in duration expression");
    fails("(up[5m", "1:7: parse error: unclosed left parenthesis");
    fails("up[:5m]", "1:5: parse error: unexpected colon before duration in duration expression");
    fails("up[step()::]", "1:12: parse error: unexpected repeated colon in duration expression");
    fails("up[5m a]", "1:7: parse error: unexpected character: 'a', expected ':'");
    fails("up[a]", "1:4: parse error: unexpected character in duration expression: 'a'");
    fails(
        "up[step]",
        "1:8: parse error: unexpected \"]\" in subquery selector, expected number, duration, step(), or range()",
    );
    fails(
        "up[]",
        "1:4: parse error: unexpected \"]\" in subquery selector, expected number, duration, step(), or range()",
    );
    fails("up[0m]", "1:4: parse error: duration must be greater than 0");
    fails(
        "up[5m] offset",
        "1:14: parse error: unexpected end of input in offset, expected number, duration, step(), or range()",
    );
    fails("up offset 1m offset 2m", "1:1: parse error: offset may not be set multiple times");
    fails("up offset 1m[5m]", "1:13: parse error: no offset modifiers allowed before range");
    fails("up @ 1[5m]", "1:7: parse error: no @ modifiers allowed before range");
    fails("1[5m]", "1:2: parse error: ranges only allowed for vector selectors");
    fails("up @ x", "1:6: parse error: unexpected identifier \"x\" in @, expected timestamp");
    fails("up @ Inf", "1:1: parse error: timestamp out of bounds for @ modifier: +Inf");
    fails(
        "1 offset 1d",
        "1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery",
    );
    fails("foo(1)", "1:1: parse error: unknown function with name \"foo\"");
    fails(
        "rate(x)",
        "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector",
    );
    fails("rate()", "1:1: parse error: expected 1 argument(s) in call to \"rate\", got 0");
    fails("round()", "1:1: parse error: expected at least 1 argument(s) in call to \"round\", got 0");
    fails("round(x, 1, 2)", "1:1: parse error: expected at most 2 argument(s) in call to \"round\", got 3");
    fails("abs(x,)", "1:6: parse error: trailing commas not allowed in function call args");
    fails("sum()", "1:1: parse error: no arguments for aggregate expression provided");
    fails(
        "topk(x)",
        "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1",
    );
    fails("sum x", "1:5: parse error: unexpected identifier \"x\"");
    fails("sum(rate(x =", "1:12: parse error: unexpected \"=\" in aggregation");
    fails("sum by x (y)", "1:8: parse error: unexpected identifier \"x\" in grouping opts, expected \"(\"");
    fails("sum by (1) (y)", "1:9: parse error: unexpected number \"1\" in grouping opts, expected label");
    fails("1 == 1", "1:3: parse error: comparisons between scalars must use BOOL modifier");
    fails("a + bool b", "1:3: parse error: bool modifier can only be used on comparison operators");
    fails("1 and 1", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression");
    fails("a and on(x) group_left b", "1:1: parse error: no grouping allowed for \"and\" operation");
    fails(
        "a + on(x) group_left(x) b",
        "1:3: parse error: label \"x\" must not occur in ON and GROUP clause at once",
    );
    fails("a + on(x) 1", "1:1: parse error: vector matching only allowed between instant vectors");
    fails(
        "a[5m] + 1",
        "1:1: parse error: binary expression must contain only scalar and instant vector types",
    );
    fails(
        "-'x'",
        "1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got \"string\"",
    );
    fails(
        "limitk(1, x)",
        "1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
    );
    fails("info(x)", "1:1: parse error: function \"info\" is not enabled");
    fails("x anchored", "1:3: parse error: anchored modifier is experimental and not enabled");
    fails("a + fill(1) b", "1:5: parse error: binop fill modifiers are experimental and not enabled");
    fails("'a\\d'", "1:1: parse error: unknown escape sequence U+0064 'd'");
    fails("1x", "1:1: parse error: bad number or duration syntax: \"1\"");
    fails("1hs", "1:1: parse error: unknown unit \"hs\" in duration \"1hs\"");
    fails("clamp(x, , 1)", "1:8: parse error: trailing commas not allowed in function call args");
    fails("a{b=~'('}", "1:3: parse error: error parsing regexp: missing closing ): `(`");
}

#[test]
fn nesting_has_a_limit_and_chains_have_none() {
    let nested = |levels: usize| format!("{}1{}", "(".repeat(levels), ")".repeat(levels));
    assert!(parse(&nested(DEPTH_MAX - 1), &Options::stable()).is_ok());
    let error = parse(&nested(DEPTH_MAX), &Options::stable()).expect_err("is too deep").to_string();
    assert!(error.contains("nested too deeply, at most 200 levels"), "{error}");
    for text in [
        "-".repeat(100_000),
        "2^".repeat(100_000),
        format!("({}){}", "-{}-1".repeat(10_000), "[1m:]".repeat(1_000)),
    ] {
        assert!(parse(&text, &Options::stable()).is_err());
    }
    let chain = format!("foo_total{}", " + foo_total".repeat(100_000));
    let expr = parse(&chain, &Options::stable()).expect("parses");
    assert_eq!(expr.to_string(), chain);
}

#[test]
fn other_entry_points() {
    assert_eq!(parse_metric("up{a=\"b\"}").expect("parses").to_string(), "up{a=\"b\"}");
    assert_eq!(parse_metric_selector("up{a=\"b\"}").expect("parses").len(), 2);
    assert!(parse_metric_selector("up offset 5m").is_err());
    assert!(parse_metric_selector("{}").is_err());
}
