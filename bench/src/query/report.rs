//! Figures as tables.

use std::fmt::Write as _;

use super::cost::Cost;

/// What a question took of each program: Mayfly, Prometheus, VictoriaMetrics.
pub type Costs = [Cost; 3];

/// The head of a table of warm answers.
pub const WARM_HEAD: &str = "| question | series | Mayfly ms | Prometheus ms | VictoriaMetrics ms | faster than Prometheus | than VictoriaMetrics | processor ms |\n|---|---|---|---|---|---|---|---|";

/// The head of a table of cold answers.
pub const COLD_HEAD: &str = "| question | Mayfly ms | Prometheus ms | VictoriaMetrics ms | faster than Prometheus | than VictoriaMetrics | processor ms | KiB read from disk |\n|---|---|---|---|---|---|---|---|";

/// A row of a table of warm answers.
pub fn warm_row(name: &str, found: usize, costs: &Costs) -> String {
    format!("| {name} | {found} | {} | {} |", times(costs), processor(costs))
}

/// A row of a table of cold answers.
pub fn cold_row(name: &str, costs: &Costs) -> String {
    let read = costs.map(|cost| (cost.disk_bytes >> 10).to_string()).join(" / ");
    format!("| {name} | {} | {} | {read} |", times(costs), processor(costs))
}

fn times(costs: &Costs) -> String {
    let mut text = costs.map(|cost| format!("{:.2}", milliseconds(&cost))).join(" | ");
    for than in [1, 2] {
        let _ = write!(text, " | {:.2}", milliseconds(&costs[than]) / milliseconds(&costs[0]));
    }
    text
}

fn processor(costs: &Costs) -> String {
    costs.map(|cost| format!("{:.1}", cost.cpu_seconds * 1e3)).join(" / ")
}

fn milliseconds(cost: &Cost) -> f64 {
    cost.took.as_secs_f64() * 1e3
}

/// How Mayfly compares with another program over some questions.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    /// How many times as fast it is: the geometric mean.
    pub faster: f64,
    /// What part of the other's processor time it takes: the geometric mean, of questions that take a millisecond or more.
    pub processor: f64,
    /// How many times as long the slowest answer takes, of those that are slower.
    pub slowest: (&'static str, f64),
}

impl Comparison {
    /// With Prometheus (1) or VictoriaMetrics (2).
    pub fn with(than: usize, costs: &[(&'static str, Costs)]) -> Self {
        let mut slowest = ("", 0.0);
        let (mut faster, mut processor) = (Vec::new(), Vec::new());
        for (name, costs) in costs {
            let [ours, theirs] = [&costs[0], &costs[than]];
            let ratio = milliseconds(theirs) / milliseconds(ours);
            faster.push(ratio);
            if 1.0 / ratio > slowest.1 {
                slowest = (name, 1.0 / ratio);
            }
            if ours.cpu_seconds.min(theirs.cpu_seconds) >= 1e-3 {
                processor.push(ours.cpu_seconds / theirs.cpu_seconds);
            }
        }
        Self { faster: geometric_mean(&faster), processor: geometric_mean(&processor), slowest }
    }

    /// As a row of a table.
    pub fn row(&self, what: &str) -> String {
        let (name, times) = self.slowest;
        format!("| {what} | {:.2} | {:.2} | {times:.2} ({name}) |", self.faster, self.processor)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few dozen")]
fn geometric_mean(ratios: &[f64]) -> f64 {
    (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn comparisons_are_geometric_means() {
        let cost = |ms| Cost { took: Duration::from_millis(ms), cpu_seconds: 0.01, disk_bytes: 0 };
        let costs = [("a", [cost(1), cost(2), cost(1)]), ("b", [cost(2), cost(16), cost(1)])];
        let with = |than| Comparison::with(than, &costs);
        assert!((with(1).faster - 4.0).abs() < 1e-9);
        assert_eq!(with(2).slowest, ("b", 2.0));
        assert!((with(2).processor - 1.0).abs() < 1e-9);
    }
}
