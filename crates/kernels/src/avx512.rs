//! AVX-512: a register holds 16 lanes.
#![allow(unsafe_code)] // intrinsics on pointers; callers check bounds and processor first

use crate::chains::{CHAIN, Chains};
use crate::format::Format;
use crate::lanes::LANES;
use crate::panel::{Stored, block_scales, prefetch};
use crate::turned::{self, BLOCK_WORDS, Block};
use std::arch::x86_64::*;

/// Tokens whose chains are kept in registers together: 4 tokens x 2 halves x (even, odd, sum) take
/// 24 of the 32 registers.
const TOKENS: usize = 4;

/// See [`Chains::run`].
///
/// # Safety
/// The processor has the features named, and `Chains::check` has passed.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) unsafe fn chains(mut job: Chains) {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        match job.halves {
            1 => walk::<1>(&mut job),
            _ => walk::<2>(&mut job),
        }
    }
}

/// # Safety
/// As [`chains`]; `HALVES` is `job.halves`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn walk<const HALVES: usize>(job: &mut Chains) {
    let mut token = 0;
    // SAFETY: the tokens of each group are below `job.tokens`.
    unsafe {
        while token + TOKENS <= job.tokens {
            group::<TOKENS, HALVES>(job, token);
            token += TOKENS;
        }
        match job.tokens - token {
            1 => group::<1, HALVES>(job, token),
            2 => group::<2, HALVES>(job, token),
            3 => group::<3, HALVES>(job, token),
            _ => {}
        }
    }
}

/// All steps for tokens `first..first + T`.
///
/// # Safety
/// As [`walk`]; `first + T <= job.tokens`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn group<const T: usize, const HALVES: usize>(job: &mut Chains, first: usize) {
    // SAFETY: `Chains::check` bounds x by its last token and step, the panel by its last half and
    // step, the sums by their last token and half; nothing below goes beyond those.
    unsafe {
        let mut rows = Rows::<T> { x: [job.x.as_ptr(); T], panel: job.panel.as_ptr() };
        for (token, x) in rows.x.iter_mut().enumerate() {
            *x = x.add((first + token) * job.x_stride);
        }
        let out = job.sums.as_mut_ptr().add(first * job.sums_stride);
        let mut sums = [[_mm512_setzero_ps(); HALVES]; T];
        for (token, sums) in sums.iter_mut().enumerate() {
            for (half, sum) in sums.iter_mut().enumerate() {
                *sum = _mm512_loadu_ps(out.add(token * job.sums_stride + half * LANES));
            }
        }
        let (steps, mut at) = (job.steps.clone(), job.steps.start);
        let (step, half) = (job.step_stride, job.half_stride);
        while at < steps.end {
            let end = (at / CHAIN * CHAIN + CHAIN).min(steps.end);
            rows.close::<HALVES>(&mut sums, at, end, step, half);
            at = end;
        }
        for (token, sums) in sums.iter().enumerate() {
            for (half, sum) in sums.iter().enumerate() {
                _mm512_storeu_ps(out.add(token * job.sums_stride + half * LANES), *sum);
            }
        }
    }
}

/// Where the factors and the panel of a group of tokens lie.
struct Rows<const T: usize> {
    x: [*const f32; T],
    panel: *const f32,
}

impl<const T: usize> Rows<T> {
    /// Steps `at..end` of one pair of chains, then `sums += even + odd`.
    ///
    /// # Safety
    /// The steps lie in every row and in the panel.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    unsafe fn close<const HALVES: usize>(
        &self,
        sums: &mut [[__m512; HALVES]; T],
        at: usize,
        end: usize,
        step: usize,
        half: usize,
    ) {
        let mut even = [[_mm512_setzero_ps(); HALVES]; T];
        let mut odd = even;
        // From an odd step on the two chains change names; their sum stays the same.
        let mut k = at;
        // SAFETY: k stays in at..end.
        unsafe {
            while k + 2 <= end {
                self.fma(&mut even, k, step, half);
                self.fma(&mut odd, k + 1, step, half);
                k += 2;
            }
            if k < end {
                self.fma(&mut even, k, step, half);
            }
        }
        for t in 0..T {
            for h in 0..HALVES {
                sums[t][h] = _mm512_add_ps(sums[t][h], _mm512_add_ps(even[t][h], odd[t][h]));
            }
        }
    }

    /// One step of one chain: `chain = fma(weight, x, chain)`.
    ///
    /// # Safety
    /// Step k lies in every row and in the panel.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    unsafe fn fma<const HALVES: usize>(
        &self,
        chain: &mut [[__m512; HALVES]; T],
        k: usize,
        step: usize,
        half: usize,
    ) {
        let mut weights = [_mm512_setzero_ps(); HALVES];
        // SAFETY: as promised by the caller.
        unsafe {
            for (h, weights) in weights.iter_mut().enumerate() {
                *weights = _mm512_loadu_ps(self.panel.add(k * step + h * half));
            }
            for (chain, x) in chain.iter_mut().zip(self.x) {
                let x = _mm512_set1_ps(*x.add(k));
                for (chain, weights) in chain.iter_mut().zip(weights) {
                    *chain = _mm512_fmadd_ps(weights, x, *chain);
                }
            }
        }
    }
}

/// Decodes the columns it can to `panel` and returns how many those are, from the first on.
///
/// # Safety
/// The processor has the features named; every row holds `stored.len` weights, `panel` 16 times as
/// many.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) unsafe fn decode(stored: &Stored, panel: &mut [f32]) -> usize {
    let start = panel.as_mut_ptr();
    // SAFETY: the caller's promise is passed on.
    unsafe {
        match stored.format {
            Format::F32 => decode_f32(stored, start),
            Format::F16 => decode_f16(stored, start),
            Format::BF16 => decode_bf16(stored, start),
            Format::Q8_0 => decode_q8_0(stored, start),
            Format::Q4_0 => decode_q4_0(stored, start),
            _ => decode_turned(stored, panel),
        }
    }
}

/// # Safety
/// As [`decode`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn decode_turned(stored: &Stored, panel: &mut [f32]) -> usize {
    let (len, size) = (stored.format.block_len(), stored.format.block_bytes());
    let mut words_of_block: Block = [[0; LANES]; BLOCK_WORDS];
    let columns = panel.as_chunks_mut::<LANES>().0;
    for (block, columns) in columns[..stored.len].chunks_exact_mut(len).enumerate() {
        let (offset, whole) = (block * size, size / 16 * 16);
        for at in (0..whole).step_by(16) {
            prefetch(stored.ahead, (offset + at) * LANES, 16 * LANES);

            // SAFETY: the 16 bytes lie in the block's `size`, the words in the array's.
            unsafe {
                for (j, word) in words(&stored.rows, offset + at).into_iter().enumerate() {
                    let out = words_of_block[at / 4 + j].as_mut_ptr();
                    _mm512_storeu_si512(out.cast::<__m512i>(), word);
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

/// 16 bytes of each row from `offset`, turned: lane r of vector j is the j-th 32-bit word of row r.
///
/// # Safety
/// Every row has 16 bytes from `offset`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn words(rows: &[&[u8]; LANES], offset: usize) -> [__m512i; 4] {
    let mut z = [_mm512_setzero_si512(); 4];
    for (i, z) in z.iter_mut().enumerate() {
        // SAFETY: 16 bytes from `offset` lie in each row; the loads are unaligned ones.
        let part =
            |r: usize| unsafe { _mm_loadu_si128(rows[r].as_ptr().add(offset).cast::<__m128i>()) };
        *z = _mm512_castsi128_si512(part(i));
        *z = _mm512_inserti32x4::<1>(*z, part(4 + i));
        *z = _mm512_inserti32x4::<2>(*z, part(8 + i));
        *z = _mm512_inserti32x4::<3>(*z, part(12 + i));
    }
    let (a, b) = (_mm512_unpacklo_epi32(z[0], z[1]), _mm512_unpackhi_epi32(z[0], z[1]));
    let (c, d) = (_mm512_unpacklo_epi32(z[2], z[3]), _mm512_unpackhi_epi32(z[2], z[3]));
    [
        _mm512_unpacklo_epi64(a, c),
        _mm512_unpackhi_epi64(a, c),
        _mm512_unpacklo_epi64(b, d),
        _mm512_unpackhi_epi64(b, d),
    ]
}

/// # Safety
/// As [`decode`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn decode_f32(stored: &Stored, panel: *mut f32) -> usize {
    let done = stored.len / 4 * 4;
    for k in (0..done).step_by(4) {
        prefetch(stored.ahead, k * 4 * LANES, 16 * LANES);

        // SAFETY: columns k..k + 4 lie in the rows and in the panel.
        unsafe {
            for (j, word) in words(&stored.rows, k * 4).into_iter().enumerate() {
                _mm512_storeu_ps(panel.add((k + j) * LANES), _mm512_castsi512_ps(word));
            }
        }
    }
    done
}

/// # Safety
/// As [`decode`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn decode_bf16(stored: &Stored, panel: *mut f32) -> usize {
    let done = stored.len / 8 * 8;
    let upper = _mm512_set1_epi32(0xffff_0000_u32 as i32);
    for k in (0..done).step_by(8) {
        prefetch(stored.ahead, k * 2 * LANES, 16 * LANES);

        // SAFETY: columns k..k + 8 lie in the rows and in the panel.
        unsafe {
            for (j, word) in words(&stored.rows, k * 2).into_iter().enumerate() {
                let out = panel.add((k + 2 * j) * LANES);
                _mm512_storeu_ps(out, _mm512_castsi512_ps(_mm512_slli_epi32::<16>(word)));
                let second = _mm512_and_si512(word, upper);
                _mm512_storeu_ps(out.add(LANES), _mm512_castsi512_ps(second));
            }
        }
    }
    done
}

/// # Safety
/// As [`decode`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn decode_f16(stored: &Stored, panel: *mut f32) -> usize {
    let done = stored.len / 8 * 8;
    for k in (0..done).step_by(8) {
        prefetch(stored.ahead, k * 2 * LANES, 16 * LANES);

        // SAFETY: columns k..k + 8 lie in the rows and in the panel.
        unsafe {
            for (j, word) in words(&stored.rows, k * 2).into_iter().enumerate() {
                let out = panel.add((k + 2 * j) * LANES);
                let first = _mm512_cvtepi32_epi16(word);
                let second = _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(word));
                _mm512_storeu_ps(out, _mm512_cvtph_ps(first));
                _mm512_storeu_ps(out.add(LANES), _mm512_cvtph_ps(second));
            }
        }
    }
    done
}

/// The scales of 16 rows for one block.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn scales(stored: &[u16; LANES]) -> __m512 {
    // SAFETY: 16 values of 16 bits are 32 bytes; the load is an unaligned one.
    _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(stored.as_ptr().cast::<__m256i>()) })
}

/// # Safety
/// As [`decode`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn decode_q8_0(stored: &Stored, panel: *mut f32) -> usize {
    let all = block_scales(stored);
    let top = _mm512_set1_epi32(0xff00_0000_u32 as i32);
    for (block, stored_scales) in all[..stored.len / 32].iter().enumerate() {
        prefetch(stored.ahead, block * 34 * LANES, 34 * LANES);

        // The byte stands in the top of its word: q * 2^24, exactly; the scale makes up for it.
        let scale = _mm512_mul_ps(scales(stored_scales), _mm512_set1_ps(1.0 / 16_777_216.0));
        // SAFETY: the block's 34 bytes lie in the rows, its 32 columns in the panel.
        unsafe {
            for part in 0..2 {
                let quants = words(&stored.rows, block * 34 + 2 + part * 16);
                for (j, word) in quants.into_iter().enumerate() {
                    let out = panel.add((block * 32 + part * 16 + j * 4) * LANES);
                    let bytes = [
                        _mm512_slli_epi32::<24>(word),
                        _mm512_and_si512(_mm512_slli_epi32::<16>(word), top),
                        _mm512_and_si512(_mm512_slli_epi32::<8>(word), top),
                        _mm512_and_si512(word, top),
                    ];
                    for (i, byte) in bytes.into_iter().enumerate() {
                        let weight = _mm512_mul_ps(_mm512_cvtepi32_ps(byte), scale);
                        _mm512_storeu_ps(out.add(i * LANES), weight);
                    }
                }
            }
        }
    }
    stored.len
}

/// # Safety
/// As [`decode`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn decode_q4_0(stored: &Stored, panel: *mut f32) -> usize {
    let all = block_scales(stored);
    // n - 8 for the nibble n; the permutation looks at the low 4 bits of each word only.
    let value = _mm512_setr_ps(
        -8.0, -7.0, -6.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0,
    );
    for (block, stored_scales) in all[..stored.len / 32].iter().enumerate() {
        prefetch(stored.ahead, block * 18 * LANES, 18 * LANES);

        let scale = scales(stored_scales);
        // SAFETY: the block's 18 bytes lie in the rows, its 32 columns in the panel.
        unsafe {
            let quants = words(&stored.rows, block * 18 + 2);
            for (j, word) in quants.into_iter().enumerate() {
                let out = panel.add((block * 32 + j * 4) * LANES);
                for i in 0..4 {
                    let low = _mm512_srl_epi32(word, _mm_cvtsi32_si128(8 * i));
                    let high = _mm512_srl_epi32(word, _mm_cvtsi32_si128(8 * i + 4));
                    let out = out.add(i as usize * LANES);
                    let low = _mm512_mul_ps(_mm512_permutexvar_ps(low, value), scale);
                    let high = _mm512_mul_ps(_mm512_permutexvar_ps(high, value), scale);
                    _mm512_storeu_ps(out, low);
                    _mm512_storeu_ps(out.add(16 * LANES), high);
                }
            }
        }
    }
    stored.len
}
