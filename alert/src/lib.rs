//! Alert rules: files, state, evaluation and what is sent.
//!
//! In the order in which data flows: a rule file becomes [`Rules`]; a tick of the [`Evaluator`] finds the slots that
//! are due, asks their queries, takes the pure step of every rule, and writes the state; what fires or is over goes to
//! every [`Notifier`] as [`Alert`]s. [`router`] shows rules and alerts as Prometheus does.

mod duration;
mod go;
mod http;
mod metrics;
mod ports;
mod rehearsal;
mod replay;
mod rule_file;
mod rules;
mod schedule;
mod send;
mod state;
mod step;
mod template;
mod tick;

pub use duration::{DurationError, parse as parse_duration};
pub use http::{PATHS, Selector, router};
pub use metrics::{GroupCounts, ReceiverCounts, Snapshot};
pub use ports::{
    Cause, InstantQuery, LoadError, Loaded, Notifier, NotifyError, QueryError, QueryValue, RuleSample,
    SampleSink, SinkError, StateStore, SwapError, TickQuery, Version,
};
pub use rehearsal::{FiringAlert, Rehearsal, RuleFailure};
pub use replay::{REPLAY_SLOTS_MAX, ReplayError, ReplaySummary, ReplayedAlert};
pub use rule_file::{
    JOBS_MAX, Mistake, NameScheme, Place, RULE_FILE_BYTES_MAX, RuleFileError, RuleFileOptions, RuleMistake,
    YamlError,
};
pub use rules::Rules;
pub use send::{Alert, api_v2_body};
pub use state::{STATE_BYTES_MAX, STATE_VERSION, StateError};
pub use step::ANSWER_ELEMENTS_MAX;
pub use template::{
    ExpansionError, Form, Notification, NotificationError, NotificationTemplate, NotificationTemplates,
    NotifiedAlert, TemplateSyntaxError,
};
pub use tick::{
    CLAIM_MS, Components, DELIVERIES_MAX, DELIVERY_ALERTS_MAX, Evaluator, Progress, Settings, TickError,
    TickErrorKind,
};

#[cfg(test)]
mod testing;
