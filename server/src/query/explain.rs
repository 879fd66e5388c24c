//! What a query does, as a tree: each piece of it on a line, and below a selector what was read for it.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::Deserialize;
use serde_json::Value;

/// The data of an answer, of which only this is of interest.
#[derive(Deserialize)]
pub(super) struct Explained {
    pub(super) explain: Option<Value>,
}

#[derive(Deserialize)]
struct Explain {
    plan: Node,
    #[serde(rename = "omittedNodes")]
    omitted: u64,
    selections: Vec<Selection>,
    results: Option<Results>,
    totals: Totals,
}

#[derive(Deserialize)]
struct Results {
    #[serde(rename = "reusedSteps")]
    reused: u64,
    #[serde(rename = "evaluatedSteps")]
    evaluated: u64,
}

#[derive(Deserialize)]
struct Node {
    expr: String,
    kind: String,
    steps: u64,
    series: Option<u64>,
    samples: Option<u64>,
    seconds: Option<f64>,
    selection: Option<usize>,
    #[serde(default)]
    children: Vec<Node>,
}

#[derive(Deserialize)]
struct Selection {
    selector: String,
    start: f64,
    end: f64,
    labels: Option<Vec<String>>,
    series: u64,
    samples: u64,
    seconds: f64,
    #[serde(flatten)]
    store: Option<Store>,
}

#[derive(Deserialize)]
struct Store {
    files: Files,
    #[serde(rename = "rowGroups")]
    row_groups: RowGroups,
    rows: u64,
    requests: u64,
    bytes: u64,
    #[serde(rename = "bytesCached")]
    bytes_cached: u64,
}

#[derive(Deserialize)]
struct Files {
    listed: u64,
    opened: u64,
    cached: u64,
}

#[derive(Deserialize)]
struct RowGroups {
    read: u64,
    pruned: u64,
}

#[derive(Deserialize)]
struct Totals {
    seconds: f64,
    #[serde(rename = "queueSeconds")]
    queue_seconds: f64,
    #[serde(rename = "readSeconds")]
    read_seconds: f64,
    #[serde(rename = "evaluateSeconds")]
    evaluate_seconds: f64,
    #[serde(rename = "peakSamples")]
    peak_samples: u64,
    #[serde(rename = "peakBytes")]
    peak_bytes: u64,
}

/// Shows it as a tree, or as the server told it.
pub(super) fn show(out: &mut impl Write, explain: &Value, as_json: bool) -> io::Result<()> {
    if as_json {
        return writeln!(out, "{explain}");
    }
    let explain: Explain = Explain::deserialize(explain)?;
    let mut lines = Lines { selections: &explain.selections, told: BTreeSet::new(), lines: Vec::new() };
    lines.node(&explain.plan, "", "");
    for line in lines.lines {
        writeln!(out, "{line}")?;
    }
    if explain.omitted > 0 {
        writeln!(out, "and {} more pieces", explain.omitted)?;
    }
    if let Some(Results { reused, evaluated }) = explain.results {
        writeln!(out, "{reused} steps were known from before, {evaluated} were evaluated")?;
    }
    let Totals { seconds, queue_seconds, read_seconds, evaluate_seconds, peak_samples, peak_bytes } =
        explain.totals;
    writeln!(
        out,
        "in all {}: {} waiting, {} reading, {} evaluating; at most {peak_samples} samples and {} in memory",
        time(seconds),
        time(queue_seconds),
        time(read_seconds),
        time(evaluate_seconds),
        bytes(peak_bytes),
    )
}

struct Lines<'e> {
    selections: &'e [Selection],
    /// The selections that are told already.
    told: BTreeSet<usize>,
    lines: Vec<String>,
}

impl Lines<'_> {
    /// `first` is what stands before the node, `further` before what is below it.
    fn node(&mut self, node: &Node, first: &str, further: &str) {
        let mut parts = vec![node.kind.clone()];
        if let (Some(series), Some(samples)) = (node.series, node.samples) {
            parts.push(format!("{series} series, {samples} samples"));
        }
        if node.steps > 1 {
            parts.push(format!("{} steps", node.steps));
        }
        parts.extend(node.seconds.map(time));
        let expr = node.expr.split_whitespace().collect::<Vec<_>>().join(" ");
        self.lines.push(format!("{first}{expr}  [{}]", parts.join("; ")));
        let below = if node.children.is_empty() { "   " } else { "│  " };
        if let Some(place) = node.selection {
            self.selection(place, &format!("{further}{below}"));
        }
        for (index, child) in node.children.iter().enumerate() {
            let is_last = index + 1 == node.children.len();
            let (own, below) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            self.node(child, &format!("{further}{own}"), &format!("{further}{below}"));
        }
    }

    fn selection(&mut self, place: usize, before: &str) {
        let Some(of) = self.selections.get(place) else { return };
        if !self.told.insert(place) {
            self.lines.push(format!("{before}reads what was read above: {}", of.selector));
            return;
        }
        let labels = match &of.labels {
            None => "all labels".to_owned(),
            Some(labels) => format!("labels {}", labels.join(", ")),
        };
        self.lines.push(format!(
            "{before}reads {} from {} to {}, {labels}: {} series, {} samples; {}",
            of.selector,
            of.start,
            of.end,
            of.series,
            of.samples,
            time(of.seconds),
        ));
        if let Some(Store { files, row_groups, rows, requests, bytes: fetched, bytes_cached }) = &of.store {
            self.lines.push(format!(
                "{before}{} of {} files ({} in memory), {} of {} row groups, {rows} rows decoded; {requests} requests, {}, {} from \
                 memory or disk",
                files.opened,
                files.listed,
                files.cached,
                row_groups.read,
                row_groups.read + row_groups.pruned,
                bytes(*fetched),
                bytes(*bytes_cached),
            ));
        }
    }
}

fn time(seconds: f64) -> String {
    if seconds >= 1.0 { format!("{seconds:.2} s") } else { format!("{:.2} ms", seconds * 1e3) }
}

fn bytes(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "it is for people")]
    let kibibytes = count as f64 / 1024.0;
    match count {
        0..10_240 => format!("{count} B"),
        10_240..10_485_760 => format!("{kibibytes:.1} KiB"),
        _ => format!("{:.1} MiB", kibibytes / 1024.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_tells_what_was_read_once() {
        let read = r#""files":{"listed":9,"opened":2,"cached":1,"pruned":7},"rowGroups":{"read":3,"pruned":4},"rows":120,"requests":5,"bytes":20480,"bytesCached":7"#;
        let explain = format!(
            r#"{{"plan":{{"expr":"a /\n b","kind":"binaryExpr","steps":2,"series":1,"samples":2,"seconds":0.5,"children":[{{"expr":"sum(x)","kind":"aggregation","steps":2,"children":[{{"expr":"x","kind":"vectorSelector","steps":2,"series":10,"samples":20,"selection":0}}]}},{{"expr":"x","kind":"vectorSelector","steps":2,"selection":0}}]}},"omittedNodes":0,"selections":[{{"selector":"{{__name__=\"x\"}}","start":1.5,"end":3,"labels":["job"],"series":10,"samples":40,"seconds":1.25,{read}}}],"totals":{{"seconds":2,"queueSeconds":0,"readSeconds":1.25,"evaluateSeconds":0.75,"series":10,"samples":40,"peakSamples":60,"peakBytes":20971520,{read}}}}}"#
        );
        let explain = serde_json::from_str::<Value>(&explain).expect("is JSON");
        let shown = |as_json| {
            let mut out = Vec::new();
            show(&mut out, &explain, as_json).expect("is written");
            String::from_utf8(out).expect("is text")
        };
        let expect = [
            "a / b  [binaryExpr; 1 series, 2 samples; 2 steps; 500.00 ms]",
            "├─ sum(x)  [aggregation; 2 steps]",
            "│  └─ x  [vectorSelector; 10 series, 20 samples; 2 steps]",
            "│        reads {__name__=\"x\"} from 1.5 to 3, labels job: 10 series, 40 samples; 1.25 s",
            "│        2 of 9 files (1 in memory), 3 of 7 row groups, 120 rows decoded; 5 requests, 20.0 KiB, 7 B from memory or disk",
            "└─ x  [vectorSelector; 2 steps]",
            "      reads what was read above: {__name__=\"x\"}",
            "in all 2.00 s: 0.00 ms waiting, 1.25 s reading, 750.00 ms evaluating; at most 60 samples and 20.0 MiB in memory",
            "",
        ];
        assert_eq!(shown(false), expect.join("\n"));
        assert_eq!(shown(true), format!("{explain}\n"));
    }
}
