//! The system calls that a cell may make (`seccomp(2)`, a filter in BPF).

use std::collections::BTreeMap;

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

/// Refuses every other call with `EPERM`. Calls by another instruction set's numbers (32-bit x86)
/// end the process.
pub(super) fn filter() -> Result<String, String> {
    let rules = rules().map_err(|error| error.to_string())?;
    let count = rules.len();
    let program = compile(rules).map_err(|error| error.to_string())?;
    seccompiler::apply_filter(&program).map_err(|error| match error {
        seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error) => {
            format!("this kernel or container lets no filter be set: {error}")
        }
        other => other.to_string(),
    })?;
    Ok(format!("{count} system calls allowed, all others refused"))
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
    let condition = SeccompCondition::new(index, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)?;
    SeccompRule::new(vec![condition])
}

fn compile(rules: Rules) -> Result<BpfProgram, BackendError> {
    let refused = SeccompAction::Errno(libc::EPERM as u32);
    let target = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, refused, SeccompAction::Allow, target)?.try_into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_is_small_and_holds_no_call_that_opens_or_starts_anything() {
        let rules = rules().unwrap();
        for call in [
            libc::SYS_openat,
            libc::SYS_socket,
            libc::SYS_connect,
            libc::SYS_execve,
            libc::SYS_clone,
            libc::SYS_clone3,
            libc::SYS_prctl,
            libc::SYS_prlimit64,
            libc::SYS_ioctl,
            libc::SYS_fcntl,
            libc::SYS_dup,
            libc::SYS_kill,
            libc::SYS_tgkill,
        ] {
            assert!(!rules.contains_key(&call), "{call}");
        }
        assert!(compile(rules).unwrap().len() < 200);
    }
}
