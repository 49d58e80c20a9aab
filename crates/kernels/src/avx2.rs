//! AVX2 with FMA and F16C: two registers hold 16 lanes.
#![allow(unsafe_code)] // intrinsics on pointers; callers check bounds and processor first

use crate::chains::{CHAIN, Chains};
use crate::format::Format;
use crate::lanes::LANES;
use crate::panel::{Stored, block_scales, prefetch};
use crate::turned::{self, BLOCK_WORDS, Block};
use std::arch::x86_64::*;

/// Tokens whose chains are kept in registers together: 3 tokens x 2 registers x (even, odd), two of
/// weights and one factor take 15 of the 16 registers.
const TOKENS: usize = 3;
/// Lanes of a register.
const WIDTH: usize = 8;

/// See [`Chains::run`].
///
/// # Safety
/// The processor has the features named, and `Chains::check` has passed.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) unsafe fn chains(mut job: Chains) {
    for half in 0..job.halves {
        let mut token = 0;
        // SAFETY: the tokens of each group are below `job.tokens`.
        unsafe {
            while token + TOKENS <= job.tokens {
                group::<TOKENS>(&mut job, token, half);
                token += TOKENS;
            }
            match job.tokens - token {
                1 => group::<1>(&mut job, token, half),
                2 => group::<2>(&mut job, token, half),
                _ => {}
            }
        }
    }
}

/// All steps for tokens `first..first + T` and one half.
///
/// # Safety
/// As [`chains`]; `first + T <= job.tokens` and `half < job.halves`.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn group<const T: usize>(job: &mut Chains, first: usize, half: usize) {
    // SAFETY: `Chains::check` bounds x by its last token and step, the panel by its last half and
    // step, the sums by their last token and half; nothing below goes beyond those.
    unsafe {
        let panel = job.panel.as_ptr().add(half * job.half_stride);
        let mut rows = Rows::<T> { x: [job.x.as_ptr(); T], panel, step: job.step_stride };
        for (token, x) in rows.x.iter_mut().enumerate() {
            *x = x.add((first + token) * job.x_stride);
        }
        let out = job.sums.as_mut_ptr().add(first * job.sums_stride + half * LANES);
        let (steps, mut at) = (job.steps.clone(), job.steps.start);
        while at < steps.end {
            let end = (at / CHAIN * CHAIN + CHAIN).min(steps.end);
            let closed = rows.close(at, end);
            for (token, closed) in closed.into_iter().enumerate() {
                for (part, closed) in closed.into_iter().enumerate() {
                    let sum = out.add(token * job.sums_stride + part * WIDTH);
                    _mm256_storeu_ps(sum, _mm256_add_ps(_mm256_loadu_ps(sum), closed));
                }
            }
            at = end;
        }
    }
}

/// Where the factors and the panel of a group of tokens lie.
struct Rows<const T: usize> {
    x: [*const f32; T],
    panel: *const f32,
    step: usize,
}

impl<const T: usize> Rows<T> {
    /// Even + odd chain over the steps `at..end`.
    ///
    /// # Safety
    /// The steps lie in every row and in the panel.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn close(&self, at: usize, end: usize) -> [[__m256; 2]; T] {
        let mut even = [[_mm256_setzero_ps(); 2]; T];
        let mut odd = even;
        // From an odd step on the two chains change names; their sum stays the same.
        let mut k = at;
        // SAFETY: k stays in at..end.
        unsafe {
            while k + 2 <= end {
                self.fma(&mut even, k);
                self.fma(&mut odd, k + 1);
                k += 2;
            }
            if k < end {
                self.fma(&mut even, k);
            }
        }
        for (even, odd) in even.iter_mut().zip(odd) {
            *even = [_mm256_add_ps(even[0], odd[0]), _mm256_add_ps(even[1], odd[1])];
        }
        even
    }

    /// One step of one chain: `chain = fma(weight, x, chain)`.
    ///
    /// # Safety
    /// Step k lies in every row and in the panel.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn fma(&self, chain: &mut [[__m256; 2]; T], k: usize) {
        // SAFETY: as promised by the caller.
        unsafe {
            let column = self.panel.add(k * self.step);
            let (low, high) = (_mm256_loadu_ps(column), _mm256_loadu_ps(column.add(WIDTH)));
            for (chain, x) in chain.iter_mut().zip(self.x) {
                let x = _mm256_set1_ps(*x.add(k));
                chain[0] = _mm256_fmadd_ps(low, x, chain[0]);
                chain[1] = _mm256_fmadd_ps(high, x, chain[1]);
            }
        }
    }
}

/// Decodes the columns it can to `panel` and returns how many those are, from the first on.
///
/// # Safety
/// The processor has the features named; every row holds `stored.len` weights, `panel` 16 times as
/// many.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) unsafe fn decode(stored: &Stored, panel: &mut [f32]) -> usize {
    let mut done = 0;
    for (half, eight) in Eight::both(stored).into_iter().enumerate() {
        // SAFETY: the caller's promise is passed on; the half's lanes end inside each column.
        done = unsafe {
            let start = panel.as_mut_ptr().add(half * WIDTH);
            match stored.format {
                Format::F32 => eight.decode_f32(start),
                Format::F16 => eight.decode_f16(start),
                Format::BF16 => eight.decode_bf16(start),
                Format::Q8_0 => eight.decode_q8_0(&block_scales(stored), start),
                Format::Q4_0 => eight.decode_q4_0(&block_scales(stored), start),
                _ => return decode_turned(stored, panel),
            }
        };
    }
    done
}

/// # Safety
/// As [`decode`].
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn decode_turned(stored: &Stored, panel: &mut [f32]) -> usize {
    let (len, size) = (stored.format.block_len(), stored.format.block_bytes());
    let halves = Eight::both(stored);
    let mut words_of_block: Block = [[0; LANES]; BLOCK_WORDS];
    let columns = panel.as_chunks_mut::<LANES>().0;
    for (block, columns) in columns[..stored.len].chunks_exact_mut(len).enumerate() {
        let (offset, whole) = (block * size, size / 16 * 16);
        for at in (0..whole).step_by(16) {
            for eight in &halves {
                prefetch(eight.ahead, (offset + at) * WIDTH, 16 * WIDTH);

                // SAFETY: the 16 bytes lie in the block's `size`, the words in the array's.
                unsafe {
                    for (j, word) in eight.words(offset + at).into_iter().enumerate() {
                        let out = words_of_block[at / 4 + j][eight.half * WIDTH..].as_mut_ptr();
                        _mm256_storeu_si256(out.cast::<__m256i>(), word);
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

/// Eight of the sixteen rows.
struct Eight<'a> {
    rows: [&'a [u8]; WIDTH],
    len: usize,
    ahead: *const u8,
    half: usize,
}

impl<'a> Eight<'a> {
    /// The lower and the upper eight rows.
    fn both(stored: &Stored<'a>) -> [Eight<'a>; 2] {
        std::array::from_fn(|half| {
            let rows: [&[u8]; WIDTH] = std::array::from_fn(|r| stored.rows[half * WIDTH + r]);
            let ahead = stored.ahead.wrapping_add(half * rows[0].len() * WIDTH);
            Eight { rows, len: stored.len, ahead, half }
        })
    }

    /// 16 bytes of each row from `offset`, turned: lane r of vector j is the j-th 32-bit word of
    /// row r.
    ///
    /// # Safety
    /// Every row has 16 bytes from `offset`.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn words(&self, offset: usize) -> [__m256i; 4] {
        let mut y = [_mm256_setzero_si256(); 4];
        for (i, y) in y.iter_mut().enumerate() {
            // SAFETY: 16 bytes from `offset` lie in each row; the loads are unaligned ones.
            let part = |r: usize| unsafe {
                _mm_loadu_si128(self.rows[r].as_ptr().add(offset).cast::<__m128i>())
            };
            *y = _mm256_set_m128i(part(4 + i), part(i));
        }
        let (a, b) = (_mm256_unpacklo_epi32(y[0], y[1]), _mm256_unpackhi_epi32(y[0], y[1]));
        let (c, d) = (_mm256_unpacklo_epi32(y[2], y[3]), _mm256_unpackhi_epi32(y[2], y[3]));
        [
            _mm256_unpacklo_epi64(a, c),
            _mm256_unpackhi_epi64(a, c),
            _mm256_unpacklo_epi64(b, d),
            _mm256_unpackhi_epi64(b, d),
        ]
    }

    /// # Safety
    /// As [`decode`].
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn decode_f32(&self, panel: *mut f32) -> usize {
        let done = self.len / 4 * 4;
        for k in (0..done).step_by(4) {
            prefetch(self.ahead, k * 4 * WIDTH, 16 * WIDTH);

            // SAFETY: columns k..k + 4 lie in the rows and in the panel.
            unsafe {
                for (j, word) in self.words(k * 4).into_iter().enumerate() {
                    _mm256_storeu_ps(panel.add((k + j) * LANES), _mm256_castsi256_ps(word));
                }
            }
        }
        done
    }

    /// # Safety
    /// As [`decode`].
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn decode_bf16(&self, panel: *mut f32) -> usize {
        let done = self.len / 8 * 8;
        let upper = _mm256_set1_epi32(0xffff_0000_u32 as i32);
        for k in (0..done).step_by(8) {
            prefetch(self.ahead, k * 2 * WIDTH, 16 * WIDTH);

            // SAFETY: columns k..k + 8 lie in the rows and in the panel.
            unsafe {
                for (j, word) in self.words(k * 2).into_iter().enumerate() {
                    let out = panel.add((k + 2 * j) * LANES);
                    _mm256_storeu_ps(out, _mm256_castsi256_ps(_mm256_slli_epi32::<16>(word)));
                    let second = _mm256_and_si256(word, upper);
                    _mm256_storeu_ps(out.add(LANES), _mm256_castsi256_ps(second));
                }
            }
        }
        done
    }

    /// # Safety
    /// As [`decode`].
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn decode_f16(&self, panel: *mut f32) -> usize {
        let done = self.len / 8 * 8;
        let lower = _mm256_set1_epi32(0xffff);
        for k in (0..done).step_by(8) {
            prefetch(self.ahead, k * 2 * WIDTH, 16 * WIDTH);

            // SAFETY: columns k..k + 8 lie in the rows and in the panel.
            unsafe {
                for (j, word) in self.words(k * 2).into_iter().enumerate() {
                    let out = panel.add((k + 2 * j) * LANES);
                    // Within each half register: four first columns, then four second ones.
                    let first = _mm256_and_si256(word, lower);
                    let both = _mm256_packus_epi32(first, _mm256_srli_epi32::<16>(word));
                    let both = _mm256_permute4x64_epi64::<0b11_01_10_00>(both);
                    let (first, second) =
                        (_mm256_castsi256_si128(both), _mm256_extracti128_si256::<1>(both));
                    _mm256_storeu_ps(out, _mm256_cvtph_ps(first));
                    _mm256_storeu_ps(out.add(LANES), _mm256_cvtph_ps(second));
                }
            }
        }
        done
    }

    /// The scales of the eight rows for one block.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn scales(&self, stored: &[u16; LANES]) -> __m256 {
        let stored = &stored[self.half * WIDTH..][..WIDTH];
        // SAFETY: 8 values of 16 bits are 16 bytes; the load is an unaligned one.
        _mm256_cvtph_ps(unsafe { _mm_loadu_si128(stored.as_ptr().cast::<__m128i>()) })
    }

    /// # Safety
    /// As [`decode`].
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn decode_q8_0(&self, scales: &[[u16; LANES]], panel: *mut f32) -> usize {
        let top = _mm256_set1_epi32(0xff00_0000_u32 as i32);
        for (block, stored) in scales[..self.len / 32].iter().enumerate() {
            prefetch(self.ahead, block * 34 * WIDTH, 34 * WIDTH);

            // The byte stands in the top of its word: q * 2^24, exactly; the scale makes up for it.
            let scale = _mm256_mul_ps(self.scales(stored), _mm256_set1_ps(1.0 / 16_777_216.0));
            for part in 0..2 {
                // SAFETY: the block's 34 bytes lie in the rows, its 32 columns in the panel.
                unsafe {
                    let quants = self.words(block * 34 + 2 + part * 16);
                    for (j, word) in quants.into_iter().enumerate() {
                        let out = panel.add((block * 32 + part * 16 + j * 4) * LANES);
                        let bytes = [
                            _mm256_slli_epi32::<24>(word),
                            _mm256_and_si256(_mm256_slli_epi32::<16>(word), top),
                            _mm256_and_si256(_mm256_slli_epi32::<8>(word), top),
                            _mm256_and_si256(word, top),
                        ];
                        for (i, byte) in bytes.into_iter().enumerate() {
                            let weight = _mm256_mul_ps(_mm256_cvtepi32_ps(byte), scale);
                            _mm256_storeu_ps(out.add(i * LANES), weight);
                        }
                    }
                }
            }
        }
        self.len
    }

    /// # Safety
    /// As [`decode`].
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn decode_q4_0(&self, scales: &[[u16; LANES]], panel: *mut f32) -> usize {
        let top = _mm256_set1_epi32(0xf000_0000_u32 as i32);
        // n with its top bit turned over is n - 8 in two's complement.
        let turn = _mm256_set1_epi8(0x88_u8 as i8);
        for (block, stored) in scales[..self.len / 32].iter().enumerate() {
            prefetch(self.ahead, block * 18 * WIDTH, 18 * WIDTH);

            // The nibble stands in the top of its word: (n - 8) * 2^28; the scale makes up for it.
            let scale = _mm256_mul_ps(self.scales(stored), _mm256_set1_ps(1.0 / 268_435_456.0));
            // SAFETY: the block's 18 bytes lie in the rows, its 32 columns in the panel.
            unsafe {
                let quants = self.words(block * 18 + 2);
                for (j, word) in quants.into_iter().enumerate() {
                    let out = panel.add((block * 32 + j * 4) * LANES);
                    let word = _mm256_xor_si256(word, turn);
                    for nibble in 0..8 {
                        let shift = _mm_cvtsi32_si128(28 - 4 * nibble);
                        let quant = _mm256_and_si256(_mm256_sll_epi32(word, shift), top);
                        let weight = _mm256_mul_ps(_mm256_cvtepi32_ps(quant), scale);
                        let column = nibble as usize / 2 + nibble as usize % 2 * 16;
                        _mm256_storeu_ps(out.add(column * LANES), weight);
                    }
                }
            }
        }
        self.len
    }
}
