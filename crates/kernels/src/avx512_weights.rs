//! AVX-512: weights of attention, 16 at a time.
#![allow(unsafe_code)] // intrinsics on references

use crate::block_attention::{Band, BlockBuffers, Visit};
use crate::block_attention_weights::each;
use crate::kv_block::BLOCK_POSITIONS;
use crate::lanes::Lanes;
use crate::softmax_weights::{LEAST_POWER, POWERS, Slope};
use std::arch::x86_64::*;

/// See [`crate::block_attention_weights::weigh`].
///
/// # Safety
/// The processor has the features named.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) unsafe fn weigh(band: &Band, visits: &[Visit], buffers: &mut BlockBuffers) {
    each(band, visits, buffers, |scores, slope, weights, lanes| {
        // SAFETY: the caller's promise.
        unsafe { weigh_block(scores, slope, weights, lanes) }
    });
}

/// What `softmax_weights::weigh` computes.
///
/// # Safety
/// As [`weigh`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) unsafe fn weigh_block(
    scores: &[f32; BLOCK_POSITIONS],
    slope: Slope,
    weights: &mut [u16; BLOCK_POSITIONS],
    lanes: &mut Lanes,
) {
    // SAFETY: 32 scores are two vectors, 16 lanes one, 32 weights of 16 bits one.
    unsafe {
        let first = weigh_vector(_mm512_loadu_ps(scores.as_ptr()), slope);
        let second = weigh_vector(_mm512_loadu_ps(scores.as_ptr().add(16)), slope);
        let sum = _mm512_loadu_ps(lanes.as_ptr());
        let sum = _mm512_add_ps(sum, _mm512_castsi512_ps(first));
        let sum = _mm512_add_ps(sum, _mm512_castsi512_ps(second));
        _mm512_storeu_ps(lanes.as_mut_ptr(), sum);
        // The upper halves of all words: odd places of both vectors.
        let upper = _mm512_add_epi16(_mm512_slli_epi16::<1>(COUNT), _mm512_set1_epi16(1));
        let packed = _mm512_permutex2var_epi16(first, upper, second);
        _mm512_storeu_si512(weights.as_mut_ptr().cast(), packed);
    }
}

/// 0 to 31.
const COUNT: __m512i = {
    let mut count = [0u16; 32];
    let mut place = 0;
    while place < 32 {
        count[place] = place as u16;
        place += 1;
    }
    // SAFETY: both are 64 bytes, of which any are allowed.
    unsafe { std::mem::transmute(count) }
};

/// To the whole number below, without noting that something was left.
const DOWN: i32 = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;

/// The bits of the weights of 16 scores.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn weigh_vector(scores: __m512, slope: Slope) -> __m512i {
    let (factor, top) = (_mm512_set1_ps(slope.factor), _mm512_set1_ps(slope.top));
    let power = _mm512_mul_ps(_mm512_sub_ps(scores, top), factor);
    // What is left of it above the whole number below. The instruction for this, `vreduceps`,
    // rounds down where the rest does not fit; a difference goes to the nearest.
    let f = _mm512_sub_ps(power, _mm512_roundscale_ps::<DOWN>(power));
    let mut series = _mm512_set1_ps(POWERS[0]);
    for coefficient in &POWERS[1..] {
        series = _mm512_fmadd_ps(series, f, _mm512_set1_ps(*coefficient));
    }
    let series = _mm512_fmadd_ps(series, f, _mm512_set1_ps(1.0));
    let weight = _mm512_castps_si512(_mm512_scalef_ps(series, power));
    // Not below the least, so that what is no number stays.
    let counts = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(power, _mm512_set1_ps(LEAST_POWER));
    let rounded = _mm512_maskz_add_epi32(counts, weight, _mm512_set1_epi32(0x8000));
    _mm512_and_si512(rounded, _mm512_set1_epi32(0xffff_0000_u32 as i32))
}
