//! AVX2: codes as a panel of weights rounded to `bf16`.
#![allow(unsafe_code)] // intrinsics on pointers

use crate::coded::{Coded, Codes, Factors, Scales, TILE_COLUMNS};
use crate::coded_avx2::{
    Decoder, EIGHT, FIVE, FOUR, NAMED, SIX, bytes_of, half_of, in_a_row, read,
};
use crate::lanes::Lanes;
use std::arch::x86_64::*;

/// Lanes of a register.
const WIDTH: usize = 8;

/// The rounded values of the columns of a strip from `from` (a multiple of 256) on,
/// `[column][row]`: as many as `panel` has room for, all that are left or 256. False, and nothing
/// of use in `panel`, when one is infinite or no number.
///
/// # Safety
/// The processor has the features named.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) unsafe fn decode(w: &Coded, strip: usize, from: usize, panel: &mut [Lanes]) -> bool {
    let (layout, span) = (w.layout, w.span(strip, from));
    let tiles = panel.len() / TILE_COLUMNS;
    assert_eq!(span.len(), layout.span_bytes(tiles), "a whole span");
    let (scales, codes) = span.split_at(layout.scales.bytes(tiles));
    let mut factors = Factors::NONE;
    read(&mut factors, layout.scales, scales, tiles);
    // A whole number times a scale is one exactly where the scale is.
    if layout.scales == Scales::Power || !are_finite(&factors) {
        return false;
    }
    let least = layout.scales.has_least();
    // SAFETY: the caller's promise is passed on; the kind is that of the codes.
    unsafe {
        match (layout.codes, least) {
            (Codes::Four(values), false) if in_a_row(values) => {
                round_span::<FOUR, false>(layout.codes, &factors, codes, panel);
            }
            (Codes::Four(_), false) => {
                round_span::<NAMED, false>(layout.codes, &factors, codes, panel);
            }
            (Codes::Four(_), true) => {
                round_span::<FOUR, true>(layout.codes, &factors, codes, panel);
            }
            (Codes::Five(_), false) => {
                round_span::<FIVE, false>(layout.codes, &factors, codes, panel);
            }
            (Codes::Five(_), true) => {
                round_span::<FIVE, true>(layout.codes, &factors, codes, panel);
            }
            (Codes::Six, _) => round_span::<SIX, false>(layout.codes, &factors, codes, panel),
            (Codes::Eight, _) => round_span::<EIGHT, false>(layout.codes, &factors, codes, panel),
        }
    }
    true
}

#[target_feature(enable = "avx2,fma,f16c")]
fn are_finite(factors: &Factors) -> bool {
    let largest = |factors: &[Lanes]| {
        let magnitudes = factors.as_flattened().iter().map(|value| value.to_bits() & 0x7fff_ffff);
        magnitudes.fold(0, u32::max)
    };
    largest(&factors.scale).max(largest(&factors.least)) < f32::INFINITY.to_bits()
}

/// # Safety
/// As [`decode`]; `KIND` is that of the codes, `LEAST` whether they have least values.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn round_span<const KIND: usize, const LEAST: bool>(
    codes: Codes,
    factors: &Factors,
    bytes: &[u8],
    panel: &mut [Lanes],
) {
    let decoder = &Decoder::of(codes);
    let (bytes, parts) = (bytes.chunks_exact(bytes_of(KIND)), if KIND == SIX { 2 } else { 1 });
    let tiles = panel.as_chunks_mut::<TILE_COLUMNS>().0;
    for (tile, (bytes, columns)) in bytes.zip(tiles).enumerate() {
        for half in 0..2 {
            let codes = half_of::<KIND>(bytes.as_ptr(), half);
            // SAFETY: a tile of codes is read; half of each column is written.
            unsafe {
                let of = |factors: &Lanes| _mm256_loadu_ps(factors[WIDTH * half..].as_ptr());
                let least = of(&factors.least[tile]);
                for (q, columns) in columns.as_chunks_mut::<8>().0.iter_mut().enumerate() {
                    let scale = of(&factors.scale[parts * tile + q * parts / 4]);
                    let words = decoder.words::<KIND>(codes, q);
                    for (column, out) in columns.iter_mut().enumerate() {
                        let at = (q, column / 2, column % 2);
                        let code = decoder.column::<KIND>((codes, &words), at);
                        let weight = match LEAST {
                            true => _mm256_fmadd_ps(scale, code, least),
                            false => _mm256_mul_ps(scale, code),
                        };
                        _mm256_storeu_ps(out[WIDTH * half..].as_mut_ptr(), rounded(weight));
                    }
                }
            }
        }
    }
}

/// To the nearest `bf16`, ties to even; for numbers that are zero or normal.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn rounded(values: __m256) -> __m256 {
    let bits = _mm256_castps_si256(values);
    let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
    let half = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
    let upper = _mm256_set1_epi32(0xffff_0000_u32 as i32);
    _mm256_castsi256_ps(_mm256_and_si256(_mm256_add_epi32(bits, half), upper))
}
