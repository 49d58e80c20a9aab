//! Acts aimed at files.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, makedev, memfd_create};
use rustix::io::Errno;

use crate::act::Act;
use crate::act::Hold::{Landlock, Limits, Privileges, Seccomp};
use crate::acts::raw;

type Result = std::result::Result<(), Errno>;

/// The acts.
pub(crate) const ACTS: &[Act] = &[
    Act {
        name: "read_passwd",
        what: "open /etc/passwd",
        held_by: &[Limits, Landlock(1), Seccomp],
        attempt: |_| read("/etc/passwd".as_ref()),
    },
    Act {
        name: "read_file",
        what: "open a file that all may read",
        held_by: &[Limits, Landlock(1), Seccomp],
        attempt: |grounds| read(&grounds.folder.join("page")),
    },
    Act {
        name: "list_data",
        what: "look into the data folder",
        held_by: &[Limits, Landlock(1), Seccomp],
        attempt: |grounds| list(&grounds.data),
    },
    Act {
        name: "list_home",
        what: "look into other users' folders",
        held_by: &[Limits, Landlock(1), Seccomp],
        attempt: |_| list("/home".as_ref()).or_else(|_| list("/root".as_ref())),
    },
    Act {
        name: "list_root",
        what: "look into /",
        held_by: &[Limits, Landlock(1), Seccomp],
        attempt: |_| list("/".as_ref()),
    },
    Act {
        name: "stat_file",
        what: "learn whether a file exists and how long it is",
        held_by: &[Seccomp],
        attempt: |grounds| rustix::fs::stat(grounds.folder.join("page")).map(drop),
    },
    Act {
        name: "write_tmp",
        what: "write a file in a folder open to all",
        held_by: &[Limits, Landlock(1), Seccomp],
        attempt: |grounds| create(&grounds.folder.join("written")),
    },
    Act {
        name: "write_here",
        what: "write a file in the current folder",
        held_by: &[Limits, Landlock(1), Seccomp],
        attempt: |_| {
            create("allod-cell-was-here".as_ref())?;
            rustix::fs::unlink("allod-cell-was-here")
        },
    },
    Act {
        name: "write_file",
        what: "change a file that all may write",
        held_by: &[Limits, Landlock(1), Seccomp],
        attempt: |grounds| {
            let flags = OFlags::WRONLY | OFlags::APPEND;
            rustix::fs::open(grounds.folder.join("page"), flags, Mode::empty()).map(drop)
        },
    },
    Act {
        name: "truncate_file",
        what: "empty a file by its name",
        held_by: &[Landlock(3), Seccomp],
        attempt: |grounds| truncate(&grounds.folder.join("page")),
    },
    Act {
        name: "change_mode",
        what: "change the permissions of a file",
        held_by: &[Seccomp],
        attempt: |grounds| {
            let mode = Mode::from_raw_mode(0o666);
            rustix::fs::chmodat(CWD, grounds.folder.join("page"), mode, AtFlags::empty())
        },
    },
    Act {
        name: "make_symlink",
        what: "make a symbolic link",
        held_by: &[Landlock(1), Seccomp],
        attempt: |grounds| rustix::fs::symlink("/etc/passwd", grounds.folder.join("link")),
    },
    Act {
        name: "make_folder",
        what: "make a folder",
        held_by: &[Landlock(1), Seccomp],
        attempt: |grounds| rustix::fs::mkdir(grounds.folder.join("made"), Mode::RWXU),
    },
    Act {
        name: "make_pipe",
        what: "make a named pipe",
        held_by: &[Landlock(1), Seccomp],
        attempt: |grounds| {
            let place = grounds.folder.join("pipe");
            rustix::fs::mknodat(CWD, place, FileType::Fifo, Mode::RWXU, 0)
        },
    },
    Act {
        name: "remove_file",
        what: "remove a file",
        held_by: &[Landlock(1), Seccomp],
        attempt: |grounds| rustix::fs::unlink(grounds.folder.join("spare")),
    },
    Act {
        name: "make_device",
        what: "make a device node",
        held_by: &[Privileges, Landlock(1), Seccomp],
        attempt: |grounds| {
            let (place, kind) = (grounds.folder.join("device"), FileType::CharacterDevice);
            rustix::fs::mknodat(CWD, place, kind, Mode::RWXU, makedev(1, 3))
        },
    },
    Act {
        name: "open_device",
        what: "open a device node",
        held_by: &[Limits, Landlock(1), Seccomp],
        attempt: |_| read("/dev/null".as_ref()),
    },
    Act {
        name: "open_terminal",
        what: "open a terminal",
        held_by: &[Limits, Landlock(1), Seccomp],
        attempt: |_| read("/dev/ptmx".as_ref()).or_else(|_| read("/dev/tty".as_ref())),
    },
    Act {
        name: "shared_memory",
        what: "open shared memory (/dev/shm)",
        held_by: &[Limits, Landlock(1), Seccomp],
        attempt: |grounds| {
            let place = Path::new("/dev/shm").join(&grounds.abstract_name);
            create(&place)?;
            rustix::fs::unlink(&place)
        },
    },
    Act {
        name: "memory_file",
        what: "make a file in memory (memfd)",
        held_by: &[Limits, Seccomp],
        attempt: |_| memfd_create("page", rustix::fs::MemfdFlags::empty()).map(drop),
    },
    Act {
        name: "change_root",
        what: "change the root folder",
        held_by: &[Privileges, Seccomp],
        attempt: |_| rustix::process::chroot("/"),
    },
];

fn read(place: &Path) -> Result {
    rustix::fs::open(place, OFlags::RDONLY | OFlags::NOCTTY, Mode::empty()).map(drop)
}

fn list(folder: &Path) -> Result {
    rustix::fs::open(folder, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).map(drop)
}

fn create(place: &Path) -> Result {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    rustix::fs::open(place, flags, Mode::RUSR).map(drop)
}

fn truncate(place: &Path) -> Result {
    let path = CString::new(place.as_os_str().as_bytes()).map_err(|_| Errno::INVAL)?;
    // SAFETY: a path that ends with a zero byte, and a length.
    unsafe { raw::call(libc::SYS_truncate, &[path.as_ptr() as usize, 0]) }.map(drop)
}
