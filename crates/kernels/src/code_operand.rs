//! Codes of a tile as a right operand of the tile unit: `tile[pair of columns][output]`, whole
//! numbers as `bf16`.
#![allow(unsafe_code)] // intrinsics on pointers

use crate::coded::{Codes, TILE_COLUMNS};
use crate::coded_avx512::{EIGHT, FIVE, FOUR, SIX, bytes_of};
use crate::lanes::LANES;
use crate::packed::Tile;
use std::arch::x86_64::*;

/// Writes a tile of codes of `KIND`, with the tables that [`words`] gives.
///
/// # Safety
/// The processor has the features named.
///
/// # Panics
/// When there are fewer bytes than a tile of codes has.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) unsafe fn operand<const KIND: usize>(
    codes: &[u8],
    tables: [__m512i; 2],
    tile: &mut Tile,
) {
    let codes = codes[..bytes_of(KIND)].as_ptr();
    let out = tile.0.as_mut_ptr().cast::<__m512i>();
    // SAFETY: so many bytes are there, and a tile of pairs has 16 rows.
    unsafe {
        match KIND {
            FOUR => four(codes, tables, out),
            FIVE => five(codes, tables, out),
            SIX => six(codes, tables, out),
            EIGHT => eight(codes, out),
            _ => unreachable!("no such kind of codes"),
        }
    }
}

/// The values that codes stand for as `bf16`, which all of them are: by the code's lower 5 bits,
/// and those of 32 and more.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) fn words(codes: Codes) -> [__m512i; 2] {
    let mut words = [[0_u16; 2 * LANES]; 2];
    if codes != Codes::Eight {
        for (code, word) in words.as_flattened_mut().iter_mut().enumerate() {
            *word = (f32::from(codes.value(code as u8)).to_bits() >> 16) as u16;
        }
    }
    // SAFETY: 64 bytes are read of each.
    words.map(|words| unsafe { _mm512_loadu_si512(words.as_ptr().cast()) })
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn right(words: __m512i, bits: usize) -> __m512i {
    _mm512_srlv_epi16(words, _mm512_set1_epi16(bits as i16))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn left(words: __m512i, bits: usize) -> __m512i {
    _mm512_sllv_epi16(words, _mm512_set1_epi16(bits as i16))
}

/// `high` where the bits of `low` end, after so many.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn joined(low: __m512i, high: __m512i) -> __m512i {
    // The lower four bits from the one, the others from the other.
    const CHOOSE: i32 = 0xca;
    _mm512_ternarylogic_epi32::<CHOOSE>(_mm512_set1_epi16(15), low, high)
}

/// # Safety
/// 256 bytes are read, 16 rows are written.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn four(codes: *const u8, [table, _]: [__m512i; 2], out: *mut __m512i) {
    for q in 0..4 {
        // SAFETY: the caller's promise.
        unsafe {
            let words = _mm512_loadu_si512(codes.add(64 * q).cast());
            for i in 0..4 {
                // A fifth bit, whatever it is, is taken off by the table: both halves are the same.
                let values = _mm512_permutexvar_epi16(right(words, 4 * i), table);
                _mm512_store_si512(out.add(4 * q + i), values);
            }
        }
    }
}

/// # Safety
/// 320 bytes are read, 16 rows are written.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn five(codes: *const u8, [table, _]: [__m512i; 2], out: *mut __m512i) {
    // SAFETY: the caller's promise.
    unsafe {
        let tops = _mm512_loadu_si512(codes.add(256).cast());
        for q in 0..4 {
            let words = _mm512_loadu_si512(codes.add(64 * q).cast());
            for i in 0..4 {
                let bit = 4 * q + i;
                let top = if bit < 4 { left(tops, 4 - bit) } else { right(tops, bit - 4) };
                let codes = joined(right(words, 4 * i), top);
                _mm512_store_si512(out.add(bit), _mm512_permutexvar_epi16(codes, table));
            }
        }
    }
}

/// # Safety
/// 384 bytes are read, 16 rows are written.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn six(codes: *const u8, [table, upper]: [__m512i; 2], out: *mut __m512i) {
    for q in 0..4 {
        // SAFETY: the caller's promise.
        unsafe {
            let words = _mm512_loadu_si512(codes.add(64 * q).cast());
            let tops = _mm512_loadu_si512(codes.add(256 + 64 * (q / 2)).cast());
            for i in 0..4 {
                let bit = 2 * (4 * (q % 2) + i);
                let top = if bit < 4 { left(tops, 4 - bit) } else { right(tops, bit - 4) };
                let codes = joined(right(words, 4 * i), top);
                let values = _mm512_permutex2var_epi16(table, codes, upper);
                _mm512_store_si512(out.add(4 * q + i), values);
            }
        }
    }
}

/// # Safety
/// 512 bytes are read, 16 rows are written.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn eight(codes: *const u8, out: *mut __m512i) {
    for pair in 0..TILE_COLUMNS / 2 {
        // SAFETY: the caller's promise.
        unsafe {
            let [even, odd] = [0, 1].map(|odd| {
                let bytes = _mm_loadu_si128(codes.add(LANES * (2 * pair + odd)).cast());
                _mm512_castps_si512(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes)))
            });
            // The lower halves are zeros: whole numbers below 256 are bf16.
            let pairs = _mm512_or_si512(odd, _mm512_srli_epi32::<16>(even));
            _mm512_store_si512(out.add(pair), pairs);
        }
    }
}
