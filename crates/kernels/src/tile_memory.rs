//! Memory for pieces of tiles, many side by side in large pages.
#![allow(unsafe_code)] // pieces of one mapping, each lent to one owner

use crate::memory::Memory;
use crate::packed::{EMPTY, Tile};
use std::ops::{Deref, DerefMut, Range};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Bytes that are mapped together at least: few large pages are then shared with other memory, and
/// a shelf is soon empty and given back.
const SHELF_BYTES: usize = 16 << 20;

/// Shelves that are kept when they are empty: what comes and goes request by request would else
/// be cleared by the system each time, which takes a twentieth of a prompt's time.
const KEPT_SHELVES: usize = 4;

/// Lends pieces of one length.
#[derive(Debug)]
pub(crate) struct TileMemory {
    /// Tiles of a piece.
    len: usize,
    /// Pieces of a shelf.
    pieces: usize,
    shelves: Mutex<Shelves>,
}

#[derive(Debug, Default)]
struct Shelves {
    /// The first ones, for as long as anybody may ask for pieces.
    kept: Vec<Arc<Shelf>>,
    /// All of which a piece is lent, and those that are kept.
    all: Vec<Weak<Shelf>>,
}

/// A mapping, which goes back to the system with the last of its pieces.
#[derive(Debug)]
struct Shelf {
    start: NonNull<Tile>,
    free: Mutex<Free>,
    _memory: Memory,
}

// SAFETY: the memory that `start` points into belongs to `_memory`, and each part of it is used
// by the one piece that it is lent to.
unsafe impl Send for Shelf {}
// SAFETY: as above; the shelf itself reads and writes none of it.
unsafe impl Sync for Shelf {}

/// Places of pieces that are not lent.
#[derive(Debug)]
struct Free {
    /// They hold what their last owners left.
    used: Vec<usize>,
    /// They hold zeros, and take no memory yet.
    fresh: Range<usize>,
}

/// Some tiles of one owner.
#[derive(Debug)]
pub(crate) struct Piece {
    memory: Arc<TileMemory>,
    shelf: Arc<Shelf>,
    place: usize,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is kept is whole between any two operations.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TileMemory {
    /// For many pieces of `len` tiles.
    pub fn new(len: usize) -> Arc<TileMemory> {
        let bytes = (len * size_of::<Tile>()).max(1);
        TileMemory::of_shelves(len, SHELF_BYTES.div_ceil(bytes))
    }

    /// With so many pieces mapped together.
    pub fn of_shelves(len: usize, pieces: usize) -> Arc<TileMemory> {
        Arc::new(TileMemory { len, pieces, shelves: Mutex::default() })
    }

    /// A piece of zeros.
    ///
    /// # Panics
    /// When the system has no memory.
    pub fn zeros(self: &Arc<TileMemory>) -> Piece {
        let (shelf, place, used) = self.place();
        let mut piece = Piece { memory: self.clone(), shelf, place };
        if used {
            piece.fill(EMPTY);
        }
        piece
    }

    /// A free place, and whether it was used before.
    fn place(&self) -> (Arc<Shelf>, usize, bool) {
        let mut shelves = locked(&self.shelves);
        shelves.all.retain(|shelf| shelf.strong_count() > 0);
        for shelf in shelves.all.iter().filter_map(Weak::upgrade) {
            let found = locked(&shelf.free).take();
            if let Some((place, used)) = found {
                return (shelf, place, used);
            }
        }
        let shelf = Arc::new(Shelf::new(self.pieces, self.len));
        shelves.all.push(Arc::downgrade(&shelf));
        if shelves.kept.len() < KEPT_SHELVES {
            shelves.kept.push(shelf.clone());
        }
        let (place, used) = locked(&shelf.free).take().expect("a new shelf is empty");
        (shelf, place, used)
    }
}

impl Free {
    /// A place that takes memory already, if there is one.
    fn take(&mut self) -> Option<(usize, bool)> {
        let used = self.used.pop().map(|place| (place, true));
        used.or_else(|| self.fresh.next().map(|place| (place, false)))
    }
}

impl Shelf {
    fn new(pieces: usize, len: usize) -> Shelf {
        let bytes = pieces * len * size_of::<Tile>();
        let mut memory = Memory::zeroed(bytes).expect("memory for keys and values");
        let start = NonNull::from(&mut memory[..]).cast();
        let free = Free { used: Vec::new(), fresh: 0..pieces };
        Shelf { start, free: Mutex::new(free), _memory: memory }
    }
}

impl Piece {
    fn start(&self) -> *mut Tile {
        // SAFETY: a place is below the shelf's number of pieces, for which it has the memory.
        unsafe { self.shelf.start.as_ptr().add(self.place * self.memory.len) }
    }
}

impl Deref for Piece {
    type Target = [Tile];

    fn deref(&self) -> &[Tile] {
        // SAFETY: the place has that many tiles, aligned as the shelf is, of which any bits are
        // numbers; the mapping lives as long as the shelf; nobody else has the place.
        unsafe { std::slice::from_raw_parts(self.start(), self.memory.len) }
    }
}

impl DerefMut for Piece {
    fn deref_mut(&mut self) -> &mut [Tile] {
        // SAFETY: as above, and `self` is borrowed by the caller alone.
        unsafe { std::slice::from_raw_parts_mut(self.start(), self.memory.len) }
    }
}

impl Clone for Piece {
    fn clone(&self) -> Piece {
        let (shelf, place, _) = self.memory.place();
        let mut piece = Piece { memory: self.memory.clone(), shelf, place };
        piece.copy_from_slice(self);
        piece
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        locked(&self.shelf.free).used.push(self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::LARGE_PAGE;
    use proptest::prelude::*;

    fn marked(number: u16) -> Tile {
        let mut tile = EMPTY;
        tile.0[15][15] = [number; 2];
        tile
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]

        /// Takes, copies and gives back in any order; nobody ever sees another's tiles.
        #[test]
        fn a_piece_is_zeros_and_then_what_its_owner_wrote(
            len in 1usize..5, pieces in 1usize..6,
            steps in prop::collection::vec(0usize..40, 1..80),
        ) {
            let memory = TileMemory::of_shelves(len, pieces);
            let mut held: Vec<(u16, Piece)> = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                match step % 4 {
                    0 if !held.is_empty() => drop(held.swap_remove(step % held.len())),
                    1 if !held.is_empty() => {
                        let (number, piece) = &held[step % held.len()];
                        held.push((*number, piece.clone()));
                    }
                    _ => {
                        let mut piece = memory.zeros();
                        prop_assert!(piece.iter().all(|tile| tile.0 == EMPTY.0));
                        prop_assert_eq!(piece.len(), len);
                        piece.fill(marked(number as u16));
                        held.push((number as u16, piece));
                    }
                }
                for (number, piece) in &held {
                    prop_assert!(piece.iter().all(|tile| tile.0 == marked(*number).0));
                }
            }
            let shelves = locked(&memory.shelves);
            let there = shelves.all.iter().filter(|one| one.strong_count() > 0).count();
            prop_assert!(there <= held.len() + KEPT_SHELVES);
        }
    }

    #[test]
    fn a_shelf_begins_at_a_large_page_and_goes_with_its_last_piece_if_it_is_not_kept() {
        let memory = TileMemory::of_shelves(1, 2);
        let mut pieces: Vec<Piece> = (0..2 * KEPT_SHELVES + 2).map(|_| memory.zeros()).collect();
        assert!(pieces[0].start().cast::<u8>().align_offset(64) == 0);
        let large = TileMemory::new(1).zeros();
        assert!(large.start().cast::<u8>().align_offset(LARGE_PAGE) == 0);
        let [kept, other] = [0, 2 * KEPT_SHELVES].map(|place| Arc::downgrade(&pieces[place].shelf));
        pieces.pop();
        assert!(other.upgrade().is_some());
        pieces.clear();
        assert!(other.upgrade().is_none());
        assert!(kept.upgrade().is_some());
        drop(memory);
        assert!(kept.upgrade().is_none());
    }
}
