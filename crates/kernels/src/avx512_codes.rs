//! AVX-512: a few rows of floats against keys and values that are kept as codes.
#![allow(unsafe_code)] // intrinsics on pointers; what is called from outside checks bounds

use crate::block_attention::FEW_ROWS;
use crate::kv_block::BLOCK_POSITIONS;
use crate::kv_codes::{CodeTile, Codes, GROUP};
use crate::lanes::LANES;
use std::arch::x86_64::*;

/// Queries against keys.
pub(crate) struct Scores<'a> {
    /// `[rows][width]`, at most [`FEW_ROWS`]
    pub left: &'a [f32],
    pub width: usize,
    pub codes: Codes<'a>,
    /// What is read soon after: asked for beforehand.
    pub ahead: &'a [CodeTile],
}

/// Weights against values.
pub(crate) struct Mix<'a> {
    /// `[rows][32 positions]`, at most [`FEW_ROWS`]
    pub left: &'a [f32],
    pub codes: Codes<'a>,
    /// As in [`Scores`].
    pub ahead: &'a [CodeTile],
}

/// `out[row][position] = sum over the elements of left[row] * key[position]`, rows of `out` being
/// `stride` floats apart.
///
/// # Safety
/// The processor has the features named.
///
/// # Panics
/// When rows, keys or sums are missing.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) unsafe fn score(job: &Scores, out: &mut [f32], stride: usize) {
    let (rows, steps) = (job.left.len() / job.width, job.codes.keys.len() / 2);
    assert!(steps * GROUP <= job.width && rows * job.width <= job.left.len(), "queries");
    assert!(job.codes.key_scales.len() >= 2 * steps, "a scale for each group");
    check_out(rows, BLOCK_POSITIONS, out, stride);
    // SAFETY: the rows, keys and sums are there.
    unsafe {
        match rows {
            1 => score_rows::<1>(job, steps, out.as_mut_ptr(), stride),
            2 => score_rows::<2>(job, steps, out.as_mut_ptr(), stride),
            3 => score_rows::<3>(job, steps, out.as_mut_ptr(), stride),
            _ => score_rows::<FEW_ROWS>(job, steps, out.as_mut_ptr(), stride),
        }
    }
}

/// Panics unless there are some rows, few, of `columns` sums.
fn check_out(rows: usize, columns: usize, out: &[f32], stride: usize) {
    assert!((1..=FEW_ROWS).contains(&rows), "few rows");
    assert!((rows - 1) * stride + columns <= out.len(), "sums of {rows} rows");
}

/// # Safety
/// As [`score`], whose checks have passed.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn score_rows<const R: usize>(job: &Scores, steps: usize, out: *mut f32, stride: usize) {
    let mut sums = [[_mm512_setzero_ps(); 2]; R];
    for step in 0..steps {
        let tiles = [step, steps + step].map(|at| &job.codes.keys[at]);
        let ahead = [2 * step, 2 * step + 1].map(|at| job.ahead.get(at).unwrap_or(tiles[0]));
        // SAFETY: the terms of a step are in each row; sixteen scales are sixteen bytes.
        let (products, powers) = unsafe {
            let left = job.left.as_ptr().add(step * GROUP);
            let products: [_; R] = multiply(left, job.width, tiles, ahead);
            let scales = [step, steps + step].map(|at| &job.codes.key_scales[at]);
            (products, scales.map(|scales| powers(scales.as_ptr())))
        };
        for (sums, products) in sums.iter_mut().zip(products) {
            for c in 0..2 {
                sums[c] = _mm512_fmadd_ps(powers[c], products[c], sums[c]);
            }
        }
    }
    for (r, sums) in sums.into_iter().enumerate() {
        for (c, sum) in sums.into_iter().enumerate() {
            // SAFETY: `check_out` bounds the sums.
            unsafe { _mm512_storeu_ps(out.add(r * stride + c * LANES), sum) };
        }
    }
}

/// Adds to `out[row][element]` the sum over 32 positions of `left[row] * value[element]`.
///
/// # Safety
/// The processor has the features named.
///
/// # Panics
/// When rows, values or sums are missing.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) unsafe fn mix(job: &Mix, out: &mut [f32], stride: usize) {
    let (rows, strips) = (job.left.len() / BLOCK_POSITIONS, job.codes.values.len());
    assert!(job.codes.value_scales.len() * GROUP >= strips * LANES, "a scale for each group");
    check_out(rows, strips * LANES, out, stride);
    // SAFETY: the rows, values and sums are there.
    unsafe {
        match rows {
            1 => mix_rows::<1>(job, out.as_mut_ptr(), stride),
            2 => mix_rows::<2>(job, out.as_mut_ptr(), stride),
            3 => mix_rows::<3>(job, out.as_mut_ptr(), stride),
            _ => mix_rows::<FEW_ROWS>(job, out.as_mut_ptr(), stride),
        }
    }
}

/// # Safety
/// As [`mix`], whose checks have passed.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn mix_rows<const R: usize>(job: &Mix, out: *mut f32, stride: usize) {
    for (step, tiles) in job.codes.values.chunks(GROUP / LANES).enumerate() {
        let scales = job.codes.value_scales[step].as_ptr();
        let ahead = |at: usize| job.ahead.get(2 * step + at).unwrap_or(&tiles[0]);
        // SAFETY: each row has 32 terms, a group 32 scales, and `check_out` bounds the sums.
        unsafe {
            let left = scaled::<R>(job.left.as_ptr(), scales);
            let out = out.add(step * GROUP);
            match tiles {
                [one, two] => {
                    add(&left, [one, two], [ahead(0), ahead(1)], out, stride);
                }
                [one, ..] => add(&left, [one], [ahead(0)], out, stride),
                [] => {}
            }
        }
    }
}

/// Each row's weights times the powers of the positions.
///
/// # Safety
/// There are `R` rows of 32 and 32 scales.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn scaled<const R: usize>(left: *const f32, scales: *const u8) -> [[f32; GROUP]; R] {
    let mut out = [[0.0; GROUP]; R];
    for half in 0..2 {
        // SAFETY: the caller's promise.
        unsafe {
            let powers = powers(scales.add(half * LANES));
            for (r, out) in out.iter_mut().enumerate() {
                let row = _mm512_loadu_ps(left.add(r * BLOCK_POSITIONS + half * LANES));
                let out = out.as_mut_ptr().add(half * LANES);
                _mm512_storeu_ps(out, _mm512_mul_ps(row, powers));
            }
        }
    }
    out
}

/// # Safety
/// `out` has `C * 16` sums of each row.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn add<const R: usize, const C: usize>(
    left: &[[f32; GROUP]; R],
    tiles: [&CodeTile; C],
    ahead: [&CodeTile; C],
    out: *mut f32,
    stride: usize,
) {
    // SAFETY: each row on the left has 32 terms.
    let products: [[__m512; C]; R] = unsafe { multiply(left.as_ptr().cast(), GROUP, tiles, ahead) };
    for (r, products) in products.into_iter().enumerate() {
        for (c, product) in products.into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe {
                let out = out.add(r * stride + c * LANES);
                _mm512_storeu_ps(out, _mm512_add_ps(_mm512_loadu_ps(out), product));
            }
        }
    }
}

/// The powers of two of sixteen scales, none of which is 255.
///
/// # Safety
/// There are sixteen.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn powers(scales: *const u8) -> __m512 {
    // SAFETY: the caller's promise.
    let scales = unsafe { _mm_loadu_si128(scales.cast()) };
    _mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_cvtepu8_epi32(scales)))
}

/// The sums of the even and the odd chain of 32 terms, for `R` rows and `C` tiles.
///
/// # Safety
/// Each row, `stride` floats after the other, has 32 terms.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn multiply<const R: usize, const C: usize>(
    left: *const f32,
    stride: usize,
    tiles: [&CodeTile; C],
    ahead: [&CodeTile; C],
) -> [[__m512; C]; R] {
    let mut even = [[_mm512_setzero_ps(); C]; R];
    let mut odd = even;
    for pair in 0..LANES {
        let (mut evens, mut odds) = ([_mm512_setzero_ps(); C], [_mm512_setzero_ps(); C]);
        for c in 0..C {
            if pair % 2 == 0 {
                _mm_prefetch::<_MM_HINT_T1>(ahead[c].0[pair].as_ptr().cast());
            }
            evens[c] = floats(&tiles[c].0[pair][0]);
            odds[c] = floats(&tiles[c].0[pair][1]);
        }
        for r in 0..R {
            // SAFETY: the terms are the row's.
            let [one, two] = unsafe {
                let terms = left.add(r * stride + 2 * pair);
                [_mm512_set1_ps(*terms), _mm512_set1_ps(*terms.add(1))]
            };
            for c in 0..C {
                even[r][c] = _mm512_fmadd_ps(one, evens[c], even[r][c]);
                odd[r][c] = _mm512_fmadd_ps(two, odds[c], odd[r][c]);
            }
        }
    }
    std::array::from_fn(|r| std::array::from_fn(|c| _mm512_add_ps(even[r][c], odd[r][c])))
}

/// Sixteen codes as floats.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn floats(codes: &[i8; LANES]) -> __m512 {
    // SAFETY: sixteen bytes.
    let codes = unsafe { _mm_loadu_si128(codes.as_ptr().cast()) };
    _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(codes))
}
