//! Where a matrix's zero points stand.

use super::bits::{field, mask, word};
use super::codes::AWQ_SHIFTS;
use super::modules::words;

/// Zero points of a matrix of `[rows, columns]`, a row being an output.
#[derive(Debug, Clone, Copy)]
pub(super) enum Zeros<'a> {
    /// One for all.
    Same(u8),
    /// Words `[groups, rows · bits / 32]`: those of a group run along words. GPTQ.
    Across { words: &'a [u8], bits: u32, less: Less },
    /// Words `[groups, rows / 8]` of nibbles in AWQ's order.
    Interleaved { words: &'a [u8] },
    /// Words `[rows · bits / 32, groups]`: those of a group run down a column of words.
    Down { words: &'a [u8], bits: u32 },
    /// Signed bytes `[rows or 1, groups or 1]` that count from `middle`.
    Signed { bytes: &'a [u8], middle: u8, row_stride: usize, group_stride: usize },
}

/// How much less than the zero point is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Less {
    Nothing,
    /// One, taken off whole words (format `gptq`): adding it back to words undoes borrows.
    One,
}

impl Zeros<'_> {
    /// The zero point of a group of columns of a row, of `rows` and `groups`.
    pub fn get(&self, row: usize, group: usize, rows: usize, groups: usize) -> u8 {
        match *self {
            Zeros::Same(zero) => zero,
            Zeros::Across { words: bytes, bits, less } => {
                let len = words(rows, bits) as usize;
                let line = &bytes[4 * group * len..4 * (group + 1) * len];
                across(line, row, bits, less)
            }
            Zeros::Interleaved { words } => {
                let word = word(words, group * (rows / 8) + row / 8);
                (word >> AWQ_SHIFTS[row % 8]) as u8 & 15
            }
            Zeros::Down { words: bytes, bits } => {
                let (line, shift) = (row * bits as usize / 32, row * bits as usize % 32);
                let spans = shift + bits as usize > 32;
                let high = if spans { word(bytes, (line + 1) * groups + group) } else { 0 };
                field(word(bytes, line * groups + group), high, shift, bits)
            }
            Zeros::Signed { bytes, middle, row_stride, group_stride } => {
                bytes[row * row_stride + group * group_stride].wrapping_add(middle)
            }
        }
    }
}

/// Zero point `row` of those that run along `line`.
///
/// GPTQModel 7.7.0 turns v1 into v2 by adding to whole words for 2, 4 and 8 bits, and number by
/// number for 3 (`utils/model.py`, `convert_gptq_v1_to_v2_format_module`).
fn across(line: &[u8], row: usize, bits: u32, less: Less) -> u8 {
    let (at, shift) = (row * bits as usize / 32, row * bits as usize % 32);
    let spans = shift + bits as usize > 32;
    let high = if spans { word(line, at + 1) } else { 0 };
    let low = word(line, at);
    match less {
        Less::Nothing => field(low, high, shift, bits),
        Less::One if bits == 3 => field(low, high, shift, bits).wrapping_add(1) & mask(bits),
        Less::One => {
            let ones = u32::MAX / u32::from(mask(bits));
            field(low.wrapping_add(ones), 0, shift, bits)
        }
    }
}

/// Whether any of the `rows` numbers in each line is the largest there is: what a borrow in format
/// `gptq` leaves behind, and what other programs than its author's read in another way.
pub(super) fn has_largest(bytes: &[u8], rows: usize, bits: u32) -> bool {
    let len = 4 * words(rows, bits) as usize;
    let largest =
        |line: &[u8]| (0..rows).any(|row| across(line, row, bits, Less::Nothing) == mask(bits));
    len > 0 && bytes.chunks_exact(len).any(largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_one_is_one_less_in_whole_words() {
        // True zero points 0, 5, 0, …: the borrow reaches into the next numbers.
        let stored = 0x0000_0050_u32.wrapping_sub(0x1111_1111).to_le_bytes();
        let zeros = Zeros::Across { words: &stored, bits: 4, less: Less::One };
        let found: Vec<u8> = (0..8).map(|row| zeros.get(row, 0, 8, 1)).collect();
        assert_eq!(found, [0, 5, 0, 0, 0, 0, 0, 0]);
        assert!(has_largest(&stored, 8, 4) && !has_largest(&[0x77; 4], 8, 4));
        let symmetric = Zeros::Across { words: &[0x77; 4], bits: 4, less: Less::One };
        assert_eq!(symmetric.get(3, 0, 8, 1), 8);
        let second = Zeros::Across { words: &[0x88; 4], bits: 4, less: Less::Nothing };
        assert_eq!(second.get(3, 0, 8, 1), 8);
    }

    #[test]
    fn two_and_eight_bits_add_one_to_each_number() {
        let eight = Zeros::Across { words: &[127, 0, 254, 3], bits: 8, less: Less::One };
        let found: Vec<u8> = (0..4).map(|row| eight.get(row, 0, 4, 1)).collect();
        assert_eq!(found, [128, 1, 255, 4]);
        let two = Zeros::Across { words: &[0b01_10_00_01, 0, 0, 0], bits: 2, less: Less::One };
        let found: Vec<u8> = (0..4).map(|row| two.get(row, 0, 16, 1)).collect();
        assert_eq!(found, [2, 1, 3, 2]);
    }
}
