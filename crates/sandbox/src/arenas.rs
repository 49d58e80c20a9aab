//! How many pools of memory the allocator keeps.

/// Keeps glibc's allocator to one pool ("arena") for each processor, where it would make eight:
/// each keeps what its busiest moment took, so that a server with many threads grows for minutes.
/// To be called before threads begin. Other allocators are left as they are.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)] // a call of the C library
pub fn limit_arenas() {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let count = libc::c_int::try_from(processors).unwrap_or(libc::c_int::MAX);
    // SAFETY: it sets a number within the allocator; what it refuses stays as it was.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, count) };
}

/// Nothing: this allocator is left as it is.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn limit_arenas() {}
