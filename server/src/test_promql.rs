//! `mayfly test promql FILE...`

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use edge::SystemClock;
use promqltest::{Report, settings_of_prometheus};

use crate::cli::TestPromql;

/// Runs the files, shows what fails on standard output, and closes with `N passed, N failed`.
pub(crate) fn run(flags: &TestPromql) -> anyhow::Result<ExitCode> {
    let mut settings = settings_of_prometheus();
    settings.delayed_name_removal = !flags.immediate_name_removal;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut out = io::stdout().lock();
    let (mut passed, mut failed) = (0, 0);
    for file in &flags.files {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).with_context(|| name.clone())?;
        let report = runtime.block_on(promqltest::run(&text, settings.clone(), Arc::new(SystemClock)));
        show(&mut out, &name, &report)?;
        passed += report.passed;
        failed += report.failed();
    }
    writeln!(out, "{passed} passed, {failed} failed")?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(out: &mut impl Write, name: &str, report: &Report) -> io::Result<()> {
    for error in &report.errors {
        writeln!(out, "{name}:{}: {error}", error.line)?;
    }
    for failure in &report.failures {
        writeln!(out, "{name}:{failure}")?;
    }
    Ok(())
}
