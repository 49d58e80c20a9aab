//! Namespaces of the cell's own.
#![allow(unsafe_code)]

use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::failed;

/// Leaves the network, IPC and host name that others share; without root, by way of a user
/// namespace. A mount namespace would add nothing where Landlock stands, and a PID namespace would
/// have to be made anew for every cell.
pub(super) fn leave() -> Result<String, String> {
    let own = UnshareFlags::NEWNET | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    if unshare(own).is_ok() {
        return Ok("own network, IPC and host name".to_owned());
    }
    unshare(own | UnshareFlags::NEWUSER).map_err(failed("unshare"))?;
    Ok("own users, network, IPC and host name".to_owned())
}

fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: the flags do not part the table of descriptors, and a keeper has one thread.
    unsafe { unshare_unsafe(flags) }
}
