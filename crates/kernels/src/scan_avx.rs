//! Products of vectors of 8-bit integers with AVX2, and with the instruction of AVX-512 that
//! multiplies 64 pairs and adds them (VNNI).
#![allow(unsafe_code)] // loads from slices; each block says why it stays inside

use std::arch::x86_64::*;

/// Bytes of a register of AVX-512.
const WIDE: usize = 64;
/// Bytes that become a register of AVX2 once they are 16 bits wide.
const NARROW: usize = 16;

/// Whether this processor has VNNI, beside what [`crate::Isa::Avx512`] has.
pub(crate) fn has_vnni() -> bool {
    is_x86_feature_detected!("avx512vnni")
}

/// See [`crate::scan`]; `query` is not empty and `rows` is `[out.len(), query.len()]`.
///
/// The instruction takes one side without a sign. A row's bytes with the highest bit turned are the
/// row plus 128, so 128 times the query's sum is taken away again. All sums fit: 255 times 128
/// times 65,536 is below 2^31.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(crate) fn vnni(query: &[i8], rows: &[i8], out: &mut [i32]) {
    let turn = _mm512_set1_epi8(i8::MIN);
    let over = 128 * query.iter().map(|step| i32::from(*step)).sum::<i32>();
    let (whole, rest) = (query.len() / WIDE, query.len() % WIDE);
    let mask = (1_u64 << rest) - 1;
    for (row, out) in rows.chunks_exact(query.len()).zip(out) {
        let mut sums = _mm512_setzero_si512();
        for at in 0..whole {
            // SAFETY: both have `query.len()` bytes, and `at` is one of their whole registers.
            let (row, query) = unsafe {
                let first = at * WIDE;
                (
                    _mm512_loadu_epi8(row.as_ptr().add(first)),
                    _mm512_loadu_epi8(query.as_ptr().add(first)),
                )
            };
            sums = _mm512_dpbusd_epi32(sums, _mm512_xor_si512(row, turn), query);
        }
        if rest > 0 {
            // SAFETY: the mask leaves out what lies behind the last of `query.len()` bytes.
            let (row, query) = unsafe {
                let first = whole * WIDE;
                (
                    _mm512_maskz_loadu_epi8(mask, row.as_ptr().add(first)),
                    _mm512_maskz_loadu_epi8(mask, query.as_ptr().add(first)),
                )
            };
            sums = _mm512_dpbusd_epi32(sums, _mm512_xor_si512(row, turn), query);
        }
        *out = _mm512_reduce_add_epi32(sums).wrapping_sub(over);
    }
}

/// As [`vnni`], for processors without it: bytes become 16 bits wide, pairs are multiplied and
/// added.
#[target_feature(enable = "avx2")]
pub(crate) fn avx2(query: &[i8], rows: &[i8], out: &mut [i32]) {
    let whole = query.len() / NARROW;
    for (row, out) in rows.chunks_exact(query.len()).zip(out) {
        let mut sums = _mm256_setzero_si256();
        for at in 0..whole {
            // SAFETY: both have `query.len()` bytes, and 16 of them begin at each `at * NARROW`.
            let (row, query) = unsafe {
                let first = at * NARROW;
                (
                    _mm_loadu_si128(row.as_ptr().add(first).cast()),
                    _mm_loadu_si128(query.as_ptr().add(first).cast()),
                )
            };
            let (row, query) = (_mm256_cvtepi8_epi16(row), _mm256_cvtepi8_epi16(query));
            sums = _mm256_add_epi32(sums, _mm256_madd_epi16(row, query));
        }
        let half = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums));
        let pair = _mm_add_epi32(half, _mm_shuffle_epi32::<0b00_00_11_10>(half));
        let one = _mm_add_epi32(pair, _mm_shuffle_epi32::<0b00_00_00_01>(pair));
        let rest = whole * NARROW;
        let pairs = query[rest..].iter().zip(&row[rest..]);
        let tail: i32 = pairs.map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
        *out = _mm_cvtsi128_si32(one) + tail;
    }
}
