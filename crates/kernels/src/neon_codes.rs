//! NEON: packed codes as signed bytes, four columns of a row side by side.
#![allow(unsafe_code)] // intrinsics on pointers; callers check bounds and processor first

use crate::coded::{Codes, TILE_COLUMNS};
use crate::lanes::LANES;
use std::arch::aarch64::*;

/// The kinds of [`Codes`], for code of their own: 4 bits that name values, ...
pub(crate) const FOUR: usize = 0;
/// ... and those of more bits.
pub(crate) const FIVE: usize = 1;
pub(crate) const SIX: usize = 2;
pub(crate) const EIGHT: usize = 3;
/// Bytes already: 8 words of 16 rows, a word being the codes of 4 columns in the order of
/// [`crate::int8::ORDER`].
pub(crate) const READY: usize = 4;
/// The same where each 16 columns have a scale.
pub(crate) const READY_SIX: usize = 5;

/// Bytes of a tile that is ready.
pub(crate) const READY_BYTES: usize = TILE_COLUMNS * LANES;

/// Bytes of the codes of a tile.
pub(crate) const fn bytes_of(kind: usize) -> usize {
    match kind {
        FOUR => Codes::Four(&[0; 16]).bytes(),
        FIVE => Codes::Five(0).bytes(),
        SIX => Codes::Six.bytes(),
        EIGHT => Codes::Eight.bytes(),
        _ => READY_BYTES,
    }
}

/// Whether each 16 columns have a scale.
pub(crate) const fn has_halves(kind: usize) -> bool {
    matches!(kind, SIX | READY_SIX)
}

/// Bytes of 4 rows, for each of them the first and the second four of 8 columns.
pub(crate) type Eights = [int8x16_t; 2];

/// How codes become values.
#[derive(Clone, Copy)]
pub(crate) struct Decoder {
    /// Those that 4 bits name.
    names: int8x16_t,
    /// What a code of 5 bits counts from, without and with its fifth bit.
    starts: [int8x16_t; 2],
}

impl Decoder {
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn of(codes: Codes) -> Decoder {
        let (names, offset) = match codes {
            Codes::Four(values) => (values, 0),
            Codes::Five(offset) => (&[0; LANES], offset),
            Codes::Six | Codes::Eight => (&[0; LANES], 0),
        };
        // SAFETY: an array of 16 bytes is read.
        let names = unsafe { vld1q_s8(names.as_ptr()) };
        Decoder { names, starts: [vdupq_n_s8(offset), vdupq_n_s8(offset + 16)] }
    }

    /// The codes of 8 columns, q, of 8 rows of a tile, from row `first` on.
    ///
    /// # Safety
    /// `tile` are the codes of a tile of this kind; q is below 4, `first` 0 or 8.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) unsafe fn eights<const KIND: usize>(
        &self,
        tile: *const u8,
        q: usize,
        first: usize,
    ) -> [Eights; 2] {
        // SAFETY: `Codes` says where the words of 16 rows are, `READY` where bytes; the caller
        // promises the rest.
        unsafe {
            match KIND {
                EIGHT => turned(tile.add(8 * q * LANES), first),
                READY | READY_SIX => {
                    let word = |word: usize, quad: usize| {
                        vld1q_s8(tile.add(64 * word + 4 * first + 16 * quad).cast())
                    };
                    [0, 1].map(|quad| [word(2 * q, quad), word(2 * q + 1, quad)])
                }
                _ => [0, 1].map(|quad| self.four_rows::<KIND>(tile, q, 4 * first + 16 * quad)),
            }
        }
    }

    /// Those of 4 rows, whose words stand at byte `at` of each group.
    ///
    /// # Safety
    /// As [`Decoder::eights`].
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn four_rows<const KIND: usize>(&self, tile: *const u8, q: usize, at: usize) -> Eights {
        // SAFETY: `Codes` says where the words of 16 rows are.
        let (words, tops) = unsafe {
            let words = vld1q_u8(tile.add(64 * q + at));
            let tops = match KIND {
                FIVE => vld1q_u8(tile.add(256 + at)),
                SIX => vld1q_u8(tile.add(256 + 64 * (q / 2) + at)),
                _ => words,
            };
            (words, tops)
        };
        let low = [vandq_u8(words, vdupq_n_u8(15)), vshrq_n_u8::<4>(words)];
        match KIND {
            FIVE => self.with_fifth(low, tops, q),
            SIX => with_pairs(low, tops, q),
            _ => low.map(|low| vqtbl1q_s8(self.names, low)),
        }
    }

    /// A word of upper bits is 16 of even columns, then 16 of odd ones, so 4 for each q.
    #[inline]
    #[target_feature(enable = "neon")]
    fn with_fifth(&self, low: [uint8x16_t; 2], tops: uint8x16_t, q: usize) -> Eights {
        // The bits of q's byte that columns 0, 4, 1 and 5, then 2, 6, 3 and 7, have.
        let tops = if q < 2 { vtrn1q_u8(tops, tops) } else { vtrn2q_u8(tops, tops) };
        let bits = [0x0401_0401, 0x0802_0802].map(|bits: u32| bits << (4 * (q % 2)));
        [0, 1].map(|half| {
            let is_set = vtstq_u8(tops, vreinterpretq_u8_u32(vdupq_n_u32(bits[half])));
            let start = vbslq_s8(is_set, self.starts[1], self.starts[0]);
            vaddq_s8(vreinterpretq_s8_u8(low[half]), start)
        })
    }
}

/// A word of upper bits is two bytes of even columns, then two of odd ones, so one for each q.
#[inline]
#[target_feature(enable = "neon")]
fn with_pairs(low: [uint8x16_t; 2], tops: uint8x16_t, q: usize) -> Eights {
    let tops = match q.is_multiple_of(2) {
        true => vtrn1q_u8(tops, tops),
        false => vtrn2q_u8(tops, tops),
    };
    // To bits 4 and 5: from 0 (columns 0 and 1) and 4 (4 and 5), then from 2 and 6.
    let up = [0x0004_0004, 0xfe02_fe02];
    [0, 1].map(|half| {
        let moved = vshlq_u8(tops, vreinterpretq_s8_u32(vdupq_n_u32(up[half])));
        let code = vbslq_u8(vdupq_n_u8(0x30), moved, low[half]);
        vsubq_s8(vreinterpretq_s8_u8(code), vdupq_n_s8(32))
    })
}

/// 8 columns of 16 rows become words of rows `first..first + 8`.
///
/// # Safety
/// There are so many bytes.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn turned(columns: *const u8, first: usize) -> [Eights; 2] {
    // SAFETY: the caller's promise: a column has 16 bytes, of which 8 are read.
    let column = |column: usize| unsafe { vld1_s8(columns.add(LANES * column + first).cast()) };
    let pairs = |upper: usize| {
        let (a, b) = (column(upper), column(upper + 4));
        vreinterpretq_s16_s8(vcombine_s8(vzip1_s8(a, b), vzip2_s8(a, b)))
    };
    let fours = |even: usize| {
        let (even, odd) = (pairs(even), pairs(even + 1));
        [vzip1q_s16(even, odd), vzip2q_s16(even, odd)].map(|rows| vreinterpretq_s8_s16(rows))
    };
    let (first, second) = (fours(0), fours(2));
    [[first[0], second[0]], [first[1], second[1]]]
}
