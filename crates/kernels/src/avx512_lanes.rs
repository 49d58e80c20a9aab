//! AVX-512: rows of floats against a column of tiles, a lane for each column of a tile.
#![allow(unsafe_code)] // intrinsics on pointers; callers check bounds and processor first

use crate::block_attention_lanes::{Begin, Product};
use crate::packed::{TILE_DEPTH, Tile};
use std::arch::x86_64::*;

/// Rows whose chains are kept in registers together.
const ROWS: usize = 8;

/// `out[row][lane] = sum over the terms of left[row] * tiles[lane]`, for 16 lanes.
///
/// # Safety
/// The processor has the features named, and `Product::check` has passed.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) unsafe fn multiply(job: &Product, out: &mut [f32], stride: usize, begin: Begin) {
    let mut row = job.rows.start;
    // SAFETY: the rows of each group are below `job.rows.end`.
    unsafe {
        while row + ROWS <= job.rows.end {
            group::<ROWS>(job, row, out.as_mut_ptr(), stride, begin);
            row += ROWS;
        }
        while row < job.rows.end {
            group::<1>(job, row, out.as_mut_ptr(), stride, begin);
            row += 1;
        }
    }
}

/// Rows `row..row + R`.
///
/// # Safety
/// As [`multiply`]; the rows are the job's.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn group<const R: usize>(
    job: &Product,
    row: usize,
    out: *mut f32,
    stride: usize,
    begin: Begin,
) {
    // SAFETY: `Product::check` bounds the rows on the left and the sums.
    unsafe {
        let mut sums = [_mm512_setzero_ps(); R];
        if begin == Begin::Out {
            for (r, sum) in sums.iter_mut().enumerate() {
                *sum = _mm512_loadu_ps(out.add((row + r) * stride));
            }
        }
        for (step, tile) in job.tiles.iter().enumerate() {
            let left = job.left.as_ptr().add(row * job.stride + step * TILE_DEPTH);
            add_tile(left, job.stride, tile, &mut sums);
        }
        for (r, sum) in sums.iter().enumerate() {
            _mm512_storeu_ps(out.add((row + r) * stride), *sum);
        }
    }
}

/// # Safety
/// As [`multiply`]; each row has 32 terms.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn add_tile<const R: usize>(
    left: *const f32,
    stride: usize,
    tile: &Tile,
    sums: &mut [__m512; R],
) {
    let upper = _mm512_set1_epi32(0xffff_0000_u32 as i32);
    let mut even = [_mm512_setzero_ps(); R];
    let mut odd = even;
    for (pair, right) in tile.0.iter().enumerate() {
        // SAFETY: a row of a tile is 64 bytes; the terms are the row's.
        unsafe {
            let words = _mm512_loadu_si512(right.as_ptr().cast());
            let evens = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(words));
            let odds = _mm512_castsi512_ps(_mm512_and_si512(words, upper));
            for r in 0..R {
                let terms = left.add(r * stride + 2 * pair);
                even[r] = _mm512_fmadd_ps(_mm512_set1_ps(*terms), evens, even[r]);
                odd[r] = _mm512_fmadd_ps(_mm512_set1_ps(*terms.add(1)), odds, odd[r]);
            }
        }
    }
    for r in 0..R {
        sums[r] = _mm512_add_ps(sums[r], _mm512_add_ps(even[r], odd[r]));
    }
}
