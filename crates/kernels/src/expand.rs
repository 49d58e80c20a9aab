//! Weights as the right operands of tiles, rounded to `bf16`.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::avx512_tile;
use crate::format::Format;
use crate::isa::{Isa, on_isa};
use crate::lanes::LANES;
use crate::matrix::Matrix;
use crate::packed::{TILE_DEPTH, Tile, round};
use crate::panel::{Stored, prefetch};
use crate::rounding::{self, Rounding};
use crate::weights::{Part, Weights};

/// A matrix on its way; what does not change from part to part is made ready once.
pub(crate) enum Expansion<'a> {
    Codes(Box<Rounding<'a>>),
    Stored(&'a Matrix<'a>),
}

impl<'a> Expansion<'a> {
    pub(crate) fn new(w: &'a Weights<'a>) -> Expansion<'a> {
        match w {
            Weights::Coded(w) => Expansion::Codes(Box::new(Rounding::new(w))),
            Weights::Stored(matrix) => Expansion::Stored(matrix),
        }
    }

    /// Terms of a row.
    pub(crate) fn columns(&self) -> usize {
        match self {
            Expansion::Codes(rounding) => rounding.matrix().columns,
            Expansion::Stored(matrix) => matrix.columns,
        }
    }

    /// Fills `tiles[column / 32]` with a part; columns beyond the last are zeros. Calls `after`
    /// with the number of each tile, so that something else can be done between them.
    pub(crate) fn fill(
        &mut self,
        part: &Part,
        tiles: &mut [Tile],
        panel: &mut [f32],
        mut after: impl FnMut(usize),
    ) {
        let tiles = &mut tiles[..part.len.div_ceil(TILE_DEPTH)];
        match self {
            Expansion::Codes(rounding) => {
                rounding.take(0, part);
                for (place, tile) in tiles.iter_mut().enumerate() {
                    rounding.round(place, tile);
                    after(place);
                }
            }
            Expansion::Stored(matrix) => {
                expand_stored(&Weights::stored(matrix, part), tiles, panel);
                (0..tiles.len()).for_each(after);
            }
        }
    }
}

fn expand_stored(stored: &Stored, tiles: &mut [Tile], panel: &mut [f32]) {
    if stored.format == Format::BF16 && stored.len.is_multiple_of(TILE_DEPTH) {
        stored.check();
        Isa::Avx512.checked();
        for (place, tile) in tiles.iter_mut().enumerate() {
            prefetch(stored.ahead, place * size_of::<Tile>(), size_of::<Tile>());
            let rows = stored.rows.map(|row| row[place * 2 * TILE_DEPTH..].as_ptr());
            // SAFETY: `checked` saw the instructions, `check` that each row has 64 bytes a tile.
            unsafe { avx512_tile::turn_rows(rows, tile) };
        }
        return;
    }
    stored.decode(Isa::Avx512, panel);
    let columns = &panel.as_chunks::<LANES>().0[..stored.len];
    if rounding::is_available() {
        Isa::Avx512.checked();
        // SAFETY: both saw the instructions.
        return unsafe { rounding::round_columns(columns, tiles) };
    }
    on_isa!(Isa::Avx512, round_pairs(columns: &[[f32; LANES]], tiles: &mut [Tile]));
}

#[inline(always)]
fn round_pairs(columns: &[[f32; LANES]], tiles: &mut [Tile]) {
    for (columns, tile) in columns.chunks(TILE_DEPTH).zip(tiles) {
        for (pair, out) in tile.0.iter_mut().enumerate() {
            let zeros = [0.0; LANES];
            let [even, odd] = [0, 1].map(|i| columns.get(2 * pair + i).unwrap_or(&zeros));
            for ((out, even), odd) in out.iter_mut().zip(even).zip(odd) {
                *out = [round(*even), round(*odd)];
            }
        }
    }
}
