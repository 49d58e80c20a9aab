//! AVX-512: tiles turned.
#![allow(unsafe_code)] // intrinsics on pointers

use crate::isa::Isa;
use crate::lanes::LANES;
use crate::packed::Tile;
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

/// Turns 16 rows of 16 floats at `stride`: row r becomes column r of strip `strip` of 16 columns in
/// the 16 rows of `out`, which are as long as each other.
///
/// # Panics
/// When they do not lie in `values` or `out`, or this processor has no AVX-512.
pub(crate) fn turn_floats(values: &[f32], stride: usize, out: &mut [f32], strip: usize) {
    let width = out.len() / LANES;
    assert!(values.len() >= (LANES - 1) * stride + LANES, "floats to turn");
    assert!((strip + 1) * LANES <= width, "room for turned floats");
    Isa::Avx512.checked();
    let out = &mut out[strip * LANES..];
    // SAFETY: `checked` saw the instructions, the assertions above the rows.
    unsafe { turn_floats_unchecked(values.as_ptr(), stride, out.as_mut_ptr(), width) }
}

/// # Safety
/// The processor has the features named; there are 16 rows of 16 floats at `stride` and at `width`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn turn_floats_unchecked(values: *const f32, stride: usize, out: *mut f32, width: usize) {
    let mut z = [_mm512_setzero_si512(); LANES];
    for (row, z) in z.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *z = unsafe { _mm512_loadu_si512(values.add(row * stride).cast::<__m512i>()) };
    }
    for (row, z) in turned(z).iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { _mm512_storeu_ps(out.add(row * width), _mm512_castsi512_ps(*z)) };
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
