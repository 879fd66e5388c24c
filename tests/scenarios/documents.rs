//! What the documents name is there.

use std::collections::BTreeSet;
use std::path::Path;

const DOCUMENTS: [&str; 13] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "docs/access.md",
    "docs/benchmarks.md",
    "docs/compatibility.md",
    "docs/deploy-aws.md",
    "docs/format.md",
    "docs/functions.md",
    "docs/limits.md",
    "docs/notifications.md",
    "docs/simulation.md",
    "infra/README.md",
];

/// Texts between backticks that name something in this repository.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let outside_of_blocks = text.split("```").step_by(2);
    let quoted = outside_of_blocks.flat_map(|part| part.split('`').skip(1).step_by(2));
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    quoted.filter(move |text| {
        let first = text.split('/').next().unwrap_or_default();
        text.contains('/')
            && !text.contains([' ', '{', '<'])
            && !first.is_empty()
            && first != "."
            && top.join(first).is_dir()
    })
}

#[test]
fn every_path_that_a_document_names_exists() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut wrong = Vec::new();
    for document in DOCUMENTS {
        let text = std::fs::read_to_string(top.join(document)).unwrap();
        wrong.extend(
            paths(&text).filter(|path| !top.join(path).exists()).map(|path| format!("{document}: {path}")),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Names of variables of the environment.
fn variables(text: &str, mark: char) -> BTreeSet<&str> {
    let is_name = |text: &&str| {
        let is_ours = text.starts_with("MAYFLY_") || text.starts_with("AWS_ENDPOINT_URL");
        is_ours && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    text.split(mark).filter(is_name).collect()
}

#[test]
fn every_setting_of_the_extension_is_in_its_table() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let source = std::fs::read_to_string(top.join("functions/extension/src/settings.rs")).unwrap();
    let read = variables(source.split("#[cfg(test)]").next().unwrap(), '"');
    let text = std::fs::read_to_string(top.join("docs/functions.md")).unwrap();
    let section = text.split("\n## ").find(|section| section.starts_with("The extension")).unwrap();
    let rows = section.lines().skip_while(|line| !line.starts_with("| variable |"));
    let told = rows.take_while(|line| line.starts_with('|')).flat_map(|row| variables(row, '`')).collect();
    assert!(read.len() > 10, "{read:?}");
    assert_eq!(read, told);
    for example in ["infra/sam/measured.yaml", "infra/terraform/examples/measured/main.tf"] {
        let text = std::fs::read_to_string(top.join(example)).unwrap();
        let missing: Vec<&&str> = read.iter().filter(|name| !text.contains(**name)).collect();
        assert!(missing.is_empty(), "{example}: {missing:?}");
    }
}
