//! [`crate::linear_rounded`] on the tile unit. Weights stand on the left, a row of a tile being a
//! piece of a row of the matrix as it is stored; so a result comes out turned.

use crate::amx::Tiles;
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

/// Activations as right operands.
#[derive(Clone, Copy)]
pub(crate) enum Right<'a> {
    /// More than 16 tokens.
    Packed(&'a Packed),
    /// Up to 16 tokens, and how many: `[columns / 2][tokens]`, up to a multiple of 32 columns.
    Pairs(&'a [[u16; 2]], usize),
}

impl Right<'_> {
    fn tokens(&self) -> usize {
        match self {
            Right::Packed(packed) => packed.outer(),
            Right::Pairs(_, tokens) => *tokens,
        }
    }

    fn strips(&self) -> usize {
        self.tokens().div_ceil(LANES)
    }

    /// One step of all strips with a left operand.
    #[inline(always)]
    fn multiply(&self, unit: &Tiles, block: usize, step: usize, left: &Tile) {
        unit.load(step, left);
        match self {
            Right::Pairs(pairs, tokens) => {
                let size = LANES * tokens;
                unit.multiply(step, 0, &pairs[(block * BLOCK_TILES + step) * size..][..size]);
            }
            Right::Packed(packed) => {
                for strip in 0..packed.strips() {
                    unit.multiply(step, strip, packed.tiles(block, strip)[step].0.as_flattened());
                }
            }
        }
    }
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
    // Not a power of two: rows of a tile would share few places in the first cache.
    let stride = x.tokens().next_multiple_of(BLOCK) + LANES;
    let unit = Tiles::of_width(x.tokens().min(LANES));
    let mut job = Job { unit, x, w, rows, scratch: scratch.tiles(BLOCK * stride) };
    let size = if x.strips() <= FEW_STRIPS { LANES } else { BLOCK };
    for first in job.rows.clone().step_by(size) {
        match size {
            LANES => job.few(first, stride),
            _ => job.many(first, stride),
        }
        for from in (first..(first + size).min(job.rows.end)).step_by(LANES) {
            job.put(from, from - first, stride, out);
        }
    }
}

struct Job<'a> {
    unit: Tiles,
    x: Right<'a>,
    w: &'a Matrix<'a>,
    rows: Range<usize>,
    scratch: TileScratch<'a>,
}

impl Job<'_> {
    /// Up to 64 tokens, 16 outputs: each weight is rounded on its way through, and while the tiles
    /// of a block are filled, those of the block before it are multiplied with.
    fn few(&mut self, first: usize, stride: usize) {
        self.unit.clear();
        let (now, before) = self.scratch.tiles.split_at_mut(BLOCK_TILES);
        let (mut now, mut before) = (now, &mut before[..BLOCK_TILES]);
        let mut waiting = 0..0;
        for (block, from) in (0..self.w.columns).step_by(PANEL_COLUMNS).enumerate() {
            let stored = stored(self.w, first, self.rows.end, from);
            let (unit, x) = (&self.unit, &self.x);
            expand(&stored, now, self.scratch.panel, |row| {
                if row % 2 == 1
                    && let Some(step) = waiting.next()
                {
                    x.multiply(unit, block - 1, step, &before[step]);
                }
            });
            std::mem::swap(&mut now, &mut before);
            waiting = 0..stored.len.div_ceil(TILE_DEPTH);
        }
        let last = self.w.columns.div_ceil(PANEL_COLUMNS) - 1;
        waiting.for_each(|step| self.x.multiply(&self.unit, last, step, &before[step]));
        for strip in 0..self.x.strips() {
            self.unit.store(strip, &mut self.scratch.sums[strip * LANES..], stride);
        }
    }

    /// Any number of tokens, 32 outputs: rounded weights are used again from the first cache.
    fn many(&mut self, first: usize, stride: usize) {
        let Right::Packed(x) = self.x else { unreachable!("more than 64 tokens are packed") };
        for (block, from) in (0..self.w.columns).step_by(PANEL_COLUMNS).enumerate() {
            let mut len = 0;
            let halves = self.scratch.tiles.chunks_exact_mut(BLOCK_TILES).take(2);
            for (half, tiles) in halves.enumerate() {
                let row = (first + half * LANES).min(self.rows.end - 1);
                let stored = stored(self.w, row, self.rows.end, from);
                len = stored.len.div_ceil(TILE_DEPTH);
                expand(&stored, tiles, self.scratch.panel, |_| {});
            }
            let start = if block == 0 { Start::Zero } else { Start::Out };
            let (upper, lower) = self.scratch.tiles.split_at(BLOCK_TILES);
            for token in (0..x.outer()).step_by(BLOCK) {
                let left = [&upper[..len], &lower[..len]];
                let right = pair(x, block, token / LANES, len);
                let out = &mut self.scratch.sums[token..];
                self.unit.add(&mut Block { left, right, start, out, stride });
            }
        }
    }

    /// Writes the outputs from `first` on, whose sums begin at row `at`.
    fn put(&mut self, first: usize, at: usize, stride: usize, out: &mut Columns) {
        let columns = first - self.rows.start..(first + LANES).min(self.rows.end) - self.rows.start;
        let mut turned = [[0.0; LANES]; LANES];
        for strip in 0..self.x.strips() {
            let sums = &self.scratch.sums[at * stride + strip * LANES..];
            turn_floats(sums, stride, &mut turned);
            let tokens = strip * LANES..((strip + 1) * LANES).min(self.x.tokens());
            for (token, turned) in tokens.zip(&turned) {
                let out = out.of_row(token, columns.clone());
                // Of known length, it is one store.
                match <&mut [f32; LANES]>::try_from(&mut *out) {
                    Ok(out) => *out = *turned,
                    Err(_) => out.copy_from_slice(&turned[..columns.len()]),
                }
            }
        }
    }
}

/// A block of columns of 16 rows.
fn stored<'a>(w: &Matrix<'a>, first: usize, end: usize, from: usize) -> Stored<'a> {
    Stored::new(w, first, end, from, PANEL_COLUMNS.min(w.columns - from))
}
