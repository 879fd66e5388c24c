//! Runs the commands of a script.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use model::{Clock, Histogram};
use query::syntax::{Options, SeriesItem};
use query::{Engine, Settings};

use crate::check::Mismatch;
use crate::custom_buckets::of_classic;
use crate::evaluate::Evaluation;
use crate::memory::Memory;
use crate::script::{Command, Load, LoadKind, ScriptError, commands};

/// What became of the queries of a script.
#[derive(Debug, Default)]
pub struct Report {
    /// How many gave what was expected.
    pub passed: usize,
    /// Those that did not, in the order of the script.
    pub failures: Vec<Failure>,
    /// What is no script. If there is any of it, nothing was run.
    pub errors: Vec<ScriptError>,
}

/// A query that did not give what was expected.
#[derive(Debug)]
pub struct Failure {
    /// The line of the query, counted from 1.
    pub line: usize,
    /// The query as it stands in the script.
    pub query: String,
    /// How it was asked, if not as in the script: with `@`, or in a range.
    pub asked: Option<String>,
    /// What should have come and what came.
    pub mismatch: Mismatch,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.line, self.query)?;
        if let Some(asked) = &self.asked {
            writeln!(f, "    asked:    {asked}")?;
        }
        write!(f, "    expected: {}\n    got:      {}", self.mismatch.expected, self.mismatch.got)
    }
}

impl Report {
    /// How many queries failed, and how many places are no script.
    pub fn failed(&self) -> usize {
        self.failures.len() + self.errors.len()
    }
}

/// The settings under which Prometheus runs its own scripts: everything experimental, and names that go away at the end.
pub fn settings_of_prometheus() -> Settings {
    Settings {
        samples_max: 10_000,
        timeout_ms: 100_000,
        delayed_name_removal: true,
        start_timestamps: true,
        syntax: Options::all(),
        ..Settings::default()
    }
}

/// Runs a script. The clock is for timeouts only.
pub async fn run(text: &str, settings: Settings, clock: Arc<dyn Clock>) -> Report {
    let commands = match commands(text) {
        Ok(commands) => commands,
        Err(errors) => return Report { errors, ..Report::default() },
    };
    let engine = Engine::new(settings, clock);
    let mut memory = Memory::default();
    let mut report = Report::default();
    for command in &commands {
        match command {
            Command::Clear => memory = Memory::default(),
            Command::Load(load) => fill(&mut memory, load),
            Command::Eval(eval) => {
                match (Evaluation { engine: &engine, memory: &memory, eval }).run().await {
                    Ok(()) => report.passed += 1,
                    Err(wrong) => report.failures.push(Failure {
                        line: eval.line,
                        query: eval.expr.clone(),
                        asked: wrong.asked,
                        mismatch: wrong.mismatch,
                    }),
                }
            }
        }
    }
    report
}

fn fill(memory: &mut Memory, load: &Load) {
    for starts in &load.starts {
        memory.load_starts(&starts.labels, &starts.offsets_ms, load.step_ms);
    }
    for series in &load.series {
        match load.kind {
            LoadKind::Pushes => memory.load_pushes(&series.labels, &series.items, load.step_ms),
            LoadKind::Adds => memory.load_adds(&series.labels, &series.items, load.step_ms),
            LoadKind::Samples | LoadKind::CustomBuckets => {
                memory.load(&series.labels, &series.items, load.step_ms);
            }
        }
    }
    if load.kind == LoadKind::CustomBuckets {
        for (labels, histograms) in of_classic(&load.series) {
            memory.load(&labels, &in_places(&histograms), load.step_ms);
        }
    }
}

fn in_places(histograms: &BTreeMap<usize, Arc<Histogram>>) -> Vec<SeriesItem> {
    let end = histograms.keys().last().map_or(0, |last| last + 1);
    let item = |place| match histograms.get(&place) {
        Some(value) => SeriesItem::Histogram { value: Arc::clone(value), states_reset: false },
        None => SeriesItem::Gap,
    };
    (0..end).map(item).collect()
}
