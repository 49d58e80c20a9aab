//! The products of [`crate::attend_blocks`] without tiles: a lane is a column of a tile.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::bf16_product::{add_step, single};
use crate::block_attention::{Band, BlockBuffers, CHUNK, Visit};
use crate::isa::{Isa, on_isa};
use crate::kv_block::BLOCK_POSITIONS;
use crate::lanes::{LANES, Lanes};
use crate::packed::{TILE_DEPTH, Tile};
use crate::softmax_weights::LEAST_POWER;
use std::ops::Range;

/// Rows whose chains are kept in registers together.
const ROWS: usize = 4;

/// Whether sums of products of numbers with at least these biased exponents never come near a
/// denormal number: each is a multiple of the product of both units in the last place.
fn keeps_clear(left: u32, right: u32) -> bool {
    left + right >= 2 * (127 + 7) - 126
}

/// All scores.
pub(crate) fn score(isa: Isa, band: &Band, buffers: &mut BlockBuffers) {
    let BlockBuffers { queries, scores, left, .. } = buffers;
    let steps = band.visits[0].block.layout().steps();
    let width = steps * TILE_DEPTH;
    left.resize((band.rows * width).max(left.len()), 0.0);
    let mut least = 255;
    for (row, left) in left.chunks_exact_mut(width).enumerate().take(band.rows) {
        let tiles = &queries[row / LANES * steps..][..steps];
        expand(isa, tiles.iter().map(|tile| &tile.0[row % LANES]), left);
        least = least.min(crate::kv_block::sizes(left).0);
    }
    for visit in &band.visits {
        let (rows, at) = (band.rows_of(visit), band.score_of(visit.index));
        let clear = keeps_clear(least, visit.block.facts.least_key);
        for (half, keys) in visit.block.keys().into_iter().enumerate() {
            let out = at + half * LANES;
            if !clear {
                for row in rows.clone() {
                    let mut sums = [0.0; LANES];
                    for (step, key) in keys.iter().enumerate() {
                        let query = &queries[row / LANES * steps + step].0[row % LANES];
                        sums = add_step(query, key, sums);
                    }
                    scores[row * band.stride + out..][..LANES].copy_from_slice(&sums);
                }
                continue;
            }
            let job = Product { left, stride: width, tiles: keys, rows: rows.clone() };
            multiply(isa, &job, &mut scores[out..], band.stride, Begin::Zero);
        }
    }
}

/// Adds weighted values, all of which are finite.
pub(crate) fn mix(isa: Isa, band: &Band, visits: &[Visit], buffers: &mut BlockBuffers) {
    let BlockBuffers { weights, mixed, left, .. } = buffers;
    left.resize((band.rows * BLOCK_POSITIONS).max(left.len()), 0.0);
    let least = (127.0 + LEAST_POWER) as u32;
    for (place, visit) in visits.iter().enumerate() {
        let rows = band.rows_of(visit);
        if !keeps_clear(least, visit.block.facts.least_value) {
            mix_exactly(band, place, visit, weights, mixed);
            continue;
        }
        for row in rows.clone() {
            let weights = &weights[row / LANES * CHUNK + place].0[row % LANES];
            let left = &mut left[row * BLOCK_POSITIONS..][..BLOCK_POSITIONS];
            expand(isa, std::iter::once(weights), left);
        }
        for (strip, value) in visit.block.values().iter().enumerate() {
            let tiles = std::slice::from_ref(value);
            let job = Product { left, stride: BLOCK_POSITIONS, tiles, rows: rows.clone() };
            multiply(isa, &job, &mut mixed[strip * LANES..], band.width, Begin::Out);
        }
    }
}

/// Where sums may have to be flushed.
#[cold]
fn mix_exactly(band: &Band, place: usize, visit: &Visit, weights: &[Tile], mixed: &mut [f32]) {
    for row in band.rows_of(visit) {
        let weights = &weights[row / LANES * CHUNK + place].0[row % LANES];
        for (strip, value) in visit.block.values().iter().enumerate() {
            add_row(weights, value, &mut mixed[row * band.width + strip * LANES..]);
        }
    }
}

/// Where a value may be infinite or no number: what a row does not see is left out of its sums.
#[cold]
pub(crate) fn mix_cleaned(band: &Band, visits: &[Visit], buffers: &mut BlockBuffers) {
    for (place, visit) in visits.iter().enumerate() {
        let base = visit.index * BLOCK_POSITIONS;
        for row in band.rows_of(visit).filter(|row| band.sees(*row, visit)) {
            let seen = &band.positions[row / band.group];
            let weights = &buffers.weights[row / LANES * CHUNK + place].0[row % LANES];
            for (strip, value) in visit.block.values().iter().enumerate() {
                let mut value = *value;
                let unseen = (0..BLOCK_POSITIONS).filter(|at| !seen.contains(&(base + at)));
                for at in unseen {
                    value.0[at / 2].iter_mut().for_each(|pair| pair[at % 2] = 0);
                }
                let at = row * band.width + strip * LANES;
                add_row(weights, &value, &mut buffers.mixed[at..]);
            }
        }
    }
}

fn add_row(weights: &[[u16; 2]; LANES], value: &Tile, sums: &mut [f32]) {
    let mut lanes = [0.0; LANES];
    lanes.copy_from_slice(&sums[..LANES]);
    sums[..LANES].copy_from_slice(&add_step(weights, value, lanes));
}

/// Rows of tiles as floats.
fn expand<'a>(isa: Isa, tiles: impl Iterator<Item = &'a [[u16; 2]; LANES]>, out: &mut [f32]) {
    for (pairs, out) in tiles.zip(out.as_chunks_mut::<TILE_DEPTH>().0) {
        on_isa!(isa, expand_body(pairs: &[[u16; 2]; LANES], out: &mut [f32; TILE_DEPTH]));
    }
}

#[inline(always)]
fn expand_body(pairs: &[[u16; 2]; LANES], out: &mut [f32; TILE_DEPTH]) {
    let out = out.iter_mut().zip(pairs.as_flattened());
    out.for_each(|(out, bits)| *out = single(*bits));
}

/// Some rows on the left, one column of tiles on the right.
struct Product<'a> {
    left: &'a [f32],
    stride: usize,
    tiles: &'a [Tile],
    rows: Range<usize>,
}

/// Where sums begin.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begin {
    Zero,
    Out,
}

fn multiply(isa: Isa, job: &Product, out: &mut [f32], stride: usize, begin: Begin) {
    on_isa!(
        isa,
        multiply_body(job: &Product, out: &mut [f32], stride: usize, begin: Begin)
    );
}

#[inline(always)]
fn multiply_body(job: &Product, out: &mut [f32], stride: usize, begin: Begin) {
    let mut row = job.rows.start;
    while row + ROWS <= job.rows.end {
        multiply_rows::<ROWS>(job, row, out, stride, begin);
        row += ROWS;
    }
    while row < job.rows.end {
        multiply_rows::<1>(job, row, out, stride, begin);
        row += 1;
    }
}

#[inline(always)]
fn multiply_rows<const R: usize>(
    job: &Product,
    row: usize,
    out: &mut [f32],
    stride: usize,
    begin: Begin,
) {
    let mut sums = [[0.0; LANES]; R];
    if begin == Begin::Out {
        for (r, sums) in sums.iter_mut().enumerate() {
            sums.copy_from_slice(&out[(row + r) * stride..][..LANES]);
        }
    }
    for (step, tile) in job.tiles.iter().enumerate() {
        let left: [&[f32; TILE_DEPTH]; R] = std::array::from_fn(|r| {
            let left = &job.left[(row + r) * job.stride + step * TILE_DEPTH..];
            left.first_chunk().expect("a row has a step's terms")
        });
        add_tile(&left, tile, &mut sums);
    }
    for (r, sums) in sums.iter().enumerate() {
        out[(row + r) * stride..][..LANES].copy_from_slice(sums);
    }
}

#[inline(always)]
fn add_tile<const R: usize>(left: &[&[f32; TILE_DEPTH]; R], tile: &Tile, sums: &mut [Lanes; R]) {
    let mut even = [[0.0f32; LANES]; R];
    let mut odd = even;
    for (pair, right) in tile.0.iter().enumerate() {
        let words = right.map(|[even, odd]| u32::from(even) | u32::from(odd) << 16);
        let evens = words.map(|word| f32::from_bits(word << 16));
        let odds = words.map(|word| f32::from_bits(word & 0xffff_0000));
        for r in 0..R {
            let [a, b] = [left[r][2 * pair], left[r][2 * pair + 1]];
            for lane in 0..LANES {
                even[r][lane] = a.mul_add(evens[lane], even[r][lane]);
                odd[r][lane] = b.mul_add(odds[lane], odd[r][lane]);
            }
        }
    }
    for r in 0..R {
        for lane in 0..LANES {
            sums[r][lane] += even[r][lane] + odd[r][lane];
        }
    }
}
