//! The batch job: checks CSV files row by row, compresses them, and says how it went.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;

/// How one run went.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) files: Vec<FileReport>,
    pub(crate) seconds: f64,
}

/// What happened to one file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FileReport {
    pub(crate) name: String,
    /// Behind the heading.
    pub(crate) rows: usize,
    /// Rows with another number of fields than the heading; they are left out.
    pub(crate) rejected: usize,
    pub(crate) raw_bytes: usize,
    pub(crate) gzip_bytes: usize,
}

/// Exports every `.csv` file of `input` as `.csv.gz` into `output`.
pub(crate) fn run(input: &Path, output: &Path) -> anyhow::Result<Report> {
    let started = Instant::now();
    let mut paths: Vec<_> =
        fs::read_dir(input)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|end| end == "csv"));
    paths.sort();
    ensure!(!paths.is_empty(), "no .csv file in {}", input.display());
    let mut files = Vec::new();
    for path in &paths {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (report, compressed) = export(name, &text)?;
        fs::write(output.join(format!("{}.gz", report.name)), compressed)?;
        files.push(report);
    }
    Ok(Report { files, seconds: started.elapsed().as_secs_f64() })
}

fn export(name: String, text: &str) -> anyhow::Result<(FileReport, Vec<u8>)> {
    let mut lines = text.lines();
    let heading = lines.next().with_context(|| format!("{name} is empty"))?;
    let fields = heading.split(',').count();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    writeln!(gzip, "{heading}")?;
    let (mut rows, mut rejected) = (0, 0);
    for line in lines {
        rows += 1;
        if line.split(',').count() == fields {
            writeln!(gzip, "{line}")?;
        } else {
            rejected += 1;
        }
    }
    let compressed = gzip.finish()?;
    let report = FileReport { name, rows, rejected, raw_bytes: text.len(), gzip_bytes: compressed.len() };
    Ok((report, compressed))
}

impl Report {
    /// Rows left out, of all files.
    pub(crate) fn rejected(&self) -> usize {
        self.files.iter().map(|file| file.rejected).sum()
    }

    /// The metrics of the run, as text 0.0.4.
    pub(crate) fn exposition(&self) -> String {
        let mut text = String::new();
        let mut family = |name: &str, help: &str, samples: Vec<(String, String)>| {
            // writing to a String cannot fail
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
            for (labels, value) in samples {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        };
        let per_file = |value: fn(&FileReport) -> usize| {
            self.files.iter().map(|file| (labels(&file.name, ""), value(file).to_string())).collect()
        };
        family("export_rows", "Rows read.", per_file(|file| file.rows));
        family(
            "export_rows_rejected",
            "Rows left out, for a wrong number of fields.",
            per_file(|file| file.rejected),
        );
        let bytes = self.files.iter().flat_map(|file| {
            [("raw", file.raw_bytes), ("gzip", file.gzip_bytes)]
                .map(|(stage, bytes)| (labels(&file.name, &format!(",stage=\"{stage}\"")), bytes.to_string()))
        });
        family("export_bytes", "Size before and after.", bytes.collect());
        family(
            "export_duration_seconds",
            "Duration of the run.",
            vec![(String::new(), self.seconds.to_string())],
        );
        let success = u8::from(self.rejected() == 0);
        family(
            "export_success",
            "Whether every row was exported.",
            vec![(String::new(), success.to_string())],
        );
        text
    }
}

fn labels(file: &str, more: &str) -> String {
    let file = file.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{{file=\"{file}\"{more}}}")
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn rows_with_other_fields_are_left_out() {
        let (report, compressed) = export("a.csv".to_owned(), "id,name\n1,x\n2\n3,y,z\n4,w\n").unwrap();
        assert_eq!((report.rows, report.rejected, report.raw_bytes), (4, 2, 24));
        let mut text = String::new();
        flate2::read::GzDecoder::new(&compressed[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, "id,name\n1,x\n4,w\n");
    }

    #[test]
    fn the_report_is_told_as_gauges() {
        let file =
            FileReport { name: "a\".csv".to_owned(), rows: 3, rejected: 1, raw_bytes: 20, gzip_bytes: 10 };
        let text = Report { files: vec![file], seconds: 0.5 }.exposition();
        for line in [
            r#"export_rows{file="a\".csv"} 3"#,
            r#"export_rows_rejected{file="a\".csv"} 1"#,
            r#"export_bytes{file="a\".csv",stage="gzip"} 10"#,
            "export_duration_seconds 0.5",
            "export_success 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
