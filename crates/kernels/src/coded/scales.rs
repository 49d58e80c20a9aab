//! Scales of tiles: as stored for 16 rows, and as factors of sums.

use super::layout::{SPAN_TILES, TILE_COLUMNS};
use crate::format::Format;
use crate::lanes::{LANES, Lanes};

/// How the scales of a span are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scales {
    /// For each tile, an `f16` for each row.
    Half,
    /// For each tile, an `f16` and the least value, an `f16`, for each row.
    HalfAndLeast,
    /// For each tile, an exponent for each row.
    Power,
    /// For each row an `f16` d and an `f16` m; for each tile a byte S and a byte M for each row:
    /// scale d · S, least value −(m · M).
    Small,
    /// For each row an `f16` d; for each tile a signed byte S for each row: scale d · S.
    Signed,
    /// The same with an S for each half of a tile.
    SignedOf16,
}

impl Scales {
    /// Bytes of the scales of so many tiles.
    pub const fn bytes(self, tiles: usize) -> usize {
        match self {
            Scales::Half => tiles * 2 * LANES,
            Scales::HalfAndLeast => tiles * 4 * LANES,
            Scales::Power => tiles * LANES,
            Scales::Small => 4 * LANES + tiles * 2 * LANES,
            Scales::Signed => 2 * LANES + tiles * LANES,
            Scales::SignedOf16 => (2 * LANES + tiles * 2 * LANES).next_multiple_of(64),
        }
    }

    /// Whether the codes count from a least value.
    pub const fn has_least(self) -> bool {
        matches!(self, Scales::HalfAndLeast | Scales::Small)
    }
}

/// The scales of a span as factors.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(crate) struct Factors {
    /// For each tile, or for each half of one.
    pub scale: [Lanes; 2 * SPAN_TILES],
    /// For each tile, if there are least values.
    pub least: [Lanes; SPAN_TILES],
}

impl Factors {
    pub const NONE: Factors =
        Factors { scale: [[0.0; LANES]; 2 * SPAN_TILES], least: [[0.0; LANES]; SPAN_TILES] };

    /// Reads those of `tiles` tiles.
    #[inline(always)]
    pub fn read(&mut self, scales: Scales, bytes: &[u8], tiles: usize) {
        let rows = bytes.as_chunks::<LANES>().0;
        match scales {
            Scales::Half => {
                for (out, rows) in self.scale[..tiles].iter_mut().zip(rows.as_chunks::<2>().0) {
                    *out = halves(rows);
                }
            }
            Scales::HalfAndLeast => {
                for (tile, rows) in rows.as_chunks::<4>().0[..tiles].iter().enumerate() {
                    self.scale[tile] = halves(&[rows[0], rows[1]]);
                    self.least[tile] = halves(&[rows[2], rows[3]]);
                }
            }
            Scales::Power => {
                for (out, rows) in self.scale[..tiles].iter_mut().zip(rows) {
                    *out = powers(rows);
                }
            }
            Scales::Small => {
                let scale = halves(&[rows[0], rows[1]]);
                let least = negative(halves(&[rows[2], rows[3]]));
                for (tile, rows) in rows[4..].as_chunks::<2>().0[..tiles].iter().enumerate() {
                    self.scale[tile] = times(&scale, &rows[0]);
                    self.least[tile] = times(&least, &rows[1]);
                }
            }
            Scales::Signed | Scales::SignedOf16 => {
                let scale = halves(&[rows[0], rows[1]]);
                let count = if scales == Scales::Signed { tiles } else { 2 * tiles };
                for (out, rows) in self.scale[..count].iter_mut().zip(&rows[2..]) {
                    *out = times_signed(&scale, rows);
                }
            }
        }
    }
}

/// Whole numbers times a scale each.
#[inline(always)]
fn times(scale: &Lanes, numbers: &[u8; LANES]) -> Lanes {
    let mut out = [0.0; LANES];
    for row in 0..LANES {
        out[row] = scale[row] * f32::from(numbers[row]);
    }
    out
}

#[inline(always)]
fn times_signed(scale: &Lanes, numbers: &[u8; LANES]) -> Lanes {
    let mut out = [0.0; LANES];
    for row in 0..LANES {
        out[row] = scale[row] * f32::from(numbers[row] as i8);
    }
    out
}

#[inline(always)]
fn negative(values: Lanes) -> Lanes {
    let mut out = [0.0; LANES];
    for row in 0..LANES {
        out[row] = -values[row];
    }
    out
}

#[inline(always)]
fn powers(exponents: &[u8; LANES]) -> Lanes {
    let mut out = [0.0; LANES];
    for row in 0..LANES {
        out[row] = power(u32::from(exponents[row]));
    }
    out
}

/// 16 half-precision numbers.
#[inline(always)]
fn halves(bytes: &[[u8; LANES]; 2]) -> Lanes {
    let halves = bytes.as_flattened().as_chunks::<2>().0;
    let mut out = [0.0; LANES];
    for row in 0..LANES {
        out[row] = half_value(u32::from(u16::from_le_bytes(halves[row])));
    }
    out
}

/// The value of a half-precision number; arithmetic only, so that it can be vectorised.
#[inline(always)]
fn half_value(bits: u32) -> f32 {
    // The fields are moved to where a single has them; 2^112 makes up for the other bias, and for
    // the missing leading bit of a denormal.
    let magnitude = f32::from_bits((bits & 0x7fff) << 13) * f32::from_bits((112 + 127) << 23);
    let beyond = if bits & 0x7c00 == 0x7c00 { 0x7f80_0000 } else { 0 };
    f32::from_bits(magnitude.to_bits() | beyond | (bits & 0x8000) << 16)
}

/// 2^(exponent − 128), the first two being denormal.
#[inline(always)]
fn power(exponent: u32) -> f32 {
    f32::from_bits(if exponent < 2 {
        0x0020_0000 << exponent
    } else {
        exponent.wrapping_sub(1) << 23
    })
}

/// Puts the scales of a span's tiles in their place: `blocks[row]` are the bytes of the blocks that
/// the span has of a row; rows without any keep zeros.
#[inline(always)]
pub(super) fn put_scales(
    format: Format,
    scales: Scales,
    tiles: usize,
    blocks: &[&[u8]; LANES],
    out: &mut [u8],
) {
    out.fill(0);
    for (row, bytes) in blocks.iter().enumerate().filter(|(_, bytes)| !bytes.is_empty()) {
        let mut put = |at: usize, byte: u8| out[at * LANES + row] = byte;
        match scales {
            Scales::Power => {
                let blocks = bytes.chunks_exact(format.block_bytes());
                blocks.enumerate().for_each(|(tile, block)| put(tile, block[0]));
            }
            Scales::Small => {
                for tile in 0..tiles {
                    let (scale, least) = scale_and_minimum(&bytes[4..16], tile);
                    put(4 + 2 * tile, scale);
                    put(5 + 2 * tile, least);
                }
            }
            Scales::Signed => {
                let highs = u16::from_le_bytes([bytes[2], bytes[3]]);
                for tile in 0..tiles {
                    let low = bytes[4 + tile / 2] >> (4 * (tile % 2)) & 15;
                    let high = (highs >> (2 * tile) & 3) as u8;
                    put(2 + tile, (low | high << 4).wrapping_sub(32));
                }
            }
            Scales::SignedOf16 => {
                bytes[192..208].iter().enumerate().for_each(|(at, byte)| put(2 + at, *byte));
            }
            Scales::Half | Scales::HalfAndLeast => {}
        }
        put_halves(format, scales, row, bytes, out);
    }
}

/// The half-precision numbers of a row.
#[inline(always)]
fn put_halves(format: Format, scales: Scales, row: usize, bytes: &[u8], out: &mut [u8]) {
    let mut put = |at: usize, half: &[u8]| {
        out[at * LANES + 2 * row..][..2].copy_from_slice(&half[..2]);
    };
    match scales {
        Scales::Half => {
            let blocks = bytes.chunks_exact(format.block_bytes());
            blocks.enumerate().for_each(|(tile, block)| put(2 * tile, block));
        }
        Scales::HalfAndLeast => {
            for (tile, block) in bytes.chunks_exact(format.block_bytes()).enumerate() {
                put(4 * tile, block);
                put(4 * tile + 2, &block[2..]);
            }
        }
        Scales::Small => {
            put(0, bytes);
            put(2, &bytes[2..]);
        }
        Scales::Signed => put(0, bytes),
        Scales::SignedOf16 => put(0, &bytes[208..]),
        Scales::Power => {}
    }
}

/// Scale and minimum of a tile, of 6 bits each, packed in 12 bytes.
#[inline(always)]
fn scale_and_minimum(packed: &[u8], tile: usize) -> (u8, u8) {
    if tile < 4 {
        return (packed[tile] & 63, packed[tile + 4] & 63);
    }
    let (scale, minimum) = (packed[tile - 4] >> 6, packed[tile] >> 6);
    (packed[tile + 4] & 15 | scale << 4, packed[tile + 4] >> 4 | minimum << 4)
}

const _: () = assert!(TILE_COLUMNS == 2 * LANES);
