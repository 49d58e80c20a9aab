//! AVX-512: rows of floats against columns of tiles, a lane for each column of a tile.
#![allow(unsafe_code)] // intrinsics on pointers; callers check bounds and processor first

use crate::block_attention_lanes::{Begin, Product};
use crate::lanes::LANES;
use crate::packed::{TILE_DEPTH, Tile};
use std::arch::x86_64::*;

/// `out[row][lane] = sum over the terms of left[row] * tiles[lane]`, for 16 lanes of each column.
///
/// # Safety
/// The processor has the features named, and `Product::check` has passed.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) unsafe fn multiply(job: &Product, out: &mut [f32], stride: usize, begin: Begin) {
    let columns = job.columns();
    for column in (0..columns).step_by(2) {
        let out = &mut out[column * LANES..];
        // SAFETY: the columns are the job's.
        unsafe {
            match columns - column {
                1 => strip::<1>(job, column, out, stride, begin),
                _ => strip::<2>(job, column, out, stride, begin),
            }
        }
    }
}

/// All rows of `C` columns: as many rows at a time as chains of sums have registers.
///
/// # Safety
/// As [`multiply`]; the columns are the job's, `out` begins at the first of them.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn strip<const C: usize>(
    job: &Product,
    column: usize,
    out: &mut [f32],
    stride: usize,
    begin: Begin,
) {
    let mut row = job.rows.start;
    while row < job.rows.end {
        let rows = job.rows.end - row;
        // SAFETY: the rows of each group are below `job.rows.end`.
        unsafe {
            let out = out.as_mut_ptr().add(row * stride);
            match rows {
                1 => group::<1, C>(job, row, column, out, stride, begin),
                2 => group::<2, C>(job, row, column, out, stride, begin),
                3 => group::<3, C>(job, row, column, out, stride, begin),
                _ => group::<4, C>(job, row, column, out, stride, begin),
            }
        }
        row += rows.min(4);
    }
}

/// Rows `row..row + R`, whose sums begin at `out`.
///
/// # Safety
/// As [`strip`]; the rows are the job's.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn group<const R: usize, const C: usize>(
    job: &Product,
    row: usize,
    column: usize,
    out: *mut f32,
    stride: usize,
    begin: Begin,
) {
    // SAFETY: `Product::check` bounds the rows on the left and the sums.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); C]; R];
        if begin == Begin::Out {
            for (r, sums) in sums.iter_mut().enumerate() {
                for (c, sum) in sums.iter_mut().enumerate() {
                    *sum = _mm512_loadu_ps(out.add(r * stride + c * LANES));
                }
            }
        }
        for step in 0..job.steps {
            let left = job.left.as_ptr().add(row * job.stride + step * TILE_DEPTH);
            let tiles = std::array::from_fn(|c| &job.tiles[(column + c) * job.steps + step]);
            // In the order of memory, which is not that of the columns.
            let ahead = std::array::from_fn(|c| job.ahead_of(column * job.steps + step * C + c));
            add_tiles(left, job.stride, tiles, ahead, &mut sums);
        }
        for (r, sums) in sums.iter().enumerate() {
            for (c, sum) in sums.iter().enumerate() {
                _mm512_storeu_ps(out.add(r * stride + c * LANES), *sum);
            }
        }
    }
}

/// # Safety
/// As [`multiply`]; each row has 32 terms.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn add_tiles<const R: usize, const C: usize>(
    left: *const f32,
    stride: usize,
    tiles: [&Tile; C],
    ahead: [&Tile; C],
    sums: &mut [[__m512; C]; R],
) {
    let upper = _mm512_set1_epi32(0xffff_0000_u32 as i32);
    let mut even = [[_mm512_setzero_ps(); C]; R];
    let mut odd = even;
    for pair in 0..LANES {
        let (mut evens, mut odds) = ([_mm512_setzero_ps(); C], [_mm512_setzero_ps(); C]);
        for c in 0..C {
            // SAFETY: a row of a tile is 64 bytes; what is asked for is not read.
            let words = unsafe {
                _mm_prefetch::<_MM_HINT_T1>(ahead[c].0[pair].as_ptr().cast());
                _mm512_loadu_si512(tiles[c].0[pair].as_ptr().cast())
            };
            evens[c] = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(words));
            odds[c] = _mm512_castsi512_ps(_mm512_and_si512(words, upper));
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
    for r in 0..R {
        for c in 0..C {
            sums[r][c] = _mm512_add_ps(sums[r][c], _mm512_add_ps(even[r][c], odd[r][c]));
        }
    }
}
