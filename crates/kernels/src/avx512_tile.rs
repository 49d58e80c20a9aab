//! AVX-512: tiles turned.
#![allow(unsafe_code)] // intrinsics on pointers

use crate::lanes::LANES;
use crate::packed::{TILE_DEPTH, Tile};
use std::arch::x86_64::*;

/// Exchanges the two outer indices of each tile: 16 x 16 words of 32 bits.
///
/// # Safety
/// The processor has the features named.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) unsafe fn turn(tiles: &mut [Tile]) {
    for tile in tiles {
        let rows = tile.0.as_mut_ptr().cast::<__m512i>();
        let mut z = [_mm512_setzero_si512(); LANES];
        for (row, z) in z.iter_mut().enumerate() {
            // SAFETY: a row of a tile is 64 bytes, and there are 16.
            *z = unsafe { _mm512_loadu_si512(rows.add(row)) };
        }
        for (row, z) in turned(z).into_iter().enumerate() {
            // SAFETY: as above.
            unsafe { _mm512_storeu_si512(rows.add(row), z) };
        }
    }
}

/// What `packed::pack_row` does, with the processor's own conversion, which rounds as the rule
/// says.
///
/// # Safety
/// The processor has the features named.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
pub(crate) unsafe fn pack_row(tiles: &mut [Tile], row: usize, terms: &[f32]) {
    for (tile, terms) in tiles.iter_mut().zip(terms.chunks(TILE_DEPTH)) {
        let low = u32::MAX >> (TILE_DEPTH - terms.len());
        // SAFETY: no more floats are read than there are, and a row of a tile is 64 bytes.
        unsafe {
            let first = _mm512_maskz_loadu_ps(low as u16, terms.as_ptr());
            let others = terms.as_ptr().wrapping_add(LANES);
            let others = _mm512_maskz_loadu_ps((low >> LANES) as u16, others);
            let rounded =
                std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(others, first));
            _mm512_storeu_si512(tile.0[row].as_mut_ptr().cast(), rounded);
        }
    }
}

/// 32 `bf16` of each of 16 rows, which begin at `rows`, as a right operand; denormal numbers become
/// zeros of their sign.
///
/// # Safety
/// The processor has the features named, the rows have 64 bytes each.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) unsafe fn turn_rows(rows: [*const u8; LANES], tile: &mut Tile) {
    let sign = _mm512_set1_epi16(i16::MIN);
    let mut z = [_mm512_setzero_si512(); LANES];
    for (row, z) in rows.into_iter().zip(&mut z) {
        // SAFETY: the caller's promise.
        let x = unsafe { _mm512_loadu_si512(row.cast::<__m512i>()) };
        let normal = _mm512_test_epi16_mask(x, _mm512_set1_epi16(0x7f80));
        *z = _mm512_mask_mov_epi16(_mm512_and_si512(x, sign), normal, x);
    }
    for (row, z) in tile.0.iter_mut().zip(turned(z)) {
        // SAFETY: a row of a tile is 64 bytes.
        unsafe { _mm512_storeu_si512(row.as_mut_ptr().cast::<__m512i>(), z) };
    }
}

/// Words, then pairs of words, then quarters of registers change places.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn turned(z: [__m512i; LANES]) -> [__m512i; LANES] {
    let mut quads = z;
    for i in (0..LANES).step_by(4) {
        let (a, b) = (_mm512_unpacklo_epi32(z[i], z[i + 1]), _mm512_unpackhi_epi32(z[i], z[i + 1]));
        let (c, d) =
            (_mm512_unpacklo_epi32(z[i + 2], z[i + 3]), _mm512_unpackhi_epi32(z[i + 2], z[i + 3]));
        quads[i] = _mm512_unpacklo_epi64(a, c);
        quads[i + 1] = _mm512_unpackhi_epi64(a, c);
        quads[i + 2] = _mm512_unpacklo_epi64(b, d);
        quads[i + 3] = _mm512_unpackhi_epi64(b, d);
    }
    // Quarter q of `quads[4 * i + j]` is column 4 * q + j of rows 4 * i to 4 * i + 3.
    let mut out = z;
    for j in 0..4 {
        let (first, second) = (quads[j], quads[4 + j]);
        let (third, fourth) = (quads[8 + j], quads[12 + j]);
        let low = _mm512_shuffle_i32x4::<0x44>(first, second);
        let high = _mm512_shuffle_i32x4::<0xee>(first, second);
        let low_after = _mm512_shuffle_i32x4::<0x44>(third, fourth);
        let high_after = _mm512_shuffle_i32x4::<0xee>(third, fourth);
        out[j] = _mm512_shuffle_i32x4::<0x88>(low, low_after);
        out[4 + j] = _mm512_shuffle_i32x4::<0xdd>(low, low_after);
        out[8 + j] = _mm512_shuffle_i32x4::<0x88>(high, high_after);
        out[12 + j] = _mm512_shuffle_i32x4::<0xdd>(high, high_after);
    }
    out
}
