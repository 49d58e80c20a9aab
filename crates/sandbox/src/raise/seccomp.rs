//! The system calls that a cell may make (`seccomp(2)`, a filter in BPF).

use std::collections::BTreeMap;

use crate::raise::traps;
use crate::setup::Purpose;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule,
};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Calls that need no look at their arguments: memory, time, chance, signals to itself, the end.
const FREE: [i64; 21] = [
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_close,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// What a resident may do beside: read what it was handed, and begin threads.
const FREE_OF_RESIDENT: [i64; 9] = [
    libc::SYS_read,
    libc::SYS_pread64,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_clock_nanosleep,
    // How many pages were mapped for it: whether its weights lie in large ones.
    libc::SYS_getrusage,
    // What a new thread says of itself.
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    // Allowed here and refused by a filter of its own, with the error that libraries expect.
    libc::SYS_clone3,
];

/// The socket by which a resident asks for files.
pub(crate) const SHELF: i32 = 3;

/// Refuses every other call with `EPERM`. Calls by another instruction set's numbers (32-bit x86)
/// end the process.
pub(super) fn filter(purpose: Purpose) -> Result<String, String> {
    let rules = match purpose {
        Purpose::Document => rules(),
        Purpose::Resident => of_resident(),
    };
    let rules = rules.map_err(|error| error.to_string())?;
    let count = rules.len();
    if purpose == Purpose::Resident {
        ask_for_files()?;
    }
    apply(rules, SeccompAction::Errno(libc::EPERM as u32), SeccompAction::Allow)?;
    Ok(format!("{count} system calls allowed, all others refused"))
}

/// Opening a file is no system call any more: a handler asks the shelf for it. And libraries take
/// the older way to begin a thread, whose arguments can be looked at, where there is no newer one.
fn ask_for_files() -> Result<(), String> {
    traps::set()?;
    let rule = |call: &i64| (*call, Vec::new());
    let trapped = traps::CALLS.iter().map(rule).collect();
    apply(trapped, SeccompAction::Allow, SeccompAction::Trap)?;
    let absent = [libc::SYS_clone3].iter().map(rule).collect();
    apply(absent, SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS as u32))
}

/// Puts one more filter on: `others` for every call that the rules do not match.
fn apply(rules: Rules, others: SeccompAction, matched: SeccompAction) -> Result<(), String> {
    let program = compile(rules, others, matched).map_err(|error| error.to_string())?;
    seccompiler::apply_filter(&program).map_err(|error| match error {
        seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error) => {
            format!("this kernel or container lets no filter be set: {error}")
        }
        other => other.to_string(),
    })
}

fn of_resident() -> Result<Rules, BackendError> {
    let mut rules = rules()?;
    rules.extend(FREE_OF_RESIDENT.into_iter().map(|call| (call, Vec::new())));
    let written = [libc::STDOUT_FILENO, libc::STDERR_FILENO, SHELF];
    let written: Result<_, _> =
        written.into_iter().map(|descriptor| argument_is(0, descriptor as u64)).collect();
    rules.insert(libc::SYS_write, written?);
    rules.insert(libc::SYS_recvmsg, vec![argument_is(0, SHELF as u64)?]);
    rules.insert(libc::SYS_clone, vec![thread_flags()?]);
    rules.insert(libc::SYS_prctl, vec![argument_is(0, libc::PR_SET_NAME as u64)?]);
    let itself = [argument(0, libc::PRIO_PROCESS as u64)?, argument(1, 0)?];
    let last = argument(2, LATER)?;
    rules.insert(libc::SYS_setpriority, vec![SeccompRule::new([&itself[..], &[last]].concat())?]);
    #[cfg(target_arch = "x86_64")]
    {
        let tiles = [ARCH_GET_XCOMP_PERM, ARCH_REQ_XCOMP_PERM];
        let tiles: Result<_, _> = tiles.into_iter().map(|what| argument_is(0, what)).collect();
        rules.insert(libc::SYS_arch_prctl, tiles?);
    }
    Ok(rules)
}

/// How far a thread may step back, so that others go first.
const LATER: u64 = 10;

/// Asks which units of the processor need a permission, and for one (the tile unit).
#[cfg(target_arch = "x86_64")]
const ARCH_GET_XCOMP_PERM: u64 = 0x1022;
#[cfg(target_arch = "x86_64")]
const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;

/// What a new thread shares with the others, and nothing of its own.
fn thread_flags() -> Result<SeccompRule, BackendError> {
    let shared = libc::CLONE_VM
        | libc::CLONE_FS
        | libc::CLONE_FILES
        | libc::CLONE_SIGHAND
        | libc::CLONE_THREAD
        | libc::CLONE_SYSVSEM;
    let own = libc::CLONE_NEWNS
        | libc::CLONE_NEWCGROUP
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_PTRACE
        | libc::CLONE_VFORK;
    let (shared, own) = (shared as u32 as u64, own as u32 as u64);
    let exactly = SeccompCmpOp::MaskedEq(shared | own);
    SeccompRule::new(vec![SeccompCondition::new(0, SeccompCmpArgLen::Dword, exactly, shared)?])
}

fn rules() -> Result<Rules, BackendError> {
    let mut rules: Rules = FREE.into_iter().map(|call| (call, Vec::new())).collect();
    // Only the pipes.
    rules.insert(libc::SYS_read, vec![argument_is(0, libc::STDIN_FILENO as u64)?]);
    rules.insert(libc::SYS_write, vec![argument_is(0, libc::STDERR_FILENO as u64)?]);
    // Memory that can be run is never had: what a file brings stays data.
    let executable = libc::PROT_EXEC as u64;
    let not_executable = SeccompCmpOp::MaskedEq(executable);
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        let condition =
            SeccompCondition::new(2, SeccompCmpArgLen::Qword, not_executable.clone(), 0)?;
        rules.insert(call, vec![SeccompRule::new(vec![condition])?]);
    }
    Ok(rules)
}

fn argument_is(index: u8, value: u64) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![argument(index, value)?])
}

fn argument(index: u8, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(index, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

fn compile(
    rules: Rules,
    others: SeccompAction,
    matched: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    let target = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, others, matched, target)?.try_into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_are_small_and_hold_no_call_that_opens_or_starts_anything() {
        let (document, resident) = (rules().unwrap(), of_resident().unwrap());
        for call in [libc::SYS_clone, libc::SYS_clone3, libc::SYS_prctl, libc::SYS_recvmsg] {
            assert!(!document.contains_key(&call), "{call}");
            assert!(resident.contains_key(&call), "{call}");
        }
        for call in [
            libc::SYS_openat,
            libc::SYS_socket,
            libc::SYS_connect,
            libc::SYS_execve,
            libc::SYS_newfstatat,
            libc::SYS_statx,
            libc::SYS_sendmsg,
            libc::SYS_prlimit64,
            libc::SYS_ioctl,
            libc::SYS_fcntl,
            libc::SYS_dup,
            libc::SYS_kill,
            libc::SYS_tgkill,
        ] {
            assert!(!document.contains_key(&call) && !resident.contains_key(&call), "{call}");
        }
        for rules in [document, resident] {
            let refused = SeccompAction::Errno(libc::EPERM as u32);
            assert!(compile(rules, refused, SeccompAction::Allow).unwrap().len() < 300);
        }
    }
}
