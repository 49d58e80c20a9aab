//! A panel: a few rows of weights, decoded exactly and turned so that a lane is a row.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::format::{Format, decode_row};
use crate::isa::Isa;
use crate::lanes::LANES;
use crate::matrix::Matrix;

/// Rows that [`crate::linear`] works on together. Any split of rows gives the same bits; splits at
/// multiples of this are the fast ones.
pub const PANEL_ROWS: usize = 2 * LANES;
/// Columns decoded at a time; a whole number of chains and of blocks.
pub(crate) const PANEL_COLUMNS: usize = 256;
/// Tokens that use a decoded panel before it is decoded again.
pub(crate) const BAND_TOKENS: usize = 256;

/// The stored bytes of `len` columns of 16 rows.
pub(crate) struct Stored<'a> {
    pub format: Format,
    /// Each `format.row_bytes(len)` long.
    pub rows: [&'a [u8]; LANES],
    pub len: usize,
    /// Where this piece's share of the rows that come next (32 rows on) begins; only to prefetch.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // only vector code asks ahead
    pub ahead: *const u8,
}

impl<'a> Stored<'a> {
    /// Columns `from..from + len` of 16 rows from `first`; rows at and beyond `end` repeat the last
    /// one before it (their lanes are computed and dropped).
    pub(crate) fn new(
        matrix: &Matrix<'a>,
        first: usize,
        end: usize,
        from: usize,
        len: usize,
    ) -> Stored<'a> {
        let (block_len, block_bytes) = (matrix.format.block_len(), matrix.format.block_bytes());
        let (offset, size) = (from / block_len * block_bytes, len / block_len * block_bytes);
        let row_bytes = matrix.columns / block_len * block_bytes;
        let rows = std::array::from_fn(|lane| {
            let row = (first + lane).min(end - 1);
            &matrix.bytes[row * row_bytes + offset..][..size]
        });
        // A sixteenth part of each row here stands for a whole row of those bytes there.
        let next = (first + PANEL_ROWS) * row_bytes + offset * LANES;
        let ahead = matrix.bytes.as_ptr().wrapping_add(next);
        Stored { format: matrix.format, rows, len, ahead }
    }

    /// Panics unless the rows hold what they should; the vector code relies on it.
    pub(crate) fn check(&self) {
        let (block_len, block_bytes) = (self.format.block_len(), self.format.block_bytes());
        assert!(self.len <= PANEL_COLUMNS && self.len.is_multiple_of(block_len), "panel columns");
        let size = self.len / block_len * block_bytes;
        assert!(self.rows.iter().all(|row| row.len() == size), "bytes of the stored rows");
    }

    /// Decodes to `panel`: `[len, 16]`, lane = row.
    pub(crate) fn decode(&self, isa: Isa, panel: &mut [f32]) {
        self.check();
        assert!(panel.len() >= self.len * LANES, "room for the panel");
        let done = match isa.checked() {
            // SAFETY: `checked` saw the instructions, the assertions above the bounds.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => unsafe { crate::avx2::decode(self, panel) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => unsafe { crate::avx512::decode(self, panel) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => unsafe { crate::neon_decode::decode(self, panel) },
            _ => 0,
        };
        self.decode_portable(done, panel);
    }

    /// Decodes the columns from `from` (a block boundary) on; vector code leaves ragged ends here.
    fn decode_portable(&self, from: usize, panel: &mut [f32]) {
        if from == self.len {
            return;
        }
        let offset = from / self.format.block_len() * self.format.block_bytes();
        let mut values = [0.0; PANEL_COLUMNS];
        let values = &mut values[..self.len - from];
        for (lane, row) in self.rows.iter().enumerate() {
            decode_row(self.format, &row[offset..], values);
            for (column, value) in values.iter().enumerate() {
                panel[(from + column) * LANES + lane] = *value;
            }
        }
    }
}

/// Asks for the `bytes` from `offset` of the rows to come. They lie one after the other, whereas
/// the decoder reads 32 rows side by side: too many streams for the processor to foresee by itself.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn prefetch(ahead: *const u8, offset: usize, bytes: usize) {
    use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
    for line in (0..bytes).step_by(64) {
        let line = ahead.wrapping_add(offset + line);
        // SAFETY: a prefetch never faults and changes no value, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.cast::<i8>()) };
    }
}

/// The scales of up to 256 columns of blocks that begin with one: `[block][row]`, as stored. Read
/// ahead of their use, so that the vector loads find them written.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[inline]
pub(crate) fn block_scales(stored: &Stored) -> [[u16; LANES]; PANEL_COLUMNS / 32] {
    let mut scales = [[0; LANES]; PANEL_COLUMNS / 32];
    for (lane, row) in stored.rows.iter().enumerate() {
        let blocks = row.chunks_exact(stored.format.block_bytes());
        for (scales, block) in scales.iter_mut().zip(blocks) {
            scales[lane] = u16::from_le_bytes([block[0], block[1]]);
        }
    }
    scales
}
