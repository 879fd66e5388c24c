//! Paths with `*`, `?` and `[a-z]`, as Go's `filepath.Glob` reads them: no pattern crosses a slash.

use std::io;
use std::path::{Component, Path, PathBuf};

/// A pattern that is none: `[` without its end, or a backslash at the end.
#[derive(Debug, thiserror::Error)]
#[error("syntax error in pattern")]
pub struct BadPattern;

/// How many paths a pattern may stand for.
pub const MATCHES_MAX: usize = 100_000;

/// The paths that exist and fit a pattern, sorted. A pattern without special characters stands for itself, if it is
/// there; folders that cannot be read hold nothing.
///
/// # Errors
/// If the pattern is none, or stands for more than [`MATCHES_MAX`] paths.
pub fn files(pattern: &Path) -> io::Result<Vec<PathBuf>> {
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let part = component.as_os_str().to_string_lossy();
        if !matches!(component, Component::Normal(_)) || !is_pattern(&part) {
            found.iter_mut().for_each(|path| path.push(component));
            continue;
        }
        matches(&part, "").map_err(invalid)?;
        let mut next = Vec::new();
        for folder in &found {
            let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            for entry in std::fs::read_dir(listed).into_iter().flatten().flatten() {
                let name = entry.file_name();
                if name.to_str().is_some_and(|name| matches(&part, name).unwrap_or(false)) {
                    next.push(folder.join(name));
                }
            }
            if next.len() > MATCHES_MAX {
                let text = format!("the pattern stands for more than {MATCHES_MAX} paths");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
            }
        }
        found = next;
    }
    found.retain(|path| path.symlink_metadata().is_ok());
    found.sort();
    Ok(found)
}

/// Whether a path has a special character.
pub fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '[', '\\'])
}

/// Whether a name fits a pattern.
///
/// # Errors
/// If the pattern is none, whatever the name is.
pub fn matches(pattern: &str, name: &str) -> Result<bool, BadPattern> {
    let pattern = parts(pattern)?;
    let name: Vec<char> = name.chars().collect();
    // the last star, and what it has taken: going back to it is all that is ever needed
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some(Part::Any) => {
                star = Some((p, n));
                p += 1;
            }
            Some(Part::One(class)) if class.contains(name[n]) => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, n) = (at + 1, taken + 1);
                }
                None => return Ok(false),
            },
        }
    }
    Ok(pattern[p..].iter().all(|part| matches!(part, Part::Any)))
}

enum Part {
    /// `*`
    Any,
    One(Class),
}

struct Class {
    negated: bool,
    ranges: Vec<(char, char)>,
}

impl Class {
    fn contains(&self, c: char) -> bool {
        c != '/' && self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != self.negated
    }
}

fn parts(pattern: &str) -> Result<Vec<Part>, BadPattern> {
    let mut parts = Vec::new();
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        parts.push(match c {
            '*' => Part::Any,
            '?' => Part::One(Class { negated: true, ranges: Vec::new() }),
            '\\' => {
                let c = rest.next().ok_or(BadPattern)?;
                Part::One(Class { negated: false, ranges: vec![(c, c)] })
            }
            '[' => {
                let negated = rest.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                while ranges.is_empty() || rest.peek() != Some(&']') {
                    let low = class_character(&mut rest)?;
                    let high =
                        if rest.next_if_eq(&'-').is_some() { class_character(&mut rest)? } else { low };
                    ranges.push((low, high));
                }
                rest.next();
                Part::One(Class { negated, ranges })
            }
            c => Part::One(Class { negated: false, ranges: vec![(c, c)] }),
        });
    }
    Ok(parts)
}

fn class_character(rest: &mut impl Iterator<Item = char>) -> Result<char, BadPattern> {
    match rest.next() {
        Some('\\') => rest.next().ok_or(BadPattern),
        Some('-' | ']') | None => Err(BadPattern),
        Some(c) => Ok(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_patterns() {
        let check = |pattern: &str, name: &str, expect: bool| {
            assert_eq!(matches(pattern, name).expect("a pattern"), expect, "{pattern} {name}");
        };
        check("*.yml", "rules.yml", true);
        check("*.yml", "rules.yaml", false);
        check("*", "", true);
        check("a*b*c", "a--b--b-c", true);
        check("a*b*c", "a--c--b", false);
        check("?b", "éb", true);
        check("?b", "b", false);
        check("[a-c]x", "bx", true);
        check("[^a-c]x", "bx", false);
        check(r"\*", "*", true);
        check(r"[\]]", "]", true);
        check(&"*a".repeat(30), &"a".repeat(29), false);
        for bad in ["[", "[]", "[a", "[a-]", "\\", "[-a]"] {
            assert!(matches(bad, "x").is_err(), "{bad}");
        }
    }

    #[test]
    fn patterns_find_files() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["b/2.yml", "b/1.yml", "b/x.txt", "c/1.yml"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, "").expect("written");
        }
        let found = |pattern: &str| -> Vec<String> {
            let all = files(&folder.path().join(pattern)).expect("a pattern");
            let relative = all.iter().map(|path| path.strip_prefix(folder.path()).expect("below"));
            relative.map(|path| path.display().to_string()).collect()
        };
        assert_eq!(found("*/*.yml"), ["b/1.yml", "b/2.yml", "c/1.yml"]);
        assert_eq!(found("b/x.txt"), ["b/x.txt"]);
        assert_eq!(found("b/nope.txt"), Vec::<String>::new());
        assert_eq!(found("b/../c/?.yml"), ["b/../c/1.yml"]);
        assert!(files(Path::new("[")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn patterns_are_bounded() {
        // of a folder that holds itself, each star stands for all its names again
        let folder = tempfile::tempdir().expect("a folder");
        for name in 0..47 {
            std::os::unix::fs::symlink(".", folder.path().join(name.to_string())).expect("linked");
        }
        assert_eq!(files(&folder.path().join("*/*")).expect("a pattern").len(), 47 * 47);
        let error = files(&folder.path().join("*/*/*")).expect_err("too many");
        assert_eq!(error.to_string(), "the pattern stands for more than 100000 paths");
    }
}
