//! How codes and scales lie: strips of 16 rows, so that a lane of a vector is a row and everything
//! is read from one end to the other.
//!
//! A strip is a sequence of spans of up to 8 tiles, a tile being 32 columns of the 16 rows. A span
//! holds the scales of its tiles, then the codes of one tile after the other.

use super::scales::Scales;
use crate::format::Format;
use crate::lanes::LANES;

/// Columns of a tile: those of the smallest blocks.
pub(crate) const TILE_COLUMNS: usize = 32;
/// Most tiles of a span: the blocks of 256 weights.
pub(crate) const SPAN_TILES: usize = 8;

/// Whether rows of so many columns are whole spans.
pub(crate) fn are_whole_spans(columns: usize) -> bool {
    columns.is_multiple_of(SPAN_TILES * TILE_COLUMNS)
}

/// What a code stands for, and how many bits it has.
///
/// The low 4 bits of the codes of a tile are 4 groups (q) of 16 words of 32 bits, a word for each
/// row; its lower 16 bits hold the columns 8q, 8q + 2, 8q + 4 and 8q + 6, the upper ones those that
/// follow each. So 16 bits of it are a column for tiles of pairs as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codes {
    /// 4 bits that name one of these values.
    Four(&'static [i8; 16]),
    /// 5 bits; the value is the code and this. Fifth bits: a word for each row, whose bit
    /// 16 · (column % 2) + column / 2 is that of a column.
    Five(i8),
    /// 6 bits, less 32. Upper bits: two groups of 16 words, for columns 0 to 15 and 16 to 31; bits
    /// 16 · (column % 2) + column % 16 − column % 2 and the next are those of a column.
    Six,
    /// 8 bits, signed: `[column][row]`.
    Eight,
}

impl Codes {
    /// Bytes of the codes of a tile.
    pub const fn bytes(self) -> usize {
        match self {
            Codes::Four(_) => 256,
            Codes::Five(_) => 256 + 64,
            Codes::Six => 256 + 128,
            Codes::Eight => 512,
        }
    }

    /// The value of a code.
    #[cfg(target_arch = "x86_64")]
    pub fn value(self, code: u8) -> i8 {
        match self {
            Codes::Four(values) => values[usize::from(code & 15)],
            Codes::Five(offset) => code as i8 + offset,
            Codes::Six => code as i8 - 32,
            Codes::Eight => code as i8,
        }
    }

    /// Columns that share a scale.
    pub const fn scale_len(self) -> usize {
        match self {
            Codes::Six => TILE_COLUMNS / 2,
            _ => TILE_COLUMNS,
        }
    }
}

/// Codes and scales of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub codes: Codes,
    pub scales: Scales,
}

const FROM_ZERO: [i8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const AROUND_ZERO: [i8; 16] = [-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7];
/// Of IQ4_NL and IQ4_XS.
const NAMED: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
/// Twice the 4-bit float E2M1.
const FLOATS: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

impl Layout {
    /// That of a format, if its products are those of codes.
    pub const fn of(format: Format) -> Option<Layout> {
        let (codes, scales) = match format {
            Format::Q4_0 => (Codes::Four(&AROUND_ZERO), Scales::Half),
            Format::Q4_1 => (Codes::Four(&FROM_ZERO), Scales::HalfAndLeast),
            Format::IQ4_NL => (Codes::Four(&NAMED), Scales::Half),
            Format::MXFP4 => (Codes::Four(&FLOATS), Scales::Power),
            Format::Q4_K => (Codes::Four(&FROM_ZERO), Scales::Small),
            Format::IQ4_XS => (Codes::Four(&NAMED), Scales::Signed),
            Format::Q5_0 => (Codes::Five(-16), Scales::Half),
            Format::Q5_1 => (Codes::Five(0), Scales::HalfAndLeast),
            Format::Q5_K => (Codes::Five(0), Scales::Small),
            Format::Q6_K => (Codes::Six, Scales::SignedOf16),
            Format::Q8_0 => (Codes::Eight, Scales::Half),
            _ => return None,
        };
        Some(Layout { codes, scales })
    }

    /// Bytes of a span of so many tiles.
    pub const fn span_bytes(self, tiles: usize) -> usize {
        self.scales.bytes(tiles) + tiles * self.codes.bytes()
    }

    /// Bytes of 16 rows.
    pub const fn strip_bytes(self, columns: usize) -> usize {
        let tiles = columns / TILE_COLUMNS;
        let whole = tiles / SPAN_TILES * self.span_bytes(SPAN_TILES);
        match tiles % SPAN_TILES {
            0 => whole,
            rest => whole + self.span_bytes(rest),
        }
    }
}

/// The code of each column of a tile: those of `block`, the tile being the `tile`-th of it.
#[inline(always)]
pub(super) fn codes_of(format: Format, block: &[u8], tile: usize, out: &mut [u8; TILE_COLUMNS]) {
    match format {
        Format::Q4_0 | Format::IQ4_NL => nibbles(&block[2..], out),
        Format::Q4_1 => nibbles(&block[4..], out),
        Format::MXFP4 => nibbles(&block[1..], out),
        Format::IQ4_XS => nibbles(&block[8 + 16 * tile..], out),
        Format::Q5_0 => {
            nibbles(&block[6..], out);
            fifths(&block[2..6], out);
        }
        Format::Q5_1 => {
            nibbles(&block[8..], out);
            fifths(&block[4..8], out);
        }
        Format::Q4_K => layers(&block[16..], tile, out),
        Format::Q5_K => {
            layers(&block[48..], tile, out);
            for (code, tops) in out.iter_mut().zip(&block[16..48]) {
                *code |= (tops >> tile & 1) << 4;
            }
        }
        Format::Q6_K => sixes(block, tile, out),
        Format::Q8_0 => out.copy_from_slice(&block[2..34]),
        _ => unreachable!("a format without codes"),
    }
}

/// Byte j holds columns j (low) and j + 16.
#[inline(always)]
fn nibbles(bytes: &[u8], out: &mut [u8; TILE_COLUMNS]) {
    let (low, high) = out.split_at_mut(TILE_COLUMNS / 2);
    for ((low, high), byte) in low.iter_mut().zip(high).zip(bytes) {
        (*low, *high) = (byte & 15, byte >> 4);
    }
}

/// Bit j of these 4 bytes is the fifth one of column j.
#[inline(always)]
fn fifths(bytes: &[u8], out: &mut [u8; TILE_COLUMNS]) {
    for (column, code) in out.iter_mut().enumerate() {
        *code |= (bytes[column / 8] >> (column % 8) & 1) << 4;
    }
}

/// Each 32 bytes hold two tiles, low and high.
#[inline(always)]
fn layers(bytes: &[u8], tile: usize, out: &mut [u8; TILE_COLUMNS]) {
    for (code, byte) in out.iter_mut().zip(&bytes[32 * (tile / 2)..]) {
        *code = byte >> (4 * (tile % 2)) & 15;
    }
}

/// Each half of the block: 64 bytes of nibbles, 32 of pairs of bits.
#[inline(always)]
fn sixes(block: &[u8], tile: usize, out: &mut [u8; TILE_COLUMNS]) {
    let (half, group) = (tile / 4, tile % 4);
    let low = &block[64 * half + 32 * (group % 2)..];
    let high = &block[128 + 32 * half..];
    for ((code, low), high) in out.iter_mut().zip(low).zip(high) {
        *code = low >> (4 * (group / 2)) & 15 | (high >> (2 * group) & 3) << 4;
    }
}

/// The codes of a tile, by row, to their place.
#[inline(always)]
pub(super) fn put_codes(codes: Codes, rows: &[[u8; TILE_COLUMNS]; LANES], out: &mut [u8]) {
    if codes == Codes::Eight {
        let halves = out.as_chunks_mut::<LANES>().0.as_chunks_mut::<LANES>().0;
        for (half, out) in halves.iter_mut().enumerate() {
            let mut bytes = [[0; LANES]; LANES];
            for (bytes, row) in bytes.iter_mut().zip(rows) {
                bytes.copy_from_slice(&row[LANES * half..][..LANES]);
            }
            *out = turned(bytes);
        }
        return;
    }
    let mut eights = [[0; LANES]; 4];
    for (row, codes) in rows.iter().enumerate() {
        for (q, codes) in codes.as_chunks::<8>().0.iter().enumerate() {
            eights[q][row] = u64::from_le_bytes(*codes);
        }
    }
    let (low, high) = out.split_at_mut(256);
    for (eights, out) in eights.iter().zip(low.chunks_exact_mut(64)) {
        put_words(|row| fields::<4>(eights[row]), out);
    }
    let tops = |q: usize, row: usize| eights[q][row] >> 4;
    match codes {
        Codes::Five(_) => {
            let bits = |q: usize, row| fields::<1>(tops(q, row)) << (4 * q);
            put_words(|row| bits(0, row) | bits(1, row) | bits(2, row) | bits(3, row), high);
        }
        Codes::Six => {
            for (half, out) in high.chunks_exact_mut(64).enumerate() {
                let pairs = |q: usize, row| fields::<2>(tops(2 * half + q, row)) << (8 * q);
                put_words(|row| pairs(0, row) | pairs(1, row), out);
            }
        }
        Codes::Four(_) | Codes::Eight => {}
    }
}

/// The lowest bits of 8 bytes side by side: those of even ones from bit 0 on, of odd ones from
/// bit 16 on.
#[inline(always)]
fn fields<const BITS: u32>(bytes: u64) -> u32 {
    let joined = |bytes: u64| {
        let mut four = bytes & (((1 << BITS) - 1) * 0x0001_0001_0001_0001);
        four = (four | four >> (16 - BITS)) & (((1 << (2 * BITS)) - 1) * 0x0000_0001_0000_0001);
        (four | four >> (32 - 2 * BITS)) & ((1 << (4 * BITS)) - 1)
    };
    (joined(bytes) | joined(bytes >> 8) << 16) as u32
}

/// Rows become columns: a perfect shuffle of pairs of rows, as often as a place has bits.
#[inline(always)]
fn turned(mut rows: [[u8; LANES]; LANES]) -> [[u8; LANES]; LANES] {
    for _ in 0..LANES.ilog2() {
        let mut shuffled = [[0; LANES]; LANES];
        for (pair, out) in shuffled.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            let (upper, lower) = (rows[pair], rows[pair + LANES / 2]);
            for (place, out) in out.as_flattened_mut().as_chunks_mut::<2>().0.iter_mut().enumerate()
            {
                *out = [upper[place], lower[place]];
            }
        }
        rows = shuffled;
    }
    rows
}

#[inline(always)]
fn put_words(word: impl Fn(usize) -> u32, out: &mut [u8]) {
    for (row, out) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        *out = word(row).to_le_bytes();
    }
}

/// The values of the codes of a tile, `[column][row]`.
#[inline(always)]
pub(crate) fn values(codes: Codes, bytes: &[u8], out: &mut [[f32; LANES]; TILE_COLUMNS]) {
    if codes == Codes::Eight {
        for (out, bytes) in out.iter_mut().zip(bytes.as_chunks::<LANES>().0) {
            for (out, byte) in out.iter_mut().zip(bytes) {
                *out = f32::from(*byte as i8);
            }
        }
        return;
    }
    let (groups, tops) = bytes.split_at(256);
    for (q, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        let words = word_row(&groups[64 * q..]);
        for (column, out) in out.iter_mut().enumerate() {
            let shift = 16 * (column % 2) + 4 * (column / 2);
            match codes {
                Codes::Four(values) => named(values, words, shift, out),
                Codes::Five(offset) => {
                    let tops = word_row(tops);
                    let top = 16 * (column % 2) + (8 * q + column) / 2;
                    let code = |row: usize| words[row] >> shift & 15 | (tops[row] >> top & 1) << 4;
                    whole(|row| code(row) as i32 + i32::from(offset), out);
                }
                _ => {
                    let tops = word_row(&tops[64 * (q / 2)..]);
                    let top = 16 * (column % 2) + 8 * (q % 2) + 2 * (column / 2);
                    let code = |row: usize| words[row] >> shift & 15 | (tops[row] >> top & 3) << 4;
                    whole(|row| code(row) as i32 - 32, out);
                }
            }
        }
    }
}

/// Those of 4 bits; values in a row need no table.
#[inline(always)]
fn named(values: &[i8; 16], words: [u32; LANES], shift: usize, out: &mut [f32; LANES]) {
    let first = i32::from(values[0]);
    if i32::from(values[15]) - first == 15 {
        return whole(|row| (words[row] >> shift & 15) as i32 + first, out);
    }
    for (out, word) in out.iter_mut().zip(words) {
        *out = f32::from(values[(word >> shift & 15) as usize]);
    }
}

#[inline(always)]
fn whole(value: impl Fn(usize) -> i32, out: &mut [f32; LANES]) {
    for (row, out) in out.iter_mut().enumerate() {
        *out = value(row) as f32;
    }
}

#[inline(always)]
fn word_row(bytes: &[u8]) -> [u32; LANES] {
    let words = &bytes.as_chunks::<4>().0[..LANES];
    let mut out = [0; LANES];
    for row in 0..LANES {
        out[row] = u32::from_le_bytes(words[row]);
    }
    out
}
