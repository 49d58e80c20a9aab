//! Sealing a whole program: it and all that it starts can open no connection to outside.

use std::collections::BTreeMap;
use std::path::Path;

use landlock::{AccessNet, RestrictionStatus, Ruleset, RulesetAttr, RulesetStatus};
use rustix::io::Errno;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule,
};

use crate::acts::network;
use crate::error::{Error, Result};
use crate::grounds::{Grounds, Prepared};

/// Numbers of the 32-bit-pointer variant of x86-64 have this bit.
#[cfg(target_arch = "x86_64")]
const X32: i64 = 0x4000_0000;

/// Seals this program: from now on neither it nor anything it starts can open a connection, send a
/// packet, or take a socket from another process. Accepting connections goes on as before. It
/// cannot be undone. Call it before there is any other thread.
///
/// Two layers do this: a filter of system calls, and Landlock for TCP where the kernel has it. What
/// was done is then tried; gives the acts that were denied.
///
/// # Errors
/// [`Error::Start`] if there are other threads or the filter cannot be set, [`Error::NotSealed`] if
/// an act could be done all the same.
pub fn seal(data: &Path) -> Result<Vec<String>> {
    let threads = std::fs::read_dir("/proc/self/task").map(Iterator::count);
    if threads.map_err(Error::start)? != 1 {
        return Err(Error::start(std::io::Error::other("sealing needs a single thread")));
    }
    // What is aimed at must stand before the doors are shut.
    let prepared = Prepared::new(data, 0);
    // The kernel may know no TCP rules: then the filter stands alone, and what it does is tried.
    let landlock = forbid_tcp().map_err(|error| Error::start(std::io::Error::other(error)))?;
    let rules = rules().map_err(std::io::Error::other).map_err(Error::start)?;
    let program = compile(rules).map_err(std::io::Error::other).map_err(Error::start)?;
    seccompiler::apply_filter(&program).map_err(std::io::Error::other).map_err(Error::start)?;
    let mut denied = prove(&prepared.grounds)?;
    if landlock.ruleset != RulesetStatus::NotEnforced {
        denied.push("landlock_tcp".to_owned());
    }
    Ok(denied)
}

/// Tries every way out but listening, which a server needs.
fn prove(grounds: &Grounds) -> Result<Vec<String>> {
    let mut denied = Vec::new();
    let mut done = Vec::new();
    for act in network::ACTS.iter().filter(|act| act.name != network::LISTEN) {
        match (act.attempt)(grounds) {
            // Refused, or a kind of socket that this kernel does not have. Any other error came
            // from further out.
            Err(Errno::PERM | Errno::ACCESS | Errno::AFNOSUPPORT | Errno::SOCKTNOSUPPORT) => {
                denied.push(act.name.to_owned())
            }
            _ => done.push(act.name.to_owned()),
        }
    }
    if done.is_empty() { Ok(denied) } else { Err(Error::NotSealed { acts: done.join(", ") }) }
}

fn forbid_tcp() -> std::result::Result<RestrictionStatus, landlock::RulesetError> {
    Ruleset::default().handle_access(AccessNet::ConnectTcp)?.create()?.restrict_self()
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;
type Built<T> = std::result::Result<T, BackendError>;

/// The calls that are refused; a call without conditions is refused always.
fn rules() -> Built<Rules> {
    let mut rules: Rules = [
        libc::SYS_connect,
        libc::SYS_io_uring_setup,
        // Ways to the sockets of other processes.
        libc::SYS_pidfd_getfd,
        libc::SYS_ptrace,
        libc::SYS_process_vm_writev,
    ]
    .into_iter()
    .map(|call| (call, Vec::new()))
    .collect();
    rules.insert(libc::SYS_socket, other_sockets()?);
    // TCP can be opened by its first packet, without `connect`.
    let fast_open = u64::from(libc::MSG_FASTOPEN.unsigned_abs());
    for (call, flags) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)] {
        let sets = condition(flags, SeccompCmpOp::MaskedEq(fast_open), fast_open)?;
        rules.insert(call, vec![SeccompRule::new(vec![sets])?]);
    }
    #[cfg(target_arch = "x86_64")]
    for call in [libc::SYS_connect, libc::SYS_socket, libc::SYS_sendto, libc::SYS_io_uring_setup] {
        rules.insert(call | X32, Vec::new());
    }
    Ok(rules)
}

/// Every socket but a stream of IPv4 or IPv6, which one can listen on.
fn other_sockets() -> Built<Vec<SeccompRule>> {
    const KIND: u64 = 0xf;
    let internet = [libc::AF_INET, libc::AF_INET6].map(i32::unsigned_abs).map(u64::from);
    let [four, six] = internet;
    let other_family =
        vec![condition(0, SeccompCmpOp::Ne, four)?, condition(0, SeccompCmpOp::Ne, six)?];
    let mut rules = vec![SeccompRule::new(other_family)?];
    let stream = u64::from(libc::SOCK_STREAM.unsigned_abs());
    for kind in (0..=KIND).filter(|kind| *kind != stream) {
        let is_kind = condition(1, SeccompCmpOp::MaskedEq(KIND), kind)?;
        rules.push(SeccompRule::new(vec![is_kind])?);
    }
    Ok(rules)
}

fn condition(index: u8, operator: SeccompCmpOp, value: u64) -> Built<SeccompCondition> {
    SeccompCondition::new(index, SeccompCmpArgLen::Dword, operator, value)
}

fn compile(rules: Rules) -> Built<BpfProgram> {
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let target = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Allow, refused, target)?.try_into()
}
