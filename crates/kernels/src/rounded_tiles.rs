//! [`crate::linear_rounded`] on the tile unit: activations on the left, weights on the right, so
//! that a row of a result is a token.

use crate::amx::{NarrowTiles, Tiles};
use crate::bf16_product::{BLOCK, Block, Start, pair};
use crate::coded::{Coded, are_whole_spans};
use crate::columns::Columns;
use crate::expand::Expansion;
use crate::gated::GatedUnit;
use crate::isa::Isa;
use crate::lanes::LANES;
use crate::packed::{BLOCK_TILES, Packed, TILE_DEPTH, Tile};
use crate::panel::PANEL_COLUMNS;
use crate::patch::{Patch, parts};
use crate::rounded::Before;
use crate::rounding::Rounding;
use crate::scratch::{Scratch, TileScratch};
use crate::weights::{Part, Weights};
use std::iter::StepBy;
use std::ops::Range;

/// Strips of 16 tokens whose sums stay in tiles while the weights go by.
const FEW_STRIPS: usize = 4;
/// Above that: tokens and terms (0.75 MiB of activations) that stay in the second cache beside the
/// sums of a group of outputs.
const BAND_TOKENS: usize = 512;
const PART_TERMS: usize = 3 * PANEL_COLUMNS;
/// Outputs whose sums are kept from one part of the terms to the next and written together: written
/// by 16, they would take turns at the few places in the caches that rows of a power of two share.
const GROUP_ROWS: usize = 256;
/// Outputs of each product of a gated unit that are computed together.
const GATED_ROWS: usize = 128;

/// See [`crate::linear_rounded`].
pub(crate) fn linear(
    before: Before,
    x: &Packed,
    w: &Weights,
    rows: Range<usize>,
    out: &mut Columns,
    scratch: &mut Scratch,
) {
    const { assert!(PANEL_COLUMNS == BLOCK_TILES * TILE_DEPTH) };
    match x.strips() {
        0 | 1 => strip(before, x, w, rows, out, scratch),
        2..=FEW_STRIPS => few(before, x, w, rows, out, scratch),
        _ => many(before, x, w, rows, out, scratch),
    }
}

/// Up to 16 tokens, 32 outputs at a time.
fn strip(
    before: Before,
    x: &Packed,
    w: &Weights,
    rows: Range<usize>,
    out: &mut Columns,
    scratch: &mut Scratch,
) {
    let mut scratch = scratch.tiles(LANES * BLOCK);
    let (unit, mut expansion) = (NarrowTiles::new(x.outer()), Expansion::new(w));
    for first in rows.clone().step_by(BLOCK) {
        unit.clear();
        while_rounding::<2>(&mut expansion, first..rows.end, &mut scratch, |step, tiles| {
            let (block, place) = (step / BLOCK_TILES, step % BLOCK_TILES);
            let (upper, lower) = tiles.split_at(BLOCK_TILES);
            unit.multiply(step, &x.tiles(block, 0)[place], [&upper[place], &lower[place]]);
        });
        unit.store(scratch.sums, BLOCK);
        let columns = first - rows.start..(first + BLOCK).min(rows.end) - rows.start;
        put(before, scratch.sums, BLOCK, 0..x.outer(), columns, out);
    }
}

/// Up to 64 tokens, 16 outputs at a time.
fn few(
    before: Before,
    x: &Packed,
    w: &Weights,
    rows: Range<usize>,
    out: &mut Columns,
    scratch: &mut Scratch,
) {
    let mut scratch = scratch.tiles(x.strips() * LANES * LANES);
    let (unit, mut expansion) = (Tiles::new(), Expansion::new(w));
    for first in rows.clone().step_by(LANES) {
        unit.clear();
        while_rounding::<1>(&mut expansion, first..rows.end, &mut scratch, |step, tiles| {
            let (block, place) = (step / BLOCK_TILES, step % BLOCK_TILES);
            unit.load(step, &tiles[place]);
            for strip in 0..x.strips() {
                unit.multiply(step, strip, &x.tiles(block, strip)[place]);
            }
        });
        for strip in 0..x.strips() {
            unit.store(strip, &mut scratch.sums[strip * LANES * LANES..], LANES);
        }
        let columns = first - rows.start..(first + LANES).min(rows.end) - rows.start;
        put(before, scratch.sums, LANES, 0..x.outer(), columns, out);
    }
}

/// Calls `multiply` with each step along the columns of the first `STRIPS` times 16 rows, and the
/// tiles `[STRIPS][BLOCK_TILES]` of its block. Each weight is rounded on its way through: while the
/// tiles of a block are filled, those of the block before it are multiplied with.
#[inline(always)]
fn while_rounding<const STRIPS: usize>(
    expansion: &mut Expansion,
    rows: Range<usize>,
    scratch: &mut TileScratch,
    multiply: impl Fn(usize, &[Tile]),
) {
    let (mut now, mut before) = scratch.tiles.split_at_mut(2 * BLOCK_TILES);
    let mut waiting = 0..0;
    for terms in parts(0..expansion.columns(), PANEL_COLUMNS) {
        for (strip, tiles) in now.chunks_exact_mut(BLOCK_TILES).take(STRIPS).enumerate() {
            let part = part(&rows, strip, &terms);
            expansion.fill(&part, tiles, scratch.panel, |tile| {
                if (tile + 1) % STRIPS == 0
                    && let Some(step) = waiting.next()
                {
                    multiply(step, before);
                }
            });
        }
        // More, if the last block is shorter.
        waiting.for_each(|step| multiply(step, before));
        std::mem::swap(&mut now, &mut before);
        waiting = terms.start / TILE_DEPTH..terms.end.div_ceil(TILE_DEPTH);
    }
    waiting.for_each(|step| multiply(step, before));
}

/// Any number of tokens, 32 outputs at a time: a part of the activations stays in the second cache
/// while all weights that meet it go by, rounded once for all its tokens.
fn many(
    before: Before,
    x: &Packed,
    w: &Weights,
    rows: Range<usize>,
    out: &mut Columns,
    scratch: &mut Scratch,
) {
    // Not a power of two: rows of a tile would share few places in the first cache.
    let stride = GROUP_ROWS + LANES;
    let most = x.outer().min(BAND_TOKENS).next_multiple_of(BLOCK);
    let mut scratch = scratch.tiles(most * stride);
    let unit = Tiles::new();
    for tokens in parts(0..x.outer(), BAND_TOKENS) {
        for group in parts(rows.clone(), GROUP_ROWS) {
            let (unit, matrices, tokens) = (&unit, &[w][..], tokens.clone());
            Product { unit, x, matrices, tokens: &tokens, rows: &group, stride }.add(&mut scratch);
            let columns = group.start - rows.start..group.end - rows.start;
            put(before, scratch.sums, stride, tokens.clone(), columns, out);
        }
    }
}

/// See [`GatedUnit::fill`]: as [`many`], for the outputs and tokens of a patch. The sums of both
/// products stay in the second cache until they are in the patch.
pub(crate) fn gated(
    isa: Isa,
    x: &Packed,
    unit: &GatedUnit,
    patch: &mut Patch,
    scratch: &mut Scratch,
) {
    let stride = GATED_ROWS + LANES;
    let most = patch.vectors().len().min(BAND_TOKENS).next_multiple_of(BLOCK);
    let mut scratch = scratch.tiles(2 * most * stride);
    let (tile_unit, mut values) = (Tiles::new(), [0.0; GATED_ROWS]);
    for tokens in parts(patch.vectors(), BAND_TOKENS) {
        for rows in parts(patch.terms(), GATED_ROWS) {
            let (matrices, tokens) = (&[&unit.gate, &unit.up][..], &tokens);
            let product = Product { unit: &tile_unit, x, matrices, tokens, rows: &rows, stride };
            product.add(&mut scratch);
            let (gates, ups) = scratch.sums.split_at(product.sums());
            let values = &mut values[..rows.len()];
            for (token, at) in tokens.clone().zip((0..).step_by(stride)) {
                let of_token = at..at + rows.len();
                unit.by.forward(isa, &gates[of_token.clone()], &ups[of_token], values);
                patch.put(isa, token, rows.start, values);
            }
        }
    }
}

/// Some tokens and outputs, of one or several matrices of a shape.
struct Product<'a> {
    unit: &'a Tiles,
    x: &'a Packed,
    matrices: &'a [&'a Weights<'a>],
    tokens: &'a Range<usize>,
    rows: &'a Range<usize>,
    /// Floats from one token's sums to the next one's.
    stride: usize,
}

/// 32 outputs of a matrix and 256 terms.
#[derive(Clone)]
struct Square {
    matrix: usize,
    first: usize,
    terms: Range<usize>,
}

impl Product<'_> {
    /// Floats of the sums of a matrix.
    fn sums(&self) -> usize {
        self.tokens.len().next_multiple_of(BLOCK) * self.stride
    }

    /// Computes the sums `[matrices, tokens, rows]`.
    fn add(&self, scratch: &mut TileScratch) {
        match self.matrices.iter().map(|matrix| codes(matrix)).collect::<Option<Vec<Coded>>>() {
            Some(matrices) => self.add_codes(&matrices, scratch),
            None => self.add_any(scratch),
        }
    }

    /// While a tile of a square is rounded, 32 tokens are multiplied with the square before it.
    fn add_codes(&self, matrices: &[Coded], scratch: &mut TileScratch) {
        let TileScratch { tiles, sums, .. } = scratch;
        let (mut now, mut before) = tiles.split_at_mut(2 * BLOCK_TILES);
        let mut roundings: Vec<Rounding> = matrices.iter().map(Rounding::new).collect();
        let mut last: Option<Square> = None;
        for square in self.squares() {
            let rounding = &mut roundings[square.matrix];
            for half in 0..2 {
                let part = part(&(square.first..self.rows.end), half, &square.terms);
                rounding.take(half, &part);
            }
            let mut tiles = now.iter_mut().enumerate();
            if let Some(last) = &last {
                for token in self.tokens.clone().step_by(BLOCK) {
                    match tiles.next() {
                        Some((place, tile)) => {
                            let block = &mut self.block(last, token, before, sums);
                            rounding.round_during(self.unit, block, place, tile);
                        }
                        None => self.add_tokens(last, token, before, sums),
                    }
                }
            }
            tiles.for_each(|(place, tile)| rounding.round(place, tile));
            std::mem::swap(&mut now, &mut before);
            last = Some(square);
        }
        let tokens = self.tokens.clone().step_by(BLOCK);
        self.finish(last.map(|square| (square, tokens)), before, sums);
    }

    /// While the weights of a square are rounded, those of the one before it are multiplied with,
    /// 32 tokens after each tile.
    fn add_any(&self, scratch: &mut TileScratch) {
        let TileScratch { tiles, panel, sums } = scratch;
        let (mut now, mut before) = tiles.split_at_mut(2 * BLOCK_TILES);
        let mut expansions: Vec<Expansion> =
            self.matrices.iter().map(|matrix| Expansion::new(matrix)).collect();
        let mut last: Option<(Square, StepBy<Range<usize>>)> = None;
        for square in self.squares() {
            for (half, tiles) in now.chunks_exact_mut(BLOCK_TILES).enumerate() {
                let part = part(&(square.first..self.rows.end), half, &square.terms);
                expansions[square.matrix].fill(&part, tiles, panel, |_| {
                    if let Some((square, tokens)) = &mut last
                        && let Some(token) = tokens.next()
                    {
                        self.add_tokens(square, token, before, sums);
                    }
                });
            }
            self.finish(last, before, sums);
            std::mem::swap(&mut now, &mut before);
            last = Some((square, self.tokens.clone().step_by(BLOCK)));
        }
        self.finish(last, before, sums);
    }

    /// Multiplies the tokens that are left.
    fn finish(
        &self,
        last: Option<(Square, StepBy<Range<usize>>)>,
        tiles: &[Tile],
        sums: &mut [f32],
    ) {
        if let Some((square, tokens)) = last {
            tokens.for_each(|token| self.add_tokens(&square, token, tiles, sums));
        }
    }

    /// All squares: terms that stay in the second cache for all outputs first.
    fn squares(&self) -> impl Iterator<Item = Square> {
        let rows = self.rows.clone().step_by(BLOCK);
        let (matrices, columns) = (0..self.matrices.len(), self.x.depth());
        parts(0..columns, PART_TERMS).flat_map(move |all| {
            let rows = rows.clone();
            matrices.clone().flat_map(move |matrix| {
                let all = all.clone();
                rows.clone().flat_map(move |first| {
                    let terms = parts(all.clone(), PANEL_COLUMNS);
                    terms.map(move |terms| Square { matrix, first, terms })
                })
            })
        })
    }

    /// Adds the products of 32 tokens from `token` on with a square, `[2][BLOCK_TILES]`.
    fn add_tokens(&self, square: &Square, token: usize, tiles: &[Tile], sums: &mut [f32]) {
        self.unit.add(&mut self.block(square, token, tiles, sums));
    }

    /// 32 tokens from `token` on and a square.
    fn block<'b>(
        &'b self,
        square: &Square,
        token: usize,
        tiles: &'b [Tile],
        sums: &'b mut [f32],
    ) -> Block<'b> {
        let Square { matrix, first, terms } = square;
        let (block, steps) = (terms.start / PANEL_COLUMNS, terms.len().div_ceil(TILE_DEPTH));
        let (upper, lower) = tiles.split_at(BLOCK_TILES);
        let right = [&upper[..steps], &lower[..steps]];
        let left = pair(self.x, block, token / LANES, steps);
        let at = (token - self.tokens.start) * self.stride + first - self.rows.start;
        let at = matrix * self.sums() + at;
        let (start, stride) = (if block == 0 { Start::Zero } else { Start::Out }, self.stride);
        Block { left, right, start, out: &mut sums[at..], stride }
    }
}

/// A matrix of codes in whole spans.
fn codes<'a>(matrix: &Weights<'a>) -> Option<Coded<'a>> {
    match matrix {
        Weights::Coded(w) if are_whole_spans(w.columns) => Some(*w),
        _ => None,
    }
}

/// Strip `strip` of some rows, or the last one there is.
fn part(rows: &Range<usize>, strip: usize, terms: &Range<usize>) -> Part {
    let last = rows.len().div_ceil(LANES) - 1;
    let first = rows.start + strip.min(last) * LANES;
    Part { first, end: rows.end, from: terms.start, len: terms.len() }
}

/// Writes sums `[tokens, columns]` to their place.
fn put(
    before: Before,
    sums: &[f32],
    stride: usize,
    tokens: Range<usize>,
    columns: Range<usize>,
    out: &mut Columns,
) {
    for (token, sums) in tokens.zip(sums.chunks(stride)) {
        before.put(Isa::Amx, out.of_row(token, columns.clone()), &sums[..columns.len()]);
    }
}
