//! Time as an argument.

/// Where the time comes from. Only edges and tests implement this: a library that needs the time takes an
/// `Arc<dyn Clock>`, or better a plain time value.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Microseconds since the Unix epoch.
    fn now_us(&self) -> i64;

    /// Milliseconds since the Unix epoch: the resolution of PromQL.
    fn now_ms(&self) -> i64 {
        self.now_us().div_euclid(1_000)
    }
}
