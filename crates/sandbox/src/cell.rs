//! What a cell does: shut its doors, read one request, answer, end.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

use crate::Work;
use crate::act;
use crate::frame::{self, HEADER_BYTES, Kind};
use crate::grounds::Grounds;
use crate::keep::die_with_parent;
use crate::layer::{self, Layers};
use crate::raise;
use crate::setup::{Missing, Order};

/// How a cell ends that was asked nothing, because its pipe was closed.
pub(crate) const NOTHING_ASKED: i32 = 77;
/// How a cell ends that could not be made, or was asked in another way than agreed.
const NOT_AS_AGREED: i32 = 78;

/// The life of a cell; it does not come back.
pub(crate) fn live(order: &Order, mut layers: Layers, work: Work) -> ! {
    let keeper = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
    // The keeper's own pipe is closed, and its place taken by the pipe for answers.
    let closed = rustix::stdio::dup2_stdout(rustix::stdio::stderr());
    if die_with_parent(keeper).is_err() || closed.is_err() {
        end(NOT_AS_AGREED);
    }
    raise::in_cell(order, &mut layers);
    let Some((kind, length)) = read_header() else {
        end(NOTHING_ASKED);
    };
    let missing = layer::missing(&layers);
    if kind == Kind::Work && order.missing == Missing::Refuse && !missing.is_empty() {
        let names = serde_json::to_vec(&missing).unwrap_or_default();
        end(answer(Kind::Layers, &names));
    }
    if length > order.request_bytes_max {
        end(NOT_AS_AGREED);
    }
    let mut request = vec![0; length];
    if read_exactly(&mut request).is_none() {
        end(NOT_AS_AGREED);
    }
    end(match kind {
        Kind::Work => do_safely(|| work(&request)),
        Kind::Acts => do_safely(|| try_acts(&layers, &request)),
        Kind::Done | Kind::Panicked | Kind::Layers => NOT_AS_AGREED,
    })
}

fn do_safely(work: impl FnOnce() -> Vec<u8>) -> i32 {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => answer(Kind::Done, &done),
        Err(_) => answer(Kind::Panicked, PANIC.take().as_bytes()),
    }
}

fn try_acts(layers: &Layers, request: &[u8]) -> Vec<u8> {
    let grounds: Grounds = serde_json::from_slice(request).expect("grounds were sent");
    let tried = act::attempt(&grounds, layers);
    serde_json::to_vec(&tried).expect("names and numbers can be written")
}

/// Ends at once: nothing that a library left to be done at the end is done in a cell.
fn end(code: i32) -> ! {
    // SAFETY: ends the process, takes no pointer.
    unsafe { libc::_exit(code) }
}

/// 0 if the whole answer was written.
fn answer(kind: Kind, body: &[u8]) -> i32 {
    if u32::try_from(body.len()).is_err() {
        return NOT_AS_AGREED;
    }
    let header = frame::header(kind, body.len());
    let written = write_all(&header).and_then(|()| write_all(body));
    written.map_or(NOT_AS_AGREED, |()| 0)
}

fn write_all(mut bytes: &[u8]) -> Option<()> {
    while !bytes.is_empty() {
        let written = rustix::io::write(rustix::stdio::stderr(), bytes).ok()?;
        bytes = &bytes[written..];
    }
    Some(())
}

/// `None` if nothing more comes.
fn read_header() -> Option<(Kind, usize)> {
    let mut header = [0; HEADER_BYTES];
    read_exactly(&mut header)?;
    frame::parse(&header)
}

fn read_exactly(mut into: &mut [u8]) -> Option<()> {
    while !into.is_empty() {
        let read = rustix::io::read(rustix::stdio::stdin(), &mut *into).ok()?;
        if read == 0 {
            return None;
        }
        into = &mut into[read..];
    }
    Some(())
}

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// So much of what a panic says is kept, so that there is room for the place.
const SAID_CHARS: usize = 150;

/// Keeps what a panic says, and where.
pub(crate) fn remember_panic(panic: &PanicHookInfo) {
    let place = panic.location().map(|place| format!(" at {place}")).unwrap_or_default();
    let said = panic.payload_as_str().unwrap_or("it said nothing");
    let short: String = said.chars().take(SAID_CHARS).collect();
    PANIC.set(short + &place);
}
