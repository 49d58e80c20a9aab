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
pub(crate) fn keeps_clear(left: u32, right: u32) -> bool {
    left + right >= 2 * (127 + 7) - 126
}

/// Visits by which what is multiplied is asked for beforehand: some micros of memory's time.
const AHEAD: usize = 2;

/// The queries of all rows as floats, `[rows][width]`; gives the width and the least biased
/// exponent of what is not zero.
pub(crate) fn expand_queries(isa: Isa, band: &Band, buffers: &mut BlockBuffers) -> (usize, u32) {
    let BlockBuffers { queries, left, .. } = buffers;
    let steps = band.visits[0].block.layout().steps();
    let width = steps * TILE_DEPTH;
    left.resize((band.rows * width).max(left.len()), 0.0);
    let mut least = 255;
    for (row, left) in left.chunks_exact_mut(width).enumerate().take(band.rows) {
        let tiles = &queries[row / LANES * steps..][..steps];
        expand(isa, tiles.iter().map(|tile| &tile.0[row % LANES]), left);
        least = least.min(crate::kv_block::sizes(left).0);
    }
    (width, least)
}

/// The scores of the visits that few rows have, if the unit is another for the rest.
pub(crate) fn score(
    isa: Isa,
    band: &Band,
    visits: &[Visit],
    buffers: &mut BlockBuffers,
    own: impl Fn(&Visit) -> bool,
) {
    let (width, least) = expand_queries(isa, band, buffers);
    let BlockBuffers { queries, scores, left, .. } = buffers;
    let steps = width / TILE_DEPTH;
    for (place, visit) in visits.iter().enumerate().filter(|(_, visit)| own(visit)) {
        let (rows, at) = (band.rows_of(visit), band.score_of(visit.index));
        let tiles = visit.block.all_keys();
        if !keeps_clear(least, visit.block.facts.least_key) {
            score_exactly(band, visit, queries, &mut scores[at..]);
            continue;
        }
        // After the last keys come the first values.
        let ahead = match visits.get(place + AHEAD) {
            Some(visit) => visit.block.all_keys(),
            None => visits[(place + AHEAD - visits.len()).min(place)].block.values(),
        };
        let job = Product { left, stride: width, rows, tiles, steps, ahead };
        multiply(isa, &job, &mut scores[at..], band.stride, Begin::Zero);
    }
}

/// Where sums may have to be flushed.
#[cold]
fn score_exactly(band: &Band, visit: &Visit, queries: &[Tile], scores: &mut [f32]) {
    for (half, keys) in visit.block.keys().into_iter().enumerate() {
        for row in band.rows_of(visit) {
            let mut sums = [0.0; LANES];
            for (step, key) in keys.iter().enumerate() {
                let query = &queries[row / LANES * keys.len() + step].0[row % LANES];
                sums = add_step(query, key, sums);
            }
            scores[row * band.stride + half * LANES..][..LANES].copy_from_slice(&sums);
        }
    }
}

/// Adds weighted values, all of which are finite; those of `ahead` come next.
pub(crate) fn mix(
    isa: Isa,
    band: &Band,
    visits: &[Visit],
    ahead: &[Visit],
    buffers: &mut BlockBuffers,
) {
    let BlockBuffers { weights, mixed, left, .. } = buffers;
    left.resize((band.rows * BLOCK_POSITIONS).max(left.len()), 0.0);
    let least = (127.0 + LEAST_POWER) as u32;
    for (place, visit) in visits.iter().enumerate() {
        let rows = band.rows_of(visit);
        if !keeps_clear(least, visit.block.facts.least_value) {
            mix_exactly(band, place, visit, weights, mixed);
            continue;
        }
        let own = &mut left[rows.start * BLOCK_POSITIONS..rows.end * BLOCK_POSITIONS];
        expand_weights(isa, rows.clone(), place, weights, own);
        let next = visits[place..].iter().chain(ahead).nth(AHEAD);
        let ahead = next.map_or(&[][..], |visit| visit.block.values());
        let tiles = visit.block.values();
        let job = Product { left, stride: BLOCK_POSITIONS, rows, tiles, steps: 1, ahead };
        multiply(isa, &job, mixed, band.width, Begin::Out);
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

/// The weights of some rows for the block at `place` of its chunk, as floats: `[rows][32]`.
pub(crate) fn expand_weights(
    isa: Isa,
    rows: Range<usize>,
    place: usize,
    weights: &[Tile],
    out: &mut [f32],
) {
    for (row, out) in rows.zip(out.chunks_exact_mut(BLOCK_POSITIONS)) {
        let weights = &weights[row / LANES * CHUNK + place].0[row % LANES];
        expand(isa, std::iter::once(weights), out);
    }
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

/// Some rows on the left, columns of tiles on the right.
pub(crate) struct Product<'a> {
    /// `[rows][stride]`
    pub left: &'a [f32],
    pub stride: usize,
    pub rows: Range<usize>,
    /// `[columns][steps]`
    pub tiles: &'a [Tile],
    pub steps: usize,
    /// What is read soon after: asked for beforehand, tile by tile.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    pub ahead: &'a [Tile],
}

/// Where sums begin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    Zero,
    Out,
}

impl<'a> Product<'a> {
    /// Columns of tiles, each of 16 columns of the result.
    pub fn columns(&self) -> usize {
        self.tiles.len() / self.steps
    }

    /// The tile to be asked for while the tile `at` is read, or that itself.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // only there is a way to ask
    #[inline(always)]
    pub fn ahead_of(&self, at: usize) -> &'a Tile {
        self.ahead.get(at).unwrap_or(&self.tiles[at])
    }

    /// Panics unless all rows have the terms of all tiles, and sums; vector code relies on it.
    fn check(&self, out: &[f32], stride: usize) {
        let terms = self.steps * TILE_DEPTH;
        let last = self.rows.end.saturating_sub(1);
        assert!(terms <= self.stride && last * self.stride + terms <= self.left.len(), "terms");
        assert!(self.tiles.len().is_multiple_of(self.steps), "whole columns");
        let width = self.columns() * LANES;
        assert!(last * stride + width <= out.len(), "sums of {} rows", self.rows.end);
    }
}

/// `out[row][lane] = sum over the terms of left[row] * tiles[lane]` for 16 lanes of each column of
/// tiles and some rows.
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
            for row in job.rows.clone() {
                let left = &job.left[row * job.stride..];
                for (column, tiles) in job.tiles.chunks_exact(job.steps).enumerate() {
                    let out = &mut out[row * stride + column * LANES..];
                    multiply_row(left, tiles, out, begin);
                }
            }
        }
    }
}

fn multiply_row(left: &[f32], tiles: &[Tile], out: &mut [f32], begin: Begin) {
    let mut sums: Lanes = [0.0; LANES];
    if begin == Begin::Out {
        sums.copy_from_slice(&out[..LANES]);
    }
    for (left, tile) in left.chunks_exact(TILE_DEPTH).zip(tiles) {
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
