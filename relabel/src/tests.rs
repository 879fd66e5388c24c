use model::Labels;
use yaml::Reader;

use crate::{Rule, apply, read_all};

fn rules(text: &str) -> Result<Vec<Rule>, Vec<String>> {
    let root = yaml::parse(text).expect("parses").root.expect("a document");
    let mut reader = Reader::new();
    let rules = read_all(&mut reader, &root, "relabel_configs");
    match reader.finish() {
        Ok(()) => Ok(rules),
        Err(mistakes) => Err(mistakes.iter().map(ToString::to_string).collect()),
    }
}

/// `a=b,c=d` as labels.
fn labels(text: &str) -> Labels {
    Labels::from_pairs(text.split(',').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').expect("a pair");
        (name.to_owned(), value.to_owned())
    }))
}

fn check(rules_text: &str, before: &str, after: Option<&str>) {
    let rules = rules(rules_text).unwrap_or_else(|told| panic!("{rules_text}: {told:?}"));
    assert_eq!(apply(&rules, &labels(before)), after.map(labels), "{rules_text} on {before}");
}

#[test]
fn replace() {
    check("[{target_label: x, replacement: y}]", "a=1", Some("a=1,x=y"));
    check("[{target_label: a, replacement: ''}]", "a=1,b=2", Some("b=2"));
    check("[{source_labels: [a], target_label: b}]", "a=1", Some("a=1,b=1"));
    check(
        "[{source_labels: [a], regex: 'j(.+)', target_label: b, replacement: 'k${1}-$1'}]",
        "a=job",
        Some("a=job,b=kob-ob"),
    );
    check("[{source_labels: [a], regex: 'j', target_label: b, replacement: k}]", "a=job", Some("a=job"));
    check("[{source_labels: [a, gone, b], target_label: c}]", "a=1,b=2", Some("a=1,b=2,c=1;;2"));
    check(
        "[{source_labels: [a, b], separator: '', regex: '(.)(.)', target_label: c, replacement: $2$1}]",
        "a=1,b=2",
        Some("a=1,b=2,c=21"),
    );
    check("[{source_labels: [gone], regex: '(.+)', target_label: c, replacement: x}]", "a=1", Some("a=1"));
    // the target is taken from the value; one that comes out empty is no name
    check(
        "[{source_labels: [a], regex: '(.+)=(.*)', target_label: '${1}', replacement: '$2'}]",
        "a=k=v",
        Some("a=k=v,k=v"),
    );
    check(
        "[{source_labels: [a], regex: '(.+)=(.*)', target_label: '${2}', replacement: '$1'}]",
        "a=k=",
        Some("a=k="),
    );
    check(
        "[{source_labels: [a], regex: '(.+)', target_label: 'ä b', replacement: '$1'}]",
        "a=1",
        Some("a=1,ä b=1"),
    );
    // names of groups, and a group that is not there
    check(
        "[{source_labels: [a], regex: '(?P<n>\\w+)-.*', target_label: b, replacement: '${n}$9'}]",
        "a=x-y",
        Some("a=x-y,b=x"),
    );
    check("[{source_labels: [a], target_label: b, replacement: '$$1'}]", "a=x", Some("a=x,b=$1"));
    // rules see what those before them did
    check(
        "[{source_labels: [a], target_label: b}, {source_labels: [b], target_label: c}]",
        "a=1",
        Some("a=1,b=1,c=1"),
    );
    check("[{action: REPLACE, target_label: b, replacement: x}]", "", Some("b=x"));
    // a dot is any character, a line feed too
    check(
        "[{source_labels: [a], regex: 'x.y', target_label: b, replacement: z}]",
        "a=x\ny",
        Some("a=x\ny,b=z"),
    );
}

#[test]
fn keep_and_drop() {
    check("[{source_labels: [a], regex: 'x|y', action: keep}]", "a=x", Some("a=x"));
    check("[{source_labels: [a], regex: 'x|y', action: keep}]", "a=xy", None);
    check("[{source_labels: [a], regex: '', action: keep}]", "b=1", Some("b=1"));
    check("[{source_labels: [a], regex: 'x.*', action: drop}]", "a=xy", None);
    check("[{source_labels: [a], regex: 'x', action: drop}]", "a=xy", Some("a=xy"));
    check("[{action: drop}]", "a=xy", None);
    check("[{source_labels: [a], regex: x, action: drop}, {target_label: b, replacement: c}]", "a=x", None);
    check("[{source_labels: [a], target_label: b, action: keepequal}]", "a=1,b=1", Some("a=1,b=1"));
    check("[{source_labels: [a], target_label: b, action: keepequal}]", "a=1,b=2", None);
    check("[{source_labels: [a], target_label: b, action: keepequal}]", "c=2", Some("c=2"));
    check("[{source_labels: [a], target_label: b, action: dropequal}]", "a=1,b=1", None);
    check("[{source_labels: [a], target_label: b, action: dropequal}]", "a=1", Some("a=1"));
}

#[test]
fn names_of_labels() {
    check("[{regex: 'b(.*)', action: labeldrop}]", "a=1,b1=2,b2=3", Some("a=1"));
    check("[{regex: 'b(.*)', action: labelkeep}]", "a=1,b1=2,b2=3", Some("b1=2,b2=3"));
    check("[{regex: 'b', action: labelkeep}]", "a=1", Some(""));
    check("[{regex: 'meta_(.+)', action: labelmap}]", "meta_x=1,y=2", Some("meta_x=1,x=1,y=2"));
    check(
        "[{regex: 'b(.)', replacement: 'c_${1}', action: labelmap}]",
        "b1=1,b2=2",
        Some("b1=1,b2=2,c_1=1,c_2=2"),
    );
    // it looks at the labels as they were before
    check("[{regex: 'a(.*)', replacement: 'aa$1', action: labelmap}]", "a=1", Some("a=1,aa=1"));
}

#[test]
fn case_and_hash() {
    check("[{source_labels: [a], target_label: b, action: lowercase}]", "a=xYZ", Some("a=xYZ,b=xyz"));
    check("[{source_labels: [a], target_label: a, action: uppercase}]", "a=xYé", Some("a=XYÉ"));
    // figures of Prometheus' own hash
    check(
        "[{source_labels: [c], target_label: d, modulus: 1000, action: hashmod}]",
        "c=baz",
        Some("c=baz,d=976"),
    );
    check(
        "[{source_labels: [a], target_label: b, modulus: 1000, action: hashmod}]",
        "a=foo\nbar",
        Some("a=foo\nbar,b=734"),
    );
    check("[{source_labels: [a], target_label: b, modulus: 1, action: hashmod}]", "a=x", Some("a=x,b=0"));
}

#[test]
fn mistakes() {
    let told = |text: &str| rules(text).expect_err(text).join("; ");
    let check = |text: &str, expect: &str| assert_eq!(told(text), expect, "{text}");
    check("[{action: foo}]", "1:11: unknown relabel action \"foo\"");
    check("[{action: ''}]", "1:11: relabel action cannot be empty");
    check("[{}]", "1:2: relabel configuration for replace action requires 'target_label' value");
    check("[null]", "1:2: empty or null rule in relabel_configs");
    check("- {target_label: a, regex: '('}", "1:28: error parsing regexp: missing closing ): `(`");
    check(
        "[{target_label: a, action: hashmod}]",
        "1:2: relabel configuration for hashmod requires non-zero modulus",
    );
    check(
        "[{target_label: a, modulus: -1}]",
        "1:29: modulus must be a whole number from 1 to 18446744073709551615, not \"-1\"",
    );
    check(
        "[{action: uppercase}]",
        "1:2: relabel configuration for uppercase action requires 'target_label' value",
    );
    check(
        "[{action: lowercase, target_label: a, replacement: x}]",
        "1:2: 'replacement' can not be set for lowercase action",
    );
    check("[{action: labelmap, replacement: ''}]", "1:2: \"\" is invalid 'replacement' for labelmap action");
    check(
        "[{action: keepequal, target_label: a, regex: x}]",
        "1:2: keepequal action requires only 'source_labels' and `target_label`, and no other fields",
    );
    check(
        "[{action: labeldrop, source_labels: [a]}]",
        "1:2: labeldrop action requires only 'regex', and no other fields",
    );
    check(
        "[{action: labelkeep, separator: x}]",
        "1:2: labelkeep action requires only 'regex', and no other fields",
    );
    check("[{target_label: a, source_labels: ['']}]", "1:36: \"\" is not a valid label name");
    check(
        "[{target: a}]",
        "1:3: unknown field \"target\" in a relabelling rule; there are source_labels, separator, regex, modulus, \
         target_label, replacement, action",
    );
}
