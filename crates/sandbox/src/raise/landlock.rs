//! Landlock: <https://docs.kernel.org/userspace-api/landlock.html>.
#![allow(unsafe_code)]

use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, RestrictionStatus, Ruleset, RulesetAttr,
    RulesetStatus, Scope,
};

/// The newest rules that this was tried with.
const NEWEST: ABI = ABI::V7;

/// Forbids all that Landlock can forbid, without exceptions.
pub(super) fn restrict() -> Result<String, String> {
    let status = ruleset().map_err(|error| error.to_string())?;
    let LandlockStatus::Available { effective_abi, .. } = status.landlock else {
        return Err("this kernel has no Landlock, or it is not enabled (boot with lsm=landlock,…)"
            .to_owned());
    };
    if status.ruleset == RulesetStatus::NotEnforced {
        return Err("the kernel did not enforce the rules".to_owned());
    }
    let version = effective_abi as i32;
    let what = match version {
        0..4 => "no files; this kernel's Landlock knows no TCP, signals or abstract sockets",
        4..6 => "no files, no TCP; this kernel's Landlock knows no signals or abstract sockets",
        _ => "no files, no TCP, no signals or abstract sockets to outside",
    };
    Ok(format!("ABI {version}: {what}"))
}

fn ruleset() -> Result<RestrictionStatus, landlock::RulesetError> {
    Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .restrict_self()
}

/// The kernel's version of Landlock; 0 is none.
pub(crate) fn abi() -> u32 {
    const VERSION: libc::c_uint = 1;
    let none = std::ptr::null::<libc::c_void>();
    // SAFETY: with this flag the call takes no structure and only gives a number back.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0_usize, VERSION) };
    u32::try_from(version).unwrap_or(0)
}
