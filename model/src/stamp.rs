//! The one order of all pushes.

/// The place of an event in the one order of a tenant's pushes: when the gateway received it, then who received it.
///
/// `at_us` is strictly increasing within a writer, so no two pushes have the same stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stamp {
    /// Receive time in microseconds since the Unix epoch.
    pub at_us: i64,
    /// Which writer gave the stamp; breaks ties between replicas.
    pub writer: u64,
}
