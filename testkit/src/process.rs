//! What the system tells of a process.

use std::io;

/// Memory that it had resident at the most, in bytes (`VmHWM`).
///
/// # Errors
/// If the system does not tell, since the process has ended.
pub(crate) fn peak_memory_bytes(id: u32) -> io::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other("/proc tells no VmHWM"))
}
