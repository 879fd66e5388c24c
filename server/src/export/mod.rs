//! `mayfly export`: what is stored as OpenMetrics text, each sample with its time.

mod exemplars;
mod points;

use std::collections::HashMap;
use std::io::{BufWriter, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use edge::{ReaderSettings, SystemClock};
use model::{Clock, Exemplar, Labels, MatchOp, Matcher, Metadata, NeededLabels, Selection, Series};
use store::{LeftOut, Reader, Tenant, View};
use wire::exposition::{HistoryWriter, history_sample, history_series, history_takes_exemplars};

use crate::cli::{duration, instant};
use crate::storage_flags::{self, StorageFlags};
use exemplars::Beside;
use points::{Point, points};

#[derive(Args, Debug)]
pub(crate) struct Export {
    #[command(flatten)]
    storage: StorageFlags,

    /// Whose data [default: default]
    #[arg(long, value_name = "NAME", value_parser = storage_flags::tenant)]
    tenant: Option<Tenant>,

    /// Which series, as in a query: '{job="backup",user=~"a.*"}'; may be given several times [default: all]
    #[arg(long = "match", value_name = "SELECTOR", value_parser = selector)]
    matches: Vec<Vec<Matcher>>,

    /// The first time, in seconds since 1970 or as 2026-11-27T10:00:00Z [default: the beginning]
    #[arg(long, value_name = "TIME", value_parser = instant, allow_hyphen_values = true)]
    start: Option<i64>,

    /// The last time [default: now]
    #[arg(long, value_name = "TIME", value_parser = instant, allow_hyphen_values = true)]
    end: Option<i64>,

    /// Which samples are made of a value that was pushed, and holds until it is replaced
    #[arg(long, value_name = "KIND", default_value = "held")]
    pushed: Pushed,

    /// How often it is written while it holds, at multiples of this
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = duration)]
    interval: Duration,
}

/// What becomes of a value that was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pushed {
    /// A sample when it was pushed, and one at each interval while it holds
    Held,
    /// A sample when it was pushed
    Changes,
    /// A sample at each interval while it holds, as a Prometheus has them that scrapes a Pushgateway
    Scraped,
}

fn selector(text: &str) -> Result<Vec<Matcher>, String> {
    query::api::matchers(text)
}

/// Writes it. Ends with 0, or with 1 if it lacks something.
pub(crate) fn run(flags: &Export) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let told = runtime.block_on(export(flags))?;
    let mut err = std::io::stderr();
    let Told { samples, series, exemplars, .. } = told;
    writeln!(err, "mayfly: exported {samples} samples of {series} series, and {exemplars} exemplars")?;
    if told.exemplars_left > 0 {
        let text = "exemplars are not in it: OpenMetrics has one for each sample of counters and buckets";
        writeln!(err, "mayfly: {} {text}", told.exemplars_left)?;
    }
    if told.stale > 0 {
        writeln!(
            err,
            "mayfly: {} marks of series that ended are not in it: OpenMetrics has none",
            told.stale
        )?;
    }
    if told.histograms > 0 {
        let text = "native histograms are not in it: OpenMetrics 1.0 has none; the Parquet files of the storage hold them";
        writeln!(err, "mayfly: {} {text}", told.histograms)?;
    }
    for object in &told.left_out {
        writeln!(err, "mayfly: {object}")?;
    }
    let is_whole = told.histograms == 0 && told.exemplars_left == 0 && told.left_out.is_empty();
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What was written, and what was not.
#[derive(Debug, Default)]
struct Told {
    samples: u64,
    series: u64,
    stale: u64,
    histograms: u64,
    exemplars: u64,
    exemplars_left: u64,
    left_out: Vec<LeftOut>,
}

impl Told {
    fn lacks(&mut self, left_out: Vec<LeftOut>) {
        self.left_out.extend(left_out);
        self.left_out.sort_unstable();
        self.left_out.dedup();
    }
}

/// All exemplars of the time are in memory at once. More are refused, and may be asked for in parts.
const EXEMPLARS_MAX: usize = 10_000_000;

async fn export(flags: &Export) -> anyhow::Result<Told> {
    let readers = ReaderSettings { exemplars_max: EXEMPLARS_MAX, ..ReaderSettings::default() };
    let storage = flags.storage.open_for(flags.tenant.as_ref()).await?.with_readers(readers);
    let reader = Arc::new(storage.reader(None, None));
    let (start_ms, end_ms) = (flags.start.unwrap_or(0), flags.end.unwrap_or_else(|| SystemClock.now_ms()));
    let mut told = Told::default();
    let described = reader.descriptions().await.with_context(|| flags.storage.told())?;
    told.lacks(described.left_out);
    let families = described
        .found
        .into_iter()
        .filter_map(|(name, known)| Some((name, known.into_iter().next()?.metadata)));
    let mut writer = Writer {
        out: BufWriter::with_capacity(1 << 16, std::io::stdout().lock()),
        text: String::new(),
        heads: HistoryWriter::default(),
        families: families.collect(),
        exemplars: HashMap::new(),
        pushed: flags.pushed,
        interval_ms: i64::try_from(flags.interval.as_millis()).unwrap_or(i64::MAX),
        start_ms,
        end_ms,
    };
    let selection = |matchers: Vec<Matcher>| Selection { matchers, start_ms, end_ms };
    let mut selections: Vec<_> = flags.matches.iter().cloned().map(selection).collect();
    if selections.is_empty() {
        let all = Matcher::new(Labels::NAME, MatchOp::NotEqual, "").context("--match")?;
        selections.push(selection(vec![all]));
    }
    let exemplars = reader.exemplars(&selections).await.with_context(|| flags.storage.told())?;
    told.lacks(exemplars.left_out);
    writer.exemplars =
        exemplars.found.into_iter().map(|of_series| (of_series.labels, of_series.exemplars)).collect();
    let rounds = rounds(&reader, selections, &mut told).await?;
    let view = View::new(Arc::clone(&reader));
    for round in rounds {
        for (index, selection) in round.iter().enumerate() {
            let mut stream = view.stream(selection, &NeededLabels::All);
            while let Some(batch) = stream.next().await {
                for series in batch? {
                    // each once, although several selectors may match it
                    if !round[..index].iter().any(|earlier| earlier.matches(&series.labels)) {
                        writer.series(&series, &mut told).context("standard output")?;
                    }
                }
            }
            told.lacks(stream.finish().left_out);
        }
    }
    // of series that have no samples in the time
    told.exemplars_left += writer.exemplars.values().map(|left| left.len() as u64).sum::<u64>();
    writer.out.write_all(b"# EOF\n").and_then(|()| writer.out.flush()).context("standard output")?;
    Ok(told)
}

/// The selections, such that in each round those are of the same names: lines of one name stand together. A single selection is
/// answered in order of names.
async fn rounds(
    reader: &Reader,
    selections: Vec<Selection>,
    told: &mut Told,
) -> anyhow::Result<Vec<Vec<Selection>>> {
    if selections.len() == 1 {
        return Ok(vec![selections]);
    }
    let names = reader.label_values(Labels::NAME, &selections).await?;
    told.lacks(names.left_out);
    let of_name = |name: &Arc<str>| {
        let named = |selection: &Selection| {
            let mut selection = selection.clone();
            selection.matchers.push(Matcher::equal(Labels::NAME, Arc::clone(name)));
            selection
        };
        selections.iter().map(named).collect()
    };
    Ok(names.found.iter().map(of_name).collect())
}

/// Writes series as they come.
struct Writer<W: Write> {
    out: W,
    text: String,
    heads: HistoryWriter,
    families: HashMap<Arc<str>, Metadata>,
    /// Those of series that are still to be written.
    exemplars: HashMap<Labels, Vec<Exemplar>>,
    pushed: Pushed,
    interval_ms: i64,
    start_ms: i64,
    end_ms: i64,
}

impl<W: Write> Writer<W> {
    fn series(&mut self, series: &Series, told: &mut Told) -> std::io::Result<()> {
        let mut shown: Option<String> = None;
        let name = series.labels.metric_name();
        let exemplars = self.exemplars.remove(&series.labels).unwrap_or_default();
        let all = exemplars.len() as u64;
        let points = || points(series, self.pushed, self.interval_ms, self.start_ms, self.end_ms);
        let lines = match history_takes_exemplars(name) && all > 0 {
            true => points().filter(|point| matches!(point, Point::Value(..))).count(),
            false => 0,
        };
        let (mut beside, mut written) = (Beside::of(exemplars, lines), 0);
        let points = points();
        for point in points {
            let (at_ms, value) = match point {
                Point::Value(at_ms, value) => (at_ms, value),
                Point::Ended => {
                    told.stale += 1;
                    continue;
                }
                Point::Histogram => {
                    told.histograms += 1;
                    continue;
                }
            };
            self.text.clear();
            let shown = shown.get_or_insert_with(|| {
                self.heads.head(&mut self.text, name, &self.families);
                told.series += 1;
                history_series(&series.labels)
            });
            let exemplar = beside.next(at_ms);
            written += u64::from(exemplar.is_some());
            history_sample(&mut self.text, shown, at_ms, value, exemplar.as_ref());
            told.samples += 1;
            self.out.write_all(self.text.as_bytes())?;
        }
        told.exemplars += written;
        told.exemplars_left += all - written;
        Ok(())
    }
}
