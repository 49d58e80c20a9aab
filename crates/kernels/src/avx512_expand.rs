//! AVX-512 with bf16: weights rounded to `bf16`, as the rows of tiles.
//!
//! A weight of few bits has few values in its block: those are computed and rounded once, and each
//! weight then looks its own up.
#![allow(unsafe_code)] // intrinsics on pointers; callers check bounds and processor first

use crate::format::{FOUR_BIT_FLOATS, FOUR_BIT_VALUES, Format, power_of_two};
use crate::packed::Tile;
use crate::panel::{Stored, prefetch};
use std::arch::x86_64::*;
use std::sync::LazyLock;

/// 0 to 15.
const COUNT: [f32; 16] =
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0];

/// Every half-precision number.
static HALVES: LazyLock<Box<[f32]>> =
    LazyLock::new(|| (0..=u16::MAX).map(|bits| half::f16::from_bits(bits).to_f32()).collect());

/// Whether this processor has what [`expand`] needs beside AVX-512.
pub(crate) fn is_available() -> bool {
    is_x86_feature_detected!("avx512bf16")
}

/// Rounds 16 rows to `tiles[column / 32][row]` and calls `after` with the number of each row when
/// it is done; false for formats without code of their own.
///
/// # Safety
/// The processor has the features named; every row holds `stored.len` weights, `tiles` as many for
/// each of 16 rows.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
pub(crate) unsafe fn expand(stored: &Stored, tiles: &mut [Tile], after: impl FnMut(usize)) -> bool {
    let halves = Halves(HALVES.as_ptr());
    // SAFETY: each closure reads as many bytes as the blocks of a row have and writes one row of
    // each tile; `rows` goes through them.
    unsafe {
        let values = _mm512_loadu_ps(FOUR_BIT_VALUES.as_ptr());
        match stored.format {
            Format::BF16 if stored.len.is_multiple_of(32) => {
                rows(stored, tiles, after, |row, out, len| bf16(row, out, len));
            }
            Format::Q8_0 => rows(stored, tiles, after, |row, out, len| {
                (0..len / 32).for_each(|b| q8_0(row.add(34 * b), out.add(b), halves));
            }),
            Format::Q4_0 => rows(stored, tiles, after, |row, out, len| {
                let codes = _mm512_sub_ps(_mm512_loadu_ps(COUNT.as_ptr()), _mm512_set1_ps(8.0));
                let values = |block| _mm512_mul_ps(halves.at(block), codes);
                nibble_blocks::<18, 2>(row, out, len, values);
            }),
            Format::Q4_1 => rows(stored, tiles, after, |row, out, len| {
                let codes = _mm512_loadu_ps(COUNT.as_ptr());
                let values = |block: *const u8| {
                    _mm512_fmadd_ps(halves.at(block), codes, halves.at(block.add(2)))
                };
                nibble_blocks::<20, 4>(row, out, len, values);
            }),
            Format::IQ4_NL => rows(stored, tiles, after, |row, out, len| {
                let values = |block| _mm512_mul_ps(halves.at(block), values);
                nibble_blocks::<18, 2>(row, out, len, values);
            }),
            Format::MXFP4 => rows(stored, tiles, after, |row, out, len| {
                let values = _mm512_loadu_ps(FOUR_BIT_FLOATS.as_ptr());
                let values = |block: *const u8| {
                    let scale = power_of_two(u32::from(*block));
                    _mm512_mul_ps(_mm512_set1_ps(scale), values)
                };
                nibble_blocks::<17, 1>(row, out, len, values);
            }),
            Format::Q4_K => rows(stored, tiles, after, |row, out, len| {
                (0..len / 256).for_each(|b| q4_k(row.add(144 * b), out.add(8 * b), halves));
            }),
            Format::Q5_K => rows(stored, tiles, after, |row, out, len| {
                (0..len / 256).for_each(|b| q5_k(row.add(176 * b), out.add(8 * b), halves));
            }),
            Format::Q6_K => rows(stored, tiles, after, |row, out, len| {
                (0..len / 256).for_each(|b| q6_k(row.add(210 * b), out.add(8 * b), halves));
            }),
            _ => return false,
        }
    }
    true
}

/// Calls `row` with the bytes of each row, its row of the first tile and the number of its weights.
///
/// # Safety
/// As [`expand`]; `row` keeps to what it is given.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
unsafe fn rows(
    stored: &Stored,
    tiles: &mut [Tile],
    mut after: impl FnMut(usize),
    row: impl Fn(*const u8, *mut Tile, usize),
) {
    let out = tiles.as_mut_ptr();
    for (number, bytes) in stored.rows.iter().enumerate() {
        prefetch(stored.ahead, number * bytes.len(), bytes.len());
        // A tile seen from its row on: the same row of the next one is a tile further.
        row(bytes.as_ptr(), out.wrapping_byte_add(64 * number), stored.len);
        after(number);
    }
}

/// The table of half-precision numbers: cheaper to look up than to convert and spread one.
#[derive(Clone, Copy)]
struct Halves(*const f32);

impl Halves {
    /// The number of which two bytes are at `bytes`, in every lane.
    ///
    /// # Safety
    /// There are two bytes.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
    unsafe fn at(self, bytes: *const u8) -> __m512 {
        // SAFETY: the caller's promise; the table has a number for each two bytes.
        unsafe { _mm512_set1_ps(*self.0.add(usize::from(bytes.cast::<u16>().read_unaligned()))) }
    }
}

/// # Safety
/// `tile` is one from a row on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
unsafe fn put(tile: *mut Tile, row: __m512i) {
    // SAFETY: a row of a tile has 64 bytes, at a multiple of 64.
    unsafe { _mm512_store_si512(tile.cast::<__m512i>(), row) }
}

/// 32 values rounded.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
fn pairs(low: __m512, high: __m512) -> __m512i {
    // SAFETY: both are 64 bytes of any value.
    unsafe { std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low)) }
}

/// A row in blocks of `BYTES` bytes, of which 16 from `CODES` on hold 32 weights of four bits;
/// `values` gives what the 16 codes of a block stand for. Two blocks are rounded together.
///
/// # Safety
/// There are `len / 32` blocks, and as many tiles.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
unsafe fn nibble_blocks<const BYTES: usize, const CODES: usize>(
    row: *const u8,
    out: *mut Tile,
    len: usize,
    values: impl Fn(*const u8) -> __m512,
) {
    let blocks = len / 32;
    // SAFETY: the blocks named are among those promised.
    unsafe {
        for b in (0..blocks & !1).step_by(2) {
            let (block, next) = (row.add(BYTES * b), row.add(BYTES * (b + 1)));
            let table = pairs(values(block), values(next));
            put(out.add(b), first_of(nibbles(block.add(CODES)), table));
            put(out.add(b + 1), second_of(nibbles(next.add(CODES)), table));
        }
        if blocks % 2 == 1 {
            let block = row.add(BYTES * (blocks - 1));
            let (values, codes) = (values(block), nibbles(block.add(CODES)));
            put(out.add(blocks - 1), first_of(codes, pairs(values, values)));
        }
    }
}

/// What codes (bits 0 to 3 of each word) stand for in the first half of a table.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
fn first_of(codes: __m512i, table: __m512i) -> __m512i {
    _mm512_permutexvar_epi16(_mm512_and_si512(codes, _mm512_set1_epi16(15)), table)
}

/// The same in the second half.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
fn second_of(codes: __m512i, table: __m512i) -> __m512i {
    const AND_OR: i32 = 0xea; // a & b | c
    let (nibble, half) = (_mm512_set1_epi16(15), _mm512_set1_epi16(16));
    let indices = _mm512_ternarylogic_epi32::<AND_OR>(codes, nibble, half);
    _mm512_permutexvar_epi16(indices, table)
}

/// Of 16 bytes the low nibbles, then the high ones, in bits 0 to 3 of words.
///
/// # Safety
/// There are 16 bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
unsafe fn nibbles(bytes: *const u8) -> __m512i {
    const SHIFTS: [u16; 32] = {
        let mut shifts = [0; 32];
        let mut i = 16;
        while i < 32 {
            shifts[i] = 4;
            i += 1;
        }
        shifts
    };
    // SAFETY: the caller's promise; the shifts are 64 bytes.
    unsafe {
        let twice = _mm256_broadcastsi128_si256(_mm_loadu_si128(bytes.cast::<__m128i>()));
        let shifts = _mm512_loadu_si512(SHIFTS.as_ptr().cast::<__m512i>());
        _mm512_srlv_epi16(_mm512_cvtepu8_epi16(twice), shifts)
    }
}

/// # Safety
/// There are `2 * len` bytes and `len / 32` tiles.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
unsafe fn bf16(row: *const u8, out: *mut Tile, len: usize) {
    let sign = _mm512_set1_epi16(i16::MIN);
    for k in 0..len / 32 {
        // SAFETY: the 64 bytes lie in the row.
        unsafe {
            let x = _mm512_loadu_si512(row.add(64 * k).cast::<__m512i>());
            let normal = _mm512_test_epi16_mask(x, _mm512_set1_epi16(0x7f80));
            put(out.add(k), _mm512_mask_mov_epi16(_mm512_and_si512(x, sign), normal, x));
        }
    }
}

/// # Safety
/// There are 34 bytes and a tile.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
unsafe fn q8_0(block: *const u8, out: *mut Tile, halves: Halves) {
    // SAFETY: the scale and twice 16 weights lie in the block.
    unsafe {
        let scale = halves.at(block);
        put(out, pairs(signed(block.add(2), scale), signed(block.add(18), scale)));
    }
}

/// 16 signed bytes, each times the scale.
///
/// # Safety
/// There are 16 bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
unsafe fn signed(bytes: *const u8, scale: __m512) -> __m512 {
    // SAFETY: the caller's promise.
    let bytes = unsafe { _mm_loadu_si128(bytes.cast::<__m128i>()) };
    _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes)), scale)
}

/// The eight scales and minima that Q4_K and Q5_K have for each 32 weights.
///
/// # Safety
/// There are 16 bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
unsafe fn scales_and_minima(block: *const u8, halves: Halves) -> __m512 {
    // SAFETY: the caller's promise.
    let words: [u32; 3] = unsafe { block.add(4).cast::<[u32; 3]>().read_unaligned() };
    let [first, second, third] = words;
    let bytes: [u32; 4] = [
        first & 0x3f3f_3f3f,
        third & 0x0f0f_0f0f | first >> 2 & 0x3030_3030,
        second & 0x3f3f_3f3f,
        third >> 4 & 0x0f0f_0f0f | second >> 2 & 0x3030_3030,
    ];
    // SAFETY: 16 bytes are read, and two halves.
    unsafe {
        let small = _mm512_cvtepu8_epi32(_mm_loadu_si128(bytes.as_ptr().cast::<__m128i>()));
        let (scale, minimum) = (halves.at(block), halves.at(block.add(2)));
        let factors = _mm512_mask_blend_ps(0xff00, scale, minimum);
        _mm512_mul_ps(_mm512_cvtepi32_ps(small), factors)
    }
}

/// # Safety
/// There are 144 bytes and 8 tiles.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
unsafe fn q4_k(block: *const u8, out: *mut Tile, halves: Halves) {
    // SAFETY: 16 bytes of scales, then four times 32 with two groups of 32 weights each.
    unsafe {
        let scales = scales_and_minima(block, halves);
        let scales = &*in_memory(&scales).cast::<[f32; 16]>();
        let count = _mm512_loadu_ps(COUNT.as_ptr());
        for pair in 0..4 {
            let bytes = _mm256_loadu_si256(block.add(16 + 32 * pair).cast::<__m256i>());
            let low = _mm512_cvtepu8_epi16(bytes);
            let [first, second] = [2 * pair, 2 * pair + 1].map(|group| {
                let (scale, minimum) = (scales[group], scales[8 + group]);
                _mm512_fmsub_ps(_mm512_set1_ps(scale), count, _mm512_set1_ps(minimum))
            });
            let table = pairs(first, second);
            put(out.add(2 * pair), first_of(low, table));
            put(out.add(2 * pair + 1), second_of(_mm512_srli_epi16::<4>(low), table));
        }
    }
}

/// # Safety
/// There are 176 bytes and 8 tiles.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
unsafe fn q5_k(block: *const u8, out: *mut Tile, halves: Halves) {
    // SAFETY: 16 bytes of scales, 32 of top bits, then four times 32 with two groups each.
    unsafe {
        let scales = scales_and_minima(block, halves);
        let scales = &*in_memory(&scales).cast::<[f32; 16]>();
        let count = _mm512_loadu_ps(COUNT.as_ptr());
        let beyond = _mm512_add_ps(count, _mm512_set1_ps(16.0));
        let tops = _mm512_cvtepu8_epi16(_mm256_loadu_si256(block.add(16).cast::<__m256i>()));
        let (nibble, top) = (_mm512_set1_epi16(15), _mm512_set1_epi16(16));
        for pair in 0..4 {
            let bytes = _mm256_loadu_si256(block.add(48 + 32 * pair).cast::<__m256i>());
            let low = _mm512_cvtepu8_epi16(bytes);
            for (half, low) in [low, _mm512_srli_epi16::<4>(low)].into_iter().enumerate() {
                let group = 2 * pair + half;
                let shift = _mm_cvtsi32_si128(group as i32);
                let tops = _mm512_srl_epi16(_mm512_slli_epi16::<4>(tops), shift);
                let indices = _mm512_and_si512(tops, top);
                let indices = _mm512_or_si512(_mm512_and_si512(low, nibble), indices);
                let scale = _mm512_set1_ps(scales[group]);
                let minimum = _mm512_set1_ps(scales[8 + group]);
                let table = pairs(
                    _mm512_fmsub_ps(scale, count, minimum),
                    _mm512_fmsub_ps(scale, beyond, minimum),
                );
                put(out.add(group), _mm512_permutexvar_epi16(indices, table));
            }
        }
    }
}

/// # Safety
/// There are 210 bytes and 8 tiles.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
unsafe fn q6_k(block: *const u8, out: *mut Tile, halves: Halves) {
    // SAFETY: two halves of 64 bytes of nibbles, two of 32 bytes of pairs of bits, 16 scales and
    // a half lie in the block; codes and scales are read back from where they were put.
    unsafe {
        let small = _mm512_cvtepi8_epi32(_mm_loadu_si128(block.add(192).cast::<__m128i>()));
        let scales = _mm512_mul_ps(halves.at(block.add(208)), _mm512_cvtepi32_ps(small));
        let (first, second) = (q6_k_codes(block, 0), q6_k_codes(block, 1));
        let codes = [first[0], first[1], second[0], second[1]];
        let (codes, scales) = (in_memory(&codes).cast::<u8>(), in_memory(&scales).cast::<f32>());
        for group in 0..8 {
            let code = codes.add(32 * group);
            let [first, second] = [0, 1].map(|i| _mm512_set1_ps(*scales.add(2 * group + i)));
            put(out.add(group), pairs(signed(code, first), signed(code.add(16), second)));
        }
    }
}

/// Where a value lies. Its parts are then loaded from there, many at a time; the compiler would
/// rather shuffle them out of registers, for which this processor has a single unit.
#[inline]
fn in_memory<T>(value: &T) -> *const T {
    std::hint::black_box(std::ptr::from_ref(value))
}

/// 128 signed codes of a half of the block, 64 in each vector.
///
/// # Safety
/// There are 192 bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
unsafe fn q6_k_codes(block: *const u8, half: usize) -> [__m512i; 2] {
    let (low_bits, two_bits) = (_mm512_set1_epi8(15), _mm512_set1_epi8(0x30));
    // SAFETY: 64 bytes of nibbles and 32 of pairs of bits are the half's.
    let (nibbles, tops) = unsafe {
        let tops = _mm256_loadu_si256(block.add(128 + 32 * half).cast::<__m256i>());
        (_mm512_loadu_si512(block.add(64 * half).cast::<__m512i>()), _mm512_broadcast_i64x4(tops))
    };
    // Of each 64 weights the second 32 have their bits two places higher.
    let tops = _mm512_mask_srli_epi16::<2>(tops, 0xffff_0000, tops);
    let low = _mm512_and_si512(nibbles, low_bits);
    let high = _mm512_and_si512(_mm512_srli_epi16::<4>(nibbles), low_bits);
    let low_tops = _mm512_and_si512(_mm512_slli_epi16::<4>(tops), two_bits);
    let high_tops = _mm512_and_si512(tops, two_bits);
    [(low, low_tops), (high, high_tops)]
        .map(|(nibble, top)| _mm512_sub_epi8(_mm512_or_si512(nibble, top), _mm512_set1_epi8(32)))
}
