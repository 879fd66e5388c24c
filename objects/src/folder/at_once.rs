//! Small file operations are done by the thread that asks for them.
//!
//! To look into a directory of a few files takes microseconds where the kernel knows it, and to have another thread do it several times
//! that, or milliseconds on a machine that is busy. But a thread that serves requests must not wait for a file system that is
//! elsewhere, or for a disk that is slow: those are asked by threads that may wait.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// An operation that takes longer shows that the disk is slow, …
const SLOW: Duration = Duration::from_millis(5);

/// … and for so long others wait for it.
const SLOW_FOR: Duration = Duration::from_secs(10);

/// File systems of this machine's own disks or memory, by what `statfs` calls them: ext2 to ext4, XFS, Btrfs, ZFS, F2FS, bcachefs, tmpfs,
/// ramfs, overlayfs.
const OF_THIS_MACHINE: [i64; 9] = [
    0xef53,
    0x5846_5342,
    0x9123_683e,
    0x2fc1_2fc1,
    0xf2f5_2010,
    0xca45_1a4e,
    0x0102_1994,
    0x8584_58f6,
    0x794c_7630,
];

/// Whether that may be done for a folder now.
#[derive(Debug)]
pub(super) struct AtOnce {
    /// `None`: never.
    since: Option<Instant>,
    /// Not before so many milliseconds after `since`.
    not_before_ms: AtomicU64,
}

impl AtOnce {
    /// For a folder that is there.
    #[expect(clippy::disallowed_methods, reason = "how long a disk takes is real time")]
    pub(super) fn of(root: &Path) -> Self {
        Self { since: is_of_this_machine(root).then(Instant::now), not_before_ms: AtomicU64::new(0) }
    }

    /// Does something that takes microseconds as a rule; `None` if another thread is to do it.
    pub(super) fn done<T>(&self, work: impl FnOnce() -> Option<T>) -> Option<T> {
        let since = self.since?;
        let began = since.elapsed();
        if milliseconds(began) < self.not_before_ms.load(Ordering::Relaxed) {
            return None;
        }
        let done = work();
        let ended = since.elapsed();
        if ended.saturating_sub(began) > SLOW {
            self.not_before_ms.store(milliseconds(ended + SLOW_FOR), Ordering::Relaxed);
        }
        done
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(target_os = "linux")]
fn is_of_this_machine(root: &Path) -> bool {
    rustix::fs::statfs(root).is_ok_and(|told| OF_THIS_MACHINE.contains(&told.f_type))
}

/// Elsewhere it is not known.
#[cfg(not(target_os = "linux"))]
fn is_of_this_machine(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "plays a slow disk")]
    fn a_slow_disk_is_not_asked_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let at_once = AtOnce::of(folder.path());
        assert_eq!(at_once.done(|| Some(1)), Some(1));
        assert_eq!(at_once.done(|| None::<u8>), None);
        let slow = || {
            std::thread::sleep(SLOW * 2);
            Some(3)
        };
        assert_eq!(at_once.done(slow), Some(3));
        assert_eq!(at_once.done(|| Some(2)), None);
    }

    #[test]
    fn a_file_system_that_is_no_disk_is_not_asked_at_once() {
        assert_eq!(AtOnce::of(Path::new("/proc")).done(|| Some(1)), None);
        assert_eq!(AtOnce::of(Path::new("/missing")).done(|| Some(1)), None);
    }
}
