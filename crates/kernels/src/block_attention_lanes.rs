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
pub(crate) struct Product<'a> {
    pub left: &'a [f32],
    pub stride: usize,
    pub tiles: &'a [Tile],
    pub rows: Range<usize>,
}

/// Where sums begin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    Zero,
    Out,
}

impl Product<'_> {
    /// Panics unless all rows have the terms of all tiles, and sums; vector code relies on it.
    fn check(&self, out: &[f32], stride: usize) {
        let terms = self.tiles.len() * TILE_DEPTH;
        let last = self.rows.end.saturating_sub(1);
        assert!(terms <= self.stride && last * self.stride + terms <= self.left.len(), "terms");
        assert!(last * stride + LANES <= out.len(), "sums of {} rows", self.rows.end);
    }
}

/// `out[row][lane] = sum over the terms of left[row] * tiles[lane]` for 16 lanes and some rows.
fn multiply(isa: Isa, job: &Product, out: &mut [f32], stride: usize, begin: Begin) {
    job.check(out, stride);
    match isa.checked() {
        // SAFETY: `checked` saw the instructions, `check` the bounds.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { crate::avx512_lanes::multiply(job, out, stride, begin) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { crate::avx2_lanes::multiply(job, out, stride, begin) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => unsafe { crate::neon_lanes::multiply(job, out, stride, begin) },
        _ => {
            job.rows.clone().for_each(|row| multiply_row(job, row, &mut out[row * stride..], begin))
        }
    }
}

fn multiply_row(job: &Product, row: usize, out: &mut [f32], begin: Begin) {
    let mut sums: Lanes = [0.0; LANES];
    if begin == Begin::Out {
        sums.copy_from_slice(&out[..LANES]);
    }
    let left = job.left[row * job.stride..].chunks_exact(TILE_DEPTH);
    for (left, tile) in left.zip(job.tiles) {
        let mut chains = [[0.0f32; LANES]; 2];
        for (left, right) in left.chunks_exact(2).zip(&tile.0) {
            for (i, chain) in chains.iter_mut().enumerate() {
                for (lane, right) in chain.iter_mut().zip(right) {
                    *lane = left[i].mul_add(single(right[i]), *lane);
                }
            }
        }
        let [even, odd] = chains;
        for lane in 0..LANES {
            sums[lane] += even[lane] + odd[lane];
        }
    }
    out[..LANES].copy_from_slice(&sums);
}
