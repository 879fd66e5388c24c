//! What Alertmanager does, as values and functions of them: which alert goes to whom, and who is to be told what at a time.
//! Nothing here sends, stores, or reads a clock.
//!
//! In the order in which data flows: an `alertmanager.yml` becomes a [`Config`]; its routes a [`RoutingTree`] that finds the
//! [`RouteNode`]s of an alert, and its inhibition rules [`Inhibition`] that knows what other alerts keep it from being told. With
//! all of that a [`Dispatcher`] takes a step at each tick: from a [`State`] and alerts to [`Intent`]s to notify.

mod config;
mod inhibition;
mod intervals;
mod matchers;
mod routing;
mod state;
mod step;

pub use config::{
    CONFIG_BYTES_MAX, Config, ConfigMistake, GroupBy, InhibitRule, Integration, Kind, NamedFile, Object,
    Receiver, Route, Value, yaml_value,
};
pub use inhibition::Inhibition;
pub use intervals::{RangeError, TimeInterval};
pub use matchers::{Matcher, MatcherError, Matchers, Read as ReadMatchers};
pub use routing::{RouteNode, RoutingTree};
pub use state::{
    Intent, Reason, STATE_BYTES_MAX, STATE_VERSION, Silence, SilenceError, SilenceMatcher, SilenceState,
    State, StateError, StoredAlert,
};
pub use step::{CLAIM_MS, Dispatcher, Outcome, Received, ShownAlert, ShownGroup, fingerprint};
