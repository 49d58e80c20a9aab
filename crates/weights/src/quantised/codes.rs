//! Where a matrix's small numbers stand.

use super::bits::{field, word};

/// Small numbers of a matrix of `[rows, columns]`, a row being an output.
#[derive(Debug, Clone, Copy)]
pub(super) enum Codes<'a> {
    /// Words `[columns · bits / 32, rows]`: the numbers of a row run down a column of words. GPTQ.
    Down { words: &'a [u8], bits: u32 },
    /// Words `[columns, rows / 8]` of nibbles in the order [`AWQ_SHIFTS`]. AWQ.
    Interleaved { words: &'a [u8] },
    /// Words `[rows, columns · bits / 32]`: the numbers of a row run along words.
    Along { words: &'a [u8], bits: u32 },
    /// Bytes `[rows, columns]`, to be taken exclusive-or `flip`.
    Bytes { bytes: &'a [u8], flip: u8 },
    /// Bytes `[rows, columns / 2]`, the first of two in the low nibble.
    Nibbles { bytes: &'a [u8] },
}

/// Where in a word AWQ keeps each of eight consecutive outputs: its kernels unpack two halves of
/// four, so even outputs come first (AutoAWQ 0.2.9, `awq/utils/packing_utils.py`).
pub(super) const AWQ_SHIFTS: [usize; 8] = [0, 16, 4, 20, 8, 24, 12, 28];

impl Codes<'_> {
    /// The numbers of some rows of a matrix of `[all_rows, columns]`: `out` is
    /// `[rows, columns]`.
    pub fn read(&self, rows: &[usize], all_rows: usize, columns: usize, out: &mut [u8]) {
        match *self {
            Codes::Down { words, bits } => {
                let lines = words.len() / 4 / all_rows.max(1);
                fill(rows, columns, out, |row, column| {
                    let (line, shift) = (column * bits as usize / 32, column * bits as usize % 32);
                    let spans = shift + bits as usize > 32 && line + 1 < lines;
                    let high = if spans { word(words, (line + 1) * all_rows + row) } else { 0 };
                    field(word(words, line * all_rows + row), high, shift, bits)
                });
            }
            Codes::Interleaved { words } => fill(rows, columns, out, |row, column| {
                let word = word(words, column * (all_rows / 8) + row / 8);
                (word >> AWQ_SHIFTS[row % 8]) as u8 & 15
            }),
            Codes::Along { words, bits } => {
                let len = super::modules::words(columns, bits) as usize;
                for (row, out) in rows.iter().zip(out.chunks_exact_mut(columns)) {
                    along(&words[4 * row * len..4 * (row + 1) * len], bits, out);
                }
            }
            Codes::Bytes { bytes, flip } => {
                for (row, out) in rows.iter().zip(out.chunks_exact_mut(columns)) {
                    let from = &bytes[row * columns..][..columns];
                    out.iter_mut().zip(from).for_each(|(code, byte)| *code = byte ^ flip);
                }
            }
            Codes::Nibbles { bytes } => {
                for (row, out) in rows.iter().zip(out.chunks_exact_mut(columns)) {
                    let from = &bytes[row * columns / 2..][..columns / 2];
                    for (pair, byte) in out.chunks_exact_mut(2).zip(from) {
                        pair.copy_from_slice(&[byte & 15, byte >> 4]);
                    }
                }
            }
        }
    }
}

/// Writes `code(row, column)`, column by column: neighbouring rows stand together in the file.
#[inline(always)]
fn fill(rows: &[usize], columns: usize, out: &mut [u8], code: impl Fn(usize, usize) -> u8) {
    for column in 0..columns {
        for (i, row) in rows.iter().enumerate() {
            out[i * columns + column] = code(*row, column);
        }
    }
}

/// The numbers that run along `words`.
pub(super) fn along(words: &[u8], bits: u32, out: &mut [u8]) {
    if bits == 8 {
        return out.copy_from_slice(&words[..out.len()]);
    }
    let count = words.len() / 4;
    for (i, code) in out.iter_mut().enumerate() {
        let at = i * bits as usize;
        let high = if at / 32 + 1 < count { word(words, at / 32 + 1) } else { 0 };
        *code = field(word(words, at / 32), high, at % 32, bits);
    }
}
