//! Rights that a process has beside its user's.

use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{self, CapabilitySet, CapabilitySets};

use super::failed;

/// The user and group that own nothing, on every Linux.
const NOBODY: u32 = 65534;

/// Gives up root, all capabilities, and every way to gain them.
pub(super) fn give_up() -> Result<String, String> {
    let was_root = geteuid().is_root();
    // A container may have taken this right already; then the sets below are what counts.
    for capability in CapabilitySet::all().iter() {
        let _ = thread::remove_capability_from_bounding_set(capability);
    }
    let is_nobody = was_root && become_nobody().is_ok();
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    thread::set_capabilities(None, sets).map_err(failed("capset"))?;
    thread::set_no_new_privs(true).map_err(failed("no_new_privs"))?;
    // Not dumpable: no other process of the same user reads what is read here.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
        .map_err(failed("not dumpable"))?;
    Ok(match (was_root, is_nobody) {
        (true, true) => "nobody's user id, no capabilities, no new privileges",
        (true, false) => "root's user id without its capabilities, no new privileges",
        (false, _) => "no capabilities, no new privileges",
    }
    .to_owned())
}

fn become_nobody() -> rustix::io::Result<()> {
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    thread::set_thread_groups(&[])?;
    thread::set_thread_res_gid(group, group, group)?;
    thread::set_thread_res_uid(user, user, user)
}
