//! What a resident is inside: its doors shut, and the ways that it talks through.
#![allow(unsafe_code)]

use std::ffi::OsString;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
use std::process::ExitCode;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use crate::keep::die_with_parent;
use crate::layer;
use crate::raise::{self, SHELF};
use crate::setup::{Missing, Order, RESIDENT};

/// A resident's two ways; everything else is shut.
#[derive(Debug)]
pub struct Inside {
    /// What it is asked.
    pub requests: std::fs::File,
    /// What it answers.
    pub replies: std::fs::File,
}

/// Ends with this where the process could not be made as agreed.
const NOT_AS_AGREED: u8 = 78;

/// Begins a resident if this program was started as one; call it first of all in `main`, before
/// any thread exists, and end with the code that it gives.
///
/// Files that `work` opens by their paths are asked for from the [`crate::Shelf`] of the program
/// that started this; a path that does not lie there does not exist.
pub fn enter_resident(work: impl FnOnce(Inside) -> ExitCode) -> Option<ExitCode> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let order = Order::parse(RESIDENT, &arguments)?;
    Some(begin(&order).map_or(ExitCode::from(NOT_AS_AGREED), work))
}

fn begin(order: &Order) -> Option<Inside> {
    rustix::process::setsid().ok()?;
    // Where memory runs out, this process ends before the one that started it.
    let _ = std::fs::write("/proc/self/oom_score_adj", "500");
    let mut layers = raise::in_keeper(order);
    die_with_parent(order.parent).ok()?;
    let _shelf = take_shelf()?.into_raw_fd();
    raise::in_cell(order, &mut layers);
    let missing = layer::missing(&layers);
    if order.missing == Missing::Refuse && !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|layer| layer.name()).collect();
        let said = format!("the sandbox lacks {}", names.join(", "));
        let _ = rustix::io::write(rustix::stdio::stderr(), said.as_bytes());
        return None;
    }
    // SAFETY: the standard descriptors are open and nobody else's; this program uses no other way
    // to them but for last words.
    let (requests, replies) =
        unsafe { (std::fs::File::from_raw_fd(0), std::fs::File::from_raw_fd(1)) };
    Some(Inside { requests, replies })
}

/// The first byte that comes brings the socket by which files are asked for.
fn take_shelf() -> Option<OwnedFd> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [IoSliceMut::new(&mut byte)];
    recvmsg(rustix::stdio::stdin(), &mut bytes, &mut ancillary, RecvFlags::empty()).ok()?;
    let socket = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    })?;
    let number = socket.into_raw_fd();
    if number == SHELF {
        // SAFETY: the number is the one that was just given up.
        return Some(unsafe { OwnedFd::from_raw_fd(number) });
    }
    // SAFETY: both numbers are this process's, which has one thread; the second is nobody's, or of
    // a descriptor that was left open and is not needed.
    unsafe {
        let moved = libc::dup2(number, SHELF);
        libc::close(number);
        (moved == SHELF).then(|| OwnedFd::from_raw_fd(SHELF))
    }
}
