//! What a keeper does: give up rights, fork cells, say how each ended.
#![allow(unsafe_code)]

use std::ffi::OsString;
use std::process::ExitCode;

use rustix::process::{Pid, Signal, WaitOptions};

use crate::Work;
use crate::cell::{self, NOTHING_ASKED};
use crate::end::End;
use crate::raise;
use crate::setup::{KEEPER, Order};

/// Begins a keeper if this program was started as one; call it first of all in `main`, before any
/// thread exists, and end with the code that it gives.
///
/// The keeper's cells do `work` on what they are asked.
pub fn enter(work: Work) -> Option<ExitCode> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let order = Order::parse(KEEPER, &arguments)?;
    Some(keep(&order, work))
}

fn keep(order: &Order, work: Work) -> ExitCode {
    // An own session: no terminal, and one group to be ended with all its cells.
    let begun = rustix::process::setsid();
    let layers = raise::in_keeper(order);
    // After the change of user, which would forget it.
    let tied = die_with_parent(order.parent);
    if begun.is_err() || tied.is_err() {
        return ExitCode::FAILURE;
    }
    // No word of a panic but in the answer; also no look at files for its backtrace.
    std::panic::set_hook(Box::new(cell::remember_panic));
    loop {
        match fork() {
            Err(_) => return ExitCode::FAILURE,
            Ok(None) => cell::live(order, layers, work),
            Ok(Some(cell)) => match wait(cell) {
                Some(end) if end.code() == Some(NOTHING_ASKED) => return ExitCode::SUCCESS,
                Some(end) if tell(&end).is_ok() => {}
                _ => return ExitCode::FAILURE,
            },
        }
    }
}

/// Ends with the program that started this, even if that is killed.
pub(crate) fn die_with_parent(parent: i32) -> Result<(), rustix::io::Errno> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before the line above.
    let now = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
    if now == parent { Ok(()) } else { Err(rustix::io::Errno::SRCH) }
}

/// `None` in the child.
fn fork() -> Result<Option<Pid>, ()> {
    // SAFETY: a keeper has one thread, so the child may do whatever the parent may.
    match unsafe { libc::fork() } {
        child if child < 0 => Err(()),
        child => Ok(Pid::from_raw(child)),
    }
}

fn wait(cell: Pid) -> Option<End> {
    let (_, status) = rustix::process::waitpid(Some(cell), WaitOptions::empty()).ok()??;
    let left = rustix::io::ioctl_fionread(rustix::stdio::stdin()).ok()?;
    Some(End { status: status.as_raw(), left: u32::try_from(left).unwrap_or(u32::MAX) })
}

fn tell(end: &End) -> Result<(), rustix::io::Errno> {
    // Fewer bytes than a pipe takes in one piece.
    rustix::io::write(rustix::stdio::stdout(), &end.encode()).map(drop)
}
