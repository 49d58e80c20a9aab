//! A system that lacks a layer, for tests.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule,
};

use crate::error::{Error, Result};
use crate::layer::Layer;

/// Makes this thread, and whatever it starts, live on a system that lacks a layer: the system
/// calls that would raise it fail, as they do in an old kernel or a strict container. It cannot be
/// undone.
///
/// For tests of what a program then does. The environment is no layer of the system; that call
/// changes nothing.
///
/// # Errors
/// [`Error::Start`] if the system lets no such thing be done.
pub fn lack(layer: Layer) -> Result<()> {
    let rules = rules(layer).map_err(std::io::Error::other).map_err(Error::start)?;
    if rules.is_empty() {
        return Ok(());
    }
    let program = compile(rules).map_err(std::io::Error::other).map_err(Error::start)?;
    seccompiler::apply_filter(&program).map_err(std::io::Error::other).map_err(Error::start)
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn rules(layer: Layer) -> std::result::Result<Rules, BackendError> {
    let mut rules = Rules::new();
    match layer {
        Layer::Environment => {}
        Layer::Namespaces => {
            rules.insert(libc::SYS_unshare, Vec::new());
        }
        Layer::Privileges => {
            rules.insert(libc::SYS_setresuid, Vec::new());
            rules.insert(libc::SYS_setresgid, Vec::new());
            rules.insert(libc::SYS_capset, Vec::new());
        }
        Layer::Limits => {
            // Asking for a limit is not setting it.
            let sets = condition(2, SeccompCmpOp::Ne, 0)?;
            rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(vec![sets])?]);
            rules.insert(libc::SYS_setrlimit, Vec::new());
        }
        Layer::Landlock => {
            rules.insert(libc::SYS_landlock_create_ruleset, Vec::new());
        }
        Layer::Seccomp => {
            let filters = condition(0, SeccompCmpOp::Eq, libc::PR_SET_SECCOMP as u64)?;
            rules.insert(libc::SYS_prctl, vec![SeccompRule::new(vec![filters])?]);
            rules.insert(libc::SYS_seccomp, Vec::new());
        }
    }
    Ok(rules)
}

fn condition(
    index: u8,
    operator: SeccompCmpOp,
    value: u64,
) -> std::result::Result<SeccompCondition, BackendError> {
    SeccompCondition::new(index, SeccompCmpArgLen::Qword, operator, value)
}

fn compile(rules: Rules) -> std::result::Result<BpfProgram, BackendError> {
    let refused = SeccompAction::Errno(libc::ENOSYS as u32);
    let target = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Allow, refused, target)?.try_into()
}
