//! `make bench-query`: the same questions to Mayfly, to the real Prometheus and to the real VictoriaMetrics, which hold the same samples.
//!
//! All three are loaded through remote write and have written and merged what they will. Each question is asked of one after the other,
//! warm and then of processes that have just started. Mayfly and Prometheus have to answer the same; VictoriaMetrics extrapolates in its
//! own way, and has to find as many series.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "figures of real time, for people")]

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use mayfly_bench::child::Server;
use mayfly_bench::datasets::{Dataset, STEP_MS, short_lived_of};
use mayfly_bench::ingest::program::{Kind, Merged, Program};
use mayfly_bench::ingest::requests::requests;
use mayfly_bench::ingest::send::send;
use mayfly_bench::query::answer::Answer;
use mayfly_bench::query::cost::{self, Cost, forget_files};
use mayfly_bench::query::fleet::{Fleet, SERIES_PER_INSTANCE};
use mayfly_bench::query::kept;
use mayfly_bench::query::question::{Question, about_fleet, about_short_lived};
use mayfly_bench::query::report::{COLD_HEAD, Comparison, Costs, WARM_HEAD, cold_row, warm_row};
use testkit::http;

const FLEET_INSTANCES: usize = 200;
const FLEET_HOURS: usize = 6;
const SCRAPES_PER_HOUR: usize = 240;
/// Each with five series of three samples, within two hours.
const SHORT_LIVED_INSTANCES: usize = 200_000;
const CONNECTIONS: usize = 4;
/// Connections wait for each other so often, so that samples come about in order of time.
const PARTS: usize = 8;
/// Mayfly has written what was in its log after this, …
const WRITTEN_AFTER: Duration = Duration::from_secs(60);
/// … and merged it after this.
const MERGED_WITHIN: Duration = Duration::from_secs(30 * 60);

const KINDS: [Kind; 3] = [Kind::Mayfly, Kind::Prometheus, Kind::VictoriaMetrics];

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let usage = "usage: bench-query MAYFLY PROMETHEUS VICTORIAMETRICS [PERCENT [FOLDER]]";
    let mut program = |kind| Ok(Program { kind, file: arguments.next().context(usage)?.into() });
    let programs: Vec<Program> = KINDS.into_iter().map(&mut program).collect::<anyhow::Result<_>>()?;
    let percent = arguments.next().map(|percent| percent.to_string_lossy().parse()).transpose()?;
    let percent: usize = percent.unwrap_or(100);
    let kept = arguments.next().filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let temporary = tempfile::tempdir()?;
    let folder = kept.as_deref().unwrap_or(temporary.path());
    let failed: Vec<String> = [What::Fleet, What::ShortLived]
        .into_iter()
        .map(|what| Bench { programs: &programs, what, percent, folder: folder.join(what.name()) }.run())
        .collect::<anyhow::Result<Vec<_>>>()?
        .concat();
    ensure!(failed.is_empty(), "behind what is expected:\n{}", failed.join("\n"));
    Ok(())
}

/// Which data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Fleet,
    ShortLived,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Fleet => "scrape-like",
            Self::ShortLived => "short-lived",
        }
    }

    /// What has to hold within one run, with room for what a busy machine does: how many times as fast Mayfly is as Prometheus and
    /// VictoriaMetrics, and how many times as much memory and disk as Prometheus it may take.
    fn gates(self) -> Gates {
        match self {
            Self::Fleet => Gates { faster: [1.0, 0.6], memory: 1.7, disk: 1.2 },
            Self::ShortLived => Gates { faster: [0.7, 0.5], memory: 0.3, disk: 0.5 },
        }
    }
}

struct Gates {
    faster: [f64; 2],
    memory: f64,
    disk: f64,
}

/// The questions over one set of data.
struct Bench<'a> {
    programs: &'a [Program],
    what: What,
    percent: usize,
    folder: PathBuf,
}

impl Bench<'_> {
    /// Prints tables, and gives what does not hold.
    fn run(&self) -> anyhow::Result<Vec<String>> {
        let kept = kept::end_s(&self.folder, self.percent)?;
        for kind in KINDS {
            std::fs::create_dir_all(self.folder_of(kind))?;
        }
        let servers = self.start_all()?;
        println!("\n## {}\n", self.what.name());
        let end_s = match kept {
            Some(end_s) => end_s,
            None => self.load(&servers)?,
        };
        servers.iter().try_for_each(Server::forget_memory_peak)?;
        let questions = self.questions();
        println!("{WARM_HEAD}");
        let warm = questions.iter().map(|question| warm_of_all(&servers, question, end_s));
        let warm: Vec<(&str, Costs)> = warm.collect::<anyhow::Result<_>>()?;
        let memory = peaks(&servers)?;
        let disk = self.stop_all(servers)?;
        println!("\n{COLD_HEAD}");
        let cold = questions.iter().map(|question| self.cold_of_all(question, end_s));
        let cold: Vec<(&str, Costs)> = cold.collect::<anyhow::Result<_>>()?;
        println!(
            "\n| compared with | times as fast | what it takes of the other's processor time | slowest: times as long |"
        );
        println!("|---|---|---|---|");
        let mut failed = Vec::new();
        let gates = self.what.gates();
        for (how, costs) in [("warm", &warm), ("cold", &cold)] {
            for (than, kind) in KINDS.iter().enumerate().skip(1) {
                let comparison = Comparison::with(than, costs);
                println!("{}", comparison.row(&format!("{kind:?}, {how}")));
                let expected = gates.faster[than - 1];
                if how == "warm" && comparison.faster < expected {
                    let what = self.what.name();
                    failed.push(format!(
                        "{what}: {:.2} times as fast as {kind:?}, not {expected}",
                        comparison.faster
                    ));
                }
            }
        }
        println!("\n| what, MiB | Mayfly | Prometheus | VictoriaMetrics |\n|---|---|---|---|");
        println!("| largest memory while asked | {} |", memory.map(mebibytes).join(" | "));
        println!("| on disk | {} |", disk.map(mebibytes).join(" | "));
        for (what, bytes, expected) in [("memory", memory, gates.memory), ("disk", disk, gates.disk)] {
            #[expect(clippy::cast_precision_loss, reason = "figures for people")]
            let part = bytes[0] as f64 / bytes[1] as f64;
            if part > expected {
                let name = self.what.name();
                failed.push(format!("{name}: {part:.2} times the {what} of Prometheus, not {expected}"));
            }
        }
        Ok(failed)
    }

    fn questions(&self) -> Vec<Question> {
        match self.what {
            What::Fleet => about_fleet(),
            What::ShortLived => {
                // its series are known by the seed, wherever they begin
                let dataset = short_lived_of(1, 0);
                about_short_lived(dataset[0].0.get("instance").unwrap_or_default())
            }
        }
    }

    fn folder_of(&self, kind: Kind) -> PathBuf {
        self.folder.join(format!("{kind:?}"))
    }

    fn start_all(&self) -> anyhow::Result<Vec<Server>> {
        self.programs.iter().map(|program| program.start(&self.folder_of(program.kind))).collect()
    }

    /// Loads all programs. The second at which the data end.
    fn load(&self, servers: &[Server]) -> anyhow::Result<i64> {
        let now_s = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
        match self.what {
            What::Fleet => {
                let instances = (FLEET_INSTANCES * self.percent).div_ceil(100);
                println!("{} series, {FLEET_HOURS} hours at {STEP_MS} ms", instances * SERIES_PER_INSTANCE);
                let mut fleet = Fleet::new(instances, (now_s - 3_600 * FLEET_HOURS as i64) * 1_000);
                for _ in 0..FLEET_HOURS {
                    send_to_all(servers, &fleet.scrape(SCRAPES_PER_HOUR))?;
                }
            }
            What::ShortLived => {
                let instances = SHORT_LIVED_INSTANCES * self.percent / 100;
                println!("{} series of three samples", instances * 5);
                send_to_all(servers, &short_lived_of(instances, (now_s - 7_205) * 1_000))?;
            }
        }
        let peaks = peaks(servers)?.map(mebibytes);
        println!("\nLargest memory while loaded, MiB: {}\n", peaks.join(" / "));
        self.settle(servers)?;
        kept::keep(&self.folder, self.percent, now_s)?;
        Ok(now_s)
    }

    /// Waits until all programs have merged what they will.
    fn settle(&self, servers: &[Server]) -> anyhow::Result<()> {
        for path in ["/internal/force_flush", "/internal/force_merge"] {
            http::get(&servers[2].url(), path)?;
        }
        let since = Instant::now();
        std::thread::sleep(WRITTEN_AFTER);
        let folder = self.folder_of(Kind::Mayfly);
        while !Merged::of(&folder).is_ok_and(|merged| merged.is_all(&folder).unwrap_or(false)) {
            ensure!(since.elapsed() < MERGED_WITHIN, "Mayfly does not merge what it has written");
            std::thread::sleep(Duration::from_secs(1));
        }
        Ok(())
    }

    /// The bytes that each takes on disk.
    fn stop_all(&self, servers: Vec<Server>) -> anyhow::Result<[u64; 3]> {
        let mut bytes = [0; 3];
        for ((program, server), bytes) in self.programs.iter().zip(servers).zip(&mut bytes) {
            let folder = self.folder_of(program.kind);
            *bytes = program.settle(server, &folder)?;
            match program.kind {
                Kind::Mayfly => *bytes = Merged::of(&folder)?.bytes()?,
                Kind::Prometheus => std::fs::remove_dir_all(folder.join("data/snapshots"))?,
                Kind::VictoriaMetrics => {}
            }
        }
        Ok(bytes)
    }

    fn cold_of_all(&self, question: &Question, end_s: i64) -> anyhow::Result<(&'static str, Costs)> {
        let ask = |program: &Program| {
            let folder = self.folder_of(program.kind);
            // VictoriaMetrics keeps some of its caches in files
            let _ = std::fs::remove_dir_all(folder.join("data/cache"));
            forget_files(&folder.join("data"))?;
            let server = program.start(&folder)?;
            let asked = cost::once(&server, &target(program.kind, question, end_s))?;
            server.kill()?;
            Ok(asked)
        };
        let asked: Vec<(Vec<u8>, Cost)> = self.programs.iter().map(ask).collect::<anyhow::Result<_>>()?;
        let (bodies, costs): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
        found(question, &bodies)?;
        let costs: Costs = costs.try_into().map_err(|_| anyhow::anyhow!("three programs"))?;
        println!("{}", cold_row(question.name, &costs));
        Ok((question.name, costs))
    }
}

/// Asks each program until it is warm, and compares what they answer.
fn warm_of_all(servers: &[Server], question: &Question, end_s: i64) -> anyhow::Result<(&'static str, Costs)> {
    let (mut costs, mut bodies) = (Vec::new(), Vec::new());
    for (server, kind) in servers.iter().zip(KINDS) {
        let (body, cost) = cost::warm(server, &target(kind, question, end_s))?;
        costs.push(cost);
        bodies.push(body);
    }
    let found = found(question, &bodies)?;
    let costs: Costs = costs.try_into().map_err(|_| anyhow::anyhow!("three programs"))?;
    println!("{}", warm_row(question.name, found, &costs));
    Ok((question.name, costs))
}

/// How many series or names a question finds, if the programs answer it as they have to.
fn found(question: &Question, bodies: &[Vec<u8>]) -> anyhow::Result<usize> {
    let answer = |(kind, body): (Kind, &Vec<u8>)| {
        Answer::of(body).with_context(|| format!("{kind:?}: {}", question.text()))
    };
    let answers: Vec<Answer> = KINDS.into_iter().zip(bodies).map(answer).collect::<anyhow::Result<_>>()?;
    let [mayfly, prometheus, victoria] = answers.as_slice() else { unreachable!("three programs") };
    mayfly.is_same_as(prometheus).with_context(|| question.text())?;
    if mayfly.len() != victoria.len() {
        println!("VictoriaMetrics finds {} instead of {}: {}", victoria.len(), mayfly.len(), question.text());
    }
    Ok(mayfly.len())
}

fn target(kind: Kind, question: &Question, end_s: i64) -> String {
    let target = question.target(end_s);
    // it keeps answers, and moves times so that it finds them again
    if kind == Kind::VictoriaMetrics { target + "&nocache=1" } else { target }
}

/// Sends to one program after the other.
fn send_to_all(servers: &[Server], dataset: &Dataset) -> anyhow::Result<()> {
    let of_connections = requests(dataset, CONNECTIONS)?;
    for part in 0..PARTS {
        let bodies = of_connections.iter().map(|bodies| {
            let place = |part| bodies.len() * part / PARTS;
            bodies[place(part)..place(part + 1)].to_vec()
        });
        let bodies: Vec<_> = bodies.collect();
        for server in servers {
            send(server.address, &bodies)?;
        }
    }
    Ok(())
}

fn peaks(servers: &[Server]) -> anyhow::Result<[u64; 3]> {
    let peaks = servers.iter().map(Server::memory_peak_bytes).collect::<anyhow::Result<Vec<_>>>()?;
    peaks.try_into().map_err(|_| anyhow::anyhow!("three programs"))
}

fn mebibytes(bytes: u64) -> String {
    (bytes >> 20).to_string()
}
