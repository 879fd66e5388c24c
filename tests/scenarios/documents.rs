//! What the documents name is there.

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
