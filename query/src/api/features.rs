//! What is switched on: `features`, in the categories of Prometheus 3.14.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;

use super::Api;
use super::answer::Success;
use super::json::Fields;
use crate::engine::Settings;
use crate::syntax::{AggregateOp, BinaryOp, Signature};

type Switches = BTreeMap<&'static str, bool>;

pub(super) async fn features(State(api): State<Arc<Api>>) -> Success {
    let settings = api.engine.settings();
    let mut categories = BTreeMap::from([
        ("api", of_api(api.deleter.is_some())),
        ("promql", of_language(settings)),
        ("promql_functions", of_functions(settings)),
        ("promql_operators", of_operators(settings)),
    ]);
    for (category, name) in [("prometheus", "server_mode"), ("tsdb", "native_histograms")] {
        categories.insert(category, Switches::from([(name, true)]));
    }
    categories.insert("rules", ["keep_firing_for", "query_offset"].map(|name| (name, true)).into());
    let mut data = String::new();
    Fields::object(&mut data, |fields| {
        for (category, switches) in &categories {
            Fields::object(fields.field(category), |fields| {
                for (name, is_on) in switches {
                    fields.field(name).push_str(if *is_on { "true" } else { "false" });
                }
            });
        }
    });
    Success::of(data)
}

fn of_api(admin: bool) -> Switches {
    let there =
        ["label_values_match", "query_stats", "query_warnings", "time_range_labels", "time_range_series"];
    there.map(|name| (name, true)).into_iter().chain([("admin", admin)]).collect()
}

fn of_language(settings: &Settings) -> Switches {
    let always = [
        "at_modifier",
        "bool",
        "by",
        "duration_expr",
        "group_left",
        "group_right",
        "ignoring",
        "negative_offset",
        "offset",
        "on",
        "per_query_lookback_delta",
        "subqueries",
        "without",
    ];
    let syntax = settings.syntax;
    let switched = [
        ("anchored", syntax.extended_range_selectors),
        ("smoothed", syntax.extended_range_selectors),
        ("delayed_name_removal", settings.delayed_name_removal),
        ("fill", syntax.fill_modifiers),
        ("fill_left", syntax.fill_modifiers),
        ("fill_right", syntax.fill_modifiers),
    ];
    always.map(|name| (name, true)).into_iter().chain(switched).collect()
}

fn of_functions(settings: &Settings) -> Switches {
    let is_on = |signature: &Signature| !signature.experimental || settings.syntax.experimental_functions;
    Signature::all().iter().map(|signature| (signature.name, is_on(signature))).collect()
}

fn of_operators(settings: &Settings) -> Switches {
    let binary = BinaryOp::ALL.iter().map(|op| (op.as_str(), true));
    let aggregations = AggregateOp::ALL
        .iter()
        .map(|op| (op.as_str(), !op.is_experimental() || settings.syntax.experimental_functions));
    binary.chain(aggregations).chain(["=~", "!~", "@"].map(|name| (name, true))).collect()
}
