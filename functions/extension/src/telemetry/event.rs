//! Events of the Telemetry API, schema version 2022-12-13.

use serde::Deserialize;
use serde_json::Value;

/// What matters of an event.
#[derive(Debug, PartialEq)]
pub(super) enum Event {
    /// The function begins with an invocation.
    Started { id: String },
    /// The sandbox has started the function's code.
    Initialized(Init),
    /// The sandbox is a copy of one that had started before, and that took so long.
    Restored(Init),
    /// The function is done with an invocation.
    Done(End),
    /// An invocation is over, with all extensions.
    Reported(Report),
    /// The platform could not deliver what it had to tell.
    Lost { reports: u64 },
    /// Anything else.
    Other,
}

/// How long it took until the first invocation could begin.
#[derive(Debug, PartialEq)]
pub(super) struct Init {
    pub(super) seconds: f64,
}

/// How an invocation ended.
#[derive(Debug, PartialEq)]
pub(super) struct End {
    pub(super) id: String,
    pub(super) status: Status,
    /// `None` if it was not measured.
    pub(super) seconds: Option<f64>,
}

/// What an invocation took.
#[derive(Debug, PartialEq)]
pub(super) struct Report {
    pub(super) end: End,
    pub(super) billed_seconds: Option<f64>,
    pub(super) memory_bytes: Option<f64>,
    pub(super) memory_used_bytes: Option<f64>,
    /// Of the first invocation of a sandbox.
    pub(super) init: Option<Init>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Success,
    /// The function answered with an error.
    Error,
    /// The runtime ended.
    Failure,
    Timeout,
    /// What later schemas may know, which is not success.
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
struct Told {
    r#type: String,
    #[serde(default)]
    record: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfInvocation {
    request_id: String,
    status: Option<Status>,
    #[serde(default)]
    metrics: Option<Metrics>,
}

#[derive(Deserialize)]
struct OfInit {
    phase: Option<String>,
    #[serde(default)]
    metrics: Option<Metrics>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metrics {
    duration_ms: Option<f64>,
    billed_duration_ms: Option<f64>,
    init_duration_ms: Option<f64>,
    #[serde(rename = "memorySizeMB")]
    memory_size_mb: Option<f64>,
    #[serde(rename = "maxMemoryUsedMB")]
    max_memory_used_mb: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dropped {
    #[serde(default)]
    dropped_records: u64,
}

impl Event {
    /// What an event says.
    ///
    /// # Errors
    /// If it is none, or lacks what one of its type has.
    pub(super) fn of(event: Value) -> Result<Self, serde_json::Error> {
        let Told { r#type, record } = Told::deserialize(event)?;
        Ok(match r#type.as_str() {
            "platform.start" => Self::Started { id: OfInvocation::deserialize(record)?.request_id },
            "platform.initReport" => {
                let OfInit { phase, metrics } = OfInit::deserialize(record)?;
                let seconds = seconds(metrics.unwrap_or_default().duration_ms);
                match seconds.filter(|_| phase.as_deref().is_none_or(|phase| phase == "init")) {
                    Some(seconds) => Self::Initialized(Init { seconds }),
                    None => Self::Other,
                }
            }
            "platform.restoreReport" => {
                let OfInit { metrics, .. } = OfInit::deserialize(record)?;
                match seconds(metrics.unwrap_or_default().duration_ms) {
                    Some(seconds) => Self::Restored(Init { seconds }),
                    None => Self::Other,
                }
            }
            "platform.runtimeDone" => Self::Done(End::of(&OfInvocation::deserialize(record)?)),
            "platform.report" => {
                let record = OfInvocation::deserialize(record)?;
                let end = End::of(&record);
                let metrics = record.metrics.unwrap_or_default();
                let bytes = |mb: Option<f64>| measured(mb).map(|mb| mb * f64::from(1 << 20));
                Self::Reported(Report {
                    end,
                    billed_seconds: seconds(metrics.billed_duration_ms),
                    memory_bytes: bytes(metrics.memory_size_mb),
                    memory_used_bytes: bytes(metrics.max_memory_used_mb),
                    init: seconds(metrics.init_duration_ms).map(|seconds| Init { seconds }),
                })
            }
            "platform.logsDropped" => Self::Lost { reports: Dropped::deserialize(record)?.dropped_records },
            _ => Self::Other,
        })
    }
}

impl End {
    fn of(record: &OfInvocation) -> Self {
        let duration_ms = record.metrics.as_ref().and_then(|metrics| metrics.duration_ms);
        // what has no status is of an older schema, and went well
        let status = record.status.unwrap_or(Status::Success);
        Self { id: record.request_id.clone(), status, seconds: seconds(duration_ms) }
    }
}

fn seconds(ms: Option<f64>) -> Option<f64> {
    measured(ms).map(|ms| ms / 1_000.0)
}

/// A value that something can have been measured to be.
fn measured(value: Option<f64>) -> Option<f64> {
    value.filter(|value| (0.0..1e12).contains(value))
}
