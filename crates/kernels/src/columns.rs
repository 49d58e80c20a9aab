//! Some columns of a result, for one of several threads to write.
#![allow(unsafe_code)] // one memory, written by columns that do not overlap

use std::marker::PhantomData;
use std::ops::Range;

/// Columns of a row-major `[rows, width]`, of which this is the only one to see these.
#[derive(Debug)]
pub struct Columns<'a> {
    /// The first column of the first row.
    start: *mut f32,
    rows: usize,
    /// Floats from one row to the next.
    width: usize,
    len: usize,
    memory: PhantomData<&'a mut [f32]>,
}

// SAFETY: it is a way of holding `&mut [f32]`s, which may be sent.
unsafe impl Send for Columns<'_> {}

impl<'a> Columns<'a> {
    /// All columns.
    ///
    /// # Panics
    /// When `all` is not whole rows of `width`.
    pub fn of(all: &'a mut [f32], width: usize) -> Columns<'a> {
        assert!(width > 0 || all.is_empty(), "rows have a width");
        let rows = all.len().checked_div(width).unwrap_or(0);
        assert_eq!(all.len(), rows * width, "whole rows");
        Columns { start: all.as_mut_ptr(), rows, width, len: width, memory: PhantomData }
    }

    /// The columns in pieces of `len`, the last one being what is left.
    ///
    /// # Panics
    /// When `len` is 0.
    pub fn pieces(self, len: usize) -> Vec<Columns<'a>> {
        let piece = |first: usize| Columns {
            start: self.start.wrapping_add(first),
            len: len.min(self.len - first),
            ..self
        };
        (0..self.len).step_by(len).map(piece).collect()
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no columns.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Some columns of a row.
    ///
    /// # Panics
    /// When there are no such columns or there is no such row.
    pub fn of_row(&mut self, row: usize, columns: Range<usize>) -> &mut [f32] {
        assert!(columns.start <= columns.end && columns.end <= self.len, "columns of a piece");
        assert!(row < self.rows, "row {row} of {}", self.rows);
        // SAFETY: they lie in the row, which lies in the memory that was borrowed; no other piece
        // has them, and `self` is borrowed for as long as they are.
        unsafe {
            let start = self.start.add(row * self.width + columns.start);
            std::slice::from_raw_parts_mut(start, columns.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_written_side_by_side() {
        let mut all = [0.0; 3 * 5];
        let pieces = Columns::of(&mut all, 5).pieces(2);
        assert_eq!(pieces.iter().map(Columns::len).collect::<Vec<_>>(), [2, 2, 1]);
        std::thread::scope(|scope| {
            for (index, mut piece) in pieces.into_iter().enumerate() {
                scope.spawn(move || {
                    for row in 0..piece.rows() {
                        let columns = 0..piece.len();
                        piece.of_row(row, columns).fill((10 * row + index) as f32);
                    }
                });
            }
        });
        assert_eq!(all[5..10], [10.0, 10.0, 11.0, 11.0, 12.0]);
        assert_eq!(all[14], 22.0);
    }

    #[test]
    #[should_panic(expected = "columns of a piece")]
    fn another_piece_is_out_of_reach() {
        let mut all = [0.0; 4];
        Columns::of(&mut all, 4).pieces(2)[0].of_row(0, 1..3);
    }
}
