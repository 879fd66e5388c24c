//! What a tick did, or why it could not.

use crate::ports::{LoadError, SwapError};
use crate::state::StateError;

/// What a tick did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Slots of groups that were evaluated.
    pub slots: usize,
    /// Slots that were given up because too many were due.
    pub slots_skipped: i64,
    /// Evaluations of rules that failed.
    pub rules_failed: usize,
    /// Alerts that receivers took, counted for each receiver.
    pub alerts_sent: usize,
    /// Alerts that no receiver will get, because it refused them, or because they waited for too long.
    pub alerts_dropped: usize,
    /// Alerts that wait for the next tick, because a receiver did not answer.
    pub alerts_waiting: usize,
    /// Another tick did the same work: everything above but `slots_skipped` counts for nothing, and nothing was sent.
    pub superseded: bool,
}

impl Progress {
    /// Whether the tick did its work and nothing is left of it: what a heartbeat tells. Rules that fail by themselves do not
    /// count, since metrics tell of them.
    pub fn is_whole(&self) -> bool {
        !self.superseded && self.alerts_waiting == 0
    }
}

/// Why a tick failed.
#[derive(Debug, thiserror::Error)]
pub enum TickError {
    /// The state could not be read; nothing was done.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The state is not one that we can work with; nothing was sent.
    #[error(transparent)]
    State(#[from] StateError),
    /// Whether the state was written is not known; nothing was sent. If it was, a later tick sends.
    #[error(transparent)]
    Swap(SwapError),
}

/// What a caller of a failed tick should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickErrorKind {
    /// Tick again; it may pass.
    Retry,
    /// A person must look at it.
    Fatal,
}

impl TickError {
    /// What to do about it.
    pub fn kind(&self) -> TickErrorKind {
        match self {
            Self::Load(_) | Self::Swap(_) => TickErrorKind::Retry,
            Self::State(_) => TickErrorKind::Fatal,
        }
    }
}
