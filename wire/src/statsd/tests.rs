use super::*;

/// The line as text, or the fault.
fn read(line: &str) -> String {
    match parse(line.as_bytes(), 3) {
        Err(fault) => fault.as_str().to_owned(),
        Ok(Line::Event) => "event".to_owned(),
        Ok(Line::ServiceCheck) => "check".to_owned(),
        Ok(Line::Samples { name, tags, bad_tags, samples }) => {
            let tags: Vec<String> = tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let samples: Vec<String> = samples
                .iter()
                .map(|Sample { measured, weight }| match *weight {
                    1.0 => format!("{measured:?}"),
                    weight => format!("{weight}x{measured:?}"),
                })
                .collect();
            let bad = if bad_tags > 0 { format!(" -{bad_tags}") } else { String::new() };
            format!("{name}{{{}}}{bad} {}", tags.join(","), samples.join(" "))
        }
    }
}

#[track_caller]
fn check(line: &str, expect: &str) {
    assert_eq!(read(line), expect, "{line}");
}

#[test]
fn all_types() {
    check("a:1|c", "a{} Count(1.0)");
    check("a:1.5|c|@0.1", "a{} 10xCount(1.5)");
    check("a:5|g", "a{} Gauge(5.0)");
    check("a:+5|g", "a{} GaugeDelta(5.0)");
    check("a:-5|g|@0.5", "a{} 2xGaugeDelta(-5.0)");
    check("a:320|ms|@0.5", "a{} 2xSeconds(0.32)");
    check("a:.5|h", "a{} Observation(0.5)");
    check("a:-1e3|d", "a{} Observation(-1000.0)");
    check("a:x:y|s", "a{} Member(\"x:y\")");
    check("a:|s|@0.5", "a{} Member(\"\")");
}

#[test]
fn several_values() {
    check("a:1:2:3|c|@0.5|#x:y", "a{x=y} 2xCount(1.0) 2xCount(2.0) 2xCount(3.0)");
    check("a:1|c:2|g:3|ms|@0.5:x|s", "a{} Count(1.0) Gauge(2.0) 2xSeconds(0.003) Member(\"x\")");
}

#[test]
fn names_and_tags() {
    check("a.b-c/ä:1|c", "a_b_c__{} Count(1.0)");
    check("9.a:1|c", "_9_a{} Count(1.0)");
    check("a b:1|c", "a_b{} Count(1.0)");
    check("a---b--1.-c:1|c", "a_b_1__c{} Count(1.0)");
    check("a:1|c|#env:prod,url:http://x:1/,new", "a{env=prod,url=http://x:1/,new=true} Count(1.0)");
    check("a:1|c|#k-1:,2:b", "a{k_1=,_2=b} Count(1.0)");
    check("a:1|c|#,,x:y,", "a{x=y} Count(1.0)");
    check("a:1|c|#", "a{} Count(1.0)");
    // what would be a name of Prometheus' own
    check("a:1|c|#__name__:b,.-x:1,:v", "a{} -3 Count(1.0)");
    check("a:1|c|#a:1,b:2,c:3,d:4", "tags");
    // sections in any order, and those that nobody knows
    check("a:1|c|T1656581400|c:83c0a99c|#x:y|@0.5|card:none", "a{x=y} 2xCount(1.0)");
}

#[test]
fn faults() {
    for line in ["", "a", ":1|c", "|"] {
        check(line, "name");
    }
    for line in ["a:1", "a:1|", "a:1|x", "a:1|C", "a:1|c:2", "a:1|c:2|", "a:", "a:1|m|@0.1"] {
        check(line, "type");
    }
    for line in
        ["a:|c", "a:x|c", "a:1:|c", "a:NaN|g", "a:inf|c", "a:+|g", "a:1e999|g", "a: 1|c", "a:1|c|#x:y:2|c"]
    {
        let expect = if line.ends_with("2|c") { "a{x=y:2} Count(1.0)" } else { "value" };
        check(line, expect);
    }
    check("a:-1|c", "negative_count");
    check("a:-0|c", "a{} Count(-0.0)");
    for line in ["a:1|c|@", "a:1|c|@0", "a:1|c|@-1", "a:1|c|@1.1", "a:1|c|@NaN", "a:1|c|@1e-320", "a:1|c|@x"]
    {
        check(line, "rate");
    }
    assert_eq!(parse(b"a\xff:1|c", 3), Err(Fault::Utf8));
}

#[test]
fn events_and_service_checks() {
    check("_e{5,4}:title|text|#x:y", "event");
    check("_sc|name|0|m:all well", "check");
    check("_e:1|c", "_e{} Count(1.0)");
}

#[test]
fn packets() {
    let found: Vec<&[u8]> = lines(b"\na:1|c\r\n\nb:2|g").collect();
    assert_eq!(found, [b"a:1|c", b"b:2|g"]);
}
