//! AVX2: rows of floats against columns of tiles, a lane for each column of a tile.
#![allow(unsafe_code)] // intrinsics on pointers; callers check bounds and processor first

use crate::avx2_strips::{Left, clear, close};
use crate::block_attention_lanes::{Begin, Product};
use crate::lanes::LANES;
use crate::packed::{TILE_DEPTH, Tile};
use std::arch::x86_64::*;

/// Rows that are multiplied together where there are so many.
const MOST_ROWS: usize = 6;

/// Lanes of a vector: half a column of tiles.
const HALF: usize = 8;

/// `out[row][lane] = sum over the terms of left[row] * tiles[lane]`, for 16 lanes of each column.
///
/// # Safety
/// The processor has the features named, and `Product::check` has passed.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) unsafe fn multiply(job: &Product, out: &mut [f32], stride: usize, begin: Begin) {
    if job.rows.len() >= MOST_ROWS {
        // SAFETY: the caller's promise is passed on.
        return unsafe { many(job, out, stride, begin) };
    }
    let mut row = job.rows.start;
    while row < job.rows.end {
        let rows = job.rows.end - row;
        // SAFETY: the rows of each group are below `job.rows.end`.
        unsafe {
            let out = &mut out[row * stride..];
            // Eight chains are as many as keep the multipliers busy.
            match rows {
                1 => rows_of::<1, 4>(job, row, out, stride, begin),
                2 | 3 => rows_of::<2, 2>(job, row, out, stride, begin),
                _ => rows_of::<4, 1>(job, row, out, stride, begin),
            }
        }
        row += if rows == 3 { 2 } else { rows.min(4) };
    }
}

/// Any number of rows: a tile becomes floats once for all of them.
///
/// # Safety
/// As [`multiply`].
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn many(job: &Product, out: &mut [f32], stride: usize, begin: Begin) {
    let mut panel = [[_mm256_setzero_ps(); 2]; TILE_DEPTH];
    let rows = job.rows.clone();
    for (place, tile) in job.tiles.iter().enumerate() {
        let (column, step) = (place / job.steps, place % job.steps);
        let is_first = step == 0 && begin == Begin::Zero;
        prefetch(job.ahead_of(place));
        // SAFETY: `Product::check` bounds the rows on the left and the sums.
        unsafe {
            expand(tile, &mut panel);
            let x = job.left.as_ptr().add(step * TILE_DEPTH);
            let sums = out.as_mut_ptr().add(column * LANES);
            let panel = panel.as_ptr().cast();
            let mut row = rows.start;
            while row < rows.end {
                let left = Left { x: x.add(row * job.stride), row: job.stride, term: 1 };
                let sums = sums.add(row * stride);
                if is_first {
                    (0..MOST_ROWS.min(rows.end - row)).for_each(|row| {
                        clear::<1>(sums.add(row * stride), stride);
                    });
                }
                match rows.end - row {
                    1 => close::<1>(left, panel, TILE_DEPTH).add(sums, stride),
                    2 => close::<2>(left, panel, TILE_DEPTH).add(sums, stride),
                    3 => close::<3>(left, panel, TILE_DEPTH).add(sums, stride),
                    4 => close::<4>(left, panel, TILE_DEPTH).add(sums, stride),
                    5 => close::<5>(left, panel, TILE_DEPTH).add(sums, stride),
                    _ => close::<MOST_ROWS>(left, panel, TILE_DEPTH).add(sums, stride),
                }
                row += MOST_ROWS;
            }
        }
    }
}

/// A tile as floats, `[term][lane]`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn expand(tile: &Tile, panel: &mut [[__m256; 2]; TILE_DEPTH]) {
    let upper = _mm256_set1_epi32(0xffff_0000_u32 as i32);
    for (pairs, out) in tile.0.iter().zip(panel.as_chunks_mut::<2>().0) {
        for half in 0..2 {
            // SAFETY: 32 of the 64 bytes of a row are read.
            let words = unsafe { _mm256_loadu_si256(pairs[half * HALF..].as_ptr().cast()) };
            out[0][half] = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(words));
            out[1][half] = _mm256_castsi256_ps(_mm256_and_si256(words, upper));
        }
    }
}

/// All columns of rows `row..row + R`, by `V` vectors.
///
/// # Safety
/// As [`multiply`]; the rows are the job's, and `out` begins at the first of them.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn rows_of<const R: usize, const V: usize>(
    job: &Product,
    row: usize,
    out: &mut [f32],
    stride: usize,
    begin: Begin,
) {
    let vectors = 2 * job.columns();
    let mut vector = 0;
    while vector < vectors {
        // SAFETY: the vectors of each group are below `vectors`.
        unsafe {
            let out = out.as_mut_ptr().add(vector * HALF);
            if vector + V <= vectors {
                group::<R, V>(job, row, vector, out, stride, begin);
                vector += V;
            } else {
                group::<R, 1>(job, row, vector, out, stride, begin);
                vector += 1;
            }
        }
    }
}

/// Vectors `vector..vector + V` of rows `row..row + R`, whose sums begin at `out`.
///
/// # Safety
/// As [`rows_of`]; the vectors are the job's.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn group<const R: usize, const V: usize>(
    job: &Product,
    row: usize,
    vector: usize,
    out: *mut f32,
    stride: usize,
    begin: Begin,
) {
    // SAFETY: `Product::check` bounds the rows on the left and the sums.
    unsafe {
        let mut sums = [[_mm256_setzero_ps(); V]; R];
        if begin == Begin::Out {
            for (r, sums) in sums.iter_mut().enumerate() {
                for (v, sum) in sums.iter_mut().enumerate() {
                    *sum = _mm256_loadu_ps(out.add(r * stride + v * HALF));
                }
            }
        }
        for step in 0..job.steps {
            let left = job.left.as_ptr().add(row * job.stride + step * TILE_DEPTH);
            let tile = |v: usize| (vector + v) / 2 * job.steps + step;
            let tiles = std::array::from_fn(|v| &job.tiles[tile(v)]);
            let halves = std::array::from_fn(|v| (vector + v) % 2 * HALF);
            // Of each tile, once.
            for v in (0..V).filter(|v| halves[*v] == 0) {
                prefetch(job.ahead_of(tile(v)));
            }
            add_tiles(left, job.stride, tiles, halves, &mut sums);
        }
        for (r, sums) in sums.iter().enumerate() {
            for (v, sum) in sums.iter().enumerate() {
                _mm256_storeu_ps(out.add(r * stride + v * HALF), *sum);
            }
        }
    }
}

/// Asks for a tile to come to the second cache.
#[inline(always)]
fn prefetch(tile: &Tile) {
    for row in &tile.0 {
        // SAFETY: a hint, which reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(row.as_ptr().cast()) };
    }
}

/// # Safety
/// As [`multiply`]; each row has 32 terms, and halves are 0 or 8.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn add_tiles<const R: usize, const V: usize>(
    left: *const f32,
    stride: usize,
    tiles: [&Tile; V],
    halves: [usize; V],
    sums: &mut [[__m256; V]; R],
) {
    let upper = _mm256_set1_epi32(0xffff_0000_u32 as i32);
    let mut even = [[_mm256_setzero_ps(); V]; R];
    let mut odd = even;
    for pair in 0..TILE_DEPTH / 2 {
        // SAFETY: a row of a tile is 64 bytes; the terms are the row's.
        unsafe {
            let mut words = [_mm256_setzero_si256(); V];
            for v in 0..V {
                words[v] = _mm256_loadu_si256(tiles[v].0[pair].as_ptr().add(halves[v]).cast());
            }
            for r in 0..R {
                let terms = left.add(r * stride + 2 * pair);
                let [one, two] = [_mm256_set1_ps(*terms), _mm256_set1_ps(*terms.add(1))];
                for v in 0..V {
                    let evens = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(words[v]));
                    let odds = _mm256_castsi256_ps(_mm256_and_si256(words[v], upper));
                    even[r][v] = _mm256_fmadd_ps(one, evens, even[r][v]);
                    odd[r][v] = _mm256_fmadd_ps(two, odds, odd[r][v]);
                }
            }
        }
    }
    for r in 0..R {
        for v in 0..V {
            sums[r][v] = _mm256_add_ps(sums[r][v], _mm256_add_ps(even[r][v], odd[r][v]));
        }
    }
}
