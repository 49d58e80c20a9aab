//! Acts aimed at processes: others, and new ones.
#![allow(unsafe_code)]

use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, WaitOptions};

use crate::act::Act;
use crate::act::Hold::{Environment, Landlock, Limits, Privileges, Seccomp};
use crate::acts::raw;
use crate::grounds::Grounds;

type Result = std::result::Result<(), Errno>;

/// The one act that a program with many processors needs.
pub(crate) const THREAD: &str = "thread";

/// The acts.
pub(crate) const ACTS: &[Act] = &[
    Act {
        name: "read_environment",
        what: "read secrets in the environment",
        held_by: &[Environment],
        attempt: |_| std::env::vars_os().next().map(drop).ok_or(Errno::NOENT),
    },
    Act {
        name: "use_inherited",
        what: "use a descriptor that was left open",
        held_by: &[Environment, Seccomp],
        attempt: use_inherited,
    },
    Act { name: "execute", what: "run a program", held_by: &[Seccomp], attempt: execute },
    Act {
        name: "fork",
        what: "start a process (a fork bomb starts so)",
        held_by: &[Seccomp],
        attempt: fork,
    },
    Act { name: THREAD, what: "start a thread", held_by: &[Seccomp], attempt: thread },
    Act {
        name: "trace_parent",
        what: "trace the parent (ptrace)",
        held_by: &[Landlock(1), Seccomp],
        attempt: trace_parent,
    },
    Act {
        name: "peek_parent",
        what: "read the parent's memory (process_vm_readv)",
        held_by: &[Landlock(1), Seccomp],
        attempt: peek_parent,
    },
    Act {
        name: "open_parent_memory",
        what: "open the parent's memory (/proc/…/mem)",
        held_by: &[Limits, Landlock(1), Seccomp],
        attempt: |grounds| open_of(grounds.parent, "mem"),
    },
    Act {
        name: "open_parent_environment",
        what: "open the parent's environment (/proc/…/environ)",
        held_by: &[Limits, Landlock(1), Seccomp],
        attempt: |grounds| open_of(grounds.parent, "environ"),
    },
    Act {
        name: "open_init",
        what: "look into the first process (/proc/1)",
        held_by: &[Limits, Landlock(1), Seccomp],
        attempt: |_| open_of(1, "status"),
    },
    Act {
        name: "take_descriptor",
        what: "take a descriptor of the parent (pidfd)",
        held_by: &[Limits, Seccomp],
        attempt: take_descriptor,
    },
    Act {
        name: "signal_parent",
        what: "kill the parent (a signal that only asks whether it may)",
        held_by: &[Landlock(6), Seccomp],
        attempt: |grounds| rustix::process::test_kill_process(pid(grounds)?),
    },
    Act {
        name: "limit_parent",
        what: "change the parent's limits",
        held_by: &[Seccomp],
        attempt: limit_parent,
    },
    Act {
        name: "raise_limits",
        what: "raise its own limits",
        held_by: &[Seccomp],
        attempt: raise_limits,
    },
    Act {
        name: "raise_priority",
        what: "go before other processes",
        held_by: &[Privileges, Seccomp],
        attempt: |_| rustix::process::setpriority_process(None, -20),
    },
    Act {
        name: "change_user",
        what: "become another user",
        held_by: &[Privileges, Seccomp],
        attempt: change_user,
    },
];

fn pid(grounds: &Grounds) -> std::result::Result<Pid, Errno> {
    Pid::from_raw(grounds.parent).ok_or(Errno::SRCH)
}

fn use_inherited(_grounds: &Grounds) -> Result {
    // SAFETY: asks for the flags of a descriptor, which need not exist.
    let held = |fd: usize| unsafe { raw::call(libc::SYS_fcntl, &[fd, libc::F_GETFD as usize]) };
    (3..64).map(held).find(std::result::Result::is_ok).map(drop).ok_or(Errno::BADF)
}

/// Arguments that point nowhere: the call is refused for them only after it was permitted.
fn execute(_grounds: &Grounds) -> Result {
    let nowhere = usize::MAX - 4095;
    // SAFETY: the kernel looks at the pointer to the arguments, and refuses it.
    let result =
        unsafe { raw::call(libc::SYS_execve, &[c"/bin/sh".as_ptr() as usize, nowhere, nowhere]) };
    raw::unless(result, &[Errno::FAULT])
}

fn fork(_grounds: &Grounds) -> Result {
    // SAFETY: the child ends at once.
    let child = unsafe {
        let child = libc::fork();
        if child == 0 {
            libc::_exit(0);
        }
        child
    };
    let failed = std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
    let child = Pid::from_raw(child.max(0)).ok_or(Errno::from_raw_os_error(failed))?;
    rustix::process::waitpid(Some(child), WaitOptions::empty()).map(drop)
}

fn thread(_grounds: &Grounds) -> Result {
    let started = std::thread::Builder::new().stack_size(64 << 10).spawn(|| ());
    let code = |error: std::io::Error| error.raw_os_error().unwrap_or(libc::EIO);
    let thread = started.map_err(|error| Errno::from_raw_os_error(code(error)))?;
    thread.join().map_err(|_| Errno::IO)
}

/// Attaches without stopping the parent; the end of this process lets it go.
fn trace_parent(grounds: &Grounds) -> Result {
    let request = libc::PTRACE_SEIZE as usize;
    // SAFETY: seizing takes a process and no address.
    unsafe { raw::call(libc::SYS_ptrace, &[request, grounds.parent as usize, 0, 0]) }.map(drop)
}

/// An address that is mapped nowhere: the call is refused for it only after it was permitted.
fn peek_parent(grounds: &Grounds) -> Result {
    let mut byte = [0_u8; 1];
    let local = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    let remote = libc::iovec { iov_base: std::ptr::without_provenance_mut(16), iov_len: 1 };
    let (local, remote) = (&raw const local as usize, &raw const remote as usize);
    let arguments = [grounds.parent as usize, local, 1, remote, 1, 0];
    // SAFETY: one piece of one byte on each side; the remote address is the other process's.
    raw::unless(unsafe { raw::call(libc::SYS_process_vm_readv, &arguments) }, &[Errno::FAULT])
}

fn open_of(process: i32, file: &str) -> Result {
    let place = Path::new("/proc").join(process.to_string()).join(file);
    rustix::fs::open(place, OFlags::RDONLY, Mode::empty()).map(drop)
}

fn take_descriptor(grounds: &Grounds) -> Result {
    let parent = rustix::process::pidfd_open(pid(grounds)?, rustix::process::PidfdFlags::empty())?;
    let flags = rustix::process::PidfdGetfdFlags::empty();
    rustix::process::pidfd_getfd(parent, 0, flags).map(drop)
}

/// Sets a limit to what it is.
fn limit_parent(grounds: &Grounds) -> Result {
    let parent = Some(pid(grounds)?);
    // SAFETY: asks for a limit into a structure of the right size.
    let mut now = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let place = &raw mut now as usize;
    let arguments = [grounds.parent as usize, libc::RLIMIT_CORE as usize, 0, place];
    // SAFETY: as above.
    unsafe { raw::call(libc::SYS_prlimit64, &arguments) }?;
    let number = |limit: u64| (limit != libc::RLIM_INFINITY).then_some(limit);
    let same = Rlimit { current: number(now.rlim_cur), maximum: number(now.rlim_max) };
    rustix::process::prlimit(parent, Resource::Core, same).map(drop)
}

fn raise_limits(_grounds: &Grounds) -> Result {
    let endless = Rlimit { current: None, maximum: None };
    rustix::process::setrlimit(Resource::Fsize, endless)
}

fn change_user(_grounds: &Grounds) -> Result {
    // SAFETY: user ids, no pointers. The call is made itself, for this thread.
    unsafe { raw::call(libc::SYS_setresuid, &[1, 1, 1]) }.map(drop)
}
