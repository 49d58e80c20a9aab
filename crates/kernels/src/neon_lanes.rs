//! NEON: rows of floats against columns of tiles, a lane for each column of a tile.
#![allow(unsafe_code)] // intrinsics on pointers; callers check bounds and processor first

use crate::block_attention_lanes::{Begin, Product};
use crate::lanes::LANES;
use crate::neon::{Quads, add, turn_quad, zeros};
use crate::packed::{TILE_DEPTH, Tile};
use std::arch::aarch64::*;

/// Rows whose chains are kept in registers together.
const ROWS: usize = 3;
/// Lanes of a register.
const WIDTH: usize = 4;

/// `out[row][lane] = sum over the terms of left[row] * tiles[lane]`, for 16 lanes of each column.
///
/// # Safety
/// `Product::check` has passed.
#[target_feature(enable = "neon")]
pub(crate) unsafe fn multiply(job: &Product, out: &mut [f32], stride: usize, begin: Begin) {
    for column in 0..job.columns() {
        let out = out[column * LANES..].as_mut_ptr();
        let mut row = job.rows.start;
        // SAFETY: the rows of each group are below `job.rows.end`.
        unsafe {
            while row + ROWS <= job.rows.end {
                group::<ROWS>(job, [row, column], out, stride, begin);
                row += ROWS;
            }
            while row < job.rows.end {
                group::<1>(job, [row, column], out, stride, begin);
                row += 1;
            }
        }
    }
}

/// Rows `row..row + R` of a column, at which `out` begins.
///
/// # Safety
/// As [`multiply`]; rows and column are the job's.
#[target_feature(enable = "neon")]
unsafe fn group<const R: usize>(
    job: &Product,
    [row, column]: [usize; 2],
    out: *mut f32,
    stride: usize,
    begin: Begin,
) {
    // SAFETY: `Product::check` bounds the rows on the left and the sums.
    unsafe {
        let out = out.add(row * stride);
        let place = |r: usize, quad: usize| out.add(r * stride + quad * WIDTH);
        let mut all = [zeros(); R];
        if begin == Begin::Out {
            for (r, sums) in all.iter_mut().enumerate() {
                for (quad, sum) in sums.iter_mut().enumerate() {
                    *sum = vld1q_f32(place(r, quad));
                }
            }
        }
        for (step, tile) in job.tiles[column * job.steps..][..job.steps].iter().enumerate() {
            let left = job.left.as_ptr().add(row * job.stride + step * TILE_DEPTH);
            let closed = closed::<R>(left, job.stride, tile);
            for (sum, closed) in all.iter_mut().zip(closed) {
                *sum = add(*sum, closed);
            }
        }
        for (r, sums) in all.iter().enumerate() {
            for (quad, sum) in sums.iter().enumerate() {
                vst1q_f32(place(r, quad), *sum);
            }
        }
    }
}

/// Even + odd chain of each row with a tile.
///
/// # Safety
/// As [`multiply`]; each row has 32 terms.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn closed<const R: usize>(left: *const f32, stride: usize, tile: &Tile) -> [Quads; R] {
    let upper = vdupq_n_u32(0xffff_0000);
    let mut even = [zeros(); R];
    let mut odd = even;
    for (pair, right) in tile.0.iter().enumerate() {
        let mut terms = [vdup_n_f32(0.0); R];
        for (r, terms) in terms.iter_mut().enumerate() {
            // SAFETY: the terms are the row's.
            *terms = unsafe { vld1_f32(left.add(r * stride + 2 * pair)) };
        }
        for (quad, words) in right.chunks_exact(WIDTH).enumerate() {
            // SAFETY: four pairs are 16 bytes.
            let words = unsafe { vld1q_u32(words.as_ptr().cast()) };
            let evens = vreinterpretq_f32_u32(vshlq_n_u32::<16>(words));
            let odds = vreinterpretq_f32_u32(vandq_u32(words, upper));
            for (r, terms) in terms.iter().enumerate() {
                even[r][quad] = vfmaq_lane_f32::<0>(even[r][quad], evens, *terms);
                odd[r][quad] = vfmaq_lane_f32::<1>(odd[r][quad], odds, *terms);
            }
        }
    }
    for (even, odd) in even.iter_mut().zip(odd) {
        *even = add(*even, odd);
    }
    even
}

/// Exchanges the two outer indices of each tile: 16 x 16 words of 32 bits.
#[target_feature(enable = "neon")]
pub(crate) fn turn(tiles: &mut [Tile]) {
    for tile in tiles {
        for row in (0..tile.0.len()).step_by(WIDTH) {
            for column in (row..tile.0.len()).step_by(WIDTH) {
                let (here, there) = (part(tile, row, column), part(tile, column, row));
                put(tile, column, row, turn_quad(here));
                put(tile, row, column, turn_quad(there));
            }
        }
    }
}

/// Four words of four rows.
#[inline]
#[target_feature(enable = "neon")]
fn part(tile: &Tile, row: usize, column: usize) -> [uint32x4_t; WIDTH] {
    let mut words = [vdupq_n_u32(0); WIDTH];
    for (words, row) in words.iter_mut().zip(&tile.0[row..]) {
        // SAFETY: four pairs, as sliced, are 16 bytes.
        *words = unsafe { vld1q_u32(row[column..][..WIDTH].as_ptr().cast()) };
    }
    words
}

#[inline]
#[target_feature(enable = "neon")]
fn put(tile: &mut Tile, row: usize, column: usize, words: [uint32x4_t; WIDTH]) {
    for (words, row) in words.iter().zip(&mut tile.0[row..]) {
        // SAFETY: four pairs, as sliced, are 16 bytes.
        unsafe { vst1q_u32(row[column..][..WIDTH].as_mut_ptr().cast(), *words) };
    }
}
