//! How much work and memory one file may cost.

use std::cell::Cell;

/// The largest number of pages.
pub(super) const MAX_PAGES: usize = 20_000;

/// The largest number of objects.
pub(super) const MAX_OBJECTS: usize = 4_000_000;

/// How deep drawings may stand inside drawings.
pub(super) const MAX_NESTING: usize = 16;

/// Bytes that all streams of a file may unpack to, one by one and together.
pub(super) const MAX_STREAM_BYTES: usize = 64 << 20;
const MAX_UNPACKED_BYTES: usize = 1 << 30;

/// Drawing instructions in a file, characters and lines on it and on one page.
const MAX_STEPS: usize = 100_000_000;
const MAX_MARKS: usize = 20_000_000;
pub(super) const MAX_PAGE_MARKS: usize = 100_000;

/// What is left; it only goes down.
pub(super) struct Fuel {
    unpacked_bytes: Cell<usize>,
    steps: Cell<usize>,
    marks: Cell<usize>,
}

impl Fuel {
    pub(super) fn new() -> Fuel {
        Fuel {
            unpacked_bytes: Cell::new(MAX_UNPACKED_BYTES),
            steps: Cell::new(MAX_STEPS),
            marks: Cell::new(MAX_MARKS),
        }
    }

    /// Whether another instruction may be carried out.
    pub(super) fn step(&self) -> bool {
        take(&self.steps, 1)
    }

    /// Whether a character or line may be kept.
    pub(super) fn mark(&self) -> bool {
        take(&self.marks, 1)
    }

    /// Whether a stream may be unpacked to so many bytes.
    pub(super) fn unpack(&self, bytes: usize) -> bool {
        take(&self.unpacked_bytes, bytes)
    }

    /// Whether any of it has run out.
    pub(super) fn is_spent(&self) -> bool {
        [&self.unpacked_bytes, &self.steps, &self.marks].iter().any(|left| left.get() == 0)
    }
}

fn take(left: &Cell<usize>, amount: usize) -> bool {
    match left.get().checked_sub(amount) {
        Some(rest) => {
            left.set(rest);
            true
        }
        None => {
            left.set(0);
            false
        }
    }
}
