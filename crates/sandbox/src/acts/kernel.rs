//! Acts aimed at the kernel itself, and at the machine.
#![allow(unsafe_code)]

use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

use crate::act::Act;
use crate::act::Hold::{Limits, Privileges, Seccomp};
use crate::acts::raw;
use crate::grounds::Grounds;

type Result = std::result::Result<(), Errno>;

const PAGE_BYTES: usize = 4096;

pub(crate) const TAKE_MEMORY: &str = "take_memory";
pub(crate) const MESSAGE_QUEUE: &str = "message_queue";

/// The acts.
pub(crate) const ACTS: &[Act] = &[
    Act {
        name: TAKE_MEMORY,
        what: "take more memory than allowed",
        held_by: &[Limits],
        attempt: take_memory,
    },
    Act {
        name: "run_memory",
        what: "make memory that can be written and run",
        held_by: &[Seccomp],
        attempt: run_memory,
    },
    Act {
        name: "io_uring",
        what: "set up io_uring",
        held_by: &[Limits, Seccomp],
        attempt: io_uring,
    },
    Act {
        name: "mount",
        what: "mount a file system",
        held_by: &[Privileges, Seccomp],
        attempt: mount,
    },
    Act {
        name: "sysv_memory",
        what: "make System V shared memory",
        held_by: &[Seccomp],
        attempt: sysv_memory,
    },
    Act {
        name: MESSAGE_QUEUE,
        what: "open a message queue",
        held_by: &[Limits, Seccomp],
        attempt: message_queue,
    },
    Act {
        name: "keyring",
        what: "use the kernel's keyring",
        held_by: &[Seccomp],
        attempt: keyring,
    },
    Act { name: "bpf", what: "load a BPF map", held_by: &[Limits, Seccomp], attempt: bpf },
    Act {
        name: "userfaultfd",
        what: "handle page faults (userfaultfd)",
        held_by: &[Limits, Seccomp],
        attempt: userfaultfd,
    },
    Act {
        name: "performance_counters",
        what: "read performance counters (perf_event_open)",
        held_by: &[Limits, Seccomp],
        attempt: performance_counters,
    },
    Act {
        name: "kernel_module",
        what: "load a kernel module",
        held_by: &[Privileges, Seccomp],
        attempt: kernel_module,
    },
    Act {
        name: "kernel_log",
        what: "clear the kernel's log",
        held_by: &[Privileges, Seccomp],
        attempt: kernel_log,
    },
    Act {
        name: "watch_files",
        what: "watch files (inotify)",
        held_by: &[Limits, Seccomp],
        attempt: |_| rustix::fs::inotify::init(rustix::fs::inotify::CreateFlags::empty()).map(drop),
    },
    // The last one: where it is done, this process has other rights than before.
    Act {
        name: "new_namespaces",
        what: "make namespaces of its own",
        held_by: &[Seccomp],
        attempt: new_namespaces,
    },
];

fn take_memory(grounds: &Grounds) -> Result {
    let bytes = usize::try_from(grounds.memory_bytes).map_err(|_| Errno::NOMEM)?;
    let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
    // SAFETY: new memory at a place that the kernel chooses, given back unused.
    unsafe {
        let place = mmap_anonymous(std::ptr::null_mut(), bytes, protection, flags)?;
        munmap(place, bytes)
    }
}

fn run_memory(_grounds: &Grounds) -> Result {
    let protection = ProtFlags::READ | ProtFlags::WRITE | ProtFlags::EXEC;
    // SAFETY: as above.
    unsafe {
        let place =
            mmap_anonymous(std::ptr::null_mut(), PAGE_BYTES, protection, MapFlags::PRIVATE)?;
        munmap(place, PAGE_BYTES)
    }
}

fn io_uring(_grounds: &Grounds) -> Result {
    // The size of `struct io_uring_params`.
    let mut parameters = [0_u8; 120];
    // SAFETY: one entry, and parameters of the right size, all zero.
    unsafe { raw::open(libc::SYS_io_uring_setup, &[1, parameters.as_mut_ptr() as usize]) }
}

/// A file system that is mounted nowhere yet; the right to mount is asked for already here.
fn mount(_grounds: &Grounds) -> Result {
    // SAFETY: a name that ends with a zero byte, and no flags.
    unsafe { raw::open(libc::SYS_fsopen, &[c"tmpfs".as_ptr() as usize, 0]) }
}

fn sysv_memory(_grounds: &Grounds) -> Result {
    let flags = (libc::IPC_CREAT | 0o600) as usize;
    // SAFETY: a private key, a size and flags; what was made is removed again.
    unsafe {
        let id = raw::call(libc::SYS_shmget, &[libc::IPC_PRIVATE as usize, PAGE_BYTES, flags])?;
        raw::call(libc::SYS_shmctl, &[id, libc::IPC_RMID as usize, 0]).map(drop)
    }
}

fn message_queue(_grounds: &Grounds) -> Result {
    let flags = (libc::O_CREAT | libc::O_RDWR) as usize;
    let name = c"allod-cell".as_ptr() as usize;
    // SAFETY: a name that ends with a zero byte, flags, a mode and no attributes.
    unsafe {
        raw::open(libc::SYS_mq_open, &[name, flags, 0o600, 0])?;
        raw::call(libc::SYS_mq_unlink, &[name]).map(drop)
    }
}

/// Asks for the number of the session's keyring.
fn keyring(_grounds: &Grounds) -> Result {
    const GET_KEYRING_ID: usize = 0;
    const SESSION: usize = -3_isize as usize;
    // SAFETY: numbers only.
    unsafe { raw::call(libc::SYS_keyctl, &[GET_KEYRING_ID, SESSION, 1]) }.map(drop)
}

fn bpf(_grounds: &Grounds) -> Result {
    const MAP_CREATE: usize = 0;
    const ARRAY: u32 = 2;
    // Kind, bytes of a key, bytes of a value, entries: the beginning of `union bpf_attr`.
    let attributes = [ARRAY, 4, 4, 1];
    let place = attributes.as_ptr() as usize;
    // SAFETY: attributes and their size in bytes.
    unsafe { raw::open(libc::SYS_bpf, &[MAP_CREATE, place, size_of_val(&attributes)]) }
}

fn userfaultfd(_grounds: &Grounds) -> Result {
    const USER_MODE_ONLY: usize = 1;
    // SAFETY: flags only.
    unsafe { raw::open(libc::SYS_userfaultfd, &[USER_MODE_ONLY]) }
}

/// A software clock of this process.
fn performance_counters(_grounds: &Grounds) -> Result {
    const SOFTWARE: u32 = 1;
    const BYTES: u32 = 64;
    // The first published size of `struct perf_event_attr`: kind, size, then all zero.
    let mut attributes = [0_u32; 16];
    (attributes[0], attributes[1]) = (SOFTWARE, BYTES);
    let any = usize::MAX;
    let place = attributes.as_ptr() as usize;
    // SAFETY: attributes that state their own size.
    unsafe { raw::open(libc::SYS_perf_event_open, &[place, 0, any, any, 0]) }
}

/// An empty module: refused as nonsense only after it was permitted.
fn kernel_module(_grounds: &Grounds) -> Result {
    // SAFETY: no bytes of a module, and an empty text of parameters.
    let result = unsafe { raw::call(libc::SYS_init_module, &[0, 0, c"".as_ptr() as usize]) };
    raw::unless(result, &[Errno::FAULT, Errno::NOEXEC, Errno::INVAL])
}

/// Asks for the size of the log's buffer with the right that clearing needs (opening does nothing).
fn kernel_log(_grounds: &Grounds) -> Result {
    const OPEN: usize = 1;
    // SAFETY: opening takes no buffer.
    unsafe { raw::call(libc::SYS_syslog, &[OPEN, 0, 0]) }.map(drop)
}

fn new_namespaces(_grounds: &Grounds) -> Result {
    let flags = (libc::CLONE_NEWUSER | libc::CLONE_NEWNET) as usize;
    // SAFETY: flags, no pointers.
    unsafe { raw::call(libc::SYS_unshare, &[flags]) }.map(drop)
}
