//! Results of tests as JUnit XML.

use std::fmt::Write;

/// The tests of one file.
#[derive(Debug)]
pub(crate) struct Suite {
    pub(crate) name: String,
    /// `2026-01-02T03:04:05`.
    pub(crate) timestamp: String,
    /// Each test's name, and what is wrong.
    pub(crate) cases: Vec<(String, Vec<String>)>,
    /// Why the file could not be run at all.
    pub(crate) aborted: Option<String>,
}

/// The document.
pub(crate) fn document(suites: &[Suite]) -> String {
    let mut out = String::from("<testsuites>");
    for suite in suites {
        let failures: usize = suite.cases.iter().map(|(_, wrong)| wrong.len()).sum();
        let (name, cases, time) = (escaped(&suite.name), suite.cases.len(), &suite.timestamp);
        let errors = usize::from(suite.aborted.is_some());
        // writing to a string cannot fail
        let _ = write!(
            out,
            "<testsuite name=\"{name}\" tests=\"{cases}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"0\" timestamp=\"{time}\">"
        );
        for (index, (name, wrong)) in suite.cases.iter().enumerate() {
            let name = if name.is_empty() { format!("unnamed#{index}") } else { escaped(name) };
            let _ = write!(out, "<testcase name=\"{name}\">");
            for text in wrong {
                let _ = write!(out, "<failure>{}</failure>", escaped(text));
            }
            out.push_str("</testcase>");
        }
        if let Some(reason) = &suite.aborted {
            let _ = write!(out, "<system-err>{}</system-err>", escaped(reason));
        }
        out.push_str("</testsuite>");
    }
    out.push_str("</testsuites>\n");
    out
}

/// What XML does not allow at all becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\n' => out.push_str("&#xA;"),
            '\t' => out.push_str("&#x9;"),
            '\r' => out.push_str("&#xD;"),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped() {
        let cases = vec![(String::new(), vec!["a<\"b\"\n\u{1}".to_owned()]), ("n".to_owned(), Vec::new())];
        let suite = Suite { name: "f&g".to_owned(), timestamp: "T".to_owned(), cases, aborted: None };
        assert_eq!(
            document(&[suite]),
            concat!(
                r#"<testsuites><testsuite name="f&amp;g" tests="2" failures="1" errors="0" skipped="0" timestamp="T">"#,
                r#"<testcase name="unnamed#0"><failure>a&lt;&#34;b&#34;&#xA;"#,
                "\u{fffd}</failure></testcase>",
                r#"<testcase name="n"></testcase></testsuite></testsuites>"#,
                "\n"
            )
        );
    }
}
