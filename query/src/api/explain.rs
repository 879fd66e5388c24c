//! What a query did and what it took, for those who ask with `explain`: the field `explain` of the data, beside `stats`.

use model::NeededLabels;

use super::json::{self, Fields};
use super::watch::{Moments, Watch, seconds};
use crate::explain::{ExplainedNode, ExplainedSelection, Explanation, Reading};
use crate::source::SourceUsage;

/// Adds it to the data of an answer, as its last field.
pub(super) fn add_to(data: &mut String, watch: &Watch<'_>, explanation: &Explanation) {
    let Watch { expression: query, moments, .. } = watch;
    data.pop();
    let mut fields = Fields::continued(data);
    Fields::object(fields.field("explain"), |fields| {
        node(fields.field("plan"), query, &explanation.tree());
        number(fields, "omittedNodes", explanation.omitted() as u64);
        json::list(fields.field("selections"), explanation.selections().iter(), selection);
        if let Some((reused, evaluated)) = watch.steps {
            Fields::object(fields.field("results"), |fields| {
                number(fields, "reusedSteps", reused as u64);
                number(fields, "evaluatedSteps", evaluated as u64);
            });
        }
        Fields::object(fields.field("totals"), |fields| {
            let Moments { arrived, entered, loaded, evaluated } = *moments;
            let between =
                |from: Option<i64>, until: Option<i64>| Some(seconds(until?.saturating_sub(from?).max(0)));
            let times = [
                ("seconds", between(Some(arrived), evaluated)),
                ("queueSeconds", between(Some(arrived), entered)),
                ("readSeconds", between(entered, loaded)),
                ("evaluateSeconds", between(loaded, evaluated)),
            ];
            for (name, time) in times {
                fields.field(name).push_str(&time.unwrap_or(0.0).to_string());
            }
            let Reading { series, samples, usage, .. } = explanation.reading();
            number(fields, "series", series);
            number(fields, "samples", samples);
            number(fields, "peakSamples", explanation.samples_most());
            number(fields, "peakBytes", explanation.bytes_most());
            if let Some(usage) = usage {
                store(fields, &usage);
            }
        });
    });
    data.push('}');
}

fn node(out: &mut String, query: &str, of: &ExplainedNode) {
    Fields::object(out, |fields| {
        let (text, is_cut) = of.text(query);
        json::string(fields.field("expr"), &format!("{text}{}", if is_cut { "…" } else { "" }));
        json::string(fields.field("kind"), of.kind);
        number(fields, "steps", of.steps as u64);
        if let Some((series, values)) = of.gave {
            number(fields, "series", series);
            number(fields, "samples", values);
        }
        if let Some(time_us) = of.time_us {
            fields.field("seconds").push_str(&seconds(time_us).to_string());
        }
        if let Some(selection) = of.selection {
            number(fields, "selection", selection as u64);
        }
        if !of.children.is_empty() {
            json::list(fields.field("children"), of.children.iter(), |out, child| node(out, query, child));
        }
    });
}

fn selection(out: &mut String, of: &ExplainedSelection<'_>) {
    Fields::object(out, |fields| {
        json::string(fields.field("selector"), &of.selector());
        json::time(fields.field("start"), of.selection.start_ms);
        json::time(fields.field("end"), of.selection.end_ms);
        // without it all labels matter
        if let NeededLabels::These(labels) = of.needed {
            json::list(fields.field("labels"), labels.iter(), |out, label| json::string(out, label));
        }
        number(fields, "series", of.reading.series);
        number(fields, "samples", of.reading.samples);
        fields.field("seconds").push_str(&seconds(of.reading.time_us).to_string());
        if let Some(usage) = &of.reading.usage {
            store(fields, usage);
        }
    });
}

fn store(fields: &mut Fields<'_>, usage: &SourceUsage) {
    Fields::object(fields.field("files"), |fields| {
        number(fields, "listed", usage.files_listed);
        number(fields, "opened", usage.files);
        number(fields, "cached", usage.files_cached);
        number(fields, "pruned", usage.files_listed.saturating_sub(usage.files));
    });
    Fields::object(fields.field("rowGroups"), |fields| {
        number(fields, "read", usage.row_groups_read);
        number(fields, "pruned", usage.row_groups.saturating_sub(usage.row_groups_read));
    });
    number(fields, "rows", usage.rows);
    number(fields, "requests", usage.requests);
    number(fields, "bytes", usage.bytes);
    number(fields, "bytesCached", usage.bytes_cached);
}

fn number(fields: &mut Fields<'_>, name: &str, number: u64) {
    fields.field(name).push_str(&number.to_string());
}
