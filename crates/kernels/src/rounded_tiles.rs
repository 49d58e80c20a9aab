//! [`crate::linear_rounded`] on the tile unit. Weights stand on the left, a row of a tile being a
//! piece of a row of the matrix as it is stored; so a result comes out turned.

use crate::amx::{NarrowTiles, Tiles};
use crate::avx512_tile::turn_floats;
use crate::bf16_product::{BLOCK, Block, Start, pair};
use crate::columns::Columns;
use crate::expand::expand;
use crate::lanes::LANES;
use crate::matrix::Matrix;
use crate::packed::{BLOCK_TILES, Packed, TILE_DEPTH, Tile};
use crate::panel::{PANEL_COLUMNS, Stored};
use crate::scratch::{Scratch, TileScratch};
use std::ops::Range;

/// Strips of 16 tokens whose sums stay in tiles while the weights go by.
const FEW_STRIPS: usize = 4;
/// Above that: tokens and terms (1.5 MiB of activations) that stay in the second cache.
const BAND_TOKENS: usize = 512;
const PART_TERMS: usize = 6 * PANEL_COLUMNS;
/// Outputs whose sums are kept from one part of the terms to the next.
const GROUP_ROWS: usize = 1024;
/// Outputs of a token that are written together: written by 16, they would take turns at the few
/// places in the caches that rows of a power of two share.
const WRITTEN_ROWS: usize = 128;

/// Activations as right operands.
#[derive(Clone, Copy)]
pub(crate) enum Right<'a> {
    /// More than 16 tokens.
    Packed(&'a Packed),
    /// Up to 16 tokens, and how many: `[columns / 2][tokens]`, up to a multiple of 32 columns.
    Pairs(&'a [[u16; 2]], usize),
}

/// See [`crate::linear_rounded`].
pub(crate) fn linear(
    x: Right,
    w: &Matrix,
    rows: Range<usize>,
    out: &mut Columns,
    scratch: &mut Scratch,
) {
    const { assert!(PANEL_COLUMNS == BLOCK_TILES * TILE_DEPTH) };
    match x {
        Right::Pairs(pairs, tokens) => strip(pairs, tokens, w, rows, out, scratch),
        Right::Packed(x) if x.strips() <= FEW_STRIPS => few(x, w, rows, out, scratch),
        Right::Packed(x) => many(x, w, rows, out, scratch),
    }
}

/// Up to 16 tokens, 32 outputs at a time.
fn strip(
    pairs: &[[u16; 2]],
    tokens: usize,
    w: &Matrix,
    rows: Range<usize>,
    out: &mut Columns,
    scratch: &mut Scratch,
) {
    let stride = stride(tokens);
    let mut scratch = scratch.tiles(BLOCK * stride);
    let unit = NarrowTiles::new(tokens);
    for first in rows.clone().step_by(BLOCK) {
        unit.clear();
        while_rounding::<2>(w, first..rows.end, &mut scratch, |step, tiles| {
            let (upper, lower) = tiles.split_at(BLOCK_TILES);
            let place = step % BLOCK_TILES;
            let right = &pairs[step * LANES * tokens..][..LANES * tokens];
            unit.multiply(step, [&upper[place], &lower[place]], right);
        });
        unit.store(scratch.sums, stride);
        let columns = first - rows.start..(first + BLOCK).min(rows.end) - rows.start;
        put::<{ BLOCK / LANES }>(scratch.sums, stride, 0..tokens, columns, out);
    }
}

/// Up to 64 tokens, 16 outputs at a time.
fn few(x: &Packed, w: &Matrix, rows: Range<usize>, out: &mut Columns, scratch: &mut Scratch) {
    let stride = stride(x.outer());
    let mut scratch = scratch.tiles(LANES * stride);
    let unit = Tiles::new();
    for first in rows.clone().step_by(LANES) {
        unit.clear();
        while_rounding::<1>(w, first..rows.end, &mut scratch, |step, tiles| {
            let (block, place) = (step / BLOCK_TILES, step % BLOCK_TILES);
            unit.load(step, &tiles[place]);
            for strip in 0..x.strips() {
                unit.multiply(step, strip, &x.tiles(block, strip)[place]);
            }
        });
        for strip in 0..x.strips() {
            unit.store(strip, &mut scratch.sums[strip * LANES..], stride);
        }
        let columns = first - rows.start..(first + LANES).min(rows.end) - rows.start;
        put::<1>(scratch.sums, stride, 0..x.outer(), columns, out);
    }
}

/// Calls `multiply` with each step along the columns of the first `STRIPS` times 16 rows, and the
/// tiles `[STRIPS][BLOCK_TILES]` of its block. Each weight is rounded on its way through: while the
/// tiles of a block are filled, those of the block before it are multiplied with.
#[inline(always)]
fn while_rounding<const STRIPS: usize>(
    w: &Matrix,
    rows: Range<usize>,
    scratch: &mut TileScratch,
    multiply: impl Fn(usize, &[Tile]),
) {
    let (mut now, mut before) = scratch.tiles.split_at_mut(2 * BLOCK_TILES);
    let mut waiting = 0..0;
    for from in (0..w.columns).step_by(PANEL_COLUMNS) {
        for (strip, tiles) in now.chunks_exact_mut(BLOCK_TILES).take(STRIPS).enumerate() {
            let first = (rows.start + strip * LANES).min(rows.end - 1);
            expand(&stored(w, first, rows.end, from), tiles, scratch.panel, |row| {
                if (row + 1) % (2 * STRIPS) == 0
                    && let Some(step) = waiting.next()
                {
                    multiply(step, before);
                }
            });
        }
        std::mem::swap(&mut now, &mut before);
        let terms = from..(from + PANEL_COLUMNS).min(w.columns);
        waiting = terms.start / TILE_DEPTH..terms.end.div_ceil(TILE_DEPTH);
    }
    waiting.for_each(|step| multiply(step, before));
}

/// Any number of tokens, 32 outputs at a time: a part of the activations stays in the second cache
/// while all weights that meet it go by, rounded once for all its tokens.
fn many(x: &Packed, w: &Matrix, rows: Range<usize>, out: &mut Columns, scratch: &mut Scratch) {
    let stride = stride(x.outer().min(BAND_TOKENS));
    let group = if w.columns <= PART_TERMS { WRITTEN_ROWS } else { GROUP_ROWS };
    let mut scratch = scratch.tiles(group * stride);
    let unit = Tiles::new();
    for band in (0..x.outer()).step_by(BAND_TOKENS) {
        let tokens = band..(band + BAND_TOKENS).min(x.outer());
        for first in rows.clone().step_by(group) {
            let group = first..(first + group).min(rows.end);
            for from in (0..w.columns).step_by(PART_TERMS) {
                let terms = from..(from + PART_TERMS).min(w.columns);
                Part { unit: &unit, x, w, tokens: &tokens, terms }.add(
                    &group,
                    &mut scratch,
                    stride,
                );
            }
            for from in group.clone().step_by(WRITTEN_ROWS) {
                let written = from..(from + WRITTEN_ROWS).min(group.end);
                let columns = written.start - rows.start..written.end - rows.start;
                let sums = &scratch.sums[(from - first) * stride..];
                put::<{ WRITTEN_ROWS / LANES }>(sums, stride, tokens.clone(), columns, out);
            }
        }
    }
}

/// Some tokens and terms.
struct Part<'a> {
    unit: &'a Tiles,
    x: &'a Packed,
    w: &'a Matrix<'a>,
    tokens: &'a Range<usize>,
    terms: Range<usize>,
}

impl Part<'_> {
    /// Adds its products to the sums of some outputs: `[rows, tokens]`.
    fn add(&self, rows: &Range<usize>, scratch: &mut TileScratch, stride: usize) {
        for (pair, first) in rows.clone().step_by(BLOCK).enumerate() {
            let sums = &mut scratch.sums[pair * BLOCK * stride..];
            for from in self.terms.clone().step_by(PANEL_COLUMNS) {
                let mut len = 0;
                for (half, tiles) in scratch.tiles.chunks_exact_mut(BLOCK_TILES).take(2).enumerate()
                {
                    let row = (first + half * LANES).min(rows.end - 1);
                    let stored = stored(self.w, row, rows.end, from);
                    len = stored.len.div_ceil(TILE_DEPTH);
                    expand(&stored, tiles, scratch.panel, |_| {});
                }
                let (upper, lower) = scratch.tiles[..2 * BLOCK_TILES].split_at(BLOCK_TILES);
                self.add_block(from / PANEL_COLUMNS, [&upper[..len], &lower[..len]], sums, stride);
            }
        }
    }

    /// Adds the products with a block of the terms of 32 outputs.
    fn add_block(&self, block: usize, left: [&[Tile]; 2], sums: &mut [f32], stride: usize) {
        let start = if block == 0 { Start::Zero } else { Start::Out };
        for token in self.tokens.clone().step_by(BLOCK) {
            let right = pair(self.x, block, token / LANES, left[0].len());
            let out = &mut sums[token - self.tokens.start..];
            self.unit.add(&mut Block { left, right, start, out, stride });
        }
    }
}

/// Not a power of two: rows of a tile would share few places in the first cache.
fn stride(tokens: usize) -> usize {
    tokens.next_multiple_of(BLOCK) + LANES
}

/// Writes sums `[columns, tokens]` to their place.
fn put<const STRIPS: usize>(
    sums: &[f32],
    stride: usize,
    tokens: Range<usize>,
    columns: Range<usize>,
    out: &mut Columns,
) {
    let mut turned = [[[0.0; LANES]; STRIPS]; LANES];
    for first in tokens.clone().step_by(LANES) {
        for strip in 0..columns.len().div_ceil(LANES) {
            let sums = &sums[strip * LANES * stride + first - tokens.start..];
            turn_floats(sums, stride, turned.as_flattened_mut().as_flattened_mut(), strip);
        }
        for (token, row) in (first..tokens.end.min(first + LANES)).zip(&turned) {
            let out = out.of_row(token, columns.clone());
            out.copy_from_slice(&row.as_flattened()[..columns.len()]);
        }
    }
}

/// A block of columns of 16 rows.
fn stored<'a>(w: &Matrix<'a>, first: usize, end: usize, from: usize) -> Stored<'a> {
    Stored::new(w, first, end, from, PANEL_COLUMNS.min(w.columns - from))
}
