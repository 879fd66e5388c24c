//! StatsD and DogStatsD: the lines of a packet to what was measured.
//!
//! ```text
//! name:value[:value…]|type[|@rate][|#tag:value,…][|c:container][|T time]
//! name:value|type[|@rate]:value|type…
//! ```
//!
//! Both are read: several values of one type, as DogStatsD packs them, and several types in a line, as StatsD does. Sections that
//! nobody knows are left out. Events (`_e{`) and service checks (`_sc|`) are told apart and not read.

mod line;
mod names;

#[cfg(test)]
mod tests;

pub use line::{Fault, Line, Measured, Sample, parse};

/// The lines of a packet; empty ones are none.
pub fn lines(packet: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = packet.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.filter(|line| !line.is_empty())
}
