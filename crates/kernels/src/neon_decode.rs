//! NEON: stored rows decoded to a panel, four rows at a time.
#![allow(unsafe_code)] // intrinsics on pointers; callers check bounds and processor first

use crate::format::Format;
use crate::lanes::LANES;
use crate::neon::turn_quad;
use crate::panel::{Stored, block_scales};
use crate::turned::{self, BLOCK_WORDS, Block};
use std::arch::aarch64::*;

/// Lanes of a register.
const WIDTH: usize = 4;

/// Decodes the columns it can to `panel` and returns how many those are, from the first on.
///
/// # Safety
/// Every row holds `stored.len` weights, `panel` 16 times as many.
#[target_feature(enable = "neon")]
pub(crate) unsafe fn decode(stored: &Stored, panel: &mut [f32]) -> usize {
    let mut done = 0;
    for (quad, four) in Four::all(stored).into_iter().enumerate() {
        // SAFETY: the caller's promise is passed on; the quad's lanes end inside each column.
        done = unsafe {
            let start = panel.as_mut_ptr().add(quad * WIDTH);
            match stored.format {
                Format::F32 => four.decode_f32(start),
                Format::F16 => four.decode_f16(start),
                Format::BF16 => four.decode_bf16(start),
                Format::Q8_0 => four.decode_q8_0(&block_scales(stored), start),
                Format::Q4_0 => four.decode_q4_0(&block_scales(stored), start),
                _ => return decode_turned(stored, panel),
            }
        };
    }
    done
}

/// # Safety
/// As [`decode`].
#[target_feature(enable = "neon")]
unsafe fn decode_turned(stored: &Stored, panel: &mut [f32]) -> usize {
    let (len, size) = (stored.format.block_len(), stored.format.block_bytes());
    let quads = Four::all(stored);
    let mut words_of_block: Block = [[0; LANES]; BLOCK_WORDS];
    let columns = panel.as_chunks_mut::<LANES>().0;
    for (block, columns) in columns[..stored.len].chunks_exact_mut(len).enumerate() {
        let (offset, whole) = (block * size, size / 16 * 16);
        for at in (0..whole).step_by(16) {
            for four in &quads {
                // SAFETY: the 16 bytes lie in the block's `size`, the words in the array's.
                unsafe {
                    for (j, word) in four.words(offset + at).into_iter().enumerate() {
                        let out = words_of_block[at / 4 + j][four.quad * WIDTH..].as_mut_ptr();
                        vst1q_u32(out, word);
                    }
                }
            }
        }
        turned::turn_rest(&stored.rows, offset, whole, size, &mut words_of_block);
        if !turned::decode(stored.format, &words_of_block, columns) {
            return block * len;
        }
    }
    stored.len
}

/// Four of the sixteen rows.
struct Four<'a> {
    rows: [&'a [u8]; WIDTH],
    len: usize,
    quad: usize,
}

impl<'a> Four<'a> {
    fn all(stored: &Stored<'a>) -> [Four<'a>; LANES / WIDTH] {
        std::array::from_fn(|quad| {
            let rows = std::array::from_fn(|row| stored.rows[quad * WIDTH + row]);
            Four { rows, len: stored.len, quad }
        })
    }

    /// 16 bytes of each row from `offset`, turned: lane r of vector j is the j-th 32-bit word of
    /// row r.
    ///
    /// # Safety
    /// Every row has 16 bytes from `offset`.
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn words(&self, offset: usize) -> [uint32x4_t; WIDTH] {
        // SAFETY: the caller's promise.
        let row = |row: usize| unsafe {
            vreinterpretq_u32_u8(vld1q_u8(self.rows[row].as_ptr().add(offset)))
        };
        turn_quad([row(0), row(1), row(2), row(3)])
    }

    /// # Safety
    /// As [`decode`].
    #[target_feature(enable = "neon")]
    unsafe fn decode_f32(&self, panel: *mut f32) -> usize {
        let done = self.len / 4 * 4;
        for k in (0..done).step_by(4) {
            // SAFETY: columns k..k + 4 lie in the rows and in the panel.
            unsafe {
                for (j, word) in self.words(k * 4).into_iter().enumerate() {
                    vst1q_f32(panel.add((k + j) * LANES), vreinterpretq_f32_u32(word));
                }
            }
        }
        done
    }

    /// # Safety
    /// As [`decode`].
    #[target_feature(enable = "neon")]
    unsafe fn decode_bf16(&self, panel: *mut f32) -> usize {
        let done = self.len / 8 * 8;
        let upper = vdupq_n_u32(0xffff_0000);
        for k in (0..done).step_by(8) {
            // SAFETY: columns k..k + 8 lie in the rows and in the panel.
            unsafe {
                for (j, word) in self.words(k * 2).into_iter().enumerate() {
                    let out = panel.add((k + 2 * j) * LANES);
                    vst1q_f32(out, vreinterpretq_f32_u32(vshlq_n_u32::<16>(word)));
                    vst1q_f32(out.add(LANES), vreinterpretq_f32_u32(vandq_u32(word, upper)));
                }
            }
        }
        done
    }

    /// # Safety
    /// As [`decode`].
    #[target_feature(enable = "neon")]
    unsafe fn decode_f16(&self, panel: *mut f32) -> usize {
        let done = self.len / 8 * 8;
        for k in (0..done).step_by(8) {
            // SAFETY: columns k..k + 8 lie in the rows and in the panel.
            unsafe {
                for (j, word) in self.words(k * 2).into_iter().enumerate() {
                    let out = panel.add((k + 2 * j) * LANES);
                    vst1q_f32(out, singles(vmovn_u32(word)));
                    vst1q_f32(out.add(LANES), singles(vshrn_n_u32::<16>(word)));
                }
            }
        }
        done
    }

    /// The scales of the four rows for one block.
    #[inline]
    #[target_feature(enable = "neon")]
    fn scales(&self, stored: &[u16; LANES]) -> float32x4_t {
        let stored = &stored[self.quad * WIDTH..][..WIDTH];
        // SAFETY: four values of 16 bits, as sliced.
        singles(unsafe { vld1_u16(stored.as_ptr()) })
    }

    /// # Safety
    /// As [`decode`].
    #[target_feature(enable = "neon")]
    unsafe fn decode_q8_0(&self, scales: &[[u16; LANES]], panel: *mut f32) -> usize {
        for (block, stored) in scales[..self.len / 32].iter().enumerate() {
            let scale = self.scales(stored);
            for part in 0..2 {
                // SAFETY: the block's 34 bytes lie in the rows, its 32 columns in the panel.
                unsafe {
                    let quants = self.words(block * 34 + 2 + part * 16);
                    for (j, word) in quants.into_iter().enumerate() {
                        let out = panel.add((block * 32 + part * 16 + j * 4) * LANES);
                        for byte in 0..4 {
                            let top = moved_up(word, 24 - 8 * byte, 0xff00_0000);
                            // The byte stands in the top of its word: a fraction of 24 bits.
                            let weight = vmulq_f32(vcvtq_n_f32_s32::<24>(top), scale);
                            vst1q_f32(out.add(byte as usize * LANES), weight);
                        }
                    }
                }
            }
        }
        self.len
    }

    /// # Safety
    /// As [`decode`].
    #[target_feature(enable = "neon")]
    unsafe fn decode_q4_0(&self, scales: &[[u16; LANES]], panel: *mut f32) -> usize {
        // n with its top bit turned over is n - 8 in two's complement.
        let turn = vdupq_n_u32(0x8888_8888);
        for (block, stored) in scales[..self.len / 32].iter().enumerate() {
            let scale = self.scales(stored);
            // SAFETY: the block's 18 bytes lie in the rows, its 32 columns in the panel.
            unsafe {
                let quants = self.words(block * 18 + 2);
                for (j, word) in quants.into_iter().enumerate() {
                    let out = panel.add((block * 32 + j * 4) * LANES);
                    let word = veorq_u32(word, turn);
                    for nibble in 0..8 {
                        let top = moved_up(word, 28 - 4 * nibble, 0xf000_0000);
                        // The nibble stands in the top of its word: a fraction of 28 bits.
                        let weight = vmulq_f32(vcvtq_n_f32_s32::<28>(top), scale);
                        let column = nibble as usize / 2 + nibble as usize % 2 * 16;
                        vst1q_f32(out.add(column * LANES), weight);
                    }
                }
            }
        }
        self.len
    }
}

/// The bits of `mask` of each word after it was moved up.
#[inline]
#[target_feature(enable = "neon")]
fn moved_up(word: uint32x4_t, bits: i32, mask: u32) -> int32x4_t {
    let moved = vshlq_u32(word, vdupq_n_s32(bits));
    vreinterpretq_s32_u32(vandq_u32(moved, vdupq_n_u32(mask)))
}

/// Half-precision numbers as singles, exactly.
#[inline]
#[target_feature(enable = "neon")]
fn singles(halves: uint16x4_t) -> float32x4_t {
    vcvt_f32_f16(vreinterpret_f16_u16(halves))
}
