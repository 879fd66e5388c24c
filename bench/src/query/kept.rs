//! A folder that has the data of an earlier run, and what it says about them.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, bail, ensure};

/// The file that says that all data are there.
const END: &str = "end";

/// The second at which the data of a folder end; `None` if it has none yet.
///
/// # Errors
/// If they are not so many percent of all, or of a run that has not loaded all of them.
pub fn end_s(folder: &Path, percent: usize) -> anyhow::Result<Option<i64>> {
    let shown = folder.display();
    let text = match std::fs::read_to_string(folder.join(END)) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let has_some = match std::fs::read_dir(folder) {
                Ok(mut entries) => entries.next().is_some(),
                Err(error) if error.kind() == ErrorKind::NotFound => false,
                Err(error) => return Err(error).with_context(|| shown.to_string()),
            };
            ensure!(
                !has_some,
                "{shown} has data of which not all were loaded: remove it, or take another folder"
            );
            return Ok(None);
        }
        Err(error) => return Err(error).with_context(|| shown.to_string()),
    };
    let said = text.trim().split_once(' ');
    let said = said.and_then(|(end_s, of)| Some((end_s.parse::<i64>().ok()?, of.parse::<usize>().ok()?)));
    let Some((end_s, of)) = said else {
        bail!("{shown} does not say how much data it has: remove it, or take another folder")
    };
    ensure!(
        of == percent,
        "{shown} has {of} percent of the data, not {percent}: take another folder, or the same percentage"
    );
    Ok(Some(end_s))
}

/// Says that a folder has all data: so many percent, which end at this second.
///
/// # Errors
/// If it cannot be written.
pub fn keep(folder: &Path, percent: usize, end_s: i64) -> anyhow::Result<()> {
    Ok(std::fs::write(folder.join(END), format!("{end_s} {percent}\n"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_are_taken_if_all_of_them_are_there_and_as_many_as_are_wanted() {
        let temporary = tempfile::tempdir().expect("a folder");
        let folder = temporary.path().join("data");
        let refused = |percent| end_s(&folder, percent).expect_err("is refused").to_string();
        assert_eq!(end_s(&folder, 100).expect("none yet"), None);
        std::fs::create_dir_all(folder.join("Mayfly")).expect("made");
        assert!(refused(100).contains("not all were loaded"));
        keep(&folder, 10, 1_700_000_000).expect("written");
        assert_eq!(end_s(&folder, 10).expect("all"), Some(1_700_000_000));
        assert!(refused(100).contains("has 10 percent of the data, not 100"));
        for text in ["", "1700000000", "1700000000 many"] {
            std::fs::write(folder.join(END), text).expect("written");
            assert!(refused(100).contains("does not say how much"), "{text}");
        }
    }
}
