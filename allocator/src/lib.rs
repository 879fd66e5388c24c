//! Has the allocator of the GNU C library give back what a server needed for a moment.
//!
//! It keeps an arena for each thread that allocates, up to eight for each processor, and each arena keeps what was freed in it: a server
//! whose many threads answered large queries holds what all of them once needed. Blocks of some size it takes from the system and
//! gives back at once, but the size grows with what is freed, up to 32 MiB. With fewer arenas and a size that stays, a server that was
//! asked about a million series needs half the memory, for a tenth more of processor time
//! (`docs/decisions/0016-allocator.md`).

/// Blocks from this size on are given back at once.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const GIVEN_BACK_BYTES: libc::c_int = 4 << 20;

/// What the user may say of it instead.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const SAID_BY_USER: [&str; 3] = ["GLIBC_TUNABLES", "MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_"];

/// Sets that, unless the environment says how the allocator is to be. To be called before there are threads. Other C libraries are left
/// as they are.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(
    unsafe_code,
    reason = "nothing safe sets it, and an environment counts only before the program begins"
)]
pub fn keep_little() {
    if SAID_BY_USER.iter().any(|name| std::env::var_os(name).is_some()) {
        return;
    }
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    let arenas = libc::c_int::try_from(processors.max(2)).unwrap_or(libc::c_int::MAX);
    // SAFETY: `mallopt` takes two numbers and checks them; it touches nothing but the allocator, under the allocator's lock
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, arenas);
        libc::mallopt(libc::M_MMAP_THRESHOLD, GIVEN_BACK_BYTES);
    }
}

/// See there.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_little() {}
