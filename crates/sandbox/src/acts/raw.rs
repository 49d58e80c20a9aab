//! System calls by number.
#![allow(unsafe_code)]

use rustix::io::Errno;

/// A system call by its number.
///
/// # Safety
/// The arguments must be what the call takes: pointers to memory of the right size, or none.
pub(super) unsafe fn call(number: libc::c_long, arguments: &[usize]) -> Result<usize, Errno> {
    let argument = |index: usize| arguments.get(index).copied().unwrap_or(0);
    // SAFETY: as the caller promises.
    let result = unsafe {
        libc::syscall(
            number,
            argument(0),
            argument(1),
            argument(2),
            argument(3),
            argument(4),
            argument(5),
        )
    };
    let failed = std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
    usize::try_from(result).map_err(|_| Errno::from_raw_os_error(failed))
}

/// The same for a call that gives a descriptor, which is closed again.
///
/// # Safety
/// As for [`call`].
pub(super) unsafe fn open(number: libc::c_long, arguments: &[usize]) -> Result<(), Errno> {
    // SAFETY: as the caller promises; the descriptor is new and ours.
    unsafe {
        let descriptor = call(number, arguments)?;
        call(libc::SYS_close, &[descriptor]).map(drop)
    }
}

/// The error that a call gives when it was permitted, and only what it was given was nonsense, is
/// no denial.
pub(super) fn unless(result: Result<usize, Errno>, nonsense: &[Errno]) -> Result<(), Errno> {
    match result {
        Err(error) if !nonsense.contains(&error) => Err(error),
        _ => Ok(()),
    }
}
