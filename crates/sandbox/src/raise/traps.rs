//! Opening files without the system call: what would open one, or ask about one, traps into a
//! handler, which asks the program that started this one for a descriptor. Code that opens files
//! by path runs here unchanged, and no path ever reaches the kernel from this process.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::seccomp::SHELF;
use crate::shelf::{FILE, FOLDER, PATH_BYTES_MAX};

/// The calls that trap.
pub(super) const CALLS: [i64; 3] = [libc::SYS_openat, libc::SYS_newfstatat, libc::SYS_statx];

/// One asks at a time.
static ASKING: Mutex<()> = Mutex::new(());

/// What lies under a path.
enum Found {
    File(OwnedFd),
    Folder,
}

/// What a system call gives: a number, or an error as a positive one.
type Given = Result<i64, i32>;

/// Puts the handler in place.
pub(super) fn set() -> Result<(), String> {
    if cfg!(not(any(target_arch = "x86_64", target_arch = "aarch64"))) {
        return Err("files cannot be handed over on this processor".to_owned());
    }
    let handler = handle as extern "C" fn(_, _, _);
    // SAFETY: an action of all zeros is valid; the handler has the type that SA_SIGINFO asks for.
    let set = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO;
        libc::sigaction(libc::SIGSYS, &raw const action, std::ptr::null_mut())
    };
    if set == 0 { Ok(()) } else { Err(format!("sigaction: {}", std::io::Error::last_os_error())) }
}

/// Takes the place of a system call: reads its number and arguments from the interrupted thread,
/// and leaves what it gives where the thread looks for it.
extern "C" fn handle(
    _signal: libc::c_int,
    _about: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the kernel hands a handler with SA_SIGINFO a pointer to the thread's context, which
    // is its alone until it returns. Arguments are those of the call that the filter trapped.
    unsafe {
        let context = &mut *context.cast::<libc::ucontext_t>();
        let (call, arguments) = registers::call(context);
        let given = act(call, arguments);
        registers::give(context, given.unwrap_or_else(|error| -i64::from(error)));
    }
}

/// # Safety
/// The arguments must be those of the call with this number.
unsafe fn act(call: i64, [first, second, third, fourth, fifth]: [u64; 5]) -> Given {
    // SAFETY: as the caller promises; pointers that lead nowhere harm nobody but this process.
    unsafe {
        match call {
            libc::SYS_openat => open(second, third),
            libc::SYS_newfstatat => stat(first, second, fourth, |about| {
                std::ptr::write_unaligned(third as usize as *mut libc::stat, about);
            }),
            libc::SYS_statx => stat(first, second, third, |about| {
                std::ptr::write_unaligned(fifth as usize as *mut libc::statx, long(&about));
            }),
            _ => Err(libc::ENOSYS),
        }
    }
}

/// # Safety
/// `path` must be a text that ends with a zero byte.
unsafe fn open(path: u64, flags: u64) -> Given {
    let forbidden = libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_TMPFILE;
    if flags as i32 & forbidden != 0 {
        return Err(libc::EACCES);
    }
    // SAFETY: as the caller promises.
    match unsafe { find(path) }? {
        Found::File(file) => Ok(i64::from(file.into_raw_fd())),
        Found::Folder => Err(libc::EACCES),
    }
}

/// # Safety
/// `path` must be a text that ends with a zero byte.
unsafe fn stat(folder: u64, path: u64, flags: u64, give: impl FnOnce(libc::stat)) -> Given {
    // SAFETY: a structure of numbers may be all zeros.
    let mut about: libc::stat = unsafe { std::mem::zeroed() };
    let mut ask = |descriptor: i32| {
        // SAFETY: asks about a descriptor into a structure of the right size.
        let asked = unsafe { libc::syscall(libc::SYS_fstat, descriptor, &raw mut about) };
        if asked == 0 { Ok(()) } else { Err(libc::EBADF) }
    };
    // SAFETY: as the caller promises; the path may be absent.
    let unnamed = path == 0 || unsafe { *(path as usize as *const u8) } == 0;
    if unnamed && flags as i32 & libc::AT_EMPTY_PATH != 0 {
        ask(folder as i32)?;
    } else {
        if path == 0 {
            return Err(libc::EFAULT);
        }
        // SAFETY: as the caller promises.
        match unsafe { find(path) }? {
            Found::File(file) => ask(file.as_raw_fd())?,
            Found::Folder => about.st_mode = libc::S_IFDIR | 0o555,
        }
    }
    give(about);
    Ok(0)
}

/// The same as `statx(2)` has it.
fn long(about: &libc::stat) -> libc::statx {
    // SAFETY: a structure of numbers may be all zeros.
    let mut long: libc::statx = unsafe { std::mem::zeroed() };
    long.stx_mask = libc::STATX_BASIC_STATS;
    long.stx_mode = about.st_mode as u16;
    long.stx_size = about.st_size.unsigned_abs();
    long.stx_ino = about.st_ino;
    long.stx_nlink = 1;
    long.stx_blksize = 4096;
    long.stx_blocks = about.st_blocks.unsigned_abs();
    long.stx_mtime.tv_sec = about.st_mtime;
    long.stx_mtime.tv_nsec = about.st_mtime_nsec as u32;
    long
}

/// Asks for what lies under a path: its length in two bytes and its bytes; then comes one byte
/// that says what it is, with a descriptor if it is a file.
///
/// # Safety
/// `path` must be a text that ends with a zero byte.
unsafe fn find(path: u64) -> Result<Found, i32> {
    // SAFETY: as the caller promises.
    let path = unsafe { CStr::from_ptr(path as usize as *const libc::c_char) }.to_bytes();
    if path.is_empty() || path.len() > PATH_BYTES_MAX {
        return Err(libc::ENOENT);
    }
    // SAFETY: the socket stays open as long as the process; in a self-test there is none, which
    // the kernel says.
    let shelf = unsafe { BorrowedFd::borrow_raw(SHELF) };
    let mut request = [0; PATH_BYTES_MAX + 2];
    request[..2].copy_from_slice(&(path.len() as u16).to_le_bytes());
    request[2..path.len() + 2].copy_from_slice(path);
    let _one = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut rest = &request[..path.len() + 2];
    while !rest.is_empty() {
        let written = rustix::io::write(shelf, rest).map_err(|_| libc::EACCES)?;
        rest = &rest[written..];
    }
    receive(shelf)
}

fn receive(shelf: BorrowedFd<'_>) -> Result<Found, i32> {
    let mut kind = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let got = recvmsg(shelf, &mut [IoSliceMut::new(&mut kind)], &mut ancillary, flags);
    if got.map_err(|_| libc::EACCES)?.bytes != 1 {
        return Err(libc::EACCES);
    }
    let file = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    match (kind, file) {
        ([FILE], Some(file)) => Ok(Found::File(file)),
        ([FOLDER], _) => Ok(Found::Folder),
        _ => Err(libc::ENOENT),
    }
}

/// Where a system call has its number, its arguments and its result.
#[cfg(target_arch = "x86_64")]
mod registers {
    /// The number and the first arguments.
    pub(super) fn call(context: &libc::ucontext_t) -> (i64, [u64; 5]) {
        let of = |register: i32| context.uc_mcontext.gregs[register as usize];
        let arguments = [libc::REG_RDI, libc::REG_RSI, libc::REG_RDX, libc::REG_R10, libc::REG_R8];
        (of(libc::REG_RAX), arguments.map(|register| of(register).cast_unsigned()))
    }

    /// Leaves the result.
    pub(super) fn give(context: &mut libc::ucontext_t, result: i64) {
        context.uc_mcontext.gregs[libc::REG_RAX as usize] = result;
    }
}

/// Where a system call has its number, its arguments and its result.
#[cfg(target_arch = "aarch64")]
mod registers {
    /// The number and the first arguments.
    pub(super) fn call(context: &libc::ucontext_t) -> (i64, [u64; 5]) {
        let [a, b, c, d, e, ..] = context.uc_mcontext.regs;
        (context.uc_mcontext.regs[8].cast_signed(), [a, b, c, d, e])
    }

    /// Leaves the result.
    pub(super) fn give(context: &mut libc::ucontext_t, result: i64) {
        context.uc_mcontext.regs[0] = result.cast_unsigned();
    }
}

/// Other processors have no handler: see [`set`].
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod registers {
    pub(super) fn call(_context: &libc::ucontext_t) -> (i64, [u64; 5]) {
        (-1, [0; 5])
    }

    pub(super) fn give(_context: &mut libc::ucontext_t, _result: i64) {}
}
