//! For tests only.

mod clock;

pub use clock::ManualClock;
