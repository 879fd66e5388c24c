use std::io::Cursor;

use super::*;

const NOW_MS: i64 = 1_800_000_000_000;

fn lines(text: &str, labels: &[(&str, &str)]) -> Lines<Cursor<Vec<u8>>> {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Lines::new("h.om", BufReader::new(Cursor::new(text.as_bytes().to_vec())), labels, NOW_MS)
}

fn batch(text: &str, labels: &[(&str, &str)]) -> anyhow::Result<Batch> {
    let (mut lines, mut batch) = (lines(text, labels), Batch::default());
    while let Some(sample) = lines.next()? {
        batch.told(lines.take_families());
        batch.add(sample);
    }
    Ok(batch)
}

#[test]
fn samples_are_put_together_in_order_of_time_and_the_last_of_a_time_counts() {
    let text = "# TYPE a counter\n# HELP a A.\na_total{x=\"1\"} 3 3 # {t=\"u\"} 0.5\nb 1 1\na_total{x=\"1\"} 1 1\n\
        a_total{x=\"1\"} 4 3\n# EOF";
    let found = batch(text, &[("job", "j")]).expect("is read").entries();
    let shown = found
        .samples
        .series
        .iter()
        .map(|(labels, samples)| format!("{labels} {:?} {:?}", samples.timestamps_ms, samples.values));
    let shown: Vec<_> = shown.collect();
    let expect = ["a_total{job=\"j\", x=\"1\"} [1000, 3000] [1.0, 4.0]", "b{job=\"j\"} [1000] [1.0]"];
    assert_eq!(shown, expect);
    assert_eq!((found.count, found.exemplars.len(), found.exemplars[0].exemplar.at_ms), (4, 1, 3_000));
    let families: Vec<_> = found.samples.families.iter().map(|(name, told)| (&**name, &*told.help)).collect();
    assert_eq!(families, [("a_total", "A.")]);
}

#[test]
fn a_full_batch_is_told_by_its_bytes() {
    let mut batch = Batch::default();
    let sample = lines("a 1 1\n# EOF\n", &[]).next().expect("is read").expect("is there");
    let mut count = 0_usize;
    while !batch.is_full() {
        count += 1;
        batch.add(lines::Sample { labels: sample.labels.clone(), at_ms: 0, value: 1.0, exemplar: None });
    }
    assert!((400_000..600_000).contains(&count), "{count}");
}

#[test]
fn mistakes_are_told_with_file_and_line() {
    let long = format!("a{{x=\"{}\"}} 1 1\n", "x".repeat(9_000));
    let longer = format!("a{{x=\"{}\"}} 1 1\n", "x".repeat(1 << 20));
    let check = |text: &str, expect: &str| {
        let error = batch(text, &[]).expect_err("is refused").to_string();
        assert!(error.starts_with(expect), "{error}");
    };
    check("a 1 1\na 2\n# EOF\n", "h.om:2: expected a timestamp behind the value");
    check("a 1 1\nb x 1\n# EOF\n", "h.om:2: ");
    check("a 1 1\n", "h.om: expected # EOF at the end");
    check("a 1 -1\n# EOF\n", "h.om:1: the time is before 1970");
    check("a 1 1800000601\n# EOF\n", "h.om:1: the time is more than 600 s ahead of the clock");
    check("# TYPE a counter\na_total 1 1 # {} 1 1800000601\n# EOF\n", "h.om:2: of its exemplar, the time is");
    check(&long, "h.om:1: a label's value has more than 8192 bytes");
    check(&longer, "h.om:1: the line has more than 1048576 bytes");
}
